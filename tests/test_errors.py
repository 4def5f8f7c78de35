"""What becomes of exceptions that escape the application."""

from __future__ import annotations

import gc
import io
import json
import logging
import sys
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest

from tests.ini import load_ini
from tests.wsgi import Answer, assert_headers, between_validators, call, hello, make_environ
from wsgi_mw_paste import (
    CORSMiddleware,
    CORSSettings,
    ErrorsMiddleware,
    RequestIdFormatter,
    RequestIdMiddleware,
    RequestIdSettings,
)
from wsgi_mw_paste.factories import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ID = "abc-123"
PLAIN = [("Content-Type", "text/plain")]
TEXT = "text/plain; charset=UTF-8"
JSON = "application/problem+json"
SECRET = "password=hunter2"
ESCAPED = "LookupError escaped the application"


def wrap(app: WSGIApplication) -> WSGIApplication:
    """Wrap *app* in the filter, with validators on both sides."""
    return between_validators(errors({}), app)


def boom() -> NoReturn:
    """Raise what a client must not hear of."""
    raise LookupError(SECRET)


def fail(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    boom()


@dataclass
class Body:
    """A body that calls its chunks, and counts how often it is closed."""

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


def one() -> bytes:
    return b"one"


def empty() -> bytes:
    return b""


def sends(body: Any, status: str = "200 OK") -> WSGIApplication:
    """Return an application that answers with this body."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, PLAIN)
        return body  # type: ignore[no-any-return]

    return app


def starts_late(body: Body) -> WSGIApplication:
    """Return an application whose first chunk is what calls ``start_response``."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        first = body.chunks[0]

        def start() -> bytes:
            start_response("200 OK", PLAIN)
            return first()

        body.chunks[0] = start
        return body

    return app


def fails_after_start(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [*PLAIN, ("Set-Cookie", SECRET)])
    boom()


def fails_after_write(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)(b"one")
    boom()


def assert_is_500(answer: Answer, content_type: str = TEXT) -> None:
    """Fail unless it is our answer, with our headers only, and tells nothing."""
    assert answer.status == "500 Internal Server Error"
    assert_headers(
        answer,
        {
            "Content-Type": content_type,
            "Content-Length": str(len(answer.body)),
            "Cache-Control": "no-store",
        },
    )
    assert SECRET.encode() not in answer.body
    assert b"LookupError" not in answer.body


def test_what_does_not_raise_passes() -> None:
    """An answer of the application's own is left as it is, an error status, too."""
    answer = call(wrap(sends(Body([one, one]), "503 Service Unavailable")))
    assert (answer.status, answer.body) == ("503 Service Unavailable", b"oneone")
    assert_headers(answer, {"Content-Type": "text/plain"})


@pytest.mark.parametrize(
    "app", [pytest.param(fail, id="before"), pytest.param(fails_after_start, id="after")]
)
def test_an_exception_in_the_call_is_answered(
    app: WSGIApplication, caplog: pytest.LogCaptureFixture
) -> None:
    """Before or after ``start_response``, the client gets our 500 and nothing of the exception."""
    answer = call(wrap(app))
    assert_is_500(answer)
    assert answer.body == b"Internal Server Error\n\nrequest id: -\n"
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("wsgi_mw_paste.errors", "ERROR")
    assert record.getMessage() == "LookupError escaped the application"
    assert SECRET in caplog.text
    assert "boom()" in caplog.text


@pytest.mark.parametrize(
    ("answers", "body"),
    [
        pytest.param(sends, Body([], in_iter=boom), id="iter"),
        pytest.param(sends, Body([boom]), id="first chunk"),
        pytest.param(starts_late, Body([boom]), id="first chunk, started in it"),
    ],
)
def test_an_exception_before_the_first_byte_is_answered(
    answers: Callable[[Body], WSGIApplication], body: Body
) -> None:
    """While nothing is out the client gets our 500; the failed body is closed, once."""
    # An inner validator would not close a body whose iter() raises.
    assert_is_500(call(validator(ErrorsMiddleware(answers(body)))))
    assert body.closed == [True]


def lose() -> NoReturn:
    raise KeyError


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(Body([boom], in_close=lose), id="first chunk"),
        pytest.param(Body([], in_iter=boom, in_close=lose), id="iter"),
    ],
)
def test_a_failed_body_that_fails_to_close_is_logged_twice(
    body: Body, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither exception hides the other in the log, nor the answer from the client."""
    assert_is_500(call(validator(ErrorsMiddleware(sends(body)))))
    assert body.closed == [True]
    assert [record.getMessage() for record in caplog.records] == [
        "LookupError escaped the application",
        "KeyError escaped the application",
    ]


def test_a_body_that_nobody_sees_is_closed_once_bytes_are_out() -> None:
    """Where iter() raises after write(), the exception passes on and the body is closed."""
    body = Body([], in_iter=boom)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)(b"out")
        return body

    with pytest.raises(LookupError, match=SECRET):
        call(validator(ErrorsMiddleware(app)))
    assert body.closed == [True]


def test_an_unstarted_response_is_answered_without_exc_info() -> None:
    """PEP 3333 asks for it after a first start; uWSGI loses the body of an answer that has it."""
    given: list[tuple[object, ...]] = []

    def start_response(*arguments: Any) -> Any:
        given.append(arguments)

    body: Any = ErrorsMiddleware(fail)(make_environ(), start_response)

    [(status, _headers)] = given
    assert status == "500 Internal Server Error"
    assert b"".join(body) == b"Internal Server Error\n\nrequest id: -\n"


def test_an_error_that_the_application_answers_itself_is_not_ours(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A second start_response with ``exc_info`` is handed on, and nothing is logged."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        try:
            boom()
        except LookupError:
            start_response("503 Service Unavailable", PLAIN, sys.exc_info())
        return [b"later"]

    answer = call(wrap(app))

    assert (answer.status, answer.body) == ("503 Service Unavailable", b"later")
    assert caplog.records == []


def test_an_answer_behind_chunks_has_no_length() -> None:
    """A server that sends nothing before the end (Tornado) sends those chunks, too."""
    given: list[Any] = []

    def start_response(*arguments: Any) -> Any:
        given.append(arguments)

    body = b"".join(ErrorsMiddleware(sends(Body([one, boom])))(make_environ(), start_response))

    assert body == b"oneInternal Server Error\n\nrequest id: -\n"
    assert [name for name, _ in given[1][1]] == ["Content-Type", "Cache-Control"]


@pytest.mark.parametrize("body", [None, 7], ids=repr)
def test_what_is_no_body_is_answered(body: object, caplog: pytest.LogCaptureFixture) -> None:
    """An application that returns no iterable has failed like any other."""
    assert_is_500(call(validator(ErrorsMiddleware(sends(body)))))
    assert caplog.records[0].getMessage() == "TypeError escaped the application"


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
    assert_is_500(call(validator(ErrorsMiddleware(sends(body))), environ))
    assert caplog.records[0].getMessage() == ESCAPED
    assert body.closed == closable


def test_an_exception_after_write_reaches_the_server(caplog: pytest.LogCaptureFixture) -> None:
    """Once bytes are out only the server can end the response: logged, the exception passes."""
    with pytest.raises(LookupError, match=SECRET):
        call(wrap(fails_after_write))
    assert [record.getMessage() for record in caplog.records] == [ESCAPED]


@pytest.mark.parametrize("in_close", [int, boom])
def test_an_exception_in_a_later_chunk_reaches_the_server(
    in_close: Callable[[], object], caplog: pytest.LogCaptureFixture
) -> None:
    """In the third chunk it is too late for an answer; the server closes the body, once."""
    body = Body([one, one, boom], in_close=in_close)
    with pytest.raises(LookupError, match=SECRET):
        call(wrap(sends(body)))
    assert body.closed == [True]
    assert {record.getMessage() for record in caplog.records} == {ESCAPED}


def test_an_exception_in_close_reaches_the_server(caplog: pytest.LogCaptureFixture) -> None:
    """An exception in close() is logged and passes; closing again does nothing."""
    body = Body([one], in_close=boom)
    app: Any = wrap(sends(body))
    response = app(make_environ(), lambda *_: lambda _: None)
    assert list(response) == [b"one"]
    with pytest.raises(LookupError, match=SECRET):
        response.close()
    response.close()
    assert body.closed == [True]
    assert [record.getMessage() for record in caplog.records] == [ESCAPED]


@pytest.mark.parametrize("chunks", [[boom], [empty, boom], [one, one, boom]], ids=len)
def test_whether_a_response_has_begun_is_the_servers_call(
    chunks: list[Callable[[], bytes]],
) -> None:
    """A server that has sent nothing yet, whatever it was given, gets our answer to send."""
    body = Body(chunks)
    buffer: list[bytes] = []
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
        started.append((status, headers, *exc_info))
        buffer.clear()
        return buffer.append

    # No validators: PEP 3333 would have this server send its first chunk at once.
    response: Any = ErrorsMiddleware(sends(body))(make_environ(), start_response)
    for chunk in response:
        buffer.append(chunk)  # noqa: PERF402 -- it is cleared in between
    response.close()
    (first, _), (second, _, (kind, error, traceback)) = started
    assert (first, second) == ("200 OK", "500 Internal Server Error")
    assert b"".join(buffer) == b"Internal Server Error\n\nrequest id: -\n"
    assert (kind, str(error), traceback) == (LookupError, SECRET, error.__traceback__)
    assert body.closed == [True]


def raises(error: BaseException) -> Callable[[], NoReturn]:
    """Return a function that raises *error*."""

    def stop() -> NoReturn:
        raise error

    return stop


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()], ids=repr)
@pytest.mark.parametrize(
    "app",
    [
        pytest.param(lambda stop: lambda *_: stop(), id="call"),
        pytest.param(lambda stop: sends(Body([], in_iter=stop)), id="iter"),
        pytest.param(lambda stop: sends(Body([stop])), id="chunk"),
        pytest.param(lambda stop: sends(Body([one], in_close=stop)), id="close"),
    ],
)
def test_an_order_to_stop_passes(
    app: Callable[[Callable[[], NoReturn]], WSGIApplication],
    error: BaseException,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What is no ``Exception`` is neither answered nor logged, wherever it comes from."""
    with pytest.raises(type(error)) as caught:
        call(wrap(app(raises(error))))
    assert caught.value is error
    assert caplog.records == []


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param(None, TEXT, id="no header"),
        pytest.param("", TEXT, id="empty"),
        pytest.param("*/*", TEXT, id="anything"),
        pytest.param("text/plain", TEXT, id="text"),
        pytest.param("text/html", TEXT, id="HTML"),
        pytest.param("text/*", TEXT, id="any text"),
        pytest.param(
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
            TEXT,
            id="a browser's page",
        ),
        pytest.param("application/json, text/plain, */*", TEXT, id="all alike"),
        pytest.param("application/json;q=0.5, text/plain", TEXT, id="text better"),
        pytest.param("application/json;q=0.5, text/html", TEXT, id="HTML better"),
        pytest.param("application/json;q=0", TEXT, id="anything but JSON"),
        pytest.param("image/png", TEXT, id="neither"),
        pytest.param("text/plain;q=0", TEXT, id="nothing at all"),
        pytest.param("application/json", JSON, id="JSON"),
        pytest.param("application/problem+json", JSON, id="problems"),
        pytest.param("APPLICATION/JSON", JSON, id="any case"),
        pytest.param("application/*", JSON, id="any application"),
        pytest.param("application/json, text/plain;q=0.9", JSON, id="JSON better"),
        pytest.param("application/json, */*;q=0.9", JSON, id="JSON better than the rest"),
        pytest.param("application/problem+json, application/json", JSON, id="either"),
        pytest.param("text/*;q=0, */*", JSON, id="anything but text"),
        pytest.param("application/json;charset=UTF-8", JSON, id="with a charset"),
        pytest.param("application/json;version=2", TEXT, id="of a version we do not know"),
        pytest.param("json", TEXT, id="no type"),
        pytest.param("application/json;q=x", TEXT, id="malformed"),
        pytest.param("application/json\x00", TEXT, id="NUL"),
        pytest.param("application/json, " * 5000, JSON, id="a long list"),
        pytest.param("image/png, " * 100 + "application/json", TEXT, id="late in a long list"),
        pytest.param("caf\xe9/\xff", TEXT, id="not ASCII"),
    ],
)
def test_the_answer_is_text_unless_json_is_liked_better(accept: str | None, expected: str) -> None:
    """``application/problem+json`` for clients that rank it first, text for all others."""
    headers = {} if accept is None else {"Accept": accept}
    assert_is_500(call(wrap(fail), make_environ(headers=headers)), expected)


