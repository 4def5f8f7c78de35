"""``check`` and the code of other packages: missing, failing, or ending the process."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.checking import LOGGING, WEB, check_text, routes, said, write_module
from wsgi_mw_paste.command.cli import main

if TYPE_CHECKING:
    from wsgi_mw_paste.command.check import Report

#: Filters and factories that do not do what is expected of them.
ODD = """
import sys

def raising(global_conf, **local_conf):
    raise RuntimeError("no licence")

def leaving(global_conf, **local_conf):
    sys.exit("no licence")

def leaving_at_requests(global_conf, **local_conf):
    def leave(environ, start_response):
        sys.exit(0)
    return lambda app: leave

def raising_at_requests(global_conf, **local_conf):
    def fail(environ, start_response):
        raise RuntimeError("no user")
    return lambda app: fail

def misconfigured(global_conf, **local_conf):
    import configparser
    raise configparser.NoSectionError("theirs")

def nothing(global_conf, **local_conf):
    return None

def authenticating(global_conf, **local_conf):
    def answer(environ, start_response):
        start_response("401 Unauthorized", [("WWW-Authenticate", "Basic")])
        return [b""]
    return lambda app: answer

calls = []

def counted(global_conf, **local_conf):
    calls.append(local_conf)
    return lambda app: app

def app_factory(global_conf, **local_conf):
    raise AssertionError("check calls no application's factory")
"""
SHOP = "[app:shop]\npaste.app_factory = odd:app_factory\n" + WEB


@pytest.fixture(autouse=True)
def _odd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the modules that the deployments name."""
    write_module(monkeypatch, "odd", ODD)
    write_module(monkeypatch)


def check_filter(name: str, more: str = "") -> Report:
    """Check a pipeline of a filter of :data:`ODD`, ours and an application."""
    return check_text(
        f"[pipeline:main]\npipeline = odd web shop\n{SHOP}{LOGGING}{more}\n"
        f"[filter:odd]\npaste.filter_factory = odd:{name}\n"
    )


