"""The clients: many requests at once, and the search for ids that are not where they belong."""

from __future__ import annotations

import re
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection, IncompleteRead
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.servers.servers import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Collection

    from tests.servers.servers import Running

LOGS = ("formatted", "filtered", "queued")
#: The ids that the clients send, and those that are generated.
ID = r"id-[0-9]{4}|[0-9a-f]{32}"


class Kind(NamedTuple):
    """A kind of request and what becomes of it.

    :ivar path: the part of the path that chooses the answer.
    :ivar status: of the answer and of the access record.
    :ivar sent: an id is sent; otherwise one is generated.
    :ivar aborted: the client goes away in the middle of the body.
    """

    path: str
    status: int = 200
    level: str = "INFO"
    method: str = "GET"
    sent: bool = True
    aborted: bool = False


KINDS = (
    Kind("plain"),
    Kind("head", method="HEAD"),
    Kind("plain", sent=False),
    Kind("streamed"),
    Kind("streamed", sent=False),
    Kind("large", aborted=True),
    Kind("lazy"),
    Kind("written"),
    Kind("file"),
    Kind("threads"),
    Kind("raises", 500, "ERROR"),
    Kind("late", 500, "ERROR"),
    Kind("second", 500, "ERROR"),
    Kind("breaks", 200, "ERROR"),
)


class Exchange(NamedTuple):
    """What a client has seen.

    :ivar key: the part of the path that no other request has.
    :ivar headers: the values of ``X-Request-Id``.
    :ivar body: the different ids in the body.
    """

    kind: Kind
    key: str
    status: int
    headers: list[str]
    body: set[str]

    @property
    def request_id(self) -> str:
        return f"id-{self.key}" if self.kind.sent else self.headers[0]


class Record(NamedTuple):
    """A log record as it is written down; a traceback is part of the message."""

    request_id: str
    level: str
    logger: str
    message: str

    @property
    def key(self) -> str:
        """Return the key of the request it belongs to, empty for none."""
        found = re.search(r"/[a-z]+/([0-9]{4})\b", self.message)
        return found[1] if found else ""

    @property
    def inside(self) -> bool:
        """Say whether it comes from behind our filter, in the course of a request."""
        return bool(self.key) and (
            self.logger.startswith("wsgi_mw_paste.") or self.logger.endswith(".app")
        )


def drive(
    server: Running, numbers: range, clients: int = 20, lacks: Collection[str] = ()
) -> list[Exchange]:
    """Send one request for each number, of all kinds in turn, and wait for their records."""
    kinds = [kind for kind in KINDS if kind.path not in lacks]
    with ThreadPoolExecutor(clients) as pool:
        exchanges = list(
            pool.map(
                lambda number: _request(server.port, kinds[number % len(kinds)], number), numbers
            )
        )
    server.wait_for(
        lambda: all(_text(log).count(" wsgi_mw_paste.access ") >= numbers.stop for log in LOGS)
    )
    return exchanges


def _request(port: int, kind: Kind, number: int) -> Exchange:
    key = f"{number:04}"
    with closing(HTTPConnection("127.0.0.1", port)) as connection:
        # A small window, so that a server cannot send a large body without its client.
        connection.sock = socket.socket()
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sock.settimeout(PATIENCE)
        connection.sock.connect(("127.0.0.1", port))
        headers = {"X-Request-Id": f"id-{key}"} if kind.sent else {}
        connection.request(kind.method, f"/{kind.path}/{key}", headers=headers)
        response = connection.getresponse()
        try:
            body = response.read(1000 if kind.aborted else None)
        except IncompleteRead as error:
            body = error.partial
        values = [value for name, value in response.getheaders() if name.lower() == "x-request-id"]
        return Exchange(kind, key, response.status, values, set(re.findall(ID, body.decode())))


def _text(log: str) -> str:
    return Path(f"{log}.log").read_text()


def records(log: str) -> list[Record]:
    found = re.findall(
        r"^@@ (\S+) (\S+) (\S+) (.*(?:\n(?!@@ |\Z).*)*)", _text(log), flags=re.MULTILINE
    )
    return [Record(*fields) for fields in found]


def assert_every_id_in_its_place(exchanges: list[Exchange]) -> None:
    """Fail if an id is in a response or record of another request, or of none, or is missing."""
    ids = {exchange.key: exchange.request_id for exchange in exchanges}
    assert len(set(ids.values())) == len(exchanges)
    assert [
        exchange
        for exchange in exchanges
        if exchange.headers != [exchange.request_id]
        or exchange.body != ({exchange.request_id} if exchange.kind.method != "HEAD" else set())
    ] == []
    for log in LOGS:
        assert [
            record
            for record in records(log)
            if record.request_id != (ids[record.key] if record.inside else "-")
            or not set(re.findall(ID, record.message)) <= {ids.get(record.key)}
        ] == []


def assert_one_access_record_each(exchanges: list[Exchange]) -> None:
    """Fail unless each request has one access record, of the right level and status."""
    expected = Counter(
        (exchange.key, exchange.kind.level, str(exchange.status)) for exchange in exchanges
    )
    for log in LOGS:
        assert expected == Counter(
            (record.key, record.level, record.message.split(" ")[4])
            for record in records(log)
            if record.logger == "wsgi_mw_paste.access"
        )
    assert [exchange for exchange in exchanges if exchange.status != exchange.kind.status] == []
