"""Which entries of ``cors_allowed`` are refused, why, and what to write instead."""

from __future__ import annotations

import re

import pytest

from tests.origins import HOST_253, LABEL_63, OPEN, STRICT
from wsgi_mw_paste.origins import Policy, compile_origins
from wsgi_mw_paste.values import words

NULL = (
    "null cannot be listed: every sandboxed page has that origin; serve the page from an origin of"
    " its own"
)
FILE = (
    "file: cannot be listed: browsers send null for pages from files, and the apps that send"
    " file:// send it for every file; serve the page over http, or from a scheme of your own such"
    " as app://localhost"
)
WORDS = "expected a list of origins: * allows every origin, and an empty list switches CORS off"
SCHEME = "expected a scheme of ASCII letters, digits, +, - and . before the ://"
SEPARATOR = "expected :// after a scheme"
PATH = "expected an origin without a path"
QUERY = "expected an origin without a query"
FRAGMENT = "expected an origin without a fragment"
USER = "expected an origin without user information"
HOST = "expected a host of ASCII letters, digits, - and _, with 1 to 63 of them between dots"
LONG_HOST = "expected a host of at most 253 characters"
NO_HOST = "expected a host: * alone allows every origin"
DOT = "expected no dot before the host"
WORD = "expected a scheme or a domain name with a dot"
PORT = "expected a port from 1 to 65535, or * for every port, after the colon"
HOST_AND_PORT = "expected HOST or HOST:PORT, with an IPv6 address in brackets, such as [::1]:8000"
IPV6 = "expected an IPv6 address in the brackets, such as [::1]"
IPV4 = "expected an IPv4 address, or a host whose last label is not a number"
ADDRESS = "expected a domain name after the *, since an IP address has no subdomains"
STAR = "expected a single *, in the first label of the host"
TWO_LABELS = (
    "expected at least two labels after the one with the *, since anyone could register a name that"
    " matches"
)
HYPHEN = "expected a hyphen between the * and the text beside it"
BESIDE = "expected a-z, 0-9 and - beside the *, and at most 63 characters up to the dot"
PUNYCODE = "expected Punycode after the xn-- in"
IDNA = "expected a host that IDNA allows, or its xn-- form"
QUOTES = "expected origins without quotes or brackets around them"
VARIABLE = "expected an origin, not a variable that has not been replaced"
REGEX = "expected an origin or a pattern with *, not a regular expression"
SEPARATORS = "expected commas or spaces between origins"
LIST_THE_HOSTS = "list the hosts"

