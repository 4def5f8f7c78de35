"""What real servers make of the bodies and headers that come out of the filter ``main``.

Servers look at a body before they send it: at its length, at its type. Each fact here is one that
a wrapper around the body, or a header too many, would end. The access log is on, because it is the
reason there could be for a wrapper.
"""

from __future__ import annotations

import re
import socket
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from flask_sock import Sock
from simple_websocket import Client

from tests.ini import ROOT, write_ini
from tests.serving import SERVER_AND_LOGGING, SERVERS, serving

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from tests.serving import Server

ORIGIN, STRANGER = "https://app.example.com", "https://other.example"
INI = f"""
[pipeline:main]
pipeline = web bodies

[filter:web]
use = egg:wsgi_mw_paste
cors_allowed = {ORIGIN}
cors_expose_headers = X-Request-Id
log_tokens = fingerprint

[app:bodies]
paste.app_factory = tests.test_bodies_served:make_bodies

{SERVER_AND_LOGGING}class = wsgi_mw_paste.logging.RequestIdFormatter
format = %(levelname)s [%(name)s] [%(request_id)s] %(message)s
"""
#: One mebibyte: of the blocks in which servers read files, the largest has 32 KiB.
CONTENT = b"0123456789abcdef" * 2**16
TEXT = ("Content-Type", "text/plain")


def make_bodies(global_conf: dict[str, str], /) -> WSGIApplication:
    """Return the application, whose path says what body it has; a ``paste.app_factory``."""
    bodies: dict[str, WSGIApplication] = {
        "/sized": sized,
        "/generated": generated,
        "/single": single,
        "/file": file,
        "/raises": raises,
        "/finds-nothing": finds_nothing,
        "/socket": make_socket(),
    }
    return lambda environ, start_response: bodies[environ["PATH_INFO"]](environ, start_response)


def sized(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [TEXT, ("Content-Length", "5")])
    return [b"sized"]


