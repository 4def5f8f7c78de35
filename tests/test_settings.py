"""Options: the places they may come from, and every mistake in them, reported at once."""

from __future__ import annotations

import copy
import dataclasses
import logging
import os
import pickle
import subprocess
import sys
import traceback
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import VARIABLES
from tests.ini import lines_of, read_section, write_ini
from tests.wsgi import between_validators, call, hello, make_environ
from wsgi_mw_paste import (
    ConfigurationError,
    CORSMiddleware,
    CORSSettings,
    Problem,
    RequestIdMiddleware,
    RequestIdSettings,
)
from wsgi_mw_paste._ini import Source
from wsgi_mw_paste._loading import load
from wsgi_mw_paste.factories import FACTORIES, cors, errors, main, request_id
from wsgi_mw_paste.settings import Settings, option, options, reference, resolve
from wsgi_mw_paste.values import boolean, number, secret, words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from _typeshed.wsgi import WSGIApplication

SECRET = "correct-horse-battery"
A_NUMBER = "expected a number of seconds from 0 to 86400"
A_BOOLEAN = "expected true or false"
A_HEADER = "expected a header name"
A_KEY = "expected a key as text, without a ; or # comment behind it"
A_FILE = "expected the path of a readable text file"
NO_COMMENT = "expected no ; or # comment behind the value; give it its own line"


def write_cors(section: str = "", default: str = "") -> Path:
    """Write an INI file with a ``[DEFAULT]`` and a ``[filter:cors]`` of ours."""
    return write_ini(
        f"[DEFAULT]\n{default}\n[filter:cors]\nuse = egg:wsgi_mw_paste#cors\n{section}\n"
    )


# Precedence.

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


def test_an_option_that_nobody_sets_has_its_default_and_no_source() -> None:
    """Without any level the defaults of the declaration are in force."""
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
    assert [type(each.settings) for each in loaded] == [CORSSettings, RequestIdSettings]
    assert [{name: str(source) for name, source in each.sources.items()} for each in loaded] == [
        {
            "cors_allowed": f"{ini} [filter:main] cors_allowed",
            "cors_max_age": f"{ini} [DEFAULT] cors_max_age",
        },
        {
            "log_tokens": f"{ini} [filter:main] log_tokens",
            "log_tokens_key": "environment LOG_TOKENS_KEY",
        },
    ]
    assert [each.settings.given for each in loaded] == [set(each.sources) for each in loaded]


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


# Spelling.


@pytest.mark.parametrize(
    ("section", "default", "command_line", "expected"),
    [
        pytest.param(
            "cors_max_age = 1\nCORS_MAX_AGE = 1",
            "",
            {},
            "{ini} [filter:cors] cors_max_age: also set as {ini} [filter:cors] CORS_MAX_AGE",
            id="section",
        ),
        pytest.param(
            "CORS_MAX_AGE = 1",
            "cors_max_age = 2",
            {},
            "{ini} [filter:cors] CORS_MAX_AGE: also set as {ini} [DEFAULT] cors_max_age",
            id="section and [DEFAULT]",
        ),
        pytest.param(
            "cors_max_age = 1\nset CORS_MAX_AGE = 2",
            "",
            {},
            "{ini} [filter:cors] cors_max_age: also set as {ini} [filter:cors] set CORS_MAX_AGE",
            id="section and set",
        ),
        pytest.param(
            "cors_max_age = 1",
            "",
            {"CORS_MAX_AGE": "2"},
            "{ini} [filter:cors] cors_max_age: also set as command line CORS_MAX_AGE",
            id="section and command line",
        ),
        pytest.param(
            "",
            "cors_max_age = 1\nCORS_MAX_AGE = 1",
            {},
            "{ini} [DEFAULT] cors_max_age: also set as {ini} [DEFAULT] CORS_MAX_AGE",
            id="[DEFAULT]",
        ),
        pytest.param(
            "",
            "cors_max_age = 1",
            {"CORS_MAX_AGE": "2"},
            "{ini} [DEFAULT] cors_max_age: also set as command line CORS_MAX_AGE",
            id="[DEFAULT] and command line",
        ),
    ],
)
def test_two_spellings_of_one_option_are_an_error(
    section: str, default: str, command_line: dict[str, str], expected: str
) -> None:
    """Which of the two was meant is anybody's guess, so one has to go."""
    ini = write_cors(section, default)
    lines = lines_of(lambda: read_section(ini, "cors", **command_line))
    assert lines == [expected.format(ini=ini) + "; keep only one"]


@pytest.mark.parametrize(
    ("section", "default", "command_line", "source"),
    [
        pytest.param("Cors_Max_Age = 1", "", {}, "{ini} [filter:cors]", id="section"),
        pytest.param("set Cors_Max_Age = 1", "", {}, "{ini} [filter:cors] set", id="set"),
        pytest.param("", "Cors_Max_Age = 1", {}, "{ini} [DEFAULT]", id="[DEFAULT]"),
        pytest.param("", "", {"Cors_Max_Age": "1"}, "command line", id="command line"),
    ],
)
def test_a_mixture_of_cases_is_an_error(
    section: str, default: str, command_line: dict[str, str], source: str
) -> None:
    """An option is spelled in lower or in upper case, at every level of the INI."""
    ini = write_cors(section, default)
    assert lines_of(lambda: read_section(ini, "cors", **command_line)) == [
        (
            f"{source.format(ini=ini)} Cors_Max_Age:"
            " expected one case throughout; write cors_max_age or CORS_MAX_AGE"
        )
    ]


