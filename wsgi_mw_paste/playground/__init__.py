"""A demonstration: the small Pyramid application that ``development.ini`` serves.

Use it to see what the filters do to ordinary answers, streams and exceptions, and to ids handed on;
its page, at ``/``, lets a browser try them. It is no part of the package's interface and nothing to
build on, so it starts only where an INI file asks for it. It keeps the last log lines in memory and
nothing else, shows no secrets, and reads no more than 4 kB of what it is sent.
"""

from __future__ import annotations

import json
import logging
import time
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any, Final

from pyramid.config import Configurator
from pyramid.exceptions import URLDecodeError
from pyramid.response import Response

from wsgi_mw_paste.context import current_request_id, outgoing_headers
from wsgi_mw_paste.playground.page import TRIED, Page
from wsgi_mw_paste.playground.recorder import attach

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from _typeshed.wsgi import WSGIApplication
    from pyramid.request import Request

#: The longest JSON taken from anybody, in bytes; not enough to nest deeper than Python can.
_MAX_BODY: Final = 1024
#: How long ``/call`` waits for its own server, in seconds. A server with one thread never answers.
_TIMEOUT: Final = 5
_CHUNKS: Final = 3
#: How long the stream rests between two chunks, so that one can watch it, in seconds.
_PAUSE: Final = 0.2


def main(global_conf: Mapping[str, str], /, **settings: str) -> WSGIApplication:
    """Return the application; the ``paste.app_factory`` ``egg:wsgi_mw_paste#playground``.

    :param settings: Pyramid's.
    :raises ValueError: it is not an INI file that asks for it.
    """
    if "__file__" not in global_conf:
        raise ValueError(
            "the playground is a demonstration and starts from an INI file only:"
            " [app:playground] use = egg:wsgi_mw_paste#playground"
        )
    attach()
    page = Page(global_conf)
    with Configurator(settings=settings) as config:
        for name, view in _ENDPOINTS.items():
            config.add_route(name, f"/{name}")
            config.add_view(view, route_name=name)
        for name in TRIED:
            config.add_route(f"{name}_try", f"/{name}/{{number:[0-9a-f]{{8}}}}")
            config.add_view(_ENDPOINTS[name], route_name=f"{name}_try")
        config.add_exception_view(_undecodable, context=URLDecodeError)
        page.add_to(config)
        page.app = config.make_wsgi_app()
    return page.app


def _json(request: Request) -> Response:
    body = request.body_file.read(_MAX_BODY + 1)
    _logger().info("received %d bytes, answering in JSON", len(body))
    if len(body) > _MAX_BODY:
        return _answer(413, error=f"expected at most {_MAX_BODY} bytes of JSON")
    try:
        received = json.loads(body) if body else None
        return _answer(200, method=request.method, received=received)
    except (RecursionError, ValueError):
        return _answer(400, error="expected JSON (RFC 8259), not too deeply nested")


def _stream(_: Request) -> Response:
    def chunks() -> Iterator[bytes]:
        for number in range(1, _CHUNKS + 1):
            time.sleep(_PAUSE if number > 1 else 0)
            _logger().info("sending chunk %d of %d", number, _CHUNKS)
            yield f"chunk {number} of {_CHUNKS}, request {current_request_id()}\n".encode()

    return Response(app_iter=chunks(), content_type="text/plain", charset="UTF-8")


def _raise(_: Request) -> Response:
    _logger().info("about to raise")
    # From None, or Pyramid's search for an exception view would fill half of the traceback.
    raise RuntimeError("raised on purpose") from None


def _call(request: Request) -> Response:
    headers = outgoing_headers()
    path = request.route_path("json")
    try:
        # The address is the server's own word. Host and X-Forwarded-Host are the client's: with
        # them, a stranger would choose whom this server calls.
        port = int(request.environ["SERVER_PORT"])
        _logger().info("calling http://127.0.0.1:%d%s", port, path)
        with closing(HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)) as connection:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            # Room for the longest id there can be, and for the rest.
            received = json.loads(response.read(2 * _MAX_BODY))
    except (HTTPException, OSError, ValueError) as error:
        reason = f"the call failed ({type(error).__name__})"
        _logger().warning(reason)
        return _answer(502, error=f"{reason}; a server needs two threads to call itself")
    return _answer(200, sent=headers, status=response.status, received=received)


def _undecodable(_: Request) -> Response:
    return _answer(400, error="expected a path in UTF-8")


#: The endpoints by their paths.
_ENDPOINTS: Final = {"json": _json, "stream": _stream, "raise": _raise, "call": _call}


def _answer(code: int, /, **values: Any) -> Response:
    """Return JSON with the request's id; what JSON cannot express is a ``ValueError``."""
    text = json.dumps({"request_id": current_request_id(), **values}, allow_nan=False)
    return Response(text + "\n", status=code, content_type="application/json", charset="UTF-8")


def _logger() -> logging.Logger:
    # Not at import: fileConfig would disable it.
    return logging.getLogger(__name__)
