"""What runs in the servers: an application, a probe in front of our filters, a handler that queues.

A path is ``/KIND/KEY``, and every record that a request causes names it. So a test knows which
request a record belongs to without trusting the id that the record carries.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import logging.handlers
import os
import queue
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, cast
from wsgiref.util import FileWrapper

from wsgi_mw_paste import current_request_id, outgoing_headers
from wsgi_mw_paste._wsgi import is_file_wrapper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: Seconds between two chunks, so that requests overlap.
PAUSE = 0.005


def make_app(global_conf: dict[str, str], /) -> WSGIApplication:
    """Return the application; a ``paste.app_factory``, which runs before those of the filters."""
    _log("load", "loading")
    return app


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer in the way that the path names; each line of the body is the current request id."""
    kind = environ["PATH_INFO"].split("/")[1]
    _log("app", "call", environ["PATH_INFO"])
    return KINDS[kind](environ, start_response)


def _log(place: str, event: str, path: str = "") -> None:
    for way in ("formatted", "filtered", "queued"):
        # Looked up each time: fileConfig disables the loggers that it finds.
        logging.getLogger(f"matrix.{way}.{place}").info("%s %s", event, path)


def _line() -> bytes:
    return f"{current_request_id()}\n".encode()


def _start(start_response: StartResponse, *headers: tuple[str, str]) -> Callable[[bytes], object]:
    return start_response("200 OK", [("Content-Type", "text/plain"), *headers])


class Stream:
    """A body of *chunks* chunks with *lines* lines each."""

    def __init__(self, path: str, chunks: int, lines: int) -> None:
        self._path = path
        self._lines = lines
        self._chunks = iter(range(chunks))

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        next(self._chunks)
        _log("app", "next", self._path)
        time.sleep(PAUSE)
        return _line() * self._lines

    def close(self) -> None:
        _log("app", "close", self._path)


