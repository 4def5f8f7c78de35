"""``cors_paths``: which requests a cors filter speaks for, and two filters in one pipeline."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tests.ini import lines_of, load_ini
from tests.wsgi import assert_headers, between_validators, call, hello, make_environ
from wsgi_mw_paste import CORSMiddleware, CORSSettings
from wsgi_mw_paste.cors import Paths
from wsgi_mw_paste.factories import cors, main
from wsgi_mw_paste.settings import Remark

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed.wsgi import WSGIApplication

    from tests.wsgi import Answer

ORIGIN = "https://a.example"
ACTUAL = {"Origin": ORIGIN}
PREFLIGHT = {**ACTUAL, "Access-Control-Request-Method": "PUT"}
VARY = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"


def wrapped(paths: str) -> WSGIApplication:
    """Return an application behind a filter that speaks for *paths*."""
    settings = CORSSettings(cors_allowed=ORIGIN, cors_paths=paths)
    return between_validators(lambda app: CORSMiddleware(app, settings), hello)


def get(
    app: WSGIApplication, path: str, headers: Mapping[str, str] = ACTUAL, script: str = ""
) -> Answer:
    """Return the answer to a GET of a path, which is given decoded."""
    raw = path.encode(errors="surrogateescape").decode("latin-1")
    return call(app, make_environ("GET", raw, headers, SCRIPT_NAME=script))


@pytest.mark.parametrize(
    ("paths", "path", "script", "spoken_for"),
    [
        pytest.param("", "/any", "", True, id="none: every path"),
        pytest.param("/", "/any", "", True, id="/ alone: every path"),
        pytest.param("/, /api", "/any", "", True, id="/ among others"),
        pytest.param("/", "/public/../private", "", True, id="every path, dots as well"),
        pytest.param("/api", "/api", "", True, id="itself"),
        pytest.param("/api", "/api/", "", True, id="with a slash"),
        pytest.param("/api/", "/api", "", True, id="written with a slash"),
        pytest.param("/api", "/api/orders/17", "", True, id="below"),
        pytest.param("/api", "/apix", "", False, id="no segment"),
        pytest.param("/api", "/api.json", "", False, id="a dot is no slash"),
        pytest.param("/api", "/API", "", False, id="case"),
        pytest.param("/api", "/", "", False, id="above"),
        pytest.param("/api", "/other/api", "", False, id="further down"),
        pytest.param("/api", "//api", "", False, id="an empty segment before"),
        pytest.param("/api", "/orders", "/api", True, id="SCRIPT_NAME"),
        pytest.param("/api/v2", "/v2/x", "/api", True, id="both"),
        pytest.param("/api/v2", "/api/v1", "", False, id="another"),
        pytest.param("/api/v2", "/api", "", False, id="shorter"),
        pytest.param("/a/b/c /x", "/x/y/z/w", "", True, id="the shorter of two"),
        pytest.param("/a/b/c /x", "/a/b/c/d", "", True, id="the longer of two"),
        pytest.param("/café", "/café/menu", "", True, id="not ASCII"),
        pytest.param("/caf\udce9", "/caf\udce9/menu", "", True, id="not UTF-8"),
        pytest.param("/public", "/public/../private", "", False, id="two dots"),
        pytest.param("/public", "/public/./x", "", False, id="one dot"),
        pytest.param("/public", "/public/..", "", False, id="two dots at the end"),
        pytest.param("/public", "/public/.well-known/x", "", True, id="a name with a dot"),
        pytest.param("/public", "/public/x..y", "", True, id="dots inside"),
    ],
)
def test_a_filter_speaks_for_the_paths_below_its_prefixes(
    *, paths: str, path: str, script: str, spoken_for: bool
) -> None:
    """By whole segments, as the environ has them: decoded, and with their case."""
    answer = get(wrapped(paths), path, script=script)
    ours = {"Access-Control-Allow-Origin": ORIGIN, "Vary": "Origin"} if spoken_for else {}
    assert_headers(answer, {"Content-Type": "text/plain", **ours})


def test_other_paths_pass_untouched() -> None:
    """No Vary, no answer to a preflight, and the application's own CORS headers stay."""

    def app(environ: object, start_response: object) -> list[bytes]:
        start_response("200 OK", [("Access-Control-Allow-Origin", "*")])  # type: ignore[operator]
        return [b""]

    behind = CORSMiddleware(app, CORSSettings(cors_allowed=ORIGIN, cors_paths="/api"))
    for method, headers in (("GET", ACTUAL), ("OPTIONS", PREFLIGHT), ("GET", {})):
        answer = call(behind, make_environ(method, "/other", headers))
        assert answer.headers == [("Access-Control-Allow-Origin", "*")]


