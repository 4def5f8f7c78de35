"""What the threat model promises of all filters together: what they read, keep, bound and log."""

from __future__ import annotations

import functools
import logging
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.failing import fails
from tests.ini import SECRET, load_ini
from tests.memory import kept_bytes
from tests.wsgi import Answer, call, hello, make_environ
from wsgi_mw_paste.origins import Origins, Policy, compile_origins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from _typeshed.wsgi import WSGIApplication

#: Everything at once. Whatever a client may send is looked at.
INI = """
[pipeline:main]
pipeline = health web app

[filter:health]
use = egg:wsgi_mw_paste#health

[filter:web]
use = egg:wsgi_mw_paste
cors_allowed = https://app.example.com, https://*.example.org
cors_allow_methods = *
request_id_fallback_headers = traceparent
log_tokens = fingerprint
log_tokens_key = 0123456789abcdef

[app:app]
paste.app_factory = tests.test_threats:make_app
"""
ORIGIN = {"Origin": "https://app.example.com"}
PREFLIGHT = {**ORIGIN, "Access-Control-Request-Method": "PUT"}
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def make_app(global_conf: dict[str, str], /) -> WSGIApplication:
    """Return an application that fails below ``/fails``; a ``paste.app_factory``."""

    def app(environ: Any, start_response: Any) -> Any:
        inner = fails if environ["PATH_INFO"] == "/fails" else hello
        return inner(environ, start_response)

    return app


@pytest.fixture
def app() -> WSGIApplication:
    """Return the application behind all filters."""
    return load_ini(INI)


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[logging.LogRecord]]:
    """Return the records of all our loggers, as they come."""
    found: list[logging.LogRecord] = []
    logger = logging.getLogger("wsgi_mw_paste")
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", found.append)
    monkeypatch.setattr(logger, "propagate", False)
    monkeypatch.setattr(logger, "level", logging.DEBUG)
    logger.addHandler(handler)
    logger.manager._clear_cache()  # type: ignore[attr-defined] # the level is set past it
    yield found
    logger.removeHandler(handler)
    logger.manager._clear_cache()  # type: ignore[attr-defined]


