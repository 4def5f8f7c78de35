"""The application that :mod:`proof.soak` puts under load.

Every response and every log line shows whose request it is.
"""

from __future__ import annotations

import gc
import json
import logging
import sys
from typing import TYPE_CHECKING, Final

from wsgi_mw_paste import current_request_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    View = Callable[[WSGIEnvironment, "Start"], Iterable[bytes]]
    Start = Callable[[], Callable[[bytes], object]]

#: Chunks of a stream, and of a body that is longer than the buffers of servers and sockets.
CHUNKS: Final = 3
LARGE_CHUNKS: Final = 64
_PADDING: Final = b"." * 65536


def make(global_conf: dict[str, str], /) -> WSGIApplication:
    """Return the application; a ``paste.app_factory``."""
    logger = logging.getLogger("proof.app")

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # The formatter adds the id that it knows. Both have to be the same.
        logger.info(environ["wsgi_mw_paste.request_id"])

        def start() -> Callable[[bytes], object]:
            headers = [("Content-Type", "text/plain"), ("X-Seen", _id().decode())]
            return start_response("200 OK", headers)

        return _VIEWS[environ["PATH_INFO"]](environ, start)

    return app


def ready() -> bool:
    """Say that the application is ready; a check of the filter ``health``."""
    return True


def _id() -> bytes:
    return (current_request_id() or "-").encode("ascii")


def _plain(environ: WSGIEnvironment, start: Start) -> Iterable[bytes]:
    start()
    return [_id()]


def _echo(environ: WSGIEnvironment, start: Start) -> Iterable[bytes]:
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    start()
    return [_id(), body]


def _stream(environ: WSGIEnvironment, start: Start) -> Iterator[bytes]:
    # start_response comes with the first chunk.
    start()
    for _ in range(CHUNKS):
        yield _id()


def _write(environ: WSGIEnvironment, start: Start) -> Iterable[bytes]:
    start()(_id())
    return [_id()]


def _large(environ: WSGIEnvironment, start: Start) -> Iterable[bytes]:
    start()
    return (_id() + _PADDING for _ in range(LARGE_CHUNKS))


def _raise(environ: WSGIEnvironment, start: Start) -> Iterable[bytes]:
    raise LookupError


def _break(environ: WSGIEnvironment, start: Start) -> Iterator[bytes]:
    start()
    yield _id()
    raise LookupError


def _memory(environ: WSGIEnvironment, start: Start) -> Iterable[bytes]:
    """Say how much this process holds, after a collection."""
    gc.collect()
    start()
    counts = {"objects": len(gc.get_objects()), "blocks": sys.getallocatedblocks()}
    return [json.dumps(counts).encode()]


_VIEWS: Final[dict[str, View]] = {
    "/plain": _plain,
    "/echo": _echo,
    "/stream": _stream,
    "/write": _write,
    "/large": _large,
    "/raise": _raise,
    "/break": _break,
    "/memory": _memory,
}
