"""Which origins an entry of ``cors_allowed`` stands for, and that nothing else gets through."""

from __future__ import annotations

import itertools
import random
import re
from typing import TYPE_CHECKING

import pytest

from tests.wsgi import between_validators, call, hello, make_environ
from wsgi_mw_paste.factories import cors
from wsgi_mw_paste.origins import (
    MAX_ORIGIN,
    Policy,
    Reading,
    compile_origins,
    is_plain_origin,
    parse_origin,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

OPEN = Policy(credentials=False, tolerate_insecure=False, tolerate_public_suffixes=False)
STRICT = OPEN._replace(credentials=True)

LABEL_63 = "a" * 63
HOST_251 = ".".join([LABEL_63] * 3 + ["a" * 59])
HOST_253 = ".".join([LABEL_63] * 3 + ["a" * 61])


def read(*entries: str, policy: Policy = OPEN) -> Reading:
    """Compile entries that are all accepted."""
    reading = compile_origins(entries, policy)
    assert reading.errors == []
    return reading


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
            "capacitor://localhost",
            ["capacitor://localhost"],
            ["http://localhost", "capacitor://localhost:80"],
            id="an application's scheme",
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
            "*", ["https://example.com", "null", "", "x" * 8192, "https://a,b"], [], id="everybody"
        ),
    ],
)
def test_an_entry_stands_for_these_origins_and_no_others(
    entry: str, allowed: Sequence[str], refused: Sequence[str]
) -> None:
    """Without credentials an entry matches exactly the origins that it means."""
    origins = read(entry).origins
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
    origins = read(entry, policy=policy).origins
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
    reading = read(entry)
    assert reading.warnings == [
        f"{entry} is read as {normalized}, as browsers send it; write it so"
    ]
    assert origin in reading.origins
    assert read(normalized).warnings == []


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        pytest.param("null", "null is every sandboxed page", id="null"),
        pytest.param("NULL", "null is every sandboxed page", id="null in capitals"),
        pytest.param("", "expected a host of letters", id="nothing"),
        pytest.param(" ", "expected a host of letters", id="blank"),
        pytest.param("file://", "expected no file: origin", id="file"),
        pytest.param("FILE:///home/x", "expected no file: origin", id="file path"),
        pytest.param("file://host", "expected no file: origin", id="file host"),
        pytest.param("1a://example.com", "expected a scheme of letters", id="scheme, digit"),
        pytest.param("a_b://example.com", "expected a scheme of letters", id="scheme, underscore"),
        pytest.param(
            "a" * 65 + "://example.com", "expected a scheme of letters", id="scheme, long"
        ),
        pytest.param("://example.com", "expected a scheme of letters", id="scheme, empty"),
        pytest.param("*://example.com", "expected a scheme of letters", id="scheme, any"),
        pytest.param("re:https://.*", "expected a scheme of letters", id="regular expression"),
        pytest.param("//example.com", "write https://example.com", id="no scheme"),
        pytest.param("HTTP:example.com", "write http://example.com", id="no slashes"),
        pytest.param("https:/example.com", "write https://example.com", id="one slash"),
        pytest.param("https//example.com", "write https://example.com", id="no colon"),
        pytest.param("https:///example.com", "write https://example.com", id="three slashes"),
        pytest.param("https://example.com/a/b", "write https://example.com", id="path"),
        pytest.param("https://example.com//", "write https://example.com", id="two slashes"),
        pytest.param("https://example.com?", "without query", id="query"),
        pytest.param("https://example.com#", "without fragment", id="fragment"),
        pytest.param("https://a:b@example.com:1", "write https://example.com:1", id="user"),
        pytest.param("https://example.com\\x", "write https://example.com", id="backslash"),
        pytest.param("https://@", "expected an origin without user information", id="user alone"),
        pytest.param("https://", "expected a host of letters", id="no host"),
        pytest.param("https://.", "expected a host of letters", id="dot"),
        pytest.param("https://.example.com", "expected a host of letters", id="leading dot"),
        pytest.param("https://example..com", "expected a host of letters", id="empty label"),
        pytest.param("https://example.com..", "expected a host of letters", id="two dots"),
        pytest.param("https://a b.com", "expected a host of letters", id="blank in the host"),
        pytest.param("https://a,b.com", "expected a host of letters", id="comma in the host"),
        pytest.param("https://a%2eb.com", "expected a host of letters", id="percent"),
        pytest.param("https://a\0b.com", "expected a host of letters", id="NUL"),
        pytest.param("https://example.com\n", "expected a host of letters", id="newline"),
        pytest.param(f"https://a{LABEL_63}.com", "expected a host of letters", id="long label"),
        pytest.param(f"https://b.{HOST_253}", "at most 253", id="long host"),
        pytest.param(f"https://*.{HOST_253}", "at most 253", id="long pattern"),
        pytest.param("ab", "write https://ab", id="word"),
        pytest.param("ab:8000", "write https://ab:8000", id="word and port"),
        pytest.param("https://example.com:", "expected a port", id="port, empty"),
        pytest.param("https://example.com:0", "expected a port", id="port 0"),
        pytest.param("https://example.com:08", "expected a port", id="port, leading zero"),
        pytest.param("https://example.com:65536", "expected a port", id="port, high"),
        pytest.param("https://example.com:٣", "expected a port", id="port, other digits"),
        pytest.param("https://example.com:80*", "expected a port", id="port, half a wildcard"),
        pytest.param("https://a:b:1", "expected host or host:port", id="port, two"),
        pytest.param("::1", "expected host or host:port", id="IPv6, bare"),
        pytest.param("http://[::1", "expected host or host:port", id="IPv6, open"),
        pytest.param("http://a[::1]", "expected host or host:port", id="IPv6, prefixed"),
        pytest.param("http://[::1]a", "expected host or host:port", id="IPv6, suffixed"),
        pytest.param("http://[::1].", "expected host or host:port", id="IPv6, dot"),
        pytest.param("http://[]", "expected an IPv6 address", id="IPv6, empty"),
        pytest.param("http://[v1.x]", "expected an IPv6 address", id="IPv6, future"),
        pytest.param("http://[fe80::1%eth0]", "without a zone", id="IPv6, zone"),
        pytest.param("http://[::ffff:1.2.3.4]", "IPv4 written as IPv4", id="IPv6, mapped"),
        pytest.param("http://*.[::1]", "an IP address has no subdomains", id="IPv6, pattern"),
        pytest.param("http://*.127.0.0.1", "an IP address has no subdomains", id="IPv4, pattern"),
        pytest.param("http://127.1", "expected four numbers", id="IPv4, short"),
        pytest.param("http://0x7f.1", "expected four numbers", id="IPv4, hexadecimal"),
        pytest.param("http://example.0x", "expected four numbers", id="IPv4, ends in 0x"),
        pytest.param("http://2130706433", "expected four numbers", id="IPv4, one number"),
        pytest.param("http://256.0.0.1", "expected four numbers", id="IPv4, high"),
        pytest.param("http://127.0.0.01", "expected four numbers", id="IPv4, octal"),
        pytest.param("http://127.0.0.1.", "expected four numbers", id="IPv4, dot"),
        pytest.param("http://foo.bar.255:6060", "expected four numbers", id="top level number"),
        pytest.param("*.*", "nowhere else", id="two wildcards"),
        pytest.param("https://*", "nowhere else", id="wildcard for a host"),
        pytest.param("https://*:8443", "nowhere else", id="wildcard for a host, port"),
        pytest.param("https://*example.com", "nowhere else", id="wildcard without dot"),
        pytest.param("https://www.*.com", "nowhere else", id="wildcard inside"),
        pytest.param("https://example.*", "nowhere else", id="wildcard behind"),
        pytest.param("https://**.example.com", "nowhere else", id="two stars"),
        pytest.param("h*", "nowhere else", id="half a word"),
        pytest.param("https://*.", "expected a host of letters", id="pattern of nothing"),
        pytest.param("https://xn--f", "expected Punycode", id="Punycode, cut short"),
        pytest.param("https://xn--", "expected Punycode", id="Punycode, empty"),
        pytest.param("https://xn--abc-", "expected Punycode", id="Punycode of ASCII"),
        pytest.param("https://xn--a.example", "expected Punycode", id="Punycode of a control"),
        pytest.param("https://xn---2ro.com", "expected Punycode", id="Punycode, other spelling"),
        pytest.param("https://xn--bcher-2pa.com", "expected Punycode", id="Punycode of a capital"),
        pytest.param("https://xn--bucher-xyd.com", "expected Punycode", id="Punycode, not NFC"),
        pytest.param("https://xn--a-so7g.com", "expected Punycode", id="Punycode, private use"),
        pytest.param("https://xn--ab-1ca.com", "expected Punycode", id="Punycode of a blank"),
        pytest.param("https://a..bücher", "IDNA", id="IDN, empty label"),
        pytest.param("https://bü_cher.example", "IDNA", id="IDN, underscore"),
        pytest.param("https://evil.net\uff0f.example.com", "IDNA", id="IDN, full-width slash"),
        pytest.param("https://evil.net\uff1f.example.com", "IDNA", id="IDN, full-width query"),
        pytest.param("https://a\u2100.example.com", "IDNA", id="IDN, a/c as one character"),
        pytest.param("https://\uff0a.example.com", "IDNA", id="IDN, full-width star"),
        pytest.param("https://a\u200b..example.com", "IDNA", id="IDN, invisible label"),
        pytest.param("'https://example.com'", "no quotes", id="single quotes"),
        pytest.param('"https://example.com"', "no quotes", id="double quotes"),
        pytest.param("https://a.example;https://b.example", "commas or blanks", id="semicolon"),
        pytest.param("#", "without fragment", id="number sign"),
        pytest.param("${CORS_ALLOWED}", "not a variable", id="shell variable"),
        pytest.param("https://%(host)s", "not a variable", id="INI variable"),
        pytest.param("$(host)", "not a variable", id="make variable"),
        pytest.param("https://{{host}}", "expected a host of letters", id="template variable"),
    ],
)
def test_everything_else_is_refused_with_its_reason(entry: str, reason: str) -> None:
    """An entry that is none of the forms is an error with a reason, and allows nothing."""
    reading = compile_origins([entry], OPEN)
    (problem,) = reading.errors
    assert problem[0] == entry
    assert reason in problem[1]
    assert problem[1].startswith("expected ")
    assert not reading.origins


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
    assert entry in read(entry).origins


