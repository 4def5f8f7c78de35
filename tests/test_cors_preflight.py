"""Preflights, header by header: the whole answer, and the words of a refusal."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from tests.wsgi import Answer, assert_headers, between_validators, call, make_environ
from wsgi_mw_paste import CORSSettings
from wsgi_mw_paste.cors import (
    HEADER_NOT_LISTED,
    METHOD_NOT_LISTED,
    ORIGIN_MALFORMED,
    ORIGIN_NOT_LISTED,
    Preflights,
    Verdict,
)
from wsgi_mw_paste.factories import cors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ORIGIN = "https://example.com"
METHOD = "Access-Control-Request-Method"
HEADERS = "Access-Control-Request-Headers"

#: What the answer depends on, for caches that keep what ``OPTIONS`` gets.
VARY = f"Origin, {METHOD}, {HEADERS}"
VARY_WITHOUT_ORIGIN = f"{METHOD}, {HEADERS}"

#: What every accepted preflight gets under an option-less policy for :data:`ORIGIN`.
ACCEPTED = {
    "Content-Type": "text/plain; charset=UTF-8",
    "Content-Length": "0",
    "Vary": VARY,
    "Access-Control-Allow-Origin": ORIGIN,
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
    "Access-Control-Max-Age": "600",
}
FOR_ANY_ORIGIN = ACCEPTED | {"Access-Control-Allow-Origin": "*", "Vary": VARY_WITHOUT_ORIGIN}


def answer_to(
    options: Mapping[str, str], request: Mapping[str, str], seen: list[str] | None = None
) -> Answer:
    """Send an ``OPTIONS`` request; *seen* notes what reaches the application."""
    options = {"cors_allowed": ORIGIN} | dict(options)
    app = between_validators(cors({}, **options), spy([] if seen is None else seen))
    return call(app, make_environ("OPTIONS", headers={"Origin": ORIGIN} | dict(request)))


def spy(seen: list[str]) -> WSGIApplication:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        seen.append(environ["REQUEST_METHOD"])
        start_response("200 OK", [("Content-Type", "text/plain"), ("Allow", "GET, OPTIONS")])
        return [b"the application"]

    return app


@pytest.mark.parametrize(
    ("options", "request_headers", "expected"),
    [
        pytest.param({}, {METHOD: "GET"}, ACCEPTED, id="GET"),
        pytest.param({}, {METHOD: "POST"}, ACCEPTED, id="POST, as for an upload with progress"),
        pytest.param({}, {METHOD: "PATCH"}, ACCEPTED, id="PATCH"),
        pytest.param(
            {},
            {METHOD: "PUT", HEADERS: "authorization,content-type,x-token"},
            ACCEPTED | {"Access-Control-Allow-Headers": "authorization,content-type,x-token"},
            id="headers",
        ),
        pytest.param({}, {METHOD: "PUT", HEADERS: ""}, ACCEPTED, id="empty headers"),
        pytest.param({}, {METHOD: "PUT", HEADERS: "\t, ,,"}, ACCEPTED, id="empty items alone"),
        pytest.param(
            {"cors_allow_headers": "X-Token, Content-Type"},
            {METHOD: "PUT", HEADERS: " X-TOKEN ,\tcontent-Type,, x-token\t"},
            ACCEPTED | {"Access-Control-Allow-Headers": "x-token,content-type,x-token"},
            id="whitespace, case and order",
        ),
        pytest.param(
            {"cors_allow_headers": ""}, {METHOD: "PUT"}, ACCEPTED, id="no header allowed or asked"
        ),
        pytest.param(
            {"cors_allow_methods": ""},
            {METHOD: "HEAD"},
            ACCEPTED | {"Access-Control-Allow-Methods": "GET, HEAD, POST"},
            id="safelisted methods need no listing",
        ),
        pytest.param(
            {"cors_allow_methods": "put, PURGE, post"},
            {METHOD: "PURGE"},
            ACCEPTED | {"Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PURGE"},
            id="methods listed",
        ),
        pytest.param(
            {"cors_allow_methods": "Egg"},
            {METHOD: "Egg"},
            ACCEPTED | {"Access-Control-Allow-Methods": "GET, HEAD, POST, Egg"},
            id="a method's own case",
        ),
        pytest.param(
            {"cors_allow_methods": "*"},
            {METHOD: "CHICKEN"},
            ACCEPTED | {"Access-Control-Allow-Methods": "CHICKEN"},
            id="any method",
        ),
        pytest.param(
            {"cors_allow_methods": "*"},
            {METHOD: "X" * 64},
            ACCEPTED | {"Access-Control-Allow-Methods": "X" * 64},
            id="longest method",
        ),
        pytest.param(
            {"cors_allow_methods": "*, PUT"},
            {METHOD: "PUT"},
            ACCEPTED | {"Access-Control-Allow-Methods": "PUT"},
            id="any method, one of them by name",
        ),
        pytest.param(
            {"cors_allow_headers": "*"},
            {METHOD: "GET", HEADERS: "x-a,x-b"},
            ACCEPTED | {"Access-Control-Allow-Headers": "x-a,x-b"},
            id="any header",
        ),
        pytest.param(
            {},
            {METHOD: "GET", HEADERS: "x-" + "a" * 4094},
            ACCEPTED | {"Access-Control-Allow-Headers": "x-" + "a" * 4094},
            id="longest headers",
        ),
        pytest.param(
            {},
            {METHOD: "GET", HEADERS: ",".join(["x-a"] * 129)},
            ACCEPTED | {"Access-Control-Allow-Headers": ",".join(["x-a"] * 129)},
            id="most headers",
        ),
        pytest.param(
            {},
            {METHOD: "GET", HEADERS: ", ".join(["X-A"] * 129)},
            ACCEPTED | {"Access-Control-Allow-Headers": ",".join(["x-a"] * 129)},
            id="most headers, not as browsers list them",
        ),
        pytest.param(
            {"cors_allow_credentials": "true", "cors_allow_methods": "*"},
            {METHOD: "PUT", HEADERS: "x-token"},
            ACCEPTED
            | {
                "Access-Control-Allow-Credentials": "true",
                "Access-Control-Allow-Methods": "PUT",
                "Access-Control-Allow-Headers": "x-token",
            },
            id="credentials: names, never *",
        ),
        pytest.param(
            {"cors_allowed": "*"},
            {METHOD: "PUT", HEADERS: "x-token"},
            FOR_ANY_ORIGIN | {"Access-Control-Allow-Headers": "x-token"},
            id="every origin",
        ),
        pytest.param(
            {"cors_allowed": "*"},
            {"Origin": "null", METHOD: "GET"},
            FOR_ANY_ORIGIN,
            id="every origin, null included",
        ),
        pytest.param(
            {"cors_allowed": "https://*.example.com:*"},
            {"Origin": "https://a.b.example.com:8443", METHOD: "GET"},
            ACCEPTED | {"Access-Control-Allow-Origin": "https://a.b.example.com:8443"},
            id="pattern",
        ),
        pytest.param(
            {"cors_max_age": "0"},
            {METHOD: "GET"},
            ACCEPTED | {"Access-Control-Max-Age": "0"},
            id="never cached",
        ),
        pytest.param(
            {"cors_max_age": "86400"},
            {METHOD: "GET"},
            ACCEPTED | {"Access-Control-Max-Age": "86400"},
            id="cached for a day",
        ),
        pytest.param(
            {"cors_expose_headers": "X-Total"}, {METHOD: "GET"}, ACCEPTED, id="nothing is exposed"
        ),
        pytest.param(
            {},
            {METHOD: "GET", "Access-Control-Request-Private-Network": "true"},
            ACCEPTED,
            id="private network access is not ours to grant",
        ),
        pytest.param(
            {}, {METHOD: "GET", "Cookie": "a=b", "Authorization": "x"}, ACCEPTED, id="cookies"
        ),
    ],
)
def test_an_accepted_preflight_has_these_headers_and_no_others(
    options: Mapping[str, str],
    request_headers: Mapping[str, str],
    expected: Mapping[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An accepted preflight is an empty 200, unseen by the application and by the log."""
    seen: list[str] = []
    caplog.set_level(logging.DEBUG, "wsgi_mw_paste.cors")
    answer = answer_to(options, request_headers, seen)
    assert (answer.status, answer.body) == ("200 OK", b"")
    assert_headers(answer, expected)
    assert seen == []
    assert [record for record in caplog.records if "preflight" in record.getMessage()] == []


