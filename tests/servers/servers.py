"""The servers: how each is started, and what it needs."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import pytest

from tests.ini import ROOT
from tests.serving import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    T = TypeVar("T")

HERE = Path(__file__).parent
#: Where Debian has Apache's modules. One of mod_wsgi is for one version of Python.
MODULES = Path("/usr/lib/apache2/modules")
MOD_WSGI = MODULES / f"mod_wsgi.so-{sys.version_info.major}.{sys.version_info.minor}"
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin"])
#: Seconds until a server must have started, answered, written its logs, or stopped.
PATIENCE = 30


class Server(NamedTuple):
    """A row of the matrix.

    :ivar command: what starts it in the foreground; ``PORT`` is replaced by the number of a free
        port where the server cannot choose one itself.
    :ivar needs: what has to be installed and is not; empty if nothing is missing.
    :ivar slow: ``make test`` does not install it, ``make test-all`` does.
    :ivar clients: how many requests it gets at the same time.
    :ivar lacks: kinds of responses that it does not send.
    """

    command: str
    needs: str = ""
    slow: bool = False
    clients: int = 20
    lacks: Collection[str] = ()


def _needs(module: str) -> str:
    return "" if find_spec(module) else f"{module} from PyPI"


PSERVE = f"pserve {HERE}/matrix.ini"
# A worker that is told to stop while it boots does not hear it, and has to be killed.
GUNICORN = (
    f"gunicorn --paste {HERE}/matrix.ini --bind 127.0.0.1:0 --workers 2 --graceful-timeout 3"
    " --access-logformat '%(m)s %(U)s id=%({x-request-id}o)s'"
)
UWSGI = (
    f"uwsgi --ini-paste-logged {HERE}/matrix.ini --http-socket 127.0.0.1:0 --home {sys.prefix}"
    " --master --processes 2 --threads 4 --enable-threads --need-app --die-on-term"
)
# Apache refuses to serve as root. So root becomes the user nobody, and keeps its access to files.
NOBODY = (
    "setpriv --reuid nobody --clear-groups --inh-caps +dac_override --ambient-caps +dac_override"
)
APACHE = f"apache2 -D FOREGROUND -d . -f {HERE}/apache.conf -c 'Listen 127.0.0.1:PORT'"

GRANIAN = (
    "granian --interface wsgi --host 127.0.0.1 --port PORT --blocking-threads 8 --factory"
    " tests.servers.app:load"
)

SERVERS = {
    "waitress": Server(PSERVE, _needs("waitress")),
    # One request after the other, and five more may wait; others the system may leave for long.
    "wsgiref": Server(f"{PSERVE} http_port=PORT --server-name wsgiref", clients=5),
    "gunicorn-sync": Server(GUNICORN, _needs("gunicorn")),
    "gunicorn-gthread": Server(f"{GUNICORN} --threads 4", _needs("gunicorn")),
    "gunicorn-pserve": Server(f"{PSERVE} --server-name gunicorn", _needs("gunicorn")),
    "gunicorn-gevent": Server(f"{GUNICORN} --worker-class gevent", _needs("gevent")),
    "cheroot": Server(
        f"{PSERVE} http_port=PORT --server-name cheroot", _needs("cheroot"), slow=True
    ),
    # It has no write(), and may cut the connection before the first half is sent.
    "granian": Server(GRANIAN, _needs("granian"), slow=True, lacks=("written", "breaks", "half")),
    # It sends nothing before a body has ended; one that fails half-way never does.
    "tornado": Server(
        f"{PSERVE} --server-name tornado",
        _needs("tornado"),
        slow=True,
        lacks=("breaks", "half"),
    ),
    "uwsgi": Server(
        UWSGI, "" if shutil.which("uwsgi", path=PATH) else "uWSGI from PyPI", slow=True
    ),
    "mod_wsgi": Server(
        f"{NOBODY} {APACHE}" if os.geteuid() == 0 else APACHE,
        "" if MOD_WSGI.exists() else f"{MOD_WSGI} from Debian's libapache2-mod-wsgi-py3",
        slow=True,
    ),
}


def rows(names: Collection[str] = SERVERS) -> list[object]:
    """Return servers as the parameters of a test.

    What is missing skips; but in CI, nothing that ``make test`` installs may be missing.
    """
    return [
        pytest.param(
            server,
            id=name,
            marks=[
                pytest.mark.skipif(
                    bool(server.needs) and (server.slow or "CI" not in os.environ),
                    reason=f"{name} needs {server.needs}",
                ),
                *[pytest.mark.slow_server] * server.slow,
            ],
        )
        for name, server in SERVERS.items()
        if name in names
    ]


class Running(NamedTuple):
    """A server that listens on a port of 127.0.0.1, with the working directory for its logs."""

    process: subprocess.Popen[bytes]
    port: int

    def wait_for(self, look: Callable[[], T | None]) -> T:
        """Return what *look* finds, as soon as it finds something."""
        end = time.monotonic() + PATIENCE
        while not (found := look()):
            assert self.process.poll() is None, output()[-4000:]
            assert time.monotonic() < end, output()[-4000:]
            time.sleep(0.02)
        return found


def output() -> str:
    """Return all that the server has printed and logged so far."""
    return "\n".join(path.read_text() for path in sorted(Path().glob("*.log")))


@contextlib.contextmanager
def running(command: str) -> Iterator[Running]:
    """Run a server in the working directory, and stop it with SIGTERM."""
    command = command.replace("PORT", str(free_port()))
    here = str(Path.cwd())
    environment = {
        "PATH": PATH,
        "PWD": here,
        # For tests.servers.app; and Apache's Python is another one, which finds all else here.
        "PYTHONPATH": os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")]),
        "PYTHONUNBUFFERED": "1",
        # Where gunicorn has its control socket.
        "XDG_RUNTIME_DIR": here,
        "MATRIX": str(HERE),
        "MODULES": str(MODULES),
    }
    words = shlex.split(command)
    words[0] = shutil.which(words[0], path=PATH) or words[0]
    with Path("server.log").open("ab") as log:
        process = subprocess.Popen(
            words,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        server = Running(process, 0)
        # Some say it in a log record, some print it, some before they listen.
        said = server.wait_for(lambda: re.search(r"127\.0\.0\.1:([1-9][0-9]*)", output()))
        server = Running(process, int(said[1]))
        server.wait_for(lambda: _connects(server.port))
        yield server
        process.terminate()
        process.wait(PATIENCE)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _connects(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
