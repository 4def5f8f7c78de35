"""The access record: what is in it, what a client cannot put into it, and when there is none."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import re
from contextlib import suppress
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from tests.ini import load_ini
from tests.wsgi import assert_headers, between_validators, call, hello, make_environ
from wsgi_mw_paste import (
    ConfigurationError,
    RequestIdMiddleware,
    RequestIdSettings,
    current_request_id,
)
from wsgi_mw_paste._access import AccessLog
from wsgi_mw_paste.factories import request_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ID = "request-1"
LOGGER = "wsgi_mw_paste.access"

#: Every field of the record, with its type; each may be None but for those that are always known.
FIELDS = {
    "request_id": str,
    "request_id_source": str,
    "host": str,
    "method": str,
    "path": str,
    "status": int,
    "bytes": int,
    "duration_ms": float,
    "remote_addr": str,
    "user_agent": str,
    "protocol": str,
    "token": str,
    "error_type": str,
}


def wrap(app: WSGIApplication = hello, **options: str) -> WSGIApplication:
    """Wrap *app* in the filter, with validators on both sides."""
    return between_validators(request_id({}, **{"log_tokens": "false", **options}), app)


def inbound(headers: Mapping[str, str] = {}, /, **more: Any) -> WSGIEnvironment:
    """Return an environ with a request id."""
    return make_environ(headers={"X-Request-Id": ID, **headers}, **more)


@pytest.fixture(autouse=True)
def _at_info(caplog: pytest.LogCaptureFixture) -> None:
    """Have access records written."""
    caplog.set_level(logging.INFO, LOGGER)


def only_record(caplog: pytest.LogCaptureFixture) -> logging.LogRecord:
    """Return the one record there is; it has all the fields, each of its type."""
    (record,) = caplog.records
    assert record.name == LOGGER
    for name, kind in FIELDS.items():
        assert isinstance(vars(record)[name], (kind, type(None)))
    return record


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return the fields that are ours."""
    return {name: vars(record)[name] for name in FIELDS}


def test_the_record_has_every_field(caplog: pytest.LogCaptureFixture) -> None:
    """All there is to know of a request is in fields of its own, numbers as numbers."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("201 Created", [("Content-Type", "text/plain")])
        return iter([b"hello", b" ", b"world"])

    headers = {
        "Host": "shop.example.com:8080",
        "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) 'like' #1 {a} <b> ?^`",
        "Authorization": "Bearer abc.def",
    }
    environ = inbound(
        headers, method="POST", path="/orders", SCRIPT_NAME="/api", QUERY_STRING="secret=1",
        REMOTE_ADDR="203.0.113.7", SERVER_PROTOCOL="HTTP/1.1",
    )  # fmt: skip
    call(wrap(app, log_tokens="true"), environ)
    record = only_record(caplog)
    found = fields(record)
    assert found.pop("duration_ms") >= 0
    assert found == {
        "request_id": ID,
        "request_id_source": "inbound",
        "host": "shop.example.com:8080",
        "method": "POST",
        "path": "/api/orders",
        "status": 201,
        "bytes": 11,
        "remote_addr": "203.0.113.7",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64) 'like' #1 {a} <b> ?^`",
        "protocol": "HTTP/1.1",
        "token": "abc.def",
        "error_type": None,
    }
    assert record.levelno == logging.INFO
    assert (Path(record.pathname).name, record.lineno) == ("_access.py", 0)
    assert re.fullmatch(
        r"shop\.example\.com:8080 POST /api/orders HTTP/1\.1 201 11 [0-9]+\.[0-9]+ms",
        record.getMessage(),
    )


def test_what_is_unknown_is_none(caplog: pytest.LogCaptureFixture) -> None:
    """A bare environ and an application that never starts still give a record of all fields."""
    # No validators: nothing of this is allowed.
    app = RequestIdMiddleware(lambda *_: [], RequestIdSettings(log_tokens="fingerprint"))
    app({"HTTP_X_REQUEST_ID": ID, "REMOTE_ADDR": "", "PATH_INFO": ""}, lambda *_: lambda _: None)
    record = only_record(caplog)
    found = fields(record)
    assert found.pop("duration_ms") >= 0
    known = {"request_id": ID, "request_id_source": "inbound", "bytes": 0}
    assert found == {name: known.get(name) for name in found}
    assert re.fullmatch(r"- - - - - 0 [0-9.]+ms", record.getMessage())


@pytest.mark.parametrize("status", ["", "OK", "2x0 OK", "\u00b2\u00b2\u00b2"], ids=repr)
def test_a_status_that_is_no_number_is_unknown(
    status: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An application's malformed status is the server's to refuse; the record has none."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, [])
        return []

    settings = RequestIdSettings(log_tokens=False)
    RequestIdMiddleware(app, settings)(inbound(), lambda *_: lambda _: None)
    assert fields(only_record(caplog))["status"] is None


def test_a_duration_has_microseconds(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In milliseconds, with three digits behind the point; in the message as in the field."""
    clock = chain([1_000_000_000], repeat(2_234_567_890))
    monkeypatch.setattr("wsgi_mw_paste._access.perf_counter_ns", lambda: next(clock))
    call(wrap(), inbound())
    record = only_record(caplog)
    assert fields(record)["duration_ms"] == 1234.567
    assert record.getMessage() == "127.0.0.1 GET / HTTP/1.0 200 5 1234.567ms"


