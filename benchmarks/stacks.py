"""The applications that are served end to end, for INI files; and what serves such a file.

``python -m benchmarks.stacks FILE`` does what ``pserve FILE`` does, without Pyramid and logging: it
loads the application, which sets that up, and runs the server of ``[server:main]``.
"""

from __future__ import annotations

import signal
import sys
from logging.config import fileConfig
from typing import TYPE_CHECKING

from paste.deploy import loadapp, loadserver

from benchmarks import floor, peers
from benchmarks.scenarios import ALLOWED, LIST, TEN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: What is answered to the measured request behind the filter ``main``.
_HEADERS = [
    ("Content-Type", "application/json"),
    ("Content-Length", "5"),
    ("Vary", "Origin"),
    ("Access-Control-Expose-Headers", "X-Request-Id"),
    ("Access-Control-Allow-Origin", ALLOWED.decode()),
    ("X-Request-Id", "4bf92f3577b34da6a3ce929d0e0e4736"),
]


def make_app(
    global_conf: dict[str, str], /, stack: str = "bare", logging: str = ""
) -> WSGIApplication:
    """Return one of the applications; a ``paste.app_factory``.

    :param stack: ``bare``, ``bare + headers``, ``floor``, or the name of a peer, of which all is
        used that :mod:`benchmarks.peers` has: for CORS, and around it for request ids.
    :param logging: the INI file to configure logging with.
    """
    if logging:
        fileConfig(logging, disable_existing_loggers=False)
    if stack == "bare":
        return LIST
    if stack == "bare + headers":
        return _with_headers
    if stack == "translogger":
        return peers.TRANSLOGGER.wrap(_with_headers, ())
    if stack == "floor":
        return floor.stack(LIST, TEN)
    app = LIST
    for peer in (*peers.CORS_PEERS, *peers.REQUEST_ID_PEERS):
        if peer.name == stack:
            app = peer.wrap(app, TEN)
    return app


def _with_headers(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer as the filter and the bare application together do."""
    start_response("200 OK", _HEADERS.copy())
    return [b"hello"]


def _stop(*_: object) -> None:
    # As Ctrl-C would: the server ends in order, and a profiler gets to write down its totals.
    raise SystemExit


if __name__ == "__main__":
    serve = loadserver(f"config:{sys.argv[1]}")
    app = loadapp(f"config:{sys.argv[1]}")
    signal.signal(signal.SIGTERM, _stop)
    serve(app)
