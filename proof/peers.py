"""Other people's suites: WebOb, WebTest, Werkzeug and Pyramid test themselves behind our filters.

Each suite runs as it is, and then in two configurations of :mod:`proof.peers_filters`. A test that
passes without the filters has to pass with them:

- ``undone``: requests ask for exceptions (``paste.throw_errors``), and the headers that the filters
  add are taken off again. Only what breaks PEP 3333 may notice the filters;
- ``deployed``: as in a deployment.

The tests that may differ are listed in ``peers.json``, with the reasons. One that is listed and
does not differ is reported, too.

The sdists, the results and what pytest printed are in the folder ``.peers``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT: Final = Path(__file__).parents[1]
#: Where the projects are installed.
_ENVIRONMENT: Final = ROOT / ".venv-peers"
_FOLDER: Final = ROOT / ".peers"
_REQUIREMENTS: Final = Path(__file__).with_name("peers-requirements.txt")
#: The tests that may differ, with the reasons.
EXPECTED: Final = Path(__file__).with_name("peers.json")
PROJECTS: Final = ("WebOb", "WebTest", "Werkzeug", "pyramid")
CONFIGURATIONS: Final = ("undone", "deployed")
#: The longest time for a suite, and for one of its tests, in seconds.
_SUITE_TIMEOUT: Final = 1200
_TEST_TIMEOUT: Final = 60
#: How much of the reason is printed when a test differs, in characters.
_REASON: Final = 300
#: In every process of that environment: the filters, where a configuration is chosen.
_HOOK: Final = f"""{ROOT}
import os; "PEERS_FILTERS" in os.environ and __import__("proof.peers_filters")
"""


class Comparison(NamedTuple):
    """A suite with the filters, compared with the same suite without them.

    :ivar passed: how many tests pass without the filters.
    :ivar expected: the tests that differ and may, with the reasons.
    :ivar unexpected: the tests that differ and may not, and how they failed.
    :ivar stale: the tests that may differ, and do not or do not exist.
    """

    passed: int
    expected: Mapping[str, str]
    unexpected: Mapping[str, str]
    stale: Sequence[str]


def compare(
    bare: Mapping[str, str], behind: Mapping[str, str], reasons: Mapping[str, str]
) -> Comparison:
    """Compare the outcomes of two runs.

    :param bare: for each test that ran without the filters, its outcome: ``passed``, ``skipped``
        or how it failed.
    :param behind: the same with the filters.
    :param reasons: the tests that may differ, and why.
    """
    passed = [test for test, outcome in bare.items() if outcome == "passed"]
    differences = {
        test: outcome for test in passed if (outcome := behind.get(test, "did not run")) != "passed"
    }
    return Comparison(
        len(passed),
        {test: reasons[test] for test in differences if test in reasons},
        {test: outcome for test, outcome in differences.items() if test not in reasons},
        [test for test in reasons if test not in differences],
    )


def expected_differences(project: str, filters: str) -> dict[str, str]:
    """Return the tests of a project that may differ in a configuration, and why."""
    rows = json.loads(EXPECTED.read_text(encoding="utf-8"))[project]
    return {
        test: row["reason"] for row in rows if filters in row["filters"] for test in row["tests"]
    }


def outcomes(report: ET.Element) -> dict[str, str]:
    """Return the outcomes of the tests in a JUnit report, as :func:`compare` takes them."""
    found: dict[str, str] = {}
    for case in report.iter("testcase"):
        test = f"{case.get('classname')}::{case.get('name')}"
        for result in case:
            if result.tag in {"failure", "error", "skipped"}:
                text = " ".join(str(result.get("message")).split())
                found[test] = "skipped" if result.tag == "skipped" else text
        found.setdefault(test, "passed")
    return found


def _run(folder: Path, filters: str | None) -> tuple[dict[str, str], int]:
    """Run the suite in a folder; return the outcomes, and how many requests the filters saw.

    :param filters: the configuration; ``None`` for no filters.
    """
    name = f"{folder}-{filters or 'bare'}"
    report, requests = Path(f"{name}.xml"), Path(f"{name}.requests")
    report.unlink(missing_ok=True)
    requests.write_bytes(b"")
    chosen = {"PEERS_FILTERS": filters, "PEERS_REQUESTS": str(requests)} if filters else {}
    with Path(f"{name}.txt").open("wb") as output:
        subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider"),
                *(f"--timeout={_TEST_TIMEOUT}", f"--junitxml={report}", "tests"),
            ],
            cwd=folder,
            env=os.environ | chosen,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=_SUITE_TIMEOUT,
            check=False,
        )
    if not report.exists():
        sys.exit(f"pytest wrote no report; see {name}.txt")
    return outcomes(ET.parse(report).getroot()), requests.stat().st_size  # noqa: S314 -- ours


def _unpack(project: str) -> Path:
    """Return a folder with the sdist of a project, fresh; download that if it is not there."""
    pins = dict(re.findall(r"(?m)^(\w+)==(\S+)$", _REQUIREMENTS.read_text(encoding="utf-8")))
    version = pins[project]
    folder = _FOLDER / f"{project.lower()}-{version}"
    archive = Path(f"{folder}.tar.gz")
    if not archive.exists():
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "-q")
        wanted = ("--no-deps", "--no-binary", project, f"{project}=={version}")
        subprocess.run([*pip, "download", "-d", str(_FOLDER), *wanted], check=True)
        # Older names have capitals.
        for found in _FOLDER.glob("*.tar.gz"):
            found.rename(found.with_name(found.name.lower()))
    shutil.rmtree(folder, ignore_errors=True)
    shutil.unpack_archive(archive, _FOLDER, filter="data")
    for found in _FOLDER.iterdir():
        if found.name.lower() == folder.name:
            found.rename(folder)
    return folder


def _check(project: str) -> bool:
    """Run the suite of a project three times, and print what differs; say whether it may."""
    folder = _unpack(project)
    bare, _ = _run(folder, None)
    failed = [test for test, outcome in bare.items() if outcome not in {"passed", "skipped"}]
    wrong = [f"fails without the filters: {test}" for test in failed]
    for filters in CONFIGURATIONS:
        behind, requests = _run(folder, filters)
        found = compare(bare, behind, expected_differences(project, filters))
        same = found.passed - len(found.expected) - len(found.unexpected)
        print(f"| {project} | {filters} | {requests:,} | {found.passed:,} | {same:,} |", end="")
        counts = Counter(found.expected.values()).items()
        print(" " + "; ".join(f"{count}: {reason}" for reason, count in counts) + " |", flush=True)
        wrong += [
            f"{filters}, differs: {test}: {outcome[:_REASON]}"
            for test, outcome in found.unexpected.items()
        ]
        wrong += [f"{filters}, is listed and does not differ: {test}" for test in found.stale]
        if not requests:
            wrong.append(f"{filters}: no request passed the filters")
    print("".join(f"{project}, {line}\n" for line in wrong), end="", file=sys.stderr, flush=True)
    return not wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status, 1 if anything differs that may not."""
    parser = argparse.ArgumentParser(prog="python -m proof.peers", description=__doc__)
    parser.add_argument("project", nargs="*", choices=[[], *PROJECTS], help="all by default")
    options = parser.parse_args(arguments)
    if Path(sys.prefix) != _ENVIRONMENT:
        parser.error("it needs an environment of its own: make peers")
    Path(sysconfig.get_path("purelib"), "proof_peers.pth").write_text(_HOOK, encoding="utf-8")
    _FOLDER.mkdir(exist_ok=True)
    print("| project | filters | requests | pass without | pass with | differ, and why |")
    print("| --- | --- | ---: | ---: | ---: | --- |", flush=True)
    held = [_check(project) for project in options.project or PROJECTS]
    return int(not all(held))


if __name__ == "__main__":
    sys.exit(main())