def test_the_host_of_a_request_without_one_is_the_servers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """HTTP/1.0 has no Host header; then the record has the server's name."""
    environ = inbound(SERVER_NAME="server.example.com")
    del environ["HTTP_HOST"]
    call(wrap(), environ)
    assert fields(only_record(caplog))["host"] == "server.example.com"


def test_the_record_is_of_the_request_that_came_in(caplog: pytest.LogCaptureFixture) -> None:
    """What dispatchers further in do to the environ does not change the record."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ.update(SCRIPT_NAME="/else", PATH_INFO="/where", HTTP_HOST="x", REMOTE_ADDR="x")
        environ.pop("HTTP_AUTHORIZATION")
        return hello(environ, start_response)

    environ = inbound({"Authorization": "Bearer abc"}, path="/here", REMOTE_ADDR="203.0.113.7")
    call(wrap(app, log_tokens="true"), environ)
    found = fields(only_record(caplog))
    assert (found["path"], found["remote_addr"], found["token"]) == ("/here", "203.0.113.7", "abc")


def test_an_exception_is_recorded_as_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """The record of a request that raised has level ERROR and the exception's type, no text."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise LookupError("a secret")

    with pytest.raises(LookupError):
        call(wrap(app), inbound())
    record = only_record(caplog)
    assert (record.levelno, fields(record)["error_type"]) == (logging.ERROR, "LookupError")
    assert (fields(record)["status"], fields(record)["bytes"]) == (500, 0)
    assert not any("a secret" in str(value) for value in vars(record).values())


