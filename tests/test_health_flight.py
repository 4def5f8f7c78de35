"""One thread at a time runs the checks, and no other waits for it."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from tests.health import PATIENCE, Held, Scripted, probe, states
from tests.serving import in_child
from tests.wsgi import hello
from wsgi_mw_paste import HealthMiddleware, HealthSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def wrap(*checks: Callable[[], object], cache: int = 0) -> HealthMiddleware:
    return HealthMiddleware(hello, HealthSettings(health_checks=checks, health_cache=cache))


@pytest.fixture
def held() -> Iterator[Held]:
    """Return a check that is let go at the end of the test, if not before."""
    check = Held()
    yield check
    check.let_go.set()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as executor:
        yield executor


# The cache.


def test_a_result_is_used_again_while_it_is_young() -> None:
    """Within ``health_cache`` seconds no check runs; the body says how old the result is."""
    check = Scripted(None)
    app = wrap(check, cache=3600)
    assert [probe(app)[0] for _ in range(5)] == [200] * 5
    assert check.runs == 1


def test_a_bad_result_is_used_again_as_well() -> None:
    """A backend that is down is not asked more often than one that is up."""
    check = Scripted(ValueError())
    app = wrap(check, cache=3600)
    assert [probe(app)[0] for _ in range(5)] == [503] * 5
    assert check.runs == 1


def test_without_a_cache_every_probe_runs_the_checks() -> None:
    """``health_cache = 0`` means that the result is as old as the answer."""
    check = Scripted(None, ValueError(), None)
    app = wrap(check)
    assert [probe(app)[0] for _ in range(3)] == [200, 503, 200]


def test_an_old_result_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """After ``health_cache`` seconds the next probe runs the checks; the age is told until then."""
    clock = [1000.0]
    monkeypatch.setattr("wsgi_mw_paste.health.monotonic", lambda: clock[0])
    check = Scripted(None)
    app = wrap(check, cache=10)
    assert probe(app)[1]["age_seconds"] == 0
    clock[0] += 9.9
    assert probe(app)[1]["age_seconds"] == 9.9
    clock[0] += 0.1
    assert probe(app)[1]["age_seconds"] == 0
    assert check.runs == 2


# Single flight.


def test_before_the_first_result_others_are_told_503(held: Held, pool: ThreadPoolExecutor) -> None:
    """What is running, and for how long, stands in the body; the run's own probe gets its result.

    A check behind the one that hangs has not begun, and is not named.
    """
    done = Scripted(None)
    app = wrap(done, held, Scripted(None))
    first = pool.submit(probe, app)
    assert held.entered.wait(PATIENCE)
    code, document = probe(app)
    assert (code, document["status"], states(document)) == (503, "running", ["ok", "running"])
    held.let_go.set()
    code, document = first.result(PATIENCE)
    assert (code, states(document)) == (200, ["ok", "ok", "ok"])
    assert done.runs == 1


class HeldLater(Held):
    """A check that is held in its second run only."""

    def __call__(self) -> None:
        if self.runs == 1:
            super().__call__()
        else:
            self.runs += 1


@pytest.mark.parametrize(
    ("seconds", "age", "code", "status", "state", "milliseconds"),
    [
        pytest.param(4.876, 4.9, 200, "ready", "ok", 0, id="young"),
        pytest.param(5, 5, 503, "running", "running", 5000, id="too old"),
        pytest.param(500.06789, 500.1, 503, "running", "running", 500067.9, id="far too old"),
    ],
)
def test_the_last_result_stands_until_the_run_is_5_seconds_old(
    *,
    seconds: float,
    age: float,
    code: int,
    status: str,
    state: str,
    milliseconds: float,
    caplog: pytest.LogCaptureFixture,
    pool: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From then on a check that hangs costs the process its readiness; it gets it back at the end.

    The clock is put forward; a test with a real server waits.
    """
    clock = [1000.0]
    monkeypatch.setattr("wsgi_mw_paste.health.monotonic", lambda: clock[0])
    check = HeldLater()
    app = wrap(check)
    assert probe(app)[0] == 200
    try:
        running = pool.submit(probe, app)
        assert check.entered.wait(PATIENCE)
        clock[0] += seconds
        assert probe(app) == (
            code,
            {
                "status": status,
                "age_seconds": age,
                "checks": [
                    {
                        "name": "tests.test_health_flight:HeldLater",
                        "state": state,
                        "milliseconds": milliseconds,
                    }
                ],
            },
        )
        assert len(caplog.records) == (code == 503)
    finally:
        check.let_go.set()
    assert running.result(PATIENCE)[0] == 200
    assert probe(app)[0] == 200


