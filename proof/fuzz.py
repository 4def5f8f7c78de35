"""Fuzzing: inputs by the million that no one would write, guided by which code they reach.

Each target of :mod:`proof.targets` runs in a process of its own, for a bounded time, with atheris
(libFuzzer for Python). It starts from the inputs in ``corpus.json``, and from what earlier runs
found, in the folder ``.fuzz``. An input that breaks a promise is printed; give it a row in
``corpus.json`` when the defect is fixed. A test runs all rows.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).parents[1]
_CORPUS: Final = Path(__file__).with_name("corpus.json")
_SECONDS: Final = 60
#: The longest time that one input may take, in seconds, and the longest input, in bytes.
_TIMEOUT: Final = 5
_MAX_LENGTH: Final = 8192
#: How much of its output is shown when a target breaks.
_LAST_LINES: Final = 60
#: The program of a target's process. libFuzzer ends the process.
_CHILD: Final = "import sys; from proof.fuzz import fuzz; fuzz(sys.argv[1], sys.argv[2:])"


def corpus() -> dict[str, list[bytes]]:
    """Return the kept inputs, by target. In the file, a character is a byte."""
    found: dict[str, list[str]] = json.loads(_CORPUS.read_text(encoding="utf-8"))
    return {name: [text.encode("latin-1") for text in texts] for name, texts in found.items()}


def fuzz(target: str, arguments: Sequence[str]) -> None:
    """Fuzz a target in this process, which ends with it.

    :param arguments: libFuzzer's.
    """
    import atheris  # noqa: PLC0415 -- it is installed only where this runs

    with atheris.instrument_imports(include=["wsgi_mw_paste"]):
        from proof.targets import TARGETS  # noqa: PLC0415 -- instrumented, with all it imports

    atheris.Setup([target, *arguments], TARGETS[target])
    atheris.Fuzz()


def _run(target: str, inputs: Sequence[bytes], seconds: int) -> bool:
    """Fuzz a target in a process of its own; say whether it held."""
    grown = ROOT / ".fuzz" / target
    grown.mkdir(parents=True, exist_ok=True)
    for data in inputs:
        (grown / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)
    done = subprocess.run(
        [
            *(sys.executable, "-c", _CHILD, target),
            *(str(grown), f"-max_total_time={seconds}", f"-timeout={_TIMEOUT}"),
            *(f"-max_len={_MAX_LENGTH}", f"-artifact_prefix={grown}-", "-print_final_stats=1"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    facts = [
        line.split(":")[-1].strip()
        for line in done.stderr.splitlines()
        if line.startswith("stat::number_of_executed_units")
    ]
    kept = sum(1 for _ in grown.iterdir())
    outcome = "held" if done.returncode == 0 else "broken"
    print(f"| {target} | {facts[0] if facts else '-'} | {kept} | {outcome} |", flush=True)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if not line.startswith(("INFO", "#"))]
        print("\n".join(said[-_LAST_LINES:]), file=sys.stderr)
    return done.returncode == 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status, 1 if any target broke."""
    inputs = corpus()
    parser = argparse.ArgumentParser(prog="python -m proof.fuzz", description=__doc__)
    parser.add_argument("target", nargs="*", choices=[[], *inputs], help="all by default")
    parser.add_argument("--seconds", type=int, default=_SECONDS, help="for each target")
    options = parser.parse_args(arguments)
    if importlib.util.find_spec("atheris") is None:
        parser.error("atheris is not installed: make fuzz installs it, on Python 3.11 to 3.13")
    print("| target | inputs | corpus | outcome |\n| --- | --- | --- | --- |", flush=True)
    outcomes = [_run(name, inputs[name], options.seconds) for name in options.target or inputs]
    return int(not all(outcomes))


if __name__ == "__main__":
    sys.exit(main())
