"""Load, fuzzing, time and peers, in small: the load loses nothing, and every kept input holds."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from proof import fuzz, linear, peers, soak
from proof.targets import TARGETS
from wsgi_mw_paste.command.check import check

if TYPE_CHECKING:
    from collections.abc import Callable

INPUTS = [
    pytest.param(target, data, id=f"{target} {data[:40]!r}")
    for target, rows in fuzz.corpus().items()
    for data in rows
]


@pytest.mark.parametrize(("target", "data"), INPUTS)
def test_a_kept_input_breaks_no_promise(target: str, data: bytes) -> None:
    """Every input that is worth keeping, because it is typical or once broke something, holds."""
    TARGETS[target](data)


def test_every_target_has_inputs() -> None:
    """No target begins with nothing."""
    assert fuzz.corpus().keys() == TARGETS.keys()


def test_a_mutant_that_may_survive_is_still_possible() -> None:
    """Each has a reason, and its line stands in the module: none is a relic of older code."""
    package = Path(__file__).parents[1] / "wsgi_mw_paste"
    listed = json.loads(package.with_name("proof").joinpath("survivors.json").read_text("utf-8"))
    assert all(each["reason"].endswith(".") for each in listed)
    names = [name for each in listed for name in each["mutants"]]
    assert len(names) == len(set(names))
    for name in names:
        module, _, change = name.partition(".")
        code = " ".join((package / f"{module}.py").read_text("utf-8").split())
        line = change.partition(": ")[2].partition(" -> ")[0]
        assert line in code, name


@pytest.mark.parametrize("server", soak.SERVERS)
def test_a_load_loses_nothing(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each of a thousand requests has its record, and nothing goes wrong."""
    assert soak.main(["--server", server, "--requests", "1000"]) == 0
    out, err = capsys.readouterr()
    assert f"\n| {server} | 1,000 | 1,000 |" in out
    assert err == ""


@dataclass
class Logs:
    """The log files of a load of a thousand requests, as they have to be."""

    access: list[str] = field(default_factory=list)
    app: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for number in range(1000):
            name, scenario = soak._scenario(number)
            request_id = f"{number:032x}" if name.endswith(" id") else f"soak-{number}"
            self.access.append(f"{request_id} {scenario.status} {scenario.error}\n")
            if name == "raises" or scenario.ids is not None:
                self.app.append(f"{request_id} {request_id}\n")

    def problems(self) -> list[str]:
        """Write the files; return what the soak finds in them."""
        Path("access.log").write_text("".join(self.access), encoding="utf-8")
        Path("app.log").write_text("".join(self.app), encoding="utf-8")
        found = soak.Soak(0, 1000)
        found.check_records()
        return sorted(found.problems.counts)


def test_logs_without_a_problem() -> None:
    """A record for each request, and a line for each call of the application, are right."""
    assert Logs().problems() == []


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        pytest.param(lambda logs: logs.access.pop(0), ["lost record"], id="lost record"),
        pytest.param(
            lambda logs: logs.access.append(logs.access[0]), ["doubled record"], id="doubled record"
        ),
        pytest.param(lambda logs: logs.app.pop(0), ["lost log line"], id="lost line"),
        pytest.param(
            lambda logs: logs.app.append(logs.app[0]), ["doubled log line"], id="doubled line"
        ),
        pytest.param(
            lambda logs: logs.access.append("soak-1000 200 None\n"), ["foreign id"], id="unknown id"
        ),
        pytest.param(
            lambda logs: logs.access.__setitem__(0, "soak-0 500 None\n"),
            ["wrong record"],
            id="wrong status",
        ),
        pytest.param(
            lambda logs: logs.app.__setitem__(0, "soak-0 soak-1\n"), ["foreign id"], id="mixed ids"
        ),
    ],
)
def test_a_problem_in_the_logs_is_found(
    change: Callable[[Logs], object], problems: list[str]
) -> None:
    """A soak that could not fail would prove nothing."""
    logs = Logs()
    change(logs)
    assert logs.problems() == problems