def generated(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", [TEXT, ("Content-Length", "9")])
    yield b"gene"
    yield b"rated"


def single(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [TEXT])
    return (b"single",)


def file(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with a real file, as the server's own wrapper, and with no Content-Length."""
    start_response("200 OK", [TEXT])
    content = Path("content").open("rb")  # noqa: SIM115 -- the server closes it
    body: Iterable[bytes] = environ["wsgi.file_wrapper"](content)
    return body


def raises(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    raise RuntimeError


def finds_nothing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    return next(filter(None, [[]]))


def make_socket() -> WSGIApplication:
    """Return an application that sends back what it receives, and ends when its client does."""
    app = Flask("tests")

    @Sock(app).route("/socket")  # type: ignore[untyped-decorator]
    def echo(ws: Any) -> None:
        ws.send(ws.receive())
        ws.receive()

    return app


@pytest.fixture(autouse=True)
def _importable_application(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers find this module, from whatever directory."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def running(server: str) -> AbstractContextManager[Server]:
    """Run one of the servers during the ``with`` statement."""
    return serving(*SERVERS[server], write_ini(INI))


def recorded(server: Server, count: int = 1) -> list[str]:
    """Wait for *count* access records; return all, without the host and the duration."""

    def found() -> list[str]:
        return re.findall(
            r"(?m)^\w+ \[wsgi_mw_paste\.access\] \[\S+\] 127\.0\.0\.1:\d+ (.*) [0-9.]+ms$",
            server.stderr,
        )

    server.wait_for(lambda: len(found()) >= count)
    return found()


PREFLIGHT = {"Access-Control-Request-Method": "PUT"}
#: Method, path and headers of requests; status and length of what answers them.
EXCHANGES = [
    ("GET", "/sized", {"Origin": ORIGIN}, 200, 5),
    ("OPTIONS", "/sized", {"Origin": ORIGIN, **PREFLIGHT}, 200, 0),
    ("OPTIONS", "/sized", {"Origin": STRANGER, **PREFLIGHT}, 403, 61),
    ("GET", "/raises", {"Origin": ORIGIN, "X-Request-Id": "abc-123"}, 500, 43),
    ("GET", "/generated", {"Origin": ORIGIN}, 200, 9),
    ("GET", "/sized", {}, 200, 5),
]


@pytest.mark.parametrize("name", ["waitress", "gunicorn-gthread"])
def test_one_connection_serves_every_kind_of_answer(name: str) -> None:
    """Preflight answers, refusals and error pages have a length, and leave the connection open."""
    with (
        running(name) as server,
        closing(HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection,
    ):
        connection.connect()
        opened = connection.sock
        for method, path, headers, status, length in EXCHANGES:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            assert response.status == status
            assert response.headers.get_all("Content-Length") == [str(length)]
            assert response.headers.get_all("Transfer-Encoding") is None
            assert len(response.read()) == length
            # It is another one, or none, if the server has closed the first.
            assert connection.sock is opened
        assert recorded(server, len(EXCHANGES)) == [
            f"{method} {path} HTTP/1.1 {status} {length}"
            for method, path, _, status, length in EXCHANGES
        ]


@pytest.mark.parametrize(
    ("path", "body", "logged"),
    [
        # Of the number of its chunks: it is one.
        pytest.param("/single", b"single", "6", id="tuple"),
        # Of the size of the file: the body is waitress's own wrapper, whose bytes are not counted.
        pytest.param("/file", CONTENT, "-", id="file"),
    ],
)
def test_waitress_finds_a_length_that_the_application_left_out(
    path: str, body: bytes, logged: str
) -> None:
    """The body that waitress gets is the application's, so it knows what it knows without us."""
    Path("content").write_bytes(CONTENT)
    with running("waitress") as server:
        answer = server.request("GET", path, {"Origin": ORIGIN})
        records = recorded(server)
    assert answer.header("Content-Length") == str(len(body))
    assert answer.header("Transfer-Encoding") is None
    assert answer.body == body
    assert records == [f"GET {path} HTTP/1.1 200 {logged}"]


@pytest.mark.parametrize("name", ["gunicorn-sync", "gunicorn-gthread"])
def test_gunicorn_hands_a_file_to_the_kernel(name: str) -> None:
    """Without a Content-Length, what goes out by sendfile is one chunk, of the whole file.

    A wrapped body would be iterated, and each of its blocks of 8 KiB would be a chunk.
    """
    Path("content").write_bytes(CONTENT)
    with (
        running(name) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=60) as client,
    ):
        client.sendall(
            b"GET /file HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nOrigin: %s\r\nConnection: close\r\n\r\n"
            % (server.port, ORIGIN.encode())
        )
        head, _, body = client.makefile("rb").read().partition(b"\r\n\r\n")
        records = recorded(server)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Transfer-Encoding: chunked" in head
    # Compared as chunks: a difference of two mebibytes is nothing to read.
    assert re.findall(rb"\r\n([0-9A-F]+)\r\n", b"\r\n" + body) == [b"100000", b"0"]
    assert body == b"100000\r\n" + CONTENT + b"\r\n0\r\n\r\n"
    assert records == ["GET /file HTTP/1.1 200 -"]


@pytest.mark.parametrize("name", ["gunicorn-gthread", "gunicorn-gevent"])
def test_a_websocket_ends_without_an_error(name: str) -> None:
    """Flask-Sock raises ``StopIteration`` at its end, which tells gunicorn to leave the socket."""
    with running(name) as server:
        client = Client(f"ws://127.0.0.1:{server.port}/socket", headers={"Origin": ORIGIN})
        client.send("hello")
        received = client.receive()
        client.close()
        server.wait_for(lambda: "GET /socket HTTP/1.1" in server.stderr)
    assert received == "hello"
    assert "[wsgi_mw_paste.errors]" not in server.stderr
    assert "Traceback" not in server.stderr


@pytest.mark.parametrize("name", ["gunicorn-gthread", "gunicorn-gevent"])
def test_any_other_stop_iteration_is_answered(name: str) -> None:
    """Gunicorn would close the connection without a word."""
    with running(name) as server:
        answer = server.request("GET", "/finds-nothing", {"X-Request-Id": "abc-123"})
    assert answer.code == 500
    assert answer.body == b"Internal Server Error\n\nrequest id: abc-123\n"
    assert "[abc-123] StopIteration escaped the application\nTraceback" in server.stderr
