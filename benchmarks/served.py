"""The whole way of a request: through waitress and gunicorn, over a socket, from a client.

What it measures is what a user of a service could notice: how many requests per second are left
of those of a bare application (``wrk`` asks), and how much of a server's work for a request is our
code's (``valgrind`` counts instructions).

What it does not measure: an application that does something, which makes every share in here
smaller; other requests than an allowed one; a network; more than one process.

When to trust it. Requests per second swing with the machine: ``bare again`` is the bare application
once more, and no ratio means more than how far that one is from 1. Instructions do not swing, and
their column of differences shows by how much two countings of the same disagree. But they are
those of user space only: no system calls, so neither sockets nor files, and no waiting for memory.

Everything is sent to 127.0.0.1 and ends by itself; servers are ended whatever happens.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import page, peers
from benchmarks.driver import BROWSER_HEADERS
from benchmarks.page import Goal, goals_table, table
from benchmarks.scenarios import ALLOWED, TEN, cors_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from http.client import HTTPMessage

_ROOT = Path(__file__).parents[1]
#: How long a server may take to listen, to answer and to stop, in seconds. Valgrind is slow.
_PATIENCE = 120
_LISTENING = re.compile(r"(?:Serving on|Listening at:) http://127\.0\.0\.1:(\d+)\b")
_PATH = "/orders/17?page=2"
#: The least that makes a request one of CORS, and what a browser sends with it.
_ORIGIN = {"Origin": ALLOWED.decode()}
_BROWSERS = BROWSER_HEADERS | _ORIGIN
ROUNDS = 9
_QUICK_ROUNDS = 3
_VISIT = 1  # seconds, the shortest that wrk knows
#: The requests that are sent before any that count, and the two numbers of those that do.
_WARM_UP, _FEW, _MANY = 100, 100, 1100


class Stack(NamedTuple):
    """Something to serve.

    :ivar app: the name that :func:`benchmarks.stacks.make_app` knows it by.
    :ivar options: those of our filter in front of it, if it is there.
    :ivar logs: log records are written, to the null device.
    :ivar same: it answers what ``bare + headers`` answers.
    :ivar gunicorn: arguments for gunicorn; with any, no other server can serve it.
    """

    name: str
    app: str = "bare"
    options: Mapping[str, str] | None = None
    logs: bool = False
    same: bool = False
    gunicorn: Sequence[str] = ()

    def ini(self) -> str:
        """Return the INI file that deploys it."""
        options = self.options or {}
        return _INI.format(
            pipeline="app" if self.options is None else "web app",
            options="\n".join(f"{name} = {value}" for name, value in options.items()),
            app=self.app,
        )

    def logging(self) -> str:
        """Return the INI file that its logging is configured with."""
        return _LOGGING.format(
            handlers="null" if self.logs else "console", level="INFO" if self.logs else "WARNING"
        )


_INI = """\
[pipeline:main]
pipeline = {pipeline}

[filter:web]
use = egg:wsgi_mw_paste
{options}

[app:app]
paste.app_factory = benchmarks.stacks:make_app
stack = {app}
logging = %(here)s/logging.ini

[server:main]
use = egg:waitress#main
listen = 127.0.0.1:0
threads = 4
"""

#: A file of its own: gunicorn makes its access line, if only to drop it, for every request of an
#: INI file that has ``[loggers]``.
_LOGGING = """\
[loggers]
keys = root, waitress, translogger

[logger_root]
level = {level}
handlers = {handlers}

# It names the port.
[logger_waitress]
qualname = waitress
level = INFO
handlers = console
propagate = 0

[logger_translogger]
qualname = wsgi
level = INFO
handlers = null_plain
propagate = 0

[handlers]
keys = console, null, null_plain

[handler_console]
class = StreamHandler
args = (sys.stderr,)

[handler_null]
class = StreamHandler
args = (open(os.devnull, "w"),)
formatter = generic

# Without a formatter, as translogger writes: the message is all of the line.
[handler_null_plain]
class = StreamHandler
args = (open(os.devnull, "w"),)

[formatters]
keys = generic