ENTRIES = [
    "https://example.com",
    "https://*.example.org",
    "https://*.example.net:*",
    "http://localhost:*",
    "http://[::1]:*",
    "http://127.0.0.1:8000",
    "https://xn--bcher-kva.example",
]

#: What :data:`ENTRIES` mean, as one regular expression; ports are looked at apart.
MEANT = re.compile(
    r"""https://example\.com
    |https://([a-z0-9_-]+\.)+example\.org
    |https://([a-z0-9_-]+\.)+example\.net(:[1-9][0-9]*)?
    |http://localhost(:[1-9][0-9]*)?
    |http://\[::1\](:[1-9][0-9]*)?
    |http://127\.0\.0\.1:8000
    |https://xn--bcher-kva\.example""",
    re.VERBOSE,
)

HOSTILE = {
    "suffix": "https://evilexample.com",
    "suffix of a pattern": "https://evilexample.org",
    "suffix with a hyphen": "https://evil-example.org",
    "prefix": "https://example.com.evil.net",
    "prefix of a pattern": "https://a.example.org.evil.net",
    "unescaped dot": "https://examplexcom",
    "unescaped dot of a pattern": "https://axexample.org",
    "host of a pattern": "https://example.org",
    "dot before the host": "https://.example.org",
    "dots before the host": "https://a..example.org",
    "star": "*",
    "star host": "https://*",
    "the pattern itself": "https://*.example.org",
    "the pattern with its port": "https://*.example.net:*",
    "user information": "https://example.com@evil.net",
    "user information of a pattern": "https://evil.net@a.example.org",
    "user and password": "https://a:b@example.com",
    "backslash": "https://evil.net\\.example.org",
    "slash": "https://evil.net/.example.org",
    "query": "https://evil.net?.example.org",
    "fragment": "https://evil.net#.example.org",
    "colon": "https://evil.net:80.example.org",
    "backtick": "https://evil.net`.example.org",
    "percent": "https://evil.net%60.example.org",
    "percent dot": "https://a%2eexample.org",
    "percent NUL": "https://evil.net%00.example.org",
    "NUL": "https://evil.net\0.example.org",
    "tab": "https://evil.net\t.example.org",
    "newline": "https://a.example.org\n",
    "newline before": "\nhttps://a.example.org",
    "carriage return": "https://a\r\n.example.org",
    "blank": "https://a .example.org",
    "blank before": " https://example.com",
    "blank behind": "https://example.com ",
    "no-break space": "https://example.com\xa0",
    "next line": "https://a.example.org\x85",
    "comma": "https://evil.net,https://example.com",
    "comma and blank": "https://example.com, https://example.com",
    "comma in a pattern": "https://evil.net,.example.org",
    "null": "null",
    "null in capitals": "NULL",
    "null and more": "null, https://example.com",
    "empty": "",
    "scheme in capitals": "HTTPS://example.com",
    "host in capitals": "https://EXAMPLE.com",
    "label in capitals": "https://A.example.org",
    "trailing dot": "https://example.com.",
    "trailing dot of a pattern": "https://a.example.org.",
    "two trailing dots": "https://a.example.org..",
    "trailing slash": "https://example.com/",
    "path": "https://example.com/a",
    "homograph in UTF-8": "https://\u0435xample.com".encode().decode("latin-1"),
    "homograph": "https://\u0435xample.com",
    "homograph in Punycode": "https://xn--xample-2of.com",
    "IDN in UTF-8": "https://bücher.example".encode().decode("latin-1"),
    "IDN": "https://bücher.example",
    "IDN below a pattern": "https://bücher.example.org",
    "full width": "https://\uff41.example.org",
    "ideographic full stop": "https://a。example.org",
    "Kelvin sign": "https://\u212a.example.org",
    "dotless i": "https://\u0131.example.org",
    "other digits": "http://localhost:\u0663",
    "soft hyphen": "https://a\xad.example.org",
    "zero-width space": "https://a\u200b.example.org",
    "lone surrogate": "https://a\ud800.example.org",
    "IPv6, uncompressed": "http://[0:0:0:0:0:0:0:1]",
    "IPv6, capitals": "http://[::FFFF]",
    "IPv6, zone": "http://[::1%25lo]:8000",
    "IPv6, mapped": "http://[::ffff:127.0.0.1]:8000",
    "IPv6, no brackets": "http://::1",
    "IPv6, open": "http://[::1",
    "IPv6, closed": "http://::1]",
    "IPv6, two brackets": "http://[[::1]]",
    "IPv6, nothing": "http://[]",
    "IPv6, suffix": "http://[::1].example.org",
    "IPv6, user": "http://[::1]@evil.net",
    "bracket": "https://example.com]",
    "IPv4, short": "http://127.1:8000",
    "IPv4, number": "http://2130706433:8000",
    "IPv4, octal": "http://0177.0.0.1:8000",
    "IPv4, hexadecimal": "http://0x7f.0.0.1:8000",
    "IPv4, dot": "http://127.0.0.1.:8000",
    "IPv4, no port": "http://127.0.0.1",
    "port 0": "http://localhost:0",
    "port, high": "http://localhost:65536",
    "port, very high": "http://localhost:99999",
    "port, six digits": "http://localhost:655350",
    "port, huge": "http://localhost:" + "9" * 5000,
    "port, leading zero": "http://localhost:08000",
    "port, signed": "http://localhost:+8000",
    "port, negative": "http://localhost:-1",
    "port, empty": "http://localhost:",
    "port, star": "http://localhost:*",
    "port, default": "http://localhost:80",
    "port, default of a pattern": "https://a.example.net:443",
    "port, two": "http://localhost:8000:8000",
    "port, letters": "http://localhost:80a",
    "port, underscore": "http://localhost:8_000",
    "port and host": "http://localhost:8000.evil.net",
    "port where none is listed": "https://example.com:8443",
    "port of a pattern without": "https://a.example.org:8443",
    "downgrade": "http://example.com",
    "downgrade of a pattern": "http://a.example.org",
    "other scheme": "ftp://example.com",
    "file": "file://",
    "data": "data:text/html,https://example.com",
    "javascript": "javascript://example.com/%0aalert(1)",
    "scheme alone": "https://",
    "no scheme": "example.com",
    "no scheme, two slashes": "//example.com",
    "one slash": "https:/example.com",
    "three slashes": "https:///example.com",
    "two schemes": "https://https://example.com",
    "blob": "blob:https://example.com",
    "view-source": "view-source:https://example.com",
    "long label": "https://" + "a" * 64 + ".example.org",
    "long host": "https://" + "a." * 122 + "example.org",
    "8 kB of labels": "https://" + "a." * 4096 + "example.org",
    "8 kB of dots": "https://" + "." * 8192 + "example.org",
    "64 kB": "https://" + "a" * 65536 + ".example.org",
}


