"""Request ids and the access record: one id per request, in every log line and on every response.

Use it outermost of our filters, so that every response has the id and every request a record,
whichever filter answers. Behind a proxy that sets ids, it accepts them (``request_id_trust``). Set
that to ``false`` where clients reach the application directly and ids have to be unique.

It does not trace: no spans, no sampling. ``traceparent`` is read for its trace id and passed on.

A second one inside the first does nothing: the id, the header and the record are the first one's.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import re
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final, Literal

from wsgi_mw_paste._access import AccessLog, AccessRecord
from wsgi_mw_paste._wsgi import (
    REQUEST_ID_KEY,
    environ_key,
    foreign_spellings,
    is_file_wrapper,
    log_safely,
    type_name,
)
from wsgi_mw_paste.context import (
    MAX_LENGTH,
    current_request_id,
    current_scope,
    is_safe_id,
    new_request_id,
    note_request_id,
    plain_id_matcher,
)
from wsgi_mw_paste.logging import RequestIdFilter
from wsgi_mw_paste.settings import (
    Problem,
    Remark,
    Settings,
    given_or_environment,
    option,
    options,
)
from wsgi_mw_paste.values import (
    boolean,
    header_name,
    id_header,
    key_text,
    list_of,
    number,
    path_pattern,
    tokens_in_logs,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextvars import Context

    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from wsgi_mw_paste._wsgi import Headers, Write

# The predecessor has these names here, and code imports them from here.
__all__ = [
    "RequestIdFilter",
    "RequestIdMiddleware",
    "RequestIdSettings",
    "current_request_id",
]

#: The logger for remarks at start.
_LOGGER: Final = "wsgi_mw_paste.request_id"
#: A key with fewer characters can be guessed by anyone who has a token and its fingerprint.
_SHORTEST_KEY: Final = 16
#: Bound once, not for each request.
_set_scope: Final = current_scope.set
#: The longest header that is looked at, in characters; trace headers may have several thousand.
_MAX_HEADER: Final = 8192


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class RequestIdSettings(Settings):
    """The options of :class:`RequestIdMiddleware`. Fields take text or ready values.

    :raises ConfigurationError: a value is wrong.
    """

    request_id_header: str = dataclasses.field(
        default="X-Request-Id",
        metadata=option(
            id_header, "header read, written back into the environ, and sent on every response"
        ),
    )
    request_id_fallback_headers: Sequence[str] = dataclasses.field(
        default=(),
        metadata=option(
            list_of(id_header),
            "headers to take an id from when the first is missing or holds no valid id, in order;"
            " `traceparent`, `X-Amzn-Trace-Id` and `X-Cloud-Trace-Context` are parsed for their"
            " trace id",
        ),
    )
    request_id_trust: bool = dataclasses.field(
        default=True,
        metadata=option(boolean, "accept a valid inbound id; `false`: always generate"),
    )
    request_id_max_length: int = dataclasses.field(
        default=128,
        metadata=option(
            number(1, MAX_LENGTH, "characters"),
            "longest inbound id accepted (1 to 1024; Heroku needs 200)",
        ),
    )
    request_id_forward_headers: Sequence[str] = dataclasses.field(
        default=("traceparent", "tracestate"),
        metadata=option(
            list_of(header_name),
            "inbound headers that `outgoing_headers()` passes on unchanged",
        ),
    )
    log_requests: bool = dataclasses.field(
        default=True,
        metadata=option(boolean, "one record per request on the logger `wsgi_mw_paste.access`"),
    )
    log_exclude_paths: Sequence[str] = dataclasses.field(
        default=(),
        metadata=option(
            list_of(path_pattern),
            "paths whose *successful* requests are not logged: exact, or a prefix written"
            " `/static/*`",
        ),
    )
    log_tokens: bool | Literal["fingerprint"] = dataclasses.field(
        # As with the predecessor. Where it is not set, there is a warning at start.
        default=True,
        metadata=option(
            tokens_in_logs,
            "the Bearer token in the record's `token` field: `true` verbatim, `fingerprint` a"
            " keyed or plain hash, `false` nothing",
        ),
    )
    log_tokens_key: str = dataclasses.field(
        default="",
        metadata=option(
            key_text, "HMAC key for `fingerprint`; a secret, shown as `***` everywhere", secret=True
        ),
    )

    def conflicts(self) -> Iterator[Problem]:
        """Yield a header for traces: writing request ids into it would break them."""
        if self.request_id_header.lower() in _PARSERS:
            yield self.problem(
                "request_id_header",
                self.request_id_header,
                "expected a header used only for ids; this one is for traces; list it in"
                " request_id_fallback_headers, which takes the trace id from it",
            )

    @functools.cached_property
    def remarks(self) -> Sequence[Remark]:
        """What is unwise: headers that get lost, and a key that can be guessed."""
        found = [
            Remark(
                logging.WARNING,
                option,
                name,
                f"proxies such as nginx drop {name}, because of its underscores; use"
                f" {name.replace('_', '-')} if you can",
            )
            for option, names in (
                ("request_id_header", [self.request_id_header]),
                ("request_id_fallback_headers", self.request_id_fallback_headers),
                ("request_id_forward_headers", self.request_id_forward_headers),
            )
            for name in names
            if "_" in name
        ]
        if 0 < len(self.log_tokens_key) < _SHORTEST_KEY:
            text = (
                f"shorter than {_SHORTEST_KEY} characters, so it can be guessed; use a longer,"
                " random key"
            )
            key = options(type(self))["log_tokens_key"]
            shown = key.show(self.log_tokens_key)
            found.append(Remark(logging.WARNING, key.name, shown, text))
        return tuple(found)


class RequestIdMiddleware:
    """A WSGI middleware that gives every request an id and, at its end, an access record.

    :param app: the WSGI application.
    :param settings: the options; left out, they come from the environment.
    :raises ConfigurationError: the environment has invalid options.
    :raises TypeError: *settings* is something else.
    """

    def __init__(self, app: WSGIApplication, settings: RequestIdSettings | None = None) -> None:
        settings = given_or_environment(RequestIdSettings, settings)
        self._app = app
        self._header = settings.request_id_header
        self._lower_header = self._header.lower()
        self._foreign_spellings = foreign_spellings({self._lower_header})
        self._environ_key = environ_key(self._header)
        self._trust = settings.request_id_trust
        self._max_length = settings.request_id_max_length
        self._is_plain = plain_id_matcher(self._max_length)
        self._fallbacks = [
            (environ_key(name), _PARSERS.get(name.lower(), _whole))
            for name in settings.request_id_fallback_headers
            if self._trust
        ]
        # By key, or the id itself, and a header in two spellings, would be passed on twice.
        forward = {environ_key(name): name for name in settings.request_id_forward_headers}
        self._forward = [(key, forward[key]) for key in forward if key != self._environ_key]
        self._log = None
        if settings.log_requests:
            self._log = AccessLog(
                settings.log_exclude_paths, settings.log_tokens, settings.log_tokens_key
            )
            if "log_tokens" not in settings.given:
                _warn_of_verbatim_tokens()
        logger = logging.getLogger(_LOGGER)
        for remark in settings.remarks:
            log_safely(logger, remark.level, "%s: %s", remark.option, remark.text)

    def __call__(  # noqa: C901 -- every function that is split off costs each request 3 %
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Run the application inside a context of its own, in which the id is known."""
        if REQUEST_ID_KEY in environ and current_scope.get() is not None:
            return self._app(environ, start_response)
        inbound = environ.get(self._environ_key)
        if inbound is None and not self._fallbacks:
            request_id, source = new_request_id(), "generated"
        elif inbound is not None and self._trust and self._is_plain(inbound):
            request_id, source = inbound, "inbound"
        else:
            request_id, source = self._identify(environ, inbound)
        if request_id is not inbound:
            environ[self._environ_key] = request_id
        environ[REQUEST_ID_KEY] = request_id
        forwarded: tuple[tuple[str, str], ...] = ()
        for key, name in self._forward:
            if key in environ:
                forwarded += ((name, environ[key]),)
        # One Context for the call, every chunk and close(). To set and reset the variable instead
        # is wrong on servers that change threads: the id leaks, or the reset raises.
        context = copy_context()
        context.run(_set_scope, (request_id, self._header, forwarded))
        record = None if self._log is None else self._log.begin(environ, request_id, source)
        header = self._header, request_id
        lower, foreign = self._lower_header, self._foreign_spellings

        def start(status: str, headers: Headers, exc_info: OptExcInfo | None = None) -> Write:
            """Send the id once, also where the application sends one of its own."""
            sent = [*headers]
            for name, _ in sent:
                if name not in foreign and name.lower() == lower:
                    sent = [field for field in sent if field[0].lower() != lower]
                    break
            sent.append(header)
            if exc_info is None:
                write = start_response(status, sent)
            else:
                try:
                    write = start_response(status, sent, exc_info)
                finally:
                    exc_info = None  # as wsgi_mw_paste._wsgi says
            return write if record is None else record.start(status, sent, write)

        try:
            body: Any = context.run(self._app, environ, start)
        except BaseException as error:
            note_request_id(error, request_id)
            if record is not None:
                record.fail(error)
                context.run(record.emit)
            raise
        kind = type(body)
        if kind is list or kind is tuple or kind is bytes:
            # As it is: servers know the Content-Length of a list, and uWSGI sends bytes at once.
            if record is not None:
                record.count((body,) if kind is bytes else body)
                context.run(record.emit)
            return body  # type: ignore[no-any-return]
        return _BodyInContext(context, request_id, record).follow(body, environ)

    def _identify(self, environ: WSGIEnvironment, inbound: str | None) -> tuple[str, str]:
        """Return the request's id and its source: ``inbound``, ``generated`` or ``replaced``."""
        source = "generated"
        if inbound is not None and self._trust and (inbound := _stripped(inbound)):
            if is_safe_id(inbound, self._max_length):
                return inbound, "inbound"
            source = "replaced"
        for key, parse in self._fallbacks:
            value = environ.get(key)
            if value is not None and (value := _stripped(value)):
                found = parse(value)
                if found is not None and is_safe_id(found, self._max_length):
                    return found, "inbound"
                # As with the main header, the application never sees an invalid id.
                del environ[key]
                source = "replaced"
        return new_request_id(), source


