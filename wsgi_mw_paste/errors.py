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
from functools import partial
from typing import TYPE_CHECKING, Final

from webob import Response
from webob.acceptparse import create_accept_header

from wsgi_mw_paste.context import ERROR_TYPE_KEY, current_request_id, is_file_wrapper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

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

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Call the application, and answer in its place if it raises."""
        try:
            body = self._app(environ, start_response)
            if type(body) in (list, tuple) or is_file_wrapper(body, environ):
                return body
            return _Guarded(body, partial(self.answer, environ, start_response), self.log)
        except Exception:  # noqa: BLE001 -- what escapes here would be the server's
            return self.answer(environ, start_response)

    def answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Log the current exception and answer it.

        Whether the response has begun is the server's to say: given ``exc_info``, its
        ``start_response`` raises the exception again if headers are out (PEP 3333, "Error
        Handling").
        """
        environ[ERROR_TYPE_KEY] = self.log()

        def start(
            status: str, headers: list[tuple[str, str]], _: object = None, /
        ) -> Callable[[bytes], object]:
            # In no variable: a traceback that holds itself stays until the garbage collector runs.
            return start_response(status, headers, sys.exc_info())

        return _response(environ.get("HTTP_ACCEPT", ""))(environ, start)

    def log(self) -> str:
        """Log the current exception; return the name of its type."""
        error = sys.exc_info()[1]
        error_type = type(error).__name__
        self._logger.error("%s escaped the application", error_type, exc_info=error)
        return error_type


def _response(accept: str) -> Response:
    """Return the answer, as text or, to clients that accept it better, as JSON (RFC 9457)."""
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


class _Guarded:
    """A body that ends in the answer if producing it raises."""

    __slots__ = ("_answer", "_close", "_log", "_next")

    def __init__(
        self, body: Iterable[bytes], answer: Callable[[], Iterable[bytes]], log: Callable[[], str]
    ) -> None:
        self._answer = answer
        self._log = log
        self._close: Callable[[], object] | None = getattr(body, "close", None)
        try:
            self._next = iter(body).__next__
        except Exception:
            # The server will not see this body.
            with contextlib.suppress(Exception):
                self.close()
            raise

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return self._next()
        except StopIteration:
            raise
        except Exception:  # noqa: BLE001 -- as in ErrorsMiddleware.__call__
            answer = self._answer()
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
