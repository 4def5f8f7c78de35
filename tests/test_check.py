"""``check``: what it lists of a deployment, and what it finds wrong with it."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from paste.deploy import loadapp

from tests.checking import CHECK_FILES, OURS, check_ini, messages, node_of
from tests.ini import write_ini
from tests.wsgi import call
from wsgi_mw_paste.command.check import check
from wsgi_mw_paste.origins import public_suffixes

# The findings.


@pytest.mark.parametrize(
    "path", [pytest.param(path, id=path.stem) for path in sorted(CHECK_FILES.glob("*.ini"))]
)
def test_a_file_is_found_to_have_what_its_first_comment_says(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each finding is reported with its level, file, line, section and key, and no other is."""
    monkeypatch.chdir(CHECK_FILES)
    lines = path.read_text(encoding="utf-8").splitlines()
    expected = [line[2:] for line in lines if re.match("# (error|warning|note) ", line)]
    report = check(path.name)
    found = [
        f"{finding.level} {finding}".replace(f" {path.name}:", " ", 1)
        for finding in report.findings
    ]
    assert sorted(found) == sorted(expected)


def test_a_problem_of_two_filters_is_reported_once() -> None:
    """Two instances with the same bad global value make one finding."""
    report = check_ini("""
        [DEFAULT]
        cors_max_age = -1

        [pipeline:main]
        pipeline = egg:wsgi_mw_paste#cors egg:wsgi_mw_paste hello
        """)
    assert messages(report, "error") == [
        "test.ini:3 [DEFAULT] cors_max_age = '-1': expected a number of seconds from 0 to 86400"
    ]


def test_each_of_two_sections_with_the_same_mistake_is_named() -> None:
    """The same bad value in two sections makes two findings, each with its own line."""
    report = check_ini("""
        [pipeline:main]
        pipeline = one two hello

        [filter:one]
        use = egg:wsgi_mw_paste#cors
        cors_max_age = 1d

        [filter:two]
        use = egg:wsgi_mw_paste#cors
        cors_max_age = 1d
        """)
    assert [re.sub(" .*", "", text) for text in messages(report, "error")] == [
        "test.ini:7",
        "test.ini:11",
    ]


def test_a_filter_by_another_name_is_one_of_ours() -> None:
    """A factory of ours that is imported elsewhere is recognized, and its options are found."""
    report = check_ini("""
        [pipeline:main]
        pipeline = cors hello
        set cors_allow_headers = Cookie

        [filter:cors]
        paste.filter_factory = tests.checking:make_cors
        cors_max_age =
          soon
          or later
        """)
    headers, age = messages(report, "error")
    assert headers.startswith("test.ini:4 [pipeline:main] set cors_allow_headers = 'Cookie': ")
    assert age.startswith("test.ini:8 [filter:cors] cors_max_age = '\\nsoon\\nor later': ")


def test_problems_of_the_environment_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad variable, a bad line of ``.env`` and a bad argument are named as what they are."""
    monkeypatch.setenv("CORS_MAX_AGE", "soon")
    monkeypatch.setenv("METHOD", "TRACE")
    Path(".env").write_text("# ours\nexport CORS_ALLOW_METHODS=${METHOD}\n", encoding="utf-8")
    report = check_ini(
        "[pipeline:main]\npipeline = egg:wsgi_mw_paste#cors hello", cors_allow_credentials="x"
    )
    expected = "expected a method that scripts can send; browsers forbid this one"
    assert messages(report, "error") == [
        "command line cors_allow_credentials = 'x': expected true or false",
        f".env:2 CORS_ALLOW_METHODS = 'TRACE': {expected}",
        "environment CORS_MAX_AGE = 'soon': expected a number of seconds from 0 to 86400",
    ]


def test_an_unreadable_env_file_is_found() -> None:
    """A ``.env`` that cannot be read is one finding, with its path."""
    Path(".env").write_bytes(b"\xff")
    report = check_ini("[pipeline:main]\npipeline = egg:wsgi_mw_paste#cors hello")
    assert [text.split(":")[0] for text in messages(report, "error")] == [".env"]


@pytest.mark.parametrize(
    "entry", ["https://*.example.com", "*-team.example.com", "https://pr-*.example.com:*"]
)
def test_a_partial_guard_is_reported(entry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the list of public suffixes, a pattern with credentials is a warning."""
    monkeypatch.setitem(sys.modules, "publicsuffixlist", None)
    public_suffixes.cache_clear()
    report = check_ini(f"""
        [pipeline:main]
        pipeline = cors hello

        [filter:cors]
        use = egg:wsgi_mw_paste#cors
        cors_allow_credentials = true
        cors_allowed = http://localhost:* {entry}
        """)
    public_suffixes.cache_clear()
    (finding,) = messages(report, "warning")
    assert finding == (
        "test.ini:8 [filter:cors] cors_allowed: patterns over public suffixes are only partly"
        " recognized, because the list of public suffixes is not installed; install"
        " wsgi_mw_paste[origins]"
    )


