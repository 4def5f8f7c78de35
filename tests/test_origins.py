"""Which origins an entry of ``cors_allowed`` stands for, and what the operator is told."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest

from tests.origins import HOST_251, HOST_253, OPEN, STRICT, compiled
from wsgi_mw_paste.origins import compile_origins, is_loopback

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsgi_mw_paste.origins import Policy


@pytest.mark.parametrize(
    ("entry", "allowed", "refused"),
    [
        pytest.param(
            "https://example.com",
            ["https://example.com"],
            ["http://example.com", "https://example.com:8443", "https://www.example.com"],
            id="exact",
        ),
        pytest.param(
            "http://example.com:8080",
            ["http://example.com:8080"],
            ["http://example.com", "http://example.com:80", "https://example.com:8080"],
            id="port",
        ),
        pytest.param(
            "https://*.example.com",
            ["https://a.example.com", "https://b.a.example.com", "https://a_b.example.com"],
            ["https://example.com", "https://a.example.com:8443", "https://aexample.com"],
            id="subdomains",
        ),
        pytest.param(
            "https://*.a.example.com",
            ["https://b.a.example.com"],
            ["https://a.example.com", "https://b.example.com", "https://b.c.example.com"],
            id="subdomains of a subdomain",
        ),
        pytest.param(
            "https://*.example.com:8443",
            ["https://a.example.com:8443"],
            ["https://a.example.com", "https://a.example.com:844", "https://example.com:8443"],
            id="subdomains and port",
        ),
        pytest.param(
            "http://localhost:*",
            ["http://localhost", "http://localhost:1", "http://localhost:65535"],
            [
                "https://localhost:3000",
                "http://localhost:80",
                "http://localhost:0",
                "http://localhost:65536",
                "http://localhost:03000",
                "http://localhost:",
                "http://localhost:*",
                "http://a.localhost:3000",
                "http://localhost.evil.net:3000",
            ],
            id="any port",
        ),
        pytest.param(
            "https://*.example.com:*",
            ["https://a.example.com", "https://a.example.com:8443"],
            ["https://example.com", "https://example.com:8443", "https://a.example.com:443"],
            id="subdomains and any port",
        ),
        pytest.param(
            "http://[::1]:*",
            ["http://[::1]", "http://[::1]:8000"],
            ["http://[::2]:8000", "http://[0:0:0:0:0:0:0:1]", "http://::1", "http://[::1"],
            id="IPv6 and any port",
        ),
        pytest.param(
            "http://127.0.0.1:*",
            ["http://127.0.0.1", "http://127.0.0.1:8000"],
            ["http://127.1:8000", "http://2130706433", "http://127.0.0.1.:8000"],
            id="IPv4 and any port",
        ),
        pytest.param(
            "https://example.com.",
            ["https://example.com."],
            ["https://example.com", "https://a.example.com."],
            id="trailing dot",
        ),
        pytest.param(
            "https://*.example.com.",
            ["https://a.example.com."],
            ["https://a.example.com", "https://example.com."],
            id="subdomains with a trailing dot",
        ),
        pytest.param(
            "https://deploy-preview-*--shop.netlify.app",
            [
                "https://deploy-preview-1--shop.netlify.app",
                "https://deploy-preview-1-2--shop.netlify.app",
                "https://deploy-preview----shop.netlify.app",
                f"https://deploy-preview-{'a' * 42}--shop.netlify.app",
            ],
            [
                "http://deploy-preview-1--shop.netlify.app",
                "https://deploy-preview---shop.netlify.app",
                "https://deploy-preview--shop.netlify.app",
                "https://deploy-preview-1-shop.netlify.app",
                "https://deploy-preview-1--shop--shoq.netlify.app",
                "https://deploy-preview-1.evil--shop.netlify.app",
                "https://evil.deploy-preview-1--shop.netlify.app",
                "https://deploy-preview-1--shop.evil.netlify.app",
                "https://deploy-preview-1--shop.netlify.app.evil.net",
                "https://deploy-preview-1--shop.netlify.app:8443",
                "https://deploy-preview-1--shop.netlify.app.",
                "https://deploy-preview-1--shop",
                "https://xdeploy-preview-1--shop.netlify.app",
                "https://deploy-preview-a_b--shop.netlify.app",
                "https://deploy-preview-A--shop.netlify.app",
                "https://deploy-preview-*--shop.netlify.app",
                "https://deploy-preview-%41--shop.netlify.app",
                "https://deploy-preview-1@evil--shop.netlify.app",
                "https://deploy-preview-1/--shop.netlify.app",
                "https://deploy-preview-1:2--shop.netlify.app",
                "https://deploy-preview-\u212a--shop.netlify.app",
                f"https://deploy-preview-{'a' * 43}--shop.netlify.app",
                "https://netlify.app",
                "https://.netlify.app",
            ],
            id="star inside a label",
        ),
        pytest.param(
            "https://*-team.vercel.app",
            ["https://shop-git-main-team.vercel.app", "https://--team.vercel.app"],
            ["https://-team.vercel.app", "https://team.vercel.app", "https://a-teams.vercel.app"],
            id="star at the beginning of a label",
        ),
        pytest.param(
            "https://pr-*.dev.example.org",
            [
                "https://pr-1.dev.example.org",
                "https://pr--.dev.example.org",
                "https://pr-xn--a.dev.example.org",
            ],
            ["https://pr-.dev.example.org", "https://pr.dev.example.org", "https://pr-1.dev"],
            id="star at the end of a label",
        ),
        pytest.param(
            "http://pr-*.app.localhost:3000",
            ["http://pr-1.app.localhost:3000"],
            ["http://pr-1.app.localhost", "http://pr-1.app.localhost:30000"],
            id="star inside a label and port",
        ),
        pytest.param(
            "pr-*.example.org.:*",
            ["https://pr-1.example.org.", "http://pr-1.example.org.:1"],
            ["https://pr-1.example.org", "http://pr-1.example.org.:80", "ws://pr-1.example.org."],
            id="bare star inside a label, dot and any port",
        ),
        pytest.param(
            f"https://a-*-b.{HOST_251[5:]}",
            [f"https://a-cc-b.{HOST_251[5:]}"],
            [f"https://a-ccc-b.{HOST_251[5:]}"],
            id="star inside a label of the longest host",
        ),
        pytest.param(
            f"https://a-*-b.{HOST_251[5:]}:8443",
            [f"https://a-cc-b.{HOST_251[5:]}:8443"],
            [f"https://a-ccc-b.{HOST_251[5:]}:8443"],
            id="star inside a label of the longest host, with a port",
        ),
        pytest.param(
            "capacitor://localhost",
            ["capacitor://localhost"],
            ["http://localhost", "capacitor://localhost:80", "capacitor://LOCALHOST"],
            id="an application's scheme",
        ),
        pytest.param(
            "safari-web-extension://AB12CD34-0000-4000-8000-00000000000F",
            ["safari-web-extension://AB12CD34-0000-4000-8000-00000000000F"],
            ["safari-web-extension://ab12cd34-0000-4000-8000-00000000000f"],
            id="case of an extension's host",
        ),
        pytest.param(
            "app://*.Shop",
            ["app://a.Shop", "app://A.b.Shop"],
            ["app://a.shop", "app://A.b.shop", "app://Shop"],
            id="case of an application's host",
        ),
        pytest.param(
            "app://1.2:80",
            ["app://1.2:80"],
            ["app://1.2", "app://0.0.0.2:80", "http://1.2"],
            id="number that is no address",
        ),
        pytest.param(
            "moz-extension://*",
            ["moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc", "moz-extension://A.b"],
            [
                "moz-extension://",
                "moz-extension://*",
                "moz-extension://a:80",
                "moz-extension://a.",
                "moz-extension://a/",
                "moz-extension://[::1]",
                "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb",
                "https://a",
            ],
            id="any extension",
        ),
        pytest.param(
            "a" * 64 + "://*." + HOST_251 + ":65535",
            ["a" * 64 + "://b." + HOST_251 + ":65535"],
            ["a" * 64 + "://" + HOST_251 + ":65535", "a" * 64 + "://bb." + HOST_251 + ":65535"],
            id="longest pattern",
        ),
        pytest.param(
            "a" * 64 + "://" + HOST_253 + ".:65535",
            ["a" * 64 + "://" + HOST_253 + ".:65535"],
            ["a" * 64 + "://" + HOST_253 + ":65535"],
            id="longest origin",
        ),
        pytest.param(
            "example.com",
            ["https://example.com", "http://example.com"],
            ["ftp://example.com", "https://www.example.com", "http://example.com:80"],
            id="bare name",
        ),
        pytest.param(
            "example.com:8443",
            ["https://example.com:8443", "http://example.com:8443"],
            ["https://example.com", "http://example.com"],
            id="bare name and port",
        ),
        pytest.param(
            "*.example.com:*",
            ["https://a.example.com", "http://b.a.example.com:8080"],
            ["https://example.com", "ws://a.example.com"],
            id="bare name with both wildcards",
        ),
        pytest.param(
            "example.com:443",
            ["https://example.com"],
            ["http://example.com:443", "http://example.com", "https://example.com:443"],
            id="bare name and the port of https",
        ),
        pytest.param(
            "example.com:80",
            ["http://example.com"],
            ["https://example.com:80", "https://example.com", "http://example.com:80"],
            id="bare name and the port of http",
        ),
        pytest.param(
            "[::1]:8000",
            ["https://[::1]:8000", "http://[::1]:8000"],
            ["https://[::1]"],
            id="bare IPv6",
        ),
        pytest.param(
            "*",
            ["https://example.com", "null", "", "x" * 8192, "https://a,b"],
            [],
            id="every origin",
        ),
    ],
)
def test_an_entry_stands_for_these_origins_and_no_others(
    entry: str, allowed: Sequence[str], refused: Sequence[str]
) -> None:
    """Without credentials an entry matches exactly the origins that it means."""
    origins = compiled(entry).origins
    assert [origin for origin in allowed if origin not in origins] == []
    assert [origin for origin in refused if origin in origins] == []


@pytest.mark.parametrize(
    ("entry", "policy", "allowed", "refused"),
    [
        pytest.param(
            "example.com", STRICT, "https://example.com", "http://example.com", id="https alone"
        ),
        pytest.param(
            "example.com",
            STRICT._replace(tolerate_insecure=True),
            "http://example.com",
            "ftp://example.com",
            id="http tolerated",
        ),
        pytest.param(
            "localhost:3000", STRICT, "http://localhost:3000", "http://localhost", id="localhost"
        ),
        pytest.param(
            "*.localhost", STRICT, "http://a.localhost", "http://localhost", id="*.localhost"
        ),
        pytest.param("127.9.9.9", STRICT, "http://127.9.9.9", "http://127.9.9.8", id="127/8"),
        pytest.param("[::1]", STRICT, "http://[::1]", "http://[::2]", id="IPv6 loopback"),
        pytest.param("localhost:80", STRICT, "http://localhost", "https://localhost", id=":80"),
        pytest.param(
            "192.168.1.10", STRICT, "https://192.168.1.10", "http://192.168.1.10", id="private"
        ),
    ],
)
def test_a_bare_name_with_credentials_means_http_for_loopback_hosts_only(
    entry: str, policy: Policy, allowed: str, refused: str
) -> None:
    """With credentials a bare name includes ``http:`` if it is loopback, or if told so."""
    origins = compiled(entry, policy=policy).origins
    assert allowed in origins
    assert refused not in origins


@pytest.mark.parametrize(
    ("entry", "normalized", "origin"),
    [
        pytest.param(
            "HTTPS://Example.COM", "https://example.com", "https://example.com", id="case"
        ),
        pytest.param(
            "https://example.com/", "https://example.com", "https://example.com", id="slash"
        ),
        pytest.param("example.com/", "example.com", "http://example.com", id="bare name, slash"),
        pytest.param(
            "https://example.com:443", "https://example.com", "https://example.com", id="https port"
        ),
        pytest.param(
            "http://example.com:80/", "http://example.com", "http://example.com", id="http port"
        ),
        pytest.param(
            "https://*.Example.com:443",
            "https://*.example.com",
            "https://a.example.com",
            id="pattern",
        ),
        pytest.param("http://[0:0:0:0:0:0:0:1]", "http://[::1]", "http://[::1]", id="IPv6"),
        pytest.param(
            "http://[2001:DB8:0:1:0:0:0:1]",
            "http://[2001:db8:0:1::1]",
            "http://[2001:db8:0:1::1]",
            id="IPv6, the longest run of zeros",
        ),
        pytest.param(
            "https://bücher.example",
            "https://xn--bcher-kva.example",
            "https://xn--bcher-kva.example",
            id="IDN",
        ),
        pytest.param(
            "https://*.BÜCHER.example",
            "https://*.xn--bcher-kva.example",
            "https://a.xn--bcher-kva.example",
            id="IDN, pattern in capitals",
        ),
        pytest.param(
            "https://faß.example",
            "https://xn--fa-hia.example",
            "https://xn--fa-hia.example",
            id="IDN, sharp s as browsers have it",
        ),
        pytest.param(
            "https://\uff45xample.com",
            "https://example.com",
            "https://example.com",
            id="IDN, full width",
        ),
        pytest.param(
            "HTTPS://PR-*-X.Example.org:443/",
            "https://pr-*-x.example.org",
            "https://pr-1-x.example.org",
            id="label with a star",
        ),
        pytest.param(
            "https://pr-*.BÜCHER.example",
            "https://pr-*.xn--bcher-kva.example",
            "https://pr-1.xn--bcher-kva.example",
            id="IDN, label with a star",
        ),
        pytest.param(
            "pr-*.example.org:80",
            "http://pr-*.example.org",
            "http://pr-1.example.org",
            id="bare label with a star, http port",
        ),
        pytest.param(
            "MOZ-extension://*/", "moz-extension://*", "moz-extension://a", id="any extension"
        ),
        pytest.param("APP://Shop", "app://Shop", "app://Shop", id="scheme alone"),
        pytest.param(
            "Example.com:8443", "example.com:8443", "http://example.com:8443", id="bare name"
        ),
        pytest.param(
            "example.com:443", "https://example.com", "https://example.com", id="bare, https port"
        ),
        pytest.param(
            "*.example.com:80", "http://*.example.com", "http://a.example.com", id="bare, http port"
        ),
    ],
)
def test_what_has_only_one_meaning_is_normalized_with_a_warning(
    entry: str, normalized: str, origin: str
) -> None:
    """An entry that browsers spell differently is read as they spell it, and reported."""
    reading = compiled(entry)
    text = f"{entry} is read as {normalized}, as browsers spell it; write it that way"
    assert reading.warnings == [(entry, text)]
    assert origin in reading.origins
    assert compiled(normalized).warnings == []


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param("https://xn--ls8h.la", id="emoji"),
        pytest.param("https://xn--mgba3gch31f060k.example", id="zero-width non-joiner"),
        pytest.param("https://xn--fa-hia.xn--p1ai", id="two labels"),
        pytest.param("https://xn--strae-oqa.example", id="sharp s"),
    ],
)
def test_punycode_that_browsers_send_is_accepted(entry: str) -> None:
    """Names that IDNA 2008 or 2003 refuses but browsers resolve are allowed in Punycode."""
    assert entry in compiled(entry).origins


def test_star_among_others_is_reported() -> None:
    """``*`` beside other entries allows every origin, and says that the others do nothing."""
    reading = compiled("https://example.com", "*")
    assert reading.origins.any
    assert reading.warnings == [("*", "* allows every origin; the other entries have no effect")]


def test_no_entry_allows_nothing() -> None:
    """Without entries the matcher is false and empty; not even an empty origin is in it."""
    origins = compiled().origins
    assert not origins
    assert "" not in origins
    assert "null" not in origins


def test_equal_entries_count_once() -> None:
    """An entry given twice is read, reported and refused once; two spellings are one origin."""
    twice = compiled("https://a.example", "HTTPS://a.example")
    assert twice.origins == compiled("https://a.example").origins
    assert compiled("*", "*").warnings == []
    assert len(compiled("A.example", "A.example").warnings) == 1
    assert len(compiled("a.example", "a.example").expansions) == 1
    assert len(compile_origins(["null", "null"], OPEN).errors) == 1


def test_an_entry_that_needs_no_correction_is_kept_once() -> None:
    """A thousand origins take the memory of their table; the matcher has no copies of them."""
    entries = [f"https://{number:04}.{HOST_251[5:]}" for number in range(1000)]
    tracemalloc.start()
    try:
        origins = compiled(*entries).origins
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert entries[-1] in origins
    assert taken < sum(map(len, entries)) / 2


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("localhost.", True),
        ("app.localhost", True),
        ("app.localhost.", True),
        ("127.0.0.1", True),
        ("127.255.255.254", True),
        ("[::1]", True),
        ("localhostX", False),
        ("mylocalhost", False),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
        ("128.0.0.1", False),
        ("127.1", False),
        ("[::2]", False),
        ("", False),
    ],
)
def test_a_host_is_loopback_if_browsers_never_ask_the_network_for_it(
    host: str,
    expected: bool,  # noqa: FBT001
) -> None:
    """Its name is ``localhost``, or below that, or it is an address of the machine itself."""
    assert is_loopback(host) is expected
