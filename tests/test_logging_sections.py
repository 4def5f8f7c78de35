"""What ``check`` finds in logging sections, each time beside what ``fileConfig`` makes of them.

``cases/logging_cases.json`` has the tables. A row says what it changes in :data:`SECTIONS`
(``null`` takes a section or a key away), the finding that is expected (level, code, section and
key; of ``access`` the place alone), and texts that it contains.
"""

from __future__ import annotations

import configparser
import json
import logging
import sys
from logging.config import fileConfig
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any

import pytest

from wsgi_mw_paste._ini import IniFiles
from wsgi_mw_paste.command.logging_sections import logging_findings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgi_mw_paste.command.findings import Finding

    #: What a row changes in SECTIONS; ``None`` takes a section or a key away.
    Changes = Mapping[str, Mapping[str, str | None] | None]

pytestmark = pytest.mark.usefixtures("restored_logging")

SECTIONS: Mapping[str, Mapping[str, str]] = {
    "loggers": {"keys": "root, shop"},
    "handlers": {"keys": "console"},
    "formatters": {"keys": "generic"},
    "logger_root": {"level": "INFO", "handlers": "console"},
    "logger_shop": {"level": "DEBUG", "handlers": "", "qualname": "shop"},
    "handler_console": {
        "class": "FileHandler",
        "args": "('app.log', 'a', None, True)",
        "level": "NOTSET",
        "formatter": "generic",
    },
    "formatter_generic": {
        "class": "wsgi_mw_paste.logging.RequestIdFormatter",
        "format": "%(levelname)-5.5s [%(request_id)s] %(message)s",
    },
}
ATTACH = "wsgi_mw_paste.logging.AttachRequestIdFilter"


class OwnHandler(logging.FileHandler):
    """A handler that ``check`` knows nothing about."""


class DictHandler(dict[str, str], logging.Handler):
    """A handler whose constructor says nothing of its arguments."""


class ExitingFormatter(logging.Formatter):
    """A formatter that ends the process, for which ``check`` is no reason to end."""

    def __init__(self, *_: Any) -> None:
        super().__init__()
        sys.exit("no formatter today")


class PickyFormatter(logging.Formatter):
    """A formatter that is not made for records of others."""

    def format(self, record: logging.LogRecord) -> str:
        return str(record.__dict__["price"])


def changed(changes: Changes) -> dict[str, dict[str, str]]:
    """Return SECTIONS with these changes."""
    sections = {name: dict(keys) for name, keys in SECTIONS.items()}
    for name, keys in changes.items():
        if keys is None:
            del sections[name]
            continue
        for key, text in keys.items():
            if text is None:
                del sections[name][key]
            else:
                sections.setdefault(name, {})[key] = text
    return sections


def write(sections: Mapping[str, Mapping[str, str]]) -> str:
    """Write ``test.ini`` and return its path, as servers do."""
    path = Path("test.ini").absolute()
    text = ""
    for name, keys in sections.items():
        lines = [indent(f"{key} = {text}", " ")[1:] for key, text in keys.items()]
        text += "\n".join([f"[{name}]", *lines, "", ""])
    path.write_text(text, encoding="utf-8")
    return str(path)


def found(changes: Changes, **more: Any) -> list[Finding]:
    """Write ``test.ini`` with these changes and return what is found in it."""
    return logging_findings(IniFiles(), write(changed(changes)), **more)


def cases(table: str) -> list[Any]:
    """Return the rows of a table."""
    path = Path(__file__).with_name("cases") / "logging_cases.json"
    rows = json.loads(path.read_text(encoding="utf-8"))[table]
    return [pytest.param(row, id=row["id"]) for row in rows]


def configure(**variables: str) -> None:
    """Run ``fileConfig`` on ``test.ini`` as ``pserve`` does."""
    path = Path("test.ini").absolute()
    defaults = {"here": str(path.parent), "__file__": str(path), **variables}
    fileConfig(path, defaults, disable_existing_loggers=False)


def unsaid(case: dict[str, Any], *findings: Finding) -> list[str]:
    """Return what a row says and the findings do not."""
    said = [f"{finding.place} = {finding.value!r}: {finding.message}" for finding in findings]
    return [text for text in case["says"] if text not in "".join(said)]


