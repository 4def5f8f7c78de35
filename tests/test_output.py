"""What the command prints: 80 columns, words in one piece, no secret, and no traceback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from tests.checking import CHECK_FILES
from tests.explaining import HEADERS, PIPELINE
from tests.ini import ROOT, write_ini
from wsgi_mw_paste.command.browser import without_secrets
from wsgi_mw_paste.command.check import Report, check
from wsgi_mw_paste.command.cli import main
from wsgi_mw_paste.command.findings import Finding, Place
from wsgi_mw_paste.command.output import Terminal, write_report

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COMMAND = [sys.executable, "-m", "wsgi_mw_paste"]


def printed(report: Report, width: int | None = None) -> str:
    """Return what is printed of a report."""
    assert report.node is not None
    stream = StringIO()
    write_report(Terminal(stream, width), report, report.node)
    return stream.getvalue()


def run(*arguments: str, streams: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own.

    :param streams: what a shell does with its streams.
    """
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {streams}', "sh", *COMMAND, *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


# The report.


def test_a_report_fits_in_80_columns() -> None:
    """Options stand in columns; a long place or a value that is too long takes lines of its own."""
    Path("a/folder/with/a/long/name").mkdir(parents=True)
    write_ini(
        """
        [DEFAULT]
        request_id_header = X-Correlation-Id

        [pipeline:main]
        pipeline = web hello

        [filter:web]
        use = egg:wsgi_mw_paste
        cors_allowed = https://app.example.com, https://admin.example.com
        CORS_MAX_AGE = 60
        log_requests = false
        """,
        "a/folder/with/a/long/name/production.ini",
    )
    text = printed(check("a/folder/with/a/long/name/production.ini"))
    start, end = text.index("  web:"), text.index("    request_id_fallback_headers")
    assert (
        text[start:end]
        == """\
  web: wsgi_mw_paste (request_id, cors, errors),
    a/folder/with/a/long/name/production.ini:8 [filter:web]
    cors_allowed                    line 10  https://app.example.com,
                                             https://admin.example.com
    cors_paths                      default  (empty)
    cors_allow_credentials          default  false
    cors_allow_methods              default  GET, HEAD, POST, PUT, PATCH,
                                             DELETE, OPTIONS
    cors_allow_headers              default  *, Authorization
    cors_expose_headers             default  (empty)
    cors_max_age                    line 11  60
    cors_tolerate_insecure_origins  default  false
    cors_tolerate_public_suffixes   default  false
    request_id_header                        X-Correlation-Id
        a/folder/with/a/long/name/production.ini:3 [DEFAULT]
"""
    )
    assert text.endswith(
        """
  hello: application, a/folder/with/a/long/name/production.ini:14 [app:hello]

Warnings
  a/folder/with/a/long/name/production.ini:8 [filter:web] (id-not-exposed)
    scripts cannot read X-Correlation-Id; add it to cors_expose_headers

0 errors, 1 warning
"""
    )


def test_a_narrow_terminal_gets_each_value_below_its_option() -> None:
    """Columns need room; below 40, not even words have it."""
    write_ini("[pipeline:main]\npipeline = egg:wsgi_mw_paste#cors hello\n")
    text = printed(check("test.ini", variables={"cors_allowed": "https://app.example.com"}), 3)
    assert text.startswith(
        """\
What a request passes through in
test.ini

  egg:wsgi_mw_paste#cors: wsgi_mw_paste
  (cors),
    test.ini:2 [pipeline:main] pipeline
    cors_allowed
        https://app.example.com
        command line
"""
    )