@pytest.mark.parametrize(
    "origin", [pytest.param(origin, id=name) for name, origin in HOSTILE.items()]
)
def test_a_hostile_origin_is_refused_and_harmless(origin: str) -> None:
    """A hostile origin gets no CORS header and no exception, for pages and for preflights."""
    app = between_validators(cors({}, cors_allowed=" ".join(ENTRIES)), hello)
    asking = {"Origin": origin, "Access-Control-Request-Method": "PUT"}

    actual = call(app, make_environ(headers={"Origin": origin}))
    preflight = call(app, make_environ("OPTIONS", headers=asking))

    assert (actual.code, actual.body) == (200, b"hello")
    assert preflight.code == 403
    sent = [name.lower() for answer in (actual, preflight) for name, _ in answer.headers]
    assert [name for name in sent if name.startswith("access-control-")] == []


def test_no_random_string_gets_through_but_those_that_are_meant() -> None:
    """Of 30,000 strings made of an origin's pieces and an attacker's, only meant ones match."""
    dice = random.Random(20)  # noqa: S311 -- repeatable, not secret
    starts = ["https://", "https://", "http://", "https", "//", "", "null", "ftp://", "x@", "h,"]
    middles = [
        "a", "a.", ".", "example", "example.org", "example.net", ".example.org", "example.com",
        "localhost", "[::1]", "127.0.0.1", "xn--bcher-kva.example", "@", "\\", "/", "\t", "%2e",
        ",", "*", "*.", "_", "-", "A", "\xfc", "#", "?", " ", "[", "]", "https://", "evil.net",
    ]  # fmt: skip
    ends = ["", "", ":8000", ":443", ":80", ":65536", ":0", ":", ".", "/", ":*", "\n"]
    origins = read(*ENTRIES).origins
    strings = [
        dice.choice(starts)
        + "".join(dice.choices(middles, k=dice.randint(1, 3)))
        + dice.choice(ends)
        for _ in range(30_000)
    ]
    matched = {text for text in strings if text in origins}
    unmeant = {text for text in matched if not MEANT.fullmatch(text) or parse_origin(text) is None}
    assert len(matched) > 10, "the sample is too tame to prove anything"
    assert unmeant == set()


