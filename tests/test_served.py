"""The INI files we ship, served by the real ``pserve`` and gunicorn, and spoken to in HTTP."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import VARIABLES
from tests.ini import ROOT
from tests.serving import Server, program, serving
from tests.wsgi import assert_headers

if TYPE_CHECKING:
    from collections.abc import Iterator

ALLOWED, REFUSED = "http://localhost:6543", "https://other.example"
PREFLIGHT = {
    "Access-Control-Request-Method": "PUT",
    "Access-Control-Request-Headers": "content-type,x-request-id",
}
#: The headers of an allowed response, beside those of the server.
CORS = {"Access-Control-Allow-Origin": ALLOWED, "Access-Control-Expose-Headers": "X-Request-Id"}
TEXT = {"Content-Type": "text/plain; charset=UTF-8"}
JSON = {"Content-Type": "application/json"}
METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
#: The line of development.ini that the environment is hidden by.
SECTION_LINE = "cors_allowed = http://localhost:*"


def development_ini(old: str = "", new: str = "") -> Path:
    """Write a copy of development.ini with a free port and a change; return its path."""
    text = (ROOT / "development.ini").read_text(encoding="utf-8")
    for before, after in (("port = 6543", "port = 0"), (old, new)):
        assert before in text
        text = text.replace(before, after)
    copy = Path("copy.ini").absolute()
    copy.write_text(text, encoding="utf-8")
    return copy


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve development.ini, one process for all tests that change nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("pserve"))
        for name in VARIABLES:
            patch.delenv(name, raising=False)
        with serving("pserve", development_ini()) as running:
            yield running


def allowed_by(server: Server) -> list[str]:
    """Return which of the two origins the server allows."""
    answers = [server.request("GET", "/json", {"Origin": o}) for o in (ALLOWED, REFUSED)]
    values = [answer.header("Access-Control-Allow-Origin") for answer in answers]
    return [value for value in values if value is not None]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "expected"),
    [
        pytest.param(
            "OPTIONS",
            "/json",
            {"Origin": ALLOWED, **PREFLIGHT},
            "200 OK",
            {
                **TEXT,
                "Content-Length": "0",
                "Access-Control-Allow-Origin": ALLOWED,
                "Access-Control-Allow-Methods": METHODS,
                "Access-Control-Allow-Headers": "content-type,x-request-id",
                "Access-Control-Max-Age": "600",
            },
            id="preflight, allowed",
        ),
        pytest.param(
            "OPTIONS",
            "/json",
            {"Origin": REFUSED, **PREFLIGHT},
            "403 Forbidden",
            {**TEXT, "Content-Length": "61"},
            id="preflight, refused",
        ),
        pytest.param(
            "GET",
            "/json",
            {"Origin": ALLOWED},
            "200 OK",
            {**JSON, **CORS, "Content-Length": "61"},
            id="actual request, allowed",
        ),
        pytest.param(
            "GET",
            "/json",
            {"Origin": REFUSED},
            "200 OK",
            {**JSON, "Content-Length": "61"},
            id="actual request, refused",
        ),
        pytest.param(
            "GET", "/json", {}, "200 OK", {**JSON, "Content-Length": "61"}, id="no CORS request"
        ),
        pytest.param(
            "OPTIONS",
            "/json",
            {"Origin": ALLOWED},
            "200 OK",
            {**JSON, **CORS, "Content-Length": "65"},
            id="OPTIONS, no preflight",
        ),
        pytest.param(
            "GET",
            "/stream",
            {"Origin": ALLOWED},
            "200 OK",
            {**TEXT, **CORS, "Transfer-Encoding": "chunked", "Connection": "close"},
            id="stream, allowed",
        ),
        pytest.param(
            "GET",
            "/raise",
            {"Origin": ALLOWED},
            "500 Internal Server Error",
            {**TEXT, **CORS, "Content-Length": "43", "Cache-Control": "no-store"},
            id="exception, allowed",
        ),
    ],
)
def test_headers(
    *,
    server: Server,
    method: str,
    path: str,
    headers: dict[str, str],
    status: str,
    expected: dict[str, str],
) -> None:
    """The response has these headers, the id, ``Vary`` and waitress's own, and no others."""
    answer = server.request(method, path, {**headers, "X-Request-Id": "abc-123"})
    assert answer.status == status
    vary = "Origin"
    if method == "OPTIONS" and "Access-Control-Request-Method" in headers:
        vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
    ours = {"Vary": vary, "X-Request-Id": "abc-123"}
    waitress = {"Date": answer.header("Date") or "", "Server": "waitress"}
    assert_headers(answer, {**expected, **ours, **waitress})


PLAYGROUND, ACCESS = "wsgi_mw_paste.playground", "wsgi_mw_paste.access"


@pytest.mark.parametrize(
    ("method", "path", "loggers"),
    [
        pytest.param("GET", "/json", [PLAYGROUND, ACCESS], id="json"),
        pytest.param("GET", "/stream", 3 * [PLAYGROUND] + [ACCESS], id="stream"),
        pytest.param("GET", "/raise", [PLAYGROUND, "wsgi_mw_paste.errors", ACCESS], id="exception"),
        pytest.param("GET", "/call", 2 * [PLAYGROUND] + 2 * [ACCESS], id="two requests"),
        pytest.param("OPTIONS", "/json", ["wsgi_mw_paste.cors", ACCESS], id="refused preflight"),
    ],
)
def test_the_id_is_in_every_log_line(
    server: Server, method: str, path: str, loggers: list[str]
) -> None:
    """Whatever is logged between request and response has the id, in a streamed body, too.

    ``/call`` makes a second request, and one id is in the lines of both.
    """
    before = len(server.stderr)
    headers = {"Origin": REFUSED, "X-Request-Id": "abc-123", **PREFLIGHT}
    answer = server.request(method, path, headers)
    assert answer.header("X-Request-Id") == "abc-123"
    records = re.findall(r"(?m)^\d{4}-.* \[(.*?)\] \[(.*?)\] ", server.stderr[before:])
    assert records == [(name, "abc-123") for name in loggers]


