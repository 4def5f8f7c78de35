"""What goes wrong in a process, and costs no other request anything: errors, clocks, signals."""

from __future__ import annotations

import io
import itertools
import logging
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

import gevent
import gevent.event
import pytest

from tests.bodies import ID, Chunks, Closing, Probe, inbound, outcomes, with_ids
from tests.failing import ESCAPED
from tests.failing import raises as raising
from tests.health import PATIENCE, probe
from tests.wsgi import answering, between_validators, call, hello
from wsgi_mw_paste import (
    HealthMiddleware,
    HealthSettings,
    RequestIdFormatter,
    current_request_id,
    factories,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MAIN = factories.main({}, cors_allowed="https://app.example.com", log_tokens="false")


# Exceptions that do not behave.


NO: Any = raising(KeyError())
NoTextError = type("NoTextError", (Exception,), {"__str__": NO, "__repr__": NO})
NoNotesError = type("NoNotesError", (Exception,), {"__notes__": property(NO)})
#: The metaclass of a class without a name.
NoName: Any = type("NoName", (type,), {"__name__": property(NO)})


def noted(notes: object) -> Exception:
    """Return an exception with something in the place of its notes."""
    error = ValueError("noted")
    error.__dict__["__notes__"] = notes
    return error


def circular() -> Exception:
    """Return an exception that is its own cause."""
    error = ValueError("circular")
    error.__cause__ = error
    return error


def several(error: BaseException) -> BaseException:
    """Return a group of exceptions, as a TaskGroup raises it; before Python 3.11 just the one."""
    if sys.version_info >= (3, 11):
        error = BaseExceptionGroup("several", [error, KeyError()])  # noqa: F821
    return error


MISBEHAVING = {
    "text that raises": NoTextError(),
    "notes that raise": NoNotesError(),
    "name that raises": NoName("NamelessError", (Exception,), {})(),
    "name of several lines": type("A\r\nB", (ValueError,), {})(),
    "no notes": noted(None),
    "notes that are no list": noted(3),
    "notes that cannot change": noted(("one",)),
    "notes that are no text": noted([NoTextError()]),
    "circular": circular(),
    "group": several(ValueError("one")),
    "long": ValueError("x" * 1_000_000),
    "no text in UTF-8": ValueError("\ud800"),
    "no memory": MemoryError(),
    "too deep": RecursionError(),
}


@pytest.fixture
def log() -> Iterator[io.TextIOWrapper]:
    """Return a log file as servers have it, whose lines have the id."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    handler, logger = logging.StreamHandler(stream), logging.getLogger("wsgi_mw_paste")
    handler.setFormatter(RequestIdFormatter("[%(request_id)s] %(name)s %(message)s"))
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)


@pytest.mark.parametrize("name", MISBEHAVING)
def test_an_exception_that_misbehaves_is_answered(
    name: str, log: io.TextIOWrapper, caplog: pytest.LogCaptureFixture
) -> None:
    """By a 500 with the id, one record of the exception and one of the request."""
    # Not an argument, which pytest would look at.
    app = raising(MISBEHAVING[name])
    answer = call(between_validators(MAIN, app), inbound())
    assert (answer.code, answer.header("X-Request-Id")) == (500, ID)
    *escaped, access = caplog.records
    error_type = vars(access)["error_type"]
    assert error_type.isprintable()
    # Up to Python 3.12, traceback cannot format an exception whose notes raise.
    assert [record.getMessage() for record in escaped] == (
        [f"{error_type} escaped the application"] * (1 if escaped else name != "notes that raise")
    )
    log.seek(0)
    assert log.read().endswith(f"[{ID}] wsgi_mw_paste.access {access.getMessage()}\n")
    assert current_request_id() is None


@pytest.mark.parametrize("name", MISBEHAVING)
def test_an_exception_that_misbehaves_goes_on_as_it_is(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """In the middle of a body the server gets the very exception, and the body is closed."""
    look, error = Probe(), MISBEHAVING[name]
    app = MAIN(answering(Closing(look, Chunks(look, b"one", error))))
    with pytest.raises(type(error)) as caught:
        call(app, inbound())
    assert caught.value is error
    assert look.count("close") == 1
    access = caplog.records[-1]
    assert (access.name, vars(access)["status"]) == ("wsgi_mw_paste.access", 200)


def test_a_stack_that_is_full_is_answered(caplog: pytest.LogCaptureFixture) -> None:
    """An endless recursion of the application leaves room for the answer and for the log."""

    def recurse(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return recurse(environ, start_response)

    answer = call(MAIN(recurse), inbound())
    assert (answer.code, answer.header("X-Request-Id")) == (500, ID)
    assert [record.getMessage() for record in caplog.records[:1]] == [
        ESCAPED.replace("LookupError", "RecursionError")
    ]


def test_a_group_with_an_order_to_stop_passes() -> None:
    """It is no Exception, and what it holds asks for the end of the process."""
    with pytest.raises(BaseException, match=r"several|stop") as caught:
        call(MAIN(raising(several(KeyboardInterrupt("stop")))), inbound())
    assert not isinstance(caught.value, Exception)


# Orders to stop, in the middle of a body.


def assert_is_over(look: Probe, caplog: pytest.LogCaptureFixture, error: str) -> None:
    """Fail unless the body was closed, the request has one record, and no id is left."""
    assert look.count("close") == 1
    assert outcomes(caplog) == [(200, 3, "ERROR", error)]
    assert current_request_id() is None
    assert call(MAIN(hello)).code == 200


def test_a_signal_in_a_chunk_ends_the_request(caplog: pytest.LogCaptureFixture) -> None:
    """Its handler raises there, as that of a server that aborts a worker does."""
    look = Probe()

    def chunks() -> Iterator[bytes]:
        yield b"one"
        signal.raise_signal(signal.SIGUSR1)

    def stop(*_: object) -> NoReturn:
        raise SystemExit(1)

    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with pytest.raises(SystemExit):
            call(MAIN(answering(Closing(look, chunks()))), inbound())
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert_is_over(look, caplog, "SystemExit")


def stop_greenlet(how: str, look: Probe) -> str:  # pragma: no cover -- coverage follows none
    """Serve a request in a greenlet that is stopped in a chunk; return the name of what it got."""
    waiting = gevent.event.Event()

    def chunks() -> Iterator[bytes]:
        yield b"one"
        waiting.set()
        with gevent.Timeout(0.01 if how == "timeout" else PATIENCE):
            gevent.sleep(PATIENCE)

    def serve() -> str:
        try:
            call(MAIN(answering(Closing(look, chunks()))), inbound())
        except BaseException as error:  # noqa: BLE001 -- returned
            return type(error).__name__
        return "nothing"

    greenlet = gevent.spawn(serve)
    waiting.wait()
    if how == "kill":
        greenlet.kill()
    found: str = greenlet.get()
    return found


@pytest.mark.parametrize(("how", "error"), [("kill", "GreenletExit"), ("timeout", "Timeout")])
def test_a_greenlet_that_is_stopped_in_a_chunk_ends_the_request(
    how: str, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    """By its pool, or by a ``gevent.Timeout`` of the application's."""
    look = Probe()
    assert stop_greenlet(how, look) == error
    assert_is_over(look, caplog, error)


# Logs and clocks.


class Blocking(logging.Handler):
    """A handler that waits for a log host."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.let_go = Event(), Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.entered.set()
        assert self.let_go.wait(PATIENCE)


def test_a_log_that_blocks_keeps_no_probe_waiting() -> None:
    """The request whose record it is has been answered in full when the handler goes on."""
    app = HealthMiddleware(with_ids(hello), HealthSettings())
    handler, logger = Blocking(), logging.getLogger("wsgi_mw_paste.access")
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.INFO)
    try:
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(call, app)
            assert handler.entered.wait(PATIENCE)
            assert [probe(app, path)[0] for path in ("/livez", "/readyz")] == [200, 200]
            handler.let_go.set()
            assert answer.result().body == b"hello"
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)


@pytest.mark.parametrize("made", [None, SimpleNamespace(), "a line"], ids=repr)
def test_a_record_factory_may_return_anything(made: object) -> None:
    """What it makes cannot be logged, and no response depends on it."""
    before = logging.getLogRecordFactory()
    factory: Any = lambda *_, **__: made  # noqa: E731
    logging.setLogRecordFactory(factory)
    try:
        codes = [call(MAIN(app), inbound()).code for app in (hello, raising(ValueError()))]
    finally:
        logging.setLogRecordFactory(before)
    assert codes == [200, 500]


def test_a_clock_that_jumps_changes_no_duration(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither that of a request nor the age of a probe's result: both have a clock of their own."""
    years = itertools.cycle([0.0, 4e9, 1e9])
    monkeypatch.setattr(time, "time", lambda: next(years))
    monkeypatch.setattr(time, "time_ns", lambda: int(next(years) * 1e9))
    app = HealthMiddleware(with_ids(hello), HealthSettings(health_cache=3600))
    assert [probe(app)[1]["age_seconds"] < PATIENCE for _ in range(4)] == [True] * 4
    caplog.set_level(logging.INFO)
    assert [call(app).code for _ in range(3)] == [200] * 3
    milliseconds = [vars(record)["duration_ms"] for record in caplog.records]
    assert [0 <= found < PATIENCE * 1000 for found in milliseconds] == [True] * 3
