"""Real servers on free ports of 127.0.0.1: processes of their own, and threads of this one."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from contextlib import closing, contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from waitress import create_server
from waitress.wasyncore import close_all

from tests.wsgi import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from _typeshed.wsgi import WSGIApplication

#: How long a server may take to listen, to answer and to stop, in seconds.
_PATIENCE = 60
#: How each server is started; the INI file follows.
SERVERS = {
    "waitress": ["pserve"],
    "gunicorn-sync": ["gunicorn", "--bind=127.0.0.1:0", "--worker-class=sync", "--paste"],
    "gunicorn-gthread": ["gunicorn", "--bind=127.0.0.1:0", "--threads=4", "--paste"],
    "gunicorn-gevent": ["gunicorn", "--bind=127.0.0.1:0", "--worker-class=gevent", "--paste"],
}
#: The end of an INI file for these servers. They log to stderr; how, has to follow.
SERVER_AND_LOGGING = """
[server:main]
use = egg:waitress#main
listen = 127.0.0.1:0

[loggers]
keys = root

[logger_root]
level = INFO
handlers = console

[handlers]
keys = console

[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = generic

[formatters]
keys = generic

[formatter_generic]
"""
#: What waitress and gunicorn say.
_LISTENING = re.compile(r"(?:Serving on|Listening at:) http://127\.0\.0\.1:(\d+)\b")


class Server(NamedTuple):
    """A server process. Its output can be read after its end, too."""

    pid: int
    port: int
    stdout_path: Path
    stderr_path: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def stdout(self) -> str:
        return self.stdout_path.read_text(encoding="utf-8")

    @property
    def stderr(self) -> str:
        return self.stderr_path.read_text(encoding="utf-8")

    def wait_for(self, written: Callable[[], bool]) -> None:
        """Wait for what a server writes after the client has the whole answer, as for a file."""
        deadline = time.monotonic() + _PATIENCE
        while not written():
            assert time.monotonic() < deadline, f"it has not been written:\n{self.stderr}"
            time.sleep(0.02)

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send one request, as :func:`request` does."""
        return request(self.port, method, path, headers, body)


def request(
    port: int,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """Send one request over a connection of its own, and return the complete answer."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)) as connection:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        status = f"{response.status} {response.reason}"
        return Answer(status, response.getheaders(), [response.read()])


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that is bound to happen."""
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def in_child(work: Callable[[], object]) -> str:
    """Run something in a forked child; return the text of what it returns."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # That this process has threads is what the tests are about.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:  # pragma: no cover -- this child has no end at which coverage could be saved
        try:
            os.write(writer, str(work()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return text


class _QuietHandler(WSGIRequestHandler):
    """Writes no access log to stderr."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base's name
        """Log nothing."""


def free_port() -> int:
    """Return a port that nothing listens on, for programs that cannot listen on port 0."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


@contextmanager
def served_by_wsgiref(app: WSGIApplication) -> Iterator[int]:
    """Serve an application in a thread during the ``with`` statement; return the port.

    One request at a time. After the statement, all of them are over.
    """
    with make_server("127.0.0.1", 0, app, handler_class=_QuietHandler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def served_by_waitress(app: WSGIApplication, ports: int = 1) -> Iterator[list[int]]:
    """Serve an application in a thread during the ``with`` statement; return the ports."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(ports)]
    # The map holds all of them, and one server runs everything in the map.
    running: dict[int, Any] = {}
    servers = [create_server(app, running, sockets=[listening]) for listening in sockets]
    thread = Thread(target=servers[0].run)
    thread.start()
    try:
        yield [listening.getsockname()[1] for listening in sockets]
    finally:
        # The loop ends when its map is empty, and only its own thread may close what is in there.
        servers[0].trigger.pull_trigger(partial(close_all, running))
        thread.join()
        for server in servers:
            server.task_dispatcher.shutdown()


def program(name: str, path: str = os.path.dirname(sys.executable)) -> str:  # noqa: PTH120
    """Return the path of a program.

    Without it the test is skipped, or fails where ``CI`` is set.

    :param path: where to look, as in ``PATH``; beside this interpreter by default.
    """
    found = shutil.which(name, path=path)
    if found is None:
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing(f"{name} is not installed")
    return found


@contextmanager
def serving(name: str, *arguments: str | Path) -> Iterator[Server]:
    """Run a server during the ``with`` statement.

    It has the test's environment and working directory. Its configuration has to say port 0 and to
    write the log line that names its address.

    :param name: the program, beside this interpreter.
    """
    directory = Path(tempfile.mkdtemp(prefix="server-", dir=Path.cwd()))
    stdout, stderr = directory / "stdout", directory / "stderr"
    with stdout.open("wb") as out, stderr.open("wb") as err:
        process = subprocess.Popen(
            [program(name), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            # gunicorn's control socket goes there, and not into the home directory.
            env=os.environ | {"XDG_RUNTIME_DIR": str(directory)},
        )
        try:
            yield Server(process.pid, _port(process, stdout, stderr), stdout, stderr)
        finally:
            process.terminate()
            try:
                process.wait(_PATIENCE)
            finally:
                process.kill()


def _port(process: subprocess.Popen[bytes], *outputs: Path) -> int:
    """Wait until the server says that it listens; return its port."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        output = "".join(path.read_text(encoding="utf-8") for path in outputs)
        if said := _LISTENING.search(output):
            return int(said[1])
        assert process.poll() is None, f"the server ended:\n{output}"
        assert time.monotonic() < deadline, f"the server does not listen:\n{output}"
        time.sleep(0.05)
