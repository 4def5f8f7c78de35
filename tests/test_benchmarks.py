"""The arithmetic and the page of the benchmarks; what they measure is no test's business."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks import access, page
from benchmarks.driver import Request, Times, measure, serving
from benchmarks.page import Goal
from tests.ini import ROOT
from tests.wsgi import hello


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    """What two works add is compared within each round, whatever the machine did in the others."""
    rounds = {"bare": [10.0, 20, 90], "floor": [11.0, 22, 92], "ours": [12.0, 26, 94]}
    times = Times(rounds, {})
    assert times.added("ours") == [2, 6, 4]
    assert times.median("ours") == 4
    assert times.ratio("ours", "floor") == 2


def test_an_extension_is_compared_with_its_framework() -> None:
    """Its base is not the bare application."""
    rounds = {"bare": [1.0], "Flask": [50.0], "flask-cors": [80.0]}
    assert Times(rounds, {"flask-cors": "Flask"}).added("flask-cors") == [30]


def test_every_work_is_visited_in_every_round() -> None:
    """Each has a time for each of the rounds."""
    works = {name: serving(hello, Request()) for name in ("bare", "ours")}
    times = measure(works, 3)
    assert {name: len(rounds) for name, rounds in times.rounds.items()} == {"bare": 3, "ours": 3}


def test_a_header_is_new_in_every_request() -> None:
    """So every call computes the hash of a long one that it needs; values take turns."""
    environs = Request(headers={"X-Long": [b"a" * 99, b"b"]}).environs()
    first, second, third = (next(environs)["HTTP_X_LONG"] for _ in range(3))
    assert (first, second) == ("a" * 99, "b")
    assert first == third
    assert first is not third


@pytest.mark.parametrize(
    ("goal", "row"),
    [
        pytest.param(
            Goal("CORS", 1.25, 1.25, where="allowed"),
            ["CORS", "≤ 1.25×", "1.25× (allowed)", "met"],
            id="at most, met",
        ),
        pytest.param(
            Goal("memory", 100, 1234.5, "ns"),
            ["memory", "≤ 100 ns", "1,234 ns", "**missed**"],
            id="at most, missed",
        ),
        pytest.param(
            Goal("peer", 2, 3, most=False), ["peer", "≥ 2×", "3.00×", "met"], id="at least, met"
        ),
        pytest.param(
            Goal("peer", 2, 1.999, most=False),
            ["peer", "≥ 2×", "2.00×", "**missed**"],
            id="at least, missed",
        ),
    ],
)
def test_a_goal_says_if_it_is_met(goal: Goal, row: list[str]) -> None:
    """The bound itself is good enough; rounding does not help."""
    assert goal.row() == row


def test_a_command_writes_its_own_section(capsys: pytest.CaptureFixture[str]) -> None:
    """What stands between its markers is replaced, and the rest of the page stays."""
    Path("page.md").write_text("# Page\n\n<!-- a -->\nold\n<!-- /a -->\n\nby hand\n", "utf-8")
    page.write("a", "new", Path("page.md"))
    assert Path("page.md").read_text("utf-8") == (
        "# Page\n\n<!-- a -->\n\nnew\n\n<!-- /a -->\n\nby hand\n"
    )
    assert capsys.readouterr().out == "new\n"


def test_the_page_has_a_section_for_every_command() -> None:
    """Each of them has been run, and has said when and where, and what of ours it measured."""
    text = (ROOT / "benchmarks" / "RESULTS.md").read_text("utf-8")
    for name in ("in process", "instructions", "served instructions", "served"):
        section = text.partition(f"<!-- {name} -->\n")[2].partition(f"<!-- /{name} -->\n")[0]
        assert re.search(r"Measured on 20\d\d-\d\d-\d\d: CPython 3", section)
        assert "| ours |" in section


def test_a_line_is_compared_with_what_is_installed() -> None:
    """A goal whose other line could not be measured is left out."""
    rounds = {"bare": [10.0], "ours, no line": [20.0], "floor, no line": [18.0]}
    lines = {access.TEXT: [140.0], access.FLOOR: [118.0], access.TRANSLOGGER: [160.0]}
    times = Times(
        {**rounds, **lines}, {access.TEXT: "ours, no line", access.FLOOR: "floor, no line"}
    )
    found = {goal.what: (goal.value, goal.met) for goal in access.goals(times)}
    assert found == {
        "access record, text / floor": (1.2, True),
        "access record, text / translogger": (0.8, True),
    }
    assert [row.split(" | ")[:3] for row in access.lines_table(times).splitlines()[2:]] == [
        ["| ours, text", "120", "1.20"],
        ["| floor, text", "100", "1.00"],
        ["| translogger", "150", "1.50"],
    ]


@pytest.mark.usefixtures("restored_logging")
def test_every_line_is_measured() -> None:
    """Ours, the floor's and those of the other loggers that are installed all write something."""
    with access.lines() as lines:
        assert {access.TEXT, access.FLOOR, access.CONTROL, access.GUNICORN} <= lines.works.keys()
        assert lines.bases.keys() <= lines.works.keys()
        for work in lines.works.values():
            work(1)