def with_ids(app: WSGIApplication) -> WSGIApplication:
    """Wrap *app* in ``errors`` inside ``request_id``, with validators between them and around."""
    settings = RequestIdSettings(log_tokens="fingerprint")
    return between_validators(
        lambda inner: RequestIdMiddleware(inner, settings),
        between_validators(ErrorsMiddleware, app),
    )


def inbound(**headers: str) -> WSGIEnvironment:
    return make_environ(headers={"X-Request-Id": ID, **headers})


def test_the_text_has_the_request_id() -> None:
    """The page has the id, to be quoted to whoever can look into the logs."""
    answer = call(with_ids(fail), inbound())
    assert answer.body == b"Internal Server Error\n\nrequest id: abc-123\n"


def test_the_problem_has_the_request_id() -> None:
    """The JSON answer is a problem of RFC 9457, with the id as a member."""
    answer = call(with_ids(fail), inbound(Accept="application/json"))
    assert json.loads(answer.body) == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "request_id": ID,
    }


def test_a_problem_without_an_id_says_so() -> None:
    """Without ``request_id`` around it, the member is null."""
    answer = call(wrap(fail), make_environ(headers={"Accept": "application/json"}))
    assert json.loads(answer.body)["request_id"] is None


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_head_request_is_answered_without_a_body(accept: str) -> None:
    """The answer to HEAD has the headers of that to GET."""
    head, get = (
        call(wrap(fail), make_environ(method, headers={"Accept": accept}))
        for method in ("HEAD", "GET")
    )
    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")