def test_an_error_status_is_no_exception(caplog: pytest.LogCaptureFixture) -> None:
    """An application that answers 500 itself is recorded at INFO."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("500 Oops", [("Content-Type", "text/plain")])
        return []

    call(wrap(app), inbound())
    record = only_record(caplog)
    assert (record.levelno, fields(record)["status"]) == (logging.INFO, 500)
    assert fields(record)["error_type"] is None


@pytest.mark.parametrize("key", ["HTTP_HOST", "REQUEST_METHOD", "SCRIPT_NAME", "REMOTE_ADDR"])
def test_an_environ_with_bytes_breaks_no_request(
    key: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """No server sets them; they cost the record, which is reported, and not the response."""
    app = RequestIdMiddleware(hello, RequestIdSettings(log_tokens=False))
    environ: Any = inbound() | {key: b"bytes"}
    assert list(app(environ, lambda *_: lambda _: None)) == [b"hello"]
    assert caplog.records == []
    assert "--- Logging error ---" in capsys.readouterr().err


HOSTILE = {
    "line feed": "/a\nb",
    "forged line": "/\r\n2026-01-01 00:00:00 INFO [root] example.com GET /admin HTTP/1.1 200",
    "blanks": "/a b  c ",
    "tab": "/a\tb",
    "pipe": "/a | 200 | b",
    "quotes": "/\"a\" 'b' `c`",
    "backslash": "/a\\nb",
    "escape": "/a\x1b[31mred\x1b]0;title\x07",
    "NUL": "/a\x00b",
    "DEL": "/a\x7fb",
    "C1": "/a\x85\x9b31m",
    "NBSP": "/a\xa0b",
    "soft hyphen": "/a\xadb",
    "UTF-8": "/caf\xc3\xa9/\xe2\x80\xa8/\xf0\x9f\x98\x80",
    "no UTF-8": "/\xff\xfe\xe9",
    "percent": "/a%0d%0ab/100%",
    "format": "/%s/%(request_id)s/{0}",
    "JSON": '/","level":"CRITICAL","x":"',
    "markup": "/<script>alert(1)</script>&",
    "dots": "/../../etc/passwd",
}


@pytest.mark.parametrize("path", [pytest.param(p, id=name) for name, p in HOSTILE.items()])
def test_no_path_can_forge_a_record(path: str, caplog: pytest.LogCaptureFixture) -> None:
    """Any path gives one line of seven printable words, from which the path can be had again."""
    call(wrap(), inbound(path=path))
    record = only_record(caplog)
    message = record.getMessage()
    assert message.isascii()
    assert message.isprintable()
    words = message.split(" ")
    assert words[:2] == ["127.0.0.1", "GET"]
    assert words[3:6] == ["HTTP/1.0", "200", "5"]
    assert len(words) == 7
    assert words[2] == fields(record)["path"]
    assert unquote(words[2], encoding="latin-1") == path
    assert not set(words[2]) & set("\"'`|\\<>?#")


@pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD:wsgiref.validate.WSGIWarning")
@pytest.mark.parametrize(
    ("key", "field"),
    [
        ("HTTP_HOST", "host"),
        ("REQUEST_METHOD", "method"),
        ("SERVER_PROTOCOL", "protocol"),
        ("REMOTE_ADDR", "remote_addr"),
        ("HTTP_USER_AGENT", "user_agent"),
    ],
)
@pytest.mark.parametrize("value", [pytest.param(p, id=name) for name, p in HOSTILE.items()])
def test_nothing_else_can_forge_a_record(
    key: str, field: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Any host, method, protocol, address or agent gives one line, and a field without controls."""
    call(wrap(), inbound() | {key: value})
    record = only_record(caplog)
    message = record.getMessage()
    assert len(message.split(" ")) == 7
    assert message.isascii()
    assert message.isprintable()
    found = fields(record)[field]
    assert found.isascii()
    assert found.isprintable()
    assert not set(found) & set('"|\\')
    assert unquote(found, encoding="latin-1") == value


def test_text_that_is_not_wsgis_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    """A character that no server can have put there, as test clients do, shows as ``?``."""
    call(wrap(), inbound({"User-Agent": "\u65e5\u672c \udce9"}, path="/\u2028"))
    found = fields(only_record(caplog))
    assert (found["path"], found["user_agent"]) == ("/%3F", "?? ?")


def test_long_text_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    """No field has more than the first 2048 characters of what a client sent."""
    call(wrap(), inbound({"User-Agent": "a" * 60_000}, path="/" + "\n" * 60_000))
    found = fields(only_record(caplog))
    assert found["user_agent"] == "a" * 2048
    assert found["path"] == "/" + "%0A" * 2047


