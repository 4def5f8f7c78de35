"""Calling an application as a server does, and timing several of them fairly.

One process, one run: in every round each application is visited once, in a new random order, and
what it costs beyond the bare application is taken against the bare application of that round. So
whatever slows the machine down slows all of them, and the ratios hold where the nanoseconds do not.
"""

from __future__ import annotations

import gc
import io
import itertools
import random
import statistics
import sys
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from _typeshed import OptExcInfo
    from _typeshed.wsgi import WSGIApplication

    Work = Callable[[int], object]

#: What Chromium sends with a ``fetch()``, beside ``Host``, ``Origin`` and what the script adds.
BROWSER_HEADERS = {
    "Connection": "keep-alive",
    "sec-ch-ua-platform": '"Linux"',
    "User-Agent": (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
        " Chrome/140.0.0.0 Safari/537.36"
    ),
    "sec-ch-ua": '"Chromium";v="140", "Not=A?Brand";v="24"',
    "sec-ch-ua-mobile": "?0",
    "Accept": "*/*",
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Dest": "empty",
    "Referer": "https://app0.example.com/",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-US,en;q=0.9",
}


def environ_key(header: str) -> str:
    """Return the place of a request header in the environ (PEP 3333, "environ Variables")."""
    return "HTTP_" + header.upper().replace("-", "_")


#: What waitress puts into the environ for it.
_ENVIRON: dict[str, Any] = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/orders/17",
    "QUERY_STRING": "page=2",
    "REMOTE_ADDR": "127.0.0.1",
    "REMOTE_HOST": "127.0.0.1",
    "REMOTE_PORT": "54321",
    "REQUEST_URI": "/orders/17?page=2",
    "SERVER_NAME": "shop.example",
    "SERVER_PORT": "8080",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "SERVER_SOFTWARE": "waitress",
    "HTTP_HOST": "shop.example:8080",
    **{environ_key(name): value for name, value in BROWSER_HEADERS.items()},
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.input": io.BytesIO(),
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
}
#: How long one visit lasts, in nanoseconds: short, so that the whole round sees the same machine.
_VISIT = 3_000_000
_WARM_UP = 20_000_000
_MOST_CALLS = 200  # of a warm-up: a specializing interpreter is done long before


class Request(NamedTuple):
    """What is sent: a method and headers, of which each may change from call to call.

    :ivar headers: by their names, the values to send in turn, as the bytes a server receives.
    :ivar environ: whatever else the environ is to have.
    """

    method: str = "GET"
    headers: Mapping[str, Sequence[bytes]] = {}
    environ: Mapping[str, Any] = {}

    def environs(self) -> Iterator[dict[str, Any]]:
        """Yield environs without end.

        Every header is a new ``str`` in each of them, as a server makes it: the hash of a long one
        is a cost of the filter that computes it.
        """
        base = {**_ENVIRON, **self.environ, "REQUEST_METHOD": self.method}
        headers = [
            (environ_key(name), itertools.cycle(values)) for name, values in self.headers.items()
        ]
        while True:
            environ = base.copy()
            for key, values in headers:
                environ[key] = next(values).decode("latin-1")
            yield environ


def _start_response(
    status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None, /
) -> Callable[[bytes], object]:
    return _write


def _write(data: bytes) -> object:
    return None


def serve(app: WSGIApplication, environs: Iterator[dict[str, Any]], calls: int) -> None:
    """Call *app* as often as said, read the body to its end, and close it."""
    for environ in itertools.islice(environs, calls):
        body = app(environ, _start_response)
        for _ in body:
            pass
        if hasattr(body, "close"):
            body.close()


def serving(app: WSGIApplication, request: Request) -> Work:
    """Return the function that serves *request* as often as it is told."""
    environs = request.environs()
    return lambda calls: serve(app, environs, calls)


class Times(NamedTuple):
    """Nanoseconds per call of several works, round by round."""

    rounds: Mapping[str, Sequence[float]]
    bases: Mapping[str, str]

    def added(self, name: str) -> list[float]:
        """Return what a work costs beyond its base, for each round."""
        base = self.bases.get(name, "bare")
        return [a - b for a, b in zip(self.rounds[name], self.rounds[base], strict=True)]

    def median(self, name: str) -> float:
        """Return what a work costs beyond its base."""
        return statistics.median(self.added(name))

    def ratio(self, name: str, other: str) -> float:
        """Return how much *name* adds for each nanosecond that *other* adds."""
        pairs = zip(self.added(name), self.added(other), strict=True)
        return statistics.median(a / b if b > 0 else float("inf") for a, b in pairs)


def measure(works: Mapping[str, Work], rounds: int, bases: Mapping[str, str] = {}) -> Times:
    """Time the works against each other.

    :param works: each does something as often as it is told; ``bare`` among them is the base.
    :param rounds: how often each of them is visited.
    :param bases: for works that are compared with another base, that one's name.
    """
    calls = {name: _calls(work) for name, work in works.items()}
    found: dict[str, list[float]] = {name: [] for name in works}
    order = list(works)
    gc.collect()
    # What is loaded by now is the benchmark's: the scenarios should not pay for collecting it.
    gc.freeze()
    for _ in range(rounds):
        random.shuffle(order)
        for name in order:
            start = perf_counter_ns()
            works[name](calls[name])
            found[name].append((perf_counter_ns() - start) / calls[name])
    gc.unfreeze()
    return Times(found, bases)


def _calls(work: Work) -> int:
    """Warm a work up; return how many calls make a visit."""
    done, start = 0, perf_counter_ns()
    while done < _MOST_CALLS and perf_counter_ns() - start < _WARM_UP:
        work(1)
        done += 1
    start = perf_counter_ns()
    work(done)
    return max(1, int(_VISIT * done / (perf_counter_ns() - start)))