#: By their ids: the entry, and why it is refused.
REFUSED = {
    "null": ("null", NULL),
    "null in capitals": ("NULL", NULL),
    "nothing": ("", HOST),
    "blank": (" ", HOST),
    "true": ("true", WORDS),
    "off in capitals": ("OFF", WORDS),
    "file": ("file://", FILE),
    "file path": ("FILE:///home/x", FILE),
    "file host": ("file://host", FILE),
    "scheme, digit": ("1a://example.com", SCHEME),
    "scheme, underscore": ("a_b://example.com", SCHEME),
    "scheme, long": (f"{'a' * 65}://example.com", SCHEME),
    "scheme, empty": ("://example.com", SCHEME),
    "scheme, any": ("*://example.com", SCHEME),
    "two schemes": ("https://https://example.com", PATH),
    "no scheme": ("//example.com", f"{SEPARATOR}; write https://example.com"),
    "no slashes": ("HTTP:example.com", f"{SEPARATOR}; write http://example.com"),
    "one slash": ("https:/example.com", f"{SEPARATOR}; write https://example.com"),
    "one slash and a path": ("https:/A.example/b", f"{SEPARATOR}; write https://a.example"),
    "no colon": ("https//example.com", f"{SEPARATOR}; write https://example.com"),
    "no slashes, no host": ("https:*", f"{SEPARATOR}"),
    "three slashes": ("https:///X.example", f"{PATH}; write https://x.example"),
    "path": ("https://example.com/a/b", f"{PATH}; write https://example.com"),
    "path of a bare name": ("Example.com/a", f"{PATH}; write example.com"),
    "slash before a bare name": ("/example.com", f"{PATH}; write example.com"),
    "path of a pattern": ("https://pr-*.a.example/b", f"{PATH}; write https://pr-*.a.example"),
    "path and port": ("https://example.com:99999/a", PATH),
    "two slashes": ("https://example.com//", f"{PATH}; write https://example.com"),
    "query": ("https://example.com?", f"{QUERY}; write https://example.com"),
    "fragment": ("https://example.com#", f"{FRAGMENT}; write https://example.com"),
    "number sign": ("#", FRAGMENT),
    "user": ("https://a:b@example.com:1", f"{USER}; write https://example.com:1"),
    "user alone": ("https://@", USER),
    "backslash": ("https://example.com\\x", f"{PATH}; write https://example.com"),
    "no host": ("https://", HOST),
    "dot": ("https://.", DOT),
    "leading dot": ("https://.example.com", f"{DOT}; write https://*.example.com"),
    "leading dot of a bare name": (".example.com:80", f"{DOT}; write http://*.example.com"),
    "leading dot of a public suffix": (".co.uk", DOT),
    "leading dot of a top-level domain that is not listed": (".corp", DOT),
    "empty label": ("https://example..com", HOST),
    "two dots": ("https://example.com..", HOST),
    "blank in the host": ("https://a b.com", HOST),
    "comma in the host": ("https://a,b.com", HOST),
    "percent": ("https://a%2eb.com", HOST),
    "NUL": ("https://a\0b.com", HOST),
    "newline": ("https://example.com\n", HOST),
    "long label": (f"https://a{LABEL_63}.com", HOST),
    "long host": (f"https://b.{HOST_253}", LONG_HOST),
    "long pattern": (f"https://*.{HOST_253}", LONG_HOST),
    "long pattern with a label": (f"https://a-*.{HOST_253[3:]}", LONG_HOST),
    "word": ("ab", f"{WORD}; write https://ab"),
    "word and port": ("ab:8000", f"{WORD}; write https://ab:8000"),
    "port, empty": ("https://example.com:", f"{PORT}; write https://example.com"),
    "port 0": ("https://example.com:0", f"{PORT}; write https://example.com"),
    "port, leading zero": ("https://example.com:08", f"{PORT}; write https://example.com:8"),
    "port, high": ("https://example.com:65536", PORT),
    "port, letter": ("https://example.com:X8", PORT),
    "port, other digits": ("https://example.com:٣", PORT),
    "port, half a wildcard": ("https://example.com:80*", PORT),
    "port, two": ("https://a:b:1", HOST_AND_PORT),
    "IPv6, bare": ("::1", f"{HOST_AND_PORT}; write [::1]"),
    "IPv6, no brackets": ("http://::1", f"{HOST_AND_PORT}; write http://[::1]"),
    "IPv6, open": ("http://[::1", HOST_AND_PORT),
    "IPv6, prefixed": ("http://a[::1]", HOST_AND_PORT),
    "IPv6, suffixed": ("http://[::1]a", HOST_AND_PORT),
    "IPv6, dot": ("http://[::1].", HOST_AND_PORT),
    "IPv6, empty": ("http://[]", IPV6),
    "IPv6, future": ("http://[v1.x]", IPV6),
    "IPv6, zone": ("http://[fe80::1%eth0]", "expected an IPv6 address without a zone"),
    "IPv6, mapped": (
        "http://[::ffff:1.2.3.4]:80",
        "expected an IPv4 address in its own notation; write http://1.2.3.4",
    ),
    "IPv6, pattern": ("http://*.[::1]:1", f"{ADDRESS}; write http://[::1]:1"),
    "IPv4, pattern": ("http://*.127.0.0.1", f"{ADDRESS}; write http://127.0.0.1"),
    "IPv4, label": ("http://pr-*.127.0.0.1", f"{ADDRESS}; write http://127.0.0.1"),
    "IPv4, short": ("http://127.1", IPV4),
    "IPv4, hexadecimal": ("http://0x7f.1", IPV4),
    "IPv4, ends in 0x": ("http://example.0x", IPV4),
    "IPv4, one number": ("http://2130706433", IPV4),
    "IPv4, high": ("http://256.0.0.1", IPV4),
    "IPv4, octal": ("http://127.0.0.01", IPV4),
    "IPv4, dot": ("http://127.0.0.1.", f"{IPV4}; write http://127.0.0.1"),
    "top level number": ("http://foo.bar.255:6060", IPV4),
    "wildcard for a host": ("https://*", f"{NO_HOST}; write *, or list the origins"),
    "wildcard for a host, port": ("https://*:8443", f"{NO_HOST}; write *, or list the origins"),
    "wildcard for an application": ("app://*", f"{NO_HOST}; write *, or list the origins"),
    "wildcard for an extension, port": (
        "moz-extension://*:80",
        "expected no port after moz-extension://*; write moz-extension://*",
    ),
    "pattern of nothing": ("https://*.", HOST),
    "wildcard without dot": (
        "https://*X.example",
        f"{TWO_LABELS}; write https://*.x.example, or list the hosts",
    ),
    "wildcard and hyphen": (
        "https://*-example.com:8443",
        f"{TWO_LABELS}; write https://*.example.com:8443, or list the hosts",
    ),
    "wildcard before a public suffix": ("https://*-co.uk", f"{TWO_LABELS}; {LIST_THE_HOSTS}"),
    "wildcard between": ("https://a-*-b.com", f"{TWO_LABELS}; {LIST_THE_HOSTS}"),
    "wildcard before one label": ("https://pr-*.com", f"{TWO_LABELS}; {LIST_THE_HOSTS}"),
    "wildcard before one label and a dot": ("https://pr-*.com.", f"{TWO_LABELS}; {LIST_THE_HOSTS}"),
    "half a word": ("h*", f"{TWO_LABELS}; {LIST_THE_HOSTS}"),
    "half an extension": ("moz-extension://a-*", f"{TWO_LABELS}; {LIST_THE_HOSTS}"),
    "two wildcards": ("*.*", f"{STAR}; {LIST_THE_HOSTS}"),
    "wildcard inside": ("https://www.*.com", f"{STAR}; {LIST_THE_HOSTS}"),
    "wildcard behind": ("https://example.*", f"{STAR}; {LIST_THE_HOSTS}"),
    "wildcard in the second label": (
        "https://app.pr-*.example.org",
        f"{STAR}; write https://*.example.org, or list the hosts",
    ),
    "wildcards in two labels": (
        "https://*.a.*.example.org:8000",
        f"{STAR}; write https://*.example.org:8000, or list the hosts",
    ),
    "wildcards in three labels": (
        "https://*.a.*.b.*.example.org",
        f"{STAR}; write https://*.example.org, or list the hosts",
    ),
    "two stars": (
        "https://**.example.com",
        f"{STAR}; write https://*.example.com, or list the hosts",
    ),
    "three stars": (
        "https://***.example.com",
        f"{STAR}; write https://*.example.com, or list the hosts",
    ),
    "two stars in a label": (
        "https://*-a-*-b.example.org",
        f"{STAR}; write https://*-b.example.org, or list the hosts",
    ),
    "two stars before a public suffix": ("https://*.*.co.uk", f"{STAR}; {LIST_THE_HOSTS}"),
    "no hyphen behind": ("https://pr*.example.org", f"{HYPHEN}; write https://pr-*.example.org"),
    "no hyphen before": ("https://*team.vercel.app", f"{HYPHEN}; write https://*-team.vercel.app"),
    "no hyphen on either side": (
        "HTTPS://A*b.Example.org:8443",
        f"{HYPHEN}; write https://a-*-b.example.org:8443",
    ),
    "hyphens alone": (
        "https://-*-.example.org",
        "expected a letter or a digit beside the *; write https://*.example.org",
    ),
    "label in Punycode": (
        "https://XN--a-*.example.org",
        "expected no Punycode beside the *; list the hosts",
    ),
    "label with an underscore": ("https://a_b-*.example.org", BESIDE),
    "label with other letters": ("https://bü-*.example.org", BESIDE),
    "label with a Kelvin sign": ("https://\u212a-*.example.org", BESIDE),
    "label in capitals where case counts": ("app://PR-*.example.org", BESIDE),
    "long label with a star": (f"https://{LABEL_63[1:]}-*.example.org", BESIDE),
    "label before an empty label": ("https://pr-*..example.org", HOST),
    "Punycode, cut short": ("https://xn--f", f"{PUNYCODE} xn--f"),
    "Punycode, empty": ("https://xn--", f"{PUNYCODE} xn--"),
    "Punycode of ASCII": ("https://xn--abc-", f"{PUNYCODE} xn--abc-"),
    "Punycode of a control": ("https://xn--a.example", f"{PUNYCODE} xn--a"),
    "Punycode, other spelling": ("https://xn---2ro.com", f"{PUNYCODE} xn---2ro"),
    "Punycode of a capital": ("https://xn--bcher-2pa.com", f"{PUNYCODE} xn--bcher-2pa"),
    "Punycode, not NFC": ("https://xn--bucher-xyd.com", f"{PUNYCODE} xn--bucher-xyd"),
    "Punycode, private use": ("https://xn--a-so7g.com", f"{PUNYCODE} xn--a-so7g"),
    "Punycode of a blank": ("https://xn--ab-1ca.com", f"{PUNYCODE} xn--ab-1ca"),
    "Punycode below a star": ("https://pr-*.xn--f.example", f"{PUNYCODE} xn--f"),
    "IDN, empty label": ("https://a..bücher", IDNA),
    "IDN, underscore": ("https://bü_cher.example", IDNA),
    "IDN, full-width slash": ("https://evil.net\uff0f.example.com", IDNA),
    "IDN, full-width query": ("https://evil.net\uff1f.example.com", IDNA),
    "IDN, a/c as one character": ("https://a\u2100.example.com", IDNA),
    "IDN, full-width star": ("https://\uff0a.example.com", IDNA),
    "IDN, invisible label": ("https://a\u200b..example.com", IDNA),
    "IDN where hosts are no domains": ("app://bücher.example", HOST),
    "single quotes": ("'https://example.com'", f"{QUOTES}; write https://example.com"),
    "single quotes around a bare name": ("'X.example'", f"{QUOTES}; write x.example"),
    "double quotes": ('"https://example.com"', f"{QUOTES}; write https://example.com"),
    "one quote": ("https://[::1]'", f"{QUOTES}; write https://[::1]"),
    "JSON, first": ('["https://a.example"', f"{QUOTES}; write https://a.example"),
    "JSON, bare name": ('["X.example"', f"{QUOTES}; write x.example"),
    "JSON, last": ('"https://b.example"]', f"{QUOTES}; write https://b.example"),
    "list, first": ("[https://a.example", f"{QUOTES}; write https://a.example"),
    "list, last": ("https://b.example]", f"{QUOTES}; write https://b.example"),
    "quotes alone": ('""', QUOTES),
    "semicolon": (
        "https://a.example;https://b.example",
        f"{SEPARATORS}; write https://a.example, https://b.example",
    ),
    "bar": ("a.example|B.example", f"{SEPARATORS}; write a.example, b.example"),
    "semicolon and a mistake": ("https://a.example;https://b.example:x", SEPARATORS),
    "shell variable": ("${CORS_ALLOWED}", VARIABLE),
    "shell variable without braces": ("https://$HOST", VARIABLE),
    "INI variable": ("https://%(host)s", VARIABLE),
    "make variable": ("$(host)", VARIABLE),
    "template variable": ("https://{{host}}", VARIABLE),
    "regular expression": (
        r"^https://.*\.example\.com$",
        f"{REGEX}; write https://*.example.com",
    ),
    "regular expression, class": (
        r"https?://[^.]+\.example\.com",
        f"{REGEX}; write https://*.example.com",
    ),
    "regular expression, group": (
        r"https://deploy-(\d+)--shop\.netlify\.app",
        f"{REGEX}; write https://deploy-*--shop.netlify.app",
    ),
    "regular expression, choice": (r"https://(a|b)\.example\.com", REGEX),
    "regular expression, unescaped": (
        "https://.*.example.com",
        f"{REGEX}; write https://*.example.com",
    ),
    "regular expression, of an origin": (
        r"https://app\.example\.com",
        f"{REGEX}; write https://app.example.com",
    ),
    "regular expression, of a bare name": (r"^X\.example$", f"{REGEX}; write x.example"),
    "regular expression, everything": ("re:.*", f"{REGEX}; write *"),
}


