"""What the CORS filter logs while it serves requests, and that no handler can break a response."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from tests.wsgi import PLAIN, answering, between_validators, call, make_environ
from wsgi_mw_paste.factories import cors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ORIGIN = "https://app.example.com"
PREFLIGHT = {"Origin": "https://evil.net", "Access-Control-Request-Method": "PUT"}


def shares(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with CORS headers of its own."""
    headers = [
        ("Content-Type", "text/plain"),
        ("access-control-allow-origin", "*"),
        ("ACCESS-CONTROL-MAX-AGE", "1"),
        ("Access-Control-Max-Age", "2"),
    ]
    start_response("200 OK", headers)
    return [b"hello"]


def wrapped(app: WSGIApplication, **options: Any) -> WSGIApplication:
    return between_validators(cors({}, **{"cors_allowed": ORIGIN} | options), app)


@pytest.fixture(autouse=True)
def _info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "wsgi_mw_paste.cors")


@pytest.mark.parametrize("allowed", [ORIGIN, "*"])
@pytest.mark.parametrize("origin", [None, ORIGIN, "https://evil.net"])
def test_replaced_headers_are_logged_once_per_filter(
    allowed: str, origin: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """The first response whose CORS headers are replaced gets a record, with the whole path."""
    filters = [wrapped(shares, cors_allowed=allowed) for _ in range(2)]
    headers = {"Origin": origin} if origin else {}
    for app in filters:
        for path in ("/first", "/second"):
            call(app, make_environ(path=path, headers=headers, SCRIPT_NAME="/mounted"))
    message = (
        "replaced CORS headers that the application had set: access-control-allow-origin,"
        " access-control-max-age (first seen at /mounted/first)"
    )
    assert [record.getMessage() for record in caplog.records] == [message] * 2
    assert {record.levelname for record in caplog.records} == {"INFO"}


@pytest.mark.parametrize(
    ("left_out", "path"), [("SCRIPT_NAME", "/orders"), ("PATH_INFO", "/mounted")]
)
def test_a_path_that_the_server_leaves_out_is_empty(
    left_out: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """PEP 3333 lets servers leave out ``SCRIPT_NAME`` and ``PATH_INFO`` where they are empty."""
    environ = make_environ(path="/orders", SCRIPT_NAME="/mounted")
    del environ[left_out]
    cors({}, cors_allowed=ORIGIN)(shares)(environ, lambda *args: print)
    assert caplog.messages[0].endswith(f"(first seen at {path})")


@pytest.mark.parametrize("name", ["ETag", "X-Own"])
def test_an_application_without_cors_headers_logs_nothing(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Ordinary responses leave no record, whatever other headers they have."""
    app = answering(headers=[*PLAIN, (name, "1")])
    call(wrapped(app), make_environ(headers={"Origin": ORIGIN}))
    assert caplog.records == []


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        pytest.param("/caf\xc3\xa9 1", "/caf%C3%A9%201", id="percent-encoded"),
        pytest.param("/a\r\nINFO fine\x1b[2J", "/a%0D%0AINFO%20fine%1B%5B2J", id="control"),
        pytest.param("/a)\x85\xad", "/a%29%85%AD", id="parenthesis"),
        pytest.param("/" + "\xff" * 5000, "/" + "%FF" * 199, id="capped"),
        pytest.param("/\u2028", "/%3F", id="not latin-1"),
    ],
)
def test_no_path_forges_a_record(path: str, logged: str, caplog: pytest.LogCaptureFixture) -> None:
    """A path is logged percent-encoded and capped at 200 characters of the request's."""
    call(wrapped(shares), make_environ(path=path))
    (record,) = caplog.records
    assert record.getMessage().endswith(f" (first seen at {logged})")


class Failing(logging.Handler):
    """A handler that raises, as one does whose log host is gone."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def emit(self, record: logging.LogRecord) -> None:
        raise self.error


@pytest.fixture(params=[ConnectionError("no log host"), RecursionError()], ids=repr)
def failing(request: pytest.FixtureRequest) -> Iterator[Failing]:
    handler = Failing(request.param)
    logger = logging.getLogger("wsgi_mw_paste.cors")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def test_a_failing_handler_changes_no_response(
    failing: Failing, capsys: pytest.CaptureFixture[str]
) -> None:
    """Start, replaced headers and refused preflights log, and are answered whatever comes of it."""
    app = wrapped(shares, cors_allowed=f"{ORIGIN} example.org")
    assert call(app, make_environ(headers={"Origin": ORIGIN})).code == 200
    assert call(app, make_environ("OPTIONS", headers=PREFLIGHT)).code == 403
    assert capsys.readouterr().err.count(type(failing.error).__name__) == 3