def summary(finding: Finding) -> str:
    """Return level, code, section and key of a finding."""
    place = finding.place
    return f"{finding.level} {finding.code} [{place.section}] {place.key}".rstrip()


# What fileConfig fails on.


@pytest.mark.parametrize("case", cases("fails"))
def test_what_fileconfig_fails_on_is_one_error(case: dict[str, Any]) -> None:
    """The error is at the key that is wrong, and says what to write."""
    Path("raises.py").write_text("1 / 0", encoding="utf-8")
    Path("exits.py").write_text("raise SystemExit('bye')", encoding="utf-8")
    Path("imports.py").write_text("import nosuch", encoding="utf-8")
    Path("refuses.py").write_text("raise ImportError('install orjson')", encoding="utf-8")
    sys.path.insert(0, str(Path.cwd()))
    try:
        [finding] = [finding for finding in found(case["changes"]) if finding.level != "note"]
        with pytest.raises((Exception, SystemExit)):
            configure()
    finally:
        sys.path.pop(0)

    assert summary(finding) == case["expected"]
    assert unsaid(case, finding) == []


@pytest.mark.skipif(sys.version_info < (3, 12), reason="ignored before 3.12")
def test_defaults_that_do_not_evaluate_are_one_error() -> None:
    """From Python 3.12 ``fileConfig`` evaluates them."""
    [finding] = found({"formatter_generic": {"defaults": "{'request_id': }"}})
    with pytest.raises(SyntaxError):
        configure()
    assert summary(finding) == "error logging-arguments [formatter_generic] defaults"


def test_all_that_is_wrong_is_found_at_once() -> None:
    """Where ``fileConfig`` stops at the first mistake, each has its finding."""
    mistakes: Changes = {
        "loggers": {"keys": "root, shop, cart"},
        "logger_root": {"handlers": "mail"},
        "handler_console": {"args": "", "level": "all"},
        "formatter_generic": {"class": "nosuch.Formatter"},
    }

    assert [summary(finding) for finding in found(mistakes)] == [
        "error missing-code [formatter_generic] class",
        "error logging-arguments [handler_console] args",
        "error logging-level [handler_console] level",
        "error logging-name-unknown [logger_root] handlers",
        "error logging-section-missing [loggers] keys",
    ]


def test_no_name_is_suggested_among_very_many() -> None:
    """To compare them with each other would take too long."""
    names = {f"handler_file{number}": {"class": "NullHandler"} for number in range(101)}
    keys = ", ".join(name.removeprefix("handler_") for name in names)
    [finding] = found(
        {"handlers": {"keys": f"console, {keys}"}, **names, "logger_shop": {"handlers": "fiel1"}}
    )
    assert finding.message == "[handlers] keys does not list it; add it there"


def test_a_mistake_of_default_is_found_once() -> None:
    """Every logger and handler without a level of its own inherits it."""
    mistakes: Changes = {
        "DEFAULT": {"level": "loud"},
        "logger_root": {"level": None},
        "logger_shop": {"level": None},
        "handler_console": {"level": None},
    }

    assert [summary(finding) for finding in found(mistakes)] == [
        "error logging-level [DEFAULT] level"
    ]


def test_a_handler_that_is_not_installed_may_write_the_access_records() -> None:
    """What is known of the loggers is checked all the same."""
    missing: Changes = {"handler_console": {"class": "nosuch.Handler", "level": "INFO"}}
    assert [summary(finding) for finding in found(missing, access=True)] == [
        "error missing-code [handler_console] class",
    ]
    missing = {**missing, "logger_root": {"level": "WARN"}}
    assert [summary(finding) for finding in found(missing, access=True)] == [
        "error missing-code [handler_console] class",
        "warning access-log-lost [logger_root] level",
    ]


def test_arguments_are_not_repeated() -> None:
    """There may be a password in them."""
    mistakes: Changes = {
        "handler_console": {
            "class": "handlers.SMTPHandler",
            "args": "('mail', 'a@a', 'b@b', 'Help', ('user', 'hunter2'), None, 1, 2)",
        }
    }

    [finding] = found(mistakes)
    assert summary(finding) == "error logging-arguments [handler_console] args"
    assert "hunter2" not in str(finding)


