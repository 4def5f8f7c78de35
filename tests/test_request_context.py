"""One context per request, one ``close()``, one record: for every kind of body and every end."""

from __future__ import annotations

import gc
import io
import logging
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import islice
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest

from tests.wsgi import Answer, assert_headers, between_validators, call, make_environ
from wsgi_mw_paste import (
    ErrorsMiddleware,
    RequestIdMiddleware,
    RequestIdSettings,
    current_request_id,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ID = "abc-123"
PLAIN = [("Content-Type", "text/plain")]
CHUNKS = (b"one", b"two", b"three")


def with_ids(app: WSGIApplication) -> RequestIdMiddleware:
    """Wrap *app* in the middleware and nothing else."""
    return RequestIdMiddleware(app, RequestIdSettings(log_tokens=False))


def inbound(**more: Any) -> WSGIEnvironment:
    """Return an environ with the id that these tests look for."""
    return make_environ(headers={"X-Request-Id": ID}, **more)


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


@pytest.fixture(autouse=True)
def _at_info(caplog: pytest.LogCaptureFixture) -> None:
    """Have access records written."""
    caplog.set_level(logging.INFO, "wsgi_mw_paste.access")


def outcomes(caplog: pytest.LogCaptureFixture) -> list[tuple[Any, ...]]:
    """Return status, bytes, level and error of all records, which are access records of this id."""
    fields = [vars(record) for record in caplog.records]
    assert {(each["name"], each["request_id"]) for each in fields} == {("wsgi_mw_paste.access", ID)}
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


@pytest.mark.parametrize("closes", [pytest.param(1, id="closed"), pytest.param(2, id="twice")])
@pytest.mark.parametrize("taken", [pytest.param(n, id=f"{n} chunks") for n in (0, 1, 2, 3, 99)])
@pytest.mark.parametrize("kind", [pytest.param(kind, id=name) for name, kind in KINDS.items()])
def test_every_body_has_one_context_and_one_record(
    kind: Kind, taken: int, closes: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the body and however it ends: the id inside, none outside, one close, one record."""
    look = Probe()

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        look("call")
        return kind.make(look, start_response)

    answer = serve(validator(with_ids(kind.inside(app))), chunks=taken, closes=closes)
    assert look.count("call") == 1
    assert look.count("close") == kind.closes[taken > 0]
    counted = max(kind.handed_over, len(answer.body))
    status = kind.status if taken == 0 else 200
    assert outcomes(caplog) == [(status, counted, "INFO", None)]


@pytest.mark.parametrize("name", ["iterator with close", "generator with start_response"])
def test_a_body_that_is_never_closed_is_recorded_at_its_end(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Some servers never call ``close()``; the record is written when the last chunk is out."""
    look = Probe()
    # No validator: it insists on being closed.
    app = with_ids(answers(KINDS[name].make, look))
    assert serve(app, closes=0).body == b"onetwothree"
    assert outcomes(caplog) == [(200, 11, "INFO", None)]


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
    "third chunk": Failure(fails_in_third_chunk, 99, 1, 202, 6),
    "close, half-way": Failure(fails_in_close, 1, 1, 202, 3),
    "close, no chunk taken": Failure(fails_in_close, 0, 1, 202, 0),
}


@pytest.mark.parametrize("error", [KeyError("boom"), SystemExit(3), GeneratorExit()], ids=repr)
@pytest.mark.parametrize("failure", [pytest.param(f, id=name) for name, f in FAILURES.items()])
def test_a_failing_request_has_one_context_and_one_record(
    failure: Failure, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """Wherever an exception comes from, it gets through; the body is closed, and recorded, once."""
    look = Probe()

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        look("call")
        return failure.fails(error, look, start_response)

    # The inner validator does not close a body whose iter() raises.
    with pytest.raises(type(error)) as caught:
        serve(validator(with_ids(app)), chunks=failure.taken)
    assert caught.value is error
    assert current_request_id() is None
    assert look.count("close") == failure.closes
    error_type = type(error).__name__
    assert outcomes(caplog) == [(failure.status, failure.counted, "ERROR", error_type)]


def test_a_failing_close_does_not_change_the_record_of_a_whole_response(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A response that went out whole is recorded as such; the exception of close() gets through."""
    look = Probe()

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return fails_in_close(KeyError("boom"), look, start_response)

    with pytest.raises(KeyError, match="boom"):
        call(between_validators(with_ids, app), inbound())
    assert look.count("close") == 1
    assert outcomes(caplog) == [(202, 11, "INFO", None)]


def test_a_body_that_cannot_be_iterated_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """What is no body at all raises where a server without us would have raised."""
    app: Any = with_ids(lambda environ, start_response: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError, match="not iterable"):
        app(inbound(), lambda *_: None)
    assert outcomes(caplog) == [(500, 0, "ERROR", "TypeError")]


def test_what_the_server_did_not_take_is_not_counted(caplog: pytest.LogCaptureFixture) -> None:
    """Bytes count once ``write()`` has returned: a client that is gone has received nothing."""

    def start_response(*_: Any) -> Callable[[bytes], object]:
        return write

    def write(data: bytes) -> NoReturn:
        raise BrokenPipeError

    app = validator(with_ids(validator(answers(as_written, Probe()))))
    with pytest.raises(BrokenPipeError):
        app(inbound(), start_response)
    assert outcomes(caplog) == [(500, 0, "ERROR", "BrokenPipeError")]


def test_the_record_is_written_in_the_requests_context(caplog: pytest.LogCaptureFixture) -> None:
    """Filters and record factories of the user's see the id when the access record is written."""
    look = Probe()

    def see(record: logging.LogRecord) -> bool:
        look(record.name)
        return True

    caplog.handler.addFilter(see)
    for make in (as_list, as_closing_iterator):
        call(with_ids(answers(make, look)), inbound())
    caplog.handler.removeFilter(see)
    assert look.count("wsgi_mw_paste.access") == 2


def test_the_duration_is_that_of_the_whole_response(caplog: pytest.LogCaptureFixture) -> None:
    """It goes from before the call to after the last chunk."""
    inner = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        inner.append(perf_counter())
        start_response("200 OK", PLAIN)
        yield from CHUNKS
        inner.append(perf_counter())

    start = perf_counter()
    call(between_validators(with_ids, app), inbound())
    outer = perf_counter() - start
    rounding = 0.001
    duration = vars(caplog.records[0])["duration_ms"]
    assert (inner[1] - inner[0]) * 1000 - rounding <= duration <= outer * 1000 + rounding


tenant: ContextVar[str | None] = ContextVar("tenant", default=None)


def test_variables_of_inner_middlewares_live_as_long_as_the_request() -> None:
    """What is set in the call is there in each chunk, can be reset at the end, and never leaks."""
    seen = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        for chunk in CHUNKS:
            seen.append(tenant.get())
            tenant.set(f"{tenant.get()}!")
            yield chunk

    def inner(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        token = tenant.set("blue")

        def body() -> Iterator[bytes]:
            yield from app(environ, start_response)
            # It raises in any other context than the one that set it.
            tenant.reset(token)
            seen.append(tenant.get())

        return body()

    body: Any = validator(with_ids(validator(inner)))(inbound(), lambda *_: lambda _: None)
    outside = [tenant.get() for _ in body]
    body.close()
    assert seen == ["blue", "blue!", "blue!!", None]
    assert [*outside, tenant.get()] == [None] * 4


def test_variables_of_the_server_are_seen_by_the_application() -> None:
    """A request starts with what its caller has set, and changes nothing of it."""
    seen = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        seen.append(tenant.get())
        tenant.set("app")
        return as_list(Probe(), start_response)

    token = tenant.set("server")
    call(between_validators(with_ids, app), inbound())
    seen.append(tenant.get())
    tenant.reset(token)
    assert seen == ["server", "server"]


def test_interleaved_requests_keep_their_ids_apart() -> None:
    """Bodies that take turns on one thread, as greenlets do, each see their own id."""
    seen: dict[str, set[str | None]] = {}

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        for chunk in CHUNKS:
            seen.setdefault(environ["PATH_INFO"], set()).add(current_request_id())
            yield chunk

    wrapped = between_validators(with_ids, app)
    with ExitStack() as stack:
        bodies = []
        for number in range(5):
            headers = {"X-Request-Id": f"id-{number}"}
            environ = make_environ(path=f"/{number}", headers=headers)
            body: Any = wrapped(environ, lambda *_: lambda _: None)
            stack.callback(body.close)
            bodies.append(body)
        for _ in zip(*bodies, strict=True):
            assert current_request_id() is None
    assert seen == {f"/{number}": {f"id-{number}"} for number in range(5)}


def test_a_request_may_change_threads(caplog: pytest.LogCaptureFixture) -> None:
    """The call, each chunk and close() may each come from another thread, with the id in all."""
    look = Probe()
    threads = set()

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        look("call")
        threads.add(threading.get_ident())
        start_response("200 OK", PLAIN)
        return Closing(look, map(pass_on, CHUNKS))

    def pass_on(chunk: bytes) -> bytes:
        look("next")
        threads.add(threading.get_ident())
        return chunk

    with ExitStack() as stack:
        pools = [stack.enter_context(ThreadPoolExecutor(1)) for _ in range(5)]
        wrapped = between_validators(with_ids, app)
        response: Any = (
            pools[0].submit(wrapped, inbound(), lambda *_: lambda _: None).result(timeout=30)
        )
        iterator = iter(response)
        for pool in pools[1:4]:
            pool.submit(next, iterator).result(timeout=30)
        pools[4].submit(response.close).result(timeout=30)
        for pool in pools:
            assert pool.submit(current_request_id).result(timeout=30) is None
    assert (look.count("next"), look.count("close"), len(threads)) == (3, 1, 4)
    assert outcomes(caplog) == [(200, 11, "INFO", None)]


def test_close_is_reached_while_another_thread_is_inside(caplog: pytest.LogCaptureFixture) -> None:
    """Closed in the middle of a chunk, the application's close() runs once, and without the id."""
    inside, closed = threading.Event(), threading.Event()
    seen = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            seen.append(current_request_id())
            inside.set()
            assert closed.wait(timeout=30)
            yield b"late"

        def close(self) -> None:
            seen.append(current_request_id())
            closed.set()

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        return Body()

    # No validators: they count a chunk after close() as a mistake of the application's.
    body: Any = with_ids(app)(inbound(), lambda *_: lambda _: None)
    with ThreadPoolExecutor(1) as pool:
        chunk = pool.submit(next, body)
        assert inside.wait(timeout=30)
        body.close()
        assert chunk.result(timeout=30) == b"late"
        body.close()
    assert seen == [ID, None]
    assert outcomes(caplog) == [(200, 0, "INFO", None)]


def test_the_record_is_written_while_another_thread_is_inside(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """So it is for a body without close(), which a server closes in the middle of a chunk."""
    inside, closed = threading.Event(), threading.Event()

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            inside.set()
            assert closed.wait(timeout=30)
            yield b"late"

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        return Body()

    # No validators: they count a chunk after close() as a mistake of the application's.
    body: Any = with_ids(app)(inbound(), lambda *_: lambda _: None)
    with ThreadPoolExecutor(1) as pool:
        chunk = pool.submit(next, body)
        assert inside.wait(timeout=30)
        body.close()
        assert outcomes(caplog) == [(200, 0, "INFO", None)]
        closed.set()
        assert chunk.result(timeout=30) == b"late"
        assert list(body) == []
    assert outcomes(caplog) == [(200, 0, "INFO", None)]


def test_a_runtime_error_of_a_handler_is_the_handlers() -> None:
    """It comes once: a record is not written again because somebody failed to write it."""
    written = []

    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(record.getMessage())
            raise RuntimeError("full")

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        return iter([b"hello"])

    logger, handler = logging.getLogger("wsgi_mw_paste.access"), Broken()
    logger.addHandler(handler)
    try:
        body: Any = with_ids(app)(inbound(), lambda *_: lambda _: None)
        with pytest.raises(RuntimeError, match="full"):
            body.close()
        body.close()
    finally:
        logger.removeHandler(handler)
    assert len(written) == 1


def test_a_runtime_error_of_close_is_the_applications() -> None:
    """An application's own RuntimeError is not taken for a busy context: close() runs once."""
    look = Probe()

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return fails_in_close(RuntimeError("cannot enter context"), look, start_response)

    with pytest.raises(RuntimeError, match="cannot enter"):
        call(between_validators(with_ids, app), inbound())
    assert look.count("close") == 1


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exceptions have notes from 3.11 on")
@pytest.mark.parametrize("failure", [pytest.param(f, id=name) for name, f in FAILURES.items()])
def test_an_escaping_exception_carries_the_id(failure: Failure) -> None:
    """The server's own traceback shows the id, as a note."""
    error = KeyError("boom")

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return failure.fails(error, Probe(), start_response)

    with pytest.raises(KeyError):
        serve(validator(with_ids(app)), chunks=failure.taken)
    assert getattr(error, "__notes__", None) == [f"request_id: {ID}"]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exceptions have notes from 3.11 on")
def test_an_exception_that_is_raised_again_carries_the_last_id() -> None:
    """An exception object that is kept carries no ids of earlier requests; other notes stay."""
    error = KeyError("kept")
    error.__dict__["__notes__"] = ["a note of its own", "request_id is what this one is about"]

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise error

    for number in range(3):
        with pytest.raises(KeyError):
            call(
                between_validators(with_ids, app),
                make_environ(headers={"X-Request-Id": f"id-{number}"}),
            )
    assert error.__dict__["__notes__"] == [
        "a note of its own",
        "request_id is what this one is about",
        "request_id: id-2",
    ]


class FrozenError(Exception):
    """An exception whose attributes cannot be set, as those of frozen dataclasses."""

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(name)


def test_an_exception_that_takes_no_note_gets_through(caplog: pytest.LogCaptureFixture) -> None:
    """A frozen exception is not replaced by the failure to add a note to it."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise FrozenError

    with pytest.raises(FrozenError):
        call(between_validators(with_ids, app), inbound())
    assert outcomes(caplog) == [(500, 0, "ERROR", "FrozenError")]


# Bodies that a server makes something of: it must get the object itself.


@pytest.mark.parametrize("body", [[b"one", b"two"], (b"one",), []], ids=repr)
def test_lists_and_tuples_are_passed_through(body: Iterable[bytes]) -> None:
    """The server gets the application's own list or tuple, and can take its length."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        return body

    assert with_ids(app)(inbound(), lambda *_: lambda _: None) is body


class File(io.BytesIO):
    """A file that counts how often it is closed, and looks whether the id is there."""

    def __init__(self, look: Probe) -> None:
        super().__init__(b"onetwothree")
        self.look = look

    def close(self) -> None:
        self.look("close")
        super().close()


def sends(body: Any, *headers: tuple[str, str]) -> WSGIApplication:
    """Return an application that answers with this body."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [*PLAIN, *headers])
        return body  # type: ignore[no-any-return]

    return app


@pytest.mark.parametrize(
    ("headers", "counted"),
    [
        pytest.param([("Content-Length", "11")], 11, id="with its length"),
        pytest.param([("content-length", "0")], 0, id="empty"),
        pytest.param([], None, id="of unknown length"),
        pytest.param([("Content-Length", "many")], None, id="of senseless length"),
        pytest.param([("Content-Length", "1"), ("Content-Length", "2")], None, id="of two lengths"),
    ],
)
def test_a_file_wrapper_is_passed_through_with_its_close_hooked(
    headers: list[tuple[str, str]], counted: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    """The server gets the wrapper itself; the request ends, and is recorded, when it closes it."""
    look = Probe()
    wrapper = FileWrapper(File(look))
    app = with_ids(sends(wrapper, *headers))
    body: Any = app(inbound(**{"wsgi.file_wrapper": FileWrapper}), lambda *_: lambda _: None)
    assert body is wrapper
    assert caplog.records == []
    assert b"".join(body) == b"onetwothree"
    body.close()
    body.close()
    assert look.count("close") == 1
    assert outcomes(caplog) == [(200, counted, "INFO", None)]


def test_a_file_wrapper_without_close_gets_one(caplog: pytest.LogCaptureFixture) -> None:
    """The record of a wrapped file that cannot be closed is written when the server is done."""
    wrapper = FileWrapper(io.BytesIO(b"one"))
    del wrapper.__dict__["close"]
    app = with_ids(sends(wrapper))
    body: Any = app(inbound(**{"wsgi.file_wrapper": FileWrapper}), lambda *_: lambda _: None)
    assert body is wrapper
    body.close()
    assert outcomes(caplog) == [(200, None, "INFO", None)]


def test_a_failing_close_of_a_file_wrapper_gets_through(caplog: pytest.LogCaptureFixture) -> None:
    """An exception of the wrapped file's close() reaches the server, and the record."""
    wrapper = FileWrapper(io.BytesIO(b"one"))
    wrapper.__dict__["close"] = Closing(Probe(), (), in_close=KeyError("boom")).close
    app = with_ids(sends(wrapper, ("Content-Length", "3")))
    body: Any = app(inbound(**{"wsgi.file_wrapper": FileWrapper}), lambda *_: lambda _: None)
    with pytest.raises(KeyError):
        body.close()
    assert outcomes(caplog) == [(200, 3, "ERROR", "KeyError")]


class SlottedWrapper:
    """A file wrapper whose ``close`` cannot be set."""

    __slots__ = ("file",)

    def __init__(self, file: io.BytesIO) -> None:
        self.file = file

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.file)

    def close(self) -> None:
        self.file.close()


def test_a_file_wrapper_that_cannot_be_hooked_is_left_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is passed through as it is, and recorded when the call returns."""
    file = io.BytesIO(b"one")
    wrapper = SlottedWrapper(file)
    app = with_ids(sends(wrapper, ("Content-Length", "3")))
    body: Any = app(inbound(**{"wsgi.file_wrapper": SlottedWrapper}), lambda *_: lambda _: None)
    assert body is wrapper
    assert outcomes(caplog) == [(200, 3, "INFO", None)]
    assert list(body) == [b"one"]
    body.close()
    assert file.closed


class StubbornWrapper(FileWrapper):
    """A file wrapper that does not like to be changed."""

    def __setattr__(self, name: str, value: object) -> None:
        if name == "close" and "close" in vars(self):
            raise TypeError("frozen")
        super().__setattr__(name, value)


@pytest.mark.parametrize(
    ("wrapper", "length"),
    [
        pytest.param(StubbornWrapper, "3", id="hook"),
        pytest.param(FileWrapper, 3, id="length that is no text"),
    ],
)
def test_a_file_wrapper_that_fails_is_closed_and_recorded(
    wrapper: Any, length: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It is a body that no server will ever see."""
    file = io.BytesIO(b"one")
    app = with_ids(sends(wrapper(file), ("Content-Length", length)))
    with pytest.raises(TypeError):
        app(inbound(**{"wsgi.file_wrapper": wrapper}), lambda *_: lambda _: None)
    assert file.closed
    assert [outcome[2:] for outcome in outcomes(caplog)] == [("ERROR", "TypeError")]


def test_a_close_that_is_none_is_no_close() -> None:
    """Some classes take a method away like that."""

    class Body(Chunks):
        close = None

    body: Any = with_ids(sends(Body(Probe())))(inbound(), lambda *_: lambda _: None)
    list(body)
    body.close()


class Rows:
    """An iterator that goes on and on, whatever has become of it."""

    def __init__(self, *, stops: bool, raises: bool) -> None:
        self.stops, self.raises, self.asked = stops, raises, 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self.asked += 1
        if self.asked > 1 and self.raises:
            raise LookupError
        if self.asked > 1 and self.stops:
            raise StopIteration
        return b"row"

    def close(self) -> None:
        """Close nothing."""


@pytest.mark.parametrize(
    ("rows", "asked"),
    [
        pytest.param(Rows(stops=False, raises=False), 1, id="closed"),
        pytest.param(Rows(stops=True, raises=False), 2, id="at its end"),
        pytest.param(Rows(stops=False, raises=True), 2, id="failed"),
    ],
)
def test_a_body_is_left_alone_after_its_end(rows: Rows, asked: int) -> None:
    """Whoever asks for more gets nothing, and the application is not asked."""
    body: Any = with_ids(sends(rows))(inbound(), lambda *_: lambda _: None)
    assert next(body) == b"row"
    with ExitStack() as stack:
        if rows.raises:
            stack.enter_context(pytest.raises(LookupError))
        if rows.stops or rows.raises:
            assert next(body, None) is None
    body.close()
    assert list(body) == []
    assert rows.asked == asked


def test_headers_from_an_iterator_arrive() -> None:
    """PEP 3333 wants a list; what is none is taken apart once, and nothing of it is lost."""

    def app(environ: WSGIEnvironment, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", iter([*PLAIN, ("x-request-ID", "theirs"), ("X-Last", "1")]))
        return [b"hello"]

    assert_headers(
        call(with_ids(app), inbound()),
        {"Content-Type": "text/plain", "X-Last": "1", "X-Request-Id": ID},
    )


def return_file(file: Any, block_size: int = 8192) -> Any:
    """Return the file, as uWSGI's ``wsgi.file_wrapper`` does; it looks at the object later."""
    return file


def test_a_file_is_passed_through_where_the_wrapper_is_a_function(
    caplog: pytest.LogCaptureFixture, pytestconfig: pytest.Config
) -> None:
    """Where ``wsgi.file_wrapper`` returns the file itself, the server gets that file, hooked."""
    with (pytestconfig.rootpath / "LICENSE").open("rb") as file:
        app = with_ids(sends(return_file(file), ("Content-Length", "9")))
        body: Any = app(inbound(**{"wsgi.file_wrapper": return_file}), lambda *_: lambda _: None)
        assert body is file
        assert caplog.records == []
        body.close()
        assert file.closed
    assert outcomes(caplog) == [(200, 9, "INFO", None)]


def test_bodies_are_passed_through_when_nothing_is_recorded() -> None:
    """With ``log_requests = false`` lists stay lists, and file wrappers are hooked all the same."""
    settings = RequestIdSettings(log_requests=False)
    whole = [b"one"]
    app: Any = RequestIdMiddleware(sends(whole), settings)
    assert app(inbound(), lambda *_: lambda _: None) is whole
    look = Probe()
    wrapper = FileWrapper(File(look))
    app = RequestIdMiddleware(sends(wrapper), settings)
    assert app(inbound(**{"wsgi.file_wrapper": FileWrapper}), lambda *_: lambda _: None) is wrapper
    wrapper.close()
    assert look.count("close") == 1


def test_other_bodies_are_followed_where_the_file_wrapper_is_a_function(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """On uWSGI, too, a body that is no file is produced in the request's context."""
    look = Probe()

    environ = inbound(**{"wsgi.file_wrapper": return_file})
    app = between_validators(with_ids, answers(as_generator, look))
    assert call(app, environ).body == b"onetwothree"
    assert look.count("next") == 4
    assert outcomes(caplog) == [(200, 11, "INFO", None)]


def test_a_file_that_was_not_wrapped_is_followed(caplog: pytest.LogCaptureFixture) -> None:
    """A plain file is a body like others where ``wsgi.file_wrapper`` is a class, or missing."""
    for more in ({"wsgi.file_wrapper": FileWrapper}, {}):
        look = Probe()
        body: Any = with_ids(sends(File(look)))(inbound(**more), lambda *_: lambda _: None)
        assert b"".join(body) == b"onetwothree"
        body.close()
        assert look.count("close") == 1
    assert outcomes(caplog) == [(200, 11, "INFO", None)] * 2


def test_the_header_is_on_the_response_whatever_the_body() -> None:
    """Each kind of body goes with the id header, once."""
    for kind in KINDS.values():
        answer = call(validator(with_ids(answers(kind.make, Probe()))), inbound())
        assert_headers(answer, {"Content-Type": "text/plain", "X-Request-Id": ID})
        assert answer.body == b"onetwothree"


class Tracked:
    """An object in the environ, to see whether the environ is still alive."""


@pytest.fixture
def _no_collector() -> Iterator[None]:
    """Let nothing but reference counts free anything."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_collector")
@pytest.mark.parametrize(
    "wrap", [with_ids, lambda app: with_ids(ErrorsMiddleware(app))], ids=["alone", "around errors"]
)
@pytest.mark.parametrize(
    "make",
    [as_list, as_closing_iterator, as_generator, as_late_generator, as_written,
     lambda look, start_response: FileWrapper(File(look))],
    ids=["list", "iterator", "generator", "late generator", "write", "file wrapper"],
)  # fmt: skip
def test_a_request_leaves_nothing_to_the_garbage_collector(
    make: Callable[[Probe, StartResponse], Iterable[bytes]],
    wrap: Callable[[WSGIApplication], WSGIApplication],
) -> None:
    """When a request is over, its environ is gone at once: nothing of ours refers to itself."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        return make(Probe(), lambda *_: lambda _: None)

    tracked = Tracked()
    gone = weakref.ref(tracked)
    environ = inbound(**{"wsgi.file_wrapper": FileWrapper, "tests.tracked": tracked})
    del tracked
    call(wrap(app), environ)
    del environ
    assert gone() is None
