"""A small HTTP/1.1 client that sends bytes as they are, keeps its connection, and may hang up.

It is for load on loopback. For anything else the standard library's is better.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from io import BufferedReader

#: How long a server may take to answer, in seconds.
_PATIENCE = 60


class Response(NamedTuple):
    """A response as it was received.

    :ivar headers: by their names in lower case; of a repeated header, the last.
    :ivar is_complete: the body ended as it should, and not with the connection.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    is_complete: bool


class Client:
    """A connection to a port of 127.0.0.1, which is opened again when the server has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None
        self._file: BufferedReader | None = None

    def close(self) -> None:
        """Close the connection. If the response has not been read, the server notices."""
        if self._socket is not None and self._file is not None:
            self._file.close()
            self._socket.close()
        self._socket = self._file = None

    def send(self, request: bytes) -> BufferedReader:
        """Send a request; return what the response can be read from."""
        if self._socket is None or self._file is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=_PATIENCE)
            self._file = self._socket.makefile("rb")
        self._socket.sendall(request)
        return self._file

    def ask(self, request: bytes) -> Response:
        """Send a request; return its response.

        :raises OSError: the connection failed before there was a response.
        """
        file = self.send(request)
        status, headers = _head(file)
        body, is_complete = _body(file, headers)
        if not is_complete or headers.get("connection", "").lower() == "close":
            self.close()
        return Response(status, headers, body, is_complete)

    def hang_up(self, request: bytes, *, after_head: bool) -> None:
        """Send a request and close the connection, at once or when the response has begun."""
        file = self.send(request)
        if after_head:
            _head(file)
        self.close()


def request(method: str, path: str, lines: str = "", body: bytes = b"") -> bytes:
    """Return the bytes of a request.

    :param lines: more header lines, each with its line break.
    """
    if body:
        lines += f"Content-Length: {len(body)}\r\n"
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode("latin-1") + body


def _head(file: BufferedReader) -> tuple[int, dict[str, str]]:
    """Read a response up to its body."""
    first = file.readline()
    if not first:
        raise ConnectionResetError("the server closed the connection")
    headers = {}
    while line := file.readline().decode("latin-1").rstrip("\r\n"):
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return int(first.split()[1]), headers


def _body(file: BufferedReader, headers: dict[str, str]) -> tuple[bytes, bool]:
    """Read a body; say whether it is complete."""
    if headers.get("transfer-encoding", "").lower() != "chunked":
        length = int(headers["content-length"])
        body = file.read(length)
        return body, len(body) == length
    chunks = []
    while line := file.readline():
        size = int(line, 16)
        chunks.append(file.read(size))
        file.readline()
        if size == 0:
            return b"".join(chunks), True
    return b"".join(chunks), False