def test_a_whole_guard_is_not_reported() -> None:
    """With the list of public suffixes, a pattern over a domain is nothing to report."""
    report = check_ini("""
        [pipeline:main]
        pipeline = cors hello

        [filter:cors]
        use = egg:wsgi_mw_paste#cors
        cors_allow_credentials = true
        cors_allowed = https://*.example.com
        """)
    assert report.findings == []


# What is in effect, and where it comes from.


def test_every_option_has_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the levels is told from the others, with file, section, key and line."""
    monkeypatch.setenv("CORS_ALLOW_HEADERS", "X-One")
    Path(".env").write_text("CORS_EXPOSE_HEADERS=X-Two\n", encoding="utf-8")
    report = check_ini(
        """
        [DEFAULT]
        cors_tolerate_insecure_origins = yes

        [pipeline:main]
        pipeline = cors hello
        set cors_allow_methods = PUT

        [filter:cors]
        use = basis
        CORS_ALLOWED = https://a.example
        get cors_tolerate_public_suffixes = suffixes

        [filter:basis]
        use = egg:wsgi_mw_paste#cors
        cors_allow_credentials = false
        cors_tolerate_public_suffixes = yes
        """,
        cors_max_age="60",
        suffixes="no",
    )
    assert {
        value.option: (value.text, value.place.level, str(value.place))
        for value in node_of(report, "cors").values()
    } == {
        "cors_allowed": (
            "https://a.example",
            "section",
            "test.ini:11 [filter:cors] CORS_ALLOWED",
        ),
        "cors_paths": ("", "default", "default"),
        "cors_allow_credentials": (
            "false",
            "section",
            "test.ini:16 [filter:basis] cors_allow_credentials",
        ),
        "cors_allow_methods": ("PUT", "set", "test.ini:7 [pipeline:main] set cors_allow_methods"),
        "cors_allow_headers": ("X-One", "environment", "environment CORS_ALLOW_HEADERS"),
        "cors_expose_headers": ("X-Two", ".env", ".env:1 CORS_EXPOSE_HEADERS"),
        "cors_max_age": ("60", "command line", "command line cors_max_age"),
        "cors_tolerate_insecure_origins": (
            "true",
            "[DEFAULT]",
            "test.ini:3 [DEFAULT] cors_tolerate_insecure_origins",
        ),
        "cors_tolerate_public_suffixes": (
            "false",
            "section",
            "test.ini:12 [filter:cors] cors_tolerate_public_suffixes",
        ),
    }


def test_a_secret_is_masked_in_text_and_in_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is ``***`` and appears nowhere, from a file as from a section."""
    Path("key").write_text("hunter2", encoding="utf-8")
    monkeypatch.setenv("LOG_TOKENS_KEY_FILE", "key")
    report = check_ini("""
        [pipeline:main]
        pipeline = one two hello

        [filter:one]
        use = egg:wsgi_mw_paste#request_id
        log_tokens = fingerprint

        [filter:two]
        use = egg:wsgi_mw_paste#request_id
        log_tokens = fingerprint
        log_tokens_key = hunter2
        """)
    keys = [node_of(report, name).values()[-1] for name in ("one", "two")]
    assert [(value.value, value.text, str(value.place)) for value in keys] == [
        ("***", "***", "environment LOG_TOKENS_KEY_FILE"),
        ("***", "***", "test.ini:12 [filter:two] log_tokens_key"),
    ]
    assert "hunter2" not in json.dumps(report.as_json())


def test_a_filter_that_does_not_load_has_no_options() -> None:
    """A filter that keeps the server from starting has no options in effect."""
    report = check_ini("""
        [pipeline:main]
        pipeline = cors hello

        [filter:cors]
        use = egg:wsgi_mw_paste#cors
        cors_max_age = soon
        """)
    assert node_of(report, "cors").values() == []


def test_json_has_the_pipeline_and_the_findings() -> None:
    """``as_json`` returns what its docstring says, in values that JSON has."""
    report = check_ini("""
        [pipeline:main]
        pipeline = egg:wsgi_mw_paste#request_id hello
        """)
    found = json.loads(json.dumps(report.as_json()))
    assert [finding["code"] for finding in found["findings"]] == ["tokens-verbatim", "no-logging"]
    del found["findings"][1]
    file = str(Path("test.ini").absolute())
    pipeline = {"level": "section", "file": file, "section": "pipeline:main", "key": "pipeline"}
    place = {**pipeline, "line": 3}
    options = found["pipeline"].pop("options")
    assert options[0] == {
        "option": "request_id_header",
        "value": "X-Request-Id",
        "place": {"level": "default", "file": None, "section": None, "key": None, "line": None},
    }
    assert options[4]["value"] == ["traceparent", "tracestate"]
    assert found == {
        "file": "test.ini",
        "pipeline": {
            "role": "filter",
            "name": "egg:wsgi_mw_paste#request_id",
            "filter": "request_id",
            "place": place,
            "inner": {
                "": {
                    "role": "application",
                    "name": "hello",
                    "filter": None,
                    "place": {**place, "section": "app:hello", "key": None, "line": 5},
                    "options": [],
                    "inner": {},
                }
            },
        },
        "findings": [
            {
                "level": "warning",
                "place": place,
                "message": "Bearer tokens are logged verbatim, by default; write log_tokens ="
                " fingerprint or false, or true to silence this warning",
                "value": None,
                "code": "tokens-verbatim",
            }
        ],
    }