[formatter_generic]
class = wsgi_mw_paste.logging.RequestIdFormatter
format = %(asctime)s %(levelname)-5.5s [%(name)s] [%(request_id)s] %(message)s
"""

_OURS = cors_options(TEN)
_CONTROL = "bare again"
_HEADERS = "bare + headers"
_GUNICORNS = "gunicorn's own log"
_STACKS = (
    Stack("bare"),
    Stack(_CONTROL),
    Stack(_HEADERS, "bare + headers", same=True),
    Stack("floor", "floor", same=True),
    Stack("ours", options=_OURS | {"log_requests": "false"}, same=True),
    Stack("ours + log", options=_OURS | {"log_tokens": "fingerprint"}, logs=True, same=True),
    Stack(_GUNICORNS, _HEADERS, same=True, gunicorn=(f"--access-logfile={os.devnull}",)),
)
#: What each of the peers does.
_PEERS = {
    "translogger": "log only",
    "2020 package": "CORS, request id",
    "oslo.middleware": "CORS, request id",
    "wsgicors": "CORS only",
}
#: What serves an INI file, given as the last argument.
SERVERS = {
    "waitress": ["-m", "benchmarks.stacks"],
    "gunicorn gthread": [
        *("-m", "gunicorn", "--bind=127.0.0.1:0", "--worker-class=gthread"),
        # No timeout: under valgrind a worker takes its time to start.
        *("--workers=1", "--threads=4", "--timeout=0", "--paste"),
    ],
}


def _stacks(server: str = "gunicorn gthread") -> tuple[list[Stack], list[str]]:
    """Return what there is for a server to serve, and the names of peers that are not installed."""
    installed = {
        peer.name for peer in (*peers.CORS_PEERS, peers.TRANSLOGGER) if peer.is_installed()
    }
    own = [stack for stack in _STACKS if server.startswith("gunicorn") or not stack.gunicorn]
    others = [
        Stack(f"{name} ({does})", name, logs=name == "translogger", same=name == "translogger")
        for name, does in _PEERS.items()
        if name in installed
    ]
    return [*own, *others], [name for name in _PEERS if name not in installed]


class _Server(NamedTuple):
    """A server process, and the file it writes its output to."""

    process: subprocess.Popen[bytes]
    output: Path

    def port(self) -> int:
        """Wait until it says where it listens."""
        deadline = time.monotonic() + _PATIENCE
        while not (said := _LISTENING.search(self.output.read_text())):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server does not listen:\n{self.output.read_text()}")
            time.sleep(0.05)
        return int(said[1])

    def stop(self) -> None:
        """Let it end by itself."""
        self.process.terminate()
        self.process.wait(_PATIENCE)


@contextmanager
def _running(stack: Stack, server: str, *prefix: str) -> Iterator[_Server]:
    """Serve a stack during the ``with`` statement, in an environment with nothing of the user's.

    :param prefix: the command that runs the server's.
    """
    with tempfile.TemporaryDirectory(prefix="served-") as directory:
        ini, output = Path(directory, "served.ini"), Path(directory, "output")
        ini.write_text(stack.ini())
        Path(directory, "logging.ini").write_text(stack.logging())
        with output.open("wb") as out:
            process = subprocess.Popen(
                [*prefix, sys.executable, *SERVERS[server], str(ini), *stack.gunicorn],
                cwd=directory,
                env={
                    "PATH": os.defpath,
                    "PYTHONPATH": str(_ROOT),
                    "PYTHONHASHSEED": "0",
                    # Where gunicorn makes its control socket.
                    "XDG_RUNTIME_DIR": directory,
                },
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        running = _Server(process, output)
        try:
            yield running
            running.stop()
        finally:
            # With its workers.
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise SystemExit(f"{name} is not installed")
    return found


def _cores() -> tuple[list[str], list[str]]:
    """Return the commands that keep a server and its client each on a core of its own.

    They are empty where that cannot be done.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    taskset = shutil.which("taskset")
    if taskset is None or not cores[1:]:
        return [], []
    return [taskset, "-c", str(cores[0])], [taskset, "-c", str(cores[1])]


@contextmanager
def _all_running(stacks: Sequence[Stack], server: str, *prefix: str) -> Iterator[dict[str, int]]:
    """Serve stacks during the ``with`` statement; each has answered, and as it should.

    :return: their ports.
    """
    with ExitStack() as running:
        # All at once: what they are as programs does not change from round to round.
        servers = [running.enter_context(_running(stack, server, *prefix)) for stack in stacks]
        ports = {stack.name: run.port() for stack, run in zip(stacks, servers, strict=True)}
        answers = {}
        for name, port in ports.items():
            with closing(HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)) as connection:
                answers[name] = {
                    (key.lower(), "" if key in ("Date", "X-Request-Id") else value)
                    for key, value in _ask(connection).items()
                }
        for stack in stacks:
            if stack.same and answers[stack.name] != answers[_HEADERS]:
                raise RuntimeError(f"{answers[stack.name]} is not {answers[_HEADERS]}")
        yield ports


