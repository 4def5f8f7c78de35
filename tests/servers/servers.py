"""The servers: how each is started, and what it needs."""

from __future__ import annotations

import contextlib
import enum
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


class Underscored(enum.Enum):
    """What becomes of a header with ``_`` for ``-``, whose environ key another header may have."""

    DROPPED = enum.auto()
    JOINED = enum.auto()
    LAST = enum.auto()


class Wire(NamedTuple):
    """What a server does with requests that are not as they should be, before we see them.

    The words are ids of :mod:`tests.servers.wire`, with ``*``, as in ``.gitignore``: of those that
    match, the last decides, and ``!`` stands for "not".

    :ivar refuses: what it may answer by itself, or with the end of the connection.
    :ivar fails: those of them that it answers with a 500 of its own.
    :ivar hangs: what it never answers, although it waits for nothing.
    :ivar keeps: it answers more than one request on a connection; ``None``: in some versions.
    :ivar bare: it speaks HTTP/0.9 to those that do: a body without a status line.
    :ivar protocol: a pattern of what its status lines begin with.
    """

    refuses: str
    fails: str = ""
    hangs: str = ""
    underscored: Underscored = Underscored.DROPPED
    keeps: bool | None = True
    bare: bool = False
    protocol: bytes = rb"HTTP/1\.[01]"


class Server(NamedTuple):
    """A row of the matrix.

    :ivar command: what starts it in the foreground; ``PORT`` is replaced by the number of a free
        port where the server cannot choose one itself.
    :ivar wire: what it does with hostile requests.
    :ivar needs: what has to be installed and is not; empty if nothing is missing.
    :ivar slow: ``make test`` does not install it, ``make test-all`` does.
    :ivar clients: how many requests it gets at the same time.
    :ivar lacks: kinds of responses that it does not send.
    """

    command: str
    wire: Wire
    needs: str = ""
    slow: bool = False
    clients: int = 20
    lacks: Collection[str] = ()


def _needs(module: str) -> str:
    return "" if find_spec(module) else f"{module} from PyPI"


