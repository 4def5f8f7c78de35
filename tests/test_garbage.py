"""No request leaves anything to the garbage collector, however badly it ends.

What refers to itself stays in memory, with the environ and all that hangs from it, until the
collector runs; on a busy server that is many requests at once.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any
from wsgiref.util import FileWrapper

import pytest

from tests.bodies import (
    File,
    Probe,
    as_closing_iterator,
    as_generator,
    as_late_generator,
    as_list,
    as_written,
    inbound,
    with_ids,
)
from tests.memory import is_freed
from tests.wsgi import PLAIN, call, make_environ
from wsgi_mw_paste import ErrorsMiddleware, factories

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ORIGIN = "https://app.example.com"
#: The filters with their options.
FILTERS = {
    "cors": {"cors_allowed": ORIGIN},
    "request_id": {"log_tokens": "false"},
    "errors": {},
    "health": {},
    "main": {"cors_allowed": ORIGIN, "log_tokens": "false"},
}


class Timeout(BaseException):
    """As gevent's, which is no ``Exception``."""


def streams(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    yield b"one"


def fails(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    raise ValueError


def fails_at_once(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    yield str(int("no number")).encode()


def fails_after_write(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    write: Any = start_response("200 OK", PLAIN)
    write(b"one")
    raise ValueError


def fails_in_the_middle(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    yield b"one"
    raise ValueError


def restarts_in_the_middle(
    environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    yield b"one"
    try:
        int("no number")
    except ValueError:
        start_response("500 Internal Server Error", PLAIN, sys.exc_info())


def restarts_before_the_first_chunk(
    environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    try:
        int("no number")
    except ValueError:
        start_response("500 Internal Server Error", PLAIN, sys.exc_info())
    yield b"one"


def fails_after_its_own_answer(
    environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    try:
        int("no number")
    except ValueError:
        start_response("500 Internal Server Error", PLAIN, sys.exc_info())
    yield str(int("no number again")).encode()


def exits_after_its_own_answer(
    environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    try:
        int("no number")
    except ValueError:
        start_response("500 Internal Server Error", PLAIN, sys.exc_info())
    raise Timeout


def keeps_its_start_response(
    environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    environ["tests.start_response"] = start_response
    environ["tests.write"] = start_response("200 OK", PLAIN)
    return [b"one"]


#: With which of the filters an exception reaches the server.
NEVER: Collection[str] = ()
WITHOUT_ERRORS: Collection[str] = ("cors", "request_id", "health")
ALWAYS: Collection[str] = tuple(FILTERS)


@pytest.fixture(autouse=True)
def _no_records(caplog: pytest.LogCaptureFixture) -> None:
    """Let no log record keep a traceback."""
    caplog.set_level(logging.CRITICAL, "wsgi_mw_paste.errors")


def serve(app: WSGIApplication, environ: WSGIEnvironment) -> bool:
    """Serve a request as a careful server does, say whether an exception reached it."""
    begun = False

    def start_response(status: str, headers: Any, exc_info: Any = None, /) -> Any:
        try:
            if exc_info is not None and begun:
                raise exc_info[1].with_traceback(exc_info[2])
        finally:
            # As PEP 3333 asks of servers, for the reason of this module.
            exc_info = None
        return lambda data: None

    body: Any = None
    try:
        body = app(environ, start_response)
        for chunk in body:
            begun = begun or bool(chunk)
    except (ValueError, Timeout):
        return True
    finally:
        if hasattr(body, "close"):
            body.close()
    return False


@pytest.mark.parametrize("origin", [None, ORIGIN], ids=["no Origin", "Origin"])
@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize(
    ("app", "raises"),
    [
        (streams, NEVER),
        (fails, WITHOUT_ERRORS),
        (fails_at_once, WITHOUT_ERRORS),
        (fails_after_write, ALWAYS),
        (fails_in_the_middle, ALWAYS),
        (restarts_in_the_middle, ALWAYS),
        (restarts_before_the_first_chunk, NEVER),
        (fails_after_its_own_answer, WITHOUT_ERRORS),
        (exits_after_its_own_answer, ALWAYS),
        (keeps_its_start_response, NEVER),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_request_leaves_nothing(
    *, app: WSGIApplication, raises: Collection[str], name: str, origin: str | None
) -> None:
    """When it is over, its environ is gone at once."""
    environ = make_environ(headers={"Origin": origin} if origin else {})
    wrapped = getattr(factories, name)({}, **FILTERS[name])(app)
    raised = []
    assert is_freed(lambda given: raised.append(serve(wrapped, given)), environ)
    assert raised == [name in raises]


def with_errors(app: WSGIApplication) -> WSGIApplication:
    return with_ids(ErrorsMiddleware(app))


@pytest.mark.parametrize("wrap", [with_ids, with_errors], ids=["alone", "around errors"])
@pytest.mark.parametrize(
    "make",
    [as_list, as_closing_iterator, as_generator, as_late_generator, as_written,
     lambda look, start_response: FileWrapper(File(look))],
    ids=["list", "iterator", "generator", "late generator", "write", "file wrapper"],
)  # fmt: skip
def test_a_request_with_an_id_leaves_nothing(
    make: Callable[[Probe, StartResponse], Iterable[bytes]],
    wrap: Callable[[WSGIApplication], WSGIApplication],
) -> None:
    """Whatever the body, also where the application keeps the ``start_response`` it was given."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["tests.start_response"] = start_response
        start_response("200 OK", PLAIN)
        return make(Probe(), lambda *_: lambda _: None)

    wrapped = wrap(app)
    assert is_freed(
        lambda given: call(wrapped, given), inbound(**{"wsgi.file_wrapper": FileWrapper})
    )
