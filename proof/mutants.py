"""Mutation testing, which asks whether the tests would notice a small mistake.

Every mutant is tried in a process of its own, forked from one that has collected the tests, with
the tests that run the changed line, one after the other until one fails. Results are kept: a second
run tries what is new, and what survived if the tests have changed since. So it can be stopped at
any time.

``survivors.json`` says why mutants that survive are equivalent. The exit status is 1 if too few are
killed, or if others survive than these.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from coverage import CoverageData

from proof.mutations import caches, forget, mutants
from proof.trials import Tests, Trials, failing_without_a_mistake, is_alive, is_by_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from proof.mutations import Mutant

ROOT: Final = Path(__file__).parents[1]
PACKAGE: Final = ROOT / "wsgi_mw_paste"
FOLDER: Final = ROOT / ".mutants"
_SECONDS: Final = FOLDER / "seconds.json"
#: How many of its mutants have to be killed, in percent.
BOUND: Final = 95
#: The same for the command, whose survivors need no reason: most change a word of a report.
BOUND_OF_COMMAND: Final = 85
#: Tests that see nothing of a change in this process, or that need longer than all others together.
LEFT_OUT: Final = [
    "browser",
    "browser_page",
    "docs",
    "frameworks",
    "servers",
    "test_bodies_served.py",
    "test_benchmarks.py",
    "test_container.py",
    "test_development_ini.py",
    "test_dist.py",
    "test_explain_browsers.py",
    "test_faults_served.py",
    "test_garbage.py",
    "test_health_recipes.py",
    "test_health_served.py",
    "test_kubelet.py",
    "test_kubernetes.py",
    "test_layers.py",
    "test_makefile.py",
    "test_playground.py",
    "test_playground_page.py",
    "test_proof.py",
    "test_readme.py",
    "test_request_served.py",
    "test_served.py",
    "test_supply_chain.py",
]
_ARGUMENTS: Final = [
    "-q",
    "--override-ini=addopts=",
    "--override-ini=timeout=20",
    "--capture=sys",
    "-p",
    "no:randomly",
    "-p",
    "no:cacheprovider",
    *(f"--ignore=tests/{name}" for name in LEFT_OUT),
]


class _Watch:
    """A plugin that takes down how long each test takes, if it passes."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._caches: list[Any] = []

    def pytest_collection_finish(self) -> None:
        self._caches = caches()

    def pytest_runtest_setup(self) -> None:
        """Let the test run what an earlier one has made the package keep."""
        forget(self._caches)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        took = report.duration if report.passed else float("inf")
        self.seconds[report.nodeid] += took


def _observe(targets: Sequence[str]) -> None:
    """Run the tests once, and take down what they run and how long."""
    watch = _Watch()
    cov = [f"--cov={PACKAGE}", "--cov-context=test", "--cov-report="]
    pytest.main([*_ARGUMENTS, *targets, *cov], plugins=[watch])
    seconds = {name: took for name, took in watch.seconds.items() if took != float("inf")}
    _SECONDS.write_text(json.dumps(seconds, indent=0))


def _observed(targets: Sequence[str], processes: int) -> Tests:
    """Return what the tests run, from the last run if neither code nor tests have changed."""
    stamp, file = _digest(targets, "wsgi_mw_paste"), FOLDER / "stamp"
    if not file.exists() or file.read_text() != stamp:
        file.unlink(missing_ok=True)
        # In a process of its own: tests may use up what they are collected with.
        command = [sys.executable, "-m", "proof.mutants", "--observe", "--tests", *targets]
        environ = {**os.environ, "COVERAGE_FILE": str(FOLDER / "coverage")}
        subprocess.run(command, env=environ, check=True)
        for path in FOLDER.glob("coverage.*"):  # what the tests' own processes have run
            path.unlink()
        seconds = json.loads(_SECONDS.read_text())
        for name in failing_without_a_mistake([*_ARGUMENTS, *targets], seconds, processes):
            print(f"left out, it fails in a forked process without a mistake: {name}", flush=True)
            del seconds[name]
        _SECONDS.write_text(json.dumps(seconds, indent=0))
        file.write_text(stamp)
    data = CoverageData(str(FOLDER / "coverage"))
    data.read()
    by_line = {
        path: {
            line: [context.rpartition("|")[0] for context in contexts]
            for line, contexts in data.contexts_by_lineno(str(path)).items()
        }
        for path in PACKAGE.rglob("*.py")
    }
    return Tests(by_line, json.loads(_SECONDS.read_text()))


