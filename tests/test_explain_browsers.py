"""``explain`` beside real browsers: the same table, the same outcomes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.browser.engines import ENGINES, search_path
from tests.browser.site import HERE as BROWSER_FILES
from tests.browser.table import ROWS, Row
from tests.browser.test_browsers import pay_visit
from tests.serving import program
from wsgi_mw_paste.command.browser import make_fetch
from wsgi_mw_paste.command.exchange import build, make_real
from wsgi_mw_paste.command.explain import explain
from wsgi_mw_paste.command.pipeline import read_deployment

#: The four origins of the browsers' site; no port has to be open.
SITE = {
    "page": "http://127.0.0.1:8001",
    "other": "http://localhost:8001",
    "api": "http://127.0.0.1:8002",
    "third": "http://localhost:8002",
    "preview": "http://pr-7--shop.app.localhost:8001",
    "stranger": "http://pr-7--evil.app.localhost:8001",
}
#: What waitress adds to every answer.
SERVER_HEADERS = {"date", "server"}


def played(row: Row) -> tuple[list[str], list[tuple[int, set[str]]]]:
    """Return what ``explain`` sends for a row of the browsers' table, and what the script gets."""
    app = build(read_deployment(str(BROWSER_FILES / "site.ini"), variables=SITE), make_real)
    origin = "null" if row.frame == "sandbox" else (row.frame or "{page}").format(**SITE)
    names = {url: name for name, url in SITE.items()}
    requests, outcomes = [], []
    for step in row.steps:
        url = step["url"].format(**SITE)
        url += f"{'&' if '?' in url else '?'}row={row.id}"
        headers = [f"{name}: {value}" for name, value in step.get("headers", {}).items()]
        fetch, _ = make_fetch(origin, url, step["method"], headers)
        fetch = replace(
            fetch,
            credentials=step.get("credentials") == "include",
            listener="upload" in step,
        )
        found = explain(app, fetch, SITE.values())
        for request in (step.exchange.request for step in found.steps):
            sender = request.headers.get("Origin", "-")
            noted = " +Authorization" * ("Authorization" in request.headers)
            requests.append(f"{request.method} {names.get(sender, sender)}{noted}")
        status = 0 if found.refusal else found.steps[-1].exchange.response.status_int
        outcomes.append((status, {name.lower() for name in found.readable}))
    return requests, outcomes


@pytest.mark.parametrize("row", [pytest.param(row, id=row.id) for row in ROWS])
def test_explain_does_as_the_table_of_the_browsers_says(row: Row) -> None:
    """What the standard asks for, row by row; neither caches nor cookies are ``explain``'s."""
    requests, outcomes = played(row)
    expected = row.expected.status, set(row.expected.readable - SERVER_HEADERS)
    assert outcomes == [expected] * len(row.steps)
    sent = row.expected.sent.replace(" +Cookie", "").replace(" +If-None-Match", "").split(", ")
    assert [request for request in requests if request not in sent] == []
    assert len(row.steps) > 1 or requests == sent


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row.id) for row in ROWS if "chromium" not in row.but]
)
def test_explain_agrees_with_chromium(row: Row) -> None:
    """A real script gets the same answers, or none, and reads the same headers.

    Left out is the row in which Chromium has yet to follow the standard.
    """
    for name in ENGINES["chromium"].programs:
        program(name, search_path())
    visit = pay_visit("chromium")
    assert row.id in visit.outcomes, visit.printed
    got = [(outcome["status"], {*outcome["headers"]}) for outcome in visit.outcomes[row.id]]
    assert [(status, names - SERVER_HEADERS) for status, names in got] == played(row)[1]