def make_failing(global_conf: dict[str, str], /, **local_conf: str) -> WSGIApplication:
    """Return an application that fails where the path says; a ``paste.app_factory``."""
    apps = {
        "/call": fail,
        "/started": fails_after_start,
        "/chunk": sends(Body([boom])),
        "/late": starts_late(Body([boom])),
    }

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return apps[environ["PATH_INFO"]](environ, start_response)

    return app


@pytest.mark.parametrize("path", ["/call", "/started", "/chunk", "/late"])
def test_the_answer_passes_the_other_filters(path: str) -> None:
    """The 500 can be read by the page that called, and has the id."""
    app = load_ini("""
        [pipeline:main]
        pipeline = all failing

        [filter:all]
        use = egg:wsgi_mw_paste
        cors_allowed = https://app.example.com
        cors_expose_headers = X-Request-Id
        log_tokens = fingerprint

        [app:failing]
        paste.app_factory = tests.test_errors:make_failing
        """)
    answer = call(
        validator(app),
        make_environ(path=path, headers={"X-Request-Id": ID, "Origin": "https://app.example.com"}),
    )
    assert answer.status == "500 Internal Server Error"
    assert_headers(
        answer,
        {
            "Content-Type": TEXT,
            "Content-Length": str(len(answer.body)),
            "Cache-Control": "no-store",
            "X-Request-Id": ID,
            "Access-Control-Allow-Origin": "https://app.example.com",
            "Access-Control-Expose-Headers": "X-Request-Id",
            "Vary": "Origin",
        },
    )


