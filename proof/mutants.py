"""Mutation testing: would the tests notice a small mistake?

Every mutant is tried in a process of its own, forked from one that has collected the tests, with
the tests that run the changed line, one after the other until one fails. Results are kept: a second
run tries what is new, and what survived if the tests have changed since. So it can be stopped at
any time.

``survivors.toml`` says why a mutant that survives is equivalent. One that is not listed there, and
a module below its bound, make the exit status 1.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
from _pytest.runner import runtestprotocol
from coverage import CoverageData

from proof.mutations import become, live_functions, mutants

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from proof.mutations import Functions, Mutant

ROOT: Final = Path(__file__).parents[1]
PACKAGE: Final = ROOT / "wsgi_mw_paste"
FOLDER: Final = ROOT / ".mutants"
#: How much of a module's mutants has to be killed, in percent, by the beginning of its name.
BOUNDS: Final = {"command.": 85, "": 95}
#: Tests that see nothing of a change in this process, or that need longer than all others together.
LEFT_OUT: Final = [
    "browser",
    "browser_page",
    "docs",
    "frameworks",
    "servers",
    "test_bodies_served.py",
    "test_container.py",
    "test_development_ini.py",
    "test_explain_browsers.py",
    "test_faults_served.py",
    "test_garbage.py",
    "test_health_recipes.py",
    "test_health_served.py",
    "test_kubelet.py",
    "test_kubernetes.py",
    "test_layers.py",
    "test_makefile.py",
    "test_benchmarks.py",
    "test_proof.py",
    "test_playground.py",
    "test_playground_page.py",
    "test_readme.py",
    "test_request_served.py",
    "test_served.py",
]
_ARGUMENTS: Final = [
    "-q",
    "--override-ini=addopts=",
    "--override-ini=timeout=60",
    "--capture=sys",
    "-p",
    "no:randomly",
    "-p",
    "no:cacheprovider",
    "tests",
    *(f"--ignore=tests/{name}" for name in LEFT_OUT),
]
#: What a test may take with a mutant, in seconds of processor time, and how often its usual time.
_PATIENCE: Final = 5
_TIMES: Final = 20
_NO_TEST: Final = "no test"
_SURVIVED: Final = "survived"


class Tests(NamedTuple):
    """What one run of the tests showed.

    :ivar by_line: the tests that run a line, by module and line.
    :ivar seconds: how long each takes.
    """

    by_line: Mapping[str, Mapping[int, Sequence[str]]]
    seconds: Mapping[str, float]

    def of(self, mutant: Mutant) -> set[str]:
        """Return the tests that run what is replaced, or its statement."""
        lines = self.by_line[str(mutant.path)]
        for first, last in (mutant.lines, mutant.statement):
            found = {
                test
                for line in range(first, last + 1)
                for test in lines.get(line, ())
                if test in self.seconds
            }
            if found:
                return found
        return set()


class _Watch:
    """A plugin that takes down how long each test takes."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration
        if report.failed or report.skipped:
            # A test that fails without a mistake finds none.
            self.seconds[report.nodeid] = float("inf")


def observe() -> int:
    """Run the tests once, and take down what they run."""
    watch = _Watch()
    code = pytest.main(
        [*_ARGUMENTS, f"--cov={PACKAGE}", "--cov-context=test", "--cov-report="], plugins=[watch]
    )
    passed = {name: took for name, took in watch.seconds.items() if took != float("inf")}
    FOLDER.joinpath("seconds.json").write_text(json.dumps(passed))
    return int(code)


def _observed() -> Tests:
    """Return what the tests run, from the last run if neither code nor tests have changed."""
    stamp, file = _digest(ROOT, "tests/**/*.py", "wsgi_mw_paste/**/*.py"), FOLDER / "stamp"
    if not file.exists() or file.read_text() != stamp:
        subprocess.run(
            [sys.executable, "-m", "proof.mutants", "--observe"],
            env={**os.environ, "COVERAGE_FILE": str(FOLDER / "coverage")},
            check=False,
        )
        file.write_text(stamp)
    data = CoverageData(str(FOLDER / "coverage"))
    data.read()
    by_line = {
        str(path): {
            line: [context.rpartition("|")[0] for context in contexts]
            for line, contexts in data.contexts_by_lineno(str(path)).items()
        }
        for path in PACKAGE.rglob("*.py")
    }
    return Tests(by_line, json.loads(FOLDER.joinpath("seconds.json").read_text()))


