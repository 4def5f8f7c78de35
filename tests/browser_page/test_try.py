"""The page's "Try it": what it shows is what happened.

The page is served by ``pserve`` from ``development.ini``, which allows ``http://localhost`` and not
``http://127.0.0.1``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.browser_page.page import (
    AGREE,
    DIFFERENT,
    SAME,
    UNKNOWN,
    open_page,
    send,
    serving_copy,
    steps_of,
    text_of,
)

if TYPE_CHECKING:
    from tests.browser_page.chromium import Browser
    from tests.serving import Server

#: The line of development.ini that says which origins are allowed.
ALLOWED = "cors_allowed = http://localhost:*"
#: What a browser itself writes to the console when it withholds a response from a script.
BLOCKED = r"has been blocked by CORS policy|net::ERR_FAILED"


class Try(NamedTuple):
    """A request that the form can send, and its result.

    :ivar browser: what the browser did, step by step.
    """

    host: str
    method: str
    boxes: str
    outcome: str
    browser: tuple[str, str, str]
    endpoint: str = "json"
    more: str = ""


OK, REFUSED, NOT_SENT = "Sent. Status 200.", "Sent. Status 403.", "Not sent."
READABLE = "The response, status 200. It may read content-length, content-type, x-request-id."
ERROR = "Only an error: TypeError: Failed to fetch."
TRIES = {
    "plain GET": Try("localhost", "GET", "", "Allowed", (NOT_SENT, OK, READABLE)),
    "HEAD": Try("localhost", "HEAD", "", "Allowed", (NOT_SENT, OK, READABLE)),
    "POST of JSON": Try("localhost", "POST", "with-type", "Allowed", (OK, OK, READABLE)),
    "OPTIONS": Try("localhost", "OPTIONS", "", "Allowed", (OK, OK, READABLE)),
    "all boxes but credentials": Try(
        "localhost", "DELETE", "with-type with-id with-token", "Allowed", (OK, OK, READABLE)
    ),
    "more headers": Try(
        "localhost", "GET", "", "Allowed", (OK, OK, READABLE), more="\n X-A : 1\nx-b:2\n"
    ),
    "a safe header": Try(
        "localhost", "GET", "", "Allowed", (NOT_SENT, OK, READABLE), more="Accept: text/plain"
    ),
    "stream": Try(
        "localhost",
        "PUT",
        "",
        "Allowed",
        (OK, OK, "The response, status 200. It may read content-type, x-request-id."),
        "stream",
    ),
    "exception": Try(
        "localhost",
        "GET",
        "",
        "Allowed",
        (
            NOT_SENT,
            "Sent. Status 500.",
            READABLE.replace("200. It may read", "500. It may read cache-control,"),
        ),
        "raise",
    ),
    "lower-case method": Try("localhost", "patch", "", "Refused", (REFUSED, NOT_SENT, ERROR)),
    "method not listed": Try("localhost", "PROPFIND", "", "Refused", (REFUSED, NOT_SENT, ERROR)),
    "credentials": Try("localhost", "GET", "credentials", "Refused", (NOT_SENT, OK, ERROR)),
    "credentials, preflight": Try(
        "localhost", "PUT", "credentials", "Refused", (OK, NOT_SENT, ERROR)
    ),
    "refused origin": Try("127.0.0.1", "GET", "", "Refused", (NOT_SENT, OK, ERROR)),
    "refused origin, preflight": Try(
        "127.0.0.1", "PUT", "with-type", "Refused", (REFUSED, NOT_SENT, ERROR)
    ),
    "refused origin, exception": Try(
        "127.0.0.1",
        "GET",
        "",
        "Refused",
        (NOT_SENT, "Sent. Status 500.", ERROR),
        "raise",
    ),
}


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in TRIES.items()])
def test_the_browser_and_explain_agree(browser: Browser, server: Server, case: Try) -> None:
    """The page shows what the browser did in each step beside what explain predicts: the same."""
    open_page(browser, server, case.host)
    send(browser, case.method, case.boxes, case.endpoint, case.more)
    assert text_of(browser, "#try-status") == [AGREE]
    assert text_of(browser, "#verdict")[0].startswith(case.outcome)
    steps = steps_of(browser)
    assert tuple(step[0] for step in steps) == case.browser
    assert [step[2] for step in steps] == [SAME, SAME, SAME]
    # To a console, a 500 is a failed load as well.
    unexpected = [
        message
        for message in browser.console()
        if not re.search(f"{BLOCKED}|status of 500", message)
    ]
    assert unexpected == []


def test_both_sides_list_headers_in_one_order(browser: Browser, server: Server) -> None:
    """What the script may read is listed in alphabetical order on both sides."""
    open_page(browser, server)
    send(browser, "PUT")
    browser_side, explain_side, _ = steps_of(browser)[2]
    listed = "It may read content-length, content-type, x-request-id"
    assert browser_side == f"The response, status 200. {listed}."
    assert explain_side == f"The response. {listed}, but not vary."


def test_the_verdict_stands_once(browser: Browser, server: Server) -> None:
    """All other text of the result says what happened, and leaves the verdict to its own place."""
    open_page(browser, server)
    send(browser, "PUT", "with-type")
    (verdict,) = text_of(browser, "#verdict")
    (section,) = text_of(browser, "#try")
    assert section.count(verdict) == 1
    assert section.count("Allowed") == 1


def test_the_steps_are_open(browser: Browser, server: Server) -> None:
    """What explain prints about each step is shown without a click."""
    open_page(browser, server)
    send(browser, "PUT", "with-type")
    (words,) = text_of(browser, "#words")
    assert words.startswith("A preflight, because the method PUT is not safelisted and")
    assert "\nWhat the script may read\n" in words


@pytest.mark.parametrize(
    ("more", "message"),
    [
        pytest.param(
            "no header", "Line 1, “no header”, is not a header. Write NAME: VALUE.", id="no colon"
        ),
        pytest.param(
            "A: 1\n\nB C: 2\nno header",
            "Line 3, “B C: 2”, is not a header. Write NAME: VALUE.",
            id="blank in a name, third line",
        ),
        pytest.param(": 1", "Line 1, “: 1”, is not a header. Write NAME: VALUE.", id="no name"),
        pytest.param(
            "A: 1\nX-Snowman: ☃",
            "Line 2, “X-Snowman: ☃”, is not a header. Write NAME: VALUE.",
            id="not Latin-1",
        ),
        pytest.param(
            80 * "x", f"Line 1, “{60 * 'x'}”, is not a header. Write NAME: VALUE.", id="long"
        ),
    ],
)
def test_a_bad_line_is_named_beside_its_field(
    browser: Browser, server: Server, more: str, message: str
) -> None:
    """Nothing is sent; the first bad line is named below *More headers*, which gets the focus."""
    open_page(browser, server)
    send(browser, "GET")
    send(browser, "GET", more=more)
    assert text_of(browser, ".field > #more-problem") == [message]
    assert browser.run(
        """
        const { id, ariaInvalid } = document.activeElement;
        const shown = ["verdict", "try-status"].map((id) => document.getElementById(id).innerText);
        return [id, ariaInvalid, ...shown, document.getElementById("result").hidden];
        """
    ) == ["more", "true", "", "", True]
    send(browser, "GET", more="A: 1")
    assert text_of(browser, "#more-problem") == [""]
    assert browser.run("return document.getElementById('more').ariaInvalid") == "false"
    assert text_of(browser, "#try-status:not(.problem)") == [AGREE]


def test_what_only_the_server_refuses_gets_its_reason(browser: Browser, server: Server) -> None:
    """A header with a control character is sent by browsers, and refused by explain."""
    open_page(browser, server)
    send(browser, "GET", more="X-A: \x01")
    assert text_of(browser, "#try-status.problem") == [
        "The server says: expected a header as NAME or as NAME: VALUE"
    ]
    assert browser.run("return document.getElementById('result').hidden")


def test_a_header_that_browsers_leave_out_is_named(browser: Browser, server: Server) -> None:
    """A forbidden header makes no difference, and the page says so."""
    open_page(browser, server)
    send(browser, "GET", more="Host: other.example")
    (sent,) = text_of(browser, "#sent")
    assert sent.endswith("Browsers do not let scripts set Host, so it was left out.")
    assert text_of(browser, "#try-status") == [AGREE]


def test_what_the_server_adds_is_no_disagreement(browser: Browser) -> None:
    """Scripts that may read everything read headers that explain cannot know of."""
    with serving_copy((ALLOWED, "cors_allowed = *"), ("= X-Request-Id", "= *")) as server:
        open_page(browser, server, "127.0.0.1")
        send(browser, "GET")
        assert text_of(browser, "#try-status") == [AGREE]
        browser_side, explain_side, _ = steps_of(browser)[2]
        assert "server" in browser_side
        assert "server" not in explain_side


def test_cors_may_be_off(browser: Browser) -> None:
    """The preflight then goes to the application, and its response does not help the browser."""
    with serving_copy((ALLOWED, "cors_allowed =")) as server:
        open_page(browser, server)
        send(browser, "PUT")
        assert text_of(browser, "#try-status") == [AGREE]
        assert [step[0] for step in steps_of(browser)] == [OK, NOT_SENT, ERROR]
        assert text_of(browser, "#verdict")[0].startswith("Refused, CORS is off")


def test_without_access_records_the_page_says_what_it_does_not_know(browser: Browser) -> None:
    """What the browser sent is unknown; what the script got is compared all the same."""
    with serving_copy(("# log_requests = true", "log_requests = false")) as server:
        open_page(browser, server)
        send(browser, "PUT")
        assert text_of(browser, "#try-status") == [
            "Your browser and explain agree on every step that the server logs."
        ]
        assert [step[2] for step in steps_of(browser)] == [UNKNOWN, UNKNOWN, SAME]
        assert "Is log_requests on?" in steps_of(browser)[0][0]


#: Another application of the same file, which allows nothing.
CLOSED = """
[pipeline:closed]
pipeline = request_id closing errors playground

