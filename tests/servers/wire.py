"""Requests that no client library would send, as bytes, and a strict reader of what comes back."""

from __future__ import annotations

import contextlib
import re
import socket
from typing import Final, NamedTuple

from tests.servers.servers import PATIENCE, Underscored, Wire

#: A pattern of the ids that our filter generates.
NEW: Final = "[0-9a-f]{32}"
#: What is in ids that are not valid, and what is in everything else that is hostile.
EVIL, WICKED = b"evil!", b"wicked!"
#: As a line of the text log begins.
FORGED: Final = b"@@ forged INFO wsgi_mw_paste.access a GET /forged HTTP/1.1 200 0 0ms "


class Attack(NamedTuple):
    """What is sent on a connection of its own.

    :ivar ids: for each request in there, a pattern of the id that it may be answered with.
    :ivar statuses: what they may be answered with. Only an application that raises makes a 500.
    :ivar ends: the server can see where the last request ends. Otherwise the client ends its half
        of the connection, and some servers then forget about the response.
    """

    data: bytes
    ids: tuple[str, ...]
    statuses: tuple[int, ...] = (200,)
    ends: bool = True


def request(
    *lines: bytes,
    start: bytes = b"GET / HTTP/1.1",
    host: bytes = b"Host: a\r\n",
    body: bytes = b"",
) -> bytes:
    return b"%b\r\n%b%b\r\n%b" % (start, host, b"".join(line + b"\r\n" for line in lines), body)


BEFORE: Final = request(b"X-Request-Id: before")
OWN: Final = b"X-Request-Id: own"
#: Of a request behind which the client ends the connection: the response may get lost.
CUT: Final = b"X-Request-Id: cut"
AFTER: Final = request(b"X-Request-Id: after", b"Connection: close")
ALLOWED: Final = b"Origin: https://app.example.com"
METHOD: Final = b"Access-Control-Request-Method: PUT"
PREFLIGHT: Final = b"OPTIONS / HTTP/1.1"
POST: Final = b"POST / HTTP/1.1"
CHUNKED: Final = b"Transfer-Encoding: chunked"


def poisons(evil: bytes) -> dict[str, bytes]:
    """Return what may follow on a harmless beginning; *evil* is in all of it."""
    return {
        "lf": b"\nX-Evil: " + evil,
        "lf-lf": b"\n\nHTTP/1.1 200 OK\nX-Evil: " + evil + b"\n\n",
        "cr": b"\rX-Evil: " + evil,
        "nul": b"\0" + evil,
        "esc": b"\x1b[2J" + evil,
        "del": b"\x7f" + evil,
        "controls": bytes({*range(1, 32)} - {*b"\t\n\r"}) + evil,
        "high": bytes(range(0x80, 0x100)) + evil,
        "u2028": f"\u2028{FORGED.decode()}\u2029\u0085".encode() + evil,
        "folded": b"\r\n X-Evil: " + evil,
        "folded-tab": b"\r\n\t" + FORGED + evil,
        "folded-empty": b"\r\n \r\n " + evil,
        "forged": b" " + FORGED + evil,
        "encoded": b"%0d%0aX-Evil%3a1%0d%0a%0d%0a" + evil,
        "quotes": b'"],"x":"\'`$(1);<b>\\' + evil,
        "60-kB": evil * 12_000,
        "300-kB": evil * 60_000,
    }


def _around(*lines: bytes, id_: str = "own", **parts: bytes) -> Attack:
    """Return a hostile request and, on the same connection, a plain one."""
    return Attack(request(*lines, **parts) + AFTER, (id_, "after"))


