"""Applications and bodies that fail, each at a point of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from tests.wsgi import PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: What a client must not hear of.
SECRET = "password=hunter2"
#: What ``errors`` logs of the exception of :func:`boom`.
ESCAPED = "LookupError escaped the application"


def boom(*_: object) -> NoReturn:
    raise LookupError(SECRET)


def lose() -> NoReturn:
    raise KeyError


def raises(error: BaseException) -> Callable[..., NoReturn]:
    """Return a function, or an application, that raises *error*."""

    def stop(*_: object) -> NoReturn:
        raise error

    return stop


def one() -> bytes:
    return b"one"


def empty() -> bytes:
    return b""


@dataclass
class Body:
    """A body whose chunks are the results of functions, and which counts how often it is closed."""

    chunks: list[Callable[[], bytes]]
    in_close: Callable[[], object] = int
    in_iter: Callable[[], object] = int
    closed: list[bool] = field(default_factory=list)

    def __iter__(self) -> Iterator[bytes]:
        self.in_iter()
        return (chunk() for chunk in self.chunks)

    def close(self) -> None:
        self.closed.append(True)
        self.in_close()


def starts_late(body: Body) -> WSGIApplication:
    """Return an application that calls ``start_response`` when its first chunk is asked for."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        first = body.chunks[0]

        def start() -> bytes:
            start_response("200 OK", PLAIN)
            return first()

        body.chunks[0] = start
        return body

    return app


def writes(data: bytes, then: Callable[[], Iterable[bytes]]) -> WSGIApplication:
    """Return an application that uses ``write()``, and answers with what *then* returns."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)(data)
        return then()

    return app


def fails(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    boom()


def fails_after_start(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [*PLAIN, ("Set-Cookie", SECRET)])
    boom()
