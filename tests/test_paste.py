"""The filters in INI files, in every way PasteDeploy knows, from ``loadapp`` to the answer.

This file is run against the installed package, too, from a folder without the checkout.
"""

from __future__ import annotations

import inspect
from importlib.metadata import distribution
from textwrap import dedent
from types import MappingProxyType
from typing import TYPE_CHECKING
from wsgiref.validate import validator

import pytest
from paste.deploy.loadwsgi import APP, loadcontext

from tests.ini import lines_of, load_file, write_ini
from tests.wsgi import assert_headers, call, hello, make_environ
from wsgi_mw_paste import ConfigurationError, factories

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from tests.wsgi import Answer

ORIGIN = "https://a.example"
PREFLIGHT = {"Origin": ORIGIN, "Access-Control-Request-Method": "PUT"}
ID = {"X-Request-Id": "an-id"}


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with the path, unless the path says to raise."""
    if environ["PATH_INFO"] == "/raise":
        raise ZeroDivisionError
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["PATH_INFO"].encode("latin-1")]


def make_app(global_conf: dict[str, str], /, **local_conf: str) -> WSGIApplication:
    """Return the application between the filters; a ``paste.app_factory``."""
    return validator(app)


#: Two applications for the pipelines in here.
APPS = """
[app:app]
paste.app_factory = tests.test_paste:make_app
[composite:both]
paste.composite_factory = tests.ini:make_urlmap
/ = app
"""


def write(text: str) -> Path:
    """Write an INI file with these applications at its end."""
    return write_ini(dedent(text) + APPS)


def load(text: str) -> WSGIApplication:
    """Write such a file and load its ``main``."""
    return load_file(write(text))


def get(
    application: WSGIApplication,
    headers: dict[str, str] | None = None,
    *,
    method: str = "GET",
    path: str = "/",
) -> Answer:
    """Send a request, as a server that checks what comes back."""
    return call(validator(application), make_environ(method, path, headers))


# Names.


def test_every_filter_is_an_entry_point() -> None:
    """The distribution declares them by their names, and each of them loads."""
    found = distribution("wsgi_mw_paste").entry_points.select(group="paste.filter_factory")
    assert {entry_point.name: entry_point.load() for entry_point in found} == {
        name: getattr(factories, name) for name in factories.FACTORIES
    }
    assert {"main", "cors", "request_id", "errors"} <= factories.FACTORIES.keys()


# Wiring.

CORS = f"use = egg:wsgi_mw_paste#cors\ncors_allowed = {ORIGIN}"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"[pipeline:main]\npipeline = cors app\n[filter:cors]\n{CORS}", id="pipeline"),
        pytest.param(
            "[pipeline:main]\npipeline = cors app\n"
            f"[filter:cors]\nuse = egg:wsgi-mw-paste#cors\ncors_allowed = {ORIGIN}",
            id="egg: with dashes",
        ),
        pytest.param(
            "[pipeline:main]\npipeline = cors app\n"
            f"[filter:cors]\nuse = call:wsgi_mw_paste.factories:cors\ncors_allowed = {ORIGIN}",
            id="call:",
        ),
        pytest.param(
            "[pipeline:main]\npipeline = cors app\n[filter:cors]\n"
            f"paste.filter_factory = wsgi_mw_paste.factories:cors\ncors_allowed = {ORIGIN}",
            id="paste.filter_factory",
        ),
        pytest.param(
            "[pipeline:main]\npipeline = cors app\n"
            f"[filter:cors]\nuse = config:other.ini#shared\ncors_allowed = {ORIGIN}",
            id="config:",
        ),
        pytest.param(
            "[pipeline:main]\npipeline = cors app\n"
            f"[filter:cors]\nuse = base\n[filter:base]\n{CORS}",
            id="another section",
        ),
        pytest.param(
            f"[DEFAULT]\ncors_allowed = {ORIGIN}\n"
            "[pipeline:main]\npipeline = egg:wsgi_mw_paste#cors app",
            id="inline egg:",
        ),
        pytest.param(
            f"[pipeline:main]\npipeline = config:other.ini#shared app\nset cors_allowed = {ORIGIN}",
            id="inline config:",
        ),
        pytest.param(
            "[app:main]\nuse = app\nfilter-with = cors\n" + f"[filter:cors]\n{CORS}",
            id="filter-with on an app",
        ),
        pytest.param(
            "[composite:main]\nuse = both\nfilter-with = cors\n" + f"[filter:cors]\n{CORS}",
            id="filter-with on a composite",
        ),
        pytest.param(f"[filter-app:main]\nnext = app\n{CORS}", id="filter-app"),
        pytest.param(
            "[composite:main]\npaste.composite_factory = tests.ini:make_urlmap\n/ = pipe\n"
            f"[pipeline:pipe]\npipeline = cors app\n[filter:cors]\n{CORS}",
            id="below a composite",
        ),
        pytest.param(
            f"[pipeline:main]\npipeline = cors both\n[filter:cors]\n{CORS}",
            id="around a composite",
        ),
    ],
)
def test_a_filter_works_wherever_paste_deploy_takes_one(text: str) -> None:
    """The answer is the same in every way of writing it down."""
    write_ini("[filter:shared]\nuse = egg:wsgi_mw_paste#cors\n", "other.ini")
    answer = get(load(text), {"Origin": ORIGIN})
    assert (answer.status, answer.body) == ("200 OK", b"/")
    assert_headers(
        answer,
        {"Content-Type": "text/plain", "Access-Control-Allow-Origin": ORIGIN, "Vary": "Origin"},
    )


def test_filter_with_on_a_filter_puts_the_named_one_outside() -> None:
    """The id of ``request_id`` is on the refusal that ``cors`` answers with, and on a 500."""
    application = load(
        """
        [app:main]
        use = app
        filter-with = errors
        [filter:errors]
        use = egg:wsgi_mw_paste#errors
        filter-with = cors
        [filter:cors]
        use = egg:wsgi_mw_paste#cors
        cors_allowed = https://other.example
        filter-with = request_id
        [filter:request_id]
        use = egg:wsgi_mw_paste#request_id
        log_tokens = false
        """
    )
    refused = get(application, PREFLIGHT | ID, method="OPTIONS")
    assert (refused.code, refused.header("X-Request-Id")) == (403, "an-id")
    failed = get(application, ID, path="/raise")
    assert (failed.code, failed.values("Vary")) == (500, ["Origin"])
    assert failed.header("X-Request-Id") == "an-id"


# Several at once.

TWO = """
[composite:main]
paste.composite_factory = tests.ini:make_urlmap
/public = public
/admin = admin
/both = admin_in_public
[pipeline:public]
pipeline = id_a cors_public app
[pipeline:admin]
pipeline = id_b cors_admin app
[pipeline:admin_in_public]
pipeline = cors_public id_b app
[filter:cors_public]
use = egg:wsgi_mw_paste#cors
cors_allowed = *
[filter:cors_admin]
use = egg:wsgi_mw_paste#cors
cors_allowed = https://admin.example
cors_allow_credentials = true
[filter:id_a]
use = egg:wsgi_mw_paste#request_id
request_id_header = X-A
log_requests = false
[filter:id_b]
use = egg:wsgi_mw_paste#request_id
request_id_header = X-B
log_requests = false
"""


def test_instances_in_one_file_share_nothing() -> None:
    """Each instance has its own options, also where one is used in two pipelines."""
    application = load(TWO)
    sent = {"Origin": "https://admin.example", "X-A": "a", "X-B": "b"}
    plain = {"Content-Type": "text/plain"}
    anybody = {"Access-Control-Allow-Origin": "*"}
    admin = {
        "Access-Control-Allow-Origin": "https://admin.example",
        "Access-Control-Allow-Credentials": "true",
        "Vary": "Origin",
    }
    for _ in range(2):
        answer = get(application, sent, path="/public")
        assert_headers(answer, {**plain, **anybody, "X-A": "a"})
        assert_headers(get(application, sent, path="/admin"), {**plain, **admin, "X-B": "b"})
        assert_headers(get(application, sent, path="/both"), {**plain, **anybody, "X-B": "b"})


def test_loading_a_file_again_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two applications of one file, loaded in different surroundings, keep them apart."""
    ini = write("[pipeline:main]\npipeline = egg:wsgi_mw_paste#cors app")
    one = load_file(ini, cors_allowed="https://one.example")
    monkeypatch.setenv("CORS_ALLOWED", "https://two.example")
    two = load_file(ini)
    origins = ("https://one.example", "https://two.example")
    allowed = [
        [get(app, {"Origin": origin}).header("Access-Control-Allow-Origin") for origin in origins]
        for app in (one, two)
    ]
    assert allowed == [["https://one.example", None], [None, "https://two.example"]]