@pytest.mark.parametrize(
    ("entry", "reason"), [pytest.param(*case, id=name) for name, case in REFUSED.items()]
)
def test_an_entry_is_refused_in_these_words(entry: str, reason: str) -> None:
    """An entry that is none of the forms is an error, with its reason, and allows nothing."""
    reading = compile_origins([entry], OPEN)
    assert reading.errors == [(entry, reason)]
    assert not reading.origins


ANY_ORIGIN = (
    "expected a list of origins: with cors_allow_credentials, * would let every site act as its"
    " visitor"
)
ANY_EXTENSION = (
    "expected a single extension with cors_allow_credentials, since * matches every extension; list"
    " moz-extension://ID, or set cors_allow_credentials = false"
)
INSECURE = (
    "expected https with cors_allow_credentials, since anyone on the network can impersonate an"
    " insecure origin"
)
TOLERATE_INSECURE = "allow it with cors_tolerate_insecure_origins = true"
NOT_YOURS = (
    "expected a domain of your own with cors_allow_credentials, since anyone can register a name"
    " below the public suffix"
)
TOLERATE_SUFFIX = "list the hosts, or allow it with cors_tolerate_public_suffixes = true"

#: The same, of entries that are fine without credentials.
REFUSED_WITH_CREDENTIALS = {
    "everything": (
        "*",
        ANY_ORIGIN,
    ),
    "http": (
        "http://example.com:8080",
        f"{INSECURE}; write https://example.com:8080, or {TOLERATE_INSECURE}",
    ),
    "the port of http": (
        "example.com:80",
        f"{INSECURE}; write https://example.com, or {TOLERATE_INSECURE}",
    ),
    "http, subdomains": (
        "http://*.example.com:443",
        f"{INSECURE}; write https://*.example.com, or {TOLERATE_INSECURE}",
    ),
    "http, label": (
        "http://pr-*.example.org",
        f"{INSECURE}; write https://pr-*.example.org, or {TOLERATE_INSECURE}",
    ),
    "http, public suffix": ("http://*.github.io", f"{INSECURE}; {TOLERATE_INSECURE}"),
    "ws": ("ws://example.com", f"{INSECURE}; {TOLERATE_INSECURE}"),
    "ftp": ("ftp://example.com", f"{INSECURE}; {TOLERATE_INSECURE}"),
    "public suffix": ("https://*.github.io", f"{NOT_YOURS} github.io; {TOLERATE_SUFFIX}"),
    "label before a public suffix": (
        "https://deploy-preview-*--shop.netlify.app",
        f"{NOT_YOURS} netlify.app; {TOLERATE_SUFFIX}",
    ),
    "label before a public suffix, bare": (
        "*-team.vercel.app:*",
        f"{NOT_YOURS} vercel.app; {TOLERATE_SUFFIX}",
    ),
    "label before a public suffix, dot": (
        "https://pr-*.co.uk.",
        f"{NOT_YOURS} co.uk; {TOLERATE_SUFFIX}",
    ),
    "label that makes a public suffix": (
        "https://pr-*.compute.estate",
        f"{NOT_YOURS} compute.estate; {TOLERATE_SUFFIX}",
    ),
    "any extension": (
        "moz-extension://*",
        ANY_EXTENSION,
    ),
}