def _digest(folder: Path, *patterns: str) -> str:
    text = b"".join(
        path.read_bytes() for pattern in patterns for path in sorted(folder.glob(pattern))
    )
    return hashlib.sha256(text).hexdigest()


class Results:
    """What became of each mutant, kept in a file."""

    def __init__(self) -> None:
        self._file = FOLDER / "results.json"
        self._kept: dict[str, list[str]] = (
            json.loads(self._file.read_text()) if self._file.exists() else {}
        )
        self._tests = _digest(ROOT, "tests/**/*.py")
        self._modules: dict[Path, str] = {}
        self._saved = time.monotonic()

    def _module(self, path: Path) -> str:
        return self._modules.setdefault(path, hashlib.sha256(path.read_bytes()).hexdigest())

    def get(self, mutant: Mutant) -> str | None:
        """Return the outcome; ``None`` if it has to be found out."""
        outcome, module, tests = self._kept.get(mutant.name, ("", "", ""))
        if module != self._module(mutant.path):
            return None
        return outcome if tests == self._tests or outcome not in (_SURVIVED, _NO_TEST) else None

    def put(self, mutant: Mutant, outcome: str) -> None:
        """Keep an outcome."""
        self._kept[mutant.name] = [outcome, self._module(mutant.path), self._tests]
        if time.monotonic() - self._saved > _PATIENCE:
            self.save()

    def save(self) -> None:
        """Write all of them down."""
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(self._kept, indent=0))
        new.replace(self._file)
        self._saved = time.monotonic()


class _Trial:
    """A plugin that, instead of running the tests, tries mutants with them."""

    def __init__(
        self, todo: Sequence[Mutant], tests: Tests, results: Results, processes: int, budget: float
    ) -> None:
        self._todo, self._tests, self._results = todo, tests, results
        self._processes, self._budget = processes, budget
        self._items: dict[str, pytest.Item] = {}
        self._functions: Functions = {}
        #: How many mutants of a module a test has killed.
        self._killers: defaultdict[Path, Counter[str]] = defaultdict(Counter)
        self._running: dict[int, tuple[Mutant, int]] = {}

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._items = {item.nodeid: item for item in session.items}
        self._functions = live_functions(str(PACKAGE))
        gc.collect()
        gc.freeze()
        self._leave_out_what_fails()
        done, began = 0, time.monotonic()
        try:
            for mutant in self._todo:
                chosen = self._choose(mutant)
                if not chosen:
                    self._results.put(mutant, _NO_TEST)
                    continue
                if len(self._running) == self._processes:
                    self._reap()
                pid, reader = self._fork(mutant, chosen)
                self._running[pid] = mutant, reader
                done += 1
                if done % 100 == 0:
                    took = time.monotonic() - began
                    print(f"{done} of {len(self._todo)}, {took:.0f} s", file=sys.stderr, flush=True)
            while self._running:
                self._reap()
        finally:
            for pid in self._running:
                os.killpg(pid, signal.SIGKILL)
            self._results.save()
        return True

    def _choose(self, mutant: Mutant) -> list[str]:
        """Return the tests to run: what has killed others of the module, and the fast ones first."""
        killers, seconds = self._killers[mutant.path], self._tests.seconds
        chosen, total = [], 0.0
        for test in sorted(
            self._tests.of(mutant) & self._items.keys(),
            key=lambda test: (-killers[test], seconds[test], test),
        ):
            total += seconds[test]
            if chosen and total > self._budget:
                break
            chosen.append(test)
        return chosen

    def _leave_out_what_fails(self) -> None:
        """Run every test in a forked process without a mistake: what fails there proves nothing."""
        names = sorted(self._items)
        running = [
            self._fork(None, names[first :: self._processes]) for first in range(self._processes)
        ]
        for pid, reader in running:
            failing = _read(reader).splitlines()
            _, status = os.waitpid(pid, 0)
            if status:
                raise RuntimeError(f"the tests without a mistake ended with {status}")
            for name in failing:
                print(f"left out, it fails without a mistake: {name}", file=sys.stderr)
                self._items.pop(name, None)

    def _fork(self, mutant: Mutant | None, chosen: Sequence[str]) -> tuple[int, int]:
        """Run tests in a new process; return its id, and a pipe with those that failed."""
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
                become(mutant, self._functions)
            for killer in self._failing(chosen):
                os.write(writer, f"{killer}\n".encode())
                if mutant:
                    break
        except BaseException as error:  # noqa: BLE001 -- a mistake may raise anything
            os.write(writer, f"{type(error).__name__}\n".encode())
        finally:
            os._exit(0)

    def _failing(self, chosen: Sequence[str]) -> Iterator[str]:
        """Run tests; yield those that fail."""
        items = [self._items[test] for test in chosen]
        for item, following in zip(items, [*items[1:], None], strict=True):
            limit = _PATIENCE + _TIMES * self._tests.seconds[item.nodeid]
            signal.setitimer(signal.ITIMER_PROF, limit)  # whose signal ends the process
            if any(
                report.failed for report in runtestprotocol(item, log=False, nextitem=following)
            ):
                yield item.nodeid

    def _reap(self) -> None:
        """Wait for one process, and take down what it found."""
        pid, status = os.waitpid(-1, 0)
        if pid not in self._running:
            return
        mutant, reader = self._running.pop(pid)
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # the servers that its tests have started
        killer = _read(reader).strip()
        if os.WIFSIGNALED(status):
            outcome = f"signal {os.WTERMSIG(status)}"
        else:
            outcome = f"killed by {killer}" if killer else _SURVIVED
        if killer in self._items:
            self._killers[mutant.path][killer] += 1
        self._results.put(mutant, outcome)


