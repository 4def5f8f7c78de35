"""CORS: which scripts of other origins may read this application's responses.

Use it around an application that browsers call from pages of another origin. It decides by the
Fetch standard alone: an origin that is not allowed gets no CORS headers, and the browser keeps the
response from its script. It protects users, not the server: it stops no requests but refused
preflights, so it replaces neither authentication nor CSRF tokens.

Do not use it behind a proxy that adds CORS headers of its own. Put nothing outside it that answers
requests itself, such as authentication: preflights carry no credentials and must reach it. Two of
them in one pipeline are two policies, for different ``cors_paths``; where both match, the outer one
decides.

The three kinds of requests, and all decisions, are those of the Fetch standard; "Fetch" below is
https://fetch.spec.whatwg.org/.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import re
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

from wsgi_mw_paste._http import SAFELISTED_METHODS, is_token
from wsgi_mw_paste._wsgi import foreign_spellings, log_safely, request_path
from wsgi_mw_paste.origins import ANY, Policy, compile_origins, is_plain_origin, parse_origin
from wsgi_mw_paste.settings import Remark, Settings, given_or_environment, option
from wsgi_mw_paste.values import (
    boolean,
    list_of,
    method_name,
    number,
    path_prefix,
    request_header,
    response_header,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from webob import Response

    from wsgi_mw_paste._wsgi import Headers, Write
    from wsgi_mw_paste.origins import Origins, Reading
    from wsgi_mw_paste.settings import Problem

#: Fetch, "HTTP responses": the headers that are ours alone; a browser refuses two of a kind.
_CORS_RESPONSE_HEADERS: Final = frozenset(
    {
        "access-control-allow-origin",
        "access-control-allow-credentials",
        "access-control-allow-methods",
        "access-control-allow-headers",
        "access-control-max-age",
        "access-control-expose-headers",
    }
)
_FOREIGN_SPELLINGS: Final = foreign_spellings(_CORS_RESPONSE_HEADERS)
#: Fetch, "CORS protocol and HTTP caches": on every response unless the policy is ``*``. A line of
#: its own is as good as a merged one, and costs nothing.
_VARY: Final = ("Vary", "Origin")
#: What answers to preflights depend on besides, since they echo it: some CDNs cache ``OPTIONS``.
_PREFLIGHT_VARY: Final = "Access-Control-Request-Method, Access-Control-Request-Headers"

#: A preflight's headers in the environ; the first makes it one, the second may be missing.
_REQUEST_METHOD: Final = "HTTP_ACCESS_CONTROL_REQUEST_METHOD"
_REQUEST_HEADERS: Final = "HTTP_ACCESS_CONTROL_REQUEST_HEADERS"

#: The longest registered method has 17 characters.
_MAX_METHOD: Final = 64
#: In characters. Browsers send a few dozen names; a longer list is an attack and is not split.
_MAX_REQUEST_HEADERS: Final = 4096
_MAX_COMMAS: Final = 128
#: Fetch, "CORS non-wildcard request-header name"; and an echoed ``*`` would let all names pass.
_NOT_COVERED_BY_ANY: Final = frozenset({"authorization", ANY})
#: Header names as browsers send them; of these, only ``authorization`` needs a closer look.
_PLAIN_NAME: Final = r"[a-z0-9!#$%&'+.^_`|~-]+"
_PLAIN_NAMES: Final = re.compile(
    rf"{_PLAIN_NAME}(?:,{_PLAIN_NAME}){{0,{_MAX_COMMAS}}}", re.ASCII
).fullmatch
_LOGGER: Final = "wsgi_mw_paste.cors"
#: How much of what a client sent a log record repeats, in characters.
_LOG_LIMIT: Final = 200


class Reason(NamedTuple):
    """Why a preflight is refused, in the same words in the answer, the log and the command.

    :ivar option: the option that decides.
    """

    text: str
    option: str


ORIGIN_MALFORMED: Final = Reason("malformed origin", "cors_allowed")
ORIGIN_OPAQUE: Final = Reason("opaque origin (null)", "cors_allowed")
ORIGIN_NOT_LISTED: Final = Reason("origin not listed", "cors_allowed")
METHOD_MALFORMED: Final = Reason("malformed method", "cors_allow_methods")
METHOD_NOT_LISTED: Final = Reason("method not listed", "cors_allow_methods")
HEADERS_TOO_LONG: Final = Reason("too many headers", "cors_allow_headers")
HEADER_MALFORMED: Final = Reason("malformed header name", "cors_allow_headers")
HEADER_NOT_LISTED: Final = Reason("header not listed", "cors_allow_headers")
_REASONS_WITHOUT_A_NAME: Final = (
    ORIGIN_MALFORMED,
    ORIGIN_OPAQUE,
    ORIGIN_NOT_LISTED,
    METHOD_MALFORMED,
    HEADERS_TOO_LONG,
    HEADER_MALFORMED,
)


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class CORSSettings(Settings):
    """The options of :class:`CORSMiddleware`. Fields take text or ready values.

    :raises ConfigurationError: a value is wrong, or too dangerous together with credentials.
    """

    cors_allowed: Sequence[str] = dataclasses.field(
        default=(),
        metadata=option(
            words,
            "origins, patterns or domain names that may read responses; empty: CORS is off,"
            " everything passes through untouched",
        ),
    )
    cors_paths: Sequence[str] = dataclasses.field(
        default=(),
        metadata=option(
            list_of(path_prefix),
            "path prefixes this filter speaks for (`/api` is `/api` and all below it); empty: every"
            " path",
        ),
    )
    cors_allow_credentials: bool = dataclasses.field(
        default=False,
        metadata=option(boolean, "cookies, HTTP authentication, client certificates"),
    )
    cors_allow_methods: Sequence[str] = dataclasses.field(
        default=(*SAFELISTED_METHODS, "PUT", "PATCH", "DELETE", "OPTIONS"),
        metadata=option(
            list_of(method_name),
            "methods allowed besides GET, HEAD and POST, which always are; `*`: any",
        ),
    )
    cors_allow_headers: Sequence[str] = dataclasses.field(
        default=(ANY, "Authorization"),
        metadata=option(
            list_of(request_header),
            "request headers; `*`: any except `Authorization`, which the Fetch standard requires to"
            " be listed by name",
        ),
    )
    cors_expose_headers: Sequence[str] = dataclasses.field(
        default=(),
        metadata=option(
            list_of(response_header),
            "response headers scripts may read; `*`: all (not with credentials)",
        ),
    )
    cors_max_age: int = dataclasses.field(
        # Ten minutes: WebKit keeps no answer longer, and no mistake lives longer.
        default=600,
        metadata=option(
            number(0, 86400, "seconds"),
            "seconds a preflight answer may be cached, 0 to 86400; 0 is sent as `0`",
        ),
    )
    cors_tolerate_insecure_origins: bool = dataclasses.field(
        default=False,
        metadata=option(boolean, "accept `http:` origins together with credentials"),
    )
    cors_tolerate_public_suffixes: bool = dataclasses.field(
        default=False,
        metadata=option(boolean, "accept `*.github.io` and the like together with credentials"),
    )

    @property
    def policy(self) -> Policy:
        """What decides which origins may be listed."""
        return Policy(
            self.cors_allow_credentials,
            self.cors_tolerate_insecure_origins,
            self.cors_tolerate_public_suffixes,
        )

    @functools.cached_property
    def _reading(self) -> Reading:
        return compile_origins(self.cors_allowed, self.policy)

    @property
    def origins(self) -> Origins:
        """The entries of ``cors_allowed``, compiled."""
        return self._reading.origins

    @functools.cached_property
    def paths(self) -> Paths:
        """The entries of ``cors_paths``, compiled."""
        return Paths(self.cors_paths)

    @functools.cached_property
    def remarks(self) -> Sequence[Remark]:
        """What to tell the operator at start."""
        found = [
            Remark(level, "cors_allowed", note.entry, note.text)
            for level, notes in (
                (logging.WARNING, self._reading.warnings),
                (logging.INFO, self._reading.expansions),
            )
            for note in notes
        ]
        if not self.cors_allowed:
            found.append(Remark(logging.INFO, "cors_allowed", "", "empty, so CORS is off"))
        for name in self.cors_allow_methods:
            upper = name.upper()
            if upper not in self.cors_allow_methods:
                text = (
                    f"browsers send {name} as it is, not as {upper}; write {upper} if you mean that"
                )
                found.append(Remark(logging.WARNING, "cors_allow_methods", name, text))
        found += [
            Remark(
                logging.WARNING, "cors_paths", path,
                f"paths are compared after decoding; write {path} without percent-encoding",
            )
            for path in self.cors_paths
            if re.search("%[0-9A-Fa-f]{2}", path)
        ]  # fmt: skip
        return tuple(found)

    def conflicts(self) -> Iterator[Problem]:
        """Yield origins that are wrong, or too dangerous together with credentials."""
        for entry, reason in self._reading.errors:
            yield self.problem("cors_allowed", entry, reason)
        if self.cors_allow_credentials and ANY in self.cors_expose_headers:
            yield self.problem(
                "cors_expose_headers",
                ANY,
                "expected header names: with cors_allow_credentials, browsers read * as the name of"
                " a header; list the headers",
            )


class Verdict(NamedTuple):
    """Whether a preflight is accepted, and why not.

    :ivar reason: why it is refused; ``None`` if it is accepted.
    :ivar name: the method or the header that is refused, empty if the reason names none.
    :ivar normalized: the requested headers as a browser would list them; ``None`` if they were
        listed that way.
    """

    reason: Reason | None
    name: str = ""
    normalized: str | None = None

    def __str__(self) -> str:
        if self.reason is None:
            return "accepted"
        return f"{self.reason.text}: {self.name[:_LOG_LIMIT]}" if self.name else self.reason.text


#: The verdicts on most preflights, made once.
_ACCEPTED: Final = Verdict(None)
_NOT_LISTED: Final = Verdict(ORIGIN_NOT_LISTED)


class Paths:
    """The paths that a filter speaks for.

    A match costs one look-up for each segment, up to as many as the longest prefix has.

    :param prefixes: those of ``cors_paths``; without any, or with ``/``, every path matches.
    :ivar every: whether every path matches.
    """

    def __init__(self, prefixes: Iterable[str]) -> None:
        # As the environ has them: PEP 3333 strings are bytes in disguise.
        encoded = [path.encode("utf-8", "surrogateescape").decode("latin-1") for path in prefixes]
        self._prefixes = frozenset(encoded or ["/"])
        self.every = "/" in self._prefixes
        self._depth = max(path.count("/") for path in self._prefixes)

    def match(self, environ: WSGIEnvironment) -> bool:
        """Say whether the path of a request is one of them: SCRIPT_NAME and PATH_INFO together."""
        if self.every:
            return True
        path = request_path(environ)
        # Servers decode ..%2F, and applications may resolve it to a path that is not meant.
        if "/." in path and {".", ".."}.intersection(path.split("/")):
            return False
        end = 0
        for _ in range(self._depth):
            end = path.find("/", end + 1)
            if end < 0:
                return path in self._prefixes
            if path[:end] in self._prefixes:
                return True
        return False


class Preflights:
    """What a policy answers to CORS-preflight requests, compiled; it needs no middleware.

    :param settings: the policy.
    """

    def __init__(self, settings: CORSSettings) -> None:
        self._logger = logging.getLogger(_LOGGER)
        self._is_allowed = settings.origins.__contains__
        self._any_method = ANY in settings.cors_allow_methods
        self._methods = frozenset(SAFELISTED_METHODS).union(settings.cors_allow_methods)
        self._any_header = ANY in settings.cors_allow_headers
        self._headers = frozenset(name.lower() for name in settings.cors_allow_headers) - {ANY}
        # A quick test for names as browsers send them, all of them allowed: in lower case and
        # without whitespace (Fetch, "CORS-unsafe request-header names").
        self._are_plain: Callable[[str], object] = self._are_listed
        if self._any_header:
            listed = self._headers.issuperset(_NOT_COVERED_BY_ANY - {ANY})
            self._are_plain = _PLAIN_NAMES if listed else self._are_covered_by_any
        self._any_origin = settings.origins.any
        self._vary = _PREFLIGHT_VARY if self._any_origin else f"Origin, {_PREFLIGHT_VARY}"
        # 200 and not 204: waitress closes the connection after every 204.
        accepted = self._response(200)
        if self._any_origin:
            accepted.headers["Access-Control-Allow-Origin"] = ANY
        if settings.cors_allow_credentials:
            accepted.headers["Access-Control-Allow-Credentials"] = "true"
        if not self._any_method:
            # All of them, so that one preflight serves later requests with other methods, too.
            accepted.headers["Access-Control-Allow-Methods"] = ", ".join(
                dict.fromkeys([*SAFELISTED_METHODS, *settings.cors_allow_methods])
            )
        accepted.headers["Access-Control-Max-Age"] = str(settings.cors_max_age)
        self._status, self._accepted = accepted.status, accepted.headerlist
        self._refusals = {reason: self._refuse(reason) for reason in _REASONS_WITHOUT_A_NAME}

    def judge(self, origin: str, method: str, requested: str) -> Verdict:
        """Decide on a preflight.

        :param origin: the value of ``Origin``.
        :param method: the value of ``Access-Control-Request-Method``.
        :param requested: the value of ``Access-Control-Request-Headers``, empty if absent.
        """
        if not self._is_allowed(origin):
            if is_plain_origin(origin) or parse_origin(origin):
                return _NOT_LISTED
            return Verdict(ORIGIN_OPAQUE if origin == "null" else ORIGIN_MALFORMED)
        # Byte for byte (Fetch, "CORS-preflight fetch", step 7): "patch" is not PATCH.
        if method not in self._methods:
            if len(method) > _MAX_METHOD or not is_token(method):
                return Verdict(METHOD_MALFORMED)
            if not self._any_method or not _could_be_listed(method):
                return Verdict(METHOD_NOT_LISTED, method)
        if requested:
            if len(requested) > _MAX_REQUEST_HEADERS:
                return Verdict(HEADERS_TOO_LONG)
            if not self._are_plain(requested):
                return self._judge_headers(requested)
        return _ACCEPTED

    def answer(
        self, origin: str, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer a CORS-preflight request.

        :param origin: the value of ``Origin``.
        """
        method = environ[_REQUEST_METHOD]
        requested = environ.get(_REQUEST_HEADERS, "")
        reason, name, normalized = verdict = self.judge(origin, method, requested)
        if reason is not None:
            if self._logger.isEnabledFor(logging.INFO):
                capped = [text[:_LOG_LIMIT] for text in (origin, method, requested)]
                message = "preflight refused, %s (Origin %r, method %r, headers %r)"
                log_safely(self._logger, logging.INFO, message, verdict, *capped)
            status, refused, body = self._refusals.get(reason) or self._refuse(reason, name)
            start_response(status, refused.copy())
            return [body]
        headers = self._accepted.copy()
        if not self._any_origin:
            headers.append(("Access-Control-Allow-Origin", origin))
        if self._any_method:
            # Echoed: with credentials, browsers read * as the name of a method.
            headers.append(("Access-Control-Allow-Methods", method))
        if names := requested if normalized is None else normalized:
            headers.append(("Access-Control-Allow-Headers", names))
        start_response(self._status, headers)
        return [b""]

    def _judge_headers(self, requested: str) -> Verdict:
        """Decide on header names that are not allowed, or are not as browsers send them."""
        if requested.count(",") > _MAX_COMMAS:
            return Verdict(HEADERS_TOO_LONG)
        # Intermediaries add whitespace and empty items: RFC 9110, section 5.6.1.2.
        names = [name for item in requested.lower().split(",") if (name := item.strip(" \t"))]
        for name in names:
            if name not in self._headers:
                if not is_token(name):
                    return Verdict(HEADER_MALFORMED)
                if not self._any_header or name in _NOT_COVERED_BY_ANY:
                    return Verdict(HEADER_NOT_LISTED, name)
        return Verdict(None, normalized=",".join(names))

    def _are_listed(self, requested: str) -> bool:
        return self._headers.issuperset(requested.split(",", _MAX_COMMAS))

    def _are_covered_by_any(self, requested: str) -> bool:
        return "authorization" not in requested and _PLAIN_NAMES(requested) is not None

    def _refuse(self, reason: Reason, name: str = "") -> tuple[str, Headers, bytes]:
        """Return status, headers and body of a refusal: no CORS headers, and the reason."""
        text = f"CORS preflight refused, {Verdict(reason, name)} (see {reason.option})\n"
        response = self._response(403, text)
        return response.status, response.headerlist, response.body

    def _response(self, status: int, text: str = "") -> Response:
        # Not at the top: a filter that is off needs no WebOb.
        from webob import Response  # noqa: PLC0415

        response = Response(text, status=status, content_type="text/plain")
        response.headers["Vary"] = self._vary
        return response