# Every way to name a filter.


FORMS = {
    "pipeline": "[pipeline:main]\npipeline = cors hello",
    "inline": "[pipeline:main]\npipeline = egg:wsgi-mw-paste#cors hello",
    "factory": """
        [pipeline:main]
        pipeline = f hello
        [filter:f]
        paste.filter_factory = wsgi_mw_paste.factories:cors
        """,
    "call": """
        [pipeline:main]
        pipeline = f hello
        [filter:f]
        use = call:wsgi_mw_paste.factories:cors
        """,
    "filter-app": "[filter-app:main]\nuse = egg:wsgi_mw_paste#cors\nnext = hello",
    "filter-app-factory": """
        [filter-app:main]
        paste.filter_factory = wsgi_mw_paste.factories:cors
        next = hello
        """,
    "filter-app-section": "[filter-app:main]\nuse = cors\nnext = hello",
    "filter-with": "[app:main]\nuse = hello\nfilter-with = cors",
    "filter-with-on-filter": """
        [pipeline:main]
        pipeline = f hello
        [filter:f]
        paste.filter_factory = tests.checking:make_transparent
        filter-with = cors
        """,
    "config": "[pipeline:main]\npipeline = config:other.ini#cors hello",
    "config-main": "[app:main]\nuse = config:other.ini",
    "app-use-pipeline": """
        [app:main]
        use = line
        [pipeline:line]
        pipeline = cors hello
        """,
    "composite": """
        [composite:main]
        paste.composite_factory = tests.checking:make_composite
        / = line
        [pipeline:line]
        pipeline = cors hello
        [filter:transparent]
        paste.filter_factory = tests.checking:make_transparent
        """,
}


@pytest.mark.parametrize("form", [pytest.param(text, id=name) for name, text in FORMS.items()])
def test_our_filters_are_seen_wherever_pastedeploy_has_them(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A filter is found in every form that PasteDeploy loads, and with it what it is set to."""
    monkeypatch.setenv("CORS_ALLOWED", "https://a.example")
    other = write_ini("[pipeline:main]\npipeline = cors hello\n" + OURS, "other.ini")
    path = write_ini(dedent(form) + OURS)
    assert call(loadapp(f"config:{path}")).header("Vary") == "Origin"
    report = check("test.ini")
    assert report.findings == []
    assert report.node is not None
    cors = [node for route in report.node.routes() for node in route if node.kind == "cors"]
    assert [node.values()[0].text for node in cors] == ["https://a.example"]
    assert {node.place.file for node in cors} <= {str(path), str(other)}


def test_nested_filter_with_is_outermost_first() -> None:
    """``filter-with`` of a filter that ``filter-with`` names is outside of it."""
    report = check_ini("""
        [app:main]
        use = hello
        filter-with = inner

        [filter:inner]
        use = egg:wsgi_mw_paste#cors
        cors_allowed = https://a.example
        cors_expose_headers = X-Request-Id
        filter-with = outer

        [filter:outer]
        use = egg:wsgi_mw_paste#request_id
        log_tokens = false
        """)
    assert report.node is not None
    assert [[node.name for node in route] for route in report.node.routes()] == [
        ["outer", "inner", "main"]
    ]
    assert [finding.code for finding in report.findings] == ["no-logging"]


def test_a_composite_is_checked_on_every_way() -> None:
    """What a composite's values name is checked, whatever else they are."""
    report = check_ini("""
        [composite:main]
        use = call:tests.checking:make_composite
        /one = one
        /two = hello
        option = hello
        both = one hello nothing

        [pipeline:one]
        pipeline = egg:wsgi_mw_paste#errors egg:wsgi_mw_paste#cors hello
        """)
    assert report.node is not None
    assert list(report.node.inner) == ["/one", "/two", "option"]
    assert len(messages(report, "warning")) == 2


def test_a_logging_class_that_is_not_installed_may_be_a_note() -> None:
    """In a CI job that has the file and not what it logs with."""
    write_ini("""
        [app:main]
        use = hello
        [loggers]
        keys = root
        [handlers]
        keys = console
        [formatters]
        keys =
        [logger_root]
        handlers = console
        [handler_console]
        class = nosuch.Handler
        """)
    for missing_ok, level in ((False, "error"), (True, "note")):
        findings = check("test.ini", missing_ok=missing_ok).findings
        assert [f.level for f in findings if f.code == "missing-code"] == [level]


def test_the_application_is_not_called() -> None:
    """An application factory that raises is none of ``check``'s business."""
    report = check_ini("""
        [app:main]
        paste.app_factory = tests.checking:make_raising
        """)
    assert [finding.code for finding in report.findings] == ["no-filter"]
