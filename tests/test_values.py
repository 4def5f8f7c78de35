"""One parser per kind of option: every source's text, and ready values, go through it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from wsgi_mw_paste import values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Parser = Callable[[Any], Any]

PARSERS: dict[str, Parser] = {
    "words": values.words,
    "boolean": values.boolean,
    "seconds": values.number(0, 86400, "seconds"),
    "tokens": values.tokens_in_logs,
    "secret": values.key_text,
    "header": values.header_name,
    "id header": values.id_header,
    "headers": values.list_of(values.header_name),
    "methods": values.list_of(values.method_name),
    "request headers": values.list_of(values.request_header),
    "response headers": values.list_of(values.response_header),
    "paths": values.list_of(values.path_pattern),
    "prefixes": values.list_of(values.path_prefix),
    "file": values.path_of_file,
}


def rows(table: Iterable[tuple[str, Any, Any]]) -> list[Any]:
    """Return a table with the parsers in place of their names, which go into the ids."""
    return [
        pytest.param(PARSERS[name], value, expected, id=f"{name} {repr(value)[:40]}")
        for name, value, expected in table
    ]


ACCEPTED: list[tuple[str, Any, Any]] = [
    ("words", "a", ("a",)),
    ("words", "a,b", ("a", "b")),
    ("words", "a b", ("a", "b")),
    ("words", " a ,\tb\r\n, c ", ("a", "b", "c")),
    ("words", "\na\n\nb\n", ("a", "b")),
    ("words", ",,a,,b,", ("a", "b")),
    ("words", "b a b", ("b", "a", "b")),
    ("words", "a\u00a0b\u3000c", ("a", "b", "c")),
    ("words", "a;b#c", ("a;b#c",)),
    ("words", "", ()),
    ("words", " , \n", ()),
    ("words", ["b", "a"], ("b", "a")),
    ("words", ("b", "a"), ("b", "a")),
    ("words", [], ()),
    *(("boolean", word, True) for word in ("true", "yes", "on", "y", "t", "1")),
    *(("boolean", word, False) for word in ("false", "no", "off", "n", "f", "0")),
    ("boolean", "TRUE", True),
    ("boolean", " Off\n", False),
    ("boolean", True, True),
    ("boolean", False, False),
    ("seconds", "0", 0),
    ("seconds", "86400", 86400),
    ("seconds", " 600\t", 600),
    ("seconds", "0600", 600),
    ("seconds", 600, 600),
    ("tokens", "fingerprint", "fingerprint"),
    ("tokens", " FingerPrint ", "fingerprint"),
    ("tokens", "yes", True),
    ("tokens", "0", False),
    ("tokens", True, True),
    ("secret", "", ""),
    ("secret", "k;#=%'\"", "k;#=%'\""),
    ("secret", "correct horse", "correct horse"),
    ("header", "X-Request-Id", "X-Request-Id"),
    ("header", " x_request.id~ ", "x_request.id~"),
    ("id header", " traceparent ", "traceparent"),
    ("id header", "X-Content-Type", "X-Content-Type"),
    ("headers", "X-A, X-B X-A", ("X-A", "X-B")),
    ("headers", "", ()),
    ("headers", ["X-A", "X-A"], ("X-A",)),
    ("methods", "get Put Delete options head", ("GET", "PUT", "DELETE", "OPTIONS", "HEAD")),
    ("methods", "pOsT post", ("POST",)),
    ("methods", "patch PATCH PURGE", ("patch", "PATCH", "PURGE")),
    ("methods", "*", ("*",)),
    ("request headers", "*, Authorization X-Key", ("*", "Authorization", "X-Key")),
    ("request headers", "Security-Token Proxied", ("Security-Token", "Proxied")),
    ("response headers", "*", ("*",)),
    ("response headers", "X-Request-Id Original", ("X-Request-Id", "Original")),
    ("paths", "/health /é /a;b#c", ("/health", "/é", "/a;b#c")),
    ("paths", "/static/* /_debug_toolbar/* /*", ("/static/*", "/_debug_toolbar/*", "/*")),
    ("prefixes", "/api/ /API/X/ /api /", ("/api", "/API/X", "/")),
    ("file", "", ""),
    ("file", "/run/a;b#c", "/run/a;b#c"),
]

A_LIST = "expected a list of words, separated by commas or whitespace"
NO_COMMENT = "expected no ; or # comment after the value; put it on its own line"
A_BOOLEAN = "expected true or false"
A_NUMBER = "expected a number of seconds from 0 to 86400"
A_TOKENS = "expected true, fingerprint or false"
A_SECRET = "expected a key as text, without a ; or # comment after it"
A_HEADER = "expected a header name"
A_FILE = "expected a path without a ; or # comment after it"
AN_ID_HEADER = "expected a header used only for ids; this one already has a meaning in HTTP"

REFUSED: list[tuple[str, Any, str]] = [
    *(("words", value, A_LIST) for value in (None, 1, True, b"a", ["a", 1], {"a": 1}, [b"a"])),
    *(("words", text, NO_COMMENT) for text in ("a ; b", "a #b", "; a", "a,#b", "a\n;b")),
    *(("boolean", text, A_BOOLEAN) for text in ("", " ", "maybe", "truee", "2", "tru e")),
    *(("boolean", value, A_BOOLEAN) for value in ("false ; x", "yes # x", 1, 0, None)),
    *(("seconds", text, A_NUMBER) for text in ("", " ", "-1", "+1", "86401", "5 minutes", "1.5")),
    *(("seconds", text, A_NUMBER) for text in ("1e3", "1_000", "0x10", "٣", "1" * 5000, "6 00")),
    ("seconds", "600\u00a0", A_NUMBER),
    *(("seconds", value, A_NUMBER) for value in ("600 ; x", -1, 86401, 1.0, True, None, b"600")),
    *(("tokens", value, A_TOKENS) for value in ("", "fingerprints", "fingerprint ; x", 1, None)),
    ("tokens", '"fingerprint"', f"{A_TOKENS}, without quotes"),
    ("tokens", "'true'", f"{A_TOKENS}, without quotes"),
    *(("secret", value, A_SECRET) for value in (None, b"key", "key ; x", "key\t# x", "a\n;b")),
    *(("header", text, A_HEADER) for text in ("", " ", "X Y", "X:", "X-É", "*", "X-*", "X\nY")),
    *(("header", value, A_HEADER) for value in ("X-A ; x", None, ["X-A"])),
    *(("file", value, A_FILE) for value in (None, b"a", ["a"], "a\0", "a ; b", "a\t#b", "a\n;b")),
    ("id header", "X Y", A_HEADER),
    *(
        ("id header", text, AN_ID_HEADER)
        for text in """
            Content-Length content-type Set-Cookie VARY Connection Status Accept Accept-Language
            Authorization Cache-Control Cookie Forwarded From If-Match If-Modified-Since
            If-None-Match If-Range If-Unmodified-Since Max-Forwards Pragma Range Referer User-Agent
            X-Real-IP
        """.split()
    ),
    *(
        ("id header", f"{prefix}Any", AN_ID_HEADER)
        for prefix in ("Access-Control-", "Sec-", "Proxy-", "X-Forwarded-")
    ),
]

A_METHOD = "expected a method"
A_METHOD_OF_SCRIPTS = "expected a method that scripts can send; browsers forbid this one"
A_HEADER_OF_SCRIPTS = "expected a header that scripts can set; browsers forbid this one"
A_REQUEST_HEADER = "expected a request header of your own; those of CORS need not be listed"
A_READABLE_HEADER = "expected a header that scripts can read; browsers hide this one"
A_RESPONSE_HEADER = "expected a response header of your own; this one is part of CORS"
A_PATH = "expected a path that starts with /"
A_PREFIX = "expected a * only at the end, after a slash, as in /static/*"
NO_EMPTY_SEGMENT = "expected a path without an empty segment"
NO_DOTS = "expected a path without . and .. segments"
NO_QUERY = "expected a path without ?; the query is not part of it"

#: Fetch, "forbidden request-header", without CORS's own.
FORBIDDEN = """Accept-Charset accept-encoding Connection Content-Length Cookie Cookie2 Date DNT
    Expect Host Keep-Alive Origin Referer Set-Cookie TE Trailer Transfer-Encoding Upgrade Via
    Proxy-X Sec-Fetch-Mode""".split()

REFUSED_ITEMS: list[tuple[str, str, str]] = [
    *(("headers", word, A_HEADER) for word in ("X:", "*", "Ä")),
    *(("methods", word, A_METHOD) for word in ("P(T", "PUT*", "**", "Ü")),
    *(("methods", word, A_METHOD_OF_SCRIPTS) for word in ("CONNECT", "trace", "Track")),
    *(("request headers", word, A_HEADER) for word in ("X:", "X-*")),
    *(("request headers", word, A_HEADER_OF_SCRIPTS) for word in FORBIDDEN),
    ("request headers", "Access-Control-Request-Headers", A_REQUEST_HEADER),
    ("request headers", "access-control-allow-origin", A_REQUEST_HEADER),
    *(("response headers", word, A_HEADER) for word in ("X:", "X-*")),
    *(("response headers", word, A_READABLE_HEADER) for word in ("Set-Cookie", "set-cookie2")),
    ("response headers", "Origin", A_RESPONSE_HEADER),
    ("response headers", "Access-Control-Max-Age", A_RESPONSE_HEADER),
    *(("paths", word, A_PATH) for word in ("health", "https://a.example/health", "*")),
    *(("paths", word, A_PREFIX) for word in ("/a*", "/a/*/", "/*/b", "/a/**", "/a*/*", "/*.css")),
    *(("prefixes", word, A_PATH) for word in ("api", "*")),
    *(("prefixes", word, NO_EMPTY_SEGMENT) for word in ("//api", "/api//v2")),
    *(("prefixes", word, NO_DOTS) for word in ("/.", "/..", "/api/../x", "/./api")),
    *(("paths", word, NO_QUERY) for word in ("/a?", "/a?b=c", "/a/?", "/?/*")),
]


@pytest.mark.parametrize(("parse", "value", "expected"), rows(ACCEPTED))
def test_text_and_ready_values_become_the_value(
    parse: Parser, value: object, expected: object
) -> None:
    """A parser returns the value, of the right type, for text and for ready values."""
    found = parse(value)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(("parse", "value", "expected"), rows(ACCEPTED))
def test_a_parsed_value_parses_to_itself(parse: Parser, value: object, expected: object) -> None:
    """Parsing what has been parsed changes nothing, so settings can be made of settings."""
    assert parse(parse(value)) == parse(value)


@pytest.mark.parametrize(("parse", "value", "reason"), rows(REFUSED))
def test_a_wrong_value_is_refused_with_what_was_expected(
    parse: Parser, value: object, reason: str
) -> None:
    """The error is a ``ValueError`` that says what was expected, and does not repeat the value."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 -- compared in full
        parse(value)
    assert str(caught.value) == reason


