"""The exceptions that ``errors`` does not answer, because they are meant for the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn
from wsgiref.validate import validator

import pytest

from tests.failing import ESCAPED, SECRET, Body, boom, fails, fails_after_start, one, raises
from tests.wsgi import answering, between_validators, call, make_environ
from wsgi_mw_paste import ErrorsMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from _typeshed.wsgi import WSGIApplication

# Orders to stop


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()], ids=repr)
@pytest.mark.parametrize(
    "app",
    [
        pytest.param(lambda stop: stop, id="call"),
        pytest.param(lambda stop: answering(Body([], in_iter=stop)), id="iter"),
        pytest.param(lambda stop: answering(Body([stop])), id="chunk"),
        pytest.param(lambda stop: answering(Body([one, stop])), id="later chunk"),
        pytest.param(lambda stop: answering(Body([one], in_close=stop)), id="close"),
    ],
)
def test_an_order_to_stop_passes(
    app: Callable[[Callable[..., NoReturn]], WSGIApplication],
    error: BaseException,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What is no ``Exception`` is neither answered nor logged, wherever it comes from."""
    with pytest.raises(type(error)) as caught:
        call(between_validators(ErrorsMiddleware, app(raises(error))))
    assert caught.value is error
    assert caplog.records == []


# paste.throw_errors


@pytest.mark.parametrize("key", ["paste.throw_errors", "x-wsgiorg.throw_errors"])
@pytest.mark.parametrize(
    "app",
    [
        pytest.param(fails, id="call"),
        pytest.param(fails_after_start, id="after start_response"),
        pytest.param(answering(Body([], in_iter=boom)), id="iter"),
        pytest.param(answering(Body([boom])), id="chunk"),
    ],
)
def test_an_exception_passes_where_the_environ_asks_for_it(
    app: WSGIApplication, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    """WebTest sets the key, so that a test sees the exception itself; it is logged all the same."""
    with pytest.raises(LookupError, match=SECRET):
        # An inner validator does not close a body whose iter() raises, and complains of that.
        call(validator(ErrorsMiddleware(app)), make_environ() | {key: True})
    assert [record.getMessage() for record in caplog.records] == [ESCAPED]


@pytest.mark.parametrize("value", [False, None, 0])
def test_a_false_value_asks_for_nothing(value: object) -> None:
    """The key alone is not enough."""
    environ = make_environ() | {"paste.throw_errors": value}
    assert call(between_validators(ErrorsMiddleware, fails), environ).code == 500


def test_an_application_cannot_ask_for_it_too_late() -> None:
    """What counts is the environ that the server made."""

    def app(environ: Any, start_response: object) -> NoReturn:
        environ["paste.throw_errors"] = True
        boom()

    assert call(ErrorsMiddleware(app)).code == 500


# The end of a WebSocket


@pytest.mark.parametrize("upgrade", ["websocket", "WebSocket"])
@pytest.mark.parametrize("change", [str, dict.clear], ids=["kept", "cleared"])
def test_the_end_of_a_websocket_passes(
    upgrade: str, change: Callable[[Any], object], caplog: pytest.LogCaptureFixture
) -> None:
    """``StopIteration`` out of the call tells gunicorn that the application had the socket."""

    def app(environ: object, start_response: object) -> NoReturn:
        change(environ)
        raise StopIteration

    with pytest.raises(StopIteration):
        call(ErrorsMiddleware(app), make_environ(headers={"Upgrade": upgrade}))
    assert caplog.records == []


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="no upgrade"),
        pytest.param({"Upgrade": "h2c"}, id="to something else"),
        pytest.param({"Upgrade": ""}, id="to nothing"),
        pytest.param({"Connection": "Upgrade"}, id="half of it"),
    ],
)
def test_any_other_stop_iteration_is_a_bug(
    headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """``next(x for x in …)`` that finds nothing is answered and logged with its traceback."""
    bodies: list[list[bytes]] = []

    def app(environ: object, start_response: object) -> list[bytes]:
        return next(body for body in bodies)

    answer = call(between_validators(ErrorsMiddleware, app), make_environ(headers=headers))
    assert answer.code == 500
    assert "return next(body for body in bodies)" in caplog.text


def test_a_stop_iteration_of_a_body_is_no_end_of_a_websocket() -> None:
    """Only the call may end so: out of ``iter()`` it is a bug."""
    app = ErrorsMiddleware(answering(Body([], in_iter=raises(StopIteration()))))
    assert call(app, make_environ(headers={"Upgrade": "websocket"})).code == 500


def test_other_exceptions_of_a_websocket_are_answered() -> None:
    """A handshake that fails is a request like any other."""
    answer = call(ErrorsMiddleware(fails), make_environ(headers={"Upgrade": "websocket"}))
    assert answer.code == 500


class Handled:
    """What eventlet's applications return, and what it knows by its identity."""

    def __iter__(self) -> Iterator[bytes]:
        return iter(())


@pytest.mark.parametrize("body", [[], (), "", Handled()], ids=lambda body: type(body).__name__)
def test_an_application_may_keep_the_socket(body: Any) -> None:
    """Without ``start_response`` it has answered itself: the server gets what it returns."""
    app: Any = ErrorsMiddleware(lambda *_: body)
    environ = make_environ(headers={"Upgrade": "websocket"})
    assert app(environ, pytest.fail) is body
