"""Trials of mutants: pytest collects the tests once, and forks a process for each mutant.

Functions that a module made when it was imported, such as those of a compiled table, have the
mistake too, for their code objects are replaced. What such a function returned at that time stays
as it was: a mistake in it survives, unless a test calls it.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from collections import Counter, defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from proof.mutations import become, live_functions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from proof.mutations import Functions, Mutant

#: What a test may take with a mutant: so many seconds of processor time, and so many times what it
#: takes without.
_PATIENCE: Final = 5
_TIMES: Final = 20
#: After so many seconds a process is ended, whatever it waits for: beyond what its tests take.
_WAIT: Final = 60
_NO_TEST: Final = "no test"
_SURVIVED: Final = "survived"
_BY_TIME: Final = "did not end"


def is_alive(outcome: str | None) -> bool:
    """Return whether no test noticed the mistake, or none was run yet."""
    return outcome in {None, _SURVIVED, _NO_TEST}


def is_by_time(outcome: str | None) -> bool:
    """Return whether the mistake was noticed as tests no longer came to an end."""
    return outcome == _BY_TIME


class Tests(NamedTuple):
    """What one run of the tests showed.

    :ivar by_line: the tests that run a line, by module and line.
    :ivar seconds: how long each takes, if it passes.
    """

    by_line: Mapping[Path, Mapping[int, Sequence[str]]]
    seconds: Mapping[str, float]

    def of(self, mutant: Mutant) -> set[str]:
        """Return the tests that run what is replaced, or else its statement."""
        lines = self.by_line[mutant.path]
        for first, last in (mutant.lines, mutant.statement):
            found = {test for line in range(first, last + 1) for test in lines.get(line, ())}
            if found & self.seconds.keys():
                return found & self.seconds.keys()
        return set()

    def is_import(self, mutant: Mutant) -> bool:
        """Return whether what is replaced runs only when the module is imported."""
        first, last = mutant.lines
        contexts = {
            context
            for line in range(first, last + 1)
            for context in self.by_line[mutant.path].get(line, ())
        }
        return contexts == {""}


class _Running(NamedTuple):
    """A process that tries a mutant.

    :ivar reader: a pipe with the names of the tests that failed.
    :ivar end: when it is ended.
    """

    mutant: Mutant
    reader: int
    end: float


class Trials:
    """A plugin that, instead of running the tests, tries mutants with them.

    :param todo: the mutants.
    :param processes: so many at a time.
    :param budget: a mutant is given up after so many seconds of tests.
    :param put: is called with each mutant and what became of it.
    """

    def __init__(
        self,
        todo: Sequence[Mutant],
        tests: Tests,
        processes: int,
        budget: float,
        put: Callable[[Mutant, str], None],
    ) -> None:
        self._todo, self._tests, self._put = todo, tests, put
        self._processes, self._budget = processes, budget
        self._items: dict[str, pytest.Item] = {}
        #: How many mutants of a module a test has killed.
        self._killers: defaultdict[Path, Counter[str]] = defaultdict(Counter)
        self._running: dict[int, _Running] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try all of them.

        :return: ``True``: the tests are not run as usual.
        """
        self._items = {item.nodeid: item for item in session.items}
        functions = live_functions(mutant.path for mutant in self._todo)
        gc.collect()
        gc.freeze()
        began = time.monotonic()
        try:
            for done, mutant in enumerate(self._todo):
                if done % 100 == 0:
                    took = time.monotonic() - began
                    print(f"{done} of {len(self._todo)}, {took:.0f} s", file=sys.stderr, flush=True)
                self._start(mutant, functions)
                while len(self._running) == self._processes:
                    self._reap()
            while self._running:
                self._reap()
        finally:
            for pid in self._running:
                os.killpg(pid, signal.SIGKILL)
        return True

    def _start(self, mutant: Mutant, functions: Functions) -> None:
        chosen = self._choose(mutant)
        if not chosen:
            self._put(mutant, _NO_TEST)
            return
        seconds = self._tests.seconds
        pid, reader = _fork([self._items[test] for test in chosen], seconds, mutant, functions)
        end = time.monotonic() + _WAIT + 2 * sum(seconds[test] for test in chosen)
        self._running[pid] = _Running(mutant, reader, end)

    def _choose(self, mutant: Mutant) -> list[str]:
        """Return the tests to run: those that killed others of the module, then the fast ones."""
        killers, seconds = self._killers[mutant.path], self._tests.seconds
        chosen: list[str] = []
        total = 0.0
        for test in sorted(
            self._tests.of(mutant) & self._items.keys(),
            key=lambda test: (-killers[test], seconds[test], test),
        ):
            total += seconds[test]
            if chosen and total > self._budget:
                break
            chosen.append(test)
        return chosen

    def _reap(self) -> None:
        """Take down what a process has found, if one has come to its end."""
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid in self._running:
            running = self._running.pop(pid)
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)  # the servers that its tests have started
            killer = "".join(_read(running.reader))
            if os.WIFSIGNALED(status):
                outcome = _BY_TIME
            else:
                outcome = f"killed by {killer}" if killer else _SURVIVED
            self._killers[running.mutant.path][killer] += killer in self._items
            self._put(running.mutant, outcome)
        elif not pid:
            time.sleep(0.01)
            for late, running in self._running.items():
                if time.monotonic() > running.end:
                    with suppress(ProcessLookupError):  # it has ended in the meantime
                        os.killpg(late, signal.SIGKILL)


