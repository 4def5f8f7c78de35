"""The floor: what the filters do, written by hand as closures that know one policy each.

They would be a burden to maintain, and they leave out what none of the measured requests needs
(other options, other reasons for a refusal, notes on exceptions). For the requests that are
measured they do the same work as the filters and give the same responses and access records, which
a test of the suite asserts. What a filter costs beyond its floor is the price of its options and
its diagnostics.
"""

from __future__ import annotations

import logging
import re
from contextvars import ContextVar, copy_context
from itertools import chain
from os import urandom
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    Headers = list[tuple[str, str]]
    Write = Callable[[bytes], object]

_VARY = ("Vary", "Origin")
_PREFLIGHT_VARY = (
    "Vary",
    "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
)
_OURS = frozenset(
    f"access-control-{name}"
    for name in (
        "allow-origin", "allow-credentials", "allow-methods", "allow-headers", "max-age",
        "expose-headers",
    )
)  # fmt: skip
#: What the applications here send, and what the filter for CORS adds to it.
_THEIRS = frozenset(
    """Cache-Control Content-Language Content-Length Content-Security-Policy Content-Type ETag
    Last-Modified Referrer-Policy Server-Timing Strict-Transport-Security Vary
    X-Content-Type-Options""".split()
)
_THEIRS_AND_OURS = _THEIRS | {"Access-Control-Allow-Origin", "Access-Control-Expose-Headers"}
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_TOKENS = re.compile(r"[a-z0-9!#$%&'+.^_`|~-]+(?:,[a-z0-9!#$%&'+.^_`|~-]+)*").fullmatch
_LABELS = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*").fullmatch
_REQUEST_METHOD = "HTTP_ACCESS_CONTROL_REQUEST_METHOD"
_LABEL = re.compile(r"[a-z0-9-]{1,63}").fullmatch
_REFUSAL = b"CORS preflight refused, origin not listed (see cors_allowed)\n"
_MAX_ORIGIN = 327
_MAX_NAMES = 4096


def _compile(
    origins: Iterable[str],
) -> tuple[dict[str, None], dict[str, Any], dict[str, Any]]:
    """Return the exact origins, the names of patterns, and what stands around a star."""
    exact: dict[str, None] = {}
    tree: dict[str, Any] = {}
    starred: dict[str, Any] = {}
    for origin in origins:
        scheme, _, host = origin.partition("://")
        label, _, name = host.partition(".")
        before, star, after = label.partition("*")
        if not star:
            exact[origin] = None
            continue
        node = tree.setdefault(scheme, {})
        for part in reversed(name.split(".")):
            node = node.setdefault(part, {})
        if label != "*":
            # What no label and no piece of one can be: a mark.
            node["."] = {}
            node = starred.setdefault(f"{scheme}://{name}", {})
            for piece in [*before.split("-")[:-1], "-", *after.split("-")[:0:-1]]:
                node = node.setdefault(piece, {})
            node["-"] = len(before) + len(after) + 1
    return exact, tree, starred


def _is_preview(starred: dict[str, Any], scheme: str, host: str) -> bool:
    """Say whether the first label of a host fits one of the patterns with a star inside it."""
    label, _, name = host.partition(".")
    node = starred.get(f"{scheme}://{name}")
    if node is None or not _LABEL(label):
        return False
    pieces = label.split("-")
    for piece in pieces:
        further = node.get(piece)
        if further is None:
            break
        node = further
    node = node.get("-", {})
    for piece in reversed(pieces):
        further = node.get(piece)
        if further is None:
            break
        node = further
    shortest: int = node.get("-", 64)
    return len(label) >= shortest