# Code that cannot be imported.


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "No module named 'theirs'", id="missing module"),
        pytest.param("import nosuch_dependency", "nosuch_dependency", id="missing dependency"),
        pytest.param("other = 1", "theirs", id="missing name"),
        pytest.param("raise RuntimeError('no database')", "no database", id="raises"),
        pytest.param("import sys\nsys.exit(0)", "ends the process", id="exits"),
        pytest.param("def make(:", "SyntaxError", id="syntax"),
    ],
)
@pytest.mark.parametrize("key", ["paste.filter_factory = theirs:make", "use = call:theirs:make"])
def test_what_cannot_be_imported_is_an_error_and_the_rest_is_checked(
    text: str, message: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its place; a mistake further on comes in the same run."""
    if text:
        write_module(monkeypatch, "theirs", text)
    report = check_text(
        f"[pipeline:main]\npipeline = auth bad web shop\n[filter:auth]\n{key}\n"
        f"[filter:bad]\nuse = egg:wsgi_mw_paste#health\nhealth_cache = soon\n{SHOP}"
    )
    missing, bad = report.of("error")
    assert str(missing.place) == f"x.ini:4 [filter:auth] {key.partition(' ')[0]}"
    assert message in missing.message
    assert bad.place.key == "health_cache"
    assert routes(report) == ["auth bad web shop"]


def test_missing_code_is_a_note_if_that_is_fine() -> None:
    """With ``--missing-ok``: modules, distributions, and what ``health_checks`` name."""
    text = (
        "[pipeline:main]\npipeline = probes auth egg:nosuch#x web shop\n"
        "[filter:auth]\npaste.filter_factory = nowhere:auth\n"
        "[filter:probes]\nuse = egg:wsgi_mw_paste#health\nhealth_checks = nowhere.db:ping\n"
        f"{SHOP}{LOGGING}"
    )
    expected = [
        "missing-code x.ini:4 [filter:auth] paste.filter_factory",
        "missing-code x.ini:2 [pipeline:main] pipeline",
        "missing-code x.ini:7 [filter:probes] health_checks",
    ]
    strict, lenient = check_text(text), check_text(text, missing_ok=True)
    assert said(strict, "error") == expected
    assert [line for line in said(lenient, "note") if "missing" in line] == expected
    assert said(lenient, "error", "warning") == []


def test_a_check_that_is_wrong_in_a_module_that_is_there_is_an_error_anyway() -> None:
    """A misspelt name is no missing code."""
    report = check_text(
        "[pipeline:main]\npipeline = probes shop\n[filter:probes]\n"
        f"use = egg:wsgi_mw_paste#health\nhealth_checks = odd:cuonted json\n{SHOP}",
        missing_ok=True,
    )
    assert {finding.code for finding in report.of("error")} == {"invalid-option"}


# Code that does not do what it should.


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("raising", "RuntimeError: no licence", id="raises"),
        pytest.param("leaving", "the code named here ends the process (SystemExit)", id="exits"),
        pytest.param(
            "misconfigured", "NoSectionError: No section: 'theirs'", id="raises what parsers raise"
        ),
        pytest.param("nothing", "TypeError: ", id="makes nothing"),
    ],
)
def test_a_filter_that_cannot_be_made_is_an_error_with_its_place(name: str, message: str) -> None:
    """The rest goes on: our mistake is found, too."""
    report = check_filter(name, "[filter:more]\nuse = egg:wsgi_mw_paste#cors\n")
    (error,) = report.of("error")
    assert error.code == "filter-raises"
    assert error.place.section == "filter:odd"
    assert error.message.startswith(message)
    assert "unused-filter" in [finding.code for finding in report.findings]


@pytest.mark.parametrize(
    ("name", "status"),
    [
        pytest.param("leaving_at_requests", "SystemExit: 0", id="exits"),
        pytest.param("raising_at_requests", "RuntimeError: no user", id="raises"),
        pytest.param("authenticating", "401 Unauthorized", id="answers"),
    ],
)
def test_a_filter_that_keeps_requests_from_ours_is_a_warning(name: str, status: str) -> None:
    """Whatever it does instead of passing a preflight on, ``check`` itself goes on."""
    report = check_filter(name)
    (warning,) = report.of("warning")
    assert warning.code == "answers-for-itself"
    assert f"({status} to a bare OPTIONS)" in warning.message
    assert report.status(strict=True) == 1


def test_probes_that_stop_at_authentication_are_a_warning() -> None:
    """A health filter belongs before it."""
    report = check_text(
        "[pipeline:main]\npipeline = odd probes shop\n[filter:odd]\n"
        "paste.filter_factory = odd:authenticating\n"
        f"[filter:probes]\nuse = egg:wsgi_mw_paste#health\n{SHOP}"
    )
    (warning,) = [each for each in report.of("warning") if each.code == "answers-for-itself"]
    assert "probes get no answer from probes; list probes before odd" in warning.message


@pytest.mark.parametrize(
    ("option", "codes"),
    [
        pytest.param("", {"invalid-option", "access-log-lost"}, id="by default"),
        pytest.param("log_requests = true\n", {"invalid-option"}, id="not known"),
    ],
)
def test_the_logging_sections_of_a_filter_that_does_not_load_are_checked(
    option: str, codes: set[str]
) -> None:
    """All problems come in one run, and none that may be none."""
    report = check_text(
        f"[pipeline:main]\npipeline = web shop\n{SHOP}cors_max_age = soon\n{option}"
        + LOGGING.replace("level = INFO", "level = WARN")
    )
    assert {finding.code for finding in report.findings} == codes


@pytest.mark.parametrize(
    "inside",
    [
        pytest.param("use = egg:wsgi_mw_paste#errors\n", id="errors alone"),
        pytest.param(
            "use = egg:wsgi_mw_paste#health\nhealth_cache = soon\n", id="a health filter that fails"
        ),
    ],
)
def test_a_filter_around_what_sees_no_particular_request_is_fine(inside: str) -> None:
    """There is no request that it keeps from anything."""
    report = check_text(
        "[pipeline:main]\npipeline = odd ours shop\n[filter:odd]\n"
        "paste.filter_factory = odd:authenticating\n"
        f"[filter:ours]\n{inside}{SHOP.replace('filter:web', 'app:web')}"
    )
    assert "answers-for-itself" not in {finding.code for finding in report.findings}


@pytest.mark.parametrize("check", ["leaving:ping", "leaving.sub:ping"])
def test_a_health_check_whose_module_ends_the_process_is_an_error(
    check: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not end the command, nor is it taken for missing."""
    write_module(monkeypatch, "leaving", "import sys\nsys.exit(0)\n")
    report = check_text(
        "[pipeline:main]\npipeline = probes shop\n[filter:probes]\n"
        f"use = egg:wsgi_mw_paste#health\nhealth_checks = {check}\n{SHOP}",
        missing_ok=True,
    )
    (error,) = report.of("error")
    assert (error.code, error.value) == ("invalid-option", check)


def test_no_factory_is_called_twice() -> None:
    """Not of a filter on two routes, nor of one that is named twice on the same."""
    report = check_text(
        "[composite:main]\nuse = call:shop:by_auth\n"
        f"a = odd web odd shop\nb = web odd shop\n{SHOP}{LOGGING}"
        "[filter:odd]\npaste.filter_factory = odd:counted\nkey = value\n"
    )
    assert said(report, "error") == []
    assert sys.modules["odd"].calls == [{"key": "value"}]


# What check leaves alone.


def test_nothing_is_written_and_no_handler_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that would be logged to does not come to exist."""
    before = set(logging._handlers), logging.getLogger().handlers[:]  # type: ignore[attr-defined]
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    check_filter("counted")
    files = set(Path().rglob("*"))
    report = check_filter(
        "counted",
        "[handler_file]\nclass = FileHandler\nargs = ('shop.log',)\n",
    )
    assert said(report, "error") == []
    assert set(Path().rglob("*")) == files
    assert (set(logging._handlers), logging.getLogger().handlers) == before  # type: ignore[attr-defined]


def test_no_value_of_a_secret_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong, hidden, misplaced, in a broken line, or what their filter says of it."""
    secret = "hunter2-hunter2"
    Path("x.ini").write_text(
        f"[pipeline:main]\npipeline = odd ids shop\nset log_tokens_key = short\n"
        f"[filter:ids]\nuse = egg:wsgi_mw_paste#request_id\nlog_tokens = fingerprint\n"
        f"log_tokens_key = '{secret}'\n"
        f"[filter:odd]\npaste.filter_factory = odd:counted\nlog_tokens_key = {secret}\n"
        f"password = {secret}\n{SHOP}",
        encoding="utf-8",
    )
    main(["check", "x.ini"])
    main(["check", "x.ini", "--json", f"log_tokens_key={secret}x"])
    main(["explain", "x.ini", "--origin", "null", f"LOG_TOKENS_KEY={secret}"])
    out, err = capsys.readouterr()
    assert secret not in out + err
    assert "log_tokens_key" in out


def test_each_file_is_read_once() -> None:
    """However many sections, routes and files refer to it."""
    Path("base.ini").write_text(SHOP + LOGGING, encoding="utf-8")
    Path("x.ini").write_text(
        "[composite:main]\nuse = call:shop:by_auth\na = config:base.ini#web shop\nb = web shop\n"
        "[filter:web]\nuse = config:base.ini#web\ncors_allowed = nonsense:\n"
        f"[app:shop]\nuse = config:base.ini#shop\n{LOGGING}",
        encoding="utf-8",
    )
    script = (
        "import sys; from wsgi_mw_paste.command.cli import main\n"
        "def note(event, arguments):\n"
        "    if event == 'open' and str(arguments[0]).endswith('.ini'):\n"
        "        sys.stderr.write(str(arguments[0]).rpartition('/')[2] + ' ')\n"
        "sys.addaudithook(note)\n"
        "sys.exit(main(['check', 'x.ini']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert sorted(done.stderr.split()) == ["base.ini", "x.ini"]
