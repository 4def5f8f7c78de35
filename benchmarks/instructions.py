"""Instructions per request, counted by valgrind's callgrind: ``python -m benchmarks.instructions``.

They repeat to about 2 % whatever else the machine is doing, so they are what is compared between
commits. They are not time: system calls (``os.urandom``), cache misses and mispredicted branches
do not show.

One process serves every scenario. Collecting is switched on by a C function that nothing else in
the interpreter calls and that runs one line of Python: the requests of one variant.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import access, page
from benchmarks.driver import serving
from benchmarks.page import table
from benchmarks.scenarios import Scenario, scenarios

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from benchmarks.driver import Work

#: The function that callgrind watches; ``PyRun_SimpleString`` does nothing but call it.
_WATCHED = "PyRun_SimpleStringFlags"
_WARM_UP, _CALLS = 100, 200
#: Under valgrind some peers would take minutes for each of these.
_TOO_SLOW = re.compile("10,000|(1,000|100) origins")
#: The variant that does nothing: what it costs to be watched.
_NOTHING = "nothing"


def main() -> None:
    """Count, and put the table into the page; of a part of the scenarios only print it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--only", default="", help="scenarios whose name this matches")
    parser.add_argument("--watched", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    chosen = [
        scenario
        for scenario in scenarios()
        if re.search(arguments.only, scenario.name) and not _TOO_SLOW.search(scenario.name)
    ]
    if arguments.watched:
        _serve_all(chosen, with_lines=bool(re.search(arguments.only, access.SCENARIO)))
        return
    found = section(count(arguments.only))
    if arguments.only:
        print(found)
    else:
        page.write("instructions", found)


def count(only: str = "") -> dict[str, dict[str, float]]:
    """Return, by scenario and variant, the instructions that each adds to the bare application.

    :param only: a regular expression for the names of the scenarios to count.
    :raises SystemExit: valgrind is missing, or cannot see into this interpreter.
    """
    if shutil.which("valgrind") is None:
        sys.exit("valgrind is not installed")
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "out"
        command = [
            "valgrind", "--tool=callgrind", f"--toggle-collect={_WATCHED}",
            f"--dump-after={_WATCHED}", f"--callgrind-out-file={out}",
            sys.executable, "-m", "benchmarks.instructions", "--watched", "--only", only,
        ]  # fmt: skip
        # Where a dict puts its keys depends on the hashes of strings.
        done = subprocess.run(
            command, env=os.environ | {"PYTHONHASHSEED": "0"}, capture_output=True, check=False,
            text=True,
        )  # fmt: skip
        if done.returncode:
            sys.exit(done.stderr)
        names = [line.split("\t") for line in done.stdout.splitlines()]
        totals = list(_totals(out, len(names)))
    overhead = totals[0]
    found: dict[str, dict[str, float]] = {}
    for (scenario, variant), total in zip(names[1:], totals[1:], strict=True):
        found.setdefault(scenario, {})[variant] = (total - overhead) / _CALLS
    for variants in found.values():
        bare = variants.pop("bare")
        for variant in variants:
            variants[variant] -= bare
    return found


def _totals(out: Path, parts: int) -> Iterator[int]:
    """Yield what callgrind collected in each of its parts."""
    for part in range(1, parts + 1):
        text = Path(f"{out}.{part}").read_text(encoding="utf-8")
        match = re.search(r"^totals: (\d+)$", text, re.MULTILINE)
        if match is None:
            sys.exit("callgrind counted nothing: has this interpreter no symbols?")
        yield int(match[1])


def _serve_all(chosen: Sequence[Scenario], *, with_lines: bool) -> None:
    """Serve all scenarios under callgrind; print a line for each of its parts."""
    _watch(lambda: None)
    print(_NOTHING, _NOTHING, sep="\t")
    for scenario in chosen:
        for name, app in scenario.variants(frameworks=False).items():
            _count(scenario.name, name, serving(app, scenario.request))
    if with_lines:
        with access.lines() as lines:
            for name, line in access.VARIANTS.items():
                if line in lines.works:
                    _count(access.SCENARIO, name, lines.works[line])


def _count(scenario: str, variant: str, work: Work) -> None:
    work(_WARM_UP)
    _watch(lambda: work(_CALLS))
    print(scenario, variant, sep="\t")


def _watch(function: Callable[[], object]) -> None:
    """Call *function* by way of the C function that callgrind watches."""
    run = ctypes.pythonapi.PyRun_SimpleString
    run.argtypes = [ctypes.c_char_p]
    sys.modules["__main__"].watched = function  # type: ignore[attr-defined]
    if run(b"watched()"):
        sys.exit("the measured code failed")


def section(found: Mapping[str, Mapping[str, float]]) -> str:
    """Return the Markdown of the counts."""
    goals = {scenario.name: scenario.goal for scenario in scenarios()}
    others = [n for n in dict.fromkeys(n for v in found.values() for n in v) if n != "control"]
    rows = []
    for name, variants in found.items():
        ratio = variants["ours"] / variants["floor"]
        noise = variants["control"] / variants["floor"]
        cells = [f"{variants[other]:,.0f}" if other in variants else "" for other in others]
        goal = f"≤ {goals[name]}" if goals.get(name) else ""
        rows.append([name, *cells, f"{ratio:.2f}", goal, f"{noise:.2f}"])
    conditions = page.conditions(
        "WebOb", "oslo.middleware", "wsgicors", "Werkzeug", "Paste", "gunicorn"
    )
    return f"{conditions}\n\n" + table(
        ["added instructions", *others, "ours/floor", "goal", "control/floor"], rows
    )


if __name__ == "__main__":
    main()
