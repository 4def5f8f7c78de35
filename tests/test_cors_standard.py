"""What the Fetch standard asks of a server, one test per sentence.

Each docstring ends with the paragraph: "Fetch" is https://fetch.spec.whatwg.org/, quoted by the
titles of its sections and the numbers of its algorithms' steps.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.wsgi import (
    PLAIN,
    Answer,
    answering,
    assert_headers,
    between_validators,
    call,
    hello,
    make_environ,
)
from wsgi_mw_paste import ConfigurationError
from wsgi_mw_paste.factories import cors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed.wsgi import WSGIApplication

ORIGIN = "https://app.example.com"
STRANGER = "https://evil.net"
ALLOW_ORIGIN = "Access-Control-Allow-Origin"
ALLOW_CREDENTIALS = "Access-Control-Allow-Credentials"
ALLOW_METHODS = "Access-Control-Allow-Methods"
ALLOW_HEADERS = "Access-Control-Allow-Headers"
MAX_AGE = "Access-Control-Max-Age"
EXPOSE = "Access-Control-Expose-Headers"


def ask(
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    *,
    app: WSGIApplication = hello,
    **options: Any,
) -> Answer:
    """Send one request through the filter; :data:`ORIGIN` is allowed unless *options* differ."""
    middleware = cors({}, **{"cors_allowed": ORIGIN} | options)
    return call(between_validators(middleware, app), make_environ(method, headers=headers))


def preflight(
    method: str = "PUT", headers: str | None = None, origin: str = ORIGIN, **options: Any
) -> Answer:
    """Send what a browser sends before a request with this method and these unsafe headers."""
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    more = {} if headers is None else {"Access-Control-Request-Headers": headers}
    return ask("OPTIONS", asked | more, **options)


def items(answer: Answer, name: str) -> list[str]:
    """Return the items of a list header."""
    return re.split(r"[ \t]*,[ \t]*", ", ".join(answer.values(name)))


# Recognizing requests


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("origin", [STRANGER, "null", "https://localhost", ""])
def test_an_unknown_origin_is_answered_by_the_application(method: str, origin: str) -> None:
    """A request with an Origin that is not allowed is answered, and the answer is not shared.

    Same-origin requests have an Origin, too. Fetch, "HTTP requests", first paragraph.
    """
    answer = ask(method, {"Origin": origin})
    assert (answer.code, answer.body) == (200, b"hello")
    assert answer.header(ALLOW_ORIGIN) is None


def test_a_preflight_is_options_with_origin_and_request_method() -> None:
    """Only ``OPTIONS`` with both headers is a CORS-preflight request.

    Fetch, "HTTP requests", second paragraph.
    """
    both = {"Origin": ORIGIN, "Access-Control-Request-Method": "PUT"}
    assert ask("OPTIONS", both).body == b""
    assert ask("OPTIONS", {"Origin": ORIGIN}).body == b"hello"
    assert ask("OPTIONS", {"Access-Control-Request-Method": "PUT"}).body == b"hello"
    assert ask("OPTIONS").body == b"hello"
    assert ask("POST", both).body == b"hello"


@pytest.mark.parametrize(
    "origin",
    [
        "https://example.com",
        "https://a-b.c1.example.com:8443",
        "http://10.0.0.1",
        "http://[2001:db8::1]:8080",
        "http://[::1]",
        "https://xn--bcher-kva.example",
        "moz-extension://0e9e3b4c-6d0e-4d7c-8a55-6f9b9c1f0a11",
        "web+a.b-c://example.com:1",
    ],
)
def test_every_form_of_serialized_origin_can_be_allowed(origin: str) -> None:
    """Scheme, host and port in all the forms of ``serialized-origin`` are matched as they are.

    Fetch, "`Origin` header", the ABNF.
    """
    answer = ask(headers={"Origin": origin}, cors_allowed=origin)
    assert answer.header(ALLOW_ORIGIN) == origin


@pytest.mark.parametrize(
    "origin",
    [
        "HTTPS://app.example.com",
        "https://App.example.com",
        "https://app.example.com:443",
        "https://app.example.com:",
        "https://app.example.com/",
        "https://user@app.example.com",
        "https://app.example.com,https://app.example.com",
        "Null",
    ],
)
def test_what_is_no_serialized_origin_is_not_allowed(origin: str) -> None:
    """No browser sends these, and none of them equals the origin that they resemble.

    Fetch, "`Origin` header", the ABNF.
    """
    assert ask(headers={"Origin": origin}).header(ALLOW_ORIGIN) is None
    assert preflight(origin=origin).code == 403


def test_an_opaque_origin_is_allowed_only_with_every_other() -> None:
    """``null``, the origin of every sandboxed page, is allowed only if every origin is.

    Fetch, "`Origin` header", the ABNF of ``origin-or-null``; HTML, "opaque origin".
    """
    assert ask(headers={"Origin": "null"}).header(ALLOW_ORIGIN) is None
    assert ask(headers={"Origin": "null"}, cors_allowed="*").header(ALLOW_ORIGIN) == "*"
    with pytest.raises(ConfigurationError):
        cors({}, cors_allowed="null")


# The CORS check


@pytest.mark.parametrize("origin", [STRANGER, "http://app.example.com", "https://example.com"])
def test_a_refused_response_has_no_allow_origin(origin: str) -> None:
    """Without ``Access-Control-Allow-Origin`` the check fails, so refusing is leaving it out.

    Fetch, "CORS check", step 2.
    """
    assert_headers(
        ask(headers={"Origin": origin}, cors_expose_headers="X-Total"),
        {"Content-Type": "text/plain", "Vary": "Origin"},
    )


def test_star_is_never_sent_with_credentials() -> None:
    """``*`` passes only without credentials; together they cannot be configured.

    Fetch, "CORS check", step 3.
    """
    assert_headers(
        ask(headers={"Origin": ORIGIN}, cors_allowed="*"),
        {"Content-Type": "text/plain", ALLOW_ORIGIN: "*"},
    )
    with pytest.raises(ConfigurationError):
        cors({}, cors_allowed="*", cors_allow_credentials="true")


@pytest.mark.parametrize(
    ("allowed", "origin"),
    [
        ("HTTPS://APP.example.com:443/", "https://app.example.com"),
        ("https://*.example.com:*", "https://a.example.com:8443"),
        ("app.example.com", "http://app.example.com"),
    ],
)
def test_allow_origin_is_the_origin_byte_for_byte(allowed: str, origin: str) -> None:
    """However the operator spelled it, the response repeats what the browser sent.

    Fetch, "CORS check", step 4.
    """
    assert ask(headers={"Origin": origin}, cors_allowed=allowed).header(ALLOW_ORIGIN) == origin


@pytest.mark.parametrize("spelled", ["true", "TRUE", "Yes", "1", "on"])
def test_allow_credentials_is_true_in_lower_case(spelled: str) -> None:
    """With credentials, preflights and responses say exactly ``true``.

    Fetch, "CORS check", steps 6 and 7; "HTTP new-header syntax".
    """
    answer = ask(headers={"Origin": ORIGIN}, cors_allow_credentials=spelled)
    assert answer.header(ALLOW_CREDENTIALS) == "true"
    assert preflight(cors_allow_credentials=spelled).header(ALLOW_CREDENTIALS) == "true"


def test_allow_credentials_is_absent_otherwise() -> None:
    """Without credentials, and for the refused, the header is not there: ``false`` is no value.

    Fetch, "HTTP new-header syntax".
    """
    assert ask(headers={"Origin": ORIGIN}).header(ALLOW_CREDENTIALS) is None
    assert preflight().header(ALLOW_CREDENTIALS) is None
    refused = ask(headers={"Origin": STRANGER}, cors_allow_credentials="true")
    assert refused.header(ALLOW_CREDENTIALS) is None
    assert ask(cors_allow_credentials="true").header(ALLOW_CREDENTIALS) is None


def test_there_is_one_allow_origin() -> None:
    """Two values, even equal ones, are combined and fail, so the application's are replaced.

    Fetch, "CORS check", step 1; "Headers", "get a header".
    """
    theirs = [("Content-Type", "text/plain"), (ALLOW_ORIGIN, ORIGIN), (ALLOW_ORIGIN, "*")]
    app = answering([], headers=theirs)
    assert ask(headers={"Origin": ORIGIN}, app=app).values(ALLOW_ORIGIN) == [ORIGIN]
    assert ask(headers={"Origin": STRANGER}, app=app).values(ALLOW_ORIGIN) == []
    assert ask(app=app, cors_allowed="*").values(ALLOW_ORIGIN) == ["*"]


@pytest.mark.parametrize("credentials", ["true", "false"])
@pytest.mark.parametrize("origin", [ORIGIN, STRANGER])
def test_cookies_change_nothing(origin: str, credentials: str) -> None:
    """The credentials mode is not observable, so answers do not depend on cookies.

    Fetch, "CORS protocol and credentials", second paragraph.
    """
    sent = {"Origin": origin}
    plain = ask(headers=sent, cors_allow_credentials=credentials)
    with_cookies = ask(
        headers=sent | {"Cookie": "session=1", "Authorization": "Basic YTpi"},
        cors_allow_credentials=credentials,
    )
    assert with_cookies.headers == plain.headers


@pytest.mark.parametrize(
    "status",
    ["200 OK", "302 Found", "401 Unauthorized", "403 Forbidden", "404 Not Found", "500 Oops"],
)
def test_an_actual_response_of_any_status_is_shared(status: str) -> None:
    """A response that is not a preflight's may have any status, redirects included.

    Fetch, "HTTP responses", paragraph "A successful HTTP response"; "HTTP fetch", the CORS check.
    """
    app = answering([], status, [*PLAIN, ("Location", "/next")])
    assert ask(headers={"Origin": ORIGIN}, app=app).header(ALLOW_ORIGIN) == ORIGIN


# Preflights


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_an_accepted_preflight_has_an_ok_status(method: str) -> None:
    """Success is the CORS check and a status from 200 to 299.

    Fetch, "CORS-preflight fetch", step 7.
    """
    answer = preflight(method)
    assert 200 <= answer.code <= 299
    assert answer.header(ALLOW_ORIGIN) == ORIGIN


def test_a_preflight_needs_no_credentials() -> None:
    """Preflights carry none, so an application that wants some is not asked.

    Fetch, "CORS protocol and credentials", second paragraph.
    """
    app = answering([], "401 Unauthorized")
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "PUT"}
    assert ask("OPTIONS", asked, app=app).code == 200
    assert ask("PUT", {"Origin": ORIGIN}, app=app).code == 401


@pytest.mark.parametrize(
    ("method", "headers", "origin"),
    [
        pytest.param("PUT", None, STRANGER, id="origin"),
        pytest.param("PURGE", None, ORIGIN, id="method"),
        pytest.param("PUT", "x-other", ORIGIN, id="header"),
    ],
)
def test_a_refused_preflight_is_403_without_the_headers(
    method: str, headers: str | None, origin: str
) -> None:
    """Refusing explicitly is 403, coupled with omitting the relevant headers.

    Fetch, "HTTP responses", paragraph "Any other kind of HTTP response".
    """
    answer = preflight(method, headers, origin, cors_allow_headers="X-Token")
    assert answer.code == 403
    assert [name for name, _ in answer.headers if name.startswith("Access-Control-")] == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_safelisted_methods_are_allowed_without_listing(method: str) -> None:
    """A CORS-safelisted method passes though ``cors_allow_methods`` is empty.

    Fetch, "CORS-preflight fetch", step 7.5; "Methods", CORS-safelisted method.
    """
    assert preflight(method, cors_allow_methods="").code == 200


@pytest.mark.parametrize("method", ["PUT", "PATCH", "PURGE", "Egg"])
def test_a_listed_method_is_in_the_list(method: str) -> None:
    """Another method passes if the response lists it.

    Fetch, "CORS-preflight fetch", step 7.5.
    """
    assert method in items(preflight(method, cors_allow_methods=method), ALLOW_METHODS)
    assert preflight(method, cors_allow_methods="DELETE").code == 403


@pytest.mark.parametrize(
    ("listed", "asked", "code"),
    [
        ("PATCH", "patch", 403),
        ("patch", "PATCH", 403),
        ("patch", "patch", 200),
        ("put", "PUT", 200),
        ("PUT", "put", 403),
        ("Delete", "DELETE", 200),
    ],
)
def test_methods_are_compared_byte_for_byte(listed: str, asked: str, code: int) -> None:
    """Browsers normalize six methods; so do we with what is configured, and never a request's.

    Fetch, "Methods", normalize; "CORS-preflight fetch", step 7.5.
    """
    assert preflight(asked, cors_allow_methods=listed).code == code


@pytest.mark.parametrize("credentials", ["true", "false"])
def test_any_method_is_answered_by_name(credentials: str) -> None:
    """``cors_allow_methods = *`` names the method, since ``*`` is a name with credentials.

    Fetch, "CORS-preflight fetch", step 7.5; "HTTP new-header syntax", note.
    """
    answer = preflight("CHICKEN", cors_allow_methods="*", cors_allow_credentials=credentials)
    assert items(answer, ALLOW_METHODS) == ["CHICKEN"]


@pytest.mark.parametrize("asked", ["x-token", "X-TOKEN", "X-Token"])
def test_header_names_match_in_any_case(asked: str) -> None:
    """A requested name matches a configured one byte-case-insensitively.

    Fetch, "CORS-preflight fetch", step 7.7.
    """
    answer = preflight(headers=asked, cors_allow_headers="x-tOKEN")
    assert [name.lower() for name in items(answer, ALLOW_HEADERS)] == ["x-token"]


def test_authorization_is_not_covered_by_star() -> None:
    """``*`` in ``cors_allow_headers`` allows every name but ``Authorization``.

    Fetch, "CORS-preflight fetch", step 7.6; "Headers", CORS non-wildcard request-header name.
    """
    assert preflight(headers="x-any", cors_allow_headers="*").code == 200
    assert preflight(headers="authorization", cors_allow_headers="*").code == 403
    answer = preflight(headers="authorization", cors_allow_headers="*, Authorization")
    assert items(answer, ALLOW_HEADERS) == ["authorization"]


@pytest.mark.parametrize("credentials", ["true", "false"])
def test_any_header_is_answered_by_name(credentials: str) -> None:
    """Names are echoed: with credentials ``*`` would be the name of a header.

    Fetch, "CORS-preflight fetch", step 7.7.
    """
    answer = preflight(
        headers="authorization,x-a,x-b",
        cors_allow_headers="*, Authorization",
        cors_allow_credentials=credentials,
    )
    assert items(answer, ALLOW_HEADERS) == ["authorization", "x-a", "x-b"]


@pytest.mark.parametrize("junk", ["x y", "x:y", '"x"', "x\xe9", "x;y", "x\ty", "(x)", "x\0y"])
def test_lists_hold_nothing_but_tokens(junk: str) -> None:
    """A list that does not parse fails the whole preflight, so junk is refused and not echoed.

    Fetch, "CORS-preflight fetch", step 7.3; "HTTP new-header syntax".
    """
    options = {"cors_allow_headers": "*", "cors_allow_methods": "*"}
    for answer in (preflight(headers=f"x-a,{junk}", **options), preflight(junk, **options)):
        assert answer.code == 403
        assert junk not in answer.body.decode("latin-1")
        assert junk not in "".join(value for _, value in answer.headers)


@pytest.mark.parametrize(
    ("headers", "names"),
    [
        pytest.param("content-type,x-a,x-b", ["content-type", "x-a", "x-b"], id="as browsers do"),
        pytest.param(
            "x-b, Content-Type\t,x-a", ["x-b", "content-type", "x-a"], id="whitespace, order"
        ),
        pytest.param(",x-a,,\t,x-b,", ["x-a", "x-b"], id="empty items"),
    ],
)
def test_requested_headers_are_read_as_a_list(headers: str, names: list[str]) -> None:
    """What browsers send, sorted and without whitespace, passes, and what proxies make of it, too.

    Fetch, "CORS-preflight fetch", step 5; RFC 9110, sections 5.6.1.2 and 5.3.
    """
    answer = preflight(headers=headers, cors_allow_headers="Content-Type, X-A, X-B")
    assert items(answer, ALLOW_HEADERS) == names


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_preflight_without_any_need_succeeds(method: str) -> None:
    """A listener for upload progress, or a stream, preflights even a plain ``POST``.

    The method is listed, so that the browser can cache the answer. Fetch, "Requests",
    use-CORS-preflight flag; "CORS-preflight fetch", step 7.4.
    """
    answer = preflight(method, cors_allow_methods="", cors_allow_headers="")
    assert answer.code == 200
    assert method in items(answer, ALLOW_METHODS)


@pytest.mark.parametrize(("options", "seconds"), [({}, "600")] + [
    ({"cors_max_age": text}, text) for text in ("0", "5", "86400")
])  # fmt: skip
def test_max_age_is_always_sent(options: dict[str, str], seconds: str) -> None:
    """An absent or odd Max-Age means 5 seconds, so it is there, in digits, and 0 is ``0``.

    Fetch, "CORS-preflight fetch", steps 7.8 to 7.10; "HTTP new-header syntax".
    """
    assert preflight(**options).values(MAX_AGE) == [seconds]


@pytest.mark.parametrize("age", ["-1", "86401", "1.5", "1e3", "", "ten"])
def test_max_age_is_delta_seconds_within_bounds(age: str) -> None:
    """Anything but a whole number up to the largest limit of a browser is refused at start.

    RFC 9111, section 1.2.2; Fetch, "CORS-preflight fetch", step 7.10.
    """
    with pytest.raises(ConfigurationError):
        cors({}, cors_allowed=ORIGIN, cors_max_age=age)


def test_each_kind_of_response_has_the_headers_that_mean_something() -> None:
    """Methods, headers and age are for preflights, exposure is for all others.

    Fetch, "HTTP responses".
    """
    options: dict[str, Any] = {"cors_allow_credentials": "true", "cors_expose_headers": "X-Total"}
    both = {ALLOW_ORIGIN, ALLOW_CREDENTIALS}
    actual = ask(headers={"Origin": ORIGIN}, **options)
    assert {n for n, _ in actual.headers if n.startswith("Access-")} == both | {EXPOSE}
    answer = preflight(headers="x-a", **options)
    assert {n for n, _ in answer.headers if n.startswith("Access-")} == both | {
        ALLOW_METHODS, ALLOW_HEADERS, MAX_AGE,
    }  # fmt: skip


# Exposure


@pytest.mark.parametrize(
    ("listed", "sent"),
    [
        pytest.param("", None, id="none"),
        pytest.param("X-Total", "X-Total", id="one"),
        pytest.param("X-Total X-Request-Id", "X-Total, X-Request-Id", id="two"),
        pytest.param("Content-Type, Pragma, X-A", "Content-Type, Pragma, X-A", id="safelisted"),
        pytest.param("*", "*", id="all"),
        pytest.param("X-Total, *", "*", id="all and one"),
    ],
)
def test_listed_headers_are_exposed(listed: str, sent: str | None) -> None:
    """Scripts read the safelisted response headers and those that are listed, or ``*``.

    Fetch, "Headers", CORS-safelisted response-header name; "Main fetch", the step on
    CORS-exposed header names.
    """
    assert ask(headers={"Origin": ORIGIN}, cors_expose_headers=listed).header(EXPOSE) == sent
    assert ask(headers={"Origin": STRANGER}, cors_expose_headers=listed).header(EXPOSE) is None


def test_all_headers_are_not_exposed_with_credentials() -> None:
    """With credentials ``*`` is a header's name, so it cannot be configured.

    Fetch, "Main fetch", the step on CORS-exposed header names.
    """
    with pytest.raises(ConfigurationError):
        cors({}, cors_allowed=ORIGIN, cors_allow_credentials="true", cors_expose_headers="*")


@pytest.mark.parametrize("name", ["Set-Cookie", "set-cookie2", "SET-COOKIE"])
def test_cookies_are_never_exposed(name: str) -> None:
    """No list shows a script a forbidden response header, so none may try.

    Fetch, "Headers", forbidden response-header name.
    """
    with pytest.raises(ConfigurationError):
        cors({}, cors_allowed=ORIGIN, cors_expose_headers=name)


# Never configurable


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "TRACK", "connect", "Trace", "tRACK"])
def test_forbidden_methods_are_never_allowed(method: str) -> None:
    """No browser sends them: they cannot be listed, and ``*`` does not mean them.

    Fetch, "Methods", forbidden method.
    """
    with pytest.raises(ConfigurationError):
        cors({}, cors_allowed=ORIGIN, cors_allow_methods=method)
    assert preflight(method, cors_allow_methods="*").code == 403


@pytest.mark.parametrize(
    "name",
    """Accept-Charset Accept-Encoding Access-Control-Request-Headers Access-Control-Request-Method
    Connection Content-Length Cookie Cookie2 Date DNT Expect Host Keep-Alive Origin Referer
    Set-Cookie TE Trailer Transfer-Encoding Upgrade Via Proxy-Authorization sec-ch-ua SEC-X
    """.split(),
)
def test_forbidden_request_headers_cannot_be_allowed(name: str) -> None:
    """Scripts cannot set these, so listing one is a mistake.

    Fetch, "Headers", forbidden request-header.
    """
    with pytest.raises(ConfigurationError):
        cors({}, cors_allowed=ORIGIN, cors_allow_headers=name)


# Caches


@pytest.mark.parametrize("allowed", [ORIGIN, f"{ORIGIN} https://*.example.org", "example.com"])
@pytest.mark.parametrize("headers", [{"Origin": ORIGIN}, {"Origin": STRANGER}, {}])
def test_vary_is_on_every_response(headers: Mapping[str, str], allowed: str) -> None:
    """A cache must not hand the answer for one origin, or for none, to another.

    Fetch, "CORS protocol and HTTP caches", first and second paragraph.
    """
    assert ask(headers=headers, cors_allowed=allowed).values("Vary") == ["Origin"]


@pytest.mark.parametrize("headers", [{"Origin": ORIGIN}, {"Origin": "null"}, {}])
def test_star_is_on_every_response_without_vary(headers: Mapping[str, str]) -> None:
    """With ``*`` it is sent always, without an Origin too, and ``Vary`` is not used.

    Fetch, "CORS protocol and HTTP caches", last paragraph.
    """
    answer = ask(headers=headers, cors_allowed="*")
    assert answer.header(ALLOW_ORIGIN) == "*"
    assert answer.values("Vary") == []


def test_a_304_carries_the_headers_of_the_200() -> None:
    """A 304 renews what a cache keeps, ``Vary`` and the CORS headers included.

    RFC 9110, section 15.4.5; RFC 9111, section 3.2.
    """
    app = answering([], "304 Not Modified", [("ETag", '"1"')])
    answer = ask(headers={"Origin": ORIGIN, "If-None-Match": '"1"'}, app=app)
    assert_headers(answer, {"ETag": '"1"', "Vary": "Origin", ALLOW_ORIGIN: ORIGIN})


@pytest.mark.parametrize("headers", ["x-a", "x y"], ids=["accepted", "refused"])
@pytest.mark.parametrize(("allowed", "by_origin"), [(ORIGIN, ["Origin"]), ("*", [])])
def test_a_preflight_varies_by_what_its_answer_repeats(
    allowed: str, by_origin: list[str], headers: str
) -> None:
    """Caches that keep answers to ``OPTIONS`` all the same must know what these depend on.

    RFC 9110, section 12.5.5.
    """
    answer = preflight(headers=headers, cors_allowed=allowed)
    assert items(answer, "Vary") == [
        *by_origin,
        "Access-Control-Request-Method",
        "Access-Control-Request-Headers",
    ]


def test_preflights_rely_on_no_http_cache() -> None:
    """Answers to ``OPTIONS`` are not cacheable, so no header but Max-Age speaks of caching.

    RFC 9110, section 9.3.7.
    """
    answer = preflight()
    assert [answer.header(name) for name in ("Cache-Control", "Expires", "ETag")] == [None] * 3


@pytest.mark.parametrize(
    "header",
    ["Access-Control-Request-Private-Network", "Access-Control-Request-Local-Network"],
)
def test_private_network_access_is_neither_granted_nor_refused(header: str) -> None:
    """The header of a proposal that was given up changes no answer.

    It is in no standard: Fetch has never had it.
    """
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "PUT"}
    assert ask("OPTIONS", asked | {header: "true"}).headers == ask("OPTIONS", asked).headers
