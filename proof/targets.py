"""What is fuzzed: for each kind of input, a function that raises if a promise about it is broken.

A target takes bytes, as a client or an operator could send them, and goes in by the public door: a
middleware, a factory, ``check``. What the answer may be is written down here a second time, in the
most naive way, and not taken from the package.
"""

from __future__ import annotations

import functools
import logging
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wsgi_mw_paste import (
    ConfigurationError,
    CORSMiddleware,
    CORSSettings,
    RequestIdMiddleware,
    RequestIdSettings,
    factories,
)
from wsgi_mw_paste.command.check import check
from wsgi_mw_paste.settings import options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ORIGINS: Final = (
    "https://app.example.com",
    "https://*.example.org",
    "http://localhost:*",
    "https://api.example.net:8443",
)
_LABEL: Final = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
#: Origins that have to be allowed, and origins that may be.
_MUST: Final = re.compile(
    rf"https://app\.example\.com|https://({_LABEL}\.){{1,3}}example\.org|"
    r"http://localhost(:([1-9][0-9]{2,3}))?|https://api\.example\.net:8443"
)
_MAY: Final = re.compile(
    r"https://app\.example\.com|https://([a-z0-9_-]{1,63}\.)+example\.org|"
    r"http://localhost(:[1-9][0-9]{0,4})?|https://api\.example\.net:8443"
)
_MAX_HOST: Final = 253
_ID: Final = re.compile(r"[A-Za-z0-9._~:@#+/=-]{1,128}", re.ASCII)
_GENERATED: Final = re.compile("[0-9a-f]{32}")
_TRACE_HEADERS: Final = ("traceparent", "X-Amzn-Trace-Id", "X-Cloud-Trace-Context")
_METHODS: Final = ("GET", "HEAD", "POST", "PUT")
_HEADERS: Final = ("x-a", "x-b", "authorization")


class Answer(NamedTuple):
    """A response without its body."""

    status: str
    headers: Sequence[tuple[str, str]]

    def values(self, name: str) -> list[str]:
        """Return the values of a header."""
        return [value for found, value in self.headers if found.lower() == name]


def _app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def _call(app: WSGIApplication, method: str = "GET", **headers: str) -> Answer:
    """Send a request; see that the response has no header that could be two."""
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "SERVER_PROTOCOL": "HTTP/1.1",
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
    }
    answers: list[Answer] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        answers.append(Answer(status, headers))

    body: Any = app(environ, start_response)
    for _ in body:
        pass
    if hasattr(body, "close"):
        body.close()
    (answer,) = answers
    for name, value in answer.headers:
        assert value.isascii(), name
        assert value.isprintable(), name
    return answer


def _text(data: bytes) -> str:
    """Return bytes as an environ has them (PEP 3333, "A Note On String Types")."""
    return data.decode("latin-1")


def origin(data: bytes) -> None:
    """Send ``Origin``: it is allowed if the policy says so, and then echoed as it is."""
    text = _text(data)
    allowed = _call(_cors(), Origin=text).values("access-control-allow-origin")
    assert allowed in ([], [text])
    assert len(allowed) >= bool(_MUST.fullmatch(text))
    if allowed:
        assert _MAY.fullmatch(text)
        host = text.partition("://")[2].partition(":")[0]
        assert len(host) <= _MAX_HOST


def preflight(data: bytes) -> None:
    """Send a preflight: the first line is the method, the rest the list of headers."""
    method, _, requested = _text(data).partition("\n")
    answer = _call(
        _cors(),
        "OPTIONS",
        **{
            "Origin": ORIGINS[0],
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": requested,
        },
    )
    asked = {item.strip(" \t").lower() for item in requested.split(",")} - {""}
    is_allowed = method in _METHODS and asked <= {*_HEADERS}
    if answer.status != "200 OK":
        assert answer.status == "403 Forbidden"
        assert not answer.values("access-control-allow-origin")
        # More than a browser sends may be refused; a list in its form must not be.
        assert not (is_allowed and re.fullmatch("([a-z-]+(,[a-z-]+)*)?", requested)) or (
            len(requested) > len(",".join(_HEADERS))
        )
    else:
        assert is_allowed
        assert answer.values("access-control-allow-origin") == [ORIGINS[0]]


