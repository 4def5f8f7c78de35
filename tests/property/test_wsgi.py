"""Whatever an application does, a client sees the same with our filters and without them.

Applications are made up of all that PEP 3333 allows: a status, headers, chunks, some of them empty,
``write()``, a late ``start_response``, a second one with ``exc_info``, a body with ``close`` or
without, and an exception anywhere.
"""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import gevent
from greenlet import GreenletExit
from hypothesis import example, given
from hypothesis import strategies as st

from tests.failing import lose
from tests.wsgi import between_validators, make_environ
from wsgi_mw_paste import factories

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from tests.wsgi import Middleware

    Headers = list[tuple[str, str]]

ORIGIN: Final = "https://app.example.com"
FILTERS: Final[dict[str, Middleware]] = {
    "cors": factories.cors({}, cors_allowed=ORIGIN, cors_expose_headers="X-A"),
    "request_id": factories.request_id({}, log_tokens="false"),
    "errors": factories.errors({}),
    "health": factories.health({}),
    "main": factories.main({}, cors_allowed=ORIGIN, log_tokens="false"),
}
#: Headers that the filters replace or add, in lower case.
OURS: Final = ("access-control-", "x-request-id", "vary")
#: Where exceptions are answered.
ANSWERING: Final = ("errors", "main")
#: An ``Exception`` is answered; what stops a worker or a greenlet always goes on.
ERRORS: Final[tuple[type[BaseException], ...]] = (
    ValueError,
    MemoryError,
    RecursionError,
    KeyboardInterrupt,
    SystemExit,
    GreenletExit,
    gevent.Timeout,
)


@dataclass
class App:
    """An application, and at the same time the body that it answers with.

    :ivar written: what it passes to ``write()``.
    :ivar fails: what raises: nothing, the call before ``start_response`` or after it or after
        ``write()``, ``iter()``, the end of the body, ``close()``; or the chunk of that number.
    :ivar again: how ``start_response`` is called a second time, before the first chunk; after
        ``write()`` if *is_again_late*.
    """

    status: str = "200 OK"
    headers: Headers = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    written: list[bytes] = field(default_factory=list)
    kind: Literal["list", "tuple", "object", "closing"] = "closing"
    is_late: bool = False
    again: Literal["", "positional", "keyword"] = ""
    is_again_late: bool = False
    fails: Literal["", "call", "started", "written", "iter", "end", "close"] | int = ""
    error: type[BaseException] = ValueError
    closed: int = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self._raise_at("call")
        self._start_response = start_response
        if not self.is_late or self.kind in ("list", "tuple"):
            self._start()
        body = _Body(self)
        if self.kind == "closing":
            return _ClosingBody(self)
        return {"list": list, "tuple": tuple}.get(self.kind, lambda _: body)(self.chunks)

    def start_once(self) -> None:
        """Call ``start_response``, if the first chunk is asked for and it has not been called."""
        if self.is_late:
            self.is_late = False
            self._start()

    def _start(self) -> None:
        start_response: Any = self._start_response
        write = start_response(self.status, [*self.headers])
        self._raise_at("started")
        if self.again and not self.is_again_late:
            write = self._start_again(start_response)
        for data in self.written:
            write(data)
        self._raise_at("written")
        if self.again and self.is_again_late:
            self._start_again(start_response)

    def _start_again(self, start_response: Any) -> Any:
        status, headers = "503 Service Unavailable", [("Content-Type", "text/x-again")]
        try:
            lose()
        except KeyError:
            if self.again == "keyword":
                return start_response(status, headers, exc_info=sys.exc_info())
            return start_response(status, headers, sys.exc_info())

    def _raise_at(self, place: str | int) -> None:
        if self.fails == place:
            raise self.error

    def next_chunk(self, number: int) -> bytes:
        """Return the chunk of this number, or raise what is to be raised there."""
        self.start_once()
        self._raise_at(number)
        if number == len(self.chunks):
            self._raise_at("end")
            raise StopIteration
        return self.chunks[number]

    def begin(self) -> None:
        self._raise_at("iter")

    def close(self) -> None:
        self.closed += 1
        self._raise_at("close")


class _Body:
    def __init__(self, app: App) -> None:
        self._app = app
        self._number = 0

    def __iter__(self) -> Iterator[bytes]:
        self._app.begin()
        return self

    def __next__(self) -> bytes:
        self._number += 1
        return self._app.next_chunk(self._number - 1)


class _ClosingBody(_Body):
    def close(self) -> None:
        self._app.close()


