"""The filter ``health`` on real servers, while a check hangs: with threads, forks and greenlets."""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from tests.frameworks import needs
from tests.health import PATIENCE, Held, probe
from tests.ini import ROOT
from tests.serving import Server, request, served_by_waitress, serving, until
from tests.wsgi import between_validators, hello
from wsgi_mw_paste import HealthMiddleware, HealthSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class HeldLater(Held):
    """A check that is held in its second run only; it knows the process of each run."""

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[int] = []

    def __call__(self) -> None:
        self.processes.append(os.getpid())
        if self.runs == 1:
            super().__call__()
        else:
            self.runs += 1


def wrap(app: WSGIApplication, check: Callable[[], object]) -> WSGIApplication:
    settings = HealthSettings(health_checks=[check], health_cache=0)
    return between_validators(lambda inner: HealthMiddleware(inner, settings), app)


# Threads.


def test_a_check_that_hangs_costs_one_thread_and_the_readiness() -> None:
    """200 probes and 200 requests, on four threads of waitress, one of which is held for seconds.

    All of them are answered while it is held: the requests as ever, the probes with the last result
    and, when the run is 5 s old, with 503. When the check returns, the process is ready again.
    """
    check = HeldLater()
    with (
        served_by_waitress(wrap(hello, check)) as [port],
        ThreadPoolExecutor(8) as clients,
    ):

        def status(path: str) -> int:
            return request(port, "GET", path).code

        def storm() -> dict[str, Counter[int]]:
            paths = ("/readyz", "/orders", "/livez")
            found = {path: [clients.submit(status, path) for _ in range(100)] for path in paths}
            return {
                path: Counter(answer.result(PATIENCE) for answer in answers)
                for path, answers in found.items()
            }

        assert status("/readyz") == 200
        held = clients.submit(status, "/readyz")
        assert check.entered.wait(PATIENCE)
        young = storm()
        until(lambda: status("/readyz") == 503)
        old = storm()
        assert not held.done()
        check.let_go.set()
        assert held.result(PATIENCE) == 200
        assert status("/readyz") == 200
    assert young == {"/readyz": {200: 100}, "/orders": {200: 100}, "/livez": {200: 100}}
    assert old == {"/readyz": {503: 100}, "/orders": {200: 100}, "/livez": {200: 100}}
    assert check.runs == 3


# Processes and greenlets. The application tells how far the check is.


class Holding:
    """An application whose check it can hold and let go."""

    def __init__(self) -> None:
        self.check = HeldLater()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/let-go":
            self.check.let_go.set()
        state = {
            "process": os.getpid(),
            "runs": self.check.processes,
            "entered": self.check.entered.is_set(),
        }
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(state).encode()]


def make_holding(global_conf: dict[str, str], /, **_: str) -> WSGIApplication:
    """Return the application behind the filter; a ``paste.app_factory``."""
    app = Holding()
    return wrap(app, app.check)


def make_preloaded(global_conf: dict[str, str], /, **_: str) -> WSGIApplication:
    """Return one that has been probed in the process that loads it, where a run still goes on."""
    app = Holding()
    wrapped = wrap(app, app.check)
    assert probe(wrapped)[0] == 200
    Thread(target=probe, args=[wrapped], daemon=True).start()
    assert app.check.entered.wait(PATIENCE)
    assert threading.active_count() > 1
    return wrapped


@contextmanager
def gunicorn(factory: str, *arguments: str) -> Iterator[Server]:
    """Serve one of these applications during the ``with`` statement."""
    ini = Path("holding.ini")
    ini.write_text(f"[app:main]\npaste.app_factory = {__name__}:{factory}\n", encoding="utf-8")
    options = ("--bind=127.0.0.1:0", f"--pythonpath={ROOT}", *arguments)
    with serving("gunicorn", *options, "--paste", ini) as server:
        yield server


def state(server: Server, path: str = "/") -> dict[str, object]:
    """Return what the application tells."""
    found = json.loads(server.request("GET", path).body)
    assert isinstance(found, dict)
    return found


def test_what_the_master_was_doing_does_not_reach_a_worker() -> None:
    """With ``--preload``, neither the master's result nor the run that hangs in it."""
    with gunicorn("make_preloaded", "--preload", "--threads=2") as server:
        before = state(server)
        answers = [server.request("GET", "/readyz") for _ in range(2)]
        after = state(server)
    worker = after["process"]
    assert [answer.code for answer in answers] == [200, 200]
    assert len({before["process"], worker}) == 1
    master = before["runs"]
    assert isinstance(master, list)
    assert len(master) == 2
    assert worker not in master
    assert after["runs"] == [*master, worker, worker]


@needs("gevent")
def test_a_check_that_waits_lets_other_greenlets_answer() -> None:
    """In a process with one thread, a second probe is answered while the first is held."""
    with (
        gunicorn("make_holding", "--worker-class=gevent") as server,
        ThreadPoolExecutor(1) as client,
    ):
        assert server.request("GET", "/readyz").code == 200
        held = client.submit(server.request, "GET", "/readyz")
        until(lambda: state(server)["entered"] is True)
        assert server.request("GET", "/readyz").code == 200
        assert server.request("GET", "/livez").code == 200
        assert not held.done()
        state(server, "/let-go")
        assert held.result(PATIENCE).code == 200
        assert server.request("GET", "/readyz").code == 200
        assert len(set(state(server)["runs"])) == 1  # type: ignore[call-overload]