def test_one_changed_character_makes_an_origin_a_stranger() -> None:
    """No origin with one character inserted, replaced or left out matches unless it is meant."""
    dice = random.Random(21)  # noqa: S311
    origins = read(*ENTRIES).origins
    seeds = [
        "https://example.com",
        "https://a.example.org",
        "https://b.a.example.net:8443",
        "http://localhost:3000",
        "http://[::1]:9090",
        "http://127.0.0.1:8000",
    ]
    assert [seed for seed in seeds if seed not in origins] == []
    for seed in seeds:
        for at in range(len(seed) + 1):
            for new in ["", *(chr(dice.randrange(256)) for _ in range(40)), ".", "@", "/", ":"]:
                for end in (at, at + 1):
                    text = seed[:at] + new + seed[end:]
                    assert text not in origins or MEANT.fullmatch(text), text


def naively_allowed(entries: Sequence[str], origin: str) -> bool:
    """Look at one entry after the other, as slowly and as plainly as it can be done."""
    scheme, _, rest = origin.partition("://")
    host, _, port = rest.partition(":")
    for entry in entries:
        entry_scheme, _, entry_rest = entry.partition("://")
        entry_host, _, entry_port = entry_rest.partition(":")
        suffix = entry_host.removeprefix("*")
        same_host = host.endswith(suffix) and host != suffix if suffix[0] == "." else host == suffix
        if scheme == entry_scheme and same_host and entry_port in (port, "*"):
            return True
    return False