@pytest.mark.parametrize(("parse", "word", "reason"), rows(REFUSED_ITEMS))
def test_a_wrong_item_is_refused_and_the_others_are_kept(
    parse: Parser, word: str, reason: str
) -> None:
    """The error of a list names each wrong item once, with its reason, and has the valid ones."""
    good = "/good" if parse in (PARSERS["paths"], PARSERS["prefixes"]) else "GOOD"
    with pytest.raises(values.InvalidItemsError) as caught:
        parse(f"{good} {word}, {word}")
    assert caught.value.problems == ((word, reason),)
    assert caught.value.valid == (good,)
    assert str(caught.value) == reason


@pytest.mark.parametrize("kind", [set, frozenset])
def test_the_items_of_a_set_are_sorted(kind: Callable[[str], Any]) -> None:
    """It has no order of its own, and two workers should say the same."""
    assert values.words(kind("hgfedcba")) == tuple("abcdefgh")


def test_the_error_of_a_list_has_all_reasons() -> None:
    """In the order of the items."""
    with pytest.raises(values.InvalidItemsError) as caught:
        PARSERS["methods"]("P(T trace")
    assert str(caught.value) == f"{A_METHOD}; {A_METHOD_OF_SCRIPTS}"


def test_a_list_given_by_python_is_not_touched() -> None:
    """A parser neither changes nor keeps the list that it is given."""
    given = ["X-A", "X-A"]
    parsed = PARSERS["headers"](given)
    assert given == ["X-A", "X-A"]
    given.append("X-B")
    assert parsed == ("X-A",)