def _digest(targets: Sequence[str], *folders: str) -> str:
    """Return a hash of these tests, and of the modules in these folders."""
    paths = [
        path for folder in ("tests", *folders) for path in sorted((ROOT / folder).rglob("*.py"))
    ]
    text = b"".join(path.read_bytes() for path in paths)
    return hashlib.sha256(text + "\n".join(targets).encode()).hexdigest()


class Results:
    """What became of each mutant, kept in a file."""

    def __init__(self, targets: Sequence[str]) -> None:
        self._file = FOLDER / "results.json"
        self._kept: dict[str, list[str]] = (
            json.loads(self._file.read_text()) if self._file.exists() else {}
        )
        self._tests = _digest(targets)
        self._modules: dict[Path, str] = {}
        self._saved = time.monotonic()

    def _module(self, path: Path) -> str:
        return self._modules.setdefault(path, hashlib.sha256(path.read_bytes()).hexdigest())

    def get(self, mutant: Mutant) -> str | None:
        """Return the outcome; ``None`` if it has to be found out."""
        outcome, module, tests = self._kept.get(mutant.name, ("", "", ""))
        if module != self._module(mutant.path):
            return None
        return outcome if tests == self._tests or not is_alive(outcome) else None

    def put(self, mutant: Mutant, outcome: str) -> None:
        """Keep an outcome."""
        self._kept[mutant.name] = [outcome, self._module(mutant.path), self._tests]
        if time.monotonic() - self._saved > 5:  # noqa: PLR2004 -- seconds that may be lost
            self.save()

    def save(self) -> None:
        """Write all of them down."""
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(self._kept, indent=0))
        new.replace(self._file)
        self._saved = time.monotonic()


def _modules(names: Iterable[str]) -> Iterator[tuple[str, Path]]:
    """Yield the modules to mutate, by the names they have inside the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        if not name.startswith("playground.") and (not names or name in names):
            yield name, path


def _report(found: Mapping[str, Sequence[Mutant]], results: Results) -> bool:
    """Print what became of the mutants; return whether all is as it has to be."""
    reasons = json.loads((ROOT / "proof/survivors.json").read_text())
    explained = {name for each in reasons for name in each["mutants"]}
    problems = []
    print("| module | mutants | killed | by time | survivors explained | others | killed of all |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for module, mutants_of_it in found.items():
        alive = {m.name for m in mutants_of_it if is_alive(results.get(m))}
        by_time = sum(is_by_time(results.get(m)) for m in mutants_of_it)
        of_all, killed = len(mutants_of_it), len(mutants_of_it) - len(alive)
        rate = 100 * killed / of_all
        print(
            f"| {module} | {of_all} | {killed} | {by_time} | {len(alive & explained)}"
            f" | {len(alive - explained)} | {rate:.1f} % |"
        )
        is_command = module.startswith("command.")
        bound = BOUND_OF_COMMAND if is_command else BOUND
        if rate < bound:
            problems.append(f"{module}: {rate:.1f} % are killed, expected {bound} %")
        if not is_command:
            problems += [f"survived: {name}" for name in sorted(alive - explained)]
        dead = explained & {m.name for m in mutants_of_it} - alive
        problems += [f"explained, but killed: {name}" for name in sorted(dead)]
    print(*problems, sep="\n")
    return not problems


def main(arguments: Sequence[str] | None = None) -> int:
    """Try all mutants, or those of some modules; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m proof.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", help="such as cors or command.check; default: all")
    parser.add_argument("--tests", nargs="+", default=["tests"], help="try with these only")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--budget", type=float, default=30, help="seconds of tests that a mutant is tried with"
    )
    parser.add_argument("--observe", action="store_true", help=argparse.SUPPRESS)
    options: Any = parser.parse_args(arguments)
    FOLDER.mkdir(exist_ok=True)
    if options.observe:
        _observe(options.tests)
        return 0
    tests, results = _observed(options.tests, options.processes), Results(options.tests)
    by_module = {
        name: [mutant for mutant in mutants(path, name) if not tests.is_import(mutant)]
        for name, path in _modules(options.modules)
    }
    found = {name: some for name, some in by_module.items() if some}
    todo = [m for some in found.values() for m in some if results.get(m) is None]
    if todo:
        trials = Trials(todo, tests, options.processes, options.budget, results.put)
        try:
            pytest.main([*_ARGUMENTS, *options.tests, "-p", "no:cov"], plugins=[trials])
        finally:
            results.save()
    return 0 if _report(found, results) else 1


if __name__ == "__main__":
    sys.exit(main())