def _in_headers() -> dict[str, Attack]:
    """Put every poison behind the values of the headers that our filters read, and into a name."""
    attacks = {}
    for name, poison in poisons(EVIL).items():
        attacks[f"id-{name}"] = _around(b"X-Request-Id: one" + poison, id_=f"one|{NEW}")
    for name, poison in poisons(WICKED).items():
        attacks |= {
            f"origin-{name}": _around(OWN, ALLOWED + poison),
            f"traceparent-{name}": _around(OWN, b"traceparent: 00-1" + poison),
            f"tracestate-{name}": _around(OWN, b"traceparent: 1", b"tracestate: a=1" + poison),
            f"bearer-{name}": _around(OWN, b"Authorization: Bearer one" + poison),
            f"agent-{name}": _around(OWN, b"User-Agent: one" + poison),
            f"host-{name}": _around(
                OWN, host=b"Host: a" + poison + b"\r\n", id_=f"own|{NEW}"
            ),
            f"name-{name}": _around(OWN, b"X-One" + poison + b": one"),
            # The header that errors reads for its answer.
            f"accept-{name}": _around(
                OWN, b"Accept: application/json" + poison, start=b"GET /?raise HTTP/1.1"
            )._replace(statuses=(500, 200)),
            f"method-{name}": _around(
                OWN, ALLOWED, METHOD + poison, start=PREFLIGHT
            )._replace(statuses=(200, 403)),
            f"headers-{name}": _around(
                OWN,
                *(ALLOWED, METHOD, b"Access-Control-Request-Headers: x-a" + poison),
                start=PREFLIGHT,
            )._replace(statuses=(200, 403)),
        }  # fmt: skip
    return attacks


def _in_start_lines() -> dict[str, Attack]:
    """Put every poison into the method, the path, the query and the version; and write odd ones."""
    attacks: dict[str, Attack] = {}
    for name, poison in poisons(WICKED).items():
        # A line feed ends the headers, so that the id is not among them.
        ids = f"own|{NEW}"
        attacks |= {
            f"verb-{name}": _around(OWN, start=b"GET" + poison + b" / HTTP/1.1", id_=ids),
            f"url-path-{name}": _around(OWN, start=b"GET /a" + poison + b" HTTP/1.1", id_=ids),
            f"url-query-{name}": _around(OWN, start=b"GET /?a" + poison + b" HTTP/1.1", id_=ids),
            f"version-{name}": _around(OWN, start=b"GET / HTTP/1.1" + poison, id_=ids),
        }
    odd = {
        "lower-case": b"get / HTTP/1.1",
        "unknown": b"WICKED / HTTP/1.1",
        "absolute": b"GET http://wicked.example/ HTTP/1.1",
        "authority": b"GET wicked.example:80 HTTP/1.1",
        "star": b"OPTIONS * HTTP/1.1",
        "relative": b"GET wicked HTTP/1.1",
        "2.0": b"GET / HTTP/2.0",
        "blanks": b"GET  /  HTTP/1.1",
        "tabs": b"GET\t/\tHTTP/1.1",
    }
    attacks |= {
        f"start-{name}": _around(OWN, start=start, id_=f"own|{NEW}") for name, start in odd.items()
    }
    attacks["start-1.0"] = Attack(request(OWN, start=b"GET / HTTP/1.0"), ("own",))
    attacks["start-0.9"] = Attack(b"GET /\r\n", (NEW,), ends=False)
    # Servers disagree on whether these end the connection.
    for name, start in {
        "1.9": b"GET / HTTP/1.9",
        "connect": b"CONNECT wicked.example:80 HTTP/1.1",
    }.items():
        attacks[f"start-{name}"] = Attack(request(CUT, start=start), ("cut",), ends=False)
    return attacks


