"""What the pages say of records, answers, PasteDeploy and Pyramid is so."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from paste.deploy import loadapp
from pyramid.paster import get_app, get_appsettings
from pythonjsonlogger.json import JsonFormatter

from tests.docs.pages import block, completed, write_files
from tests.ini import ROOT
from tests.wsgi import call, hello, make_environ
from wsgi_mw_paste import ErrorsMiddleware, RequestIdMiddleware, RequestIdSettings
from wsgi_mw_paste.command.check import check

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

#: The application's own options, in the two forms.
PIPELINE = "[app:myapp]\nuse = egg:myapp\nsqlalchemy.url = sqlite://\n"
WITH = "[app:main]\nuse = egg:myapp\nfilter-with = web\nsqlalchemy.url = sqlite://\n"
WEB = "[filter:web]\nuse = egg:wsgi_mw_paste\nlog_tokens = fingerprint\n"


def write(text: str) -> str:
    """Write an INI file; return its name."""
    Path("production.ini").write_text(completed(text), encoding="utf-8")
    return "production.ini"


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        pytest.param(PIPELINE, "", False, id="pipeline"),
        pytest.param(PIPELINE, "#myapp", True, id="pipeline, named"),
        pytest.param(WITH + WEB, "", True, id="filter-with"),
    ],
)
def test_where_settings_are_found(text: str, name: str, found: bool) -> None:  # noqa: FBT001
    """After the rename they need the application's name; ``filter-with`` changes nothing."""
    settings = get_appsettings(write(text) + name)

    assert bool(settings) == ("sqlalchemy.url" in settings) == found


@pytest.mark.parametrize("text", [PIPELINE, WITH + WEB], ids=["pipeline", "filter-with"])
def test_the_loaded_application_is_the_outermost_filter(text: str) -> None:
    """``get_app`` returns what has no registry, in both forms."""
    assert not hasattr(get_app(write(text)), "registry")


def test_the_named_application_of_a_pipeline_has_a_registry() -> None:
    """``get_app("production.ini#myapp")`` is Pyramid's router."""
    assert hasattr(get_app(write(PIPELINE) + "#myapp"), "registry")


def test_two_sections_called_main_are_ambiguous() -> None:
    """A pipeline beside the cookiecutter's section stops the server, in these words."""
    text = completed(PIPELINE) + "\n[app:main]\nuse = egg:myapp\n"
    Path("production.ini").write_text(text, encoding="utf-8")

    with pytest.raises(LookupError, match="Ambiguous section names"):
        loadapp("config:production.ini", relative_to=".")


def test_filter_with_in_a_pipeline_fails_at_the_request() -> None:
    """PasteDeploy loads such a file, no request survives, and ``check`` says so."""
    path = write(
        "[pipeline:main]\npipeline = web myapp\nfilter-with = other\n"
        f"{PIPELINE}[filter:other]\npaste.filter_factory = myapp:tracing\n"
    )
    app = loadapp("config:production.ini", relative_to=".")

    with pytest.raises(TypeError):
        call(app)
    assert "not-deployable" in [finding.code for finding in check(path).findings]


@pytest.mark.parametrize(
    ("name", "allowed"), [("staging.ini", "https://staging.example.com"), ("wrong.ini", None)]
)
def test_one_file_for_each_deployment(name: str, allowed: str | None) -> None:
    """With ``set`` the small file's value wins; without it, nothing happens."""
    write_files("docs/pipelines.md")
    app = loadapp(f"config:{name}", relative_to=".")

    answer = call(
        app, make_environ(path="/orders/17", headers={"Origin": "https://staging.example.com"})
    )

    assert answer.header("Access-Control-Allow-Origin") == allowed


def test_the_access_record_has_the_fields_of_the_page(caplog: pytest.LogCaptureFixture) -> None:
    """The table names each field once, the JSON block has them all, and the line is the message."""
    caplog.set_level(logging.INFO)
    text = (ROOT / "docs" / "access-record.md").read_text(encoding="utf-8")
    shown = json.loads(block("docs/access-record.md", "The access record", "json").text)
    line = block("docs/access-record.md", "The access record", "text").text
    app = RequestIdMiddleware(hello, RequestIdSettings(log_tokens="fingerprint"))

    call(app)

    [record] = caplog.records
    written = json.loads(
        JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s").format(record)
    )
    assert written.keys() == shown.keys()
    fields = text.partition("## Fields")[2].partition("**Level.**")[0]
    assert {*re.findall(r"^\| `(\w+)` \|", fields, re.MULTILINE)} == {
        *shown.keys() - {"asctime", "levelname", "name", "message"}
    }
    assert shown["message"] in line
    assert shape(record.getMessage()) == shape(shown["message"])


def shape(message: str) -> str:
    """Return a message without what depends on the request."""
    return re.sub(r"[^ .]+", "x", message.replace("127.0.0.1", "localhost"))


@pytest.mark.parametrize(
    ("language", "accept"), [("text", "text/html"), ("json", "application/json")]
)
def test_the_answer_to_an_exception_is_that_of_the_page(language: str, accept: str) -> None:
    """As text, and as JSON to clients that like it better."""

    def bug(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise LookupError

    app = RequestIdMiddleware(ErrorsMiddleware(bug), RequestIdSettings(log_requests=False))
    headers = {"Accept": accept, "X-Request-Id": "4bf92f3577b34da6a3ce929d0e0e4736"}

    body = call(app, make_environ(headers=headers)).body.decode()

    shown = block("docs/errors.md", "What the client gets", language).text
    if language == "json":
        assert json.loads(body) == json.loads(shown)
    else:
        assert body == shown


def test_a_section_that_inherits_from_another_file_is_no_false_alarm() -> None:
    """The options in it are those of our filter, whose ``use`` is in the other file."""
    write("[app:myapp]\nuse = egg:myapp\n")
    path = Path("small.ini")
    path.write_text(
        "[pipeline:main]\npipeline = web myapp\n"
        "[app:myapp]\nuse = egg:myapp\n"
        "[filter:web]\nuse = config:production.ini#web\ncors_allowed = https://a.example\n",
        encoding="utf-8",
    )

    findings = check(str(path)).findings

    assert [finding for finding in findings if finding.level != "note"] == []


def test_what_a_route_of_an_api_paste_file_answers_passes_our_filters() -> None:
    """Without a token the filter behind ours answers 401, with CORS headers; with one, the shop."""
    write_files("docs/pipelines.md")
    app = loadapp("config:api-paste.ini", name="shop_api", relative_to=".")
    origin = {"Origin": "https://app.example.com"}

    answers = [
        call(app, make_environ(path="/orders/17", headers=origin | headers))
        for headers in ({}, {"Authorization": "Bearer token"})
    ]

    assert [answer.code for answer in answers] == [401, 200]
    assert {answer.header("Access-Control-Allow-Origin") for answer in answers} == {
        "https://app.example.com"
    }


def test_readiness_is_answered_as_the_page_shows() -> None:
    """The fields of the body are those of the block, whatever the check says."""
    text = completed(block("docs/health.md", "Health probes", "ini").text)
    Path("health.ini").write_text(text, encoding="utf-8")
    app = loadapp("config:health.ini", relative_to=".")

    answer = call(app, make_environ(path="/readyz"))

    shown = json.loads(block("docs/health.md", "What it answers", "json").text)
    found = json.loads(answer.body)
    assert answer.code == 200
    assert found["checks"][0]["name"] == shown["checks"][0]["name"]
    assert (found.keys(), found["checks"][0].keys()) == (shown.keys(), shown["checks"][0].keys())
