"""The levels an option may come from, in the order in which they win."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from paste.deploy import loadapp

from tests.ini import (
    A_BOOLEAN,
    A_NUMBER,
    ROOT,
    SECRET,
    lines_of,
    load,
    read_section,
    write_cors,
    write_ini,
)
from tests.serving import serving
from tests.wsgi import between_validators, call, hello, make_environ
from wsgi_mw_paste import (
    CORSMiddleware,
    CORSSettings,
    RequestIdMiddleware,
    RequestIdSettings,
)
from wsgi_mw_paste._ini import Source
from wsgi_mw_paste.factories import cors
from wsgi_mw_paste.settings import Hidden

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from _typeshed.wsgi import WSGIApplication


PREFLIGHT = {"Origin": "https://a.example", "Access-Control-Request-Method": "PUT"}
LEVELS = ("section", "set", "command line", "[DEFAULT]", "environment", ".env")


@pytest.mark.parametrize("key", ["cors_max_age", "CORS_MAX_AGE"])
@pytest.mark.parametrize(
    ("levels", "source"),
    [
        # The command line and [DEFAULT] would hide the section: PasteDeploy's order, not ours.
        pytest.param(
            ("section", "set", "environment", ".env"), "{ini} [filter:cors] {key}", id="section"
        ),
        pytest.param(LEVELS[1:], "{ini} [filter:cors] set {key}", id="set"),
        pytest.param(LEVELS[2:], "command line {key}", id="command line"),
        pytest.param(LEVELS[3:], "{ini} [DEFAULT] {key}", id="[DEFAULT]"),
        pytest.param(LEVELS[4:], "environment CORS_MAX_AGE", id="environment"),
        pytest.param(LEVELS[5:], "{here}/.env CORS_MAX_AGE", id=".env"),
    ],
)
def test_each_level_hides_the_next(
    levels: Sequence[str], source: str, key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Section, set, command line, [DEFAULT], environment, .env: the first that has it counts."""
    assignment = {level: f"{key} = {LEVELS.index(level)}" for level in levels}
    section = "\n".join(
        [assignment.get("section", ""), "set " + assignment["set"] if "set" in levels else ""]
    )
    ini = write_cors(section, assignment.get("[DEFAULT]", ""))
    if "environment" in levels:
        monkeypatch.setenv("CORS_MAX_AGE", str(LEVELS.index("environment")))
    Path(".env").write_text(f"CORS_MAX_AGE={LEVELS.index('.env')}\n", encoding="utf-8")
    command_line = {key: str(LEVELS.index("command line"))} if "command line" in levels else {}

    [(settings, sources, _)] = read_section(ini, "cors", **command_line)

    assert settings.cors_max_age == LEVELS.index(levels[0])
    assert list(sources) == ["cors_max_age"]
    assert sources["cors_max_age"].level == levels[0]
    assert str(sources["cors_max_age"]) == source.format(ini=ini, key=key, here=tmp_path)


def test_an_option_that_is_not_set_has_its_default_and_no_source() -> None:
    """Without any level, the defaults of the declaration are in effect."""
    [(settings, sources, _)] = read_section(write_cors(), "cors")
    assert settings == CORSSettings()
    assert settings.given == frozenset()
    assert sources == {}


def test_every_value_remembers_its_own_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values of one filter may come from different places, and ``main`` has all options."""
    ini = write_ini(
        """
        [DEFAULT]
        cors_max_age = 1
        [filter:main]
        use = egg:wsgi_mw_paste
        cors_allowed = https://a.example
        log_tokens = fingerprint
        """
    )
    monkeypatch.setenv("LOG_TOKENS_KEY", SECRET)
    loaded = read_section(ini, "main")
    assert [type(found.settings) for found in loaded] == [CORSSettings, RequestIdSettings]
    assert [{name: str(source) for name, source in found.sources.items()} for found in loaded] == [
        {
            "cors_allowed": f"{ini} [filter:main] cors_allowed",
            "cors_max_age": f"{ini} [DEFAULT] cors_max_age",
        },
        {
            "log_tokens": f"{ini} [filter:main] log_tokens",
            "log_tokens_key": "environment LOG_TOKENS_KEY",
        },
    ]
    assert [found.settings.given for found in loaded] == [set(found.sources) for found in loaded]


def test_the_section_wins_over_a_global_value_of_the_same_name() -> None:
    """A factory that gets both, as from ``use = config:``, takes the section's."""
    [(settings, sources, _)] = load([CORSSettings], {"cors_max_age": "1"}, {"cors_max_age": "2"})
    assert (settings.cors_max_age, sources["cors_max_age"].level) == (2, "local_conf")
    [(settings, sources, _)] = load([CORSSettings], {"cors_max_age": "1"}, {})
    assert (settings.cors_max_age, sources["cors_max_age"].level) == (1, "global_conf")


