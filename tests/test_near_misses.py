"""What ``explain`` can say of entries that nearly cover an origin."""

from __future__ import annotations

import pytest

from tests.origins import OPEN, STRICT, compiled
from wsgi_mw_paste.command.near_misses import near_misses


@pytest.mark.parametrize(
    ("entry", "origin", "reason"),
    [
        pytest.param(
            "https://*.staging.example.com",
            "https://staging.example.com",
            "allows the hosts below staging.example.com, not staging.example.com itself",
            id="the host of a pattern",
        ),
        pytest.param(
            "https://example.com",
            "https://www.example.com",
            "allows example.com, not the hosts below it",
            id="subdomain",
        ),
        pytest.param(
            "https://www.example.com",
            "https://example.com",
            "allows www.example.com, not example.com",
            id="host above",
        ),
        pytest.param(
            "http://example.com", "https://example.com", "allows http, not https", id="scheme"
        ),
        pytest.param(
            "https://example.com:8443",
            "https://example.com",
            "allows port 8443, not the default port",
            id="port",
        ),
        pytest.param(
            "https://*.example.com",
            "https://a.example.com:8443",
            "allows the default port, not port 8443",
            id="port of a pattern",
        ),
        pytest.param(
            "http://localhost:3000",
            "https://localhost:5173",
            "allows http, not https, and allows port 3000, not port 5173",
            id="scheme and port",
        ),
        pytest.param(
            "http://localhost:3000",
            "http://127.0.0.1:3000",
            "allows localhost; to browsers 127.0.0.1 is a different host",
            id="127.0.0.1",
        ),
        pytest.param(
            "http://[::1]:*",
            "http://localhost:3000",
            "allows [::1]; to browsers localhost is a different host",
            id="localhost",
        ),
        pytest.param(
            "localhost:3000", "http://localhost:3001", "allows port 3000, not port 3001", id="bare"
        ),
        pytest.param(
            "https://example.com.",
            "https://example.com",
            "allows example.com., and the dot at the end makes a different host",
            id="dot of an entry",
        ),
        pytest.param(
            "https://*.example.com",
            "https://a.example.com.",
            "allows example.com, and the dot at the end makes a different host",
            id="dot of an origin",
        ),
        pytest.param(
            "safari-web-extension://ABC",
            "safari-web-extension://abc",
            "allows ABC, in upper and lower case as written",
            id="case",
        ),
        pytest.param(
            "moz-extension://*",
            "chrome-extension://abc",
            "allows moz-extension, not chrome-extension",
            id="extension",
        ),
        pytest.param(
            "https://pr-*.dev.example.org",
            "http://pr-1.dev.example.org",
            "allows https, not http",
            id="scheme of a label",
        ),
        pytest.param(
            "https://pr-*.dev.example.org",
            "https://dev.example.org",
            "allows the hosts below dev.example.org, not dev.example.org itself",
            id="the host of a label",
        ),
        pytest.param(
            "https://pr-*.dev.example.org",
            "https://pr-.dev.example.org",
            "needs at least one character in place of the *",
            id="nothing for the star",
        ),
        pytest.param(
            "https://pr-*--shop.dev.example.org",
            "https://pr--shop.dev.example.org",
            "needs at least one character in place of the *",
            id="shared hyphen",
        ),
        pytest.param(
            "https://pr-*.dev.example.org",
            "https://pr-a_b.dev.example.org",
            "allows a-z, 0-9 and - in place of the *, not a_b",
            id="underscore for the star",
        ),
        pytest.param(
            "https://pr-*--shop.dev.example.org",
            "https://pr-1--shoq.dev.example.org",
            "allows a label that ends in --shop, not pr-1--shoq",
            id="end of a label",
        ),
        pytest.param(
            "https://pr-*--shop.dev.example.org",
            "https://mr-1--shop.dev.example.org",
            "allows a label that begins with pr-, not mr-1--shop",
            id="beginning of a label",
        ),
        pytest.param(
            "https://pr-*.dev.example.org",
            "https://api.pr-1.dev.example.org",
            "allows a single label before dev.example.org, not api.pr-1",
            id="label before the label",
        ),
        pytest.param(
            "https://pr-*--shop.dev.example.org",
            "https://pr-a.b--shop.dev.example.org",
            "allows a single label before dev.example.org, not pr-a.b--shop",
            id="dot for the star",
        ),
    ],
)
def test_an_entry_that_nearly_covers_an_origin_is_found_with_the_difference(
    entry: str, origin: str, reason: str
) -> None:
    """What is different stands in one sentence that begins with the entry."""
    assert origin not in compiled(entry).origins
    assert near_misses(origin, [entry], OPEN) == [(entry, reason)]


@pytest.mark.parametrize(
    ("entry", "origin"),
    [
        pytest.param("https://example.com", "https://example.net", id="another host"),
        pytest.param("https://example.com", "https://evilexample.com", id="a longer name"),
        pytest.param("https://example.com", "https://com", id="top level"),
        pytest.param("https://example.com", "http://www.example.com", id="host and scheme"),
        pytest.param("https://example.com", "https://www.example.com:1", id="host and port"),
        pytest.param("https://a.example.com", "https://b.example.com", id="a sibling"),
        pytest.param("https://*.a.example.com", "https://b.example.com", id="above a pattern"),
        pytest.param("https://*.example.com.", "https://example.com", id="dot and host"),
        pytest.param("moz-extension://*", "https://example.com", id="no extension"),
        pytest.param("https://pr-*.a.example.org", "https://pr-1.b.example.org", id="another name"),
        pytest.param("https://pr-*.a.example.org", "https://x-1.a.example.org", id="beginning"),
        pytest.param("https://*-pr.a.example.org", "https://1-x.a.example.org", id="end"),
        pytest.param("https://a-*-b.a.example.org", "https://c-d.a.example.org", id="both"),
        pytest.param("https://pr-*.a.example.org", "https://x.y.a.example.org", id="two labels"),
        pytest.param("https://example.com", "null", id="null"),
        pytest.param("https://example.com", "HTTPS://example.com", id="no origin"),
        pytest.param("https://example.com", "https://example.com", id="covered"),
        pytest.param("example.com", "http://example.com", id="covered by half"),
        pytest.param("https://*.example.com", "https://a.example.com", id="covered by a pattern"),
        pytest.param("https://pr-*.a.example.org", "https://pr-1.a.example.org", id="by a label"),
        pytest.param("moz-extension://*", "moz-extension://abc", id="covered by all"),
        pytest.param("*", "https://example.com", id="every origin"),
        pytest.param("https://example.com/", "https://example.com", id="covered when corrected"),
        pytest.param("https://example.com/path", "https://example.com", id="no entry"),
    ],
)
def test_what_is_far_or_covered_is_no_near_miss(entry: str, origin: str) -> None:
    """Entries that differ in more than one respect, or in none, are not mentioned."""
    assert near_misses(origin, [entry], OPEN) == []


def test_all_near_misses_are_found_in_the_order_of_the_entries() -> None:
    """Each is named as it is written."""
    entries = ["https://far.example", "http://App.example:80", "https://*.app.example", "null"]
    assert near_misses("https://app.example", entries, OPEN) == [
        ("http://App.example:80", "allows http, not https"),
        ("https://*.app.example", "allows the hosts below app.example, not app.example itself"),
    ]


def test_a_bare_name_is_near_by_what_it_means_under_the_policy() -> None:
    """With credentials it does not mean ``http:``."""
    assert near_misses("http://example.com", ["example.com"], STRICT) == [
        ("example.com", "allows https, not http")
    ]
