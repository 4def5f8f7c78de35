"""One context per request: what is set in it, who sees it, and a context that is busy."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

import pytest

from tests.bodies import CHUNKS, Closing, Probe, as_list, inbound, outcomes, with_ids
from tests.wsgi import PLAIN, answering, between_validators, call, make_environ
from wsgi_mw_paste import current_request_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


@pytest.fixture(autouse=True)
def _at_info(caplog: pytest.LogCaptureFixture) -> None:
    """Have access records written."""
    caplog.set_level(logging.INFO, "wsgi_mw_paste.access")


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


class Waiting:
    """A body that is closed while another thread is inside its iterator.

    :param in_close: what ``close()`` raises.
    """

    def __init__(self, in_close: Exception | None = None) -> None:
        self.look = Probe()
        self.in_close = in_close
        self.inside, self.closed = threading.Event(), threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        self.look("next")
        self.inside.set()
        assert self.closed.wait(timeout=30)
        yield b"late"

    def close(self) -> None:
        self.look("close")
        self.closed.set()
        if self.in_close is not None:
            raise self.in_close


@contextmanager
def another_thread_inside(waiting: Waiting, body: Any) -> Iterator[Any]:
    """Have another thread take a chunk during the ``with`` statement; return the response."""
    # No validators: they count a chunk after close() as a mistake of the application's.
    response: Any = with_ids(answering(body))(inbound(), lambda *_: lambda _: None)
    with ThreadPoolExecutor(1) as pool:
        chunk = pool.submit(next, response)
        assert waiting.inside.wait(timeout=30)
        yield response
        waiting.closed.set()
        assert chunk.result(timeout=30) == b"late"
        assert list(response) == []


def test_close_is_reached_while_another_thread_is_inside(caplog: pytest.LogCaptureFixture) -> None:
    """Closed in the middle of a chunk, the application's close() runs once, and with the id."""
    waiting = Waiting()
    with another_thread_inside(waiting, waiting) as response:
        response.close()
        response.close()
    assert (waiting.look.count("next"), waiting.look.count("close")) == (1, 1)
    assert outcomes(caplog) == [(200, 0, "INFO", None)]


@pytest.mark.parametrize("error", [LookupError(), RuntimeError("cannot enter context")], ids=repr)
def test_a_close_that_fails_while_another_thread_is_inside_runs_once(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Its exception gets through, even if it looks like that of a context that is busy."""
    waiting = Waiting(error)
    with another_thread_inside(waiting, waiting) as response:
        with pytest.raises(type(error)) as caught:
            response.close()
        response.close()
    assert caught.value is error
    assert waiting.look.count("close") == 1
    assert outcomes(caplog) == [(200, 0, "ERROR", type(error).__name__)]


def test_the_record_is_written_while_another_thread_is_inside(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """So it is for a body without close(), and a filter that looks sees the id."""
    waiting = Waiting()

    def see(record: logging.LogRecord) -> bool:
        waiting.look("record")
        return True

    caplog.handler.addFilter(see)
    with another_thread_inside(waiting, map(bytes, waiting)) as response:
        response.close()
        assert outcomes(caplog) == [(200, 0, "INFO", None)]
    caplog.handler.removeFilter(see)
    assert waiting.look.count("record") == 1
    assert outcomes(caplog) == [(200, 0, "INFO", None)]
