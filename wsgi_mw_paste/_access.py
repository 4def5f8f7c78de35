"""The access record: one log record per request, with everything as fields of its own.

:mod:`wsgi_mw_paste.request_id` starts a record for each request and ends it; this module knows what
is in it. A text formatter shows the message, one line that a client cannot forge; a JSON formatter
shows every field, the ``token`` among them.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import logging
import re
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote

from wsgi_mw_paste._wsgi import ERROR_TYPE_KEY, report_logging_failure, type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from _typeshed.wsgi import WSGIEnvironment

    from wsgi_mw_paste._wsgi import Headers, Write

#: The logger of the access records.
ACCESS_LOGGER: Final = "wsgi_mw_paste.access"
#: How much of a text of the environ's gets into a record, in characters.
_MAX_FACT: Final = 2048
#: The first status that is not a success, so that requests for excluded paths are logged, too.
_BAD_REQUEST: Final = 400
#: A segment that a server or an application may resolve: the request is for another path then.
_has_dot_segment: Final = re.compile(r"/\.\.?(?:/|\Z)").search

#: What a path may have in a URL (RFC 3986, section 3.3) but the quote; brackets are for IPv6 hosts.
_PLAIN: Final = "!$&()*+,-./:;=@[]_~"
#: A user agent has blanks, and is in no message. The formats of users put it in quotes or bars.
_PLAIN_IN_AGENTS: Final = _PLAIN + " #'<>?^`{}"


def _only(safe: str) -> str:
    """Return a pattern for texts of letters, digits and the characters in *safe*."""
    return f"[A-Za-z0-9{re.escape(safe)}]*"


def _cleaner(safe: str) -> Callable[[str], str]:
    """Return the function that percent-encodes what is neither in *safe* nor a letter or digit."""
    is_clean = re.compile(_only(safe), re.ASCII).fullmatch

    def clean(text: str) -> str:
        text = text[:_MAX_FACT]
        # Most text is clean, and the look costs a third of encoding.
        if is_clean(text):
            return text
        return quote(text, safe=safe, encoding="latin-1", errors="replace")

    return clean


_clean: Final = _cleaner(_PLAIN)
_clean_agent: Final = _cleaner(_PLAIN_IN_AGENTS)
_are_clean: Final = re.compile(f"{_only(_PLAIN)}\n{_only(_PLAIN_IN_AGENTS)}", re.ASCII).fullmatch


def _path_matcher(paths: Iterable[str]) -> Callable[[str], bool]:
    """Return a test whether a path of an environ is one of these, or below one of the prefixes.

    It takes as long for many as for one, and looks no deeper into a path than the deepest prefix.
    """
    # As the environ has them: bytes, decoded as latin-1 (PEP 3333, "Unicode Issues").
    written = [path.encode("utf-8", "surrogateescape").decode("latin-1") for path in paths]
    exact = frozenset(path for path in written if not path.endswith("/*"))
    prefixes = frozenset(path[:-1] for path in written if path.endswith("/*"))
    deepest = max((prefix.count("/") for prefix in prefixes), default=0)

    def is_excluded(path: str) -> bool:
        if path in exact:
            return True
        end = 0
        for _ in range(deepest):
            end = path.find("/", end) + 1
            if path[:end] in prefixes:
                return not _has_dot_segment(path)
            if not end:
                break
        return False

    return is_excluded


class AccessLog:
    """What all access records have in common; the logger is ``wsgi_mw_paste.access``.

    :param exclude_paths: paths, or prefixes that end in ``/*``, whose successful requests are not
        logged.
    :param log_tokens: what of a Bearer token is logged: all, a fingerprint, nothing.
    :param log_tokens_key: the HMAC key of the fingerprints; empty for a plain hash.
    """

    def __init__(
        self,
        exclude_paths: Collection[str],
        log_tokens: bool | Literal["fingerprint"],  # noqa: FBT001 -- the option's own value
        log_tokens_key: str,
    ) -> None:
        self.logger = logging.getLogger(ACCESS_LOGGER)
        self.is_excluded = _path_matcher(exclude_paths) if exclude_paths else None
        self.token = _token_reader(log_tokens, log_tokens_key.encode("utf-8", "surrogateescape"))

    def begin(self, environ: WSGIEnvironment, request_id: str, source: str) -> AccessRecord | None:
        """Start a record; ``None`` if the logger would drop it whatever happens."""
        if not self.logger.isEnabledFor(logging.ERROR):
            return None
        return AccessRecord(self, environ, request_id, source)


class AccessRecord:
    """The facts of one request, as they come in."""

    __slots__ = (
        "_counted", "_environ", "_facts", "_log", "_request_id", "_source", "_started", "_write",
        "bytes", "error_type", "headers", "status",
    )  # fmt: skip

    def __init__(
        self, log: AccessLog, environ: WSGIEnvironment, request_id: str, source: str
    ) -> None:
        self._log: AccessLog | None = log
        # An environ that is tried again may have the error of the last time.
        environ.pop(ERROR_TYPE_KEY, None)
        self._environ = environ
        self._request_id = request_id
        self._source = source
        # Before the application can change them.
        get = environ.get
        self._facts = (
            get("HTTP_HOST") or get("SERVER_NAME") or "", get("REQUEST_METHOD") or "",
            get("SCRIPT_NAME") or "", get("PATH_INFO") or "", get("SERVER_PROTOCOL") or "",
            get("REMOTE_ADDR") or "", get("HTTP_USER_AGENT") or "", get("HTTP_AUTHORIZATION"),
            get("HTTP_UPGRADE"),
        )  # fmt: skip
        self.status: object = None
        self.headers: Headers = []
        self.bytes = 0
        self.error_type: str | None = None
        self._counted = True
        self._started = perf_counter_ns()

    def start(self, status: object, headers: Headers, write: Write) -> Write:
        """Take note of a response; return its ``write`` (PEP 3333), which counts from now on."""
        self.status, self.headers, self._write = status, headers, write
        return self.write

    def write(self, data: bytes) -> object:
        """Pass *data* on, and count it if the server took it."""
        result = self._write(data)
        self.count((data,))
        return result

    def count(self, chunks: Iterable[Any]) -> None:
        """Count the bytes of chunks. If some are not bytes, it is for the server to refuse them."""
        try:
            self.bytes += sum(map(len, chunks))
        except TypeError:
            return

    def count_from_headers(self) -> None:
        """Take the Content-Length for the number of bytes, where there are no chunks to count."""
        lengths = [value for name, value in self.headers if name.lower() == "content-length"]
        self._counted = len(lengths) == 1 and bool(re.fullmatch("[0-9]{1,18}", lengths[0]))
        if self._counted:
            self.bytes = int(lengths[0])

    def fail(self, error: BaseException) -> None:
        """Take note of an exception that leaves the application in place of a response."""
        upgrade = self._facts[-1]
        if isinstance(error, StopIteration) and upgrade and upgrade.lower() == "websocket":
            # gunicorn's sign that the application has answered on the socket itself.
            self.status = None
            return
        self.error_type = type_name(error)
        if self._counted and not self.bytes:
            # Nothing is sent before the first byte (PEP 3333), so the server will answer.
            self.status = "500"

    def emit(self) -> None:
        """Log the record, once. If logging fails, that is reported on stderr and breaks nothing."""
        duration = perf_counter_ns() - self._started
        log, self._log = self._log, None
        if log is None:
            return
        # The application may keep its start_response, and with it this record, in the environ.
        environ, self._environ = self._environ, {}
        try:
            error_type = self.error_type or environ.get(ERROR_TYPE_KEY)
            level = logging.INFO if error_type is None else logging.ERROR
            if log.logger.isEnabledFor(level):
                self._log_to(log, level, error_type, duration)
        except Exception:  # noqa: BLE001 -- handlers, filters and record factories are the user's
            report_logging_failure()

    def _log_to(self, log: AccessLog, level: int, error_type: str | None, nanoseconds: int) -> None:
        """Make the log record, unless the path is excluded, and have it handled."""
        status = _status_code(self.status)
        host, method, script, path, protocol, address, agent, auth, _ = self._facts
        path = script + path
        is_success = error_type is None and status and status < _BAD_REQUEST
        if log.is_excluded and is_success and log.is_excluded(path):
            return
        # One look at all of them: most often there is nothing to do.
        together = f"{host}{method}{path}{protocol}{address}\n{agent}"
        if len(together) > _MAX_FACT or not _are_clean(together):
            host, method, path = _clean(host), _clean(method), _clean(path)
            protocol, address, agent = _clean(protocol), _clean(address), _clean_agent(agent)
        size = self.bytes if self._counted else None
        milliseconds = nanoseconds // 1000 / 1000
        logger = log.logger
        record = logger.makeRecord(
            logger.name, level, __file__, 0, "%s %s %s %s %s %s %sms",
            (
                host or "-", method or "-", path or "-", protocol or "-",
                "-" if status is None else status, "-" if size is None else size, milliseconds,
            ),
            None,
        )  # fmt: skip
        # Not by ``extra=``, which raises where a record factory has set one of them. One by one,
        # because update() with a dict takes twice as long, a twentieth of the whole line.
        fields = record.__dict__
        fields["request_id"] = self._request_id
        fields["request_id_source"] = self._source
        fields["host"] = host or None
        fields["method"] = method or None
        fields["path"] = path or None
        fields["status"] = status
        fields["bytes"] = size
        fields["duration_ms"] = milliseconds
        fields["remote_addr"] = address or None
        fields["user_agent"] = agent or None
        fields["protocol"] = protocol or None
        fields["token"] = log.token(auth) if auth else None
        fields["error_type"] = error_type
        logger.handle(record)


@functools.lru_cache(maxsize=64)
def _status_code(status: object) -> int | None:
    """Return the number of a status, also of one that PEP 3333 does not allow."""
    if isinstance(status, str):
        digits = status[:3]
        return int(digits) if digits.isdecimal() else None
    if isinstance(status, bytes):
        return _status_code(status.decode("latin-1"))
    return int(status) if isinstance(status, int) else None


#: RFC 6750, section 2.1. Real tokens have a few thousand characters.
_BEARER: Final = re.compile(r"bearer +([A-Za-z0-9._~+/-]{1,8192}=*)", re.ASCII | re.IGNORECASE)
_BEARER_SCHEME: Final = re.compile(r"\s{0,64}bearer(?:\s|$)", re.IGNORECASE)
_MAX_AUTHORIZATION: Final = 16384


def _token_reader(
    log_tokens: bool | Literal["fingerprint"],  # noqa: FBT001
    key: bytes,
) -> Callable[[str], str | None]:
    """Return the function from an ``Authorization`` to the record's ``token``."""
    if log_tokens is False:
        return lambda _authorization: None

    def token(text: str) -> str | None:
        if not _BEARER_SCHEME.match(text):
            # No other scheme is logged: the credentials of Basic are the password itself.
            return None
        match = _BEARER.fullmatch(text.strip()) if len(text) <= _MAX_AUTHORIZATION else None
        if match is None:
            return "invalid"
        if log_tokens is True:
            return match[1]
        secret = match[1].encode("ascii")
        if key:
            return f"hmac:{hmac.new(key, secret, hashlib.sha256).hexdigest()[:16]}"
        return f"sha256:{hashlib.sha256(secret).hexdigest()[:16]}"

    return token
