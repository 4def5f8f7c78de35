"""Whatever the order of probes, checks and time: one run at a time, and no answer from long ago."""

from __future__ import annotations

import contextlib
import functools
from typing import Any

import gevent
import pytest
from greenlet import GreenletExit, getcurrent, greenlet
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.health import probe
from tests.wsgi import hello
from wsgi_mw_paste import HealthMiddleware, HealthSettings

#: How old a run may be while the last result still stands, in seconds.
PATIENCE = 5
OUTCOMES = st.sampled_from([True, True, None, False, ValueError, MemoryError])
ORDERS_TO_STOP = st.sampled_from([GreenletExit, gevent.Timeout, SystemExit])


class Probes(RuleBasedStateMachine):
    """Probes in greenlets. Each check gives way, so that the machine decides what comes next."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr("wsgi_mw_paste.health.monotonic", lambda: self.now)
        #: The greenlet that is inside a check, and when its run began.
        self.running: Any = None
        self.began = 0.0
        #: When the last run ended, and whether all was well.
        self.last: tuple[float, bool] | None = None
        self.is_well = True
        self.inside = 0

    def teardown(self) -> None:
        if self.running is not None:
            self.running.throw(GreenletExit)
        self.patch.undo()

    @initialize(cache=st.sampled_from([0, 1, 10]), checks=st.integers(1, 3))
    def load(self, cache: int, checks: int) -> None:
        self.cache, self.checks = cache, checks
        settings = HealthSettings(
            health_cache=cache, health_checks=[self.make() for _ in range(checks)]
        )
        self.app = HealthMiddleware(hello, settings)

    def make(self) -> Any:
        """Return a check that is none of the others."""
        return functools.partial(self.check)

    def check(self) -> object:
        """Wait in the machine for the outcome."""
        self.inside += 1
        assert self.inside == 1
        try:
            outcome = getcurrent().parent.switch(None)
            self.is_well = self.is_well and outcome in (True, None)
            if isinstance(outcome, type):
                raise outcome
            return outcome
        finally:
            self.inside -= 1

    def go_on(self, step: Any, *arguments: object) -> None:
        """Let a greenlet run until it is in a check or at its end, and look at its answer."""
        found = step(*arguments)
        if found is None:
            return
        code, document = found
        assert (code == 200) is (document["status"] == "ready")
        self.running, self.last = None, (self.now, self.is_well)
        assert document["status"] == ("ready" if self.is_well else "not ready")
        assert len(document["checks"]) == self.checks

    @rule()
    def send_a_probe(self) -> None:
        """See that it runs the checks, or is answered at once."""
        new = greenlet(lambda: probe(self.app))
        is_fresh = self.last is not None and self.now - self.last[0] < self.cache
        if self.running is None and not is_fresh:
            self.running, self.began, self.is_well = new, self.now, True
            self.go_on(new.switch)
        else:
            self.look_on(*new.switch(), is_fresh=is_fresh)

    def look_on(self, code: int, document: dict[str, Any], *, is_fresh: bool) -> None:
        """Judge an answer that was given at once, by a model of what has happened."""
        assert code == 503 or document["age_seconds"] < self.cache + PATIENCE
        if self.last is not None:
            ended, was_well = self.last
            age = self.now - ended
            is_young = self.running is not None and self.now - self.began < PATIENCE
            if is_fresh or (is_young and age < self.cache + PATIENCE):
                known = (200, "ready") if was_well else (503, "not ready")
                assert (code, document["status"]) == known
                assert document["age_seconds"] == round(age, 1)
                return
        assert (code, document["status"]) == (503, "running")

    @precondition(lambda self: self.running is not None)
    @rule(outcome=OUTCOMES)
    def end_a_check(self, outcome: object) -> None:
        self.go_on(self.running.switch, outcome)

    @precondition(lambda self: self.running is not None)
    @rule(order=ORDERS_TO_STOP)
    def stop_the_run(self, order: type[BaseException]) -> None:
        """Kill the greenlet inside a check: the next probe can run the checks."""
        with contextlib.suppress(gevent.Timeout, SystemExit):
            self.running.throw(order)
        assert self.running.dead
        self.running = None

    @rule(seconds=st.sampled_from([0.5, 1, 4.5, 5, 60]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def one_run_at_a_time(self) -> None:
        assert self.inside == (self.running is not None)


TestProbes = Probes.TestCase
TestProbes.settings = hypothesis_settings(stateful_step_count=40)