def test_three_spellings_are_all_named() -> None:
    """The message leads to every place that has to change."""
    ini = write_cors("CORS_MAX_AGE = 1\nCors_Max_Age = 2", "cors_max_age = 3")
    assert lines_of(lambda: read_section(ini, "cors")) == [
        (
            f"{ini} [filter:cors] Cors_Max_Age:"
            " expected one case throughout; write cors_max_age or CORS_MAX_AGE"
        ),
        (
            f"{ini} [filter:cors] CORS_MAX_AGE: also set as {ini} [filter:cors] Cors_Max_Age"
            f" and as {ini} [DEFAULT] cors_max_age; keep only one"
        ),
    ]


CORS_OPTIONS = ", ".join(options(CORSSettings))


@pytest.mark.parametrize(
    ("factory", "key", "reason"),
    [
        pytest.param(
            cors, "cors_alowed", "unknown option; did you mean cors_allowed?", id="misspelled"
        ),
        pytest.param(
            cors, "CORS_ALOWED", "unknown option; did you mean cors_allowed?", id="upper case"
        ),
        pytest.param(
            main, "request_id_headers", "unknown option; did you mean request_id_header?", id="main"
        ),
        pytest.param(
            cors, "timeout", f"unknown option; cors takes {CORS_OPTIONS}", id="nothing like it"
        ),
        pytest.param(errors, "timeout", "unknown option; errors takes none", id="takes none"),
        pytest.param(
            cors,
            "log_tokens",
            "belongs to the filter request_id, not cors; move it to that section",
            id="of request_id",
        ),
        pytest.param(
            request_id,
            "CORS_ALLOWED",
            "belongs to the filter cors, not request_id; move it to that section",
            id="of cors",
        ),
        pytest.param(
            errors,
            "log_requests",
            "belongs to the filter request_id, not errors; move it to that section",
            id="in errors",
        ),
        pytest.param(
            request_id,
            "log_tokens_keyfile",
            "unknown option; did you mean log_tokens_key_file?",
            id="the file of a secret",
        ),
        pytest.param(cors, "_cors", f"unknown option; cors takes {CORS_OPTIONS}", id="_single"),
    ],
)
def test_an_unknown_option_is_an_error_that_leads_to_a_known_one(
    factory: Callable[..., object], key: str, reason: str
) -> None:
    """The value is not repeated: it may be a secret under a misspelled name."""
    with pytest.raises(ConfigurationError) as caught:
        factory({}, **{key: SECRET})
    assert caught.value.problems == (Problem(key, None, Source("local_conf", key=key), reason),)


@pytest.mark.parametrize("factory", [main, cors, request_id, errors])
def test_what_loaders_add_is_no_unknown_option(factory: Callable[..., object]) -> None:
    """``__dunder__`` keys pass, and global values that are not ours are nobody's business."""
    factory({"timeout": "1", "__script__": "x"}, __name__="cors", __file__="x")


# Values.


OPTIONS_AND_EMPTY_TEXT = [
    pytest.param(CORSSettings, "cors_allowed", None, id="cors_allowed"),
    pytest.param(CORSSettings, "cors_allow_methods", None, id="cors_allow_methods"),
    pytest.param(CORSSettings, "cors_expose_headers", None, id="cors_expose_headers"),
    pytest.param(CORSSettings, "cors_allow_credentials", A_BOOLEAN, id="boolean"),
    pytest.param(CORSSettings, "cors_max_age", A_NUMBER, id="number"),
    pytest.param(RequestIdSettings, "request_id_header", A_HEADER, id="header"),
    pytest.param(RequestIdSettings, "log_exclude_paths", None, id="log_exclude_paths"),
    pytest.param(
        RequestIdSettings, "log_tokens", "expected true, fingerprint or false", id="log_tokens"
    ),
    pytest.param(RequestIdSettings, "log_tokens_key", None, id="log_tokens_key"),
]


@pytest.mark.parametrize(("cls", "name", "reason"), OPTIONS_AND_EMPTY_TEXT)
def test_an_empty_value_in_a_section_is_a_value_for_lists_and_the_key_only(
    cls: type[Settings], name: str, reason: str | None
) -> None:
    """It counts as set and hides what other levels say; for any other option it is an error."""
    if reason is None:
        [(settings, sources, _)] = load([cls], {}, {name: ""})
        assert not getattr(settings, name)
        assert {key: str(value) for key, value in sources.items()} == {name: f"local_conf {name}"}
    else:
        lines = lines_of(lambda: load([cls], {}, {name: ""}))
        assert lines == [f"local_conf {name} = '': {reason}"]