@functools.cache
def _warn_of_verbatim_tokens() -> None:
    """Warn once in a process, however many filters it has: a token is a credential (CWE-532)."""
    log_safely(
        logging.getLogger(_LOGGER),
        logging.WARNING,
        "log_tokens is not set, so Bearer tokens are logged verbatim, in the token field;"
        " set it to fingerprint or false, or to true to silence this warning",
    )


def _stripped(value: str) -> str:
    """Return a value without the blanks around it; ``-``, never a valid id, if it is too long."""
    return value.strip(" \t") if len(value) <= _MAX_HEADER else "-"


def _whole(value: str) -> str | None:
    return value


_TRACEPARENT: Final = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?", re.ASCII
)


def _traceparent(value: str) -> str | None:
    """Return the trace id of a ``traceparent`` (W3C Trace Context, sections 3.2 and 4.3)."""
    match = _TRACEPARENT.fullmatch(value)
    if match is None or (match[1] == "00" and match[3]):
        return None
    return match[2]


_AMAZON_ROOT: Final = re.compile(
    r"(?:^|;)\s*Root=(1-[0-9a-f]{8}-[0-9a-f]{24})\s*(?:;|$)", re.ASCII | re.IGNORECASE
)


def _amazon_root(value: str) -> str | None:
    """Return the ``Root`` of an ``X-Amzn-Trace-Id``: it alone is the same on every hop."""
    match = _AMAZON_ROOT.search(value)
    return None if match is None else match[1]