def test_the_traceback_has_the_id(server: Server) -> None:
    """The traceback of an exception belongs to a record with the id that the response names."""
    before = len(server.stderr)
    answer = server.request("GET", "/raise")
    request_id = answer.header("X-Request-Id")
    assert answer.body == f"Internal Server Error\n\nrequest id: {request_id}\n".encode()
    assert re.search(
        rf"\[{request_id}\] RuntimeError escaped the application\nTraceback(\n? .*)+"
        r"\nRuntimeError: raised on purpose\n",
        server.stderr[before:],
    )


def test_a_made_up_host_directs_no_call(server: Server) -> None:
    """The endpoint that calls its own server asks its socket and not the client where that is."""
    strange = {"Host": "other.example:1", "X-Forwarded-Host": "other.example:1"}
    answer = server.request("GET", "/call", {**strange, "X-Request-Id": "abc-123"})
    assert f"calling {server.url}/json\n" in server.stderr
    assert json.loads(answer.body) == {
        "request_id": "abc-123",
        "sent": {"X-Request-Id": "abc-123"},
        "status": 200,
        "received": {"request_id": "abc-123", "method": "GET", "received": None},
    }


def test_the_environment_sets_what_no_line_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the section's line, ``CORS_ALLOWED`` decides."""
    monkeypatch.setenv("CORS_ALLOWED", REFUSED)
    with serving("pserve", development_ini(SECTION_LINE, "")) as server:
        assert allowed_by(server) == [REFUSED]


def test_a_dotenv_file_sets_what_no_line_sets() -> None:
    """Without the section's line, ``CORS_ALLOWED`` in the working directory's .env decides."""
    Path(".env").write_text(f"CORS_ALLOWED={REFUSED}\n", encoding="utf-8")
    with serving("pserve", development_ini(SECTION_LINE, "")) as server:
        assert allowed_by(server) == [REFUSED]


def test_the_section_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The section's line hides the environment and the .env file."""
    monkeypatch.setenv("CORS_ALLOWED", REFUSED)
    Path(".env").write_text(f"CORS_ALLOWED={REFUSED}\n", encoding="utf-8")
    with serving("pserve", development_ini()) as server:
        assert allowed_by(server) == [ALLOWED]


def test_a_broken_file_is_not_served() -> None:
    """``pserve`` stops before it listens; its last output are all problems of the filter."""
    path = development_ini(SECTION_LINE, "cors_alowed = *\ncors_max_age = 5 minutes")
    ran = subprocess.run([program("pserve"), path], capture_output=True, check=False, text=True)
    assert ran.returncode == 1
    assert "Serving on" not in ran.stderr
    assert ran.stderr.endswith(f"""\
wsgi_mw_paste.ConfigurationError: 2 problems:
{path} [filter:cors] cors_alowed: unknown option; did you mean cors_allowed?
{path} [filter:cors] cors_max_age = '5 minutes': expected a number of seconds from 0 to 86400
""")


def test_a_server_that_does_not_start_fails_its_test() -> None:
    """The helper for servers shows the output of one that ends before it listens."""
    path = development_ini(SECTION_LINE, "cors_allowed = nonsense")
    with pytest.raises(AssertionError, match=r"(?s)the server ended:.*1 problem:"):
        serving("pserve", path).__enter__()


def test_what_is_written_late_is_waited_for(server: Server) -> None:
    """The helper for servers looks again until it is there."""
    looks = iter([False, False, True])
    server.wait_for(lambda: next(looks))
    assert list(looks) == []


@pytest.mark.parametrize(
    ("ci", "outcome"),
    [
        pytest.param("", pytest.skip.Exception, id="locally"),
        pytest.param("true", pytest.fail.Exception, id="in CI"),
    ],
)
def test_a_missing_program(
    ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that needs a program that is not there skips locally, and fails in CI."""
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="no-such-server is not installed"):
        program("no-such-server")


def test_gunicorn_serves_production_ini(monkeypatch: pytest.MonkeyPatch) -> None:
    """All it writes to standard output is JSON with an id; settings come from the environment."""
    monkeypatch.setenv("CORS_ALLOWED", ALLOWED)
    monkeypatch.setenv("LOG_EXCLUDE_PATHS", "/")
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--bind=127.0.0.1:0 --threads=4")
    with serving("gunicorn", "--paste", ROOT / "examples/production.ini") as server:
        assert allowed_by(server) == [ALLOWED]
        answers = [
            server.request("GET", path, {"X-Request-Id": f"abc{path}"})
            for path in ("/", "/stream", "/raise", "/call")
        ]
    assert [answer.code for answer in answers] == [200, 200, 500, 200]
    length = len(answers[1].body)
    records: list[dict[str, Any]] = [json.loads(line) for line in server.stdout.splitlines()]
    names = {
        path: [r["name"] for r in records if r["request_id"] == f"abc{path}"]
        for path in ("/", "/stream", "/raise", "/call")
    }
    assert names == {
        "/": [],
        "/stream": 3 * [PLAYGROUND] + [ACCESS],
        "/raise": [PLAYGROUND, "wsgi_mw_paste.errors", ACCESS],
        "/call": 2 * [PLAYGROUND] + 2 * [ACCESS],
    }
    (access,) = (r for r in records if (r["name"], r["request_id"]) == (ACCESS, "abc/stream"))
    assert (access["status"], access["bytes"], access["path"]) == (200, length, "/stream")
