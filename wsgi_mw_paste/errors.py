"""Answers to exceptions that the application lets escape.

Use it innermost of ours: then the answer passes through ``cors`` and ``request_id``, so the page
that called can read it and the id is on it. Without it, servers answer a bare 500 that a browser
reports as a CORS error.

Leave it out while debugging with a tool that wants the exception itself. It shows no details to the
client, by design: the traceback is in the log, under the same request id.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from typing import TYPE_CHECKING, Final

from wsgi_mw_paste._wsgi import ERROR_TYPE_KEY, is_file_wrapper
from wsgi_mw_paste.context import current_request_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from logging import Logger

    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from webob import Response

    from wsgi_mw_paste._wsgi import Headers, Write

_TEXT: Final = "text/plain"
_JSON: Final = "application/problem+json"
#: In the order of our preference, for clients that like several equally.
_OFFERS: Final = (
    _TEXT, "text/html", _JSON, "application/json", "application/json;charset=utf-8",
)  # fmt: skip
_MAX_ACCEPT: Final = 1024


class ErrorsMiddleware:
    """A WSGI middleware that logs an escaping exception and answers 500 with the request id.

    ``SystemExit``, ``KeyboardInterrupt`` and the like pass.

    :param app: the WSGI application.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self._logger = logging.getLogger("wsgi_mw_paste.errors")
        # Load now what an answer needs: in the middle of an error is a bad time to read files.
        _response("")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Call the application, and answer in its place if it raises."""
        started = False

        def start(status: str, headers: Headers, exc_info: OptExcInfo | None = None, /) -> Write:
            nonlocal started
            started = True
            if exc_info is None:
                return start_response(status, headers)
            try:
                return start_response(status, headers, exc_info)
            finally:
                # A server that raises it again would leave a cycle: traceback, frame, exc_info.
                exc_info = None

        try:
            body = self._app(environ, start)
        except Exception:  # noqa: BLE001 -- what escapes here would be the server's
            return _Exchange(self._logger, environ, start_response, lambda: started).answer()
        kind = type(body)
        if kind is list or kind is tuple:
            return body
        return _Exchange(self._logger, environ, start_response, lambda: started).guard(body)


class _Exchange:
    """What is left of a request when the application has returned or raised; a body, if need be."""

    __slots__ = (
        "_chunks", "_close", "_environ", "_has_started", "_logger", "_next", "_start_response",
    )  # fmt: skip

    def __init__(
        self,
        logger: Logger,
        environ: WSGIEnvironment,
        start_response: StartResponse,
        has_started: Callable[[], bool],
    ) -> None:
        self._logger = logger
        self._environ = environ
        self._start_response = start_response
        self._has_started = has_started
        self._chunks = False
        self._close: Callable[[], object] | None = None

    def guard(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Return *body* if it is the server's file, else what answers in its place if it raises."""
        try:
            self._close = getattr(body, "close", None)
            if is_file_wrapper(body, self._environ):
                return body
            self._next = iter(body).__next__
        except Exception:  # noqa: BLE001 -- as in __call__()
            try:
                return self.answer()
            finally:
                # There is a body, and no server that will ever see it.
                with contextlib.suppress(Exception):
                    self.close()
        return self

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            chunk = self._next()
        except StopIteration:
            raise
        except Exception:  # noqa: BLE001 -- as in __call__()
            answer = self.answer()
        else:
            self._chunks = self._chunks or bool(chunk)
            return chunk
        self._next = iter(answer).__next__
        with contextlib.suppress(Exception):
            self.close()
        return self._next()

    def close(self) -> None:
        """Close the application's body, once however often a server calls."""
        close, self._close = self._close, None
        if close is not None:
            try:
                close()
            except Exception:
                self._log()
                raise

    def answer(self) -> Iterable[bytes]:
        """Log the current exception and answer it.

        Whether the response has begun is the server's to say: given ``exc_info``, its
        ``start_response`` raises the exception again if headers are out (PEP 3333, "Error
        Handling").
        """
        self._environ[ERROR_TYPE_KEY] = self._log()

        def start(status: str, headers: Headers, _: object = None, /) -> Write:
            if not self._has_started():
                # uWSGI takes any exc_info for an error of its own, and then sends no body.
                return self._start_response(status, headers)
            if self._chunks:
                # A server that has sent none of them (Tornado) puts the answer behind them.
                headers = [each for each in headers if each[0] != "Content-Length"]
            # In no variable: a traceback that holds itself stays until the garbage collector runs.
            return self._start_response(status, headers, sys.exc_info())

        return _response(self._environ.get("HTTP_ACCEPT", ""))(self._environ, start)

    def _log(self) -> str:
        """Log the current exception; return the name of its type."""
        error = sys.exc_info()[1]
        error_type = type(error).__name__
        self._logger.error("%s escaped the application", error_type, exc_info=error)
        return error_type


def _response(accept: str) -> Response:
    """Return the answer, as text or, to clients that accept it better, as JSON (RFC 9457)."""
    from webob import Response  # noqa: PLC0415 -- as in cors: only where there are answers
    from webob.acceptparse import create_accept_header  # noqa: PLC0415

    title = "Internal Server Error"
    request_id = current_request_id()
    # A longer list of types is no browser's and no client's of ours; parsing it would cost.
    accept = accept[:_MAX_ACCEPT].lower()
    wanted = create_accept_header(accept or None).acceptable_offers(_OFFERS)
    if wanted and wanted[0][0].startswith("application/"):
        problem = {"type": "about:blank", "title": title, "status": 500, "request_id": request_id}
        body, content_type = json.dumps(problem), _JSON
    else:
        body, content_type = (
            f"{title}\n\nrequest id: {request_id or '-'}\n",
            f"{_TEXT}; charset=UTF-8",
        )
    headers = [("Content-Type", content_type), ("Cache-Control", "no-store")]
    return Response(body.encode("utf-8"), status=500, headerlist=headers)