# What fileConfig takes.


@pytest.mark.parametrize("case", cases("works"))
def test_what_fileconfig_takes_is_no_finding(case: dict[str, Any]) -> None:
    """What works is left alone, also where ids and access records are expected."""
    variables = case.get("variables", {})
    assert found(case["changes"], variables=variables, ids=True, access=True) == []
    configure(**variables)


def test_calls_are_compiled_and_not_made() -> None:
    """A call could open a file or a socket; what is around it is not evaluated either."""
    calls = {
        "handler_console": {
            "class": "__import__('logging').FileHandler",
            "args": "(open('opened', 'w').name,)",
            "kwargs": "dict(delay=open('opened', 'w'))",
        },
        "formatter_generic": {"defaults": "dict(x=open('opened', 'w'))"},
    }

    assert found(calls) == []
    assert not Path("opened").exists()


def test_arguments_are_not_judged_by_a_constructor_without_a_signature() -> None:
    """What a class of others takes may not be known."""
    cls = "tests.test_logging_sections.DictHandler"
    assert found({"handler_console": {"class": cls, "args": "(1, 2, 3)"}}) == []


def test_no_handler_is_made() -> None:
    """The file of a handler stays as it is."""
    assert found({}) == []
    assert not Path("app.log").exists()


def test_names_that_an_expression_binds_stay_its_own() -> None:
    """``fileConfig`` evaluates in logging's own namespace; ``check`` leaves that alone."""
    assert found({"handler_console": {"args": "((bound_by_check := 'app.log'),)"}}) == []
    assert not hasattr(logging, "bound_by_check")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="ignored before 3.12")
def test_defaults_supply_the_id_to_a_format() -> None:
    """From Python 3.12 they reach the formatter; the id stays what they say."""
    [finding] = found(
        {"formatter_generic": {"class": "logging.Formatter", "defaults": "{'request_id': '-'}"}}
    )
    assert summary(finding) == "warning request-id-missing [formatter_generic] format"
    assert "it stays empty" in finding.message


# What fileConfig ignores.


def test_sections_that_no_list_names_are_noted() -> None:
    """``fileConfig`` reads what the lists name, and nothing else."""
    more: Changes = {
        "logger_sql": {"level": "INFO", "handlers": "", "qualname": "sqlalchemy"},
        "handler_file": {"class": "nosuch.Handler"},
        "formatter_json": {"class": "nosuch.Formatter"},
        "handler_": {"class": "nosuch.Handler"},
    }
    findings = found(more)
    configure()

    assert list(map(summary, findings)) == [
        "note logging-section-unlisted [formatter_json]",
        "note logging-section-unlisted [handler_file]",
        "note logging-section-unlisted [handler_]",
        "note logging-section-unlisted [logger_sql]",
    ]
    assert findings[1].message == (
        "[handlers] keys does not list file, so fileConfig ignores this section"
    )


def test_filters_are_ignored() -> None:
    """Neither a section nor a key of filters does anything."""
    findings = found(
        {
            "filters": {"keys": "request_id"},
            "filter_request_id": {"class": "wsgi_mw_paste.logging.RequestIdFilter"},
            "logger_root": {"filters": "request_id"},
            "handler_console": {"filters": "request_id"},
        }
    )
    configure()

    assert list(map(summary, findings)) == [
        "warning logging-filters-ignored [filters]",
        "warning logging-filters-ignored [logger_root] filters",
        "warning logging-filters-ignored [handler_console] filters",
    ]
    assert findings[2].message == (
        f"fileConfig ignores filters; for the request id, list a handler of the class {ATTACH} with"
        " args = () and target = console"
    )


def test_an_attaching_handler_without_a_target_does_nothing() -> None:
    """``fileConfig`` takes it."""
    [finding] = found(
        {"handlers": {"keys": "console, rid"}, "handler_rid": {"class": ATTACH, "args": "()"}}
    )
    configure()
    assert summary(finding) == "warning attach-without-target [handler_rid]"
    assert finding.message == (
        "expected target = the handler whose records should have the request id; without it this"
        " section does nothing"
    )


