"""What scripts in real browsers get through the middlewares, and what the browsers send for it.

One visit of an engine runs all rows of the table; each row is a test of its own.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.engines import ENGINES, browse, search_path
from tests.browser.site import serve
from tests.browser.table import ROWS, Row
from tests.serving import program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: How long a visit may take. Seconds; it takes less than ten.
LIMIT = 60


@dataclass(frozen=True)
class Visit:
    """What came of a visit: see :class:`tests.browser.site.Site`.

    :ivar printed: what the browser had to say.
    """

    engine: str
    outcomes: Mapping[str, Sequence[Mapping[str, Any]]]
    sent: Mapping[str, Sequence[str]]
    printed: str


@functools.cache
def pay_visit(engine: str) -> Visit:
    """Run all rows in an engine; those that it does not get to in time are missing."""
    with serve(ROWS) as site, browse(ENGINES[engine], site.origins["page"] + "/") as printed:
        site.complete.wait(LIMIT)
        text = printed.read_text(encoding="utf-8", errors="replace")
        return Visit(engine, site.outcomes, site.sent, text)


@pytest.fixture(
    params=[
        "chromium",
        pytest.param("firefox", marks=pytest.mark.second_engine),
        pytest.param("webkit", marks=pytest.mark.second_engine),
    ]
)
def visit(request: pytest.FixtureRequest) -> Visit:
    """Pay a visit, or hand back what came of it."""
    for name in ENGINES[request.param].programs:
        program(name, search_path())
    return pay_visit(request.param)


@pytest.mark.parametrize("row", [pytest.param(row, id=row.id) for row in ROWS])
def test_a_browser_does_as_the_table_says(visit: Visit, row: Row) -> None:
    """What reaches the server, and what the script gets, is what the engine's column says."""
    cell = row.but.get(visit.engine, row.expected)
    assert row.id in visit.outcomes, visit.printed
    assert ", ".join(visit.sent[row.id]) == cell.sent
    got = [(outcome["status"], frozenset(outcome["headers"])) for outcome in visit.outcomes[row.id]]
    assert got == [(cell.status, cell.readable)] * len(row.steps)


def test_a_script_can_report_the_request_id_of_a_server_error(visit: Visit) -> None:
    """The readable header of the 500 has the id that its body names."""
    assert "server-error" in visit.outcomes, visit.printed
    (outcome,) = visit.outcomes["server-error"]
    request_id = outcome["headers"]["x-request-id"]
    assert outcome["body"] == f"Internal Server Error\n\nrequest id: {request_id}\n"