@pytest.mark.parametrize(
    ("options", "names"),
    [
        pytest.param(
            {"cors_allowed": ORIGIN, "cors_allow_methods": "*", "cors_allow_credentials": "true"},
            [
                "Content-Type",
                "Content-Length",
                "Vary",
                "Access-Control-Allow-Credentials",
                "Access-Control-Max-Age",
                "Access-Control-Allow-Origin",
                "Access-Control-Allow-Methods",
                "Access-Control-Allow-Headers",
            ],
            id="one origin",
        ),
        pytest.param(
            {"cors_allowed": "*"},
            [
                "Content-Type",
                "Content-Length",
                "Vary",
                "Access-Control-Allow-Origin",
                "Access-Control-Allow-Methods",
                "Access-Control-Max-Age",
                "Access-Control-Allow-Headers",
            ],
            id="every origin",
        ),
    ],
)
def test_header_names_are_spelled_as_in_the_standard(
    options: Mapping[str, str], names: list[str]
) -> None:
    """Any spelling means the same, but people and their tools look for this one."""
    answer = answer_to(options, {METHOD: "PUT", HEADERS: "x-token"})
    assert [name for name, _ in answer.headers] == names


@pytest.mark.parametrize(
    ("options", "request_headers", "reason", "option"),
    [
        pytest.param(
            {}, {"Origin": "https://evil.net"}, "origin not listed", "cors_allowed", id="origin"
        ),
        pytest.param(
            {"cors_allowed": "https://*.example.com"},
            {},
            "origin not listed",
            "cors_allowed",
            id="origin, a pattern's own host",
        ),
        pytest.param(
            {},
            {"Origin": "https://[::1]:8443"},
            "origin not listed",
            "cors_allowed",
            id="origin, an IPv6 address",
        ),
        pytest.param(
            {}, {"Origin": "null"}, "opaque origin (null)", "cors_allowed", id="origin, opaque"
        ),
        pytest.param(
            {}, {"Origin": "HTTPS://EXAMPLE.COM"}, "malformed origin", "cors_allowed", id="capitals"
        ),
        pytest.param({}, {"Origin": ""}, "malformed origin", "cors_allowed", id="origin, empty"),
        pytest.param({}, {"Origin": "NULL"}, "malformed origin", "cors_allowed", id="NULL"),
        pytest.param(
            {}, {"Origin": ORIGIN + ":443"}, "malformed origin", "cors_allowed", id="default port"
        ),
        pytest.param(
            {},
            {"Origin": f"{ORIGIN}, {ORIGIN}"},
            "malformed origin",
            "cors_allowed",
            id="two origins",
        ),
        pytest.param(
            {}, {"Origin": "x" * 65536}, "malformed origin", "cors_allowed", id="origin of 64 kB"
        ),
        pytest.param(
            {"cors_allow_methods": "PUT"},
            {METHOD: "DELETE"},
            "method not listed: DELETE",
            "cors_allow_methods",
            id="method",
        ),
        pytest.param(
            {}, {METHOD: "patch"}, "method not listed: patch", "cors_allow_methods", id="patch"
        ),
        pytest.param({}, {METHOD: "put"}, "method not listed: put", "cors_allow_methods", id="put"),
        pytest.param(
            {}, {METHOD: "*"}, "method not listed: *", "cors_allow_methods", id="method, star"
        ),
        pytest.param(
            {"cors_allow_methods": "*"},
            {METHOD: "trAce"},
            "method not listed: trAce",
            "cors_allow_methods",
            id="forbidden method under *",
        ),
        pytest.param(
            {"cors_allow_methods": "*"},
            {METHOD: "CONNECT"},
            "method not listed: CONNECT",
            "cors_allow_methods",
            id="CONNECT under *",
        ),
        pytest.param({}, {METHOD: ""}, "malformed method", "cors_allow_methods", id="no method"),
        pytest.param(
            {}, {METHOD: "GET, PUT"}, "malformed method", "cors_allow_methods", id="two methods"
        ),
        pytest.param(
            {"cors_allow_methods": "*"},
            {METHOD: "P\xdcT"},
            "malformed method",
            "cors_allow_methods",
            id="method, not a token",
        ),
        pytest.param(
            {"cors_allow_methods": "*"},
            {METHOD: "X" * 65},
            "malformed method",
            "cors_allow_methods",
            id="method, too long",
        ),
        pytest.param(
            {"cors_allow_methods": "*"},
            {METHOD: "X" * 65536},
            "malformed method",
            "cors_allow_methods",
            id="method of 64 kB",
        ),
        pytest.param(
            {"cors_allow_headers": "X-Token"},
            {HEADERS: "x-token, X-Other"},
            "header not listed: x-other",
            "cors_allow_headers",
            id="header",
        ),
        pytest.param(
            {"cors_allow_headers": ""},
            {HEADERS: "content-type"},
            "header not listed: content-type",
            "cors_allow_headers",
            id="safelisted header names need listing",
        ),
        pytest.param(
            {"cors_allow_headers": "*"},
            {HEADERS: "x-a,Authorization"},
            "header not listed: authorization",
            "cors_allow_headers",
            id="Authorization under *",
        ),
        pytest.param(
            {"cors_allow_headers": "*"},
            {HEADERS: "*"},
            "header not listed: *",
            "cors_allow_headers",
            id="a star that would be echoed",
        ),
        pytest.param(
            {},
            {HEADERS: "x-a,x b"},
            "malformed header name",
            "cors_allow_headers",
            id="header, blank inside",
        ),
        pytest.param(
            {},
            {HEADERS: "x-a\xa0"},
            "malformed header name",
            "cors_allow_headers",
            id="header, no-break space",
        ),
        pytest.param(
            {},
            {HEADERS: "x-a\r\nset-cookie: a=b"},
            "malformed header name",
            "cors_allow_headers",
            id="header, split response",
        ),
        pytest.param(
            {},
            {HEADERS: "<script>alert(1)</script>"},
            "malformed header name",
            "cors_allow_headers",
            id="header, script",
        ),
        pytest.param(
            {},
            {HEADERS: "x" * 4097},
            "too many headers",
            "cors_allow_headers",
            id="headers of 4,097 characters",
        ),
        pytest.param(
            {"cors_allow_headers": "X-A"},
            {HEADERS: ",".join(["x-a"] * 130)},
            "too many headers",
            "cors_allow_headers",
            id="130 headers, each of them listed",
        ),
        pytest.param(
            {},
            {HEADERS: "," * 129},
            "too many headers",
            "cors_allow_headers",
            id="129 commas",
        ),
        pytest.param(
            {},
            {HEADERS: "x-a," * 16384},
            "too many headers",
            "cors_allow_headers",
            id="headers of 64 kB",
        ),
        pytest.param(
            {},
            {"Origin": "https://evil.net", METHOD: "(", HEADERS: "("},
            "origin not listed",
            "cors_allowed",
            id="everything wrong: the origin first",
        ),
        pytest.param(
            {},
            {METHOD: "patch", HEADERS: "("},
            "method not listed: patch",
            "cors_allow_methods",
            id="method and headers wrong: the method first",
        ),
        pytest.param(
            {"cors_allow_credentials": "true", "cors_expose_headers": "X-Total"},
            {METHOD: "patch"},
            "method not listed: patch",
            "cors_allow_methods",
            id="credentials",
        ),
    ],
)
def test_a_refused_preflight_says_why_and_sends_no_cors_header(
    options: Mapping[str, str],
    request_headers: Mapping[str, str],
    reason: str,
    option: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A refusal is a 403 whose body and log record have the same reason, from one vocabulary."""
    seen: list[str] = []
    request = {"Origin": ORIGIN, METHOD: "PUT", HEADERS: ""} | dict(request_headers)
    caplog.set_level(logging.INFO, "wsgi_mw_paste.cors")

    answer = answer_to(options, request, seen)

    body = f"CORS preflight refused, {reason} (see {option})\n"
    assert (answer.status, answer.body.decode()) == ("403 Forbidden", body)
    assert_headers(
        answer,
        {
            "Content-Type": "text/plain; charset=UTF-8",
            "Content-Length": str(len(body)),
            "Vary": VARY,
        },
    )
    assert seen == []
    origin, method, headers = (request[name][:200] for name in ("Origin", METHOD, HEADERS))
    (record,) = [record for record in caplog.records if "preflight" in record.getMessage()]
    assert (record.name, record.levelname) == ("wsgi_mw_paste.cors", "INFO")
    assert record.getMessage() == (
        f"preflight refused, {reason} (Origin {origin!r}, method {method!r}, headers {headers!r})"
    )


def test_a_policy_for_every_origin_does_not_vary_by_origin() -> None:
    """With ``cors_allowed = *`` a refusal depends on the method and the headers alone."""
    body = "CORS preflight refused, method not listed: PURGE (see cors_allow_methods)\n"
    answer = answer_to({"cors_allowed": "*"}, {METHOD: "PURGE"})
    assert (answer.code, answer.body.decode()) == (403, body)
    assert_headers(
        answer,
        {
            "Content-Type": "text/plain; charset=UTF-8",
            "Content-Length": str(len(body)),
            "Vary": VARY_WITHOUT_ORIGIN,
        },
    )


def test_a_refusal_in_the_log_is_one_line_of_bounded_length(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What a client sends can neither begin a new log line nor fill the log."""
    caplog.set_level(logging.INFO, "wsgi_mw_paste.cors")
    nasty = "https://evil.net\r\nINFO all is well\x1b[2J\x85\u2028" * 1000
    answer_to({}, {"Origin": nasty, METHOD: nasty, HEADERS: nasty})
    answer_to({}, {METHOD: "PUT", HEADERS: f"{'x' * 4000},authorization,{'y' * 80}"})
    answer_to({"cors_allow_headers": ""}, {METHOD: "PUT", HEADERS: "x" * 4000})
    refused = [record.getMessage() for record in caplog.records]
    assert [len(message.splitlines()) for message in refused] == [1, 1]
    assert [message.isprintable() for message in refused] == [True, True]
    assert max(map(len, refused)) < 2_600, "three values of 200 characters, escaped"
    assert "x" * 201 not in refused[1]


def test_a_refusal_repeats_a_name_of_bounded_length() -> None:
    """The name in a refusal's body is cut at 200 characters."""
    answer = answer_to({"cors_allow_headers": ""}, {METHOD: "PUT", HEADERS: "x" * 4000})
    assert answer.body.decode() == (
        f"CORS preflight refused, header not listed: {'x' * 200} (see cors_allow_headers)\n"
    )


def test_answers_share_nothing_that_a_server_could_change() -> None:
    """A header list that a server appends to is not the next request's."""
    app = cors({}, cors_allowed=ORIGIN)(spy([]))
    sent: list[list[tuple[str, str]]] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: object = None, /
    ) -> Callable[[bytes], object]:
        sent.append(headers.copy())
        headers.append(("Server", "scribbler"))
        return bytes

    for origin in (ORIGIN, ORIGIN, "https://evil.net", "https://evil.net"):
        app(make_environ("OPTIONS", headers={"Origin": origin, METHOD: "GET"}), start_response)
    assert sent[0] == sent[1]
    assert sent[2] == sent[3]
    assert [name for headers in sent for name, _ in headers if name == "Server"] == []


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="neither"),
        pytest.param({"Origin": ORIGIN}, id="no method"),
        pytest.param({METHOD: "PUT"}, id="no origin"),
        pytest.param({HEADERS: "x-token"}, id="headers alone"),
        pytest.param({"Origin": ORIGIN, HEADERS: "x-token"}, id="origin and headers"),
    ],
)
def test_any_other_options_request_reaches_the_application(headers: Mapping[str, str]) -> None:
    """``OPTIONS`` without both of a preflight's headers is the application's to answer."""
    seen: list[str] = []
    app = between_validators(cors({}, cors_allowed=ORIGIN), spy(seen))
    answer = call(app, make_environ("OPTIONS", headers=headers))
    assert (seen, answer.code, answer.body) == (["OPTIONS"], 200, b"the application")
    assert answer.header("Allow") == "GET, OPTIONS"
    assert answer.header("Access-Control-Allow-Methods") is None


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "TRACE"])
def test_another_method_with_a_preflights_headers_reaches_the_application(method: str) -> None:
    """Only ``OPTIONS`` can be a preflight."""
    seen: list[str] = []
    app = between_validators(cors({}, cors_allowed=ORIGIN), spy(seen))
    call(app, make_environ(method, headers={"Origin": ORIGIN, METHOD: "PUT"}))
    assert seen == [method]


