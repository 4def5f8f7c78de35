"""Load and soak: many mixed requests through real servers, without one lost record.

Every request has an id of its own. Its response, its log lines and its access record must have that
id and no other. Some requests raise, some clients hang up, and probes come in between. The first
requests warm the server up. After that its memory and its descriptors may not grow, although every
request has a new id, and many have a new origin, header list or token.

Everything is sent to 127.0.0.1 and stops by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from proof.app import CHUNKS
from proof.client import Client, request
from tests.serving import serving
from wsgi_mw_paste import factories

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from proof.client import Response

ROOT: Final = Path(__file__).parents[1]
#: The command of each server; its last argument is the INI file.
SERVERS: Final = {
    "pserve": ("pserve",),
    "gthread": ("gunicorn", "--bind=127.0.0.1:0", "--threads=8", "--paste"),
    "gevent": ("gunicorn", "--bind=127.0.0.1:0", "--worker-class=gevent", "--paste"),
}
_REQUESTS: Final = 1_000_000
#: How many requests warm a server up; of a small number, half.
_WARM_UP: Final = 10_000
_CLIENTS: Final = 8
#: How long to wait for records and closed connections after the last response, in seconds.
_PATIENCE: Final = 60
#: The pause between two probes, and between two looks at what is waited for, in seconds.
_PAUSE: Final = 0.05
#: How long a server has to hold the same number of descriptors to count as idle, in seconds.
_REST: Final = 0.25
#: How much more there may be after the load than after the warm-up.
_MAX_OBJECTS: Final = 200
_MAX_BLOCKS: Final = 1000
_MAX_RSS: Final = 8 * 1024  # kB; allocators keep what they have


class Scenario(NamedTuple):
    """A kind of request, and what has to come of it. ``{n}`` is the number of the request.

    :ivar share: how many of 1,000 requests are of this kind.
    :ivar lines: its header lines.
    :ivar status: of the response and the record.
    :ivar ids: how often the body has the id; ``None`` if the application is not called.
    :ivar origin: what ``Access-Control-Allow-Origin`` has to be; empty if it has to be absent.
    :ivar error: the type of the exception in the record.
    :ivar hangs_up: when the client closes the connection.
    """

    share: int
    path: str
    lines: str = "X-Request-Id: soak-{n}\r\n"
    method: str = "GET"
    body: bytes = b""
    status: int = 200
    ids: int | None = 1
    origin: str = ""
    error: str = "None"
    hangs_up: str = "never"


_ID: Final = "X-Request-Id: soak-{n}\r\n"
_OURS: Final = "https://app{n}.example.org"
_PREFLIGHT: Final = (
    "Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: content-type,x-a{n}\r\n"
)
SCENARIOS: Final = {
    "plain": Scenario(260, "/plain"),
    "allowed": Scenario(150, "/plain", f"{_ID}Origin: {_OURS}\r\n", origin=_OURS),
    "refused": Scenario(100, "/plain", f"{_ID}Origin: https://evil{{n}}.example\r\n"),
    "preflight": Scenario(
        100,
        "/plain",
        f"{_ID}Origin: {_OURS}\r\n{_PREFLIGHT}",
        method="OPTIONS",
        ids=None,
        origin=_OURS,
    ),
    "refused preflight": Scenario(
        50,
        "/plain",
        f"{_ID}Origin: https://evil{{n}}.example\r\n{_PREFLIGHT}",
        method="OPTIONS",
        status=403,
        ids=None,
    ),
    "stream": Scenario(90, "/stream", ids=CHUNKS),
    "write": Scenario(50, "/write", ids=2),
    "upload": Scenario(50, "/echo", method="POST", body=b"." * 100),
    "token": Scenario(50, "/plain", f"{_ID}Authorization: Bearer token{{n}}\r\n"),
    "generated id": Scenario(20, "/plain", "X-Request-Id: not valid {n}\r\n"),
    "trace id": Scenario(20, "/plain", "traceparent: 00-{n:032x}-00000000000000a1-01\r\n"),
    "raises": Scenario(40, "/raise", status=500, ids=None, error="LookupError"),
    "raises late": Scenario(10, "/break", error="LookupError"),
    "hangs up early": Scenario(5, "/plain", hangs_up="at once"),
    "hangs up late": Scenario(5, "/large", hangs_up="after the head"),
}
_NAMES: Final = list(SCENARIOS)
#: The scenario of each of 1,000 requests, which is that of all that follow.
_TURNS: Final = bytes(
    index for index, scenario in enumerate(SCENARIOS.values()) for _ in range(scenario.share)
)


def _scenario(number: int) -> tuple[str, Scenario]:
    """Return the scenario of a request: neighbours differ, and each thousand has all of them."""
    name = _NAMES[_TURNS[number * 617 % 1000]]
    return name, SCENARIOS[name]


class Usage(NamedTuple):
    """What a server's processes hold while nothing is going on.

    :ivar rss: resident memory, in kB.
    """

    objects: int
    blocks: int
    rss: int
    descriptors: int


class Problems:
    """What went wrong: how often, and the first cases."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.examples: list[str] = []

    def add(self, kind: str, example: object, count: int = 1) -> None:
        """Count a problem."""
        self.counts[kind] += count
        if self.counts[kind] <= count:
            self.examples.append(f"{kind}: {example}")