@pytest.mark.parametrize(
    ("entry", "reason"),
    [pytest.param(*case, id=name) for name, case in REFUSED_WITH_CREDENTIALS.items()],
)
def test_an_entry_is_refused_with_credentials_in_these_words(entry: str, reason: str) -> None:
    """What must not be combined with credentials is an error there, and there only."""
    assert compile_origins([entry], STRICT).errors == [(entry, reason)]
    assert compile_origins([entry], OPEN).errors == []


@pytest.mark.parametrize("policy", [OPEN, STRICT], ids=["open", "with credentials"])
@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(entry, id=name)
        for name, (entry, _) in (REFUSED | REFUSED_WITH_CREDENTIALS).items()
    ],
)
def test_what_a_message_says_to_write_is_accepted(entry: str, policy: Policy) -> None:
    """A suggestion is an entry, or several, that the same policy accepts without a word."""
    for note in compile_origins([entry], policy).errors:
        if written := re.search(r"; write (.+?)(?:, or |$)", note.text):
            suggestion = words(written[1])
            reading = compile_origins(suggestion, policy)
            assert (reading.errors, reading.warnings) == ([], [])
            assert reading.origins


def test_a_suggestion_fits_the_policy() -> None:
    """With credentials nothing is suggested that they rule out; the next best thing is."""
    found = compile_origins(["HTTP:a.example", "https://*team.vercel.app", "re:.*"], STRICT).errors
    assert [note.text for note in found] == [
        f"{SEPARATOR}; write https://a.example",
        HYPHEN,
        REGEX,
    ]