@pytest.mark.parametrize("text", ["", "  "], ids=["empty", "whitespace"])
@pytest.mark.parametrize("level", ["environment", ".env"])
@pytest.mark.parametrize(("cls", "name"), [each.values[:2] for each in OPTIONS_AND_EMPTY_TEXT])
def test_an_empty_variable_is_a_value_for_lists_only(
    cls: type[Settings], name: str, level: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Container tools produce ``NAME=`` for all that is undefined, so elsewhere it is not set."""
    if level == "environment":
        monkeypatch.setenv(name.upper(), text)
    else:
        Path(".env").write_text(f"{name.upper()}='{text}'\n", encoding="utf-8")
    [(settings, sources, _)] = load([cls], {}, {})
    declared = options(cls)[name]
    assert getattr(settings, name) == (() if declared.is_list else declared.default)
    assert [source.level for source in sources.values()] == ([level] if declared.is_list else [])


@pytest.mark.parametrize(
    ("factory", "name", "value", "reason"),
    [
        pytest.param(cors, "cors_allowed", "https://a.example ; x", NO_COMMENT, id="origins"),
        pytest.param(cors, "cors_allow_headers", "X-A # note", NO_COMMENT, id="headers"),
        pytest.param(cors, "cors_allow_methods", "PUT ; note", NO_COMMENT, id="methods"),
        pytest.param(cors, "cors_allow_credentials", "true ; x", A_BOOLEAN, id="boolean"),
        pytest.param(cors, "cors_max_age", "600 # s", A_NUMBER, id="number"),
        pytest.param(request_id, "request_id_header", "X-Id ; x", A_HEADER, id="header"),
        pytest.param(request_id, "log_exclude_paths", "/health # x", NO_COMMENT, id="paths"),
        pytest.param(
            request_id,
            "log_tokens",
            "false ; x",
            "expected true, fingerprint or false",
            id="log_tokens",
        ),
    ],
)
def test_a_comment_behind_a_value_is_an_error(
    factory: Callable[..., object], name: str, value: str, reason: str
) -> None:
    """INI files have comments on lines of their own; behind a value it is part of the value."""
    lines = lines_of(lambda: factory({}, **{name: value}))
    assert lines == [f"local_conf {name} = {value!r}: {reason}"]


def test_the_message_is_the_documented_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line per problem: where, what, and what was expected."""
    monkeypatch.setenv("CORS_MAX_AGE", "5 minutes")
    ini = write_cors("cors_alowed = https://a.example")
    with pytest.raises(ConfigurationError) as caught:
        read_section(ini, "cors")
    assert str(caught.value) == (
        "2 problems:\n"
        f"{ini} [filter:cors] cors_alowed: unknown option; did you mean cors_allowed?\n"
        "environment CORS_MAX_AGE = '5 minutes': expected a number of seconds from 0 to 86400"
    )
    assert caught.value.problems == (
        Problem(
            "cors_alowed",
            None,
            Source("section", str(ini), ("filter:cors",), "cors_alowed"),
            "unknown option; did you mean cors_allowed?",
        ),
        Problem(
            "cors_max_age",
            "5 minutes",
            Source("environment", key="CORS_MAX_AGE"),
            "expected a number of seconds from 0 to 86400",
        ),
    )


def test_all_problems_are_reported_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Names, hidden values, values and conflicts, of both settings classes and all levels."""
    monkeypatch.setenv("LOG_REQUESTS", "maybe")
    Path(".env").write_text("REQUEST_ID_TRUST=perhaps\n", encoding="utf-8")
    ini = write_ini(
        """
        [DEFAULT]
        cors_allow_methods = GET
        request_id_max_length = 9999
        [filter:main]
        use = egg:wsgi_mw_paste
        timeot = 3
        Log_Exclude_Paths = /health
        cors_allow_methods = PUT
        cors_allow_credentials = yes
        cors_expose_headers = X:, *, Set-Cookie
        log_tokens = hash
        """
    )
    lines = lines_of(lambda: read_section(ini, "main", cors_max_age="soon"))
    known = ", ".join([*options(CORSSettings), *options(RequestIdSettings)])
    with pytest.raises(ConfigurationError) as conflict:
        CORSSettings(cors_allow_credentials=True, cors_expose_headers=["*"])
    assert lines == [
        f"{ini} [filter:main] timeot: unknown option; main takes {known}",
        (
            f"{ini} [filter:main] Log_Exclude_Paths:"
            " expected one case throughout; write log_exclude_paths or LOG_EXCLUDE_PATHS"
        ),
        (
            f"{ini} [filter:main] cors_allow_methods = 'PUT': PasteDeploy ignores this value"
            " because [DEFAULT] also sets cors_allow_methods; write set cors_allow_methods = … here"
            " or remove it from [DEFAULT]"
        ),
        f"{ini} [filter:main] cors_expose_headers = 'X:': expected a header name",
        (
            f"{ini} [filter:main] cors_expose_headers = 'Set-Cookie':"
            " expected a header that scripts can read; browsers hide this one"
        ),
        f"command line cors_max_age = 'soon': {A_NUMBER}",
        f"{ini} [filter:main] cors_expose_headers = '*': {conflict.value.problems[0].reason}",
        f"{tmp_path}/.env REQUEST_ID_TRUST = 'perhaps': {A_BOOLEAN}",
        (
            f"{ini} [DEFAULT] request_id_max_length = '9999':"
            " expected a number of characters from 1 to 1024"
        ),
        f"environment LOG_REQUESTS = 'maybe': {A_BOOLEAN}",
        f"{ini} [filter:main] log_tokens = 'hash': expected true, fingerprint or false",
    ]


def test_a_long_value_is_cut_in_the_message() -> None:
    """Of a value 200 characters are repeated; the problem itself has all of it."""
    with pytest.raises(ConfigurationError) as caught:
        cors({}, cors_max_age="9" * 201)
    assert str(caught.value) == f"1 problem:\nlocal_conf cors_max_age = '{'9' * 200}…': {A_NUMBER}"
    assert caught.value.problems[0].text == "9" * 201
    assert lines_of(lambda: cors({}, cors_max_age="9" * 200)) == [
        f"local_conf cors_max_age = '{'9' * 200}': {A_NUMBER}"
    ]


def test_control_characters_in_a_value_are_escaped() -> None:
    """A value cannot begin a line of its own in the message."""
    lines = lines_of(lambda: cors({}, cors_max_age="1\n2\x1b[2J"))
    assert lines == [rf"local_conf cors_max_age = '1\n2\x1b[2J': {A_NUMBER}"]


def test_the_last_line_of_a_traceback_says_it_all() -> None:
    """Servers print forty lines above it; it names the class by its public path."""
    with pytest.raises(ConfigurationError) as caught:
        cors({}, cors_max_age="x")
    assert isinstance(caught.value, ValueError)
    assert "".join(traceback.format_exception_only(caught.value)) == (
        f"wsgi_mw_paste.ConfigurationError: 1 problem:\nlocal_conf cors_max_age = 'x': {A_NUMBER}\n"
    )


def test_a_configuration_error_survives_pickling() -> None:
    """A worker process can hand it to its parent."""
    error = ConfigurationError([Problem("a", "b", Source("environment", key="A"), "d")])
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 -- our own
    assert (type(again), again.problems, str(again)) == (
        ConfigurationError,
        error.problems,
        str(error),
    )


# Secrets.

BAD_SECRET = SECRET + " ; x"


@pytest.mark.parametrize(
    ("default", "section", "environment", "dotenv", "text"),
    [
        pytest.param("", f"log_tokens_key = {BAD_SECRET}", {}, "", "***", id="section"),
        pytest.param(f"log_tokens_key = {BAD_SECRET}", "", {}, "", "***", id="[DEFAULT]"),
        pytest.param("", f"set LOG_TOKENS_KEY = {BAD_SECRET}", {}, "", "***", id="set"),
        pytest.param("", "", {"LOG_TOKENS_KEY": BAD_SECRET}, "", "***", id="environment"),
        pytest.param("", "", {}, f"LOG_TOKENS_KEY='{BAD_SECRET}'", "***", id=".env"),
        pytest.param(
            "log_tokens_key = x", f"log_tokens_key = {SECRET}", {}, "", "***", id="hidden"
        ),
        pytest.param("LOG_TOKENS_KEY = x", f"log_tokens_key = {SECRET}", {}, "", None, id="twice"),
        pytest.param("", f"log_token_key = {SECRET}", {}, "", None, id="misspelled"),
        pytest.param("", f"Log_Tokens_Key = {SECRET}", {}, "", None, id="mixed case"),
        pytest.param("", "", {"LOG_TOKENS_KEY_FILE": SECRET}, "", "***", id="taken for a file"),
        pytest.param("", "", {}, f"LOG_TOKENS_KEY_FILE={SECRET}", "***", id="the same in .env"),
    ],
)
def test_no_message_repeats_a_secret(
    *,
    default: str,
    section: str,
    environment: dict[str, str],
    dotenv: str,
    text: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever is wrong with it and wherever it is, a message shows ``***`` or nothing."""
    ini = write_ini(
        f"[DEFAULT]\n{default}\n[filter:request_id]\nuse = egg:wsgi_mw_paste#request_id\n{section}"
    )
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    Path(".env").write_text(dotenv, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_section(ini, "request_id")
    assert [problem.text for problem in caught.value.problems] == [text]
    said = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert SECRET not in said


def test_the_repr_of_settings_masks_a_secret() -> None:
    """``repr`` and ``str`` show every option but a secret's value."""
    settings = RequestIdSettings(log_tokens_key=SECRET, log_tokens="fingerprint")
    assert SECRET not in repr(settings) + str(settings)
    assert "log_tokens='fingerprint', log_tokens_key='***')" in repr(settings)
    assert "log_tokens_key='')" in repr(RequestIdSettings())
    assert SECRET not in repr(load([RequestIdSettings], {}, {"log_tokens_key": SECRET}))


@pytest.mark.parametrize(
    ("environment", "dotenv", "key", "source"),
    [
        pytest.param(
            {"LOG_TOKENS_KEY_FILE": "a"}, "", "secret of a", "environment LOG_TOKENS_KEY_FILE",
            id="environment",
        ),
        pytest.param(
            {}, "LOG_TOKENS_KEY_FILE=a", "secret of a", "{here}/.env LOG_TOKENS_KEY_FILE", id=".env"
        ),
        pytest.param(
            {"LOG_TOKENS_KEY_FILE": "{here}/a"}, "", "secret of a",
            "environment LOG_TOKENS_KEY_FILE",
            id="absolute",
        ),
        pytest.param(
            {"LOG_TOKENS_KEY": "k"}, "LOG_TOKENS_KEY_FILE=a", "k", "environment LOG_TOKENS_KEY",
            id="the process's value before .env's file",
        ),
        pytest.param(
            {"LOG_TOKENS_KEY_FILE": "b"}, "LOG_TOKENS_KEY=k", "secret of b",
            "environment LOG_TOKENS_KEY_FILE",
            id="the process's file before .env's value",
        ),
        pytest.param(
            {"LOG_TOKENS_KEY_FILE": "b"}, "LOG_TOKENS_KEY_FILE=a", "secret of b",
            "environment LOG_TOKENS_KEY_FILE",
            id="the process's file before .env's file",
        ),
        pytest.param(
            {"LOG_TOKENS_KEY": ""}, "LOG_TOKENS_KEY_FILE=a", "secret of a",
            "{here}/.env LOG_TOKENS_KEY_FILE",
            id="an empty variable is not set",
        ),
    ],
)  # fmt: skip
def test_a_secret_may_be_in_a_file(
    *,
    environment: dict[str, str],
    dotenv: str,
    key: str,
    source: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """``NAME_FILE`` is a path, at both levels of the environment; whitespace is stripped."""
    Path("a").write_text("\n secret of a\r\n\n", encoding="utf-8")
    Path("b").write_text("secret of b", encoding="utf-8")
    for name, value in environment.items():
        monkeypatch.setenv(name, value.format(here=tmp_path))
    Path(".env").write_text(dotenv, encoding="utf-8")
    [(settings, sources, _)] = load([RequestIdSettings], {}, {})
    assert settings.log_tokens_key == key
    assert str(sources["log_tokens_key"]) == source.format(here=tmp_path)


LEVELS_OF_A_FILE = ["section", "environment", ".env"]


@pytest.mark.parametrize("level", LEVELS_OF_A_FILE)
@pytest.mark.parametrize(
    ("file", "reason"),
    [
        pytest.param("{here}/missing", "no such file in {here}", id="missing"),
        pytest.param("{here}/a/b/missing", "no such file in {here}", id="folders missing"),
        pytest.param("missing", "no such file in the working directory", id="relative"),
        pytest.param("{here}/empty", "the file is empty in {here}", id="empty"),
        pytest.param("{here}/blank", "the file is empty in {here}", id="whitespace"),
        pytest.param("{here}/undecodable", "expected text in UTF-8 in {here}", id="undecodable"),
        pytest.param("{here}", "expected a readable regular file in {here}", id="directory"),
        pytest.param("{here}/empty/x", "no such file in {here}", id="below a file"),
        pytest.param("{here}/fifo", "expected a readable regular file in {here}", id="FIFO"),
        pytest.param("/dev/zero", "expected a readable regular file in /dev", id="endless"),
        pytest.param(
            "{here}/long", "expected a file with at most 65536 bytes in {here}", id="too long"
        ),
        pytest.param(
            "{here}/" + "x" * 5000,
            "expected a readable regular file in {here}",
            id="too long a name",
        ),
        pytest.param("{here}/mem", "expected a readable regular file in {here}", id="unreadable"),
    ],
)
def test_a_file_of_a_secret_that_cannot_be_read_is_an_error(
    file: str, reason: str, level: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The message names the variable and a folder, not what follows: it may be the secret."""
    Path("undecodable").write_bytes(b"\xff\xfe\xff")
    Path("empty").touch()
    Path("blank").write_text(" \n", encoding="utf-8")
    Path("long").write_text("x" * 65537, encoding="utf-8")
    os.mkfifo("fifo")
    unreadable(Path("mem"))
    path, source, local_conf = file.format(here=tmp_path), "environment LOG_TOKENS_KEY_FILE", {}
    if level == "environment":
        monkeypatch.setenv("LOG_TOKENS_KEY_FILE", path)
    elif level == ".env":
        Path(".env").write_text(f"LOG_TOKENS_KEY_FILE={path}", "utf-8")
        source = f"{tmp_path}/.env LOG_TOKENS_KEY_FILE"
    else:
        local_conf = {"log_tokens_key_file": path}
        source = "local_conf log_tokens_key_file"
    assert lines_of(lambda: request_id({}, **local_conf)) == [
        f"{source} = '***': {reason.format(here=tmp_path)}"
    ]


def test_a_file_of_a_secret_may_be_as_long_as_it_says() -> None:
    """64 kB, symbolic links followed, as Kubernetes mounts secrets."""
    Path("..data").mkdir()
    Path("..data/key").write_text("x" * 65536, encoding="utf-8")
    Path("key").symlink_to("..data/key")
    [(settings, sources, _)] = load([RequestIdSettings], {}, {"LOG_TOKENS_KEY_FILE": "key"})
    assert settings.log_tokens_key == "x" * 65536
    assert sources == {"log_tokens_key": Source("local_conf", key="LOG_TOKENS_KEY_FILE")}


def test_an_empty_path_in_a_section_is_an_error() -> None:
    """There it was written on purpose; an empty variable is not set."""
    assert lines_of(lambda: request_id({}, log_tokens_key_file="")) == [
        "local_conf log_tokens_key_file: expected the path of a file"
    ]


def test_whitespace_around_a_secret_is_stripped_in_both_forms() -> None:
    """A trailing newline in the file does not make another fingerprint of it."""
    Path("key").write_text("\n a secret\n\n", encoding="utf-8")
    [(by_file, _, _)] = load([RequestIdSettings], {}, {"log_tokens_key_file": "key"})
    [(by_value, _, _)] = load([RequestIdSettings], {}, {"log_tokens_key": "a secret\n"})
    assert by_file.log_tokens_key == by_value.log_tokens_key == "a secret"


@pytest.mark.parametrize("level", [*LEVELS_OF_A_FILE, "global values"])
def test_a_secret_and_its_file_on_one_level_are_an_error(
    level: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Which of the two was meant is not known, so one has to go."""
    both = {"LOG_TOKENS_KEY": SECRET, "LOG_TOKENS_KEY_FILE": "/missing"}
    source, global_conf, local_conf = level, {}, {}
    if level == "environment":
        for name, value in both.items():
            monkeypatch.setenv(name, value)
    elif level == ".env":
        Path(".env").write_text("\n".join("=".join(item) for item in both.items()), "utf-8")
        source = f"{tmp_path}/.env"
    elif level == "section":
        local_conf, source = both, "local_conf"
    else:
        global_conf, source = both, "global_conf"
    assert lines_of(lambda: request_id(global_conf, **local_conf)) == [
        f"{source} LOG_TOKENS_KEY_FILE: also set as {source} LOG_TOKENS_KEY; keep only one"
    ]


@pytest.mark.parametrize("name", ["log_tokens_key_file", "LOG_TOKENS_KEY_FILE"])
def test_the_file_of_a_secret_hides_lower_levels(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a section it wins over the secret itself in the global values and the environment."""
    Path("key").write_text("of the section", encoding="utf-8")
    monkeypatch.setenv("LOG_TOKENS_KEY", "of the environment")
    [(settings, _, _)] = load([RequestIdSettings], {"log_tokens_key": "global"}, {name: "key"})
    assert settings.log_tokens_key == "of the section"


def test_file_means_nothing_for_an_option_that_is_no_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``CORS_ALLOWED_FILE`` is somebody else's variable, even if its file is missing."""
    names = [
        name
        for cls in (CORSSettings, RequestIdSettings)
        for name, each in options(cls).items()
        if not each.secret
    ]
    for name in names:
        monkeypatch.setenv(f"{name.upper()}_FILE", "/missing")
    loaded = load([CORSSettings, RequestIdSettings], {}, {})
    assert [each.sources for each in loaded] == [{}, {}]
    assert len(names) == 16


# The .env file.


def unreadable(path: Path) -> None:
    """Make a file that even root cannot read."""
    path.symlink_to("/proc/self/mem")


@pytest.mark.parametrize(
    ("make", "why"),
    [
        pytest.param(
            lambda path: path.write_bytes(b"CORS_MAX_AGE=\xff"),
            "'utf-8' codec can't decode byte 0xff in position 13: invalid start byte",
            id="undecodable",
        ),
        pytest.param(
            unreadable,
            "[Errno 5] Input/output error",
            id="unreadable",
            marks=pytest.mark.skipif(
                not Path("/proc/self/mem").exists() and "CI" not in os.environ,
                reason="needs the /proc of Linux",
            ),
        ),
    ],
)
def test_a_dotenv_that_cannot_be_read_is_one_error(
    make: Callable[[Path], object], why: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is reported once, with its path, and the other problems beside it."""
    make(Path(".env"))
    monkeypatch.setenv("CORS_MAX_AGE", "soon")
    with pytest.raises(ConfigurationError) as caught:
        main({}, log_requests="maybe")
    assert caught.value.problems == (
        Problem(
            ".env",
            None,
            Source(".env", f"{tmp_path}/.env"),
            f"expected a readable text file in UTF-8 ({why})",
        ),
        Problem("cors_max_age", "soon", Source("environment", key="CORS_MAX_AGE"), A_NUMBER),
        Problem("log_requests", "maybe", Source("local_conf", key="log_requests"), A_BOOLEAN),
    )


def test_a_line_of_dotenv_that_says_nothing_is_warned_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """python-dotenv skips it with a warning, one for a filter, and the other lines count."""
    Path(".env").write_text("= x\nCORS_MAX_AGE=7\nOTHER\n", encoding="utf-8")
    [(settings, sources, _)] = load([CORSSettings], {}, {})
    assert settings.cors_max_age == 7
    assert list(sources) == ["cors_max_age"]
    assert [record.getMessage() for record in caplog.records] == [
        "python-dotenv could not parse statement starting at line 1"
    ]


@pytest.mark.parametrize(
    "line", ["REQUEST_ID_TRUST: false", "REQUEST_ID_TRUST", "export REQUEST_ID_TRUST"]
)
def test_a_line_of_dotenv_without_a_value_is_an_error_for_an_option_of_ours(
    line: str, tmp_path: Path
) -> None:
    """python-dotenv would skip it, and the default would be in effect."""
    Path(".env").write_text(f"\nOTHER\n{line}\n", encoding="utf-8")
    assert lines_of(lambda: request_id({})) == [
        f"{tmp_path}/.env REQUEST_ID_TRUST: expected REQUEST_ID_TRUST=VALUE in line 3"
    ]


@pytest.mark.parametrize(
    "make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to(path)], ids=["dir", "FIFO", "loop"]
)
def test_a_dotenv_that_is_no_regular_file_is_ignored(make: Callable[[Path], object]) -> None:
    """A directory of that name is usually a virtual environment."""
    make(Path(".env"))
    [(_, sources, _)] = load([CORSSettings], {}, {})
    assert sources == {}


def test_a_working_directory_that_may_not_be_searched_has_no_dotenv(tmp_path: Path) -> None:
    """As after ``sudo -u app pserve …`` in the closed home directory of another user."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / ".env").write_text("CORS_MAX_AGE=7\n", encoding="utf-8")
    program = """
        import os, sys
        from wsgi_mw_paste import CORSSettings
        import environs
        os.chdir(sys.argv[1])
        if os.getuid() == 0:
            os.setuid(65534)
        else:
            os.chmod(".", 0)
        print(CORSSettings.from_environment().cors_max_age)
    """
    run = subprocess.run(
        [sys.executable, "-c", dedent(program), str(closed)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    assert run.stdout == "600\n"


def test_dotenv_is_read_in_the_working_directory_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither a directory above nor the one of the INI file is searched."""
    for place in (tmp_path, tmp_path / "work" / "ini"):
        place.mkdir(parents=True, exist_ok=True)
        (place / ".env").write_text("CORS_MAX_AGE=7\n", encoding="utf-8")
    ini = write_ini("[filter:cors]\nuse = egg:wsgi_mw_paste#cors\n", "work/ini/test.ini")
    monkeypatch.chdir("work")
    [(_, sources, _)] = read_section(ini, "cors")
    assert sources == {}


def test_a_working_directory_that_is_gone_has_no_dotenv(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Deployments replace the directory under a running server, which reloads all the same."""
    Path("gone").mkdir()
    monkeypatch.chdir("gone")
    (tmp_path / "gone").rmdir()
    [(_, sources, _)] = load([CORSSettings], {}, {})
    assert sources == {}


def test_the_environment_of_the_process_is_left_alone() -> None:
    """What ``.env`` says is not written into ``os.environ``."""
    Path("key").write_text(SECRET, encoding="utf-8")
    Path(".env").write_text("CORS_MAX_AGE=7\nLOG_TOKENS_KEY_FILE=key\n", encoding="utf-8")
    before = dict(os.environ)
    loaded = load([CORSSettings, RequestIdSettings], {}, {})
    assert (loaded[0].settings.cors_max_age, loaded[1].settings.log_tokens_key) == (7, SECRET)
    assert dict(os.environ) == before


def test_the_environment_is_read_anew_by_every_factory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered from one call to the next."""
    ages = []
    for age in ("1", "2"):
        Path(".env").write_text(f"CORS_MAX_AGE={age}\n", encoding="utf-8")
        ages.append(load([CORSSettings], {}, {})[0].settings.cors_max_age)
    monkeypatch.setenv("CORS_MAX_AGE", "3")
    ages.append(load([CORSSettings], {}, {})[0].settings.cors_max_age)
    assert ages == [1, 2, 3]


def test_importing_reads_no_environment(tmp_path: Path) -> None:
    """No variable of ours is looked at before a factory or a constructor runs, and no .env."""
    Path(".env").write_text("CORS_MAX_AGE=broken\n", encoding="utf-8")
    program = """
        import os, sys

        class Recorder(dict):
            def __getitem__(self, name):
                seen.append(name)
                return super().__getitem__(name)

            def get(self, name, default=None):
                seen.append(name)
                return super().get(name, default)

            def __contains__(self, name):
                seen.append(name)
                return super().__contains__(name)

        def opened(event, arguments):
            if event == "open":
                seen.append(os.path.basename(str(arguments[0])))

        seen = []
        os.environ = Recorder(os.environ)
        sys.addaudithook(opened)
        import wsgi_mw_paste.factories
        print(*sorted(set(seen) & {*sys.argv[1:], ".env"}), "imported")
        try:
            wsgi_mw_paste.factories.cors({})
        except ValueError:
            print(*sorted(set(seen) & {*sys.argv[1:], ".env"}))
    """
    run = subprocess.run(
        [sys.executable, "-c", dedent(program), *VARIABLES],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    before, after = run.stdout.splitlines()
    assert before == "imported"
    assert after.split() == sorted([".env", *(name.upper() for name in options(CORSSettings))])


# From Python.


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param(
            "X-Request-Id",
            "settings must be a RequestIdSettings, not str:"
            " write RequestIdSettings(request_id_header=…)",
            id="the header name that 0.1.6 took",
        ),
        pytest.param(
            CORSSettings(),
            "settings must be a RequestIdSettings, not CORSSettings:"
            " write RequestIdSettings(request_id_header=…)",
            id="another filter's",
        ),
    ],
)
def test_settings_of_another_type_are_a_type_error(settings: Any, message: str) -> None:
    """The error names the settings class and its first option."""
    with pytest.raises(TypeError) as caught:
        resolve(RequestIdSettings, settings)
    assert str(caught.value) == message


def test_settings_that_are_given_are_used_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment is not looked at then."""
    monkeypatch.setenv("CORS_MAX_AGE", "broken")
    settings = CORSSettings()
    assert resolve(CORSSettings, settings) is settings


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class PumpSettings(Settings):
    """One option of each kind, and one field that is none."""

    pump_sites: Sequence[str] = dataclasses.field(
        default=("a", "b"), metadata=option(words, "where")
    )
    pump_level: int = dataclasses.field(
        default=5, metadata=option(number(0, 9, "litres"), "how *much*")
    )
    pump_on: bool = dataclasses.field(default=True, metadata=option(boolean, "whether"))
    pump_key: str = dataclasses.field(default="", metadata=option(secret, "for whom", secret=True))
    wired: bool = dataclasses.field(init=False, default=False, compare=False)


def test_a_settings_class_declares_its_options() -> None:
    """``options`` derives names, variables, defaults and help from the fields, in their order."""
    declared = options(PumpSettings)
    assert [(o.name, o.variable, o.default, o.help, o.secret) for o in declared.values()] == [
        ("pump_sites", "PUMP_SITES", ("a", "b"), "where", False),
        ("pump_level", "PUMP_LEVEL", 5, "how *much*", False),
        ("pump_on", "PUMP_ON", True, "whether", False),
        ("pump_key", "PUMP_KEY", "", "for whom", True),
    ]
    assert list(declared) == [each.name for each in declared.values()]


def test_the_reference_is_a_table_of_the_declarations() -> None:
    """One row for each option, in order, as an INI file would spell the defaults."""
    assert reference([PumpSettings, PumpSettings]).splitlines() == [
        "| option | default | meaning |",
        "| --- | --- | --- |",
        *(
            "| `pump_sites` | `a, b` | where |",
            "| `pump_level` | `5` | how *much* |",
            "| `pump_on` | `true` | whether |",
            "| `pump_key` | empty | for whom |",
        )
        * 2,
    ]


@pytest.mark.parametrize("cls", FACTORIES["main"].settings)
def test_every_default_parses_to_itself_and_fits_the_table(cls: type[Settings]) -> None:
    """The defaults pass their own parsers, also as the table shows them; no cell is torn."""
    for each in options(cls).values():
        assert each.parse(each.default) == each.default
        assert each.parse(each.show(each.default)) == each.default
        assert "|" not in each.help
        assert "\n" not in each.help


def test_settings_take_text_and_ready_values() -> None:
    """Both go through the same parser, so they are equal, and have equal hashes."""
    text = PumpSettings(pump_sites="x, y", pump_level="7", pump_on="off", pump_key=SECRET)  # type: ignore[arg-type]
    ready = PumpSettings(pump_sites=["x", "y"], pump_level=7, pump_on=False, pump_key=SECRET)
    assert text == ready
    assert hash(text) == hash(ready)
    assert repr(text) == (
        "PumpSettings(pump_sites='x, y', pump_level='7', pump_on='false', pump_key='***')"
    )


def test_settings_from_python_report_their_problems_by_field() -> None:
    """The source is the settings class, since there is no file; ready values are shown as text."""
    lines = lines_of(
        lambda: PumpSettings(pump_sites=["a", 1], pump_level=True, pump_on=1, pump_key=b"x")  # type: ignore[list-item, arg-type]
    )
    assert lines == [
        (
            "PumpSettings pump_sites = 'a, 1':"
            " expected a list of words, separated by commas or whitespace"
        ),
        "PumpSettings pump_level = 'true': expected a number of litres from 0 to 9",
        f"PumpSettings pump_on = '1': {A_BOOLEAN}",
        f"PumpSettings pump_key = '***': {A_KEY}",
    ]


def test_settings_know_what_was_given() -> None:
    """An option set to its default was chosen all the same; the start-up warning asks for that."""
    assert PumpSettings().given == frozenset()
    assert PumpSettings(pump_on=True, pump_level="5").given == {"pump_on", "pump_level"}  # type: ignore[arg-type]
    assert PumpSettings() == PumpSettings(pump_on=True)


def test_an_option_that_does_not_exist_is_a_type_error_in_python() -> None:
    """As for every other function with keyword arguments."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'pump_of'"):
        PumpSettings(pump_of=True)  # type: ignore[call-arg]


def test_settings_cannot_be_changed() -> None:
    """What a middleware was made of stays what it was."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        PumpSettings().pump_on = False  # type: ignore[misc]


@pytest.mark.parametrize(
    "duplicate",
    [
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
        pytest.param(lambda each: pickle.loads(pickle.dumps(each)), id="pickle"),  # noqa: S301
    ],
)
def test_copies_of_settings_are_equal(duplicate: Callable[[Any], Any]) -> None:
    """Copying and pickling keep the values, what was given and what was compiled."""
    settings = CORSSettings(cors_allowed="https://a.example, *.b.example", cors_max_age=600)
    again = duplicate(settings)
    assert (again, again.given) == (settings, {"cors_allowed", "cors_max_age"})
    assert [o in again.origins for o in ("https://a.example", "https://x.b.example", "null")] == [
        True,
        True,
        False,
    ]


def test_replaced_settings_are_checked_like_new_ones() -> None:
    """``dataclasses.replace`` parses and checks again, and counts everything as given."""
    settings = dataclasses.replace(CORSSettings(cors_max_age=1), cors_allowed="https://a.example")
    assert settings == CORSSettings(cors_max_age=1, cors_allowed="https://a.example")
    assert "https://a.example" in settings.origins
    assert settings.given == set(options(CORSSettings))
    assert lines_of(lambda: dataclasses.replace(settings, cors_max_age=-1)) == [
        f"CORSSettings cors_max_age = '-1': {A_NUMBER}"
    ]


def test_a_conflict_with_a_default_says_so() -> None:
    """If the offending value is nobody's, the message calls it the default."""

    @dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
    class Strict(PumpSettings):
        def conflicts(self) -> Any:
            yield self.problem("pump_level", self.pump_level, "expected less when pump_on is off")

    assert lines_of(lambda: load([Strict], {}, {"pump_on": "off"})) == [
        "default pump_level = '5': expected less when pump_on is off"
    ]


def test_loading_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Logging may not be configured yet; what there is to say is said by the middlewares."""
    caplog.set_level(logging.DEBUG)
    read_section(write_cors("cors_allowed = https://A.example/"), "cors")
    assert caplog.records == []
