"""Bodies of every kind, applications that fail at every place, and what is to be seen of them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn
from wsgiref.validate import validator

from tests.wsgi import PLAIN, Answer, make_environ
from wsgi_mw_paste import RequestIdMiddleware, RequestIdSettings, current_request_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import pytest
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ID = "abc-123"
CHUNKS = (b"one", b"two", b"three")


def with_ids(app: WSGIApplication) -> RequestIdMiddleware:
    """Wrap *app* in the middleware and nothing else."""
    return RequestIdMiddleware(app, RequestIdSettings(log_tokens=False))


def inbound(headers: Mapping[str, str] = {}, /, **more: Any) -> WSGIEnvironment:
    """Return an environ with the id that these tests look for."""
    return make_environ(headers={"X-Request-Id": ID, **headers}, **more)


def answers(
    make: Callable[[Probe, StartResponse], Iterable[bytes]], look: Probe
) -> WSGIApplication:
    """Return the application that answers with such a body."""
    return lambda environ, start_response: make(look, start_response)


def serve(app: WSGIApplication, *, chunks: int = 99, closes: int = 1) -> Answer:
    """Take at most so many chunks, and close so often; there is no id between these steps."""
    answer = Answer()

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: object = None, /
    ) -> Callable[[bytes], object]:
        answer.status, answer.headers = status, headers
        return answer.chunks.append

    body: Any = app(inbound(), start_response)
    try:
        assert current_request_id() is None
        for chunk in islice(body, chunks):
            assert current_request_id() is None
            answer.chunks.append(chunk)
    finally:
        for _ in range(closes):
            body.close()
            assert current_request_id() is None
    return answer


def outcomes(caplog: pytest.LogCaptureFixture) -> list[tuple[Any, ...]]:
    """Return status, bytes, level and error of all records, which are access records of this id."""
    fields = [vars(record) for record in caplog.records]
    assert {(field["name"], field["request_id"]) for field in fields} == {
        ("wsgi_mw_paste.access", ID)
    }
    return [(f["status"], f["bytes"], f["levelname"], f["error_type"]) for f in fields]


class Probe:
    """Looks at the current id, at the points that a test or a body calls by name."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str | None]] = []

    def __call__(self, point: str) -> None:
        self.seen.append((point, current_request_id()))

    def count(self, point: str) -> int:
        """Say how often a point was passed; wherever it looked, the id was there."""
        assert {found for _, found in self.seen} == {ID}
        return [name for name, _ in self.seen].count(point)


class Chunks:
    """An iterator without ``close``; an exception among the chunks is raised in its turn."""

    def __init__(self, look: Probe, *chunks: bytes | BaseException) -> None:
        self.look = look
        self.chunks = iter(chunks)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self.look("next")
        chunk = next(self.chunks)
        if isinstance(chunk, BaseException):
            raise chunk
        return chunk


@dataclass
class Closing:
    """A body with ``close`` that is no iterator; ``iter()`` and ``close()`` may raise."""

    look: Probe
    chunks: Iterable[bytes]
    in_iter: BaseException | None = None
    in_close: BaseException | None = None

    def __iter__(self) -> Iterator[bytes]:
        self.look("iter")
        if self.in_iter is not None:
            raise self.in_iter
        return iter(self.chunks)

    def close(self) -> None:
        self.look("close")
        if self.in_close is not None:
            raise self.in_close


class ClosingChunks(Chunks):
    """An iterator with ``close``."""

    def close(self) -> None:
        self.look("close")


class ClosingList(list[bytes]):
    """A list with ``close``: no server takes it for a list."""

    def __init__(self, look: Probe) -> None:
        super().__init__(CHUNKS)
        self.look = look

    def close(self) -> None:
        self.look("close")


