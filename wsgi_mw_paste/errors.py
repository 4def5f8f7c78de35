"""Answers to exceptions that escape the application.

Use it as the innermost of our filters: its answer then passes through ``cors`` and ``request_id``,
so that the page that sent the request can read it, and it has the request id. Without it, servers
send a bare 500, which browsers report as a CORS error. Use it outside everything that must see
exceptions itself: transaction managers, Sentry, retries.

Leave it out while debugging with a tool that needs the exception, or let that tool set
``paste.throw_errors`` in the environ, as WebTest does. Clients see no details, by design: the
traceback is in the log, under the same request id.

**The response is held.** The server is told of a response when its first byte is there. Before
that, a 500 takes its place if an exception is raised, and the server, which has no headers yet,
gets the 500 alone: gunicorn and cheroot would send the headers of both. After that, only the server
can tell the client that the body is not complete, by cutting the connection; so the exception goes
on to the server.
"""

from __future__ import annotations

import json
import logging
import sys
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from wsgi_mw_paste._wsgi import ERROR_TYPE_KEY, is_file_wrapper, log_safely, type_name
from wsgi_mw_paste.context import current_request_id, note_request_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from logging import Logger

    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from webob import Response

    from wsgi_mw_paste._wsgi import Headers, Write

_TEXT: Final = "text/plain"
_JSON: Final = "application/problem+json"
#: In the order of our preference, for clients that rank several equally.
_OFFERS: Final = (
    _TEXT, "text/html", _JSON, "application/json", "application/json;charset=utf-8",
)  # fmt: skip
_MAX_ACCEPT: Final = 1024
#: Keys of the environ that ask middlewares to let exceptions pass.
_THROW_ERRORS: Final = ("paste.throw_errors", "x-wsgiorg.throw_errors")


class ErrorsMiddleware:
    """A WSGI middleware that logs an escaping exception and answers 500 with the request id.

    Exceptions go on to the server once a byte of the response has been sent, and where
    ``paste.throw_errors`` or ``x-wsgiorg.throw_errors`` in the environ asks for it. ``SystemExit``,
    ``KeyboardInterrupt`` and the like always do, and so does the ``StopIteration`` with which an
    application tells gunicorn that a WebSocket is closed.

    :param app: the WSGI application.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self._logger = logging.getLogger("wsgi_mw_paste.errors")
        # Load now what an answer needs: the middle of an error is a bad time to read files.
        _server_error("")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Call the application; answer in its place if it raises before anything is sent."""
        # As the server made it: applications change theirs, and our answer depends on it.
        request = environ.copy()
        # It has no constructor: calling one would take a tenth of the filter's time.
        response = _HeldResponse()
        response.server, response.state = start_response, _NONE
        body: Any = None
        try:
            body = self._app(environ, response.start)
            kind = type(body)
            # Servers make use of what these are; uWSGI sends bytes in one piece.
            if kind is list or kind is tuple or kind is bytes or is_file_wrapper(body, request):
                result: Iterable[bytes] = body
            else:
                result = _LoggedBody.with_first_chunk(body, self._logger)
            if response.state != _NONE:
                response.release()
            elif _asks_for_websocket(request):
                # The application has used the socket itself.
                result = body
            else:
                raise AssertionError("the application did not call start_response")  # noqa: TRY301
        except Exception as error:
            if body is None and isinstance(error, StopIteration) and _asks_for_websocket(request):
                # This tells gunicorn that the application has used the socket itself.
                raise
            response.exc_info = None  # as wsgi_mw_paste._wsgi says
            environ[ERROR_TYPE_KEY] = type_name(error)
            try:
                _log_escaped(self._logger, error)
            finally:
                self._close(body)
            if response.state == _SENT or any(map(request.get, _THROW_ERRORS)):
                raise
            return _answer(request, start_response, is_refused=response.state == _REFUSED)
        except BaseException:
            response.exc_info = None
            self._close(body)
            raise
        else:
            return result

    def _close(self, body: object) -> None:
        """Close a body that no server will see."""
        try:
            close = getattr(body, "close", None)
            if close is not None:
                close()
        except Exception as error:  # noqa: BLE001 -- logged, and another one is on its way
            _log_escaped(self._logger, error)


#: How far a response has come: the application has not called ``start_response``; it has; it has
#: with ``exc_info``; the server's ``start_response`` has raised an exception; the server has
#: accepted the response.
_NONE, _HELD, _HELD_WITH_EXC_INFO, _REFUSED, _SENT = range(5)