class Soak:
    """A load on one server, and what is known about it.

    :ivar generated: the numbers of the requests that the server made an id for, by that id.
    """

    def __init__(self, port: int, requests: int) -> None:
        self.problems = Problems()
        self.probes = 0
        self._port = port
        self._requests = requests
        self._generated: dict[str, int] = {}

    def send(self, numbers: range) -> None:
        """Send the requests with these numbers, from several clients at a time."""
        over = threading.Event()
        prober = threading.Thread(target=self._probe, args=(over,))
        clients = [
            threading.Thread(target=self._send_in_turn, args=(numbers[first::_CLIENTS],))
            for first in range(_CLIENTS)
        ]
        for thread in (prober, *clients):
            thread.start()
        for thread in clients:
            thread.join()
        over.set()
        prober.join()

    def _send_in_turn(self, numbers: range) -> None:
        with closing(Client(self._port)) as client:
            for number in numbers:
                name, scenario = _scenario(number)
                lines = scenario.lines.format(n=number)
                sent = request(scenario.method, scenario.path, lines, scenario.body)
                try:
                    if scenario.hangs_up == "never":
                        self._judge(number, name, client.ask(sent))
                    else:
                        client.hang_up(sent, after_head=scenario.hangs_up == "after the head")
                except OSError as error:
                    client.close()
                    self.problems.add("no response", f"{name} {number}: {error!r}")

    def _judge(self, number: int, name: str, response: Response) -> None:
        """Compare a response with what it has to be."""
        scenario = SCENARIOS[name]
        given = response.headers.get("x-request-id", "")
        if name == "generated id":
            self._generated[given] = number
            expected = given
        elif name == "trace id":
            expected = f"{number:032x}"
        else:
            expected = f"soak-{number}"
        found = (
            response.status,
            given,
            response.headers.get("access-control-allow-origin", ""),
            response.is_complete,
        )
        origin = scenario.origin.format(n=number)
        if found != (scenario.status, expected, origin, name != "raises late"):
            self.problems.add("wrong response", f"{name} {number}: {found}")
        if scenario.ids is not None:
            body = scenario.ids * expected.encode() + scenario.body
            seen = response.headers.get("x-seen", "")
            if (response.body, seen) != (body, expected):
                self.problems.add("foreign id", f"{name} {number}: {response.body!r} {seen}")

    def _probe(self, over: threading.Event) -> None:
        """Probe as an orchestrator does, until the load is over."""
        paths = ("/livez", "/readyz") if _has_health() else ("/plain", "/plain")
        with closing(Client(self._port)) as client:
            while not over.wait(_PAUSE):
                for path in paths:
                    response = client.ask(request("GET", path, "X-Request-Id: probe\r\n"))
                    self.probes += 1
                    if response.status != 200:  # noqa: PLR2004 -- a status is clearer as a number
                        self.problems.add("failed probe", f"{path}: {response.status}")

    def check_records(self) -> int:
        """Compare the log files with the requests; return how many access records there are.

        A request whose client hung up at once may or may not have reached the application.
        """
        records = bytearray(self._requests)
        lines = bytearray(self._requests)
        for number, line in self._numbered("access.log"):
            records[number] += 1
            name, scenario = _scenario(number)
            if line.split()[1:] != [f"{scenario.status}", scenario.error]:
                self.problems.add("wrong record", f"{name} {number}: {line}")
        for number, line in self._numbered("app.log"):
            lines[number] += 1
            if len({*line.split()}) != 1:
                self.problems.add("foreign id", f"app.log: {line}")
        for number in range(self._requests):
            name, scenario = _scenario(number)
            least = 0 if scenario.hangs_up == "at once" else 1
            is_called = name == "raises" or scenario.ids is not None
            self._compare("record", number, records[number], 1, least)
            self._compare("log line", number, lines[number], is_called, is_called and least)
        return sum(records)

    def _compare(self, what: str, number: int, count: int, most: int, least: int) -> None:
        if count > most:
            self.problems.add(f"doubled {what}", f"{_scenario(number)[0]} {number}")
        if count < least:
            self.problems.add(f"lost {what}", f"{_scenario(number)[0]} {number}")

    def _numbered(self, file: str) -> Iterator[tuple[int, str]]:
        """Yield the lines of a log file that belong to the load, with the number of the request."""
        for line in _lines(file):
            number = self._number(line.split()[0])
            if number is not None:
                yield number, line

    def _number(self, request_id: str) -> int | None:
        """Return the number of the request with an id; ``None`` if it is not one of the load."""
        if request_id in ("probe", "memory"):
            return None
        if request_id in self._generated:
            return self._generated[request_id]
        numeral = re.fullmatch("soak-([0-9]+)|([0-9a-f]{32})", request_id)
        number = int(numeral[1] or int(numeral[2], 16)) if numeral else self._requests
        if number >= self._requests:
            self.problems.add("foreign id", request_id)
            return None
        return number


