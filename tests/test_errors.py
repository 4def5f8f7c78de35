"""What becomes of exceptions that escape the application."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
import sys
from typing import TYPE_CHECKING, NoReturn
from wsgiref.validate import validator

import pytest

from tests.failing import (
    ESCAPED,
    SECRET,
    Body,
    boom,
    empty,
    fails,
    fails_after_start,
    one,
    raises,
    starts_late,
)
from tests.ini import load_ini
from tests.wsgi import (
    Answer,
    answering,
    assert_headers,
    between_validators,
    call,
    hello,
    make_environ,
)
from wsgi_mw_paste import (
    CORSMiddleware,
    CORSSettings,
    ErrorsMiddleware,
    RequestIdFormatter,
    RequestIdMiddleware,
    RequestIdSettings,
)
from wsgi_mw_paste import errors as errors_module
from wsgi_mw_paste.factories import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ID = "abc-123"
TEXT = "text/plain; charset=UTF-8"
JSON = "application/problem+json"
#: The ids in the notes of exceptions, which Python 3.10 does not have.
NOTES = {ID} if sys.version_info >= (3, 11) else set()


def wrap(app: WSGIApplication) -> WSGIApplication:
    """Wrap *app* in the filter, with validators on both sides."""
    return between_validators(errors({}), app)


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


def with_ids(app: WSGIApplication) -> WSGIApplication:
    """Wrap *app* in ``errors`` inside ``request_id``, with validators between them and around."""
    settings = RequestIdSettings(log_tokens="fingerprint")
    return between_validators(
        lambda inner: RequestIdMiddleware(inner, settings),
        between_validators(ErrorsMiddleware, app),
    )


def inbound(**headers: str) -> WSGIEnvironment:
    return make_environ(headers={"X-Request-Id": ID, **headers})


# The answer


def test_what_does_not_raise_passes() -> None:
    """An answer of the application's own is left as it is, an error status, too."""
    answer = call(wrap(answering(Body([one, one]), "503 Service Unavailable")))
    assert (answer.status, answer.body) == ("503 Service Unavailable", b"oneone")
    assert_headers(answer, {"Content-Type": "text/plain"})


@pytest.mark.parametrize(
    "app",
    [
        pytest.param(fails, id="call"),
        pytest.param(fails_after_start, id="call, after start_response"),
        pytest.param(answering(Body([boom])), id="first chunk"),
        pytest.param(answering(Body([empty, boom])), id="after an empty chunk"),
        pytest.param(starts_late(Body([boom])), id="first chunk, started in it"),
    ],
)
def test_an_exception_is_answered(app: WSGIApplication) -> None:
    """Before the first byte the client gets our 500, and nothing of the exception."""
    # The inner validator would complain of a body that is closed after its iterator has failed.
    answer = call(validator(errors({})(app)))
    assert_is_500(answer)
    assert answer.body == b"Internal Server Error\n\nrequest id: -\n"


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
def test_the_answer_is_text_unless_json_is_ranked_higher(accept: str | None, expected: str) -> None:
    """``application/problem+json`` for clients that rank it first, text for all others."""
    headers = {} if accept is None else {"Accept": accept}
    assert_is_500(call(wrap(fails), make_environ(headers=headers)), expected)


def test_the_text_has_the_request_id() -> None:
    """The page has the id, for users to report to those who can read the logs."""
    answer = call(with_ids(fails), inbound())
    assert answer.body == b"Internal Server Error\n\nrequest id: abc-123\n"


def test_the_problem_has_the_request_id() -> None:
    """The JSON answer is a problem of RFC 9457, with the id as a member."""
    answer = call(with_ids(fails), inbound(Accept="application/json"))
    assert json.loads(answer.body) == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "request_id": ID,
    }


def test_a_problem_without_an_id_says_so() -> None:
    """Without ``request_id`` around it, the member is null."""
    answer = call(wrap(fails), make_environ(headers={"Accept": "application/json"}))
    assert json.loads(answer.body)["request_id"] is None


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_head_request_is_answered_without_a_body(accept: str) -> None:
    """The answer to HEAD has the headers of that to GET."""
    head, get = (
        call(wrap(fails), make_environ(method, headers={"Accept": accept}))
        for method in ("HEAD", "GET")
    )
    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")


