"""A real PostgreSQL for tests: on a free port of 127.0.0.1, stopped, frozen and started at will."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.serving import free_port, program

if TYPE_CHECKING:
    from collections.abc import Iterator

#: How long the server may take to start and to stop, in seconds.
_PATIENCE = 60
#: Where Debian has its programs, the newest version first.
_PROGRAMS = os.pathsep.join(
    [*map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), os.environ["PATH"]]
)
#: The user that Debian's package makes, and the name of the one that the server makes.
_USER = "postgres"
_SETPRIV = ("setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups")
#: What its programs begin with: they refuse to run as root.
_AS_USER = _SETPRIV if os.geteuid() == 0 else ()


class Postgres:
    """A database server and its folder."""

    def __init__(self, directory: Path, port: int) -> None:
        self._directory = directory
        self._process: subprocess.Popen[bytes]
        self.port = port

    def url(self, driver: str) -> str:
        """Return SQLAlchemy's URL for a driver."""
        return f"postgresql+{driver}://{_USER}@127.0.0.1:{self.port}/postgres"

    def create(self) -> None:
        """Make its files. It asks for no password: nothing is in it, and it is on loopback."""
        command = [program("initdb", _PROGRAMS), "--auth=trust", f"--username={_USER}", "--no-sync"]
        data = self._directory / "data"
        subprocess.run([*_AS_USER, *command, data], check=True, capture_output=True)

    def start(self) -> None:
        """Start it, and wait until it lets clients in."""
        command = [
            program("postgres", _PROGRAMS),
            f"-D{self._directory / 'data'}",
            f"-p{self.port}",
            "-h127.0.0.1",
            "-cfsync=off",
            "-cunix_socket_directories=",
        ]
        log = self._directory / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*_AS_USER, *command], stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        ready = [program("pg_isready", _PROGRAMS), "-q", "-h127.0.0.1", f"-p{self.port}"]
        deadline = time.monotonic() + _PATIENCE
        while subprocess.run(ready, check=False).returncode:
            assert self._process.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it at once, and cut the connections."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(_PATIENCE)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let none of its processes run during the ``with`` statement: it is there and silent."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        processes = [self._process.pid, *map(int, children.read_text().split())]
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                os.kill(process, signal.SIGCONT)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Run a server during the ``with`` statement; it may be stopped and started in between."""
    # Made by that user, and not in pytest's folder, which is closed to others.
    made = subprocess.run(
        [*_AS_USER, "mktemp", "--directory", "--tmpdir=/tmp", "postgres-XXXXXXXX"],
        capture_output=True,
        check=True,
        text=True,
    )
    directory = Path(made.stdout.strip())
    server = Postgres(directory, free_port())
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory)