def test_ten_thousand_origins_and_a_thousand_patterns_match_as_if_tried_one_by_one() -> None:
    """However many entries there are, the answers are those of a plain loop over them."""
    dice = random.Random(22)  # noqa: S311
    schemes, ports = ["http", "https"], ["", "", ":8443", ":*"]
    hosts = [f"app{n}.site{n % 97}.example" for n in range(10_000)]
    entries = [f"{dice.choice(schemes)}://{host}{dice.choice(ports[:3])}" for host in hosts]
    entries += [
        f"{dice.choice(schemes)}://*.{dice.choice(['', 'x.', 'y.x.'])}site{n}.example"
        f"{dice.choice(ports)}"
        for n in range(1_000)
    ]
    origins = read(*entries).origins
    asked = [
        f"{dice.choice(schemes)}://{dice.choice(['', 'x.', 'z.y.x.', 'z.', 'app7.'])}"
        f"site{dice.randrange(1_100)}.example{dice.choice(['', ':8443', ':9000'])}"
        for _ in range(400)
    ]
    asked += [entry for entry in dice.sample(entries, 200) if "*" not in entry]
    answers = [origin in origins for origin in asked]
    assert answers == [naively_allowed(entries, origin) for origin in asked]
    assert 100 < sum(answers) < len(answers) - 100, "the sample is too lopsided"