def test_without_a_policy_preflights_reach_the_application() -> None:
    """With CORS off even a preflight is the application's, untouched."""
    seen: list[str] = []
    answer = answer_to({"cors_allowed": ""}, {METHOD: "PUT"}, seen)
    assert seen == ["OPTIONS"]
    assert_headers(answer, {"Content-Type": "text/plain", "Allow": "GET, OPTIONS"})


@pytest.mark.parametrize(
    ("options", "asked", "verdict"),
    [
        pytest.param({}, (ORIGIN, "GET", ""), Verdict(None), id="accepted"),
        pytest.param(
            {},
            (ORIGIN, "PUT", "X-A, x-b"),
            Verdict(None, normalized="x-a,x-b"),
            id="accepted with headers",
        ),
        pytest.param(
            {},
            (ORIGIN, "PUT", "authorization,x-a"),
            Verdict(None),
            id="accepted with headers as browsers list them",
        ),
        pytest.param(
            {"cors_allow_headers": "X-A X-B"},
            (ORIGIN, "PUT", "x-a,x-b"),
            Verdict(None),
            id="accepted with listed headers as browsers list them",
        ),
        pytest.param(
            {}, ("https://evil.net", "GET", ""), Verdict(ORIGIN_NOT_LISTED), id="origin not listed"
        ),
        pytest.param(
            {}, ("https://evil.net/", "GET", ""), Verdict(ORIGIN_MALFORMED), id="origin malformed"
        ),
        pytest.param(
            {}, (ORIGIN, "PURGE", ""), Verdict(METHOD_NOT_LISTED, "PURGE"), id="method not listed"
        ),
        pytest.param(
            {"cors_allow_headers": "X-A"},
            (ORIGIN, "PUT", "X-A,X-B"),
            Verdict(HEADER_NOT_LISTED, "x-b"),
            id="header not listed",
        ),
        pytest.param(
            {"cors_allowed": ""}, (ORIGIN, "GET", ""), Verdict(ORIGIN_NOT_LISTED), id="CORS off"
        ),
    ],
)
def test_preflights_are_judged_and_answered_without_a_middleware(
    options: dict[str, Any], asked: tuple[str, str, str], verdict: Verdict
) -> None:
    """``Preflights`` needs settings alone: it says why, and answers so."""
    preflights = Preflights(CORSSettings(**{"cors_allowed": ORIGIN} | options))
    assert preflights.judge(*asked) == verdict
    headers = dict(zip(("Origin", METHOD, HEADERS), asked, strict=True))
    answer = call(
        lambda environ, start_response: preflights.answer(asked[0], environ, start_response),
        make_environ("OPTIONS", headers=headers),
    )
    assert answer.code == (403 if verdict.reason else 200)
    if options.get("cors_allowed") != "":
        assert answer == answer_to(options, headers)


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        pytest.param(Verdict(ORIGIN_NOT_LISTED), "origin not listed", id="a reason"),
        pytest.param(
            Verdict(METHOD_NOT_LISTED, "PURGE"), "method not listed: PURGE", id="with a name"
        ),
        pytest.param(
            Verdict(HEADER_NOT_LISTED, "x" * 201), f"header not listed: {'x' * 200}", id="capped"
        ),
        pytest.param(Verdict(None), "accepted", id="accepted"),
    ],
)
def test_a_verdict_in_words(verdict: Verdict, words: str) -> None:
    """Answer, log and command say it in the same words."""
    assert str(verdict) == words