PSERVE = "pserve INI"
# A worker that is told to stop while it boots does not hear it, and has to be killed.
GUNICORN = (
    "gunicorn --paste INI --bind 127.0.0.1:0 --workers 2 --graceful-timeout 3"
    " --access-logformat '%(m)s %(U)s id=%({x-request-id}o)s'"
)
UWSGI = (
    f"uwsgi --ini-paste-logged INI --http-socket 127.0.0.1:0 --home {sys.prefix}"
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

#: What nearly all of them refuse.
STRICT = """
    *-lf *-cr *-nul *-esc *-del *-controls url-*-folded* url-*-forged verb-* version-*
    name-* !name-encoded id-*-colon id-after-blank start-0.9 start-2.0 start-blanks start-tabs
    length-* chunk-* !chunk-good body-* !body-good only-newlines
"""
GUNICORN_WIRE = Wire(
    f"""
    {STRICT} url-*-high url-*-u2028 *-folded* *-60-kB *-300-kB !chunk-trailer host-twice no-lines
    start-authority start-lower-case start-relative
    """,
    # It repeats the version of the request.
    protocol=rb"HTTP/1\.[0-9]",
)
SYNC_WIRE = GUNICORN_WIRE._replace(keeps=False)

SERVERS = {
    "waitress": Server(
        PSERVE,
        Wire(f"""
            {STRICT} !url-*-nul !url-*-esc !url-*-del !url-*-controls url-*-high url-*-u2028
            *-300-kB !name-60-kB !name-many start-lower-case
            !chunk-trailer !body-both* !body-chunked-twice !body-1.0
        """),
        _needs("waitress"),
    ),
    # One request after the other, and five more may wait; others the system may leave for long.
    "wsgiref": Server(
        f"{PSERVE} http_port=PORT --server-name wsgiref",
        Wire(
            """
            *-60-kB *-300-kB !id-60-kB !pipeline-* name-many no-lines
            url-* verb-* !*-del !*-encoded !*-esc !*-nul !*-quotes
            version-* !version-*lf !version-folded* start-0.9 start-2.0
            """,
            underscored=Underscored.JOINED,
            keeps=False,
            bare=True,
        ),
        clients=5,
    ),
    "gunicorn-sync": Server(GUNICORN, SYNC_WIRE, _needs("gunicorn")),
    # Up to gunicorn 25, it forgets what has come together with the request before.
    "gunicorn-gthread": Server(
        f"{GUNICORN} --threads 4", GUNICORN_WIRE._replace(keeps=None), _needs("gunicorn")
    ),
    "gunicorn-pserve": Server(f"{PSERVE} --server-name gunicorn", SYNC_WIRE, _needs("gunicorn")),
    "gunicorn-gevent": Server(f"{GUNICORN} --worker-class gevent", GUNICORN_WIRE, _needs("gevent")),
    "cheroot": Server(
        f"{PSERVE} http_port=PORT --server-name cheroot",
        Wire(
            f"""
            {STRICT} !*-cr !*-nul !*-esc !*-del !*-controls verb-* version-* url-*-cr url-*-high
            url-*-u2028 !name-* name-*folded* name-*lf name-without-colon !id-*-colon no-lines
            start-* !start-1.0 !start-star !start-unknown !length-plus !length-same !length-two
            !chunk-extension !chunk-newline !body-both* !body-chunked-twice !body-vt
            !body-1.0
            """,
            fails="version-folded* id-after-blank",
            underscored=Underscored.LAST,
        ),
        _needs("cheroot"),
        slow=True,
    ),
    # It has no write(), and may cut the connection before the first half is sent.
    "granian": Server(
        GRANIAN,
        Wire(
            f"""
            {STRICT} !*-lf *-lf-lf *-folded* url-*-lf url-*-high url-*-u2028 url-*-quotes url-*-kB
            verb-lf !verb-*-kB !version-lf name-lf start-1.9 start-connect !length-same
            !chunk-extension !body-chunked-twice
            """,
            underscored=Underscored.LAST,
        ),
        _needs("granian"),
        slow=True,
        lacks=("written", "breaks", "half"),
    ),
    # It sends nothing before a body has ended; one that fails half-way never does.
    "tornado": Server(
        f"{PSERVE} --server-name tornado",
        Wire(
            f"""
            {STRICT} !*-lf *-lf-lf *-folded* url-*-lf url-*-u2028 *-60-kB *-300-kB !id-60-kB
            !pipeline-60-kB host-* !host-lf !host-encoded verb-lf !version-lf name-lf !name-many
            start-1.9 no-lines !length-list !length-same !body-1.0
            """,
            hangs="host-port",
            underscored=Underscored.LAST,
        ),
        _needs("tornado"),
        slow=True,
        lacks=("breaks", "half"),
    ),
    "uwsgi": Server(
        UWSGI,
        Wire(
            """
            *-cr !url-*-cr !verb-cr *-60-kB *-300-kB !pipeline-* length-digits name-empty name-many
            name-without-colon url-*-folded-empty version-folded-* start-0.9 only-newlines
            """,
            underscored=Underscored.JOINED,
            keeps=False,
            # It repeats the protocol of the request, whatever that is.
            protocol=rb"[^\r]+?",
        ),
        "" if shutil.which("uwsgi", path=PATH) else "uWSGI from PyPI",
        slow=True,
    ),
    "mod_wsgi": Server(
        f"{NOBODY} {APACHE}" if os.geteuid() == 0 else APACHE,
        Wire(
            f"""
            {STRICT} !start-2.0 url-*-u2028 *-folded-empty *-60-kB *-300-kB accept-* raises host-*
            start-authority start-relative start-star chunk-good
            """,
            fails="body-short",
            bare=True,
        ),
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
def running(command: str, ini: str = "matrix.ini") -> Iterator[Running]:
    """Run a server in the working directory, and stop it with SIGTERM."""
    path = str(HERE / ini)
    command = command.replace("PORT", str(free_port())).replace("INI", path)
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
        "INI": path,
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
