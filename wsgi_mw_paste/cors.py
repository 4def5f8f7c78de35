"""CORS: which scripts of other origins may read this application's responses.

Use it around an application that browsers call from pages of another origin. It decides by the
Fetch standard alone: an origin that is not allowed gets no CORS headers, and the browser keeps the
response from its script. It protects users, not the server: it stops no request but refused
preflights, so it is no substitute for authentication or for CSRF tokens.

Do not use it twice in one pipeline, nor beside a proxy or framework that sends CORS headers of its
own to the same browsers, and put nothing that answers for itself (authentication!) outside of it:
preflights carry no credentials and must reach it.

The three kinds of requests, and all decisions, are those of the Fetch standard; "Fetch" below is
https://fetch.spec.whatwg.org/.
"""

from __future__ import annotations

import dataclasses
import logging
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from wsgi_mw_paste._http import SAFELISTED_METHODS, is_token
from wsgi_mw_paste._wsgi import foreign_spellings
from wsgi_mw_paste.origins import Origins, Policy, compile_origins, is_plain_origin, parse_origin
from wsgi_mw_paste.settings import Problem, Settings, option, resolve
from wsgi_mw_paste.values import (
    boolean,
    list_of,
    method,
    number,
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

ANY: Final = "*"

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
#: Headers that are nobody's but the application's.
_OTHERS: Final = foreign_spellings(_CORS_RESPONSE_HEADERS)
#: Fetch, "CORS protocol and HTTP caches": on every response unless the policy is ``*``. A line of
#: its own is as good as a merged one, and costs nothing.
_VARY: Final = ("Vary", "Origin")

#: The place in the environ of the header that makes a request a preflight.
_REQUEST_METHOD: Final = "HTTP_ACCESS_CONTROL_REQUEST_METHOD"

#: The longest registered method has 17 characters.
_MAX_METHOD: Final = 64
#: Browsers send a few dozen names; what is longer is an attack and is not even split. Characters.
_MAX_REQUEST_HEADERS: Final = 4096
_MAX_COMMAS: Final = 128
#: Fetch, "CORS non-wildcard request-header name"; and an echoed ``*`` would let all names pass.
_NOT_COVERED_BY_ANY: Final = frozenset({"authorization", ANY})
#: As browsers send header names, and none that needs a closer look but ``authorization``.
_PLAIN_NAME: Final = r"[a-z0-9!#$%&'+.^_`|~-]+"
_PLAIN_NAMES: Final = re.compile(
    rf"{_PLAIN_NAME}(?:,{_PLAIN_NAME}){{0,{_MAX_COMMAS}}}", re.ASCII
).fullmatch
#: How much of what a client sent a log record repeats, in characters.
_LOG_LIMIT: Final = 200


class Reason(NamedTuple):
    """Why a preflight is refused: one vocabulary for the answer, the log and the command.

    :ivar option: the option that decides it.
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


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class CORSSettings(Settings):
    """The options of :class:`CORSMiddleware`. Fields take text or ready values.

    :raises ConfigurationError: a value is wrong, or opens with credentials what must not be.
    """

    cors_allowed: Sequence[str] = dataclasses.field(
        default=(),
        metadata=option(
            words,
            "origins, patterns or domain names that may read responses; empty: CORS is off,"
            " everything passes through untouched",
        ),
    )
    cors_allow_credentials: bool = dataclasses.field(
        default=False,
        metadata=option(boolean, "cookies, HTTP authentication, client certificates"),
    )
    cors_allow_methods: Sequence[str] = dataclasses.field(
        default=(*SAFELISTED_METHODS, "PUT", "PATCH", "DELETE", "OPTIONS"),
        metadata=option(
            list_of(method), "methods beyond GET, HEAD, POST (always allowed); `*`: any"
        ),
    )
    cors_allow_headers: Sequence[str] = dataclasses.field(
        default=(ANY, "Authorization"),
        metadata=option(
            list_of(request_header),
            "request headers; `*`: any except `Authorization`, as the standard says, so it is"
            " listed by name",
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
        # Ten minutes: WebKit keeps no answer longer, and a mistake is over in as much.
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

    #: The entries of ``cors_allowed``, compiled.
    origins: Origins = dataclasses.field(init=False, compare=False)
    #: What to tell the operator at start, as (level, sentence).
    remarks: Sequence[tuple[int, str]] = dataclasses.field(init=False, compare=False)

    def conflicts(self) -> Iterator[Problem]:
        """Yield origins that are wrong, or too dangerous together with credentials."""
        policy = Policy(
            self.cors_allow_credentials,
            self.cors_tolerate_insecure_origins,
            self.cors_tolerate_public_suffixes,
        )
        reading = compile_origins(self.cors_allowed, policy)
        object.__setattr__(self, "origins", reading.origins)
        remarks = [(logging.WARNING, f"cors_allowed: {note.text}") for note in reading.warnings]
        remarks += [(logging.INFO, f"cors_allowed: {note.text}") for note in reading.expansions]
        if not self.cors_allowed:
            remarks.append((logging.INFO, "CORS is off: cors_allowed is empty"))
        for name in self.cors_allow_methods:
            upper = name.upper()
            if upper not in self.cors_allow_methods:
                text = (
                    f"cors_allow_methods: {name} is not {upper} to browsers; write {upper} for that"
                )
                remarks.append((logging.WARNING, text))
        object.__setattr__(self, "remarks", tuple(remarks))
        for entry, reason in reading.errors:
            yield self.problem("cors_allowed", entry, reason)
        if self.cors_allow_credentials and ANY in self.cors_expose_headers:
            yield self.problem(
                "cors_expose_headers",
                ANY,
                "expected names: with cors_allow_credentials browsers take * for a name; list the"
                " headers",
            )


class CORSMiddleware:
    """A WSGI middleware that speaks the CORS protocol for the application it wraps.

    :param app: the WSGI application.
    :param settings: the options; left out, they come from the environment.
    :raises ConfigurationError: the environment has invalid options.
    :raises TypeError: *settings* is something else.
    """

    def __init__(self, app: WSGIApplication, settings: CORSSettings | None = None) -> None:
        settings = resolve(CORSSettings, settings)
        self._app = app
        self._logger = logging.getLogger("wsgi_mw_paste.cors")
        self._off = not settings.origins
        self._is_allowed = settings.origins.__contains__
        if not self._off:
            self._compile_actual(settings)
            self._compile_preflight(settings)
        for level, remark in settings.remarks:
            self._logger.log(level, "%s", remark)

    def _compile_actual(self, settings: CORSSettings) -> None:
        """Compile the headers of responses to other than preflights."""
        # Everybody gets the same: then it is sent always, also without Origin, and Vary never.
        self._any_origin = settings.origins.any
        self._every = (("Access-Control-Allow-Origin", ANY),) if self._any_origin else (_VARY,)
        allowed = []
        if settings.cors_allow_credentials:
            allowed.append(("Access-Control-Allow-Credentials", "true"))
        if settings.cors_expose_headers:
            names = settings.cors_expose_headers
            exposed = ANY if ANY in names else ", ".join(names)
            allowed.append(("Access-Control-Expose-Headers", exposed))
        self._allowed = (*self._every, *allowed)

    def _compile_preflight(self, settings: CORSSettings) -> None:
        """Compile the answers to preflights as far as they do not depend on the request."""
        self._any_method = ANY in settings.cors_allow_methods
        self._methods = frozenset(SAFELISTED_METHODS).union(settings.cors_allow_methods)
        self._any_header = ANY in settings.cors_allow_headers
        self._headers = frozenset(name.lower() for name in settings.cors_allow_headers) - {ANY}
        # A quick test for names as browsers send them, all of them allowed: in lower case and
        # without blanks (Fetch, "CORS-unsafe request-header names").
        self._are_plain: Callable[[str], object] = self._are_listed
        if self._any_header:
            listed = self._headers.issuperset(_NOT_COVERED_BY_ANY - {ANY})
            self._are_plain = _PLAIN_NAMES if listed else self._are_covered_by_any
        # 200 and not 204: waitress closes the connection after every 204.
        accepted = _response(200)
        accepted.headerlist.extend(self._every)
        if settings.cors_allow_credentials:
            accepted.headers["Access-Control-Allow-Credentials"] = "true"
        if not self._any_method:
            # All of them, so that one preflight serves later requests with other methods, too.
            accepted.headers["Access-Control-Allow-Methods"] = ", ".join(
                dict.fromkeys([*SAFELISTED_METHODS, *settings.cors_allow_methods])
            )
        accepted.headers["Access-Control-Max-Age"] = str(settings.cors_max_age)
        self._accepted = accepted.status, accepted.headerlist
        self._fixed_refusals = {
            reason.text: self._refusal(reason, reason.text)
            for reason in (
                ORIGIN_NOT_LISTED,
                ORIGIN_MALFORMED,
                ORIGIN_OPAQUE,
                METHOD_MALFORMED,
                HEADERS_TOO_LONG,
                HEADER_MALFORMED,
            )
        }

    def __call__(  # noqa: C901 -- in parts, each of them costs every request some 6 %
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Classify the request as Fetch does, "HTTP requests", and answer or pass it on."""
        if self._off:
            return self._app(environ, start_response)
        origin = environ.get("HTTP_ORIGIN")
        if origin is None and not self._any_origin:
            # Not CORS, but caches must know that the next response could be another.
            def vary(status: str, headers: Headers, exc_info: OptExcInfo | None = None, /) -> Write:
                if exc_info is None:
                    return start_response(status, [*headers, _VARY])
                try:
                    return start_response(status, [*headers, _VARY], exc_info)
                finally:
                    # A server that raises it again would leave a cycle: traceback, frame, exc_info.
                    exc_info = None

            return self._app(environ, vary)
        ours: Sequence[tuple[str, str]]
        if origin is None:
            ours = self._every
        elif environ["REQUEST_METHOD"] == "OPTIONS" and environ.get(_REQUEST_METHOD) is not None:
            return self._preflight(origin, environ, start_response)
        # An actual request, whatever its status: Fetch, "CORS check".
        elif self._any_origin:
            ours = self._allowed
        elif self._is_allowed(origin):
            ours = [("Access-Control-Allow-Origin", origin), *self._allowed]
        else:
            # Never blocked: same-origin requests have an Origin, too, and may well be unlisted.
            ours = self._every

        def start(status: str, headers: Headers, exc_info: OptExcInfo | None = None, /) -> Write:
            # A new list: the application may use its own again for the next request.
            sent = [*headers]
            for name, _ in sent:
                if name not in _OTHERS and name.lower() in _CORS_RESPONSE_HEADERS:
                    sent = [h for h in sent if h[0].lower() not in _CORS_RESPONSE_HEADERS]
                    break
            sent += ours
            if exc_info is None:
                return start_response(status, sent)
            try:
                return start_response(status, sent, exc_info)
            finally:
                exc_info = None  # as above

        return self._app(environ, start)

    def _preflight(
        self, origin: str, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer a CORS-preflight request; the application never sees it."""
        method = environ[_REQUEST_METHOD]
        requested = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
        reason, names = self.judge(origin, method, requested)
        if reason is not None:
            why = f"{reason.text}: {names[:_LOG_LIMIT]}" if names else reason.text
            if self._logger.isEnabledFor(logging.INFO):
                capped = [text[:_LOG_LIMIT] for text in (origin, method, requested)]
                self._logger.info(
                    "preflight refused, %s (Origin %r, method %r, headers %r)", why, *capped
                )
            status, headers, body = self._fixed_refusals.get(why) or self._refusal(reason, why)
            start_response(status, headers.copy())
            return [body]
        status, headers = self._accepted
        headers = headers.copy()
        if not self._any_origin:
            headers.append(("Access-Control-Allow-Origin", origin))
        if self._any_method:
            # Echoed: with credentials * would be the name of a method.
            headers.append(("Access-Control-Allow-Methods", method))
        if names:
            headers.append(("Access-Control-Allow-Headers", names))
        start_response(status, headers)
        return [b""]

    def judge(self, origin: str, method: str, requested: str) -> tuple[Reason | None, str]:
        """Decide on a preflight.

        :param origin: the value of ``Origin``.
        :param method: the value of ``Access-Control-Request-Method``.
        :param requested: the value of ``Access-Control-Request-Headers``, empty if absent.
        :return: ``None`` and the value of ``Access-Control-Allow-Headers``, empty if none is asked
            for; or the reason of a refusal and the name that is to blame, empty if none is.
        """
        if not self._is_allowed(origin):
            if is_plain_origin(origin) or parse_origin(origin):
                return ORIGIN_NOT_LISTED, ""
            return ORIGIN_OPAQUE if origin == "null" else ORIGIN_MALFORMED, ""
        # Byte for byte (Fetch, "CORS-preflight fetch", step 7): "patch" is not PATCH.
        if method not in self._methods:
            if len(method) > _MAX_METHOD or not is_token(method):
                return METHOD_MALFORMED, ""
            if not self._any_method or not _could_be_listed(method):
                return METHOD_NOT_LISTED, method
        return self._judge_headers(requested) if requested else (None, "")

    def _judge_headers(self, requested: str) -> tuple[Reason | None, str]:
        if len(requested) > _MAX_REQUEST_HEADERS:
            return HEADERS_TOO_LONG, ""
        if self._are_plain(requested):
            return None, requested
        if requested.count(",") > _MAX_COMMAS:
            return HEADERS_TOO_LONG, ""
        # Intermediaries add blanks and empty items: RFC 9110, section 5.6.1.2.
        names = [name for item in requested.lower().split(",") if (name := item.strip(" \t"))]
        for name in names:
            if name not in self._headers:
                if not is_token(name):
                    return HEADER_MALFORMED, ""
                if not self._any_header or name in _NOT_COVERED_BY_ANY:
                    return HEADER_NOT_LISTED, name
        return None, ",".join(names)

    def _are_listed(self, requested: str) -> bool:
        return self._headers.issuperset(requested.split(",", _MAX_COMMAS))

    def _are_covered_by_any(self, requested: str) -> bool:
        return "authorization" not in requested and _PLAIN_NAMES(requested) is not None

    def _refusal(self, reason: Reason, why: str) -> tuple[str, Headers, bytes]:
        """Return status, headers and body of a refusal: no CORS headers, and the reason."""
        response = _response(403, f"CORS preflight refused, {why} (see {reason.option})\n")
        if not self._any_origin:
            response.headerlist.append(_VARY)
        return response.status, response.headerlist, response.body


def _response(status: int, text: str = "") -> Response:
    # Not at the top: whoever imports this module for a filter that is off needs no WebOb.
    from webob import Response  # noqa: PLC0415

    return Response(text, status=status, content_type="text/plain", charset="UTF-8")


def _could_be_listed(name: str) -> bool:
    """Say whether a method is one of those that ``*`` stands for: no browser sends the others."""
    try:
        method(name)
    except ValueError:
        return False
    return True
