"""What is wrong with options in an INI file: names, values, and the messages about them."""

from __future__ import annotations

import pickle
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.ini import (
    A_BOOLEAN,
    A_HEADER,
    A_NUMBER,
    NO_COMMENT,
    SECRET,
    lines_of,
    load,
    read_section,
    write_cors,
    write_ini,
)
from wsgi_mw_paste import (
    ConfigurationError,
    CORSSettings,
    Problem,
    RequestIdSettings,
)
from wsgi_mw_paste._ini import Source
from wsgi_mw_paste.factories import cors, errors, main, request_id
from wsgi_mw_paste.settings import Settings, options

if TYPE_CHECKING:
    from collections.abc import Callable


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
            " expected all lower or all upper case; write cors_max_age or CORS_MAX_AGE"
        )
    ]


def test_three_spellings_are_all_named() -> None:
    """The message leads to every place that has to change."""
    ini = write_cors("CORS_MAX_AGE = 1\nCors_Max_Age = 2", "cors_max_age = 3")
    assert lines_of(lambda: read_section(ini, "cors")) == [
        (
            f"{ini} [filter:cors] Cors_Max_Age:"
            " expected all lower or all upper case; write cors_max_age or CORS_MAX_AGE"
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
            "belongs to the filter request_id, not cors; move it to that section"
            " (use = egg:wsgi_mw_paste#request_id)",
            id="of request_id",
        ),
        pytest.param(
            request_id,
            "CORS_ALLOWED",
            "belongs to the filter cors, not request_id; move it to that section"
            " (use = egg:wsgi_mw_paste#cors)",
            id="of cors",
        ),
        pytest.param(
            errors,
            "log_requests",
            "belongs to the filter request_id, not errors; move it to that section"
            " (use = egg:wsgi_mw_paste#request_id)",
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
    """``__dunder__`` keys pass, and global values that are not ours are ignored."""
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
@pytest.mark.parametrize(("cls", "name"), [case.values[:2] for case in OPTIONS_AND_EMPTY_TEXT])
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
            " expected all lower or all upper case; write log_exclude_paths or LOG_EXCLUDE_PATHS"
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


# What people type.


@pytest.mark.parametrize(
    ("key", "ours"),
    [
        pytest.param("origin", "cors_allowed", id="wsgicors"),
        pytest.param("Free_Headers", "cors_allow_headers", id="wsgicors, in another case"),
        pytest.param("allowed_origin", "cors_allowed", id="oslo.middleware"),
        pytest.param("supports_credentials", "cors_allow_credentials", id="flask-cors"),
        pytest.param("CORS_ALLOWED_ORIGINS", "cors_allowed", id="django-cors-headers"),
        pytest.param("cors_preflight_max_age", "cors_max_age", id="the longer name"),
    ],
)
@pytest.mark.parametrize("factory", [main, cors], ids=["main", "cors"])
def test_the_options_of_other_packages_are_known(
    factory: Callable[..., object], key: str, ours: str
) -> None:
    """A message gives our name for it."""
    assert lines_of(lambda: factory({}, **{key: "x"})) == [
        f"local_conf {key}: unknown option; here it is called {ours}"
    ]


def test_an_option_of_another_package_that_a_filter_has_not_is_unknown() -> None:
    """``request_id`` has nothing that ``origin`` could stand for."""
    [line] = lines_of(lambda: request_id({}, origin="x"))
    assert line.startswith("local_conf origin: unknown option; request_id takes request_id_header,")


def test_a_continuation_line_without_whitespace_is_recognized() -> None:
    """Configparser takes the rest of a list of origins for a key called https."""
    ini = write_cors("cors_allowed = https://a.example\nhttps://b.example")
    assert lines_of(lambda: read_section(ini, "cors")) == [
        (
            f"{ini} [filter:cors] https: expected whitespace at the start of a line that continues"
            " the list above it"
        )
    ]


@pytest.mark.parametrize("section", ["filter:web", "DEFAULT"])
@pytest.mark.parametrize("word", ["log_tokens_key", "LOG_TOKENS_KEY_FILE", "log_tokens"])
def test_an_indented_option_is_recognized_and_not_shown(word: str, section: str) -> None:
    """It would continue the value above it; the text may be a secret."""
    value = f"cors_allowed = https://a.example\n    {word} = {SECRET}\n"
    text = "[filter:web]\nuse = egg:wsgi_mw_paste\n"
    ini = write_ini(text + value if section == "filter:web" else f"[DEFAULT]\n{value}{text}")
    assert lines_of(lambda: read_section(ini, "main", "web")) == [
        (
            f"{ini} [{section}] cors_allowed: the line with {word} below it is indented, so it"
            f" continues this value; remove the whitespace before {word}"
        )
    ]


def test_an_indented_line_below_an_unknown_option_is_no_problem_of_its_own() -> None:
    """The name of the option above it is."""
    known = ", ".join(options(CORSSettings))
    assert lines_of(lambda: cors({}, timeout="1\n cors_max_age = 2")) == [
        f"local_conf timeout: unknown option; cors takes {known}"
    ]


def test_a_factory_takes_ready_values() -> None:
    """As a program may give them that calls it from Python."""
    [(settings, _, _)] = load([CORSSettings], {"cors_max_age": 7}, {"cors_allow_headers": ["X-A"]})
    assert (settings.cors_max_age, settings.cors_allow_headers) == (7, ("X-A",))


@pytest.mark.parametrize(
    ("section", "default"),
    [
        pytest.param("cors_max_age = 1", "cors_max_age = 2", id="hidden"),
        pytest.param("Cors_Max_Age = 1", "", id="mixed case"),
        pytest.param("cors_max_age = 1", "CORS_MAX_AGE = 2", id="two spellings"),
        pytest.param("CORS_MAX_AGE = 1\n  cors_allowed = x", "", id="indented option below"),
        pytest.param("CORS_MAX_AGE = x", "", id="value"),
    ],
)
def test_a_problem_has_the_name_of_the_option(section: str, default: str) -> None:
    """In lower case, whatever is wrong with it and however it is spelled."""
    ini = write_cors(section, default)
    with pytest.raises(ConfigurationError) as caught:
        read_section(ini, "cors")
    assert [problem.option for problem in caught.value.problems] == ["cors_max_age"]


def test_control_characters_are_escaped_in_every_part_of_a_message() -> None:
    """In keys, files and advice, too: a terminal obeys them, and a log takes them for lines."""
    source = Source("section", "/a\x1b[2J.ini", ("filter:\n",), "cors\x07")
    problem = Problem("cors\x07", "\x00", source, "did you mean \x9b?")
    assert str(problem) == ("/a\\x1b[2J.ini [filter:\\n] cors\\x07 = '\\x00': did you mean \\x9b?")