def as_list(look: Probe, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    return list(CHUNKS)


def as_tuple(look: Probe, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    return CHUNKS


def as_closing_list(look: Probe, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    return ClosingList(look)


def as_iterator(look: Probe, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    return Chunks(look, *CHUNKS)


def as_closing_iterator(look: Probe, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    return ClosingChunks(look, *CHUNKS)


def as_closing_iterable(look: Probe, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    return Closing(look, CHUNKS)


def as_generator(look: Probe, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    return generate(look)


def generate(look: Probe) -> Iterator[bytes]:
    try:
        yield from Chunks(look, *CHUNKS)
    finally:
        look("close")


def as_late_generator(look: Probe, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    yield from generate(look)


def as_written(look: Probe, start_response: StartResponse) -> Iterable[bytes]:
    write = start_response("200 OK", PLAIN)
    for chunk in CHUNKS:
        write(chunk)
    return ClosingChunks(look)


def as_partly_written(look: Probe, start_response: StartResponse) -> Iterable[bytes]:
    write = start_response("200 OK", PLAIN)
    write(CHUNKS[0])
    return ClosingChunks(look, *CHUNKS[1:])


class Kind(NamedTuple):
    """A kind of body, and what is known of it before the first chunk is taken."""

    make: Callable[[Probe, StartResponse], Iterable[bytes]]
    #: Bytes that the application's call has handed over, and the chunks it has left.
    handed_over: int = 0
    #: How often ``close`` is reached: a body no chunk was taken of, any other.
    closes: tuple[int, int] = (1, 1)
    status: int | None = 200
    #: Between the middleware and the application; the validator would make an iterator of a list.
    inside: Callable[[WSGIApplication], WSGIApplication] = validator


KINDS = {
    "list": Kind(as_list, 11, (0, 0), inside=lambda app: app),
    "tuple": Kind(as_tuple, 11, (0, 0), inside=lambda app: app),
    "list with close": Kind(as_closing_list, inside=lambda app: app),
    "iterator": Kind(as_iterator, closes=(0, 0)),
    "iterator with close": Kind(as_closing_iterator),
    "iterable with close": Kind(as_closing_iterable),
    # One that was not started has nothing to end, and Python does not run its finally.
    "generator": Kind(as_generator, closes=(0, 1)),
    "generator with start_response": Kind(as_late_generator, closes=(0, 1), status=None),
    "write": Kind(as_written, 11),
    "write, then chunks": Kind(as_partly_written, 3),
}


def fails_at_once(error: BaseException, look: Probe, start_response: StartResponse) -> NoReturn:
    raise error


def fails_after_start(error: BaseException, look: Probe, start_response: StartResponse) -> NoReturn:
    start_response("200 OK", PLAIN)
    raise error


def fails_after_write(error: BaseException, look: Probe, start_response: StartResponse) -> NoReturn:
    start_response("202 Accepted", PLAIN)(b"one")
    raise error


def fails_in_iter(
    error: BaseException, look: Probe, start_response: StartResponse
) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    return Closing(look, CHUNKS, in_iter=error)


def fails_before_late_start(
    error: BaseException, look: Probe, start_response: StartResponse
) -> Iterable[bytes]:
    return Closing(look, Chunks(look, error))


def fails_in_first_chunk(
    error: BaseException, look: Probe, start_response: StartResponse
) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    return Closing(look, Chunks(look, error))


def fails_after_an_empty_chunk(
    error: BaseException, look: Probe, start_response: StartResponse
) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    return Closing(look, Chunks(look, b"", b"", error))


def fails_in_third_chunk(
    error: BaseException, look: Probe, start_response: StartResponse
) -> Iterable[bytes]:
    start_response("202 Accepted", PLAIN)
    return Closing(look, Chunks(look, b"one", b"two", error))


def fails_in_close(
    error: BaseException, look: Probe, start_response: StartResponse
) -> Iterable[bytes]:
    start_response("202 Accepted", PLAIN)
    return Closing(look, CHUNKS, in_close=error)


class Failure(NamedTuple):
    """A place to fail in: how many chunks to take, and what is to be seen of it."""

    fails: Callable[[BaseException, Probe, StartResponse], Iterable[bytes]]
    taken: int
    closes: int
    status: int
    counted: int


FAILURES = {
    "call": Failure(fails_at_once, 99, 0, 500, 0),
    "call, after start_response": Failure(fails_after_start, 99, 0, 500, 0),
    "call, after write": Failure(fails_after_write, 99, 0, 202, 3),
    "iter": Failure(fails_in_iter, 99, 1, 500, 0),
    "first chunk, not started": Failure(fails_before_late_start, 99, 1, 500, 0),
    "first chunk": Failure(fails_in_first_chunk, 99, 1, 500, 0),
    "after an empty chunk": Failure(fails_after_an_empty_chunk, 99, 1, 500, 0),
    "third chunk": Failure(fails_in_third_chunk, 99, 1, 202, 6),
    "close, half-way": Failure(fails_in_close, 1, 1, 202, 3),
    "close, no chunk taken": Failure(fails_in_close, 0, 1, 202, 0),
}


class File(io.BytesIO):
    """A file that counts how often it is closed, and looks whether the id is there."""

    def __init__(self, look: Probe) -> None:
        super().__init__(b"onetwothree")
        self.look = look

    def close(self) -> None:
        self.look("close")
        super().close()