def make_failing(global_conf: dict[str, str], /, **local_conf: str) -> WSGIApplication:
    """Return an application that fails where the path says; a ``paste.app_factory``."""
    apps = {
        "/call": fails,
        "/started": fails_after_start,
        "/chunk": answering(Body([boom])),
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


def test_the_order_of_the_filters_matters_only_to_the_headers() -> None:
    """Outermost, ``errors`` still answers; the other filters' headers are not on that answer."""
    inner = RequestIdMiddleware(
        CORSMiddleware(fails, CORSSettings()), RequestIdSettings(log_requests=False)
    )
    assert_is_500(call(validator(ErrorsMiddleware(inner)), inbound()))


# The log


def test_an_exception_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The record has the type of the exception, and its traceback."""
    call(wrap(fails))
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("wsgi_mw_paste.errors", "ERROR")
    assert record.getMessage() == ESCAPED
    assert record.pathname == errors_module.__file__
    assert SECRET in caplog.text
    assert "boom()" in caplog.text


@pytest.mark.parametrize(
    "app",
    [
        pytest.param(fails, id="call"),
        pytest.param(answering(Body([boom])), id="first chunk"),
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
    first, *traceback = stream.getvalue().splitlines()
    assert first == f"[{ID}] {ESCAPED}"
    assert traceback[0] == "Traceback (most recent call last):"
    assert f"LookupError: {SECRET}" in traceback


@pytest.mark.parametrize(
    ("app", "size"),
    [
        pytest.param(fails, 43, id="call"),
        pytest.param(fails_after_start, 43, id="call, after start_response"),
        pytest.param(answering(Body([boom])), 43, id="first chunk"),
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
    tries = [hello, fails]

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
        call(with_ids(answering(Body([one, one, boom]))), inbound())
    error, access = (vars(record) for record in caplog.records)
    assert (error["name"], error["message"]) == ("wsgi_mw_paste.errors", ESCAPED)
    assert (access["status"], access["bytes"]) == (200, 6)
    assert (access["levelname"], access["error_type"]) == ("ERROR", "LookupError")


# An exception that is raised again


@pytest.mark.parametrize(
    "fail_again",
    [
        pytest.param(lambda error: error, id="call"),
        pytest.param(lambda error: answering(Body([error])), id="first chunk"),
        pytest.param(lambda error: answering(Body([one, error])), id="second chunk"),
        pytest.param(lambda error: answering(Body([one], in_close=error)), id="close"),
    ],
)
def test_an_exception_that_is_raised_again_is_logged_under_the_id_of_its_request(
    fail_again: Callable[[Callable[..., NoReturn]], WSGIApplication],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The exception of a ``Future`` is one object for all who ask; it has a note of the last."""
    error = raises(LookupError(SECRET))
    with pytest.raises(LookupError):
        call(RequestIdMiddleware(error), make_environ(headers={"X-Request-Id": "before"}))
    with contextlib.suppress(LookupError):
        call(with_ids(fail_again(error)), inbound())
    assert "LookupError: password=hunter2\n" in caplog.text
    assert set(re.findall("request_id: (.*)", caplog.text)) == NOTES


def test_an_exception_has_no_note_before_it_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    """The record has the id; the last line of its traceback is the exception."""
    call(with_ids(fails), inbound())
    assert "\nLookupError: password=hunter2\n" in caplog.text
    assert "request_id: " not in caplog.text


# Logging that fails


class Broken(logging.Handler):
    """A handler that raises, as one for a log host that has gone away does."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def emit(self, record: logging.LogRecord) -> None:
        raise self.error


@pytest.fixture(params=["handler", "filter", "factory"])
def break_logging(request: pytest.FixtureRequest) -> Iterator[Callable[[BaseException], None]]:
    """Return a function that makes the logger of ``errors`` raise, in each place where one can."""
    logger = logging.getLogger("wsgi_mw_paste.errors")
    factory = logging.getLogRecordFactory()
    broken = Broken(ValueError())

    def break_it(error: BaseException) -> None:
        broken.error = error
        if request.param == "handler":
            logger.addHandler(broken)
        elif request.param == "filter":
            logger.addFilter(broken.emit)  # type: ignore[arg-type]
        else:
            logging.setLogRecordFactory(raises(error))

    yield break_it
    logger.removeHandler(broken)
    logger.removeFilter(broken.emit)  # type: ignore[arg-type]
    logging.setLogRecordFactory(factory)


@pytest.mark.parametrize(
    "error", [ConnectionError("no log host"), RecursionError(), ValueError("closed")], ids=repr
)
def test_logging_that_fails_leaves_the_answer(
    break_logging: Callable[[BaseException], None],
    error: Exception,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The client gets its 500; stderr gets both tracebacks, as the log has neither."""
    break_logging(error)
    assert_is_500(call(wrap(fails)))
    text = capsys.readouterr().err
    assert f"LookupError: {SECRET}" in text
    assert type(error).__name__ in text


def test_logging_that_fails_leaves_the_exception_for_the_server(
    break_logging: Callable[[BaseException], None],
) -> None:
    """In the middle of a body, too, what the server hears of is the application's exception."""
    break_logging(ConnectionError())
    body = Body([one, boom], in_close=boom)
    with pytest.raises(LookupError):
        call(wrap(answering(body)))
    assert body.closed == [True]


def test_an_order_to_stop_that_comes_while_logging_passes(
    break_logging: Callable[[BaseException], None],
) -> None:
    """A worker that is told to exit does; the failed body is closed."""
    break_logging(SystemExit(3))
    body = Body([boom])
    with pytest.raises(SystemExit):
        call(ErrorsMiddleware(answering(body)))
    assert body.closed == [True]
