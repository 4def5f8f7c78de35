"""Every request ends once: one ``close()``, one record, whatever the body and however it fails."""

from __future__ import annotations

import logging
import sys
from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING, Any, NoReturn
from wsgiref.validate import validator

import pytest

from tests.bodies import (
    CHUNKS,
    FAILURES,
    ID,
    KINDS,
    Failure,
    Kind,
    Probe,
    answers,
    as_closing_iterator,
    as_list,
    as_written,
    fails_in_close,
    inbound,
    outcomes,
    serve,
    with_ids,
)
from tests.wsgi import PLAIN, between_validators, call, make_environ
from wsgi_mw_paste import RequestIdMiddleware, RequestIdSettings, current_request_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


@pytest.fixture(autouse=True)
def _at_info(caplog: pytest.LogCaptureFixture) -> None:
    """Have access records written."""
    caplog.set_level(logging.INFO, "wsgi_mw_paste.access")


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


@pytest.mark.parametrize("failure", [pytest.param(f, id=name) for name, f in FAILURES.items()])
def test_a_failing_request_that_is_not_recorded(failure: Failure) -> None:
    """With ``log_requests = false`` it has one context and one close() all the same."""
    look = Probe()

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        look("call")
        return failure.fails(KeyError("boom"), look, start_response)

    settings = RequestIdSettings(log_requests=False)
    with pytest.raises(KeyError, match="boom"):
        serve(validator(RequestIdMiddleware(app, settings)), chunks=failure.taken)
    assert look.count("close") == failure.closes


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


@pytest.mark.parametrize(
    ("status", "recorded"),
    [
        pytest.param(b"404 Not Found", 404, id="bytes"),
        pytest.param(b"\xe9", None, id="bytes that are no number"),
        pytest.param(404, 404, id="int"),
        pytest.param(HTTPStatus.NOT_FOUND, 404, id="HTTPStatus"),
        pytest.param(None, None, id="None"),
    ],
)
def test_a_status_that_is_no_text_is_recorded(
    status: Any, recorded: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    """The server gets it as it is, to refuse or to accept; the record has the number."""
    got = []

    def app(environ: WSGIEnvironment, start_response: Any) -> Iterable[bytes]:
        start_response(status, PLAIN)
        return [b"hello"]

    def start_response(*arguments: Any) -> Callable[[bytes], object]:
        got.append(arguments[0])
        return lambda _: None

    with_ids(app)(inbound(), start_response)
    assert got == [status]
    assert outcomes(caplog) == [(recorded, 5, "INFO", None)]


def ends_a_websocket(environ: WSGIEnvironment, start_response: StartResponse) -> NoReturn:
    """End as extensions for WebSockets do under gunicorn: they have answered on the socket."""
    environ.clear()
    raise StopIteration


@pytest.mark.parametrize(
    ("headers", "recorded"),
    [
        pytest.param({"Upgrade": "websocket"}, (None, 0, "INFO", None), id="websocket"),
        pytest.param({"Upgrade": "WebSocket"}, (None, 0, "INFO", None), id="any case"),
        pytest.param({"Upgrade": "h2c"}, (500, 0, "ERROR", "StopIteration"), id="another upgrade"),
        pytest.param({}, (500, 0, "ERROR", "StopIteration"), id="no upgrade"),
    ],
)
def test_the_end_of_a_websocket_is_no_error(
    headers: dict[str, str], recorded: tuple[Any, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """``StopIteration`` is gunicorn's sign for it; on another request it is an ordinary bug."""
    with pytest.raises(StopIteration):
        with_ids(ends_a_websocket)(inbound(headers), lambda *_: lambda _: None)
    assert outcomes(caplog) == [recorded]


def test_another_exception_on_a_websocket_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """Only the sign itself is no failure."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> NoReturn:
        raise KeyError("boom")

    with pytest.raises(KeyError):
        with_ids(app)(inbound({"Upgrade": "websocket"}), lambda *_: lambda _: None)
    assert outcomes(caplog) == [(500, 0, "ERROR", "KeyError")]


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