class CORSMiddleware:
    """A WSGI middleware that speaks the CORS protocol for the application it wraps.

    :param app: the WSGI application.
    :param settings: the options; left out, they come from the environment.
    :raises ConfigurationError: the environment has invalid options.
    :raises TypeError: *settings* is something else.
    """

    def __init__(self, app: WSGIApplication, settings: CORSSettings | None = None) -> None:
        settings = given_or_environment(CORSSettings, settings)
        self._app = app
        self._logger = logging.getLogger(_LOGGER)
        # Never released: the first thread that gets it is the one that logs.
        self._first_replacement = Lock()
        # Says which requests pass untouched; None if none do.
        self._is_exempt: Callable[[WSGIEnvironment], bool] | None = None
        if not settings.origins:
            self._is_exempt = lambda _: True
        elif not settings.paths.every:
            self._is_exempt = lambda environ: not settings.paths.match(environ)
        if settings.origins:
            self._is_allowed = settings.origins.__contains__
            self._preflights = Preflights(settings)
            self._compile_actual(settings)
        for remark in settings.remarks:
            log_safely(self._logger, remark.level, "%s: %s", remark.option, remark.text)

    def _compile_actual(self, settings: CORSSettings) -> None:
        """Compile what is added to responses to all requests but preflights."""
        # With *, every request gets the same response, also one without Origin: no Vary is needed.
        self._any_origin = settings.origins.any
        self._for_all = (("Access-Control-Allow-Origin", ANY),) if self._any_origin else (_VARY,)
        allowed = []
        if settings.cors_allow_credentials:
            allowed.append(("Access-Control-Allow-Credentials", "true"))
        if settings.cors_expose_headers:
            names = settings.cors_expose_headers
            exposed = ANY if ANY in names else ", ".join(names)
            allowed.append(("Access-Control-Expose-Headers", exposed))
        self._for_allowed = (*self._for_all, *allowed)

    def __call__(  # noqa: C901 -- every function that is split off costs each request 5 %
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Classify the request as Fetch does, "HTTP requests", and answer or pass it on."""
        if self._is_exempt is not None and self._is_exempt(environ):
            return self._app(environ, start_response)
        origin = environ.get("HTTP_ORIGIN")
        ours: Sequence[tuple[str, str]]
        if origin is None:
            # Not CORS, but caches must know that the response would differ with an Origin.
            ours = self._for_all
        elif _REQUEST_METHOD in environ and environ["REQUEST_METHOD"] == "OPTIONS":
            return self._preflights.answer(origin, environ, start_response)
        # An actual request, whatever its status: Fetch, "CORS check".
        elif self._any_origin:
            ours = self._for_allowed
        elif self._is_allowed(origin):
            ours = [("Access-Control-Allow-Origin", origin), *self._for_allowed]
        else:
            # Never blocked: same-origin requests have an Origin, too, and need not be listed.
            ours = self._for_all

        # The path and not the environ, in which an application may keep its start_response.
        try:
            path = environ["SCRIPT_NAME"] + environ["PATH_INFO"]
        except KeyError:
            path = request_path(environ)

        # Bound as defaults: each variable of a closure costs every request some 4 %.
        def start(  # noqa: PLR0913, PLR0917 -- called with three at most
            status: str,
            headers: Headers,
            exc_info: OptExcInfo | None = None,
            server: StartResponse = start_response,
            middleware: CORSMiddleware = self,
            ours: Sequence[tuple[str, str]] = ours,
            path: str = path,
        ) -> Write:
            # A new list: the application may use its own again for the next request.
            sent = [*headers]
            for name, _ in sent:
                if name not in _FOREIGN_SPELLINGS and name.lower() in _CORS_RESPONSE_HEADERS:
                    sent = middleware._without_cors(sent, path)
                    break
            sent += ours
            if exc_info is None:
                return server(status, sent)
            try:
                return server(status, sent, exc_info)
            finally:
                exc_info = None  # as wsgi_mw_paste._wsgi says

        return self._app(environ, start)

    def _without_cors(self, headers: Headers, path: str) -> Headers:
        """Return the application's headers without CORS's, and log once that it sets some."""
        if self._first_replacement.acquire(blocking=False):
            names = dict.fromkeys(name.lower() for name, _ in headers)
            ours = ", ".join(name for name in names if name in _CORS_RESPONSE_HEADERS)
            shown = quote(path[:_LOG_LIMIT], encoding="latin-1", errors="replace")
            message = "replaced CORS headers that the application had set: %s (first seen at %s)"
            log_safely(self._logger, logging.INFO, message, ours, shown)
        return [header for header in headers if header[0].lower() not in _CORS_RESPONSE_HEADERS]


def _could_be_listed(name: str) -> bool:
    """Say whether ``*`` stands for a method: it does for those that browsers send."""
    try:
        method_name(name)
    except ValueError:
        return False
    return True
