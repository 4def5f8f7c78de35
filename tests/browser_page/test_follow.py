"""The page's "Follow a request": every line of a request stands under its id."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser_page.page import (
    AGREE,
    LATEST,
    LATEST_ID,
    click,
    open_page,
    send,
    send_many,
    serving_copy,
    text_of,
)

if TYPE_CHECKING:
    from tests.browser_page.chromium import Browser
    from tests.serving import Server


@pytest.mark.parametrize(
    ("endpoint", "status", "requests", "loggers"),
    [
        pytest.param(
            "stream", 200, ["GET /stream: 200"], 3 * ["playground"] + ["access"], id="stream"
        ),
        pytest.param(
            "raise", 500, ["GET /raise: 500"], ["playground", "errors", "access"], id="exception"
        ),
        pytest.param(
            "call",
            200,
            ["GET /call: 200", "GET /json: 200"],
            ["access", "access", "playground", "playground"],
            id="call",
        ),
        pytest.param("json", 200, ["GET /json: 200"], ["playground", "access"], id="json"),
    ],
)
def test_a_request_can_be_followed(
    *,
    browser: Browser,
    server: Server,
    endpoint: str,
    status: int,
    requests: list[str],
    loggers: list[str],
) -> None:
    """After one click, all lines of the request stand under the id that the response has."""
    open_page(browser, server)
    click(browser, endpoint)
    said = browser.wait(
        "document.getElementById('follow-status').textContent.match(/: \\d+, request id (.+)/)"
    )
    assert text_of(browser, "#follow-status") == [
        f"GET /{endpoint}: {status}, request id {said[1]}"
    ]
    browser.wait(
        f"{LATEST_ID} === '{said[1]}'"
        f" && {LATEST}.querySelectorAll('ul > li').length === {len(requests)}"
    )
    shown = text_of(browser, "#requests > li:first-child ul > li")
    # Two threads log the two requests of a call.
    assert sorted(re.sub(r" in [\d.]+ ms$", "", line) for line in shown) == sorted(requests)
    names = text_of(browser, "#requests > li:first-child .logger")
    assert sorted(name.removeprefix("wsgi_mw_paste.") for name in names) == sorted(loggers)


def test_a_traceback_can_be_unfolded(browser: Browser, server: Server) -> None:
    """It belongs to its line, and is shown on demand."""
    open_page(browser, server)
    click(browser, "raise")
    details = "document.querySelector('#requests > li:first-child .lines details')"
    browser.wait(details)
    browser.run(f"{details}.open = true")
    (traceback,) = text_of(browser, "#requests > li:first-child pre")
    assert "\nRuntimeError: raised on purpose" in traceback


def test_requests_of_other_clients_are_followed_too(browser: Browser, server: Server) -> None:
    """They appear without a click, and the oldest disappear."""
    open_page(browser, server)
    send_many(browser, server)
    assert text_of(browser, "#requests h3 code") == [f"other-{n}" for n in range(14, 2, -1)]


@pytest.mark.parametrize("width", [360, 1280])
def test_the_list_of_requests_is_bounded(browser: Browser, server: Server, width: int) -> None:
    """However many requests there are, they fit on a screen, and the rest of them scrolls."""
    browser.emulate(width=width)
    open_page(browser, server)
    send_many(browser, server)
    height, content, window, overflow = browser.run(
        """
        const list = document.getElementById("requests");
        const { clientHeight, scrollHeight } = list;
        return [clientHeight, scrollHeight, innerHeight, getComputedStyle(list).overflowY];
        """
    )
    assert height < window < content
    assert overflow == "auto"


def test_following_can_pause(browser: Browser, server: Server) -> None:
    """While paused nothing moves, and afterwards nothing is missing."""
    open_page(browser, server)
    browser.run("document.getElementById('pause').click()")
    before = text_of(browser, "#requests h3 code")
    server.request("GET", "/json", {"X-Request-Id": "paused-1"})
    # A try waits for lines that come after those of that request.
    send(browser, "GET")
    assert text_of(browser, "#try-status") == [AGREE]
    assert text_of(browser, "#requests h3 code") == before
    assert text_of(browser, "#follow-status") == ["Paused."]
    browser.run("document.getElementById('pause').click()")
    assert "paused-1" in text_of(browser, "#requests h3 code")
    assert text_of(browser, "#follow-status") == ["Following."]


def test_a_server_may_go_and_come_back(browser: Browser) -> None:
    """The page says so, and goes on with the lines of the new server."""
    with serving_copy() as server:
        open_page(browser, server)
        server.request("GET", "/call", {"X-Request-Id": "first-1"})
        browser.wait(f"{LATEST_ID} === 'first-1'")
    browser.wait("document.querySelector('#follow-status.problem')")
    assert text_of(browser, "#follow-status") == ["The server does not answer. Trying again."]
    with serving_copy(("port = 0", f"port = {server.port}")) as server:
        browser.wait("document.querySelector('#follow-status:not(.problem)')")
        assert text_of(browser, "#follow-status") == ["The server answers again."]
        server.request("GET", "/json", {"X-Request-Id": "second-1"})
        browser.wait(f"{LATEST_ID} === 'second-1'")