#: Method, path, headers and the status of the answer.
REQUESTS: Mapping[str, tuple[str, str, Mapping[str, str], int]] = {
    "a page": ("GET", "/", {}, 200),
    "an actual request": ("POST", "/", ORIGIN, 200),
    "a preflight": ("OPTIONS", "/", PREFLIGHT, 200),
    "a refused preflight": ("OPTIONS", "/", {**PREFLIGHT, "Origin": "https://evil.example"}, 403),
    "an exception": ("POST", "/fails", {}, 500),
    "a probe": ("GET", "/readyz", {}, 200),
    "a probe of another method": ("POST", "/livez", {}, 405),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_no_body_is_read(app: WSGIApplication, name: str) -> None:
    """It is the application's, and no filter waits for a client that sends it slowly.

    Here there is nothing that could be read.
    """
    method, path, headers, code = REQUESTS[name]
    environ = make_environ(method, path, headers, CONTENT_LENGTH="5")
    assert call(app, environ | {"wsgi.input": object()}).code == code


@pytest.mark.parametrize(
    ("path", "header", "text"),
    [
        pytest.param("/", "X-Request-Id", "id-{}", id="an id"),
        pytest.param("/", "X-Request-Id", "{} \n", id="an id that is replaced"),
        pytest.param("/", "traceparent", TRACE[:-8] + "{:05}-01", id="a trace"),
        pytest.param("/{}", "Host", "h", id="a path"),
        pytest.param("/\xe9{}", "Host", "h", id="a path that is encoded"),
        pytest.param("/", "Host", "h{}", id="a host"),
        pytest.param("/", "User-Agent", "a|{}", id="a user agent"),
        pytest.param("/", "Authorization", "Bearer {}", id="a token"),
        pytest.param("/fails", "Accept", "a/{}, application/json", id="an Accept"),
        pytest.param("/", "Access-Control-Request-Headers", "x-{}", id="a header of a preflight"),
        pytest.param("/", "Access-Control-Request-Method", "M{}", id="a method of a preflight"),
    ],
)
def test_nothing_of_a_client_is_kept(
    *, app: WSGIApplication, path: str, header: str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """However many a client thinks of, no cache is its to fill."""
    logger = logging.getLogger("wsgi_mw_paste")
    is_preflight = header.startswith("Access-Control")

    def serve(number: int) -> None:
        headers = {**(PREFLIGHT if is_preflight else ORIGIN), header: text.format(number)}
        call(app, make_environ("OPTIONS" if is_preflight else "GET", path.format(number), headers))

    caplog.set_level(logging.INFO, "wsgi_mw_paste")
    # What keeps records is pytest, and not the package.
    logger.propagate = False
    try:
        # Less than the smallest string for each of them would take.
        assert kept_bytes(serve, 1000) < 1000 * sys.getsizeof("")
    finally:
        logger.propagate = True


#: For each limit: a request at it, one beyond it, and what tells the two apart.
LIMITS: Mapping[str, tuple[Callable[[int], Mapping[str, str]], int, str]] = {
    "a header with an id": (lambda n: {"X-Request-Id": "abc" + " " * (n - 3)}, 8192, "inbound"),
    "an id": (lambda n: {"X-Request-Id": "a" * n}, 128, "inbound"),
    "a header with a trace": (lambda n: {"traceparent": TRACE + " " * (n - 55)}, 8192, "inbound"),
    "an authorization": (
        lambda n: {"Authorization": "Bearer" + " " * (n - 9) + "abc"},
        16384,
        "hmac:",
    ),
    "a token": (lambda n: {"Authorization": "Bearer " + "a" * n}, 8192, "hmac:"),
}


def seen(record: logging.LogRecord, what: str) -> bool:
    """Say whether an access record has something, as its source of the id or in its token."""
    found = vars(record)
    return found["request_id_source"] == what or str(found["token"]).startswith(what)


@pytest.mark.parametrize("name", LIMITS)
def test_what_is_longer_than_its_limit_is_not_looked_at(
    app: WSGIApplication, name: str, records: list[logging.LogRecord]
) -> None:
    """At the limit it counts, and with one character more it does not."""
    headers, limit, what = LIMITS[name]
    for length in (limit, limit + 1):
        call(app, make_environ(headers=headers(length)))
    assert [seen(record, what) for record in records] == [True, False]


@pytest.mark.parametrize(
    ("header", "within", "beyond", "reason"),
    [
        pytest.param(
            "Access-Control-Request-Method", "X" * 64, "X" * 65, "malformed method", id="method"
        ),
        pytest.param(
            "Access-Control-Request-Headers",
            "x" * 4096,
            "x" * 4097,
            "too many headers",
            id="length of the headers",
        ),
        pytest.param(
            "Access-Control-Request-Headers",
            "x" + ",x" * 128,
            "x" + ",x" * 129,
            "too many headers",
            id="number of the headers",
        ),
        pytest.param(
            "Access-Control-Request-Headers",
            "x" + ", x" * 128,
            "x" + ", x" * 129,
            "too many headers",
            id="number of headers with whitespace",
        ),
    ],
)
def test_a_preflight_beyond_a_limit_is_refused(
    *, app: WSGIApplication, header: str, within: str, beyond: str, reason: str
) -> None:
    """At the limit it is answered, and with one character or header more it is refused."""

    def preflight(value: str) -> Answer:
        return call(app, make_environ("OPTIONS", headers={**PREFLIGHT, header: value}))

    assert preflight(within).code == 200
    refused = preflight(beyond)
    assert refused.code == 403
    assert refused.body.decode().startswith(f"CORS preflight refused, {reason} (")


def test_a_long_accept_is_cut(app: WSGIApplication) -> None:
    """What is asked for beyond 1,024 characters is not seen."""
    wanted = ", application/json"
    for length, kind in ((1024, "application/problem+json"), (1025, "text/plain; charset=UTF-8")):
        accept = f"a/{'b' * (length - len(wanted) - 2)}{wanted}"
        answer = call(app, make_environ(path="/fails", headers={"Accept": accept}))
        assert answer.header("Content-Type") == kind


def test_every_text_of_a_record_is_cut(
    app: WSGIApplication, records: list[logging.LogRecord]
) -> None:
    """Of each, 2,048 characters of what the client sent are there, and no more."""
    fields = {
        "host": "HTTP_HOST",
        "method": "REQUEST_METHOD",
        "path": "PATH_INFO",
        "protocol": "SERVER_PROTOCOL",
        "remote_addr": "REMOTE_ADDR",
        "user_agent": "HTTP_USER_AGENT",
    }
    call(app, make_environ() | dict.fromkeys(fields.values(), "a" * 2049))
    (record,) = records
    assert {name: vars(record)[name] for name in fields} == dict.fromkeys(fields, "a" * 2048)


CREDENTIALS = {
    "Authorization": f"Basic {SECRET}",
    "Proxy-Authorization": f"Bearer {SECRET}",
    "Cookie": f"session={SECRET}",
    "X-Api-Key": SECRET,
    "Referer": f"https://a.example/?token={SECRET}",
}


@pytest.mark.parametrize("name", REQUESTS)
def test_no_record_has_a_credential(
    app: WSGIApplication, name: str, records: list[logging.LogRecord]
) -> None:
    """Neither a cookie nor a password, nor a query string, whatever becomes of the request."""
    method, path, headers, code = REQUESTS[name]
    query = {"QUERY_STRING": f"token={SECRET}", "REQUEST_URI": f"/?token={SECRET}"}
    answer = call(app, make_environ(method, path, {**CREDENTIALS, **headers}) | query)
    assert answer.code == code
    assert bool(records) is not path.endswith("z")
    for record in records:
        assert SECRET not in repr(vars(record))
        assert SECRET not in logging.Formatter().format(record)


class Counted(str):
    """A text that counts how often it is compared."""

    __slots__ = ("compared",)
    compared: int

    def __eq__(self, other: object) -> bool:
        self.compared += 1
        return super().__eq__(other)

    def __hash__(self) -> int:
        return super().__hash__()


def work(origins: Origins, origin: str) -> tuple[bool, int]:
    """Return whether an origin is in a set, and how many calls and comparisons that takes."""
    counted = Counted(origin)
    counted.compared = 0
    calls = []
    sys.setprofile(lambda _frame, event, _what: calls.append(event))
    try:
        is_in = counted in origins
    finally:
        sys.setprofile(None)
    return is_in, len(calls) + counted.compared


@functools.cache
def entries(count: int) -> Origins:
    """Return so many entries of each kind, compiled."""
    kinds = (
        "https://app{0}.site{0}.example", "https://*.sub{0}.example",
        "https://pr-*.dev{0}.example", "https://any{0}.example:*",
    )  # fmt: skip
    written = [kind.format(number) for kind in kinds for number in range(count)]
    policy = Policy(credentials=False, tolerate_insecure=False, tolerate_public_suffixes=False)
    reading = compile_origins(written, policy)
    assert reading.errors == []
    return reading.origins


@pytest.mark.parametrize(
    ("origin", "is_in"),
    [
        pytest.param("https://app7.site7.example", True, id="an entry"),
        pytest.param("https://x.y.sub7.example", True, id="below an entry"),
        pytest.param("https://pr-17.dev7.example", True, id="a preview"),
        pytest.param("https://any7.example:8443", True, id="any port"),
        pytest.param("https://evil.example", False, id="a stranger"),
        pytest.param("https://a.b.c.d.e.f.sub.example:1", False, id="a stranger with many labels"),
        pytest.param("null", False, id="opaque"),
    ],
)
def test_the_work_for_an_origin_does_not_grow_with_the_entries(*, origin: str, is_in: bool) -> None:
    """A thousand entries of each kind take as many calls and comparisons as ten."""
    few, many = work(entries(10), origin), work(entries(1000), origin)
    assert few == many
    assert few[0] is is_in