class _HeldResponse:
    """What an application has passed to ``start_response``, kept from the server until released.

    :ivar server: the server's ``start_response``.
    :ivar state: how far the response has come.
    :ivar exc_info: what the application has passed with the response; held with it.
    """

    __slots__ = ("_headers", "_status", "_write", "exc_info", "server", "state")

    exc_info: OptExcInfo | None
    server: StartResponse
    state: int

    def start(self, status: str, headers: Headers, exc_info: OptExcInfo | None = None) -> Write:
        """Keep a response; this is the ``start_response`` of the application (PEP 3333).

        :raises AssertionError: it is called again, without an exception as the reason.
        """
        if exc_info is None:
            if self.state != _NONE:
                raise AssertionError("start_response was called again without exc_info")
            state = _HELD
        elif self.state < _REFUSED:
            self.exc_info = exc_info
            state = _HELD_WITH_EXC_INFO
        else:
            try:
                self._write = self.server(status, [*headers], exc_info)
            finally:
                exc_info = None  # as wsgi_mw_paste._wsgi says
            return self._write
        self._status, self._headers = status, [*headers]
        self.state = state
        return self.write

    def write(self, data: bytes) -> object:
        """Send data; this is the ``write`` of the application."""
        self.release()
        return self._write(data)

    def release(self) -> None:
        """Tell the server of the response, unless it has been told."""
        if self.state == _HELD:
            self.state = _REFUSED
            self._write = self.server(self._status, self._headers)
            self.state = _SENT
        elif self.state == _HELD_WITH_EXC_INFO:
            self.state = _REFUSED
            try:
                self._write = self.server(self._status, self._headers, self.exc_info)
            finally:
                self.exc_info = None  # as wsgi_mw_paste._wsgi says
            self.state = _SENT


class _LoggedBody:
    """A body whose response has been released: what it raises is logged and goes on to the server.

    A class and not a generator: the ``finally`` of a generator that was never started does not run
    when a server closes it.
    """

    __slots__ = ("_close", "_logger", "_next")

    def __init__(
        self, chunks: Iterator[bytes], close: Callable[[], object] | None, logger: Logger
    ) -> None:
        self._next = chunks.__next__
        self._close = close
        self._logger = logger

    @classmethod
    def with_first_chunk(cls, body: Any, logger: Logger) -> _LoggedBody:
        """Wrap *body* when its first chunk that is not empty is there, or its end."""
        close = getattr(body, "close", None)
        chunks = iter(body)
        for chunk in chunks:
            if chunk:
                return cls(chain((chunk,), chunks), close, logger)
        return cls(iter(()), close, logger)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return self._next()
        except StopIteration:
            raise
        except Exception as error:
            _log_escaped(self._logger, error)
            raise

    def close(self) -> None:
        """Close the application's body, once however often this is called."""
        close, self._close = self._close, None
        if close is not None:
            try:
                close()
            except Exception as error:
                _log_escaped(self._logger, error)
                raise


def _asks_for_websocket(request: WSGIEnvironment) -> bool:
    return str(request.get("HTTP_UPGRADE")).lower() == "websocket"


def _log_escaped(logger: Logger, error: Exception) -> None:
    request_id = current_request_id()
    if request_id is not None:
        # The record has the id, but the traceback must not show the id of an earlier request.
        note_request_id(error, request_id, only_replace=True)
    log_safely(
        logger, logging.ERROR, "%s escaped the application", type_name(error), exc_info=error
    )


def _answer(
    request: WSGIEnvironment, start_response: StartResponse, *, is_refused: bool
) -> Iterable[bytes]:
    """Answer the current exception.

    :param is_refused: the server has refused the application's response.
    """
    response = _server_error(str(request.get("HTTP_ACCEPT") or ""))
    if is_refused:
        # In no variable: a traceback that holds itself stays until the garbage collector runs.
        start_response(response.status, response.headerlist, sys.exc_info())
    else:
        start_response(response.status, response.headerlist)
    return [] if request.get("REQUEST_METHOD") == "HEAD" else [response.body]


def _server_error(accept: str) -> Response:
    """Return the 500: text, or JSON (RFC 9457) for clients that rank it higher."""
    from webob import Response  # noqa: PLC0415 -- as in cors: only where there are answers
    from webob.acceptparse import create_accept_header  # noqa: PLC0415

    title = "Internal Server Error"
    request_id = current_request_id()
    # Browsers and API clients send shorter lists of types, and parsing a long one takes its time.
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