def test_a_preflight_for_its_paths_is_answered() -> None:
    """As without the option."""
    answer = call(wrapped("/api"), make_environ("OPTIONS", "/api/x", PREFLIGHT))
    assert answer.values("Access-Control-Allow-Origin") == [ORIGIN]


@pytest.mark.parametrize("prefixes", [[], ["/"], ["/", "/api"]])
def test_every_path_matches_without_a_prefix(prefixes: list[str]) -> None:
    """The slash alone is one that every path has."""
    assert Paths(prefixes).match(make_environ("GET", "/any"))


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        pytest.param("api", "expected a path that starts with /", id="no slash"),
        *(
            pytest.param(
                word,
                "expected a path without * ? #; /api means /api and everything below it",
                id=word,
            )
            for word in ("/api/*", "/ap?", "/api#x")
        ),
        pytest.param("/a//b", "expected a path without an empty segment", id="//"),
        pytest.param("/a/./b", "expected a path without . and .. segments", id="."),
        pytest.param("/a/..", "expected a path without . and .. segments", id=".."),
    ],
)
def test_what_is_no_prefix_is_refused(word: str, reason: str) -> None:
    """With what to write instead; the other entries are read all the same."""
    assert lines_of(lambda: cors({}, cors_allowed=ORIGIN, cors_paths=f"/ok, {word}")) == [
        f"local_conf cors_paths = {word!r}: {reason}"
    ]


@pytest.mark.parametrize("path", ["/caf%C3%A9", "/caf%c3%a9"])
def test_a_percent_encoded_prefix_is_remarked_on(path: str) -> None:
    """It would match nothing, since servers decode paths."""
    text = f"paths are compared after decoding; write {path} without percent-encoding"
    assert CORSSettings(cors_allowed=ORIGIN, cors_paths=f"{path} /ok").remarks == (
        Remark(logging.WARNING, "cors_paths", path, text),
    )


def test_main_takes_the_option() -> None:
    """``egg:wsgi_mw_paste`` has all options of its parts."""
    app = main({}, cors_allowed=ORIGIN, cors_paths="/api", log_requests="no")(hello)
    assert get(app, "/api").values("Vary") == ["Origin"]
    assert get(app, "/other").values("Vary") == []


TWO = """
    [pipeline:main]
    pipeline = outer inner hello
    [filter:outer]
    use = egg:wsgi_mw_paste#cors
    cors_allowed = https://a.example
    cors_paths = {outer}
    [filter:inner]
    use = egg:wsgi_mw_paste#cors
    cors_allowed = https://b.example
    cors_paths = {inner}
    """


@pytest.mark.parametrize(
    ("outer", "inner", "path", "allowed"),
    [
        pytest.param("/a", "/b", "/a/x", "https://a.example", id="the outer one's"),
        pytest.param("/a", "/b", "/b/x", "https://b.example", id="the inner one's"),
        pytest.param("/a", "/b", "/c", None, id="neither's"),
        pytest.param("/a", "/a/b", "/a/b", "https://a.example", id="both: the outermost decides"),
    ],
)
def test_two_filters_are_a_policy_for_each_path(
    outer: str, inner: str, path: str, allowed: str | None
) -> None:
    """Where both match, the outermost answers preflights and replaces the inner one's headers."""
    app = load_ini(TWO.format(outer=outer, inner=inner))
    for origin in ("https://a.example", "https://b.example"):
        expected = [origin] if origin == allowed else []
        for method, headers in (
            ("GET", {"Origin": origin}),
            ("OPTIONS", {**PREFLIGHT, "Origin": origin}),
        ):
            answer = call(app, make_environ(method, path, headers))
            assert answer.values("Access-Control-Allow-Origin") == expected


class Counted(frozenset[str]):
    """A set that counts how often it is asked."""

    asked = 0

    def __contains__(self, item: object) -> bool:
        self.asked += 1
        return super().__contains__(item)


@pytest.mark.parametrize("count", [1, 10_000])
def test_a_match_is_one_look_up_for_each_segment(count: int) -> None:
    """Up to the length of the longest prefix, however many prefixes there are."""
    paths = Paths([*(f"/p{number}" for number in range(count)), "/a/b/c"])
    counted = Counted(paths._prefixes)
    paths._prefixes = counted
    assert not paths.match(make_environ("GET", "/x/y/z/further/down"))
    assert counted.asked == 3