@dataclass
class Seen:
    """What a client has got of a response, and how the request ended for the server."""

    status: str = ""
    headers: Headers = field(default_factory=list)
    body: bytes = b""
    error: type[BaseException] | None = None
    #: How often the application's body was closed.
    closed: int = 0

    def applications(self) -> tuple[str, Headers, bytes, type[BaseException] | None, int]:
        """Return all of it but the headers that are ours."""
        headers = [pair for pair in self.headers if not pair[0].lower().startswith(OURS)]
        return self.status, headers, self.body, self.error, self.closed


def serve(app: WSGIApplication, origin: str) -> Seen:
    """Serve a request as PEP 3333 says: headers go out with the first byte, or at the end."""
    held: list[tuple[str, Headers]] = []
    seen = Seen()

    def start_response(status: str, headers: Headers, exc_info: Any = None) -> Any:
        if exc_info is not None and seen.status:
            raise exc_info[1]
        assert exc_info is not None or not held
        held[:] = [(status, headers)]
        return send

    def send(data: bytes) -> None:
        seen.status, seen.headers = held[0]
        seen.body += data

    body: Any = None
    try:
        try:
            headers = {"X-Request-Id": "abc-123"} | ({"Origin": origin} if origin else {})
            body = app(make_environ(headers=headers), start_response)
            for chunk in body:
                if chunk:
                    send(chunk)
            send(b"")
        finally:
            if hasattr(body, "close"):
                body.close()
    except BaseException as error:  # noqa: BLE001 -- whatever was made up
        seen.error = type(error)
    return seen


PLAIN: Final = ("Content-Type", "text/plain")
CHUNKS: Final = st.lists(st.binary(max_size=3), max_size=4)
APPS: Final = st.builds(
    App,
    status=st.from_regex(r"[2-5][0-9]{2} [A-Za-z ]{0,9}[A-Za-z]", fullmatch=True).filter(
        lambda status: status[:3] not in ("204", "304")
    ),
    headers=st.lists(
        st.tuples(
            st.sampled_from(
                ["X-A", "x-a", "Set-Cookie", "Vary", "X-Request-ID", "x-request-id", "ETag",
                 "Access-Control-Allow-Origin", "access-control-allow-credentials"]
            ),
            st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=5),
        ),
        max_size=4,
    ).map(lambda headers: [PLAIN, *headers]),
    chunks=CHUNKS,
    written=st.one_of(st.just([]), CHUNKS),
    kind=st.sampled_from(["list", "tuple", "object", "closing"]),
    is_late=st.booleans(),
    again=st.sampled_from(["", "", "positional", "keyword"]),
    is_again_late=st.booleans(),
    fails=st.sampled_from(
        ["", "", "", "call", "started", "written", "iter", "end", "close", 0, 1, 2, 3]
    ),
    error=st.sampled_from(ERRORS),
)  # fmt: skip
NAMES: Final = st.sampled_from(sorted(FILTERS))
ORIGINS: Final = st.sampled_from(["", ORIGIN, "https://other.example"])


@given(APPS, NAMES, ORIGINS)
def test_a_client_sees_the_same(app: App, name: str, origin: str) -> None:
    """Status, body, the application's headers, the exception, and how often it was closed.

    ``errors`` answers an exception in the place of a response of which nothing was sent.
    """
    copy = dataclasses.replace(app)
    bare, ours = serve(app, origin), serve(FILTERS[name](copy), origin)
    bare.closed, ours.closed = app.closed, copy.closed
    error = bare.error
    if name in ANSWERING and error and issubclass(error, Exception) and not bare.status:
        assert (ours.status, ours.error) == ("500 Internal Server Error", None)
        assert ours.body.startswith(b"Internal Server Error\n")
        assert ours.closed == bare.closed
    else:
        assert ours.applications() == bare.applications()
        assert [vary for vary in pairs(bare, "vary") if vary not in ours.headers] == []
    if ours.status:
        assert len(pairs(ours, "x-request-id")) == (
            1 if name in ("request_id", "main") else len(pairs(bare, "x-request-id"))
        )


def pairs(seen: Seen, name: str) -> Headers:
    """Return the headers of this name."""
    return [pair for pair in seen.headers if pair[0].lower() == name]


@given(APPS, NAMES, ORIGINS)
@example(App(headers=[PLAIN], is_late=True, chunks=[b"one"]), "main", "")
def test_both_validators_are_content(app: App, name: str, origin: str) -> None:
    """The filter asks of the application, and gives to the server, what PEP 3333 says.

    The validator knows no ``exc_info`` by keyword, and no body that raises in ``iter()``.
    """
    if app.again:
        app.again = "positional"
    if app.fails == "iter":
        app.fails = ""
    alone = serve(FILTERS[name](dataclasses.replace(app)), origin)
    between = serve(between_validators(FILTERS[name], app), origin)
    # What a validator has to say is an AssertionError, which would be answered by 500.
    assert between.applications() == alone.applications()