[filter:closing]
use = egg:wsgi_mw_paste#cors
cors_allowed = https://other.example

[server:main]"""


def test_a_disagreement_is_shown(browser: Browser) -> None:
    """Where the server runs another application than ``main``, explain predicts other steps."""
    with serving_copy(("\n[server:main]", CLOSED), name="closed") as server:
        open_page(browser, server)
        send(browser, "PUT")
        (status,) = text_of(browser, "#try-status.problem")
        assert status.startswith("Your browser and explain disagree.")
        assert text_of(browser, "#verdict")[0].startswith("According to explain: Allowed")
        steps = steps_of(browser)
        assert [step[0] for step in steps] == [REFUSED, NOT_SENT, ERROR]
        assert [step[2] for step in steps] == [DIFFERENT, DIFFERENT, DIFFERENT]
        assert len(text_of(browser, "#steps > .differs")) == 3


def test_a_file_without_main_is_a_reason(browser: Browser) -> None:
    """Where the page cannot read the settings in effect, it says why, in both places."""
    with serving_copy(("[pipeline:main]", "[pipeline:other]"), name="other") as server:
        open_page(browser, server)
        (status,) = text_of(browser, "#settings-status.problem")
        assert status.startswith("The server says: copy.ini: no application is called main")
        send(browser, "GET")
        assert text_of(browser, "#try-status.problem") == [status]
