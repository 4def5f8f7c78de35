"""``explain`` where an application raises, streams or redirects."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.explaining import API, BODIES, MAIN, ORIGIN, PIPELINE, explained, sent

# Exceptions and redirects.


def test_an_exception_without_errors_is_the_reason() -> None:
    """A bare 500 of the server's has no CORS headers; ``errors`` would have answered."""
    found = explained(PIPELINE, path="/raise")
    assert found.steps[0].exchange.raised == "RuntimeError: raised on purpose"
    assert found.verdict == (
        "Refused, RuntimeError: raised on purpose escaped: put egg:wsgi_mw_paste#errors innermost,"
        " so that browsers get an answer (test.ini:2 [pipeline:main] pipeline)."
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
            "Refused, opaque origin (null): give the page an origin of its own, only * would cover"
            " this one (test.ini:6 [filter:cors] cors_allowed).",
            id="served",
        ),
        pytest.param(
            "http://[x/",
            [],
            "Refused, redirected to what is no URL: mend the application's Location.",
            id="no-url",
        ),
        pytest.param(
            "/redirect/302?" * 40,
            ["GET /redirect/302 " + ORIGIN] * 20,
            "Refused, too many redirects: mend the application.",
            id="circle",
        ),
    ],
)
def test_a_redirect_may_be_the_end(location: str, origins: list[str], verdict: str) -> None:
    """Another server is not followed; one that is asks with ``Origin: null``."""
    served = [API, "http://other.example"]
    found = explained(PIPELINE, "Authorization", path=f"/redirect/302?{location}", served=served)
    assert [line for line in sent(found) if "OPTIONS" not in line][1:] == origins
    assert found.verdict == verdict