class Speed(NamedTuple):
    """How fast a stack is.

    :ivar rate: requests per second, the median of all rounds.
    :ivar ratios: of each round, to the bare application.
    """

    stack: str
    rate: float
    ratios: Sequence[float]

    @property
    def ratio(self) -> float:
        """The median."""
        return statistics.median(self.ratios)


def measure_speed(server: str, rounds: int) -> list[Speed]:
    """Visit all stacks in turn with ``wrk``, in a new order in every round."""
    stacks, _ = _stacks(server)
    names = [stack.name for stack in stacks]
    for_server, for_client = _cores()
    rates: dict[str, list[float]] = {name: [] for name in names}
    with _all_running(stacks, server, *for_server) as ports:
        for name in names:
            _visit(ports[name], for_client)
        for _ in range(rounds):
            for name in random.sample(names, len(names)):
                rates[name].append(_visit(ports[name], for_client))
    return [
        Speed(
            name,
            statistics.median(rates[name]),
            [rate / bare for rate, bare in zip(rates[name], rates["bare"], strict=True)],
        )
        for name in names
    ]


def _visit(port: int, prefix: Sequence[str]) -> float:
    """Return the requests per second of a run of ``wrk``, in which nothing may fail."""
    wrk = [_program("wrk"), "-t1", "-c4", f"-d{_VISIT}s"]
    headers = [f"-H{name}: {value}" for name, value in _BROWSERS.items()]
    ran = subprocess.run(
        [*prefix, *wrk, *headers, f"http://127.0.0.1:{port}{_PATH}"],
        capture_output=True,
        check=True,
        text=True,
        timeout=_PATIENCE,
    )
    rate = re.search(r"Requests/sec: +([0-9.]+)", ran.stdout)
    if rate is None or "errors" in ran.stdout or "Non-2xx" in ran.stdout:
        raise RuntimeError(f"requests failed:\n{ran.stdout}")
    return float(rate[1])


def _ask(connection: HTTPConnection, headers: Mapping[str, str] = _BROWSERS) -> HTTPMessage:
    """Send the request that is measured; return the headers of the answer."""
    connection.request("GET", _PATH, headers=dict(headers))
    response = connection.getresponse()
    if (response.status, response.read(), response.will_close) != (200, b"hello", False):
        raise RuntimeError(f"answered {response.status}, or the connection is closed")
    return response.headers


class Instructions(NamedTuple):
    """How many instructions a server's process runs for one request, counted twice."""

    stack: str
    counts: tuple[float, float]
    same: bool

    @property
    def mean(self) -> float:
        return statistics.mean(self.counts)

    @property
    def difference(self) -> float:
        """By how much the two differ, for each instruction."""
        return abs(self.counts[0] - self.counts[1]) / self.mean


def count_instructions(
    server: str, stacks: Sequence[Stack], headers: Mapping[str, str]
) -> dict[str, Instructions]:
    """Count for each stack under ``valgrind``: what a run with more requests takes more."""
    # Compiles what a fresh clone, or a change, has not compiled yet: no stack's instructions.
    with _all_running(stacks, server):
        pass

    def per_request(stack: Stack) -> float:
        more, less = (_collected(stack, server, headers, requests) for requests in (_MANY, _FEW))
        return (more - less) / (_MANY - _FEW)

    # Two at a time: another program on the machine does not change the count.
    with ThreadPoolExecutor(2) as pool:
        twice = [list(pool.map(per_request, stacks)) for _ in range(2)]
    return {
        stack.name: Instructions(stack.name, counts, stack.same)
        for stack, counts in zip(stacks, zip(*twice, strict=True), strict=True)
    }


def _collected(stack: Stack, server: str, headers: Mapping[str, str], requests: int) -> int:
    """Return the instructions of a whole process that answers so many requests."""
    with tempfile.TemporaryDirectory(prefix="callgrind-") as directory:
        callgrind = [
            _program("valgrind"), "--tool=callgrind", f"--callgrind-out-file={directory}/out.%p",
        ]  # fmt: skip
        with _running(stack, server, *callgrind) as running:
            with closing(
                HTTPConnection("127.0.0.1", running.port(), timeout=_PATIENCE)
            ) as connection:
                for _ in range(_WARM_UP + requests):
                    _ask(connection, headers)
            running.stop()
            output = running.output.read_text()
    collected = re.findall(r"Collected : (\d+)", output)
    if not collected:
        raise RuntimeError(f"valgrind has no totals:\n{output}")
    # gunicorn's arbiter does little beside its worker.
    return max(map(int, collected))


