"""The playground: a small Pyramid application, which ``development.ini`` serves.

Use it to see what the filters do to ordinary responses, streams, exceptions and outgoing requests.
Its page, at ``/``, lets a browser try them. Do not build on it: it is a demonstration and not part
of the package's interface, so it starts only from an INI file that asks for it. It keeps the latest
log lines in memory and nothing else, shows no secrets, and reads at most 4 kB of a request's body.
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

#: The longest JSON to accept, in bytes; too short to nest deeper than Python can.
_MAX_BODY: Final = 1024
#: How long ``/call`` waits for its own server, in seconds. With one thread it would never answer.
_TIMEOUT: Final = 5
_CHUNKS: Final = 3
#: The pause between two chunks of the stream, in seconds: long enough to watch it.
_PAUSE: Final = 0.2


def main(global_conf: Mapping[str, str], /, **settings: str) -> WSGIApplication:
    """Return the application; the ``paste.app_factory`` ``egg:wsgi_mw_paste#playground``.

    :param settings: Pyramid's settings.
    :raises ValueError: the call does not come from an INI file.
    """
    if "__file__" not in global_conf:
        raise ValueError(
            "the playground is a demonstration and starts only from an INI file: write"
            " use = egg:wsgi_mw_paste#playground in a section [app:playground]"
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
        return _answer(400, error="expected JSON (RFC 8259), less deeply nested")


def _stream(_: Request) -> Response:
    def chunks() -> Iterator[bytes]:
        for number in range(1, _CHUNKS + 1):
            time.sleep(_PAUSE if number > 1 else 0)
            _logger().info("sending chunk %d of %d", number, _CHUNKS)
            yield f"chunk {number} of {_CHUNKS}, request {current_request_id()}\n".encode()

    return Response(app_iter=chunks(), content_type="text/plain", charset="UTF-8")


def _raise(_: Request) -> Response:
    _logger().info("about to raise")
    # From None, or Pyramid's search for an exception view would fill half the traceback.
    raise RuntimeError("raised on purpose") from None


def _call(request: Request) -> Response:
    headers = outgoing_headers()
    path = request.route_path("json")
    try:
        # The port comes from the server. Host and X-Forwarded-Host come from the client, who could
        # make this server call any other.
        port = int(request.environ["SERVER_PORT"])
        _logger().info("calling http://127.0.0.1:%d%s", port, path)
        with closing(HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)) as connection:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            # Enough for the longest request id and everything else.
            received = json.loads(response.read(2 * _MAX_BODY))
    except (HTTPException, OSError, ValueError) as error:
        reason = f"the call failed ({type(error).__name__})"
        _logger().warning(reason)
        return _answer(502, error=f"{reason}; a server needs two threads to call itself")
    return _answer(200, sent=headers, status=response.status, received=received)


def _undecodable(_: Request) -> Response:
    return _answer(400, error="expected a path in UTF-8")


#: The views, by their paths.
_ENDPOINTS: Final = {"json": _json, "stream": _stream, "raise": _raise, "call": _call}


def _answer(code: int, /, **values: Any) -> Response:
    """Return JSON with the request's id.

    :raises ValueError: JSON cannot express the values.
    """
    text = json.dumps({"request_id": current_request_id(), **values}, allow_nan=False)
    return Response(text + "\n", status=code, content_type="application/json", charset="UTF-8")


def _logger() -> logging.Logger:
    # Not at import, because fileConfig disables the loggers that exist.
    return logging.getLogger(__name__)