# Google's own parsers take the span and the options as optional and as possibly empty.
_CLOUD_TRACE: Final = re.compile(
    r"(?!0{32})([0-9a-f]{32})(?:/[0-9]{0,20})?(?:;o=[0-9]*)?", re.ASCII | re.IGNORECASE
)


def _cloud_trace(value: str) -> str | None:
    """Return the trace id of an ``X-Cloud-Trace-Context``: ``TRACE_ID/SPAN_ID;o=OPTIONS``."""
    match = _CLOUD_TRACE.fullmatch(value)
    return None if match is None else match[1]


_PARSERS: Final[dict[str, Callable[[str], str | None]]] = {
    "traceparent": _traceparent,
    "x-amzn-trace-id": _amazon_root,
    "x-cloud-trace-context": _cloud_trace,
}


_END: Final = object()
#: What is left of a body that has ended; the application's iterator is not asked again.
_NO_CHUNKS: Final[Iterator[bytes]] = iter(())


def _nothing() -> None:
    """Close a body that has no ``close``, or has been closed."""


class _BodyInContext:
    """A body that produces every chunk, and the end of the request, in the request's context.

    A class and not a generator: the ``finally`` of a generator that was never started does not run
    when a server closes it.
    """

    __slots__ = ("_chunks", "_close", "_context", "_record", "_request_id")

    def __init__(self, context: Context, request_id: str, record: AccessRecord | None) -> None:
        self._context = context
        self._request_id = request_id
        self._record = record
        self._close: Callable[[], object] = _nothing

    def follow(self, body: Any, environ: WSGIEnvironment) -> Iterable[bytes]:
        """Return what the server gets: its own file wrapper as it is, or else this object."""
        try:
            self._close = getattr(body, "close", None) or _nothing
            if is_file_wrapper(body, environ):
                if self._record is not None:
                    self._record.count_from_headers()
                try:
                    # Sendfile needs the object itself; the hook tells us of its end.
                    body.close = self.close
                except AttributeError:
                    # The hook cannot be set, so this is the last we hear of it.
                    _run(self._context, self._emit)
                return body  # type: ignore[no-any-return]
            self._chunks: Iterator[bytes] = self._context.run(iter, body)
        except BaseException as error:
            self._fail(error)
            # No server will see this body, so no server will close it.
            self.close()
            raise
        return self

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            chunk: Any = self._context.run(next, self._chunks, _END)
        except BaseException as error:
            self._fail(error)
            raise
        record = self._record
        if chunk is _END:
            self._chunks = _NO_CHUNKS
            if record is not None:
                _run(self._context, self._emit)
            raise StopIteration
        if record is not None:
            try:  # noqa: SIM105 -- suppress() would cost each chunk as much as all the rest
                record.bytes += len(chunk)
            except TypeError:
                pass  # Not bytes: the server's to refuse.
        return chunk  # type: ignore[no-any-return]

    def close(self) -> None:
        """Close the application's body, once however often a server calls, and end the request."""
        self._chunks = _NO_CHUNKS
        _run(self._context, self._end)

    def _end(self, begun: list[bool]) -> None:
        begun.append(True)
        close, self._close = self._close, _nothing
        record = self._record
        try:
            close()
        except BaseException as error:
            # Too late for the server to answer in the application's place.
            note_request_id(error, self._request_id)
            if record is not None:
                record.error_type = type_name(error)
            raise
        finally:
            if record is not None:
                record.emit()

    def _fail(self, error: BaseException) -> None:
        """End the request with an exception."""
        self._chunks = _NO_CHUNKS
        note_request_id(error, self._request_id)
        if self._record is not None:
            self._record.fail(error)
            _run(self._context, self._emit)

    def _emit(self, begun: list[bool]) -> None:
        begun.append(True)
        if self._record is not None:
            self._record.emit()


def _run(context: Context, function: Callable[[list[bool]], None]) -> None:
    """Run a function in a context, or in a copy of it while another thread is inside.

    A server may close a body in one thread while another thread iterates over it.

    :param function: it appends to the list that it is given, before anything else.
    """
    begun: list[bool] = []
    try:
        context.run(function, begun)
    except RuntimeError:
        # The application's own, unless nothing has run because the context was busy.
        if begun:
            raise
    if not begun:
        context.copy().run(function, begun)