@pytest.mark.parametrize(
    ("origin", "parts"),
    [
        pytest.param("https://example.com", ("https", "example.com", ""), id="host"),
        pytest.param("http://a-b.c_d:8080", ("http", "a-b.c_d", "8080"), id="port"),
        pytest.param("http://[2001:db8::1]:1", ("http", "[2001:db8::1]", "1"), id="IPv6"),
        pytest.param("https://example.com.", ("https", "example.com.", ""), id="trailing dot"),
        pytest.param(f"https://{HOST_253}.", ("https", f"{HOST_253}.", ""), id="long host"),
        pytest.param("http://a:443", ("http", "a", "443"), id="another scheme's default port"),
        pytest.param("http://a:80", None, id="default port of http"),
        pytest.param("wss://a:443", None, id="default port of wss"),
        pytest.param(f"https://a.{HOST_253}", None, id="host too long"),
        pytest.param("a" * (MAX_ORIGIN + 1), None, id="too long"),
        pytest.param("null", None, id="opaque"),
    ],
)
def test_an_origin_is_parsed_as_browsers_serialize_it(
    origin: str, parts: tuple[str, str, str] | None
) -> None:
    """The parts of an origin are scheme, host and port; what no browser sends has none."""
    assert parse_origin(origin) == parts


def test_star_among_others_is_reported() -> None:
    """``*`` beside other entries allows everybody and says that the others are idle."""
    reading = read("https://example.com", "*")
    assert reading.origins.any
    assert reading.warnings == ["* allows every origin; the other entries change nothing"]


