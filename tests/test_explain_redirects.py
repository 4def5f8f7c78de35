"""``explain`` where an application raises, streams or redirects."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from tests.explaining import API, BODIES, HEADERS, MAIN, ORIGIN, PIPELINE, explained, sent

# Exceptions and redirects.


def test_an_exception_without_errors_is_the_reason() -> None:
    """A bare 500 of the server's has no CORS headers; ``errors`` would have answered."""
    found = explained(PIPELINE, path="/raise")
    assert found.steps[0].exchange.raised == "RuntimeError: raised on purpose"
    assert found.verdict == (
        "Refused, RuntimeError: raised on purpose escaped: list egg:wsgi_mw_paste#errors directly"
        " before the application, so that browsers get a response (test.ini:2 [pipeline:main]"
        " pipeline)."
    )


def test_a_body_without_an_end_is_closed_and_not_read() -> None:
    """A stream of events answers as anything else does, and is closed."""
    with Path("/dev/zero").open("rb") as body:
        BODIES["/endless"] = body
        assert explained(PIPELINE, path="/endless").refusal is None
        assert body.closed


def test_an_exception_that_errors_answers_can_be_read(caplog: pytest.LogCaptureFixture) -> None:
    """The 500 of ``errors`` passes through ``cors``, so its status and body reach the script."""
    with caplog.at_level(logging.CRITICAL):
        found = explained(MAIN + f"cors_allowed = {ORIGIN}\n", path="/raise")
    assert found.refusal is None
    assert found.steps[0].exchange.response.status_int == 500


@pytest.mark.parametrize(
    ("status", "method", "after"),
    [
        pytest.param(301, "POST", "GET", id="301"),
        pytest.param(302, "PUT", "PUT", id="302"),
        pytest.param(303, "PUT", "GET", id="303"),
        pytest.param(303, "HEAD", "HEAD", id="303-head"),
        pytest.param(307, "PUT", "PUT", id="307"),
    ],
)
def test_a_redirect_on_the_server_is_followed(status: int, method: str, after: str) -> None:
    """Fetch, "HTTP-redirect fetch": the method may change, the origin stays."""
    headers = ["Content-Type: text/plain", "Authorization"]
    found = explained(PIPELINE, *headers, path=f"/redirect/{status}?/b", method=method)
    assert [line for line in sent(found) if "OPTIONS" not in line] == [
        f"{method} /redirect/{status} {ORIGIN}",
        f"{after} /b {ORIGIN}",
    ]
    last = found.steps[-1].exchange.request.headers
    assert ("Content-Type" in last) is (method == after)
    assert "Authorization" in last


def test_a_url_is_sent_as_browsers_encode_it() -> None:
    """Other letters than ASCII's are percent-encoded, and a fragment is not sent."""
    found = explained(PIPELINE, path="/redirect/302?/\xe9?%C3%A9#here")
    assert [step.exchange.request.url for step in found.steps] == [
        f"{API}/redirect/302?/%C3%A9?%C3%A9",
        f"{API}/%C3%A9?%C3%A9",
    ]


def test_a_redirect_without_location_is_an_answer() -> None:
    """Fetch, "location URL": without ``Location`` the 302 itself goes to the script."""
    assert sent(explained(PIPELINE, path="/status/302")) == [f"GET /status/302 {ORIGIN}"]


@pytest.mark.parametrize(
    ("location", "origins", "verdict"),
    [
        pytest.param(
            "https://login.example/?token=secret",
            [],
            "Refused, redirected to https://login.example: that server decides, asked with"
            " Origin: null.",
            id="elsewhere",
        ),
        pytest.param(
            "http://other.example:80/b",
            ["GET /b null!"],
            "Refused, opaque origin (null): serve the page from an origin of its own; only * would"
            " cover this one (test.ini:6 [filter:cors] cors_allowed).",
            id="served",
        ),
        pytest.param(
            "http://[x/",
            [],
            "Refused, redirected to something that is not a URL: fix the application's Location.",
            id="no-url",
        ),
        pytest.param(
            "mailto:me@a.example",
            [],
            "Refused, redirected to a URL that is not http: or https:: fix the application's"
            " Location.",
            id="mail",
        ),
        pytest.param(
            "http://me:secret@localhost/b",
            [],
            "Refused, redirected to a URL with a user name or password: fix the application's"
            " Location.",
            id="credentials",
        ),
        pytest.param("http://@localhost/b", ["GET /b " + ORIGIN], "", id="empty-credentials"),
        pytest.param(
            "/redirect/302?" * 40,
            ["GET /redirect/302 " + ORIGIN] * 20,
            "Refused, too many redirects: fix the application.",
            id="circle",
        ),
    ],
)
def test_a_redirect_may_be_the_end(location: str, origins: list[str], verdict: str) -> None:
    """Another server is not followed; one that is asks with ``Origin: null``."""
    served = [API, "http://other.example"]
    found = explained(PIPELINE, "Authorization", path=f"/redirect/302?{location}", served=served)
    assert [line for line in sent(found) if "OPTIONS" not in line][1:] == origins
    allowed = f"Allowed: a script of {ORIGIN} may read the response to GET http://@localhost/b."
    assert found.verdict == (verdict or allowed)
    assert "secret" not in found.verdict


def test_credentials_within_the_pages_own_origin_are_followed() -> None:
    """Fetch, "HTTP-redirect fetch": only other origins must not get them."""
    found = explained(PIPELINE, origin=API, path="/redirect/302?http://me:secret@localhost/b")
    assert sent(found) == ["GET /redirect/302 -", "GET /b -"]
    assert found.verdict == (
        f"Allowed: a script of {API} may read the response to GET http://***@localhost/b."
    )


def test_the_query_of_a_redirect_is_in_no_verdict() -> None:
    """There may be a token in it; the query that was asked about is known anyway."""
    found = explained(PIPELINE, path="/redirect/302?/b?token=secret")
    assert found.verdict == (
        f"Allowed: a script of {ORIGIN} may read the response to GET {API}/b?***."
    )
    found = explained(PIPELINE, path="/b?c=d")
    assert found.verdict.endswith(f"GET {API}/b?c=d.")


# Applications that break the rules.


@pytest.mark.parametrize(
    ("header", "raised"),
    [
        pytest.param(("X-Total", 1), "the header X-Total is int, not str", id="number"),
        pytest.param((b"X-Total", "1"), "the header b'X-Total' is bytes, not str", id="bytes"),
        pytest.param(("X-Total", None), "the header X-Total is NoneType, not str", id="none"),
    ],
)
def test_headers_that_are_not_text_fail_as_on_a_server(header: Any, raised: str) -> None:
    """PEP 3333 asks for text; servers answer anything else with a bare 500."""
    HEADERS["/headers"] = [header]
    found = explained(PIPELINE, path="/headers")
    assert found.steps[-1].exchange.raised == f"TypeError: {raised}"
    assert found.refusal is not None
    assert found.refusal.reason == f"TypeError: {raised} escaped"


@pytest.mark.parametrize("origin", [ORIGIN, API])
def test_an_application_that_ends_the_process_is_never_allowed(origin: str) -> None:
    """``sys.exit()`` in a view ends the worker; the status of ``explain`` is not its."""
    found = explained(PIPELINE, origin=origin, path="/exit")
    assert found.verdict == (
        "Refused, the application ends the process (SystemExit: 0): remove sys.exit() from what it"
        " runs for this request."
    )
