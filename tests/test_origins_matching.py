"""Only what is meant gets through, however it is spelled and however many entries there are."""

from __future__ import annotations

import itertools
import random
import re

import pytest

from tests.origins import HOST_253, OPEN, compiled
from tests.wsgi import between_validators, call, hello, make_environ
from wsgi_mw_paste.factories import cors
from wsgi_mw_paste.origins import MAX_ORIGIN, compile_origins, is_plain_origin, parse_origin

ENTRIES = [
    "https://example.com",
    "https://*.example.org",
    "https://*.example.net:*",
    "http://localhost:*",
    "http://[::1]:*",
    "http://127.0.0.1:8000",
    "https://xn--bcher-kva.example",
    "https://pr-*-shop.dev.example",
    "moz-extension://*",
]

#: What :data:`ENTRIES` mean, as one regular expression; ports are looked at apart.
MEANT = re.compile(
    r"""https://example\.com
    |https://([a-z0-9_-]+\.)+example\.org
    |https://([a-z0-9_-]+\.)+example\.net(:[1-9][0-9]*)?
    |http://localhost(:[1-9][0-9]*)?
    |http://\[::1\](:[1-9][0-9]*)?
    |http://127\.0\.0\.1:8000
    |https://xn--bcher-kva\.example
    |https://pr-[a-z0-9-]+-shop\.dev\.example
    |moz-extension://[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*""",
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
    "star of a label": "https://pr-*-shop.dev.example",
    "star between labels": "https://a.*.dev.example",
    "nothing for the star": "https://pr--shop.dev.example",
    "hyphen shared by both sides": "https://pr-shop.dev.example",
    "dot for the star": "https://pr-a.b-shop.dev.example",
    "label before the label": "https://evil.pr-a-shop.dev.example",
    "label behind the label": "https://pr-a-shop.evil.dev.example",
    "prefix of the label": "https://evilpr-a-shop.dev.example",
    "suffix of the label": "https://pr-a-shopevil.dev.example",
    "underscore for the star": "https://pr-_-shop.dev.example",
    "capital for the star": "https://pr-A-shop.dev.example",
    "percent for the star": "https://pr-%61-shop.dev.example",
    "user information for the star": "https://pr-a@evil.net-shop.dev.example",
    "slash for the star": "https://pr-a/-shop.dev.example",
    "backslash for the star": "https://pr-a\\-shop.dev.example",
    "port for the star": "https://pr-a:80-shop.dev.example",
    "NUL for the star": "https://pr-\0-shop.dev.example",
    "newline for the star": "https://pr-\n-shop.dev.example",
    "newline behind the label": "https://pr-a-shop\n.dev.example",
    "other letter for the star": "https://pr-\xe9-shop.dev.example",
    "full width for the star": "https://pr-\uff41-shop.dev.example",
    "ideographic full stop for the star": "https://pr-a\u3002b-shop.dev.example",
    "long label for the star": f"https://pr-{'a' * 56}-shop.dev.example",
    "scheme of a label": "http://pr-a-shop.dev.example",
    "port of a label": "https://pr-a-shop.dev.example:8443",
    "trailing dot of a label": "https://pr-a-shop.dev.example.",
    "name of a label": "https://dev.example",
    "label alone": "https://pr-a-shop",
    "star of an extension": "moz-extension://*",
    "no extension": "moz-extension://",
    "port of an extension": "moz-extension://a:80",
    "address for an extension": "moz-extension://[::1]",
    "trailing dot of an extension": "moz-extension://a.",
    "slash of an extension": "moz-extension://a/",
    "other letter in an extension": "moz-extension://\xe9",
    "other extension": "chrome-extension://abc",
    "extension in capitals": "MOZ-EXTENSION://abc",
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
    starts = [
        "https://", "https://", "http://", "https", "//", "", "null", "ftp://", "x@", "h,",
        "moz-extension://",
    ]  # fmt: skip
    middles = [
        "a", "a.", ".", "example", "example.org", "example.net", ".example.org", "example.com",
        "localhost", "[::1]", "127.0.0.1", "xn--bcher-kva.example", ".dev.example", "pr-", "-shop",
        "@", "\\", "/", "\t", "%2e",
        ",", "*", "*.", "_", "-", "A", "\xfc", "#", "?", " ", "[", "]", "https://", "evil.net",
    ]  # fmt: skip
    ends = ["", "", ":8000", ":443", ":80", ":65536", ":0", ":", ".", "/", ":*", "\n"]
    origins = compiled(*ENTRIES).origins
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
    origins = compiled(*ENTRIES).origins
    seeds = [
        "https://example.com",
        "https://a.example.org",
        "https://b.a.example.net:8443",
        "http://localhost:3000",
        "http://[::1]:9090",
        "http://127.0.0.1:8000",
        "https://pr-1-shop.dev.example",
        "moz-extension://2c127fa4-62c7",
    ]
    assert [seed for seed in seeds if seed not in origins] == []
    for seed in seeds:
        for at in range(len(seed) + 1):
            for new in ["", *(chr(dice.randrange(256)) for _ in range(40)), ".", "@", "/", ":"]:
                for end in (at, at + 1):
                    text = seed[:at] + new + seed[end:]
                    assert text not in origins or MEANT.fullmatch(text), text


LETTERS, DIGITS = "abcdefghijklmnopqrstuvwxyz", "0123456789"
PORTS = {str(number) for number in range(1, 65536)}
DEFAULT_PORTS = {"http": "80", "https": "443"}
Parts = tuple[str, str, str]


def parts_of(origin: str) -> Parts | None:
    """Take an origin apart, naively: scheme, host and port; ``None`` if no browser sends it."""
    match = re.fullmatch(r"([a-z-]+)://(\[.*\]|[^:\[\]]*)(?::(.*))?", origin, re.DOTALL)
    if match is None:
        return None
    scheme, host, port = match.groups()
    if port is not None and (port not in PORTS or port == DEFAULT_PORTS.get(scheme)):
        return None
    characters = LETTERS + DIGITS + "-_" + (LETTERS.upper() if scheme not in DEFAULT_PORTS else "")
    labels = host.removesuffix(".").split(".")
    is_domain = all(0 < len(label) < 64 and set(label) <= set(characters) for label in labels)
    if host != "[::1]" and not (is_domain and len(".".join(labels)) <= 253):
        return None
    return scheme, host, port or ""


def parts_of_entry(entry: str) -> Parts:
    """Take an entry apart: scheme, host and port, each with its star."""
    scheme, _, rest = entry.partition("://")
    host, port = re.fullmatch(r"(.*?)(?::(\*|\d+))?", rest).groups("")  # type: ignore[union-attr]
    return scheme, host, port


def covers(entry: Parts, origin: Parts | None) -> bool:
    """Say by the definition, and slowly, whether an entry stands for an origin."""
    if origin is None:
        return False
    scheme, host, port = origin
    wanted_scheme, wanted_host, wanted_port = entry
    if scheme != wanted_scheme or wanted_port not in ("*", port):
        return False
    before, star, after = wanted_host.partition("*")
    if not star:
        return host == wanted_host
    in_place = host[len(before) : len(host) - len(after)]
    if len(host) <= len(before + after) or before + in_place + after != host:
        return False
    if wanted_host == "*":
        return host[-1] not in ".]"
    return wanted_host.startswith("*.") or set(in_place) <= {*LETTERS, *DIGITS, "-"}


def test_ten_thousand_origins_and_two_thousand_patterns_match_as_if_tried_one_by_one() -> None:
    """However many entries there are, the answers are those of a plain loop over them."""
    dice = random.Random(22)  # noqa: S311
    schemes, ports = ["http", "https"], ["", "", ":8443", ":*"]
    hosts = [f"app{n}.site{n % 97}.example" for n in range(10_000)]
    entries = [f"{dice.choice(schemes)}://{host}{dice.choice(ports[:3])}" for host in hosts]
    entries += [
        f"{dice.choice(schemes)}://{label}{dice.choice(['', 'x.', 'y.x.'])}site{n}.example"
        f"{dice.choice(ports)}"
        for n in range(1_000)
        for label in ("*.", f"{dice.choice(['pr-', 'pr-a-', ''])}*-{n % 7}.")
    ]
    origins = compiled(*entries).origins
    labels = ["", "x.", "z.y.x.", "z.", "app7.", "pr-1-2.", "pr-a--3.", "a-pr-4.x.", "pr--5."]
    asked = [
        f"{dice.choice(schemes)}://{dice.choice(labels)}"
        f"site{dice.randrange(1_100)}.example{dice.choice(['', ':8443', ':9000'])}"
        for _ in range(400)
    ]
    asked += [entry for entry in dice.sample(entries, 200) if "*" not in entry]
    answers = [origin in origins for origin in asked]
    wanted = [parts_of_entry(entry) for entry in entries]
    assert answers == [any(covers(e, parts) for e in wanted) for parts in map(parts_of, asked)]
    assert 100 < sum(answers) < len(answers) - 100, "the sample is too lopsided"


def test_labels_match_as_if_patterns_were_tried_one_by_one() -> None:
    """Of all labels of up to seven characters those are found that one of the patterns covers.

    Many of the patterns begin as others do, or end as others do, or both.
    """
    dice = random.Random(23)  # noqa: S311
    sides = ["".join(letters) for n in range(4) for letters in itertools.product("ab-", repeat=n)]
    befores = [side for side in sides if side in ("", "-") or side[-1:] == "-"]
    afters = [side for side in sides if side in ("", "-") or side[:1] == "-"]
    pairs = [pair for pair in itertools.product(befores, afters) if set("".join(pair)) & {*"ab"}]
    labels = [
        "".join(letters) for n in range(1, 8) for letters in itertools.product("ab-", repeat=n)
    ]
    found = 0
    for _ in range(40):
        chosen = dice.sample(pairs, dice.choice([1, 2, 3, 10, 40]))
        origins = compiled(
            *(f"https://{before}*{after}.a.example" for before, after in chosen)
        ).origins
        matched = {label for label in labels if f"https://{label}.a.example" in origins}
        assert matched == {
            label
            for label in labels
            for before, after in chosen
            if label.startswith(before)
            and label.endswith(after)
            and len(label) > len(before) + len(after)
        }
        found += len(matched)
    assert found > 1000, "the sample is too tame to prove anything"


@pytest.mark.parametrize(
    ("origin", "parts"),
    [
        pytest.param("https://example.com", ("https", "example.com", ""), id="host"),
        pytest.param("http://a-b.c_d:8080", ("http", "a-b.c_d", "8080"), id="port"),
        pytest.param("http://[2001:db8::1]:1", ("http", "[2001:db8::1]", "1"), id="IPv6"),
        pytest.param("https://example.com.", ("https", "example.com.", ""), id="trailing dot"),
        pytest.param(f"https://{HOST_253}.", ("https", f"{HOST_253}.", ""), id="long host"),
        pytest.param(
            f"{'a' * 64}://{HOST_253}.:65535", ("a" * 64, f"{HOST_253}.", "65535"), id="longest"
        ),
        pytest.param("http://a:443", ("http", "a", "443"), id="another scheme's default port"),
        pytest.param("app://Shop:443", ("app", "Shop", "443"), id="capitals that are no domain"),
        pytest.param("https://Shop", None, id="capitals"),
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


#: Pieces of origins, good and bad: a scheme, what stands before a host, the host, a port.
PIECES = (
    ["https://", "http://", "https:/", "HTTPS://", "https://https://", "app://", "my-extension://"],
    [
        "",
        "a.",
        "a.b.",
        ".",
        "-.",
        "_a.",
        "A.",
        "a..",
        "a@",
        "a b.",
        f"{'a' * 63}.",
        f"{'a' * 64}.",
        "pr-1.",
        "pr-.",
        "pr--.",
        "pr-1--x.",
        "pr---x.",
        "pr--x.",
        "a.pr-1.",
        "pr-A.",
        "pr-_.",
        "pr-*.",
        "xn--pr-1.",
        "a-1.",
        f"pr-{'a' * 60}.",
        f"pr-{'a' * 61}.",
    ],
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
    "https://pr-*.example.com",
    "https://pr-*--x.example.com:8443",
    "http://*-1.deep.example.org:*",
    "https://*--x.example.com.",
    "https://a.pr-1.example.com",
    "https://*.pr-1.example.com",
    "app://a-*.example.com",
    "my-extension://*",
    "my-extension://*.example.org",
]


#: Thousands of good and bad origins, with their parts.
CANDIDATES = {origin: parts_of(origin) for origin in map("".join, itertools.product(*PIECES))}


@pytest.mark.parametrize("entries", [POLICY, *([entry] for entry in POLICY)], ids=["all", *POLICY])
def test_matching_is_what_the_definition_says(entries: list[str]) -> None:
    """Among thousands of good and bad origins, the matcher finds those that an entry covers."""
    origins = compile_origins(entries, OPEN).origins
    wanted = [parts_of_entry(entry) for entry in entries]
    found = [origin for origin in CANDIDATES if origin in origins]
    assert found == [
        origin for origin, parts in CANDIDATES.items() if any(covers(e, parts) for e in wanted)
    ]
    assert len(found) > 0


def test_a_plain_origin_is_an_origin() -> None:
    """The quick test lets nothing through that the grammar would not."""
    candidates = [*CANDIDATES, *("https://" + ".".join(["a" * 63] * n) for n in range(6))]
    plain = [origin for origin in candidates if is_plain_origin(origin)]
    assert [origin for origin in plain if parse_origin(origin) is None] == []
    # And it lets most of them through.
    assert {"https://example.org", "http://a.example.com", "https://org"} <= set(plain)


def test_a_host_in_brackets_may_be_no_longer_than_others() -> None:
    """The colons in it do not make it any shorter."""
    assert parse_origin("https://[" + ":" * 251 + "]") is not None
    assert parse_origin("https://[" + ":" * 252 + "]") is None