def plain(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    _start(start_response)
    return [_line()]


def head(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer HEAD with the length that the body has for GET, and without the body."""
    _start(start_response, ("Content-Length", str(len(_line()))))
    return []


def streamed(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    _start(start_response)
    return Stream(environ["PATH_INFO"], chunks=5, lines=1)


def large(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Send more than the socket buffers of a client that has gone away can hold: 8 MiB."""
    _start(start_response)
    return Stream(environ["PATH_INFO"], chunks=32, lines=2**15)


def lazy(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    """Call *start_response* with the first chunk only, as a generator does."""
    _start(start_response)
    try:
        yield _line()
        _log("app", "next", environ["PATH_INFO"])
        time.sleep(PAUSE)
        yield _line()
    finally:
        _log("app", "close", environ["PATH_INFO"])


def written(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    write = _start(start_response)
    write(_line())
    return [_line()]


def file(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    content = tempfile.TemporaryFile()  # noqa: SIM115 -- the server closes it
    content.write(_line())
    content.seek(0)
    _start(start_response, ("Content-Length", str(len(_line()))))
    body: Iterable[bytes] = environ.get("wsgi.file_wrapper", FileWrapper)(content)
    return body


def threads(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Log in a thread that got the request's context, and in one that did not."""
    carried = threading.Thread(
        target=copy_context().run, args=(_log, "app", "thread", environ["PATH_INFO"])
    )
    bare = threading.Thread(target=_log, args=("bare", "thread", environ["PATH_INFO"]))
    for thread in (carried, bare):
        thread.start()
        thread.join()
    return plain(environ, start_response)


def raises(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    raise RuntimeError(environ["PATH_INFO"])


def breaks(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    """Raise in the place of the third chunk."""
    _start(start_response)
    yield _line()
    yield _line()
    raise RuntimeError(environ["PATH_INFO"])


#: With an id of six characters, the length of two lines.
_LENGTH = ("Content-Length", "14")


def late(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Raise after ``start_response``."""
    _start(start_response, _LENGTH, ("Set-Cookie", "failed=1"))
    raise RuntimeError(environ["PATH_INFO"])


def first(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    """Raise in the place of the first chunk."""
    _start(start_response, _LENGTH, ("Set-Cookie", "failed=1"))
    yield from raises(environ, start_response)


def second(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    """Raise after an empty chunk."""
    _start(start_response, _LENGTH, ("Set-Cookie", "failed=1"))
    yield b""
    raise RuntimeError(environ["PATH_INFO"])


def half(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    """Raise after the first half of a body whose length is known."""
    _start(start_response, _LENGTH)
    yield _line()
    raise RuntimeError(environ["PATH_INFO"])


def generated(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    _start(start_response, _LENGTH)
    yield _line()
    yield _line()


def padded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    """Answer with empty chunks around the others."""
    _start(start_response)
    yield from (b"", _line(), b"", _line(), b"")


def nothing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    """Answer without a chunk."""
    _start(start_response)
    yield from ()


def headed(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    """Answer HEAD by a generator, with the length that the body has for GET."""
    _start(start_response, _LENGTH)
    yield from ()


def unmodified(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    start_response("304 Not Modified", [("ETag", '"one"')])
    yield from ()


KINDS: dict[str, WSGIApplication] = {
    app.__name__: app
    for app in (
        *(plain, head, streamed, large, lazy, written, file, threads, raises, breaks),
        *(late, first, second, half, generated, padded, nothing, headed, unmodified),
    )
}


def make_hostile(global_conf: dict[str, str], /) -> WSGIApplication:
    """Return an application that answers what it knows of a request; a ``paste.app_factory``."""
    return hostile


def hostile(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Read the body; answer with the id, in both of its places, and with what would be passed on.

    It logs nothing that a client has sent, and nothing of that gets into a header.
    """
    stream = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):
        body = stream.read()
    else:
        body = stream.read(int(environ.get("CONTENT_LENGTH") or 0))
    logging.getLogger("hostile").info("read %s bytes", len(body))
    if environ.get("QUERY_STRING") == "raise":
        raise LookupError
    seen = [current_request_id(), environ["HTTP_X_REQUEST_ID"], outgoing_headers()]
    answer = json.dumps(seen).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))]
    start_response("200 OK", headers)
    return [answer]


def make_probe(global_conf: dict[str, str], /) -> Callable[[WSGIApplication], WSGIApplication]:
    """Return the probe; a ``paste.filter_factory``."""
    return Probe


class Probe:
    """Log where no request id may be known: before our filters, after them, between chunks."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        _log("probe", "before", environ["PATH_INFO"])
        body = self._app(environ, start_response)
        _log("probe", "after", environ["PATH_INFO"])
        # Servers look at the type of these.
        if type(body) is list or is_file_wrapper(body, environ):
            return body
        return Probed(body, environ["PATH_INFO"])


class Probed:
    """A body with the probe before and after each chunk."""

    def __init__(self, body: Any, path: str) -> None:
        self._body = body
        self._path = path

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        _log("probe", "next", self._path)
        chunk: bytes = next(self._body)
        return chunk

    def close(self) -> None:
        self._body.close()
        _log("probe", "closed", self._path)


class QueuedFile(logging.handlers.QueueHandler):
    """A queue whose records another thread writes into a file; ``fileConfig`` starts no listener.

    Queue and thread are made when the first record comes: a worker does not inherit the thread of
    the process that forked it, and gevent replaces both kinds after ``fileConfig``.
    """

    def __init__(self, path: str) -> None:
        super().__init__(queue.SimpleQueue())
        self._target = logging.FileHandler(path)
        self._target.setFormatter(
            logging.Formatter("@@ %(request_id)s %(levelname)s %(name)s %(message)s")
        )
        self._process = 0
        self._listener = logging.handlers.QueueListener(self.queue, self._target)

    def enqueue(self, record: logging.LogRecord) -> None:
        if self._process != os.getpid():
            self._process = os.getpid()
            self.queue = queue.SimpleQueue()
            self._listener = logging.handlers.QueueListener(self.queue, self._target)
            self._listener.start()
        super().enqueue(record)

    def close(self) -> None:
        """Write down what is still in the queue when a process or a configuration ends."""
        if self._process == os.getpid():
            self._listener.stop()
        super().close()


def load() -> WSGIApplication:  # pragma: no cover -- as is granian
    """Return the application of the INI; what granian calls."""
    paster = importlib.import_module("pyramid.paster")
    ini = os.environ["INI"]
    paster.setup_logging(ini)
    return cast("WSGIApplication", paster.get_app(ini))


def serve_tornado(  # pragma: no cover -- Tornado is a server of make test-all
    app: WSGIApplication, global_conf: dict[str, str], /
) -> None:
    """Serve with a pool of threads; a ``paste.server_runner``."""
    wsgi = importlib.import_module("tornado.wsgi")
    http = importlib.import_module("tornado.httpserver")
    net = importlib.import_module("tornado.netutil")

    async def main() -> None:
        with ThreadPoolExecutor(8) as pool:
            sockets = net.bind_sockets(0, "127.0.0.1")
            http.HTTPServer(wsgi.WSGIContainer(app, pool)).add_sockets(sockets)
            logging.getLogger("matrix.load").info(
                "http://127.0.0.1:%s", sockets[0].getsockname()[1]
            )
            await asyncio.Event().wait()

    asyncio.run(main())
