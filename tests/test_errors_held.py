"""``errors`` holds a response until something of it is sent.

An exception before that is answered by one response, and one after it is the server's.
"""

from __future__ import annotations

import io
import itertools
import sys
from typing import TYPE_CHECKING, Any
from wsgiref.util import FileWrapper

import pytest
from webob import Request

from tests.failing import (
    ESCAPED,
    SECRET,
    Body,
    boom,
    empty,
    fails,
    fails_after_start,
    lose,
    one,
    raises,
    starts_late,
    writes,
)
from tests.wsgi import PLAIN, answering, between_validators, call, make_environ
from wsgi_mw_paste import ErrorsMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

OK = ("200 OK", PLAIN)
OTHER = ("503 Service Unavailable", PLAIN)
#: Our answer, as a server hears of it.
TEXT = b"Internal Server Error\n\nrequest id: -\n"
ERROR = (
    "500 Internal Server Error",
    [
        ("Content-Type", "text/plain; charset=UTF-8"),
        ("Cache-Control", "no-store"),
        ("Content-Length", str(len(TEXT))),
    ],
)


class Server:
    """A server that writes down what it hears.

    :ivar events: the arguments of every ``start_response``, and every chunk.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self.app = ErrorsMiddleware(app)
        self.events: list[Any] = []

    def start_response(self, *arguments: Any) -> Callable[[bytes], object]:
        self.events.append(arguments)
        return self.events.append

    def call(self, environ: WSGIEnvironment | None = None) -> Any:
        """Call the application and return its body."""
        return self.app(make_environ() if environ is None else environ, self.start_response)

    def serve(self, environ: WSGIEnvironment | None = None) -> list[Any]:
        """Call the application, read its body, close it, and return what was heard."""
        body = self.call(environ)
        try:
            self.events.extend(body)
        finally:
            if hasattr(body, "close"):
                body.close()
        return self.events


class Refusing(Server):
    """A server that raises an exception when it is told of a response without ``exc_info``."""

    error: BaseException = ValueError("a header that this server refuses")

    def start_response(self, *arguments: Any) -> Callable[[bytes], object]:
        write = super().start_response(*arguments)
        if len(arguments) == 2:
            raise self.error
        return write


# Before anything is sent


@pytest.mark.parametrize(
    "app",
    [
        pytest.param(fails, id="in the call"),
        pytest.param(fails_after_start, id="after start_response"),
        pytest.param(answering(Body([], in_iter=boom)), id="in iter()"),
        pytest.param(answering(Body([boom])), id="in the first chunk"),
        pytest.param(answering(Body([empty, empty, boom])), id="after empty chunks"),
        pytest.param(starts_late(Body([boom])), id="in a first chunk that starts"),
        pytest.param(starts_late(Body([empty, boom])), id="after an empty chunk that starts"),
    ],
)
def test_an_exception_before_the_first_byte_is_answered_by_one_response(
    app: WSGIApplication,
) -> None:
    """The server hears of our 500, without ``exc_info``, and of no other response."""
    assert Server(app).serve() == [ERROR, TEXT]


@pytest.mark.parametrize(
    ("answers", "body"),
    [
        pytest.param(answering, Body([], in_iter=boom), id="iter()"),
        pytest.param(answering, Body([boom]), id="first chunk"),
        pytest.param(answering, Body([empty, boom]), id="after an empty chunk"),
        pytest.param(starts_late, Body([boom]), id="first chunk, started in it"),
    ],
)
def test_a_failed_body_is_closed_before_it_is_answered(
    answers: Callable[[Body], WSGIApplication], body: Body
) -> None:
    """It is closed once, and before the server hears of our answer."""
    server = Server(answers(body))
    body.in_close = lambda: server.events.append("closed")
    assert server.serve() == ["closed", ERROR, TEXT]
    assert body.closed == [True]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(Body([boom], in_close=lose), id="first chunk"),
        pytest.param(Body([], in_iter=boom, in_close=lose), id="iter()"),
    ],
)
def test_a_failed_body_that_fails_to_close_is_logged_twice(
    body: Body, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither exception hides the other in the log, nor the answer from the client."""
    assert Server(answering(body)).serve() == [ERROR, TEXT]
    assert body.closed == [True]
    assert [record.getMessage() for record in caplog.records] == [
        ESCAPED,
        "KeyError escaped the application",
    ]


