"""The command itself: arguments, output, colours, exit statuses; one line for every mistake."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from tests.checking import CHECK_FILES
from tests.ini import ROOT, write_ini
from wsgi_mw_paste.command.cli import main
from wsgi_mw_paste.factories import FACTORIES
from wsgi_mw_paste.settings import options, reference

if TYPE_CHECKING:
    from tests.wsgi import Middleware

#: The settings of all filters, CORS first.
CLASSES = [*FACTORIES["cors"].settings, *FACTORIES["request_id"].settings]
CLASSES += [cls for factory in FACTORIES.values() for cls in factory.settings if cls not in CLASSES]
COMMAND = [sys.executable, "-m", "wsgi_mw_paste"]
ORIGIN = "https://app.example.com"
EXPLAIN = ["explain", "test.ini", "--origin", ORIGIN]
OK = """
    [pipeline:main]
    pipeline = cors hello

    [filter:cors]
    use = egg:wsgi_mw_paste#cors
    cors_allowed = https://app.example.com
    """


def make_loud(global_conf: dict[str, str], /) -> Middleware:
    """Print, and return a filter that does nothing; a ``paste.filter_factory``."""
    sys.stdout.write("hello\n")
    return lambda app: app


# Exit statuses.


@pytest.mark.parametrize(
    ("name", "status", "strict"),
    [
        pytest.param("clean", 0, 0, id="clean"),
        pytest.param("tokens_on_purpose", 0, 0, id="note"),
        pytest.param("tokens_by_default", 0, 1, id="warning"),
        pytest.param("hidden_by_default", 2, 2, id="error"),
    ],
)
def test_the_exit_status_of_check_is_that_of_the_worst_finding(
    name: str, status: int, strict: int
) -> None:
    """0 is clean, 2 is errors; warnings are 1 with ``--strict`` only, notes never."""
    file = str(CHECK_FILES / f"{name}.ini")
    assert main(["check", file]) == status
    assert main(["check", file, "--strict"]) == strict


def test_the_exit_status_of_explain_is_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    """0 is allowed, 1 is refused; the verdict is the last paragraph."""
    write_ini(OK)
    assert main(EXPLAIN) == 0
    assert capsys.readouterr().out.rpartition("\n\n")[2].startswith("Allowed")
    assert main(["explain", "test.ini", "--origin", "https://evil.example"]) == 1
    assert capsys.readouterr().out.rpartition("\n\n")[2].startswith("Refused, origin not listed")


# Output.


def test_check_prints_the_pipeline_and_the_findings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Options are aligned with their sources, findings come apart by level, and then a count."""
    monkeypatch.setenv("LOG_TOKENS_KEY", "hunter2-hunter2-hunter2")
    write_ini("""
        [composite:main]
        paste.composite_factory = tests.checking:make_composite
        /api = api
        /status = hello

        [pipeline:api]
        pipeline = id cors hello

        [filter:id]
        use = egg:wsgi_mw_paste#request_id
        log_exclude_paths = /a /\x07
        log_tokens = true

        [filter:cors]
        use = egg:wsgi_mw_paste#cors
        cors_max_age = soon
        """)
    assert main(["check", "test.ini", "log_requests=yes"]) == 2
    assert (
        capsys.readouterr().out
        == r"""What a request passes through in test.ini

  main: composite, test.ini:2 [composite:main]

  /api

      id: wsgi_mw_paste (request_id), test.ini:10 [filter:id]
        request_id_header            default       X-Request-Id
        request_id_fallback_headers  default       (empty)
        request_id_trust             default       true
        request_id_max_length        default       128
        request_id_forward_headers   default       traceparent, tracestate
        log_requests                 command line  true
        log_exclude_paths            line 12       /a, /\x07
        log_tokens                   line 13       true
        log_tokens_key               environment   ***

      cors: wsgi_mw_paste (cors), test.ini:15 [filter:cors]

      hello: application, test.ini:19 [app:hello]

  /status

      hello: application, test.ini:19 [app:hello]

Errors
  test.ini:17 [filter:cors] cors_max_age = 'soon' (invalid-option)
    expected a number of seconds from 0 to 86400

Notes
  test.ini:13 [filter:id] log_tokens (tokens-verbatim)
    Bearer tokens are logged verbatim, as this line asks
  test.ini (no-logging)
    there is no section [loggers], so this file does not configure logging:
    access records, which are INFO on the logger wsgi_mw_paste.access, appear
    only if something else does

1 error, 0 warnings
"""
    )