def run(server: str, requests: int) -> tuple[list[str], Problems]:
    """Put a load on a server; return a row of the table, and what went wrong."""
    with _scratch(), serving(*SERVERS[server], _write_ini()) as running:
        began = time.monotonic()
        soak = Soak(running.port, requests)
        warm = min(_WARM_UP, requests // 2)
        soak.send(range(warm))
        before = _settled(running.pid, running.port, None)
        soak.send(range(warm, requests))
        after = _settled(running.pid, running.port, before.descriptors)
        seconds = time.monotonic() - began
        _wait_for_records(requests)
        records = soak.check_records()
    # After fewer requests, what grows may still be caches of the interpreter.
    most = (_MAX_OBJECTS, _MAX_BLOCKS, _MAX_RSS, 0) if warm == _WARM_UP else (sys.maxsize,) * 4
    for name, was, now, limit in zip(Usage._fields, before, after, most, strict=True):
        if now - was > limit:
            soak.problems.add(f"growth of {name}", f"{was} to {now}")
    problems = sum(soak.problems.counts.values())
    usage = (f"{was:,} to {now:,}" for was, now in zip(before, after, strict=True))
    counts = (requests, records, soak.probes, round(requests / seconds), problems)
    return [server, *(f"{count:,}" for count in counts), *usage], soak.problems


@contextmanager
def _scratch() -> Iterator[None]:
    """Work in an empty folder during the ``with`` statement."""
    home = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(home)


def _has_health() -> bool:
    return hasattr(factories, "health")


def _write_ini() -> Path:
    """Write the INI file into the working directory."""
    text = Path(__file__).with_name("soak.ini").read_text(encoding="utf-8")
    path = Path("soak.ini").absolute()
    path.write_text(text.replace("HEALTH ", "health " if _has_health() else ""), encoding="utf-8")
    # For proof.app.
    os.environ["PYTHONPATH"] = str(ROOT)
    # By default glibc gives threads arenas of their own, and each keeps what was free when a later
    # block was taken. With one arena RSS follows what is held, and so shows a leak.
    os.environ["MALLOC_ARENA_MAX"] = "1"
    return path


def _lines(name: str) -> Iterator[str]:
    with Path(name).open(encoding="utf-8") as file:
        yield from file


def _wait_for_records(requests: int) -> None:
    """Wait until every record is written, or none is any more.

    A server may find out late that a client has hung up.
    """
    end = time.monotonic() + _PATIENCE
    count, last = sum(1 for _ in _lines("access.log")), -1
    while count != last and count < requests and time.monotonic() < end:
        time.sleep(_REST)
        count, last = sum(1 for _ in _lines("access.log")), count


def _settled(pid: int, port: int, descriptors: int | None) -> Usage:
    """Return what the server holds, as soon as it has closed its connections.

    :param descriptors: how many it had before; waited for, but not for ever.
    """
    end = time.monotonic() + _PATIENCE
    count, last = _descriptors(pid), -1
    while time.monotonic() < end and (
        count != last if descriptors is None else count > descriptors
    ):
        time.sleep(_REST)
        count, last = _descriptors(pid), count
    with closing(Client(port)) as client:
        response = client.ask(request("GET", "/memory", "X-Request-Id: memory\r\n"))
    held: dict[str, Any] = json.loads(response.body)
    rss = sum(_rss(process) for process in _processes(pid))
    return Usage(held["objects"], held["blocks"], rss, count)


def _processes(pid: int) -> list[int]:
    """Return a process and its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(found for child in children for found in _processes(int(child)))]


def _descriptors(pid: int) -> int:
    return sum(len(list(Path(f"/proc/{process}/fd").iterdir())) for process in _processes(pid))


def _rss(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status, 1 if anything went wrong."""
    parser = argparse.ArgumentParser(prog="python -m proof.soak", description=__doc__)
    parser.add_argument("--requests", type=int, default=_REQUESTS, help="to each server")
    parser.add_argument("--server", choices=SERVERS, action="append", help="all by default")
    options = parser.parse_args(arguments)
    titles = ("server", "requests", "records", "probes", "per second", "problems", *Usage._fields)
    print(f"| {' | '.join(titles)} |\n| {' | '.join('---' for _ in titles)} |")
    failed = False
    for server in options.server or SERVERS:
        row, problems = run(server, options.requests)
        print(f"| {' | '.join(row)} |", flush=True)
        for kind, count in problems.counts.items():
            print(f"{count} × {kind}", file=sys.stderr)
        for example in problems.examples:
            print(example, file=sys.stderr)
        failed |= bool(problems.counts)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