@pytest.mark.parametrize("name", ["traceparent: (0)", "Accept: (a/b,)", "`check`: origins`"])
def test_a_row_of_times_ends_with_the_power(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What the clock says is asserted nowhere; the row is there, and the command ends."""
    logger = logging.getLogger("wsgi_mw_paste")
    before = logger.handlers[:], logger.propagate, logger.level
    assert linear.main([name]) in (0, 1)
    assert (logger.handlers, logger.propagate, logger.level) == before
    assert capsys.readouterr().out.count(name) == (name != "`check`: origins`")


@pytest.mark.parametrize(("name", "write"), linear.files().items(), ids=linear.files())
def test_what_is_timed_is_what_the_row_says(name: str, write: Callable[[int], str]) -> None:
    """A file is checked to its end: only what is wrong by design is an error, and all of it is."""
    path = Path("x.ini")
    path.write_text(write(7), encoding="utf-8")
    errors = {"origins that are wrong": 7, "characters of a value": 1, "unknown options": 7}
    assert len(check(str(path)).of("error")) == errors.get(name, 0)


#: What pytest writes of two tests that pass, one that is skipped, and two that fail.
REPORT = """<testsuites><testsuite>
<testcase classname="tests.test_a" name="test_one" />
<testcase classname="tests.test_a.TestB" name="test_two[x]"><system-out>said</system-out></testcase>
<testcase classname="tests.test_a" name="test_three"><skipped message="no socket" /></testcase>
<testcase classname="tests.test_a" name="test_four"><failure message="1 is&#10;not 2" /></testcase>
<testcase classname="tests.test_a" name="test_five" />
<testcase classname="tests.test_a" name="test_five"><error message="in teardown" /></testcase>
</testsuite></testsuites>"""


def test_a_report_says_how_each_test_ended() -> None:
    """An outcome is a word, or one line with the failure; what fails in teardown has failed."""
    assert peers.outcomes(ET.fromstring(REPORT)) == {  # noqa: S314 -- written above
        "tests.test_a::test_one": "passed",
        "tests.test_a.TestB::test_two[x]": "passed",
        "tests.test_a::test_three": "skipped",
        "tests.test_a::test_four": "1 is not 2",
        "tests.test_a::test_five": "in teardown",
    }


@pytest.mark.parametrize(
    ("behind", "reasons", "found"),
    [
        pytest.param({}, {}, ({}, {}, []), id="no difference"),
        pytest.param(
            {"one": "1 is not 2"}, {}, ({}, {"one": "1 is not 2"}, []), id="unexpected difference"
        ),
        pytest.param(
            {"one": "1 is not 2"},
            {"one": "why"},
            ({"one": "why"}, {}, []),
            id="expected difference",
        ),
        pytest.param({"one": "skipped"}, {}, ({}, {"one": "skipped"}, []), id="now skipped"),
        pytest.param({"one": None}, {}, ({}, {"one": "did not run"}, []), id="now missing"),
        pytest.param({}, {"one": "why"}, ({}, {}, ["one"]), id="listed and passes"),
        pytest.param({}, {"three": "why"}, ({}, {}, ["three"]), id="listed and unknown"),
        pytest.param({}, {"failing": "why"}, ({}, {}, ["failing"]), id="listed and fails anyway"),
        pytest.param({"failing": "passed"}, {}, ({}, {}, []), id="fails without the filters only"),
    ],
)
def test_only_listed_tests_may_differ(
    behind: dict[str, str | None],
    reasons: dict[str, str],
    found: tuple[dict[str, str], dict[str, str], list[str]],
) -> None:
    """What passes without the filters has to pass with them or be listed, and the list is exact."""
    bare = {"one": "passed", "two": "passed", "failing": "2 is not 3", "skipped": "skipped"}
    outcomes = {test: outcome for test, outcome in (bare | behind).items() if outcome is not None}
    assert peers.compare(bare, outcomes, reasons) == (2, *found)


@pytest.mark.parametrize("filters", peers.CONFIGURATIONS)
@pytest.mark.parametrize("project", peers.PROJECTS)
def test_every_listed_difference_has_one_reason(project: str, filters: str) -> None:
    """A test is listed once, with a reason that has more than a few words."""
    rows = json.loads(peers.EXPECTED.read_text(encoding="utf-8"))[project]
    listed = [test for row in rows if filters in row["filters"] for test in row["tests"]]
    reasons = peers.expected_differences(project, filters)
    assert sorted(reasons) == sorted(listed)
    assert all(len(reason.split()) > 5 for reason in reasons.values())


def test_a_suite_needs_the_environment_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """Elsewhere nothing is installed, and the command says how it is meant."""
    with pytest.raises(SystemExit):
        peers.main([])
    assert "make peers" in capsys.readouterr().err