def test_no_entry_allows_nothing() -> None:
    """Without entries the matcher is false and empty; not even an empty origin is in it."""
    origins = read().origins
    assert not origins
    assert "" not in origins
    assert "null" not in origins


def test_equal_entries_count_once() -> None:
    """An entry given twice is read, reported and refused once; two spellings are one origin."""
    twice = read("https://a.example", "HTTPS://a.example")
    assert twice.origins == read("https://a.example").origins
    assert read("*", "*").warnings == []
    assert len(read("A.example", "A.example").warnings) == 1
    assert len(read("a.example", "a.example").expansions) == 1
    assert len(compile_origins(["null", "null"], OPEN).errors) == 1


#: Pieces of origins, good and bad: a scheme, what stands before a host, the host, a port.
PIECES = (
    ["https://", "http://", "https:/", "HTTPS://", "https://https://", "app://", ""],
    ["", "a.", "a.b.", ".", "-.", "_a.", "A.", "a..", "a@", "a b.", f"{'a' * 63}.", f"{'a' * 64}."],
    [
        "example.org",
        "example.org.",
        "example.com",
        "example.com.",
        "org",
        "deep.example.org",
        "[::1]",
        "127.0.0.1",
    ],
    ["", ":8443", ":443", ":08443", ":*", ":", ":99999", "/", ":8443/"],
)
POLICY = [
    "https://example.org",
    "https://*.example.org",
    "http://*.deep.example.org",
    "https://*.deep.example.org",
    "https://*.example.com:8443",
    "https://*.example.com.",
    "http://*.org:*",
    "https://[::1]:*",
    "app://*.example.org",
    "app://127.0.0.1:*",
]


def covers(entry: str, origin: str) -> bool:
    """Say by the definition, and slowly, whether an entry stands for an origin."""
    parts = parse_origin(origin)
    if parts is None:
        return False
    scheme, host, port = parts
    wanted_scheme, _, rest = entry.partition("://")
    wanted_host, wanted_port = re.fullmatch(r"(.*?)(?::(\*|\d+))?", rest).groups("")  # type: ignore[union-attr]
    if scheme != wanted_scheme or wanted_port not in ("*", port):
        return False
    if wanted_host.startswith("*."):
        return host.endswith(wanted_host[1:]) and host != wanted_host[1:]
    return host == wanted_host


@pytest.mark.parametrize("entries", [POLICY, *([entry] for entry in POLICY)], ids=" ".join)
def test_matching_is_what_the_definition_says(entries: list[str]) -> None:
    """The look-up finds, among thousands of good and bad origins, those that an entry covers."""
    origins = compile_origins(entries, OPEN).origins
    candidates = ["".join(each) for each in itertools.product(*PIECES)]
    found = [each for each in candidates if each in origins]
    assert found == [each for each in candidates if any(covers(e, each) for e in entries)]
    assert len(found) > 0


def test_a_plain_origin_is_an_origin() -> None:
    """The quick test lets nothing through that the grammar would not."""
    candidates = ["".join(each) for each in itertools.product(*PIECES)]
    candidates += ["https://" + ".".join(["a" * 63] * n) for n in range(6)]
    plain = [each for each in candidates if is_plain_origin(each)]
    assert [each for each in plain if parse_origin(each) is None] == []
    # And it lets most of them through.
    assert {"https://example.org", "http://a.example.com", "https://org"} <= set(plain)


def test_a_host_in_brackets_may_be_no_longer_than_others() -> None:
    """The colons in it do not make it any shorter."""
    assert parse_origin("https://[" + ":" * 251 + "]") is not None
    assert parse_origin("https://[" + ":" * 252 + "]") is None
