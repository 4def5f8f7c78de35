"""What of a response is on the wire, on every server, however the application makes it or fails."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.servers.servers import PATIENCE, Server, output, rows, running

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from io import BufferedReader

    from tests.servers.servers import Running

#: As each chunk of the application has it.
LINE = b"id-000\n"
#: Headers that servers add to responses. Some know the length of a body that does not tell it.
THEIRS = {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"}
#: What our filters add.
OURS = {
    "x-request-id": ["id-000"],
    "access-control-allow-origin": ["https://app.example.com"],
    "vary": ["Origin"],
}
TEXT = OURS | {"content-type": ["text/plain"]}
SIZED = TEXT | {"content-length": ["14"]}
ERROR_BODY = b"Internal Server Error\n\nrequest id: id-000\n"
ERROR = OURS | {
    "content-type": ["text/plain; charset=UTF-8"],
    "cache-control": ["no-store"],
    "content-length": [str(len(ERROR_BODY))],
}


class Response(NamedTuple):
    """What a client makes of the bytes on the wire.

    :ivar headers: their values, by their names in lower case.
    :ivar whole: nothing is missing at the end of the body.
    """

    status: int
    headers: Mapping[str, Sequence[str]]
    body: bytes = b""
    whole: bool = True


FAILED = Response(500, ERROR, ERROR_BODY)
#: What answers a request, by its method and the kind of its application.
EXPECTED = {
    ("GET", "plain"): Response(200, TEXT, LINE),
    ("GET", "generated"): Response(200, SIZED, 2 * LINE),
    ("GET", "padded"): Response(200, TEXT, 2 * LINE),
    ("GET", "written"): Response(200, TEXT, 2 * LINE),
    ("GET", "nothing"): Response(200, TEXT),
    ("GET", "unmodified"): Response(304, OURS | {"etag": ['"one"']}),
    ("GET", "raises"): FAILED,
    ("GET", "late"): FAILED,
    ("GET", "first"): FAILED,
    ("GET", "second"): FAILED,
    ("GET", "half"): Response(200, SIZED, LINE, whole=False),
    ("HEAD", "head"): Response(200, TEXT | {"content-length": ["7"]}),
    ("HEAD", "headed"): Response(200, SIZED),
    ("HEAD", "unmodified"): Response(304, OURS | {"etag": ['"one"']}),
    ("HEAD", "raises"): Response(500, ERROR),
    ("HEAD", "late"): Response(500, ERROR),
    ("HEAD", "second"): Response(500, ERROR),
}


@pytest.mark.parametrize("row", rows())
def test_a_response_is_exactly_one_response(row: Server) -> None:
    """Each header is there once and each byte of the body is right, or the connection is cut."""
    expected = {wanted: EXPECTED[wanted] for wanted in EXPECTED if wanted[1] not in row.lacks}
    with running(row.command) as server:
        found = {
            wanted: without_theirs(exchange(server, *wanted), response)
            for wanted, response in expected.items()
        }
    assert found == expected


@pytest.mark.parametrize("row", rows(["tornado"]))  # pragma: no cover -- for make test-all
def test_tornado_sends_nothing_of_a_response_that_fails_half_way(row: Server) -> None:
    """It logs the exception and keeps the connection: the client waits until its own timeout."""
    with (
        running(row.command) as server,
        socket.create_connection(("127.0.0.1", server.port), PATIENCE) as client,
    ):
        client.sendall(request("GET", "half", "close"))
        server.wait_for(lambda: "ERROR tornado.application" in output())
        client.settimeout(0)
        with pytest.raises(BlockingIOError):
            client.recv(1)


@pytest.mark.parametrize("row", rows(["granian"]))  # pragma: no cover -- for make test-all
def test_granian_cuts_the_connection_of_a_response_that_fails_half_way(row: Server) -> None:
    """The first half may have been sent by then, or nothing: both tell the client."""
    with (
        running(row.command) as server,
        socket.create_connection(("127.0.0.1", server.port), PATIENCE) as client,
        client.makefile("rb") as stream,
    ):
        client.sendall(request("GET", "half", "close"))
        assert stream.peek(1) == b"" or not read_response(stream, "GET").whole


def exchange(server: Running, method: str, kind: str) -> Response:
    """Send a request; return the response, after which there must be nothing, or the next one."""
    with (
        socket.create_connection(("127.0.0.1", server.port), PATIENCE) as client,
        client.makefile("rb") as stream,
    ):
        client.sendall(request(method, kind, "keep-alive"))
        response = read_response(stream, method)
        # Servers may close the connection after any response.
        with contextlib.suppress(OSError):
            client.sendall(request("GET", "plain", "close"))
            if stream.peek(1):
                plain = EXPECTED["GET", "plain"]
                assert without_theirs(read_response(stream, "GET"), plain) == plain
                assert stream.read() == b""
    return response


def without_theirs(response: Response, expected: Response) -> Response:
    """Remove the headers that only the server sends, and sends once."""
    added = THEIRS - expected.headers.keys()
    assert [name for name in added if len(response.headers.get(name, "1")) != 1] == []
    kept = {name: value for name, value in response.headers.items() if name not in added}
    return response._replace(headers=kept)


def request(method: str, kind: str, connection: str) -> bytes:
    return f"""{method} /{kind}/0000 HTTP/1.1\r
Host: app.example.com\r
Origin: https://app.example.com\r
X-Request-Id: id-000\r
Connection: {connection}\r
\r
""".encode()


def read_response(stream: BufferedReader, method: str) -> Response:
    """Read one response, to where RFC 9112 has its end (section 6.3)."""
    status = int(stream.readline().split()[1])
    headers: dict[str, list[str]] = {}
    while line := stream.readline().decode("ascii").strip():
        name, _, value = line.partition(": ")
        headers.setdefault(name.lower(), []).append(value)
    body, whole = b"", True
    if method == "HEAD" or status == 304:
        pass
    elif "transfer-encoding" in headers:
        while size := int(stream.readline() or b"0", 16):
            body += stream.read(size)
            assert stream.readline() == b"\r\n"
        whole = stream.readline() == b"\r\n"
    elif "content-length" in headers:
        length = int(headers["content-length"][0])
        body = stream.read(length)
        whole = len(body) == length
    else:
        body = stream.read()
    return Response(status, headers, body, whole)