@pytest.mark.parametrize(
    "app",
    [
        pytest.param(fail, id="call"),
        pytest.param(sends(Body([boom])), id="first chunk"),
        pytest.param(starts_late(Body([boom])), id="first chunk, started in it"),
    ],
)
def test_the_traceback_is_logged_under_the_id(
    app: WSGIApplication, caplog: pytest.LogCaptureFixture
) -> None:
    """The record with the traceback is written in the request's context."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(RequestIdFormatter("[%(request_id)s] %(message)s"))
    logger = logging.getLogger("wsgi_mw_paste.errors")
    logger.addHandler(handler)
    call(with_ids(app), inbound())
    logger.removeHandler(handler)
    first, *_, last = stream.getvalue().splitlines()
    assert first == f"[{ID}] {ESCAPED}"
    assert last == f"LookupError: {SECRET}"
    assert "Traceback (most recent call last):" in stream.getvalue()


@pytest.mark.parametrize(
    ("app", "size"),
    [
        pytest.param(fail, 43, id="call"),
        pytest.param(fails_after_start, 43, id="call, after start_response"),
        pytest.param(sends(Body([boom])), 43, id="first chunk"),
    ],
)
def test_an_answered_exception_is_an_error_in_the_access_record(
    app: WSGIApplication, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Although no exception reaches ``request_id``, its record is an ERROR with the type."""
    caplog.set_level(logging.INFO)
    answer = call(with_ids(app), inbound())
    assert len(answer.body) == size
    (record,) = (vars(r) for r in caplog.records if r.name == "wsgi_mw_paste.access")
    assert (record["levelname"], record["error_type"]) == ("ERROR", "LookupError")
    assert (record["status"], record["bytes"], record["request_id"]) == (500, size, ID)


