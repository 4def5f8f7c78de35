"""What PEP 3333 asks of every filter here, the keys they share in the environ, and safe logging.

**A start_response that passes exc_info on** keeps it no longer than the call: a server that raises
the exception again would otherwise leave a reference cycle of traceback, frame and ``exc_info``,
which stays until the garbage collector runs. Hence the ``finally: exc_info = None`` in each filter.

**Logging never breaks a response.** Handlers and filters are the user's, and some raise: the log
host is gone, stderr is closed. During a request, log with :func:`log_safely`.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import traceback
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from logging import Logger
    from typing import TypeAlias

    from _typeshed.wsgi import WSGIEnvironment

    #: The application's headers: native strings, in the order in which they are sent.
    Headers: TypeAlias = list[tuple[str, str]]
    #: What a server's ``start_response`` returns.
    Write: TypeAlias = Callable[[bytes], object]

#: The environ key of the request id. It has no ``HTTP_``, so that no header can set it.
REQUEST_ID_KEY: Final = "wsgi_mw_paste.request_id"
#: The environ key under which ``errors`` leaves the type name of an exception that it answered.
ERROR_TYPE_KEY: Final = "wsgi_mw_paste.error_type"

_class_name: Final = type.__dict__["__name__"].__get__
#: The headers of most responses, as applications and frameworks spell them.
_USUAL_RESPONSE_HEADERS: Final = """
    Accept-Ranges Access-Control-Allow-Credentials Access-Control-Allow-Origin
    Access-Control-Expose-Headers Age Allow Cache-Control Content-Disposition Content-Encoding
    Content-Language Content-Length Content-Range Content-Security-Policy Content-Type
    Cross-Origin-Opener-Policy Cross-Origin-Resource-Policy Date ETag Expires Last-Modified Link
    Location Permissions-Policy Pragma Referrer-Policy Retry-After Server Server-Timing Set-Cookie
    Strict-Transport-Security Vary WWW-Authenticate X-Content-Type-Options X-Frame-Options
    X-Request-Id X-XSS-Protection
""".split()


def is_file_wrapper(body: object, environ: WSGIEnvironment) -> bool:
    """Say whether a body is the server's ``wsgi.file_wrapper`` (PEP 3333, "File Handling")."""
    wrapper = environ.get("wsgi.file_wrapper")
    if type(body) is wrapper:
        return True
    # uWSGI's is a function that returns the file.
    return wrapper is not None and not isinstance(wrapper, type) and hasattr(body, "fileno")


def foreign_spellings(ours: Container[str]) -> frozenset[str]:
    """Return spellings of header names that are certainly none of *ours*.

    A response has a dozen headers, of which a filter replaces one or a few. A name that is found
    here, spelled as it is, need not be compared in lower case: that takes half the time.

    :param ours: the names that a filter replaces, in lower case.
    """
    spelled = [*_USUAL_RESPONSE_HEADERS, *map(str.lower, _USUAL_RESPONSE_HEADERS)]
    return frozenset(name for name in spelled if name.lower() not in ours)


def environ_key(header: str) -> str:
    """Return the key of a request header in the environ (PEP 3333, "environ Variables")."""
    return "HTTP_" + header.upper().replace("-", "_")


def request_path(environ: WSGIEnvironment) -> str:
    """Return the whole path of a request: what the server mounted, and the application's own part.

    It is percent-decoded, and has its bytes in the form of a string (PEP 3333, "Unicode Issues").
    Either part may be missing where it is empty.
    """
    path: str = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return path


def type_name(error: BaseException) -> str:
    """Return the name of an exception's class, in one line.

    A metaclass may have a ``__name__`` that raises, and a class that is made at run time a name of
    any characters.
    """
    name: str = _class_name(type(error))
    return name if name.isprintable() else ascii(name)[1:-1]


def log_safely(logger: Logger, level: int, message: str, *args: object, **kwargs: Any) -> None:
    """Call ``logger.log``; an exception in a handler, filter or record factory stops no request.

    It is reported as :func:`report_logging_failure` says. ``SystemExit`` and the like pass.
    """
    try:
        # The record names the line that called this function.
        logger.log(level, message, *args, **{"stacklevel": 2, **kwargs})
    except Exception:  # noqa: BLE001 -- whatever a handler raises
        report_logging_failure()


def report_logging_failure() -> None:
    """Print the current exception on stderr where ``logging.raiseExceptions`` asks for that.

    It does what logging does with the exceptions that it catches itself, and raises nothing.
    """
    if logging.raiseExceptions and sys.stderr is not None:
        # It may be closed, or be the very stream that failed.
        with contextlib.suppress(Exception):
            sys.stderr.write(f"--- Logging error ---\n{traceback.format_exc()}")