@pytest.mark.parametrize(
    ("script", "path", "status", "expected"),
    [
        pytest.param("", "/healthz", "200 OK", 0, id="excluded"),
        pytest.param("", "/readyz", "204 No Content", 0, id="the other"),
        pytest.param("/app", "/live", "302 Found", 0, id="with its mount point"),
        pytest.param("", "/app/live", "200 OK", 0, id="the same unmounted"),
        pytest.param("", "/caf\xc3\xa9", "200 OK", 0, id="not ASCII"),
        pytest.param("", "/healthz", "399 Odd", 0, id="just successful"),
        pytest.param("", "/healthz", "400 Bad Request", 1, id="just not"),
        pytest.param("", "/healthz", "503 Unavailable", 1, id="not healthy"),
        pytest.param("", "/healthz/", "200 OK", 1, id="a slash more"),
        pytest.param("", "/health", "200 OK", 1, id="a prefix"),
        pytest.param("", "/HEALTHZ", "200 OK", 1, id="another case"),
        pytest.param("/app", "/healthz", "200 OK", 1, id="mounted elsewhere"),
        pytest.param("", "/live", "200 OK", 1, id="without its mount point"),
        pytest.param("", "/static/", "200 OK", 0, id="prefix, nothing below it"),
        pytest.param("", "/static/a", "200 OK", 0, id="below a prefix"),
        pytest.param("", "/static/a/b.css", "304 Not Modified", 0, id="far below a prefix"),
        pytest.param("/static", "/a", "200 OK", 0, id="below a prefix, mounted"),
        pytest.param("/app", "/static/a", "200 OK", 1, id="prefix, mounted elsewhere"),
        pytest.param("", "/static", "200 OK", 1, id="prefix, no slash"),
        pytest.param("", "/statics/a", "200 OK", 1, id="another prefix"),
        pytest.param("", "/a/static/", "200 OK", 1, id="prefix, in the middle"),
        pytest.param("", "/static/a", "404 Not Found", 1, id="below a prefix, not found"),
        pytest.param("", "/x/y/caf\xc3\xa9/1", "200 OK", 0, id="below a prefix, not ASCII"),
        pytest.param("", "/x/y/caf\xc3\xa9", "200 OK", 1, id="a part of a prefix"),
        pytest.param("", "/" * 8000, "200 OK", 1, id="slashes"),
        pytest.param("", "/static/../admin", "200 OK", 1, id="out of a prefix"),
        pytest.param("", "/static/a/..", "200 OK", 1, id="out of a prefix, at the end"),
        pytest.param("", "/static/./a", "200 OK", 1, id="a dot"),
        pytest.param("", "/static/.a/..b/...", "200 OK", 0, id="names with dots"),
    ],
)
def test_successful_requests_for_excluded_paths_are_not_recorded(
    script: str, path: str, status: str, expected: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Health checks are silent while they succeed; the id is on them all the same."""
    headers = {"Location": "/"} if status[:3] in ("204", "304") else {"Content-Type": "text/plain"}

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, list(headers.items()))
        return []

    excluded = "/healthz, /readyz\n/app/live /café /static/* /x/y/café/*"
    answer = call(wrap(app, log_exclude_paths=excluded), inbound(path=path, SCRIPT_NAME=script))
    assert len(caplog.records) == expected
    assert_headers(answer, {**headers, "X-Request-Id": ID})


def test_every_path_can_be_excluded(caplog: pytest.LogCaptureFixture) -> None:
    """The shortest prefix there is."""
    for path in ("/", "/a", "/a/b"):
        call(wrap(log_exclude_paths="/*"), inbound(path=path))
    assert caplog.records == []


def test_an_excluded_path_may_be_no_text(caplog: pytest.LogCaptureFixture) -> None:
    """As a variable has it: bytes that are not UTF-8, which Python reads as surrogates."""
    call(wrap(log_exclude_paths="/caf\udce9"), inbound(path="/caf\xe9"))
    assert caplog.records == []


def test_a_failing_health_check_is_recorded(caplog: pytest.LogCaptureFixture) -> None:
    """An exception on an excluded path is recorded, whatever the status was to be."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"well"
        raise LookupError

    with pytest.raises(LookupError):
        call(wrap(app, log_exclude_paths="/healthz"), inbound(path="/healthz"))
    assert fields(only_record(caplog))["status"] == 200


def test_an_excluded_path_without_a_status_is_recorded(caplog: pytest.LogCaptureFixture) -> None:
    """What never got a status was no success."""
    settings = RequestIdSettings(log_tokens=False, log_exclude_paths="/healthz")
    app = RequestIdMiddleware(lambda *_: iter(()), settings)
    body: Any = app(inbound(path="/healthz"), lambda *_: lambda _: None)
    body.close()
    assert fields(only_record(caplog))["status"] is None


def fail(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    raise LookupError


def test_records_can_be_switched_off(caplog: pytest.LogCaptureFixture) -> None:
    """With ``log_requests = false`` there is no record, not even of an exception; the id stays."""
    answer = call(wrap(log_requests="false"), inbound())
    assert_headers(answer, {"Content-Type": "text/plain", "X-Request-Id": ID})
    with pytest.raises(LookupError):
        call(wrap(fail, log_requests="false"), inbound())
    assert caplog.records == []


@pytest.fixture
def made() -> Iterator[list[str]]:
    """Collect the levels of all log records that are made, also of those that no handler gets."""
    levels = []
    factory = logging.getLogRecordFactory()

    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = factory(*args, **kwargs)
        levels.append(record.levelname)
        return record

    logging.setLogRecordFactory(make)
    yield levels
    logging.setLogRecordFactory(factory)


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        pytest.param(logging.DEBUG, ["INFO", "ERROR"], id="DEBUG"),
        pytest.param(logging.INFO, ["INFO", "ERROR"], id="INFO"),
        pytest.param(logging.WARNING, ["ERROR"], id="WARNING"),
        pytest.param(logging.ERROR, ["ERROR"], id="ERROR"),
        pytest.param(logging.CRITICAL, [], id="CRITICAL"),
    ],
)
def test_only_records_that_the_logger_passes_are_made(
    level: int, expected: list[str], made: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """By the logger's level: all requests, those that raised, or none."""
    caplog.set_level(level, LOGGER)
    call(wrap(), inbound())
    with pytest.raises(LookupError):
        call(wrap(fail), inbound())
    assert made == expected


def test_a_disabled_logger_costs_nothing(made: list[str]) -> None:
    """While the logger is disabled no facts are gathered, and no record is made."""
    logger = logging.getLogger(LOGGER)
    log = AccessLog((), "fingerprint", "")
    logger.disabled = True
    try:
        assert log.begin(inbound(), ID, "inbound") is None
        call(wrap(), inbound())
        with pytest.raises(LookupError):
            call(wrap(fail), inbound())
    finally:
        logger.disabled = False
    assert made == []
    assert log.begin(inbound(), ID, "inbound") is not None


def test_a_level_may_change_at_any_time(caplog: pytest.LogCaptureFixture) -> None:
    """The level is looked at for each request, not at the start."""
    app = wrap()
    for level in (logging.CRITICAL, logging.INFO, logging.WARNING):
        caplog.set_level(level, LOGGER)
        call(app, inbound())
    assert len(caplog.records) == 1


def test_a_level_that_changes_meanwhile_does_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    """A request that began while its record was not wanted has none, and succeeds."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        caplog.set_level(logging.INFO, LOGGER)
        start_response("200 OK", [("Content-Type", "text/plain")])(b"written")
        yield b"hello"

    caplog.set_level(logging.CRITICAL, LOGGER)
    assert call(wrap(app), inbound()).body == b"writtenhello"
    assert caplog.records == []


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJqdGkiOiJqLTEifQ.c2lnbmF0dXJl-_~+/=="


@pytest.mark.parametrize(
    ("log_tokens", "key", "authorization", "expected"),
    [
        # Verbatim, by all the words for true.
        pytest.param("true", "", f"Bearer {JWT}", JWT, id="true"),
        pytest.param("Yes", "", "Bearer areaBear", "areaBear", id="yes"),
        pytest.param("1", "key", "Bearer t0k3n", "t0k3n", id="true with a key"),
        # Any case, any number of blanks.
        pytest.param("true", "", "bearer t0k3n", "t0k3n", id="lower case"),
        pytest.param("true", "", "BEARER t0k3n", "t0k3n", id="upper case"),
        pytest.param("true", "", "  Bearer    t0k3n  ", "t0k3n", id="blanks"),
        pytest.param("true", "", f"Bearer {'a' * 8192}", "a" * 8192, id="a long one"),
        # The first 16 digits of SHA-256 of "t0k3n", and of its HMAC under "key".
        pytest.param(
            "fingerprint", "", "Bearer t0k3n", "sha256:b81c829ac55e858e", id="fingerprint"
        ),
        pytest.param("FingerPrint", "", "bearer  t0k3n", "sha256:b81c829ac55e858e", id="any case"),
        pytest.param("fingerprint", "key", "Bearer t0k3n", "hmac:a7181fc1b7f56314", id="keyed"),
        pytest.param(
            "fingerprint", "k\xe9y", "Bearer t0k3n", "hmac:bfe4587c9440a55a", id="UTF-8 key"
        ),
        pytest.param(
            "fingerprint",
            "k\udce9y",
            "Bearer t0k3n",
            "hmac:b1d4217f88038f32",
            id="key of other bytes",
        ),
        # Nothing.
        pytest.param("false", "", "Bearer t0k3n", None, id="false"),
        pytest.param("false", "key", "Bearer a b c", None, id="false and malformed"),
        pytest.param("0", "", "Bearer t0k3n", None, id="0"),
        # Not a Bearer token.
        pytest.param("true", "", None, None, id="no header"),
        pytest.param("true", "", "", None, id="empty"),
        pytest.param("true", "", "   ", None, id="blank"),
        pytest.param("true", "", "Basic dXNlcjpwYXNz", None, id="Basic"),
        pytest.param("true", "", "Basic dXNlcjpwYXNz, Bearer t0k3n", None, id="Basic first"),
        pytest.param("true", "", "Digest username=u", None, id="Digest"),
        pytest.param("true", "", "Bearert0k3n", None, id="no blank"),
        pytest.param("true", "", "Bearer-t0k3n", None, id="another scheme"),
        pytest.param("true", "", "NotBearer t0k3n", None, id="one that ends like it"),
        pytest.param("true", "", "t0k3n", None, id="no scheme"),
        pytest.param("true", "", "\uff22earer t0k3n", None, id="full-width"),
        # A malformed one.
        *(
            pytest.param(mode, "", authorization, "invalid", id=f"{name}, {mode}")
            for mode in ("true", "fingerprint")
            for name, authorization in {
                "nothing": "Bearer",
                "only blanks": "Bearer   ",
                "two words": "Bearer t0k3n s3cond",
                "a tab": "Bearer\tt0k3n",
                "a line feed": "Bearer t0k3n\ns3cond",
                "a line feed at the end of it": "Bearer \nt0k3n",
                "NEL": "Bearer t0k3n\x85s3cond",
                "not ASCII": "Bearer caf\xe9",
                "a comma": "Bearer t0k3n,s3cond",
                "joined": "Bearer t0k3n, Basic dXNlcjpwYXNz",
                "a quote": 'Bearer "t0k3n"',
                "padding inside": "Bearer t0k3n=s3cond",
                "only padding": "Bearer ==",
                "too long": f"Bearer {'a' * 8193}",
                "much too long": f"Bearer {'a' * 60_000}",
            }.items()
        ),
    ],
)
def test_the_token_field_has_what_log_tokens_says(
    log_tokens: str,
    key: str,
    authorization: str | None,
    expected: str | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Verbatim, as a fingerprint, or not at all; credentials are nowhere else in the record."""
    headers = {} if authorization is None else {"Authorization": authorization}
    app = wrap(log_tokens=log_tokens, log_tokens_key=key)
    caplog.clear()
    answer = call(app, inbound(headers))
    assert_headers(answer, {"Content-Type": "text/plain", "X-Request-Id": ID})
    record = only_record(caplog)
    found = vars(record)
    assert found.pop("token") == expected
    words = [word for word in re.split(r"[\s,]+", authorization or "") if len(word) > 2][1:]
    assert not [word for word in words if any(word in str(value) for value in found.values())]
    assert not [word for word in words if word in record.getMessage()]


def test_fingerprints_tell_tokens_apart(caplog: pytest.LogCaptureFixture) -> None:
    """The same token has the same fingerprint on each request, another token has another one."""
    app = wrap(log_tokens="fingerprint", log_tokens_key="key")
    caplog.clear()
    for token in ("one", "two", "one"):
        call(app, inbound({"Authorization": f"Bearer {token}"}))
    first, second, third = (vars(record)["token"] for record in caplog.records)
    assert first == third != second


def test_the_key_is_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """Neither a repr nor an error nor a record has the key of the fingerprints."""
    caplog.set_level(logging.DEBUG)
    settings = RequestIdSettings(log_tokens="fingerprint", log_tokens_key="s3cr3t-key")
    app = RequestIdMiddleware(hello, settings)
    call(app, inbound({"Authorization": "Bearer t0k3n"}))
    with pytest.raises(ConfigurationError) as caught:
        request_id({}, log_tokens_key="s3cr3t-key ; with a comment", log_tokens="perhaps")
    shown = [
        repr(settings), str(settings), f"{settings}", repr(app), repr(vars(app)),
        repr(vars(vars(app)["_log"])), str(caught.value), repr(caught.value),
        *(str(vars(record)) for record in caplog.records),
    ]  # fmt: skip
    assert not [text for text in shown if "s3cr3t" in text]
    assert "log_tokens_key='***'" in repr(settings)


def test_a_record_factory_of_the_users_does_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    """A factory that sets fields of the same names is overruled, and nothing raises."""
    factory = logging.getLogRecordFactory()

    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = factory(*args, **kwargs)
        record.__dict__.update(request_id=current_request_id(), status="theirs", tenant="blue")
        return record

    logging.setLogRecordFactory(make)
    try:
        call(wrap(), inbound())
    finally:
        logging.setLogRecordFactory(factory)
    record = only_record(caplog)
    assert (vars(record)["request_id"], vars(record)["status"]) == (ID, 200)
    assert vars(record)["tenant"] == "blue"


def configure(formatter: dict[str, Any]) -> io.StringIO:
    """Write the access log, by ``dictConfig`` at its defaults, into what is returned."""
    stream = io.StringIO()
    logging.config.dictConfig({
        "version": 1,
        "formatters": {"only": formatter},
        "handlers": {
            "only": {"class": "logging.StreamHandler", "stream": stream, "formatter": "only"}
        },
        "loggers": {LOGGER: {"level": "INFO", "handlers": ["only"], "propagate": False}},
    })  # fmt: skip
    return stream


JSON_FORMATTERS = ["pythonjsonlogger.orjson.OrjsonFormatter", "pythonjsonlogger.json.JsonFormatter"]


@pytest.mark.usefixtures("restored_logging")
@pytest.mark.parametrize("formatter", JSON_FORMATTERS)
@pytest.mark.parametrize("path", [pytest.param(p, id=name) for name, p in HOSTILE.items()])
def test_json_records_are_valid_and_have_numbers(path: str, formatter: str) -> None:
    """python-json-logger writes one object per line, with every field, and numbers as numbers."""
    stream = configure({"()": formatter, "fmt": "%(message)s"})
    call(wrap(log_tokens="true"), inbound({"Authorization": "Bearer abc"}, path=path))
    (line,) = stream.getvalue().splitlines()
    found = json.loads(line)
    assert set(found) == {"message", *FIELDS}
    assert (found["status"], found["bytes"], found["error_type"]) == (200, 5, None)
    assert isinstance(found["duration_ms"], float)
    assert unquote(found["path"], encoding="latin-1") == path
    assert found["token"] == "abc"
    assert "abc" not in found["message"]


@pytest.mark.usefixtures("restored_logging")
@pytest.mark.parametrize("formatter", JSON_FORMATTERS)
def test_json_records_survive_any_text(formatter: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Text that is no WSGI string is cleaned before a formatter can refuse it."""
    error = type("\xc4rger", (Exception,), {})

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise error("\udce9")

    stream = configure({"()": formatter, "fmt": "%(message)s"})
    texts = dict.fromkeys(
        ("HTTP_HOST", "REMOTE_ADDR", "HTTP_USER_AGENT", "SCRIPT_NAME"), "/\u65e5\ud83d\udce9"
    )
    with pytest.raises(error):
        RequestIdMiddleware(app, RequestIdSettings(log_tokens=True))(
            inbound() | texts, lambda *_: lambda _: None
        )
    (line,) = stream.getvalue().splitlines()
    found = json.loads(line)
    assert (found["error_type"], found["path"], found["user_agent"]) == (
        "\xc4rger",
        "/%3F%3F%3F/",
        "/???",
    )
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("restored_logging")
def test_text_records_are_one_line_each() -> None:
    """A text format may name the fields; a request is one line whatever the client sent."""
    stream = configure({"format": "%(levelname)s [%(request_id)s] %(message)s %(user_agent)s"})
    for path in HOSTILE.values():
        call(wrap(), inbound({"User-Agent": path}, path=path))
    with suppress(LookupError):
        call(wrap(fail), inbound())
    lines = stream.getvalue().splitlines()
    assert len(lines) == len(HOSTILE) + 1
    pattern = (
        rf"(INFO|ERROR) \[{ID}\] 127\.0\.0\.1 GET /\S* HTTP/1\.0 [0-9]{{3}} [0-9]+ [0-9.]+ms .+"
    )
    assert all(re.fullmatch(pattern, line) for line in lines)


@pytest.mark.usefixtures("restored_logging")
def test_every_option_works_from_an_ini(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths, tokens and key are taken from the section, the key from a file that is named."""
    Path("key").write_text("key\n", encoding="utf-8")
    monkeypatch.setenv("LOG_TOKENS_KEY_FILE", "key")
    app = load_ini("""
        [pipeline:main]
        pipeline = request_id hello

        [filter:request_id]
        use = egg:wsgi_mw_paste#request_id
        log_tokens = fingerprint
        log_exclude_paths = /healthz
        """)
    stream = configure({"format": "%(path)s %(token)s"})
    for path in ("/healthz", "/other"):
        call(app, inbound({"Authorization": "Bearer abc"}, path=path))
    assert stream.getvalue() == "/other hmac:9c196e32dc0175f8\n"