@pytest.mark.parametrize("stop", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()], ids=repr)
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda stop: Body([], in_iter=stop), id="iter()"),
        pytest.param(lambda stop: Body([stop]), id="first chunk"),
        pytest.param(lambda stop: Body([boom], in_close=stop), id="close() of a failed body"),
    ],
)
def test_a_body_is_closed_when_an_order_to_stop_passes(
    make: Callable[[Callable[[], object]], Body], stop: BaseException
) -> None:
    """The server gets no body that it could close; it hears of no response either."""
    body = make(raises(stop))
    server = Server(answering(body))
    with pytest.raises(type(stop)):
        server.serve()
    assert body.closed == [True]
    assert server.events == []


def test_an_application_that_answers_its_own_error_replaces_the_response(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A second ``start_response`` with ``exc_info``: the server hears of that response only."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(*OK)
        try:
            boom()
        except LookupError:
            start_response(*OTHER, sys.exc_info())
        return [b"later"]

    (*other, exc_info), body = Server(app).serve()
    assert (tuple(other), body) == (OTHER, b"later")
    assert (exc_info[0], str(exc_info[1])) == (LookupError, SECRET)
    assert caplog.records == []


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(lambda start, info: start(*OTHER, info), id="by position"),
        pytest.param(lambda start, info: start(*OTHER, exc_info=info), id="by keyword"),
        pytest.param(
            lambda start, info: start(status=OTHER[0], headers=OTHER[1], exc_info=info),
            id="all by keyword",
        ),
    ],
)
@pytest.mark.parametrize("first", [True, False], ids=["second", "first"])
def test_exc_info_is_passed_on_in_every_form(*, how: Callable[..., object], first: bool) -> None:
    """WebOb passes it by keyword, and its client raises it even in an application's first call."""
    passed = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if first:
            start_response(*OK)
        try:
            boom()
        except LookupError:
            passed.append(sys.exc_info())
            how(start_response, passed[0])
        return [b"later"]

    assert Server(app).serve() == [(*OTHER, passed[0]), b"later"]


def test_an_application_that_fails_after_answering_its_own_error_is_answered() -> None:
    """Nothing has been sent, so the server hears of our 500 alone."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            boom()
        except LookupError:
            start_response(*OTHER, sys.exc_info())
        return [boom()]

    assert Server(app).serve() == [ERROR, TEXT]


@pytest.mark.parametrize("release", [False, True], ids=["held", "released"])
def test_a_second_start_response_without_exc_info_is_an_error(
    *, release: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """PEP 3333 calls it fatal: the application gets an AssertionError, as from any server."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        write = start_response(*OK)
        if release:
            write(b"one")
        with pytest.raises(
            AssertionError, match=r"^start_response was called again without exc_info$"
        ):
            start_response(*OTHER)
        return [b"two"]

    assert Server(app).serve() == [OK, *[b"one"] * release, b"two"]


def test_what_the_server_gets_is_a_copy() -> None:
    """An application may use its list of headers again, and a server may change the one it has."""
    headers = [*PLAIN]

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", headers)
        headers.append(("X-Late", "1"))
        yield b"one"

    server = Server(app)
    assert server.serve() == [OK, b"one"]
    server.events[0][1].clear()
    assert headers == [*PLAIN, ("X-Late", "1")]


# What releases the response


def test_the_first_chunk_is_asked_for_before_the_call_returns() -> None:
    """Some servers, and WebOb, take status and headers when the call returns; empties are dropped.

    Others send the headers with an empty chunk, and nothing could be answered after that.
    """
    server = Server(answering(Body([empty, empty, one, empty, one])))
    body = server.call()
    assert server.events == [OK]
    assert list(body) == [b"one", b"", b"one"]


def test_no_further_chunk_is_asked_for_before_the_server_asks() -> None:
    """Streaming stays streaming: one chunk is ready, no more."""
    made: list[int] = []

    def chunk() -> bytes:
        made.append(1)
        return b"one"

    body = Server(answering(Body([chunk, chunk, chunk]))).call()
    for expected, _ in enumerate(body, start=1):
        assert len(made) == expected
    assert len(made) == 3


def test_a_body_without_a_chunk_releases_the_response_at_its_end() -> None:
    """The answer to HEAD, a 304: headers, no bytes, and the body is closed."""
    body = Body([empty])
    assert Server(answering(body, "304 Not Modified")).serve() == [("304 Not Modified", PLAIN)]
    assert body.closed == [True]


