"""Real servers for tests: started on a free port of 127.0.0.1, looked at, and stopped."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.wsgi import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

#: How long a server may take to listen, to answer and to stop, in seconds.
_PATIENCE = 60
#: What waitress and gunicorn say.
_LISTENING = re.compile(r"(?:Serving on|Listening at:) http://127\.0\.0\.1:(\d+)\b")


class Server(NamedTuple):
    """A server process; what it has written can be read after its end, too."""

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

    def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send one request over a connection of its own; the answer is complete on return."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)) as connection:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            status = f"{response.status} {response.reason}"
            return Answer(status, response.getheaders(), [response.read()])


def program(name: str, path: str = os.path.dirname(sys.executable)) -> str:  # noqa: PTH120
    """Return the path of a program, one beside this interpreter if nothing else is said.

    Without it the test is skipped; where ``CI`` is set, it fails.

    :param path: where to look, as ``PATH`` has it.
    """
    found = shutil.which(name, path=path)
    if found is None:
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing(f"{name} is not installed")
    return found


@contextmanager
def serving(name: str, *arguments: str | Path) -> Iterator[Server]:
    """Run a server during the ``with`` statement.

    It has the test's environment and working directory, and is to take port 0; the log line in
    which it names its address must get through.

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
            # Where gunicorn makes its control socket, not in the home directory.
            env=os.environ | {"XDG_RUNTIME_DIR": str(directory)},
        )
        try:
            yield Server(_port(process, stdout, stderr), stdout, stderr)
        finally:
            process.terminate()
            try:
                process.wait(_PATIENCE)
            finally:
                process.kill()


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that is bound to happen."""
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


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
