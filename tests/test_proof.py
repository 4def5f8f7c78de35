"""Load, fuzzing and time, in small: the load loses nothing, and every kept input holds."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proof import fuzz, linear, soak
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