def _odd_headers() -> dict[str, Attack]:
    return {
        "id-empty": _around(b"X-Request-Id:", id_=NEW),
        "id-blank": _around(b"X-Request-Id: \t ", id_=NEW),
        "id-dots": _around(b"X-Request-Id: ../evil!", id_=NEW),
        "id-capitals": _around(b"X-REQUEST-ID: one", id_="one"),
        "id-lower-case": _around(b"x-request-id: one", id_="one"),
        "id-blanks-around": _around(b"X-Request-Id: \t one\t ", id_="one"),
        "id-blank-before-colon": _around(b"X-Request-Id : one", id_=f"one|{NEW}"),
        "id-tab-before-colon": _around(b"X-Request-Id\t: one", id_=f"one|{NEW}"),
        "id-after-blank": _around(host=b" X-Request-Id: one\r\n", id_=f"one|{NEW}"),
        "id-twice": _around(b"X-Request-Id: one", b"X-Request-Id: two", id_=f"one|two|{NEW}"),
        "id-twice-evil": _around(b"X-Request-Id: one", b"X-Request-Id: evil!", id_=f"one|{NEW}"),
        "origin-empty": _around(OWN, b"Origin:"),
        "origin-twice": _around(OWN, ALLOWED, b"Origin: https://wicked.example"),
        "headers-twice": _around(
            OWN,
            *(ALLOWED, METHOD, *[b"Access-Control-Request-Headers: x-a"] * 2),
            start=PREFLIGHT,
        ),
        "host-port": _around(OWN, host=b"Host: a:wicked\r\n"),
        "host-none": _around(OWN, host=b""),
        "host-twice": _around(OWN, b"Host: wicked.example"),
        "name-without-colon": _around(OWN, b"wicked"),
        "name-empty": _around(OWN, b": wicked"),
        "name-blank": _around(OWN, b"X Evil: 1"),
        "name-many": _around(OWN, *[b"X-%d: wicked" % number for number in range(3000)]),
        "no-lines": Attack(b"\r\n\r\n" + BEFORE + AFTER, (f"before|{NEW}", "after")),
        "only-newlines": Attack(request(CUT).replace(b"\r\n", b"\n"), ("cut",), ends=False),
        "only-returns": Attack(request(CUT).replace(b"\r\n", b"\r"), (), ends=False),
        "only-zeros": Attack(bytes(512), (), ends=False),
        "only-bytes": Attack(bytes(range(256)) * 4, (), ends=False),
        "only-tls": Attack(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", (), ends=False),
    }  # fmt: skip


def _bodies() -> dict[str, Attack]:
    """Return requests whose bodies end here or there. Reading one may raise in the application."""
    lengths = {
        "two": b"5\r\nContent-Length: 6",
        "same": b"5\r\nContent-Length: 5",
        "list": b"5, 5",
        "plus": b"+5",
        "minus": b"-5",
        "hex": b"0x5",
        "word": b"wicked",
        "empty": b"",
        "digits": b"9" * 5000,
        "high": b"\xb2",
        "u0665": "\u0665".encode(),
    }
    attacks = {
        f"length-{name}": _around(OWN, b"Content-Length: " + value, start=POST, body=b"hello")
        for name, value in lengths.items()
    }
    chunks = {
        "good": b"5\r\nhello",
        "word": b"wicked\r\nhello",
        "minus": b"-5\r\nhello",
        "less": b"3\r\nhello",
        "more": b"7\r\nhello",
        "newline": b"5\nhello",
        "extension": b"5;wicked=\x1b\r\nhello",
        "trailer": b"5\r\nhello\r\n0\r\nX-Request-Id: evil!\r\nX-Evil: 1\r\n\r\n",
    }
    end = b"\r\n0\r\n\r\n"
    attacks |= {
        f"chunk-{name}": _around(OWN, CHUNKED, start=POST, body=data + end * (name != "trailer"))
        for name, data in chunks.items()
    }
    five = b"Content-Length: 5"
    attacks |= {
        "body-good": _around(OWN, five, start=POST, body=b"hello"),
        "body-both": _around(OWN, five, CHUNKED, start=POST, body=b"0\r\n\r\n"),
        "body-both-reversed": _around(OWN, CHUNKED, five, start=POST, body=b"0\r\n\r\n"),
        "body-chunked-twice": _around(OWN, CHUNKED, CHUNKED, start=POST, body=b"0\r\n\r\n"),
        "body-coded": _around(OWN, b"Transfer-Encoding: wicked", start=POST),
        "body-vt": _around(OWN, b"Transfer-Encoding: \x0bchunked", start=POST, body=b"0\r\n\r\n"),
        "body-1.0": Attack(
            request(OWN, CHUNKED, start=b"POST / HTTP/1.0", body=b"0\r\n\r\n"), ("own",)
        ),
    }
    # Behind these, the server waits for more.
    attacks |= {
        name: Attack(request(CUT, line, start=POST, body=body), ("cut",), ends=False)
        for name, line, body in [
            ("body-short", b"Content-Length: 500", b"hello"),
            ("chunk-huge", CHUNKED, b"f" * 64 + b"\r\n"),
        ]
    }
    return {name: attack._replace(statuses=(200, 500)) for name, attack in attacks.items()}


def _pipelines() -> dict[str, Attack]:
    """Return good requests around a hostile one."""
    ids = ("before", f"one|{NEW}", "before", "after")
    return {
        f"pipeline-{name}": Attack(
            BEFORE + request(b"X-Request-Id: one" + poison) + BEFORE + AFTER, ids
        )
        for name, poison in [("good", b""), *poisons(EVIL).items()]
    }


def _underscored(underscored: Underscored) -> dict[str, Attack]:
    """Return requests with ``_`` for ``-`` in headers, which are the same key in an environ."""
    one, under = b"X-Request-Id: one", b"X_Request_Id: under"
    ids = {
        Underscored.DROPPED: (NEW, NEW, "one", "one", "one"),
        Underscored.JOINED: ("under", "under", NEW, NEW, NEW),
        Underscored.LAST: ("under", "under", "under", "one", NEW),
    }[underscored]
    lines = {
        "alone": [under],
        "mixed": [b"X-Request_Id: under"],
        "after": [one, under],
        "before": [under, one],
        "evil": [one, b"X_Request_Id: evil!"],
    }
    attacks = {
        f"underscored-{name}": _around(*lines[name], id_=id_)
        for name, id_ in zip(lines, ids, strict=True)
    }
    method = b"Access_Control_Request_Method: P(T"
    status = 200 if underscored is Underscored.DROPPED else 403
    for name, others in {"method": (), "methods": (METHOD,)}.items():
        attacks[f"underscored-{name}"] = _around(
            OWN, ALLOWED, *others, method, start=PREFLIGHT
        )._replace(statuses=(status, 200))
    return attacks


def attacks(underscored: Underscored) -> dict[str, Attack]:
    """Return everything that is sent to a server."""
    return {
        **_in_headers(),
        **_in_start_lines(),
        **_odd_headers(),
        **_bodies(),
        **_pipelines(),
        **_underscored(underscored),
        "raises": _around(OWN, start=b"GET /%0d%0a?raise HTTP/1.1")._replace(statuses=(500, 200)),
    }


class Response(NamedTuple):
    """A response, as RFC 9112 has it.

    :ivar status: 0 for HTTP/0.9, which has a body only.
    :ivar headers: names in lower case, and values.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def request_id(self) -> str | None:
        """The id that our filter has given it; ``None`` if the server answers by itself."""
        # Without headers: from the body of our application.
        bare = re.match(rb'\["([0-9a-z]+)", ', self.body)
        ids = [value for name, value in self.headers if name == "x-request-id"]
        return ids[0] if ids else bare and bare[1].decode()


def parse(data: bytes, facts: Wire) -> list[Response]:
    """Read responses up to the last byte; fail if one of these is not as RFC 9112 has it."""
    if facts.bare and not data.startswith(b"HTTP/"):
        return [Response(0, [], data)] * bool(data)
    head = re.compile(
        rb"%b ([1-5][0-9]{2}) [\t -~\x80-\xff]*\r\n"
        rb"((?:[!#$%%&'*+.^_`|~0-9A-Za-z-]+:[\t -~]*\r\n)*)\r\n" % facts.protocol
    )
    found = []
    while data:
        start = head.match(data)
        assert start, data[:300]
        pairs = [pair.partition(":") for pair in start[2].decode("ascii").splitlines()]
        headers = [(name.lower(), value.strip()) for name, _, value in pairs]
        body, data = _body(dict(headers), data[start.end() :])
        found.append(Response(int(start[1]), headers, body))
    return found


def _body(headers: dict[str, str], data: bytes) -> tuple[bytes, bytes]:
    """Return the body, and what comes after it: RFC 9112, section 6.3."""
    # Our application, our filters and what servers say by themselves: all tell the length, or
    # close the connection.
    length = int(headers.get("content-length", len(data)))
    assert length <= len(data), data[:300]
    return data[:length], data[length:]


def send(port: int, attack: Attack) -> bytes:
    """Send it on a connection of its own; return what comes back until the connection ends."""
    received = b""
    # A server that refuses a request need not read all of it.
    with (
        socket.create_connection(("127.0.0.1", port), PATIENCE) as client,
        contextlib.suppress(ConnectionError),
    ):
        with contextlib.suppress(OSError):
            client.sendall(attack.data)
            if not attack.ends:
                client.shutdown(socket.SHUT_WR)
        while chunk := client.recv(65536):
            received += chunk
    return received