@pytest.mark.parametrize(
    "path", [pytest.param(path, id=path.stem) for path in sorted(CHECK_FILES.glob("*.ini"))]
)
def test_words_are_broken_between_lines_only(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a report in 80 columns all lines fit, or are one word, and no word is lost."""
    monkeypatch.chdir(CHECK_FILES)
    report = check(path.name)
    narrow, wide = printed(report, 80), printed(report, 10_000)
    assert narrow.split() == wide.split()
    assert [line for line in narrow.splitlines() if len(line) > 80 and " " in line.strip()] == []


def test_the_same_options_are_listed_once() -> None:
    """Where a filter is on several routes, the others say where its options stand."""
    write_ini("""
        [composite:main]
        paste.composite_factory = tests.ini:make_urlmap
        /open = open
        /closed = closed

        [pipeline:open]
        pipeline = cors cors hello

        [pipeline:closed]
        pipeline = cors egg:wsgi_mw_paste#errors hello

        [filter:cors]
        use = egg:wsgi_mw_paste#cors
        cors_allowed = https://app.example.com
        """)
    lines = printed(check("test.ini")).partition("Warnings")[0].splitlines()
    # All but the options, which are indented as deep or deeper, by themselves.
    shown = [line for line in lines if re.match(r" {2,8}\S", line) and "        cors_" not in line]
    assert shown == [
        "  main: composite, test.ini:2 [composite:main]",
        "  /open",
        "      cors: wsgi_mw_paste (cors), test.ini:13 [filter:cors]",
        "      cors: wsgi_mw_paste (cors), test.ini:13 [filter:cors]",
        "        as above",
        "      hello: application, test.ini:17 [app:hello]",
        "  /closed",
        "      cors: wsgi_mw_paste (cors), test.ini:13 [filter:cors]",
        "        as under /open",
        "      egg:wsgi_mw_paste#errors: wsgi_mw_paste (errors),",
        "        test.ini:11 [pipeline:closed] pipeline",
        "      hello: application, test.ini:17 [app:hello]",
    ]
    assert sum(line.startswith("        cors_allowed ") for line in lines) == 1


def test_a_finding_shows_its_code_and_the_lines_to_write() -> None:
    """The place comes first, then what is wrong, then what to write, line by line."""
    write_ini("[app:main]\nuse = hello\n")
    report = check("test.ini")
    place = Place("section", str(Path("test.ini").absolute()), "logger_root", "level", 7)
    message = "access records are dropped; write\n[logger_access]\nlevel = INFO"
    finding = Finding("warning", place, message, "W" * 300, code="access-log-lost")
    assert printed(report._replace(findings=[finding]), 80).partition("\n\n")[2] == dedent(
        f"""\
          main: application, test.ini:1 [app:main]

        Warnings
          test.ini:7 [logger_root] level =
              '{"W" * 200}…'
              (access-log-lost)
            access records are dropped; write
                [logger_access]
                level = INFO

        0 errors, 1 warning
        """
    )


# Other output.


def test_options_shows_no_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    """Code and emphasis lose their marks; a star that is a value stays."""
    assert main(["options"]) == 0
    out = capsys.readouterr().out
    assert "`" not in out
    assert "paths whose successful requests are not logged: exact" in out
    assert "request headers; *: any except Authorization" in out
    assert "shown as *** everywhere" in out


def test_an_explanation_fits_in_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """The verdict, too, which may be long."""
    write_ini("[pipeline:main]\npipeline = egg:wsgi_mw_paste#errors egg:wsgi_mw_paste#cors hello\n")
    headers = [f"--header=X-Header-{number}: 1" for number in range(9)]
    assert main(["explain", "test.ini", "--origin", "https://app.example.com", *headers]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > 80 and " " in line.strip()] == []
    assert lines[-2:] == [
        "Refused, CORS is off: write cors_allowed = https://app.example.com (test.ini:2",
        "[pipeline:main] pipeline).",
    ]


APP = "[app:app]\npaste.app_factory = tests.explaining:make_app\n"


def test_an_explanation_shows_which_headers_were_replaced(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Below the response, with ``--app``, where the application has a say."""
    HEADERS["/own"] = [("Access-Control-Allow-Origin", "*")]
    write_ini(PIPELINE + APP)
    question = ["explain", "test.ini", "--origin", "https://app.example.com", "--path", "/own"]
    replaced = "  Replaced: the application's own Access-Control-Allow-Origin: *\n"
    assert main(question) == 0
    assert replaced not in capsys.readouterr().out
    assert main([*question, "--app"]) == 0
    assert replaced in capsys.readouterr().out


def test_an_application_that_ends_the_process_is_printed_as_such(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No server would be left to answer."""
    write_ini(PIPELINE + APP)
    question = ["explain", "test.ini", "--origin", "https://app.example.com", "--path", "/exit"]
    assert main([*question, "--app"]) == 1
    out = capsys.readouterr().out
    assert "  < nothing: SystemExit: 0 (the server ends)\n" in out
    assert "  The browser stops: no response, because the process ends.\n" in out


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        pytest.param("https://a.example/b", "https://a.example/b", id="plain"),
        pytest.param("https://a.example/?token=secret#x", "https://a.example/?***", id="query"),
        pytest.param("/b#access_token=secret", "/b#***", id="fragment"),
        pytest.param("/b?x\ny", "/b?***", id="newline"),
        pytest.param("/b?", "/b?", id="empty-query"),
        pytest.param("https://me:secret@a.example/b", "https://***@a.example/b", id="user"),
        pytest.param("//me:se@cret@a.example", "//***@a.example", id="user-without-scheme"),
        pytest.param("https:\\\\me:secret@a.example", "https:\\\\***@a.example", id="backslashes"),
        pytest.param("https:me:secret@a.example", "https:***@a.example", id="no-slashes"),
    ],
)
def test_what_may_be_secret_in_a_url_is_masked(url: str, shown: str) -> None:
    """User information, query and fragment; the rest says where a redirect leads."""
    assert without_secrets(url) == shown


# Terminals and streams.


ARGUMENTS = [
    pytest.param(["check", "test.ini"], id="check"),
    pytest.param(["explain", "test.ini", "--origin", "https://app.example.com"], id="explain"),
    pytest.param(["options"], id="options"),
    pytest.param(["options", "--markdown"], id="markdown"),
    pytest.param(["check", "--help"], id="help"),
]
OK = """
    [pipeline:main]
    pipeline = egg:wsgi_mw_paste#cors hello
    set cors_allowed = https://app.example.com
    """


@pytest.mark.parametrize("arguments", ARGUMENTS)
@pytest.mark.parametrize("columns", ["3", "0", "many"])
def test_any_width_will_do(
    arguments: Sequence[str],
    columns: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """``COLUMNS`` may be anything."""
    monkeypatch.setenv("COLUMNS", columns)
    write_ini(OK)
    assert main(arguments) == 0
    assert capsys.readouterr().err == ""


class ColourTerminal(StringIO):
    """A terminal that can show colours; it tells what it shows."""

    def isatty(self) -> bool:
        """Return that it is one."""
        return True

    def shown(self) -> list[str]:
        """Return its lines, each with the number of its colour in front."""
        return [
            re.sub(r"^\x1b\[(\d+)m(.*)\x1b\[0m$", r"\1 \2", line)
            for line in self.getvalue().splitlines()
        ]


def coloured(monkeypatch: pytest.MonkeyPatch, *arguments: str, **environment: str) -> list[str]:
    """Run the command on such a terminal, 80 columns wide, and return what it shows."""
    for name, value in ({"COLUMNS": "80", "NO_COLOR": "", "TERM": "xterm"} | environment).items():
        monkeypatch.setenv(name, value)
    stream = ColourTerminal()
    with redirect_stdout(stream), redirect_stderr(stream):
        main(arguments)
    return stream.shown()


def test_a_report_has_its_levels_in_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Headings are bold, defaults dim, warnings yellow; the count is as bad as the worst."""
    write_ini("""
        [pipeline:main]
        pipeline = ids cors hello

        [filter:ids]
        use = egg:wsgi_mw_paste#request_id
        log_requests = true
        log_tokens = false

        [filter:cors]
        use = egg:wsgi_mw_paste#cors
        cors_allowed = https://app.example.com
        """)
    shown = coloured(monkeypatch, "check", "test.ini")
    assert shown[:4] == [
        "1 What a request passes through in test.ini",
        "",
        "1   ids: wsgi_mw_paste (request_id), test.ini:5 [filter:ids]",
        "2     request_id_header            default  X-Request-Id",
    ]
    assert "    log_requests                 line 7   true" in shown
    assert [line for line in shown if re.match(r"(1|3\d) \S", line)][1:] == [
        "33 Warnings",
        "1 Notes",
        "33 0 errors, 1 warning",
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(
            ["check", "test.ini", "cors_max_age=x"],
            [
                "1 What a request passes through in test.ini",
                "1   egg:wsgi_mw_paste#cors: wsgi_mw_paste (cors),",
                "1     test.ini:3 [pipeline:main] pipeline",
                "1   hello: application, test.ini:6 [app:hello]",
                "31 Errors",
                "31 1 error, 0 warnings",
            ],
            id="error",
        ),
        pytest.param(
            ["check", "test.ini"],
            [
                "1 What a request passes through in test.ini",
                "1   egg:wsgi_mw_paste#cors: wsgi_mw_paste (cors),",
                "1     test.ini:3 [pipeline:main] pipeline",
                "1   hello: application, test.ini:6 [app:hello]",
                "32 0 errors, 0 warnings",
            ],
            id="clean",
        ),
        pytest.param(
            ["explain", "test.ini", "--origin", "https://app.example.com", "--method", "PUT"],
            [
                "1 A preflight, because the method PUT is not safelisted",
                "32   The browser continues.",
                "1 The actual request",
                "32   The browser continues.",
                "1 What the script may read",
                "32 Allowed: a script of https://app.example.com may read the response to PUT",
                "32 http://localhost/.",
            ],
            id="allowed",
        ),
        pytest.param(
            ["explain", "test.ini", "--origin", "https://a.example"],
            [
                "1 The actual request",
                "31   The browser stops: Access-Control-Allow-Origin is missing.",
                "31 Refused, origin not listed: add https://a.example to cors_allowed (test.ini:4",
                "31 [pipeline:main] set cors_allowed).",
            ],
            id="refused",
        ),
        pytest.param(
            ["check", "nosuch.ini"],
            ["31 wsgi-mw-paste: nosuch.ini: No such file or directory"],
            id="mistake",
        ),
    ],
)
def test_what_matters_is_in_colour(
    arguments: Sequence[str], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Good is green, bad is red, headings are bold; all else is in the terminal's own colour."""
    write_ini(OK)
    shown = coloured(monkeypatch, *arguments)
    assert [line for line in shown if re.match(r"(1|3\d) ", line)] == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [pytest.param("NO_COLOR", "1", id="no-color"), pytest.param("TERM", "dumb", id="dumb")],
)
def test_a_terminal_that_wants_no_colour_gets_none(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable says so."""
    shown = coloured(monkeypatch, "options", **{name: value})
    assert shown[0].split() == ["cors_allowed", "(empty)"]


def _pipe_without_reader() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


# Not of --help, whose output is argparse's.
@pytest.mark.parametrize("arguments", ARGUMENTS[:-1])
def test_a_full_disk_is_one_line_and_status_2(arguments: Sequence[str]) -> None:
    """What could not be written is not taken for a result."""
    write_ini(OK)
    done = run(*arguments, streams=">/dev/full")
    assert (done.returncode, done.stderr) == (
        2,
        "wsgi-mw-paste: cannot write the output: No space left on device\n",
    )


@pytest.mark.parametrize(
    ("opened", "status", "error"),
    [
        pytest.param(
            lambda: os.open("/dev/full", os.O_WRONLY),
            2,
            "wsgi-mw-paste: cannot write the output: No space left on device\n",
            id="full disk",
        ),
        pytest.param(_pipe_without_reader, 1, "", id="reader gone"),
    ],
)
def test_output_that_cannot_be_written_is_dropped(
    opened: Callable[[], int],
    status: int,
    error: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Closing the stream, as Python does at its end, raises nothing any more."""
    with os.fdopen(opened(), "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert main(["options"]) == status
    assert capsys.readouterr().err == error


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_without_stdout_the_status_says_it_all(arguments: Sequence[str]) -> None:
    """A stream that is closed from the start is meant to be closed."""
    write_ini(OK)
    done = run(*arguments, streams=">&-")
    assert (done.returncode, done.stderr) == (0, "")


def test_without_stderr_the_status_says_it_all() -> None:
    """The same for mistakes."""
    done = run("check", "nosuch.ini", streams="2>&-")
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize(
    ("name", "arguments", "status"),
    [
        pytest.param("stdout", ["options", "--markdown"], 0, id="stdout"),
        pytest.param("stderr", ["check", "nosuch.ini"], 2, id="stderr"),
    ],
)
def test_a_stream_that_the_caller_has_closed_is_replaced(
    name: str,
    arguments: Sequence[str],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As above, in this process: Python has ``None`` for it."""
    monkeypatch.setattr(sys, name, None)
    assert main(arguments) == status
    with getattr(sys, name) as replacement:
        assert (replacement.name, replacement.mode) == (os.devnull, "w")
    assert capsys.readouterr() == ("", "")


def test_a_working_directory_that_is_gone_is_one_line(tmp_path: Path) -> None:
    """Relative paths and ``.env`` would be looked for in it."""
    folder = tmp_path / "gone"
    folder.mkdir()
    done = subprocess.run(
        ["sh", "-c", 'cd "$1"; rmdir "$1"; shift; exec "$@"', "sh", folder, *COMMAND, "options"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, done.stdout, done.stderr) == (
        2,
        "",
        "wsgi-mw-paste: the working directory is gone; change to one that exists\n",
    )


def test_a_working_directory_that_is_gone_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As above, where it is measured: a process without a folder cannot write down what it ran."""
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    assert main(["options"]) == 2
    assert capsys.readouterr().err == (
        "wsgi-mw-paste: the working directory is gone; change to one that exists\n"
    )