def _read(pipe: int) -> str:
    with os.fdopen(pipe, "rb") as file:
        return file.read().decode()


def _modules(patterns: Iterable[str]) -> Iterator[tuple[str, Path]]:
    """Yield the modules to mutate, by the names they have inside the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        if not name.startswith("playground.") and (not patterns or name in patterns):
            yield name, path


def _report(found: Mapping[str, Sequence[Mutant]], results: Results) -> bool:
    """Print what became of the mutants; return whether all is as it has to be."""
    reasons = {
        name: reason["reason"]
        for reason in tomllib.loads((ROOT / "proof/survivors.toml").read_text())["equivalent"]
        for name in reason["mutants"]
    }
    is_well = True
    print("| module | mutants | killed | equivalent | survived | killed of all |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    survivors = []
    for module, all_of_it in found.items():
        alive = [m.name for m in all_of_it if results.get(m) in (None, _SURVIVED, _NO_TEST)]
        strange = [name for name in alive if name not in reasons]
        survivors += strange
        killed = len(all_of_it) - len(alive)
        rate = 100 * killed / len(all_of_it)
        bound = next(bound for start, bound in BOUNDS.items() if module.startswith(start))
        is_well = is_well and rate >= bound
        equivalent = len(alive) - len(strange)
        print(
            f"| {module} | {len(all_of_it)} | {killed} | {equivalent} | {len(strange)}"
            f" | {rate:.1f} %{'' if rate >= bound else f', below {bound}'} |"
        )
    for name in survivors:
        print(name)
    return is_well


def main(arguments: Sequence[str] | None = None) -> int:
    """Try all mutants, or those of some modules; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m proof.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", help="such as cors or command.check; default: all")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--budget", type=float, default=60, help="seconds of tests that a mutant is tried with"
    )
    parser.add_argument("--observe", action="store_true", help=argparse.SUPPRESS)
    options: Any = parser.parse_args(arguments)
    FOLDER.mkdir(exist_ok=True)
    if options.observe:
        return observe()
    tests, results = _observed(), Results()
    found = {name: list(mutants(path, name)) for name, path in _modules(options.modules)}
    found = {name: all_of_it for name, all_of_it in found.items() if all_of_it}
    todo = [m for all_of_it in found.values() for m in all_of_it if results.get(m) is None]
    if todo:
        trial = _Trial(todo, tests, results, options.processes, options.budget)
        pytest.main([*_ARGUMENTS, "-p", "no:cov"], plugins=[trial])
    return 0 if _report(found, results) else 1


if __name__ == "__main__":
    sys.exit(main())