def test_a_body_that_has_ended_is_not_asked_again() -> None:
    """An iterator that goes on after its end would send what the application did not mean."""
    answers = iter([b"", None, b"late"])
    # The two-argument form ends at None, and would go on after it.
    body = Server(answering(iter(lambda: next(answers), None))).call()
    assert (list(body), list(body)) == ([], [])
    assert next(answers) == b"late"


@pytest.mark.parametrize("data", [b"out", b""])
def test_write_releases_the_response(data: bytes) -> None:
    """The server hears of the response, and gets the data, before ``write()`` returns."""
    server = Server(writes(data, lambda: [b"%d" % len(server.events)]))
    assert server.serve() == [OK, data, b"2"]


@pytest.mark.parametrize("body", [[b"one"], (b"one", b"two"), [], b"one"], ids=repr)
def test_what_needs_no_iteration_is_passed_through(body: Any) -> None:
    """The response is released, and the server gets the application's own object.

    Servers see a length in lists and tuples; uWSGI sends bytes as one chunk.
    """
    server = Server(answering(body))
    assert server.call() is body
    assert server.events == [OK]


def test_file_wrappers_are_passed_through() -> None:
    """The response is released, and the server gets its own file wrapper, unchanged."""
    wrapper = FileWrapper(io.BytesIO(b"one"))
    before = dict(vars(wrapper))
    server = Server(answering(wrapper))
    assert server.call(make_environ() | {"wsgi.file_wrapper": FileWrapper}) is wrapper
    assert server.events == [OK]
    assert vars(wrapper) == before


def test_webob_gets_a_response_with_an_endless_body() -> None:
    """``Request.get_response`` returns when the response has begun, not when it has ended."""
    body = itertools.chain([b""], itertools.repeat(b"tick"))
    response = Request.blank("/").get_response(ErrorsMiddleware(answering(body)))
    assert response.status == "200 OK"
    assert list(itertools.islice(response.app_iter, 3)) == [b"tick"] * 3


# After that