@pytest.mark.parametrize(
    ("seconds", "code", "status"),
    [
        pytest.param(14.9, 200, "ready", id="young"),
        pytest.param(15.0, 503, "running", id="too old"),
        pytest.param(3600, 503, "running", id="after a long silence"),
    ],
)
def test_the_last_result_stands_until_it_is_5_seconds_older_than_the_cache_allows(
    *,
    seconds: float,
    code: int,
    status: str,
    pool: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However young the run is: what was true an hour ago says nothing about now.

    So of two probes that overlap after a long silence, the second is told 503; not so if
    ``health_cache`` is as long as the interval of the probes.
    """
    clock = [1000.0]
    monkeypatch.setattr("wsgi_mw_paste.health.monotonic", lambda: clock[0])
    check = HeldLater()
    app = wrap(check, cache=10)
    assert probe(app)[0] == 200
    clock[0] += seconds
    try:
        running = pool.submit(probe, app)
        assert check.entered.wait(PATIENCE)
        found, document = probe(app)
        assert (found, document["status"]) == (code, status)
        assert document["age_seconds"] == (seconds if code == 200 else 0)
    finally:
        check.let_go.set()
    assert running.result(PATIENCE)[0] == 200


def test_a_run_that_has_just_begun_is_not_overdue(
    held: Held, pool: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    """The 503 of a probe that has nothing recent to go by is no trouble, and not logged."""
    app = wrap(held)
    running = pool.submit(probe, app)
    assert held.entered.wait(PATIENCE)
    assert probe(app)[1]["status"] == "running"
    held.let_go.set()
    assert running.result(PATIENCE)[0] == 200
    assert caplog.messages == []


def test_many_threads_at_once_run_the_checks_once(held: Held, pool: ThreadPoolExecutor) -> None:
    """The first probe runs them; the others are answered while they run."""
    app = wrap(held)
    probes = [pool.submit(probe, app) for _ in range(8)]
    assert held.entered.wait(PATIENCE)
    while sum(answer.done() for answer in probes) < 7:
        threading.Event().wait(0.01)
    held.let_go.set()
    assert sorted(answer.result(PATIENCE)[0] for answer in probes) == [200] + [503] * 7
    assert held.runs == 1


def test_under_a_storm_of_probes_no_two_runs_overlap(pool: ThreadPoolExecutor) -> None:
    """Not even without a cache and with threads that change at every chance."""
    inside, most = [0], [0]

    def check() -> None:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        threading.Event().wait(0.0001)
        inside[0] -= 1

    app = wrap(check)
    assert probe(app)[0] == 200
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        codes = set(pool.map(lambda _: probe(app)[0], range(500)))
    finally:
        sys.setswitchinterval(interval)
    assert (codes, most) == ({200}, [1])


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), GeneratorExit()])
def test_a_run_is_released_whatever_is_raised(error: BaseException) -> None:
    """A server's time limit that strikes inside a check does not stop all later runs."""
    check = Scripted(None, error, None)
    app = wrap(check)
    assert probe(app)[0] == 200
    with pytest.raises(type(error)):
        probe(app)
    assert probe(app)[0] == 200
    assert check.runs == 3


def test_two_middlewares_have_a_flight_each(held: Held, pool: ThreadPoolExecutor) -> None:
    """The checks of one application that hang are not the other's."""
    first, second = wrap(held), wrap(Scripted(None))
    running = pool.submit(probe, first)
    assert held.entered.wait(PATIENCE)
    assert probe(second)[0] == 200
    held.let_go.set()
    assert running.result(PATIENCE)[0] == 200


# Forks.


def test_a_child_takes_over_no_run() -> None:
    """A fork in the middle of a run: the child runs the checks itself, and the parent goes on."""
    check = HeldLater()
    app = wrap(check)
    assert probe(app)[0] == 200
    running = Thread(target=probe, args=[app])
    running.start()
    assert check.entered.wait(PATIENCE)
    assert in_child(lambda: (probe(app)[0], check.runs)) == "(200, 3)"
    check.let_go.set()
    running.join(PATIENCE)
    assert probe(app)[0] == 200
    assert check.runs == 3


def test_a_child_takes_over_no_result() -> None:
    """What its parent's connections were worth is not what its own are."""
    check = Scripted(None)
    app = wrap(check, cache=3600)
    assert probe(app)[0] == 200
    assert in_child(lambda: (probe(app)[0], check.runs)) == "(200, 2)"
    assert probe(app)[0] == 200
    assert check.runs == 1