def cors(  # noqa: C901 -- by hand: one closure for all of it
    app: WSGIApplication, origins: Iterable[str]
) -> WSGIApplication:
    """Wrap *app* for exact origins and patterns of both kinds, default options otherwise."""
    exact, tree, starred = _compile(origins)
    longest = _MAX_ORIGIN if tree else max(map(len, exact))
    vary = (_VARY,)
    exposed = ("Access-Control-Expose-Headers", "X-Request-Id")
    accepted = [
        ("Content-Type", "text/plain; charset=UTF-8"),
        ("Content-Length", "0"),
        _PREFLIGHT_VARY,
        ("Access-Control-Allow-Methods", ", ".join(_METHODS)),
        ("Access-Control-Max-Age", "600"),
    ]
    refused = [
        ("Content-Type", "text/plain; charset=UTF-8"),
        ("Content-Length", str(len(_REFUSAL))),
        _PREFLIGHT_VARY,
    ]
    logger = logging.getLogger("floor")
    info = logging.INFO

    def is_below(origin: str) -> bool:
        scheme, _, host = origin.partition("://")
        node, rest = tree.get(scheme), host
        while node:
            rest, _, label = rest.rpartition(".")
            node = node.get(label)
        if node is not None and _LABELS(rest):
            return True
        return not rest and bool(starred) and _is_preview(starred, scheme, host)

    def preflight(
        origin: str, method: str, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        if len(origin) > longest or not (origin in exact or (tree and is_below(origin))):
            if logger.isEnabledFor(info):
                logger.info("refused %r", origin)
            start_response("403 Forbidden", [*refused])
            return [_REFUSAL]
        headers = [*accepted, ("Access-Control-Allow-Origin", origin)]
        names = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS")
        if names is not None and len(names) <= _MAX_NAMES and _TOKENS(names):
            headers.append(("Access-Control-Allow-Headers", names))
        if method in _METHODS:
            start_response("200 OK", headers)
        return [b""]

    def handle(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        origin = environ.get("HTTP_ORIGIN")
        ours: tuple[tuple[str, str], ...]
        if origin is None:
            ours = vary
        elif environ["REQUEST_METHOD"] == "OPTIONS" and _REQUEST_METHOD in environ:
            return preflight(origin, environ[_REQUEST_METHOD], environ, start_response)
        elif len(origin) <= longest and (origin in exact or (tree and is_below(origin))):
            ours = (_VARY, exposed, ("Access-Control-Allow-Origin", origin))
        else:
            ours = vary

        def start(status: str, headers: Headers, exc_info: OptExcInfo | None = None) -> Write:
            for name, _ in headers:
                if name not in _THEIRS and name.lower() in _OURS:
                    headers = [h for h in headers if h[0].lower() not in _OURS]
                    break
            if exc_info is None:
                return start_response(status, [*headers, *ours])
            return start_response(status, [*headers, *ours], exc_info)

        return app(environ, start)

    return handle


_scope: ContextVar[tuple[str, str | None, str | None] | None] = ContextVar("floor", default=None)
_set_scope = _scope.set
_is_plain = re.compile(r"[A-Za-z0-9][A-Za-z0-9_~:@#+/=-]{0,127}", re.ASCII).fullmatch


class _Body:
    """A body that is produced, and closed, in the request's context."""

    __slots__ = ("_close", "_next", "_run")

    def __init__(self, run: Callable[..., Any], body: Any) -> None:
        self._run = run
        self._next = run(iter, body).__next__
        self._close = getattr(body, "close", None)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk: bytes = self._run(self._next)
        return chunk

    def close(self) -> None:
        if self._close is not None:
            self._run(self._close)


def request_id(app: WSGIApplication) -> WSGIApplication:
    """Wrap *app* with default options, and no access record."""

    def handle(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        current = environ.get("HTTP_X_REQUEST_ID")
        if current is None or not _is_plain(current):
            current = environ["HTTP_X_REQUEST_ID"] = urandom(16).hex()
        environ["wsgi_mw_paste.request_id"] = current
        forwarded = environ.get("HTTP_TRACEPARENT"), environ.get("HTTP_TRACESTATE")
        context = copy_context()
        context.run(_set_scope, (current, *forwarded))
        ours = ("X-Request-Id", current)

        def start(status: str, headers: Headers, exc_info: OptExcInfo | None = None, /) -> Write:
            for name, _ in headers:
                if name not in _THEIRS_AND_OURS and name.lower() == "x-request-id":
                    headers = [h for h in headers if h[0].lower() != "x-request-id"]
                    break
            if exc_info is None:
                return start_response(status, [*headers, ours])
            return start_response(status, [*headers, ours], exc_info)

        body: Any = context.run(app, environ, start)
        kind = type(body)
        if kind is list or kind is tuple:
            return body  # type: ignore[no-any-return]
        run = context.run
        if kind is environ.get("wsgi.file_wrapper"):
            close = body.close
            body.close = lambda: run(close)
            return body  # type: ignore[no-any-return]
        return _Body(run, body)

    return handle


#: The logger of the floor's access records.
ACCESS_LOGGER = "floor.access"
_PLAIN = "!$&()*+,-./:;=@[]_~"
_PLAIN_IN_AGENTS = _PLAIN + " #'<>?^`{}"
_are_clean = re.compile(
    rf"[A-Za-z0-9{re.escape(_PLAIN)}]*\n[A-Za-z0-9{re.escape(_PLAIN_IN_AGENTS)}]*", re.ASCII
).fullmatch
_MAX_FACT = 2048


def _clean(text: str, safe: str = _PLAIN) -> str:
    return quote(text[:_MAX_FACT], safe=safe, encoding="latin-1", errors="replace")


def access_record(app: WSGIApplication) -> WSGIApplication:  # noqa: PLR0915 -- as above
    """Wrap *app* as :func:`request_id` does, for bodies that are lists, and log the request.

    The record has the facts, cleaned, and the fields that the filter's has for a request without a
    token; it is made and handled as ``logging`` wants it.
    """
    logger = logging.getLogger(ACCESS_LOGGER)
    info = logging.INFO

    def handle(  # noqa: PLR0915 -- as above
        environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        get = environ.get
        current, source = get("HTTP_X_REQUEST_ID"), "inbound"
        if current is None or not _is_plain(current):
            current = environ["HTTP_X_REQUEST_ID"] = urandom(16).hex()
            source = "generated"
        environ["wsgi_mw_paste.request_id"] = current
        forwarded = get("HTTP_TRACEPARENT"), get("HTTP_TRACESTATE")
        context = copy_context()
        context.run(_set_scope, (current, *forwarded))
        ours = ("X-Request-Id", current)
        host = get("HTTP_HOST") or get("SERVER_NAME", "")
        method = get("REQUEST_METHOD", "")
        path = get("SCRIPT_NAME", "") + get("PATH_INFO", "")
        protocol = get("SERVER_PROTOCOL", "")
        address = get("REMOTE_ADDR", "")
        agent = get("HTTP_USER_AGENT", "")
        code: int | None = None
        began = perf_counter_ns()

        def start(status: str, headers: Headers, exc_info: OptExcInfo | None = None) -> Write:
            nonlocal code
            code = int(status[:3])
            for name, _ in headers:
                if name not in _THEIRS_AND_OURS and name.lower() == "x-request-id":
                    headers = [h for h in headers if h[0].lower() != "x-request-id"]
                    break
            if exc_info is None:
                return start_response(status, [*headers, ours])
            return start_response(status, [*headers, ours], exc_info)

        def log(size: int) -> None:
            nonlocal host, method, path, protocol, address, agent
            duration = (perf_counter_ns() - began) // 1000 / 1000
            if not logger.isEnabledFor(info):
                return
            together = f"{host}{method}{path}{protocol}{address}\n{agent}"
            if len(together) > _MAX_FACT or not _are_clean(together):
                host, method, path = _clean(host), _clean(method), _clean(path)
                protocol, address = _clean(protocol), _clean(address)
                agent = _clean(agent, _PLAIN_IN_AGENTS)
            arguments = (host, method, path, protocol, code, size, duration)
            record = logger.makeRecord(
                logger.name, info, __file__, 0, "%s %s %s %s %s %s %sms", arguments, None
            )
            fields = record.__dict__
            fields["request_id"] = current
            fields["request_id_source"] = source
            fields["host"] = host
            fields["method"] = method
            fields["path"] = path
            fields["status"] = code
            fields["bytes"] = size
            fields["duration_ms"] = duration
            fields["remote_addr"] = address
            fields["user_agent"] = agent or None
            fields["protocol"] = protocol
            fields["token"] = None
            fields["error_type"] = None
            logger.handle(record)

        body: Any = context.run(app, environ, start)
        context.run(log, sum(map(len, body)))
        return body  # type: ignore[no-any-return]

    return handle


class _Chunks:
    """A body whose first chunk is there; what it raises is logged."""

    __slots__ = ("_close", "_next")

    def __init__(self, chunks: Iterator[bytes], close: Callable[[], object] | None) -> None:
        self._next = chunks.__next__
        self._close = close

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return self._next()
        except StopIteration:
            raise
        except Exception:
            logging.getLogger("floor").exception("escaped")
            raise

    def close(self) -> None:
        if self._close is not None:
            self._close()


def _with_first_chunk(body: Any) -> _Chunks:
    close = getattr(body, "close", None)
    chunks = iter(body)
    for chunk in chunks:
        if chunk:
            return _Chunks(chain((chunk,), chunks), close)
    return _Chunks(iter(()), close)


def errors(app: WSGIApplication) -> WSGIApplication:  # noqa: C901 -- as above
    """Wrap *app*: hold its response until its first byte is there, answer a bare 500 before."""

    def handle(  # noqa: C901 -- as above
        environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        request = environ.copy()
        held: tuple[str, Headers] | tuple[str, Headers, OptExcInfo] | None = None
        sent: Write | None = None

        def start(status: str, headers: Headers, exc_info: OptExcInfo | None = None) -> Write:
            nonlocal held
            if exc_info is None:
                if held is not None:
                    raise AssertionError
                held = status, [*headers]
            elif sent is not None:
                return start_response(status, [*headers], exc_info)
            else:
                held = status, [*headers], exc_info
            return write

        def write(data: bytes) -> object:
            nonlocal sent
            if sent is None and held is not None:
                sent = start_response(*held)
            return sent and sent(data)

        try:
            body: Any = app(environ, start)
            kind = type(body)
            if not (kind is list or kind is tuple or kind is request.get("wsgi.file_wrapper")):
                body = _with_first_chunk(body)
            if sent is None and held is not None:
                sent = start_response(*held)
        except Exception:
            logging.getLogger("floor").exception("escaped")
            if sent is not None:
                raise
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
            return [b"Internal Server Error\n"]
        else:
            return body  # type: ignore[no-any-return]

    return handle


def health(app: WSGIApplication) -> WSGIApplication:
    """Wrap *app* with default options: liveness, and readiness without checks."""
    live, ready = (
        b'{"status": "live"}\n',
        b'{"status": "ready", "age_seconds": 0.0, "checks": []}\n',
    )

    def headers(body: bytes) -> Headers:
        return [
            ("Content-Type", "application/json"),
            ("Cache-Control", "no-store"),
            ("Content-Length", str(len(body))),
        ]

    bodies = {"/livez": (headers(live), live), "/readyz": (headers(ready), ready)}

    def handle(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path in bodies and not environ.get("SCRIPT_NAME") and environ["REQUEST_METHOD"] == "GET":
            sent, body = bodies[path]
            start_response("200 OK", sent.copy())
            return [body]
        return app(environ, start_response)

    return handle


def stack(app: WSGIApplication, origins: Iterable[str]) -> WSGIApplication:
    """Wrap *app* in the three, as the filter ``main`` does."""
    return request_id(cors(errors(app), origins))