def test_one_filter_may_be_applied_to_several_applications() -> None:
    """The settings are read once, by the factory; each application gets a middleware."""
    wrap = factories.main({}, cors_allowed=ORIGIN, request_id_header="X-Id", log_requests="false")
    names = []

    def named(name: str) -> WSGIApplication:
        def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
            names.append((name, environ["HTTP_X_ID"]))
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [name.encode()]

        return wrap(validator(application))

    one, two = named("one"), named("two")
    assert one is not two
    for name, app in (("one", one), ("two", two), ("one", one)):
        assert get(app, {"X-Id": f"for-{name}"}).body == name.encode()
    assert names == [("one", "for-one"), ("two", "for-two"), ("one", "for-one")]


@pytest.mark.parametrize("name", factories.FACTORIES)
def test_a_factory_leaves_the_global_values_alone(name: str) -> None:
    """Inline filters get one dict for all of them."""
    factory = getattr(factories, name)
    factory(MappingProxyType({"here": "x", "cors_max_age": "5", "log_tokens": "false"}))(app)


def test_inline_filters_share_their_global_values_unharmed() -> None:
    """What PasteDeploy hands to all of them is what it was before."""
    names = " ".join(f"egg:wsgi_mw_paste#{name}" for name in factories.FACTORIES)
    ini = write(
        f"[DEFAULT]\ncors_max_age = 5\n[pipeline:main]\npipeline = {names} app\n"
        f"set log_tokens = false"
    )
    context = loadcontext(APP, f"config:{ini}", name="main")
    shared = [inner.global_conf for inner in context.filter_contexts]
    before = [dict(conf) for conf in shared]
    assert all(conf is shared[0] for conf in shared)
    assert get(context.create()).body == b"/"
    assert shared == before
    assert before[0] == {
        "here": str(ini.parent),
        "__file__": str(ini),
        "cors_max_age": "5",
        "log_tokens": "false",
    }


