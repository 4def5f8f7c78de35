"""What docs/pipelines.md says of PasteDeploy and Pyramid is so."""

from __future__ import annotations

from pathlib import Path

import pytest
from paste.deploy import loadapp
from pyramid.paster import get_app, get_appsettings

from tests.docs.pages import completed, write_files
from tests.wsgi import call, make_environ
from wsgi_mw_paste.command.check import check

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