def test_check_shortens_long_values(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a thousand origins, a line has the first few and the length."""
    origins = [f"https://a{number}.example" for number in range(1000)]
    write_ini("[pipeline:main]\npipeline = egg:wsgi_mw_paste#cors hello\n")
    assert main(["check", "test.ini", f"cors_allowed={','.join(origins)}"]) == 0
    text = ", ".join(origins)
    shown = f" {text[:500]}... ({len(text)} characters) cors_paths "
    assert shown in " ".join(capsys.readouterr().out.split())


def test_what_a_filter_prints_is_not_part_of_the_output(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON on stdout stays JSON when a factory prints."""
    write_ini("""
        [pipeline:main]
        pipeline = loud hello

        [filter:loud]
        paste.filter_factory = tests.test_command:make_loud
        """)
    assert main(["check", "test.ini", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["pipeline"]["name"] == "loud"
    assert err == "hello\n"


def test_check_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    """``--json`` prints one object, indented, also for a file that cannot be loaded."""
    write_ini(OK)
    assert main(["check", "--json", "test.ini"]) == 0
    out = capsys.readouterr().out
    assert out == json.dumps(json.loads(out), indent=2) + "\n"
    assert json.loads(out)["pipeline"]["filter"] == "cors"
    assert main(["check", "nosuch.ini", "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert found["pipeline"] is None
    assert [finding["message"] for finding in found["findings"]] == ["No such file or directory"]


def test_the_value_of_a_variable_may_contain_equals_signs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The first ``=`` ends the name, as in pserve."""
    write_ini("[pipeline:main]\npipeline = egg:wsgi_mw_paste#request_id hello\n")
    assert main(["check", "test.ini", "log_exclude_paths=/a=b=c"]) == 0
    assert "    log_exclude_paths            command line  /a=b=c\n" in capsys.readouterr().out


def test_explain_prints_what_a_browser_does(capsys: pytest.CaptureFixture[str]) -> None:
    """Requests, answers and conclusions are printed in their order; no secret is."""
    write_ini(OK)
    arguments = ["--method", "PUT", "--header", "Authorization: Bearer secret", "--path", "/a?b=c"]
    arguments += ["--header", "Cookie: secret", "--header", "Accept: text/html"]
    assert main(EXPLAIN + arguments) == 0
    assert capsys.readouterr().out == (
        """Browsers do not let scripts set Cookie; it is left out.
A preflight, because the method PUT is not safelisted and the header
authorization is not safelisted
  > OPTIONS http://localhost/a
  > Accept: */*
  > Access-Control-Request-Method: PUT
  > Access-Control-Request-Headers: authorization
  > Origin: https://app.example.com
  < 200 OK
  < Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers
  < Access-Control-Allow-Methods: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS
  < Access-Control-Max-Age: 600
  < Access-Control-Allow-Origin: https://app.example.com
  < Access-Control-Allow-Headers: authorization
  The browser continues.

The actual request
  > PUT http://localhost/a
  > Authorization: ***
  > Accept: text/html
  > Origin: https://app.example.com
  < 200 OK
  < Access-Control-Allow-Origin: https://app.example.com
  < Vary: Origin
  The browser continues.

What the script may read
  status, body, Content-Type, Content-Length
  but not Vary

Allowed: a script of https://app.example.com may read the response to PUT
http://localhost/a?b=c.
"""
    )


def test_explain_lists_no_hidden_headers_that_scripts_do_without(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """That CORS's own headers are hidden from the script is not worth a line."""
    write_ini(OK.replace(ORIGIN, "*"))
    assert main(EXPLAIN) == 0
    assert "but not" not in capsys.readouterr().out


def test_explain_prints_refusals(capsys: pytest.CaptureFixture[str]) -> None:
    """What the browser does not like is printed below the answer, and an exception in its place."""
    write_ini("""
        [pipeline:main]
        pipeline = broken egg:wsgi_mw_paste#cors hello

        [filter:broken]
        paste.filter_app_factory = tests.checking:make_broken
        """)
    assert main(EXPLAIN) == 1
    assert capsys.readouterr().out == (
        """The actual request
  > GET http://localhost/
  > Origin: https://app.example.com
  < nothing: KeyError: 'a.user' (servers send a bare 500)
  The browser stops: Access-Control-Allow-Origin is missing.

Refused, broken answered the request itself (KeyError: 'a.user'): list
egg:wsgi_mw_paste#cors before broken (test.ini:3 [pipeline:main] pipeline).
"""
    )


def test_explain_asks_the_application_if_told_to(capsys: pytest.CaptureFixture[str]) -> None:
    """With ``--app`` the answer is the application's, without it a stand-in's."""
    write_ini(
        OK.replace("cors hello", "cors app")
        + "[app:app]\npaste.app_factory = tests.explaining:make_app\n".replace("\n", "\n    ")
    )
    arguments = [*EXPLAIN, "--path", "/redirect/302?https://a.example/?token=secret"]
    assert main(arguments) == 0
    assert "Location" not in capsys.readouterr().out
    assert main([*arguments, "--app"]) == 1
    assert "  < Location: https://a.example/?***\n" in capsys.readouterr().out


def test_explain_takes_credentials_and_a_listener(capsys: pytest.CaptureFixture[str]) -> None:
    """``--credentials`` and ``--upload-listener`` are part of what the script asks."""
    write_ini(OK)
    assert main([*EXPLAIN, "--credentials"]) == 1
    assert main([*EXPLAIN, "--upload-listener", "--method", "POST"]) == 0
    assert "a script listens to the progress of the upload" in capsys.readouterr().out


def test_explain_takes_the_page_to_be_of_another_origin(capsys: pytest.CaptureFixture[str]) -> None:
    """A page of ``http://localhost`` asks a server by another name."""
    write_ini(OK)
    assert main(["explain", "test.ini", "--origin", "http://localhost"]) == 1
    assert "> GET http://127.0.0.1/\n" in capsys.readouterr().out


def test_explain_logs_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """The filters' records and start-up warnings do not get among the output."""
    write_ini("[pipeline:main]\npipeline = egg:wsgi_mw_paste hello\n")
    subprocess.run([*COMMAND, *EXPLAIN], check=False, env=environment())
    captured = capfd.readouterr()
    assert captured.err == ""
    assert captured.out.endswith(
        "Refused, CORS is off: write cors_allowed = https://app.example.com (test.ini:2\n"
        "[pipeline:main] pipeline).\n"
    )


def test_options_prints_every_option(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The list has name, default and meaning of each, and keeps within the terminal's width."""
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["options"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 60
    words = " ".join(out.split())
    for cls in CLASSES:
        for name, option in options(cls).items():
            default = option.show(option.default) or "(empty)"
            assert f"{name} {default} " in words
            assert option.help.replace("`", "").split()[-1] in words


def test_options_prints_the_reference_in_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    """``--markdown`` prints the README's table: every option of every filter, once."""
    assert main(["options", "--markdown"]) == 0
    assert capsys.readouterr().out == reference(CLASSES) + "\n"


# Colours and streams.


@pytest.mark.parametrize(
    ("more", "coloured"),
    [
        pytest.param({}, True, id="terminal"),
        pytest.param({"NO_COLOR": "1"}, False, id="no-color"),
        pytest.param({"NO_COLOR": ""}, True, id="no-color-empty"),
        pytest.param({"TERM": "dumb"}, False, id="dumb"),
    ],
)
def test_a_terminal_gets_colours_unless_it_wants_none(more: dict[str, str], coloured: bool) -> None:  # noqa: FBT001
    """On a terminal errors are red, without ``NO_COLOR``; the words are the same."""
    write_ini(OK)
    parent, child = pty.openpty()
    done = subprocess.run(
        [*COMMAND, "check", "test.ini"], check=False, stdout=child, env=environment() | more
    )
    os.close(child)
    text = b""
    while len(text) < 10 or not text.endswith(b"warnings\r\n"):
        text += os.read(parent, 4096).replace(b"\x1b[0m", b"" if coloured else b"?")
    os.close(parent)
    assert done.returncode == 0
    assert (b"\x1b[32m0 errors, 0 warnings" in text) is coloured
    assert (b"\x1b" in text) is coloured


def test_a_pipe_gets_no_colours(capfd: pytest.CaptureFixture[str]) -> None:
    """Where the output is no terminal, it is plain text."""
    write_ini(OK)
    subprocess.run([*COMMAND, "check", "test.ini"], check=True, env=environment())
    assert "\x1b" not in capfd.readouterr().out


def test_what_the_stream_cannot_encode_is_escaped(capfd: pytest.CaptureFixture[str]) -> None:
    """A locale without the letters of the file is no reason to fail."""
    write_ini("[pipeline:main]\npipeline = größe hello\n[filter:größe]\nuse = egg:nosuch\n")
    ascii_only = environment() | {"PYTHONIOENCODING": "ascii:strict"}
    done = subprocess.run([*COMMAND, "check", "test.ini"], check=False, env=ascii_only)
    assert done.returncode == 2
    assert (
        "  test.ini:4 [filter:gr\\xf6\\xdfe] use (missing-code)\n"
        "    the distribution nosuch is not installed here\n"
    ) in capfd.readouterr().out


def test_a_reader_that_has_enough_is_no_error(capfd: pytest.CaptureFixture[str]) -> None:
    """``wsgi-mw-paste options | head -1`` prints no traceback."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*COMMAND, "options"], check=False, stdout=writer, env=environment())
    os.close(writer)
    assert done.returncode == 1
    assert capfd.readouterr().err == ""


# Mistakes.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["check", "nosuch.ini"], "nosuch.ini: No such file or directory", id="file"),
        pytest.param(
            ["check", "test.ini", "--name", "nosuch"],
            "test.ini: no application is called nosuch; test.ini has main, hello",
            id="name",
        ),
        pytest.param(["check", "broken.ini"], "broken.ini:1: expected a [section]", id="broken"),
        pytest.param(
            ["explain", "broken.ini", "--origin", "null"], "broken.ini:1: expected", id="explain"
        ),
        pytest.param(
            ["explain", "test.ini", "--origin", "app.example.com"],
            "expected an origin, SCHEME://HOST[:PORT] or null; write https://app.example.com",
            id="origin",
        ),
        pytest.param([*EXPLAIN, "--method", "A B"], "expected a method", id="method"),
        pytest.param([*EXPLAIN, "--header", "a b"], "expected a header as NAME", id="header"),
        pytest.param([*EXPLAIN, "--path", "a"], "expected a path that starts with /", id="path"),
        pytest.param(
            [*EXPLAIN, "--route", "x"],
            "no composite here chooses between pipelines; leave out --route\n",
            id="route",
        ),
        pytest.param(
            ["explain", "choosing.ini", "--origin", "null"],
            "expected --route with one of a, b\n",
            id="no-route",
        ),
        pytest.param(
            [*EXPLAIN, "cors_max_age=x"], "command line cors_max_age = 'x': expected", id="option"
        ),
        pytest.param(
            ["explain", "raising.ini", "--origin", "null", "--app"],
            "raising.ini:1 [app:main]: ValueError: expected a colour, not 'x'",
            id="application",
        ),
        pytest.param(
            ["explain", "composite.ini", "--origin", "null"],
            "composite.ini:1 [composite:main]: TypeError: ",
            id="composite",
        ),
    ],
)
def test_a_mistake_is_one_line_and_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is wrong with the arguments or the file, stderr has one line and stdout nothing."""
    write_ini(OK)
    Path("broken.ini").write_text("key = value", encoding="utf-8")
    write_ini("[app:main]\npaste.app_factory = tests.checking:make_raising", "raising.ini")
    write_ini("[composite:main]\nuse = call:tests.checking:make_cors\n/ = hello", "composite.ini")
    choosing = "[composite:choosing]\nuse = call:tests.checking:make_composite\na = cors hello\n"
    write_ini(f"{dedent(OK).replace('hello', 'choosing')}{choosing}b = hello", "choosing.ini")
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"wsgi-mw-paste: {message}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([], "the following arguments are required: COMMAND", id="no-command"),
        pytest.param(["check"], "the following arguments are required: INI\n", id="no-file"),
        pytest.param(["explain", "a.ini"], "required: --origin", id="no-origin"),
        pytest.param(["check", "a.ini", "--strikt"], "unrecognized arguments: --strikt", id="typo"),
        pytest.param(["--vers"], "the following arguments are required: COMMAND", id="abbreviated"),
        pytest.param(
            ["check", "a.ini", "--str"], "unrecognized arguments: --str;", id="short-option"
        ),
        pytest.param(
            ["check", "a.ini", "b.ini", "c.ini"],
            "unrecognized arguments: b.ini c.ini; a variable is NAME=VALUE\n",
            id="three-files",
        ),
        pytest.param(["check", "a.ini", "--x=y"], "unrecognized arguments: --x=y", id="option"),
        pytest.param(["options", "a=b"], "unrecognized arguments: a=b", id="options"),
        pytest.param(
            ["check", "a.ini", "b\x1b[2J"], "unrecognized arguments: b\\x1b[2J", id="escape"
        ),
        pytest.param(["\x1b[2J"], "invalid choice: '\\x1b[2J'", id="escape-command"),
        pytest.param(
            [*EXPLAIN, "--header", "Authorization:", "Bearer", "secret"],
            "unrecognized arguments; a variable is NAME=VALUE, a header is one word: --header"
            " 'NAME: VALUE'",
            id="header-without-quotes",
        ),
        pytest.param(
            [*EXPLAIN, "--heder", "Authorization: Bearer secret", "--haeder=X: secret"],
            "unrecognized arguments: --heder --haeder; a variable",
            id="header-misspelt",
        ),
    ],
)
def test_wrong_usage_is_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Argparse's usage, and what is wrong; escaped, and without what may be a header's value."""
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert message in err
    assert "secret" not in err
    assert "\x1b" not in err


def test_the_version_is_that_of_the_distribution(capsys: pytest.CaptureFixture[str]) -> None:
    """``--version`` prints it."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"wsgi-mw-paste {metadata.version('wsgi_mw_paste')}\n"


def environment() -> dict[str, str]:
    """Return the environment of a command that finds this checkout's tests."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