class _Control:
    """A plugin that runs every test in a forked process, without a mistake."""

    def __init__(self, seconds: Mapping[str, float], processes: int) -> None:
        self._seconds, self._processes = seconds, processes
        self.failing: list[str] = []

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = [item for item in session.items if item.nodeid in self._seconds]
        step = self._processes
        forks = [_fork(items[first::step], self._seconds) for first in range(step)]
        for pid, reader in forks:
            self.failing += _read(reader)
            _, status = os.waitpid(pid, 0)
            if status:
                raise RuntimeError(f"the tests without a mistake ended with status {status}")
        return True


def failing_without_a_mistake(
    arguments: Sequence[str], seconds: Mapping[str, float], processes: int
) -> list[str]:
    """Return the tests that fail in a forked process anyway, so that they prove nothing.

    :param arguments: pytest's.
    :param seconds: how long each test takes.
    :raises RuntimeError: they do not come to an end.
    """
    control = _Control(seconds, processes)
    pytest.main([*arguments, "-p", "no:cov"], plugins=[control])
    return control.failing


def _fork(
    items: Sequence[pytest.Item],
    seconds: Mapping[str, float],
    mutant: Mutant | None = None,
    functions: Functions | None = None,
) -> tuple[int, int]:
    """Run tests in a new process, with a mutant until one fails.

    :return: its id, and a pipe with the names of those that failed.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return pid, reader
    # Whatever happens, this process never comes back into pytest's loop.
    try:
        os.setsid()
        os.close(reader)
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        if mutant:
            become(mutant, functions or {})
        for failed in _failing(items, seconds):
            os.write(writer, f"{failed}\n".encode())
            if mutant:
                break
        status = 0
    except BaseException as error:  # noqa: BLE001 -- a mistake may raise anything
        os.write(writer, f"{type(error).__name__}\n".encode())
        status = 0 if mutant else 1
    finally:
        os._exit(status)


class _Failures:
    """A plugin that knows whether a test has failed since it was asked."""

    def __init__(self) -> None:
        self._any = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._any |= report.failed

    def any(self) -> bool:
        self._any, was = False, self._any
        return was


def _failing(items: Sequence[pytest.Item], seconds: Mapping[str, float]) -> Iterator[str]:
    """Run tests; yield the names of those that fail."""
    failures = _Failures()
    items[0].config.pluginmanager.register(failures)
    for item, following in zip(items, [*items[1:], None], strict=True):
        limit = _PATIENCE + _TIMES * seconds[item.nodeid]
        signal.setitimer(signal.ITIMER_PROF, limit)  # whose signal ends the process
        item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
        if failures.any():
            yield item.nodeid


def _read(pipe: int) -> list[str]:
    with os.fdopen(pipe, "rb") as file:
        return file.read().decode().splitlines()
