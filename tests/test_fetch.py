"""What a script may ask its browser for, and when the browser asks first: the Fetch standard."""

from __future__ import annotations

import pytest

from tests.explaining import API, ORIGIN
from wsgi_mw_paste.command.browser import Fetch, make_fetch, preflight_reasons, unsafe_names


@pytest.mark.parametrize(
    ("method", "normalized"),
    [
        pytest.param("put", "PUT", id="put"),
        pytest.param("Delete", "DELETE", id="delete"),
        pytest.param("patch", "patch", id="patch"),
        pytest.param("PURGE", "PURGE", id="own"),
    ],
)
def test_methods_are_normalized_as_browsers_do(method: str, normalized: str) -> None:
    """Fetch, "normalize a method": six methods are upper-cased, ``patch`` is not."""
    assert make_fetch(ORIGIN, API, method)[0].method == normalized


def test_headers_that_scripts_cannot_set_are_left_out() -> None:
    """Fetch, "forbidden request-header": a browser drops them without a word."""
    fetch, forbidden = make_fetch(ORIGIN, API, "GET", ["Cookie: a=1", "Sec-Foo", "X-Foo:  a b "])
    assert fetch.headers == {"x-foo": "a b"}
    assert forbidden == ["Cookie", "Sec-Foo"]


@pytest.mark.parametrize(
    ("header", "is_forbidden"),
    [
        pytest.param("Access-Control-Request-Method: PUT", True, id="of-preflights"),
        pytest.param("Access-Control-Foo: 1", False, id="of-no-preflight"),
        pytest.param("X-HTTP-Method-Override: PUT", False, id="method"),
        pytest.param("X-HTTP-Method-Override: put, trace", True, id="forbidden-method"),
        pytest.param("X-Method-Override", False, id="method-not-known"),
        pytest.param("X-Foo: TRACE", False, id="other-header"),
    ],
)
def test_what_is_forbidden_may_depend_on_the_value(*, header: str, is_forbidden: bool) -> None:
    """Fetch, "forbidden request-header": by name, and by methods that are forbidden."""
    fetch, forbidden = make_fetch(ORIGIN, API, "GET", [header])
    name = header.partition(":")[0]

    assert (list(fetch.headers), forbidden) == (
        ([], [name]) if is_forbidden else ([name.lower()], [])
    )


@pytest.mark.parametrize(
    ("origin", "method", "header", "message"),
    [
        pytest.param(
            "app.example.com", "GET", "X", "; write https://app.example.com$", id="no-scheme"
        ),
        pytest.param("//a.example/b?c#d", "GET", "X", "; write https://a.example$", id="slashes"),
        pytest.param(
            "localhost:3000/x", "GET", "X", "; write http://localhost:3000$", id="localhost"
        ),
        pytest.param("127.0.0.1", "GET", "X", "; write http://127.0.0.1$", id="loopback"),
        pytest.param(
            "https://me:secret@a.example:443", "GET", "X", "; write https://a.example$", id="port"
        ),
        pytest.param("file:///a.html", "GET", "X", "; write null, .* of a file$", id="file"),
        pytest.param("https://[::1", "GET", "X", "or null$", id="brackets"),
        pytest.param("", "GET", "X", "or null$", id="empty"),
        pytest.param(
            "HTTPS://App.example.com/", "GET", "X", "; write https://app.example.com$", id="path"
        ),
        pytest.param("https://a b/", "GET", "X", "or null$", id="blank"),
        pytest.param(ORIGIN, "GE T", "X", "expected a method", id="method"),
        pytest.param(ORIGIN, "TRACE", "X", "browsers forbid this one", id="forbidden-method"),
        pytest.param(ORIGIN, "GET", "Bearer secret", "expected a header", id="header"),
        pytest.param(ORIGIN, "GET", "X: a\nsecret", "expected a header", id="newline"),
    ],
)
def test_what_no_script_can_ask_for_is_an_error(
    origin: str, method: str, header: str, message: str
) -> None:
    """The error says what was expected and repeats no header."""
    with pytest.raises(ValueError, match=message) as caught:
        make_fetch(origin, API, method, [header])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("header", "safe"),
    [
        pytest.param("Accept: text/html", True, id="accept"),
        pytest.param("Accept", True, id="accept-unknown"),
        pytest.param('Accept: "', False, id="accept-unsafe"),
        pytest.param("Accept: " + "a" * 128, True, id="accept-128"),
        pytest.param("Accept: " + "a" * 129, False, id="accept-129"),
        pytest.param("Accept-Language: de, en;q=0.5", True, id="accept-language"),
        pytest.param("Content-Language: de_DE", False, id="content-language-unsafe"),
        pytest.param("Content-Type: Text/Plain; charset=UTF-8", True, id="text"),
        pytest.param("Content-Type: multipart/form-data", True, id="form"),
        pytest.param("Content-Type: application/json", False, id="json"),
        pytest.param("Content-Type: text/plain; x=(", False, id="text-unsafe"),
        pytest.param("Content-Type", False, id="content-type-unknown"),
        pytest.param("Range: bytes=0-", True, id="range"),
        pytest.param("Range: bytes=-5", False, id="suffix-range"),
        pytest.param("Range: bytes=1-2", True, id="range-with-an-end"),
        pytest.param("Range: bytes=2-1", False, id="range-that-ends-before-it-starts"),
        pytest.param("Authorization", False, id="authorization"),
        pytest.param("X-Foo", False, id="own"),
    ],
)
def test_headers_are_safelisted_as_the_standard_says(header: str, safe: bool) -> None:  # noqa: FBT001
    """Fetch, "CORS-safelisted request-header": a form could send them, so no preflight asks."""
    fetch, _ = make_fetch(ORIGIN, API, "GET", [header])
    assert unsafe_names(fetch) == ([] if safe else [header.partition(":")[0].lower()])


@pytest.mark.parametrize(
    ("fetch", "reasons"),
    [
        pytest.param(Fetch(ORIGIN, API, "POST"), [], id="simple"),
        pytest.param(Fetch(ORIGIN, API, "PUT"), ["the method PUT is not safelisted"], id="method"),
        pytest.param(
            Fetch(ORIGIN, API, headers={"x-b": None}),
            ["the header x-b is not safelisted"],
            id="header",
        ),
        pytest.param(
            Fetch(ORIGIN, API, headers={"x-b": "1", "x-a": "1", "accept": None}),
            ["the headers x-a, x-b are not safelisted"],
            id="headers",
        ),
        pytest.param(
            Fetch(ORIGIN, API, "POST", listener=True),
            ["a script listens to the progress of the upload"],
            id="listener",
        ),
    ],
)
def test_the_reasons_for_a_preflight_are_the_standards(fetch: Fetch, reasons: list[str]) -> None:
    """Fetch, "main fetch": method, headers, or a listener; nothing else asks for a preflight."""
    assert preflight_reasons(fetch) == reasons