def test_without_loggers_the_sections_are_not_read() -> None:
    """Servers look for ``[loggers]`` first; where records are written, that is worth a note."""
    sections: Changes = {"loggers": None, "handler_console": {"class": "nosuch.Handler"}}

    assert found(sections) == []
    [finding] = found(sections, access=True)
    assert summary(finding) == "note no-logging []"
    assert finding.message.startswith("there is no section [loggers]")


# The request id in formats and in JSON.


JSON = {"class": "pythonjsonlogger.json.JsonFormatter", "format": "%(message)s"}


@pytest.mark.parametrize("case", cases("ids"))
def test_records_without_the_request_id_are_found(case: dict[str, Any]) -> None:
    """A format that asks for it, and JSON that should have it; other text is left alone."""
    findings = found(case["changes"], ids=True)
    assert list(map(summary, findings)) == [case["expected"]] * bool(case["expected"])
    assert unsaid(case, *findings) == []


def test_json_is_left_alone_where_requests_have_no_ids() -> None:
    """Without one of our filters there is no id to miss."""
    assert found({"formatter_generic": JSON}) == []


# Whether the access records arrive.


ACCESS = {"level": "INFO", "handlers": "", "qualname": "wsgi_mw_paste.access"}


def written() -> str:
    """Run ``fileConfig``, log an access record, and return what the handlers wrote."""
    configure()
    logging.getLogger("wsgi_mw_paste.access").info("GET /")
    logging.shutdown()
    return "".join(path.read_text(encoding="utf-8") for path in Path().glob("*.log"))


@pytest.mark.parametrize("case", cases("access"))
def test_access_records_that_do_not_arrive_are_found(case: dict[str, Any]) -> None:
    """The warning is at the line that drops them; a real ``fileConfig`` drops them, too."""
    findings = [
        finding for finding in found(case["changes"], access=True) if finding.level == "warning"
    ]
    expected = [f"warning access-log-lost {case['expected']}"] * bool(case["expected"])
    assert list(map(summary, findings)) == expected
    assert unsaid(case, *findings) == []
    assert bool(written()) is not bool(expected)


def test_where_no_records_are_written_none_are_lost() -> None:
    """Without access records their logger is of no interest."""
    assert found({"logger_root": {"level": "WARN"}}) == []


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"logger_root": {"level": "WARN"}}, id="root"),
        pytest.param({"loggers": {"keys": "\nroot,\nshop"}}, id="lines"),
        pytest.param(
            {
                "loggers": {"keys": "root, access"},
                "logger_root": {"level": "WARN"},
                "logger_access": {**ACCESS, "qualname": "gunicorn.access"},
            },
            id="name-taken",
        ),
    ],
)
def test_the_lines_that_a_warning_shows_are_what_is_missing(changes: Changes) -> None:
    """Written into the file, they make the records arrive."""
    changes = {**changes, "logger_root": {"level": "WARN"}}
    [finding] = [finding for finding in found(changes, access=True) if finding.level == "warning"]
    assert not written()

    parser = configparser.ConfigParser()
    parser.read_string(finding.message.partition("\n")[2])
    write(changed({**changes, **{name: dict(parser[name]) for name in parser.sections()}}))
    assert written()


def test_levels_and_handlers_are_two_warnings() -> None:
    """Either of them alone would leave the records where they are."""
    findings = found(
        {"logger_root": {"level": "WARN"}, "handler_console": {"level": "ERROR"}}, access=True
    )
    assert list(map(summary, findings)) == [
        "warning access-log-lost [logger_root] level",
        "warning access-log-lost [handler_console] level",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"logger_root": {"level": "loud"}}, id="level"),
        pytest.param({"handler_console": {"level": "loud"}}, id="level-of-a-handler"),
        pytest.param({"handler_console": {"class": "nosuch.Handler"}}, id="class"),
        pytest.param({"logger_root": {"handlers": "console, nosuch"}}, id="handler"),
        pytest.param({"logger_shop": {"qualname": None}}, id="qualname"),
        pytest.param({"logger_root": None}, id="section"),
    ],
)
def test_what_is_wrong_is_not_taken_for_lost(changes: Changes) -> None:
    """Where a mistake leaves open what becomes of the records, the mistake is all that is said."""
    assert [finding.level for finding in found(changes, access=True)] == ["error"]