def test_a_variable_is_not_looked_at_if_the_ini_sets_the_option(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is broken in the environment, in .env and in a secret's file is then no problem."""
    monkeypatch.setenv("LOG_REQUESTS", "broken")
    monkeypatch.setenv("LOG_TOKENS_KEY_FILE", "/missing")
    Path(".env").write_text("LOG_TOKENS=broken\nREQUEST_ID_HEADER=\n", encoding="utf-8")
    [(settings, _, _)] = read_section(
        write_ini(
            f"""
            [DEFAULT]
            log_tokens = false
            [filter:request_id]
            use = egg:wsgi_mw_paste#request_id
            log_requests = false
            set log_tokens_key = {SECRET}
            """
        ),
        "request_id",
        request_id_header="X-Id",
    )
    assert settings == RequestIdSettings(
        log_requests=False, log_tokens=False, log_tokens_key=SECRET, request_id_header="X-Id"
    )


def test_a_middleware_without_settings_takes_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``XMiddleware(app)`` reads levels 4 and 5, in its constructor."""
    monkeypatch.setenv("CORS_ALLOWED", "https://a.example")
    Path(".env").write_text("CORS_MAX_AGE=7\n", encoding="utf-8")
    app = between_validators(CORSMiddleware, hello)
    monkeypatch.delenv("CORS_ALLOWED")
    preflight = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}
    answer = call(app, make_environ("OPTIONS", headers=preflight))
    assert answer.header("Access-Control-Allow-Origin") == "https://a.example"
    assert answer.header("Access-Control-Max-Age") == "7"


@pytest.mark.parametrize(
    ("middleware", "line"),
    [
        (CORSMiddleware, f"environment CORS_MAX_AGE = 'soon': {A_NUMBER}"),
        (RequestIdMiddleware, f"environment LOG_REQUESTS = 'maybe': {A_BOOLEAN}"),
    ],
)
def test_a_middleware_without_settings_reports_the_environment(
    middleware: Callable[[WSGIApplication], object], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake in the variables of this middleware, and only of this one, is an error."""
    monkeypatch.setenv("CORS_MAX_AGE", "soon")
    monkeypatch.setenv("LOG_REQUESTS", "maybe")
    assert lines_of(lambda: middleware(hello)) == [line]


def test_a_factory_called_without_a_file_names_its_arguments() -> None:
    """Called from Python, a factory has no file to name; its messages stay useful."""
    lines = lines_of(lambda: cors({"cors_max_age": "x"}, cors_alowed="x"))
    assert lines == [
        "local_conf cors_alowed: unknown option; did you mean cors_allowed?",
        f"global_conf cors_max_age = 'x': {A_NUMBER}",
    ]


@pytest.mark.parametrize(
    ("section", "default", "command_line", "age", "level"),
    [
        pytest.param("cors_max_age = 1\nset cors_max_age = 2", "", "", 1, "section", id="over set"),
        pytest.param("set cors_max_age = 2", "", "3", 2, "set", id="set over the command line"),
        pytest.param("cors_max_age = 1", "", "3", 3, "command line", id="which is over a section"),
        pytest.param(
            "cors_max_age = 1\nset cors_max_age = 2", "", "3", 2, "set", id="with all three, set"
        ),
        pytest.param("", "cors_max_age = 4", "3", 3, "command line", id="over [DEFAULT]"),
        pytest.param("set cors_max_age = 2", "cors_max_age = 4", "", 2, "set", id="set over it"),
    ],
)
def test_levels_win_in_the_order_that_pastedeploy_gives_them(
    section: str, default: str, command_line: str, age: int, level: str
) -> None:
    """A section's own value is dropped if its key was global when the file was opened."""
    ini = write_cors(section, default)
    variables = {"cors_max_age": command_line} if command_line else {}
    [(settings, sources, _)] = read_section(ini, "cors", **variables)
    assert (settings.cors_max_age, sources["cors_max_age"].level) == (age, level)


@pytest.mark.parametrize(
    "outer",
    [
        pytest.param("[filter:cors]\nuse = config:inner.ini#cors", id="use"),
        pytest.param("[pipeline:cors]\npipeline = config:inner.ini#cors hello", id="pipeline"),
        pytest.param(
            "[app:cors]\nuse = hello\nfilter-with = config:inner.ini#cors", id="filter-with"
        ),
    ],
)
def test_global_values_of_an_outer_file_win_over_a_section(outer: str) -> None:
    """All that is global where a file is referred to by ``config:`` is global in that file."""
    write_ini(
        "[filter:cors]\nuse = egg:wsgi_mw_paste#cors\ncors_allowed = *\ncors_max_age = 1\n",
        "inner.ini",
    )
    ages = []
    for line in ("", "set cors_max_age = 7"):
        ini = write_ini(f"[pipeline:main]\npipeline = cors hello\n{outer}\n{line}\n")
        name = "main" if "filter:" in outer else "cors"
        app = loadapp(f"config:{ini}", name=name)
        ages.append(
            call(app, make_environ("OPTIONS", headers=PREFLIGHT)).values("Access-Control-Max-Age")
        )
    assert ages == [["1"], ["7"]]


def test_a_value_that_the_command_line_hides_is_remembered() -> None:
    """It is no error, since it is how a value is overridden for once; ``check`` tells of it."""
    ini = write_cors("cors_max_age = 1")
    [loaded] = read_section(ini, "cors", cors_max_age="3")
    assert loaded.hidden == [
        Hidden(
            "cors_max_age",
            "1",
            Source("section", str(ini), ("filter:cors",), "cors_max_age"),
            Source("command line", key="cors_max_age"),
        )
    ]


def test_a_secret_that_the_command_line_hides_is_masked() -> None:
    """Neither the value nor its length is told."""
    ini = write_ini(
        f"[filter:request_id]\nuse = egg:wsgi_mw_paste#request_id\nlog_tokens_key = {SECRET}\n"
    )
    [loaded] = read_section(ini, "request_id", log_tokens_key="another secret")
    assert [hidden.text for hidden in loaded.hidden] == ["***"]


@pytest.mark.parametrize(
    ("lines", "arguments", "age"),
    [
        pytest.param("cors_max_age = 1", ["cors_max_age=3"], "3", id="command line over section"),
        pytest.param("set cors_max_age = 2", ["cors_max_age=3"], "2", id="set over command line"),
        pytest.param("cors_max_age = 1\nset cors_max_age = 2", [], "1", id="section over set"),
        pytest.param(
            "cors_max_age = 1\nset cors_max_age = 2", ["cors_max_age=3"], "2", id="all three: set"
        ),
    ],
)
def test_pserve_follows_the_same_order(
    lines: str, arguments: list[str], age: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen from a client: the max-age of a preflight's answer."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    ini = write_ini(
        f"[pipeline:main]\npipeline = cors hello\n[filter:cors]\nuse = egg:wsgi_mw_paste#cors\n"
        f"cors_allowed = *\n{lines}\n[server:main]\nuse = egg:waitress#main\n"
        "listen = 127.0.0.1:0\n"
        "[loggers]\nkeys = root\n[logger_root]\nlevel = INFO\nhandlers = console\n"
        "[handlers]\nkeys = console\n[handler_console]\nclass = StreamHandler\nargs = ()\n"
        "formatter = plain\n[formatters]\nkeys = plain\n[formatter_plain]\n"
    )
    with serving("pserve", ini, *arguments) as server:
        answer = server.request("OPTIONS", "/", PREFLIGHT)
    assert answer.values("Access-Control-Max-Age") == [age]