def request_id(data: bytes) -> None:
    """Send ``X-Request-Id``: the response has it if it is valid, and else a generated id."""
    text = _text(data)
    (found,) = _call(_ids(), **{"X-Request-Id": text}).values("x-request-id")
    sent = text.strip(" \t")
    is_safe = _ID.fullmatch(sent) and not (
        sent[0] in "./" or ".." in sent or not any(char.isalnum() for char in sent)
    )
    assert found == sent if is_safe else _GENERATED.fullmatch(found)


def trace(data: bytes) -> None:
    """Send a trace header: the first byte says which, the rest is its value."""
    name = _TRACE_HEADERS[data[0] % len(_TRACE_HEADERS)] if data else _TRACE_HEADERS[0]
    text = _text(data[1:])
    (found,) = _call(_ids(), **{name: text}).values("x-request-id")
    assert _ID.fullmatch(found)
    # What was not generated is in the header as it stands.
    assert _GENERATED.fullmatch(found) or found in text


def token(data: bytes) -> None:
    """Send ``Authorization``: the record has its fingerprint, and nothing else of it."""
    text = _text(data)
    with _records() as records:
        _call(_ids(), Authorization=text)
    (record,) = records
    found = record.__dict__["token"]
    assert found in (None, "invalid") or re.fullmatch("sha256:[0-9a-f]{16}", found)
    secret = text.strip()
    shown = f"{record.getMessage()} {record.__dict__}"
    assert len(secret) < len("Bearer secret") or secret not in shown


def ini(data: bytes) -> None:
    """Load an option from a section: the first line is its name, the rest its value."""
    name, _, value = data.decode("utf-8", "ignore").partition("\n")
    for factory in factories.FACTORIES.values():
        if name not in _options(factory):
            continue
        try:
            factory({}, **{name: value})(_app)
        except ConfigurationError as error:
            for line in str(error).splitlines():
                assert line.isprintable()


def whole_file(data: bytes) -> None:
    """Check a whole INI file: whatever is wrong with it is reported, not raised."""
    path = Path(_scratch().name, "fuzzed.ini")
    path.write_bytes(data)
    report = check(str(path))
    assert report.status() in (0, 2)
    for level in ("error", "warning", "note"):
        for finding in report.of(level):
            assert str(finding)


@functools.cache
def _cors() -> WSGIApplication:
    settings = CORSSettings(
        cors_allowed=ORIGINS, cors_allow_methods=["PUT"], cors_allow_headers=_HEADERS
    )
    return CORSMiddleware(_app, settings)


@functools.cache
def _ids() -> WSGIApplication:
    settings = RequestIdSettings(
        request_id_fallback_headers=_TRACE_HEADERS, log_tokens="fingerprint"
    )
    return RequestIdMiddleware(_app, settings)


class _Keeper(logging.Handler):
    """A handler that keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append(record)


@contextmanager
def _records() -> Iterator[list[logging.LogRecord]]:
    """Return the access records that are written during the ``with`` statement."""
    logger, keeper = logging.getLogger("wsgi_mw_paste.access"), _Keeper()
    level, logger.propagate = logger.level, False
    logger.addHandler(keeper)
    logger.setLevel(logging.INFO)
    try:
        yield keeper.kept
    finally:
        logger.removeHandler(keeper)
        logger.setLevel(level)
        logger.propagate = True


@functools.cache
def _options(factory: factories.FilterFactory) -> frozenset[str]:
    return frozenset(name for cls in factory.settings for name in options(cls))


@functools.cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="fuzz-")


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "origin": origin,
    "preflight": preflight,
    "request-id": request_id,
    "trace": trace,
    "token": token,
    "ini": ini,
    "file": whole_file,
}