@pytest.mark.parametrize(
    ("entry", "suffix"),
    [
        pytest.param("https://pr-*.amazonaws.com", "", id="above public suffixes"),
        pytest.param("https://pr-*.example.com", "", id="registrable domain"),
        pytest.param("https://pr-*.me.github.io", "", id="below a public suffix"),
        pytest.param("https://pr-*.city.kawasaki.jp", "", id="exception of the list"),
        pytest.param("http://pr-*.app.localhost:3000", "", id="loopback"),
        pytest.param("https://pr-*.corp.example", "", id="not listed"),
        pytest.param("https://pr-*.any.kawasaki.jp", "any.kawasaki.jp", id="by a rule with a star"),
        pytest.param("https://pr-*.xn--55qx5d.cn", "xn--55qx5d.cn", id="IDN"),
    ],
)
def test_credentials_allow_a_label_that_strangers_cannot_register(entry: str, suffix: str) -> None:
    """A star inside a label covers no name but those right below what follows."""
    texts = [note.text for note in compile_origins([entry], STRICT).errors]
    assert texts == ([f"{NOT_YOURS} {suffix}; {TOLERATE_SUFFIX}"] if suffix else [])


@pytest.mark.parametrize(
    "entry",
    [
        "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb",
        "moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc",
        "safari-web-extension://AB12CD34-0000-4000-8000-00000000000F",
        "capacitor://localhost",
        "app://shop.example",
        "app://*.shop.example",
        "wss://shop.example",
        "ws://localhost:3000",
    ],
)
def test_credentials_allow_origins_that_the_network_cannot_impersonate(entry: str) -> None:
    """Extensions and apps load with credentials, without tolerating plain ``http:``."""
    reading = compile_origins([entry], STRICT)
    assert (reading.errors, reading.warnings) == ([], [])
    assert reading.origins


def test_a_tolerated_danger_is_a_warning() -> None:
    """Each tolerance turns its error into a warning; there is none for every extension."""
    policy = STRICT._replace(tolerate_insecure=True, tolerate_public_suffixes=True)
    reading = compile_origins(["http://a.example", "*-team.vercel.app", "a-extension://*"], policy)
    assert [note.entry for note in reading.errors] == ["a-extension://*"]
    suffix = "covers names below the public suffix vercel.app, which anyone can register, and is"
    assert reading.warnings == [
        ("http://a.example", "http://a.example is insecure, and is allowed with credentials"),
        ("*-team.vercel.app", f"https://*-team.vercel.app {suffix} allowed with credentials"),
        (
            "*-team.vercel.app",
            "http://*-team.vercel.app is insecure, and is allowed with credentials",
        ),
        ("*-team.vercel.app", f"http://*-team.vercel.app {suffix} allowed with credentials"),
    ]