@pytest.mark.parametrize(
    ("app", "events"),
    [
        pytest.param(writes(b"out", boom), [OK, b"out"], id="after write()"),
        pytest.param(writes(b"", boom), [OK, b""], id="after an empty write()"),
        pytest.param(writes(b"out", lambda: Body([], in_iter=boom)), [OK, b"out"], id="in iter()"),
        pytest.param(writes(b"out", lambda: Body([boom])), [OK, b"out"], id="in the first chunk"),
        pytest.param(answering(Body([one, boom])), [OK, b"one"], id="in the second chunk"),
        pytest.param(answering(Body([one, empty, boom])), [OK, b"one", b""], id="later"),
    ],
)
def test_an_exception_after_that_goes_on_to_the_server(
    app: WSGIApplication, events: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and the server hears of no other response: it alone can cut the connection."""
    server = Server(app)
    with pytest.raises(LookupError, match=SECRET):
        server.serve()
    assert server.events == events
    assert [record.getMessage() for record in caplog.records] == [ESCAPED]


@pytest.mark.parametrize("body", [Body([], in_iter=boom), Body([boom])], ids=["iter", "chunk"])
def test_a_failed_body_is_closed_after_write_too(body: Body) -> None:
    """The exception goes on, and the server never sees the body."""
    with pytest.raises(LookupError):
        Server(writes(b"out", lambda: body)).serve()
    assert body.closed == [True]


def test_an_application_may_try_to_replace_a_response_after_that() -> None:
    """With ``exc_info`` it asks the server, which raises the exception if headers are out."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response(*OK)
        yield b"one"
        try:
            boom()
        except LookupError:
            start_response(*OTHER, sys.exc_info())(b"two")

    server = Server(app)
    server.serve()
    first, one, (*other, exc_info), two = server.events
    assert (first, one, tuple(other), two) == (OK, b"one", OTHER, b"two")
    assert (exc_info[0], str(exc_info[1])) == (LookupError, SECRET)


@pytest.mark.parametrize("in_close", [int, boom], ids=["closes", "fails to close"])
def test_the_server_closes_a_body_that_it_got(
    in_close: Callable[[], object], caplog: pytest.LogCaptureFixture
) -> None:
    """An exception in a later chunk leaves the body to the server, which closes it, once."""
    body = Body([one, one, boom], in_close=in_close)
    with pytest.raises(LookupError, match=SECRET):
        call(between_validators(ErrorsMiddleware, answering(body)))
    assert body.closed == [True]
    assert {record.getMessage() for record in caplog.records} == {ESCAPED}


@pytest.mark.parametrize("chunks", [[one], []], ids=["a chunk", "no chunk"])
def test_an_exception_in_close_reaches_the_server(
    chunks: list[Callable[[], bytes]], caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged and passes; closing again does nothing."""
    body = Body(chunks, in_close=boom)
    response = Server(answering(body)).call()
    assert list(response) == [chunk() for chunk in chunks]
    with pytest.raises(LookupError, match=SECRET):
        response.close()
    response.close()
    assert body.closed == [True]
    assert [record.getMessage() for record in caplog.records] == [ESCAPED]


# Servers that refuse a response


class RefusingAll(Refusing):
    """One that refuses what it is told with ``exc_info``, too, but for our own answer."""

    def start_response(self, *arguments: Any) -> Callable[[bytes], object]:
        write = super().start_response(*arguments)
        if arguments[0] != ERROR[0]:
            raise self.error
        return write


def test_a_refused_answer_to_an_error_is_answered_with_exc_info() -> None:
    """The server was told of it, so our answer has to say that it comes in its place."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            boom()
        except LookupError:
            start_response(*OTHER, sys.exc_info())
        return [b"later"]

    refused, answered, body = RefusingAll(app).serve()
    assert (refused[0], answered[:2], body) == (OTHER[0], ERROR, TEXT)
    assert answered[2][1] is RefusingAll.error


def test_after_a_refusal_the_application_hears_at_once_of_the_next() -> None:
    """The response is no longer held: an application that handles the error can see what comes."""
    heard = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        write = start_response(*OK)
        try:
            write(b"one")
        except ValueError as error:
            heard.append(error)
            with pytest.raises(ValueError, match="refuses") as again:
                start_response(*OTHER, sys.exc_info())
            heard.append(again.value)
        return [b"later"]

    server = RefusingAll(app)
    server.serve()
    assert heard == [server.error, server.error]


@pytest.mark.parametrize(
    "app",
    [
        pytest.param(answering([b"one"]), id="list"),
        pytest.param(answering(Body([one])), id="chunks"),
        pytest.param(writes(b"one", list), id="write()"),
    ],
)
def test_a_response_that_the_server_refuses_is_answered_with_exc_info(
    app: WSGIApplication, caplog: pytest.LogCaptureFixture
) -> None:
    """Servers count it as started: without ``exc_info`` the next one would be an error, too."""
    server = Refusing(app)
    refused, (*answer, exc_info), body = server.serve()
    assert (refused, tuple(answer), body) == (OK, ERROR, TEXT)
    assert exc_info[:2] == (ValueError, server.error)
    assert exc_info[2] is server.error.__traceback__
    assert [record.getMessage() for record in caplog.records] == [
        "ValueError escaped the application"
    ]


def test_the_body_of_a_refused_response_is_closed() -> None:
    """No server will see it."""
    body = Body([one])
    Refusing(answering(body)).serve()
    assert body.closed == [True]


def test_a_server_that_refuses_our_answer_too_gets_its_own_exception() -> None:
    """There is nothing left to try."""

    class Broken(Refusing):
        def start_response(self, *arguments: Any) -> Callable[[bytes], object]:
            super().start_response(*arguments[:2])
            raise AssertionError  # pragma: no cover -- the line before raises

    with pytest.raises(ValueError, match="refuses"):
        Broken(answering([b"one"])).serve()


def test_an_application_may_replace_a_response_that_the_server_refused() -> None:
    """It hears of it from its ``write()``; both forms of ``write`` then work."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        write: Any = start_response(*OK)
        try:
            write(b"lost")
        except ValueError:
            start_response(*OTHER, sys.exc_info())(b"one")
        write(b"two")
        return [b"three"]

    refused, other, *chunks = Refusing(app).serve()
    assert (refused, other[:2]) == (OK, OTHER)
    assert chunks == [b"one", b"two", b"three"]


# What the application does to its environ


def changes(app: WSGIApplication, change: Callable[[WSGIEnvironment], object]) -> WSGIApplication:
    """Return an application that changes its environ first."""

    def changing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        change(environ)
        return app(environ, start_response)

    return changing


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(dict.clear, id="cleared"),
        pytest.param(lambda environ: environ.update(REQUEST_METHOD="GET"), id="run as GET"),
    ],
)
def test_head_is_answered_without_a_body_whatever_the_method_is_then(
    change: Callable[[WSGIEnvironment], object],
) -> None:
    """Servers put the body of such an answer before the next response of the connection."""
    assert Server(changes(fails, change)).serve(make_environ("HEAD")) == [ERROR]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(dict.clear, id="cleared"),
        pytest.param(lambda environ: environ.update(HTTP_ACCEPT="text/html"), id="other"),
        pytest.param(lambda environ: environ.update(HTTP_ACCEPT=None), id="None"),
    ],
)
def test_the_accept_of_the_request_counts(change: Callable[[WSGIEnvironment], object]) -> None:
    """What the application makes of it does not."""
    environ = make_environ(headers={"Accept": "application/json"})
    (_, headers), _body = Server(changes(fails, change)).serve(environ)
    assert ("Content-Type", "application/problem+json") in headers


@pytest.mark.parametrize("key", ["HTTP_ACCEPT", "HTTP_UPGRADE"])
def test_an_environ_with_none_in_it_is_answered(key: str) -> None:
    """Middlewares that "remove" a header so are not worth another exception."""
    assert Server(fails).serve(make_environ() | {key: None}) == [ERROR, TEXT]


def test_an_environ_is_not_needed_to_send_a_file() -> None:
    """The server's file is known by what the environ was."""
    wrapper = FileWrapper(io.BytesIO(b"one"))
    server = Server(changes(answering(wrapper), dict.clear))
    assert server.call(make_environ() | {"wsgi.file_wrapper": FileWrapper}) is wrapper


# What is hardly WSGI


class Grumpy:
    """A body that raises when anything is looked for in it, as proxies do."""

    def __init__(self, *, closable: bool) -> None:
        self.closable, self.closed = closable, 0

    def __getattribute__(self, name: str) -> Any:
        if name == "fileno" or (name == "close" and not object.__getattribute__(self, "closable")):
            raise LookupError(SECRET)
        return object.__getattribute__(self, name)

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize(
    ("closable", "file_wrapper"),
    [
        pytest.param(False, FileWrapper, id="close"),
        # Where the wrapper is a function, as uWSGI's, a file is known by its fileno.
        pytest.param(True, lambda file: file, id="fileno"),
    ],
)
def test_a_body_that_raises_when_looked_at_is_answered(
    *, closable: bool, file_wrapper: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What an attribute raises is an exception of the application's; the body is closed."""
    body = Grumpy(closable=closable)
    environ = make_environ(**{"wsgi.file_wrapper": file_wrapper})
    assert Server(answering(body)).serve(environ) == [ERROR, TEXT]
    assert caplog.records[0].getMessage() == ESCAPED
    assert body.closed == closable


@pytest.mark.parametrize("body", [None, 7], ids=repr)
def test_what_is_no_body_is_answered(body: object, caplog: pytest.LogCaptureFixture) -> None:
    """An application that returns no iterable has failed like any other."""
    assert Server(answering(body)).serve() == [ERROR, TEXT]
    assert caplog.records[0].getMessage() == "TypeError escaped the application"


@pytest.mark.parametrize(
    "body", [[b"one"], Body([one]), Body([])], ids=["list", "a chunk", "no chunk"]
)
def test_a_body_without_start_response_is_answered(
    body: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """An application that forgets it has failed; browsers can read our answer, no server's."""
    assert Server(lambda *_: body).serve() == [ERROR, TEXT]
    assert caplog.records[0].getMessage() == "AssertionError escaped the application"
    assert caplog.text.endswith("AssertionError: the application did not call start_response\n")


@pytest.mark.parametrize(
    ("status", "body", "chunks"),
    [
        pytest.param(b"200 OK", [b"one"], [b"one"], id="status of bytes"),
        pytest.param(200, [b"one"], [b"one"], id="status of a number"),
        pytest.param("200 OK", b"one", [*b"one"], id="body of bytes"),
        pytest.param("200 OK", "one", [*"one"], id="body of text"),
    ],
)
def test_what_is_wrong_is_left_to_the_server(status: Any, body: Any, chunks: list[Any]) -> None:
    """Some servers send it, others raise: each does what it does without us."""
    assert Server(answering(body, status)).serve() == [(status, PLAIN), *chunks]