def test_a_request_that_is_tried_again_is_recorded_anew(caplog: pytest.LogCaptureFixture) -> None:
    """A retrying middleware outside uses the environ again: the error was the first try's alone."""
    caplog.set_level(logging.INFO, "wsgi_mw_paste.access")
    tries = [hello, fail]

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return tries.pop()(environ, start_response)

    wrapped, environ = with_ids(app), inbound()
    assert [call(wrapped, environ).code for _ in range(2)] == [500, 200]
    records = (vars(r) for r in caplog.records if r.name == "wsgi_mw_paste.access")
    assert [(r["levelname"], r["error_type"], r["request_id"]) for r in records] == [
        ("ERROR", "LookupError", ID),
        ("INFO", None, ID),
    ]


def test_an_exception_that_passes_is_recorded_once(caplog: pytest.LogCaptureFixture) -> None:
    """Too late for an answer: one traceback, one access record of what went out."""
    caplog.set_level(logging.INFO)
    with pytest.raises(LookupError):
        call(with_ids(sends(Body([one, one, boom]))), inbound())
    error, access = (vars(record) for record in caplog.records)
    assert (error["name"], error["message"]) == ("wsgi_mw_paste.errors", ESCAPED)
    assert (access["status"], access["bytes"]) == (200, 6)
    assert (access["levelname"], access["error_type"]) == ("ERROR", "LookupError")


@pytest.mark.parametrize("body", [[b"one"], (b"one", b"two"), []], ids=repr)
def test_lists_and_tuples_are_passed_through(body: Iterable[bytes]) -> None:
    """The server gets the application's own list or tuple."""
    app = ErrorsMiddleware(sends(body))
    assert app(make_environ(), lambda *_: lambda _: None) is body


def test_file_wrappers_are_passed_through() -> None:
    """The server gets its own file wrapper back, as it was."""
    wrapper = FileWrapper(io.BytesIO(b"one"))
    before = dict(vars(wrapper))
    environ = make_environ() | {"wsgi.file_wrapper": FileWrapper}
    assert ErrorsMiddleware(sends(wrapper))(environ, lambda *_: lambda _: None) is wrapper
    assert vars(wrapper) == before


def test_chunks_pass_one_by_one() -> None:
    """Streaming stays streaming: no chunk is asked for before the server asks."""
    made: list[int] = []

    def chunk() -> bytes:
        made.append(1)
        return b"one"

    body: Any = wrap(sends(Body([chunk, chunk])))(make_environ(), lambda *_: lambda _: None)
    assert made == []
    for expected, _ in enumerate(body, start=1):
        assert len(made) == expected
    body.close()


def test_the_order_of_the_filters_matters_only_to_the_headers() -> None:
    """Outermost, ``errors`` still answers; the other filters' headers are not on that answer."""
    inner = RequestIdMiddleware(
        CORSMiddleware(fail, CORSSettings()), RequestIdSettings(log_requests=False)
    )
    assert_is_500(call(validator(ErrorsMiddleware(inner)), inbound()))


class Tracked:
    """An object in the environ, to see whether the environ is still alive."""


@pytest.fixture
def _no_collector() -> Iterator[None]:
    """Let nothing but reference counts free anything, and nobody keep a traceback."""
    logger = logging.getLogger("wsgi_mw_paste.errors")
    logger.addFilter(drop)
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    logger.removeFilter(drop)


def drop(record: logging.LogRecord) -> bool:
    return False


@pytest.mark.usefixtures("_no_collector")
@pytest.mark.parametrize(
    "app",
    [
        pytest.param(hello, id="no exception"),
        pytest.param(fail, id="call"),
        pytest.param(sends(Body([boom])), id="first chunk"),
    ],
)
def test_an_answer_leaves_nothing_to_the_garbage_collector(app: WSGIApplication) -> None:
    """When the answer is out, the environ is gone at once: no traceback of ours holds itself."""
    tracked = Tracked()
    gone = weakref.ref(tracked)
    environ = make_environ() | {"tests.tracked": tracked}
    del tracked
    call(ErrorsMiddleware(app), environ)
    del environ
    assert gone() is None


@pytest.mark.usefixtures("_no_collector")
def test_an_exception_that_passes_leaves_nothing_to_the_garbage_collector() -> None:
    """Raised again by the server, the traceback holds nothing that holds the traceback."""

    def start_response(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
        try:
            for _, error, traceback in exc_info:
                raise error.with_traceback(traceback)
        finally:
            # As PEP 3333 asks of servers, for the same reason.
            exc_info, error = (), None
        return lambda _: None

    tracked = Tracked()
    gone = weakref.ref(tracked)
    environ = make_environ() | {"tests.tracked": tracked}
    del tracked
    app = ErrorsMiddleware(fails_after_start)
    with pytest.raises(LookupError):
        app(environ, start_response)
    del environ
    assert gone() is None