def speed_section(rounds: int = ROUNDS) -> str:
    """Measure requests per second; return a section of the page."""
    found = {
        server: {speed.stack: speed for speed in measure_speed(server, rounds)}
        for server in SERVERS
    }
    rows = [
        [stack.name, *(_speed(speeds.get(stack.name)) for speeds in found.values())]
        for stack in _stacks()[0]
    ]
    pinned = "on a core of its own" if _cores()[0] else "on the cores of the server"
    text = (
        f"As a share of those of `bare`: the median of {rounds} rounds, and the lowest and the"
        f" highest of them. What `{_CONTROL}` is off 1 is noise, in every row. Of each stack one"
        f" process with four threads answers `wrk -t1 -c4`, which runs {pinned}, asks for"
        f" {_VISIT} s at a time, and sends what Chromium sends, with an allowed `Origin`."
        f" {page.conditions('waitress', 'gunicorn')} {_output('wrk', '-v').split(' [')[0]}."
    )
    return "\n\n".join([text, table(["stack", *SERVERS], rows), *_missing()])


def _speed(speed: Speed | None) -> str:
    """Return a cell of the table; a server may not serve a stack."""
    if speed is None:
        return "-"
    if speed.stack == "bare":
        return f"{speed.rate:,.0f} per second"
    return f"{speed.ratio:.3f} ({min(speed.ratios):.2f} to {max(speed.ratios):.2f})"


def instructions_section() -> str:
    """Count instructions; return a section of the page."""
    found = {server: _count(server, _BROWSERS) for server in SERVERS}
    smallest = _count("waitress", _ORIGIN, only_same=True)
    share = _own("ours", found["waitress"])
    text = (
        "Of a server's whole process, in user space, for an allowed request as Chromium sends it;"
        " the column of the smallest request is for one with no header but `Host` and `Origin`. A"
        f" stack's own code is what it takes beyond `{_HEADERS}`, an application that itself sends"
        " the headers that our filter sends; most peers send others."
        f" {page.conditions('waitress', 'gunicorn', 'Paste')} {_output('valgrind', '--version')}."
    )
    goal = Goal("our code in a request on waitress", 4, 100 * share, "%")
    tables = [
        _instructions_table(server, counts, smallest if server == "waitress" else {})
        for server, counts in found.items()
    ]
    return "\n\n".join([text, goals_table([goal]), *tables, *_missing()])


def _count(
    server: str, headers: Mapping[str, str], *, only_same: bool = False
) -> dict[str, Instructions]:
    """Count the instructions of all stacks of a server but the control."""
    stacks = [stack for stack in _stacks(server)[0] if stack.name != _CONTROL]
    if only_same:
        stacks = [stack for stack in stacks if stack.name == "bare" or stack.same]
    return count_instructions(server, stacks, headers)


def _instructions_table(
    server: str, found: Mapping[str, Instructions], smallest: Mapping[str, Instructions]
) -> str:
    rows = [
        [
            count.stack,
            f"{count.mean:,.0f}",
            f"{count.mean - found['bare'].mean:,.0f}",
            *(_share(count.stack, counts) for counts in (found, smallest)),
            f"{count.difference:.2%}",
        ]
        for count in found.values()
    ]
    columns = (
        f"on {server}", "per request", "beyond `bare`", "its own code", "of the smallest request",
        "two countings differ by",
    )  # fmt: skip
    return table(columns, rows)


def _own(name: str, counts: Mapping[str, Instructions]) -> float:
    """Return the share of a stack's own code."""
    return (counts[name].mean - counts[_HEADERS].mean) / counts[name].mean


def _share(name: str, counts: Mapping[str, Instructions]) -> str:
    return f"{_own(name, counts):.1%}" if name in counts and counts[name].same else "-"


def _missing() -> list[str]:
    missing = _stacks()[1]
    return [f"Not installed, so not measured: {', '.join(missing)}."] if missing else []


def _output(name: str, option: str) -> str:
    """Return the first line of what a program says of its version."""
    ran = subprocess.run([_program(name), option], capture_output=True, check=False, text=True)
    return ran.stdout.partition("\n")[0]


def main() -> None:
    """Put one of the sections into the page; with ``--quick`` only print it."""
    parser = argparse.ArgumentParser(prog="benchmarks.served")
    parser.add_argument("--quick", action="store_true", help="few rounds, and the page stays")
    parser.add_argument("--instructions", action="store_true", help="count instructions instead")
    given = parser.parse_args()
    # So that the servers are ended, too, if this process is.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if given.instructions:
        page.write("served instructions", instructions_section())
    elif given.quick:
        print(speed_section(_QUICK_ROUNDS))
    else:
        page.write("served", speed_section(ROUNDS))


if __name__ == "__main__":
    main()