# The one filter for all.

BY_HAND = f"""
[pipeline:main]
pipeline = request_id cors errors app
[filter:request_id]
use = egg:wsgi_mw_paste#request_id
log_tokens = fingerprint
[filter:cors]
use = egg:wsgi_mw_paste#cors
cors_allowed = {ORIGIN}
cors_expose_headers = X-Request-Id
[filter:errors]
use = egg:wsgi_mw_paste#errors
"""
ALL = f"""
[pipeline:main]
pipeline = all app
[filter:all]
use = egg:wsgi_mw_paste
cors_allowed = {ORIGIN}
cors_expose_headers = X-Request-Id
log_tokens = fingerprint
"""


@pytest.mark.parametrize(
    ("method", "path", "headers", "code"),
    [
        pytest.param("GET", "/", {}, 200, id="not CORS"),
        pytest.param("GET", "/", {"Origin": ORIGIN}, 200, id="allowed"),
        pytest.param("GET", "/", {"Origin": "https://b.example"}, 200, id="refused"),
        pytest.param("OPTIONS", "/", PREFLIGHT, 200, id="preflight"),
        pytest.param("OPTIONS", "/", {**PREFLIGHT, "Origin": "null"}, 403, id="refused preflight"),
        pytest.param("GET", "/raise", {"Origin": ORIGIN}, 500, id="raises"),
        pytest.param(
            "GET",
            "/raise",
            {"Origin": ORIGIN, "Accept": "application/json"},
            500,
            id="raises to a JSON client",
        ),
    ],
)
def test_main_is_request_id_around_cors_around_errors(
    method: str, path: str, headers: dict[str, str], code: int, caplog: pytest.LogCaptureFixture
) -> None:
    """It answers and logs what the three filters by hand answer and log."""
    caplog.set_level("INFO")
    applications = load(BY_HAND), load(ALL)
    answers, records = [], []
    for application in applications:
        caplog.clear()
        answers.append(get(application, headers | ID, method=method, path=path))
        records.append([(record.name, record.levelname) for record in caplog.records])
    by_hand, by_main = answers
    assert by_main == by_hand
    assert records[1] == records[0]
    assert (by_main.code, by_main.header("X-Request-Id")) == (code, "an-id")


# Mistakes.


@pytest.mark.parametrize(
    ("entry_point", "section", "line"),
    [
        pytest.param(
            "cors",
            "cors_alowed = *",
            "cors_alowed: unknown option; did you mean cors_allowed?",
            id="cors",
        ),
        pytest.param(
            "request_id",
            "request_id_header = X:Id",
            "request_id_header = 'X:Id': expected a header name",
            id="request_id",
        ),
        pytest.param(
            "errors", "debug = true", "debug: unknown option; errors takes none", id="errors"
        ),
        pytest.param(
            "main",
            "log_requests = maybe",
            "log_requests = 'maybe': expected true or false",
            id="main",
        ),
    ],
)
def test_loadapp_fails_with_file_section_and_option(
    entry_point: str, section: str, line: str
) -> None:
    """The error comes out of ``loadapp`` as it is, before any server listens."""
    ini = write(
        f"[pipeline:main]\npipeline = broken app\n"
        f"[filter:broken]\nuse = egg:wsgi_mw_paste#{entry_point}\n{section}"
    )
    with pytest.raises(ConfigurationError) as caught:
        load_file(ini)
    assert str(caught.value) == f"1 problem:\n{ini} [filter:broken] {line}"


@pytest.mark.parametrize(
    "key",
    ["global_conf", "local_conf", "self", "name", "app", "filter_name", "class", "a b"],
)
@pytest.mark.parametrize("entry_point", ["main", "errors"])
def test_no_name_of_an_option_crashes_a_factory(entry_point: str, key: str) -> None:
    """Also the names of arguments are reported as what they are: unknown options."""
    ini = write(f"[filter-app:main]\nnext = app\nuse = egg:wsgi_mw_paste#{entry_point}\n{key} = x")
    [line] = lines_of(lambda: load_file(ini))
    assert line.startswith(f"{ini} [filter-app:main] {key}: unknown option; {entry_point} takes ")


@pytest.mark.parametrize("name", factories.FACTORIES)
def test_a_filter_hands_out_a_method(name: str) -> None:
    """Of an instance, Python would look up ``__call__`` in its type at every request."""
    app = getattr(factories, name)({})(hello)
    assert inspect.ismethod(app)
    assert app.__name__ == "__call__"
