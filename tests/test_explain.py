"""``explain``: a browser by the Fetch standard, played against real pipelines."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any, BinaryIO

import pytest
from webob import Request, Response
from webob.dec import wsgify

from tests.browser.engines import ENGINES, search_path
from tests.browser.site import HERE as BROWSER_FILES
from tests.browser.table import ROWS, Row
from tests.browser.test_browsers import pay_visit
from tests.ini import write_ini
from tests.serving import program
from wsgi_mw_paste.command.browser import Fetch, make_fetch, preflight_reasons, unsafe_names
from wsgi_mw_paste.command.exchange import build, make_real
from wsgi_mw_paste.command.explain import Explanation, explain
from wsgi_mw_paste.command.pipeline import read

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from tests.wsgi import Middleware

ORIGIN = "https://app.example.com"
API = "http://localhost"
CORS = """
[filter:cors]
use = egg:wsgi_mw_paste#cors
cors_allowed = https://app.example.com
"""
PIPELINE = "[pipeline:main]\npipeline = cors app\n" + CORS
#: The names of what ``cors`` adds to an answer.
EXPOSED = ("Allow-Origin", "Expose-Headers")
MAIN = """
[pipeline:main]
pipeline = all app

[filter:all]
use = egg:wsgi_mw_paste
log_tokens = false
"""


# The application and the filters that the files name.


#: The bodies that the application sends, by their paths.
BODIES: dict[str, BinaryIO] = {}


@wsgify
def application(request: Request) -> Response:
    """Answer by the path: with a status, a redirect, an exception, headers of its own."""
    kind, _, rest = request.path_info.lstrip("/").partition("/")
    if kind == "raise":
        raise RuntimeError("raised\non purpose")
    response = Response("text", content_type="text/plain", charset="UTF-8")
    response.headerlist += [("X-Total", "1"), ("X-Other", "1"), ("Set-Cookie", "a=1")]
    if request.path_info in BODIES:
        response.app_iter = BODIES[request.path_info]
    if kind == "status":
        response.status = int(rest)
    if kind == "redirect":
        response.status = int(rest)
        response.headers["Location"] = request.query_string + "#here"
    return response


def make_app(global_conf: dict[str, str], /) -> WSGIApplication:
    """Return the application; a ``paste.app_factory``."""
    return application


def make_answer(global_conf: dict[str, str], /, **headers: str) -> Middleware:
    """Return a filter that answers everything with these headers; a ``paste.filter_factory``."""
    status = headers.pop("status", "200 OK")

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, list(headers.items()))
        return [b""]

    return lambda app: answer


def make_adding(global_conf: dict[str, str], /, **headers: str) -> Middleware:
    """Return a filter that adds headers to every answer; a ``paste.filter_factory``."""

    def adding(app: WSGIApplication) -> WSGIApplication:
        @wsgify.middleware
        def add(request: Request, app: WSGIApplication) -> Response:
            response = request.get_response(app)
            response.headerlist.extend(headers.items())
            return response

        wrapped: WSGIApplication = add(app)
        return wrapped

    return adding


APP = """
[app:app]
paste.app_factory = tests.test_explain:make_app
"""


def explained(
    text: str,
    *headers: str,
    origin: str = ORIGIN,
    method: str = "GET",
    path: str = "/",
    served: list[str] | None = None,
    **more: Any,
) -> Explanation:
    """Write an INI file and ask about one request to its real application."""
    write_ini(dedent(text) + APP)
    fetch, _ = make_fetch(origin, API + path, method, headers)
    return explain(build(read("test.ini"), make_real), replace(fetch, **more), served)


def sent(explanation: Explanation) -> list[str]:
    """Return what was sent, as ``METHOD path origin``; ``!`` is an answer the browser refused."""
    return [
        f"{step.exchange.request.method} {step.exchange.request.path}"
        f" {step.exchange.request.headers.get('Origin', '-')}{step.failure and '!'}"
        for step in explanation.steps
    ]


# What a script may ask for.


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
        pytest.param("app.example.com", "GET", "X", "expected an origin", id="no-scheme"),
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


# What is sent, and the verdict.


def test_a_simple_request_is_sent_at_once() -> None:
    """An allowed simple request has no preflight, and its answer reaches the script."""
    found = explained(PIPELINE)
    assert sent(found) == [f"GET / {ORIGIN}"]
    assert found.verdict == f"Allowed: a script of {ORIGIN} may read the answer to GET {API}/."


def test_a_preflight_asks_for_method_and_headers() -> None:
    """Fetch, "CORS-preflight fetch": the names are sorted, in lower case, and joined by commas."""
    found = explained(PIPELINE, "X-Foo", "Authorization: Bearer t", "Accept", method="PUT")
    assert sent(found) == [f"OPTIONS / {ORIGIN}", f"PUT / {ORIGIN}"]
    preflight, actual = (dict(step.exchange.request.headers) for step in found.steps)
    assert preflight == {
        "Host": "localhost:80",
        "Accept": "*/*",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization,x-foo",
        "Origin": ORIGIN,
    }
    assert actual == {
        "Host": "localhost:80",
        "X-Foo": "-",
        "Authorization": "Bearer t",
        "Accept": "*/*",
        "Origin": ORIGIN,
    }


def test_without_the_application_a_stand_in_answers() -> None:
    """``build`` alone puts a stand-in behind the filters; the application is not made."""
    write_ini(PIPELINE + "[app:app]\npaste.app_factory = tests.test_check:make_raising\n")
    found = explain(build(read("test.ini")), Fetch(ORIGIN, API + "/raise"))
    assert found.refusal is None
    assert found.steps[0].exchange.response.status == "200 OK"


def test_a_composite_chooses_by_the_path() -> None:
    """The composite of the file is the one that is asked, with the filters behind it."""
    text = """
        [composite:main]
        paste.composite_factory = tests.test_check:make_composite
        /open = open
        /closed = app
        [pipeline:open]
        pipeline = cors app
        [filter:transparent]
        paste.filter_factory = tests.test_check:make_transparent
        """
    text = dedent(text) + CORS
    assert explained(text, path="/open").refusal is None
    assert explained(text, path="/closed").verdict == (
        "Refused, no CORS filter is on the way to app: put egg:wsgi_mw_paste#cors in front of the"
        " application (test.ini:2 [composite:main])."
    )


def test_a_page_of_the_same_origin_needs_no_cors() -> None:
    """Without another origin there is no preflight, no check, and every header is readable."""
    found = explained(PIPELINE, "X-Foo", origin=API, method="PUT")
    assert sent(found) == [f"PUT / {API}"]
    assert found.readable == ["Content-Type", "Content-Length", "X-Total", "X-Other", "Vary"]
    assert found.hidden == ["Set-Cookie"]
    assert sent(explained(PIPELINE, origin=API)) == ["GET / -"]


@pytest.mark.parametrize(
    ("options", "credentials", "readable"),
    [
        pytest.param("", False, [], id="none"),
        pytest.param("cors_expose_headers = x-total", False, ["X-Total"], id="listed"),
        pytest.param(
            "cors_expose_headers = *",
            False,
            ["X-Total", "X-Other", "Vary", *(f"Access-Control-{x}" for x in EXPOSED)],
            id="any",
        ),
        pytest.param(
            "cors_allow_credentials = true\ncors_expose_headers = X-Other, Set-X",
            True,
            ["X-Other"],
            id="credentials",
        ),
    ],
)
def test_a_script_reads_what_is_exposed(
    options: str,
    credentials: bool,  # noqa: FBT001
    readable: list[str],
) -> None:
    """Fetch, "CORS-exposed header-name list": the safelisted ones and the listed, no cookies."""
    found = explained(PIPELINE + options, credentials=credentials)
    assert sorted(found.readable) == sorted(["Content-Type", "Content-Length", *readable])
    assert "Set-Cookie" in found.hidden


@pytest.mark.parametrize(
    ("options", "request_", "verdict"),
    [
        pytest.param(
            "",
            {"origin": "https://evil.example"},
            "Refused, origin not listed: add https://evil.example to cors_allowed"
            " (test.ini:6 [filter:cors] cors_allowed).",
            id="origin",
        ),
        pytest.param(
            "",
            {"origin": "https://evil.example", "method": "PUT"},
            "Refused, origin not listed: add https://evil.example to cors_allowed"
            " (test.ini:6 [filter:cors] cors_allowed).",
            id="origin-preflight",
        ),
        pytest.param(
            "",
            {"origin": "null"},
            "Refused, opaque origin (null): give the page an origin of its own, only * would cover"
            " this one (test.ini:6 [filter:cors] cors_allowed).",
            id="null",
        ),
        pytest.param(
            "cors_allow_methods = PUT",
            {"method": "DELETE"},
            "Refused, method not listed: add DELETE to cors_allow_methods"
            " (test.ini:7 [filter:cors] cors_allow_methods).",
            id="method",
        ),
        pytest.param(
            "",
            {"method": "PURGE"},
            "Refused, method not listed: write cors_allow_methods = GET, HEAD, POST, PUT, PATCH,"
            " DELETE, OPTIONS, PURGE (test.ini:4 [filter:cors]).",
            id="method-default",
        ),
        pytest.param(
            "",
            {"method": "patch"},
            "Refused, method not listed: write PATCH in the script, browsers send this method as it"
            " is (test.ini:4 [filter:cors]).",
            id="method-case",
        ),
        pytest.param(
            "cors_allow_methods = *",
            {"method": "X" * 2000},
            "Refused, malformed method: send fewer or shorter names, no option allows these.",
            id="method-length",
        ),
        pytest.param(
            "set CORS_ALLOW_HEADERS =\n  X-One",
            {"header": "X-Two"},
            "Refused, header not listed: add x-two to cors_allow_headers"
            " (test.ini:7 [filter:cors] set CORS_ALLOW_HEADERS).",
            id="header",
        ),
        pytest.param(
            "",
            {"header": "X-" + "a" * 5000},
            "Refused, too many headers: send fewer or shorter names, no option allows these.",
            id="headers-length",
        ),
        pytest.param(
            "",
            {"credentials": True},
            "Refused, credentials are not allowed: write cors_allow_credentials = true"
            " (test.ini:4 [filter:cors]).",
            id="credentials",
        ),
    ],
)
def test_a_refusal_names_the_option_and_its_line(
    options: str, request_: dict[str, Any], verdict: str
) -> None:
    """The verdict has the reason of the 403, what to write, and where."""
    header = [request_.pop("header")] if "header" in request_ else []
    found = explained(PIPELINE + options, *header, **request_)
    assert found.verdict == verdict
    assert found.readable == found.hidden == ()


def test_any_origin_is_not_for_credentials() -> None:
    """With ``*``, credentials need the origins by name as well."""
    found = explained(PIPELINE.replace(ORIGIN, "*"), credentials=True)
    assert sent(found) == [f"GET / {ORIGIN}!"]
    assert found.verdict == (
        "Refused, credentials are not allowed: write cors_allow_credentials = true and list the"
        " origins in cors_allowed by name (test.ini:4 [filter:cors])."
    )
    assert explained(PIPELINE.replace(ORIGIN, "*"), origin="null", method="PUT").refusal is None


def test_cors_that_is_off_says_so() -> None:
    """An empty ``cors_allowed`` is the reason, wherever it is empty."""
    found = explained(MAIN)
    assert found.verdict == (
        f"Refused, CORS is off: write cors_allowed = {ORIGIN} (test.ini:5 [filter:all])."
    )
    found = explained(MAIN + "cors_allowed =\n", method="PUT")
    assert found.verdict == (
        f"Refused, CORS is off: add {ORIGIN} to cors_allowed (test.ini:8 [filter:all]"
        " cors_allowed)."
    )


def test_without_a_cors_filter_there_is_the_advice_to_use_one() -> None:
    """A pipeline without ``cors`` is named, at the line that lists it."""
    found = explained("[pipeline:main]\npipeline = egg:wsgi_mw_paste#errors app\n")
    assert found.verdict == (
        "Refused, no CORS filter is on the way to app: put egg:wsgi_mw_paste#cors in front of the"
        " application (test.ini:2 [pipeline:main] pipeline)."
    )


def test_a_filter_that_answers_for_itself_is_named() -> None:
    """What answers before ``cors`` is asked is the reason, with its answer."""
    found = explained("""
        [pipeline:main]
        pipeline = auth egg:wsgi_mw_paste#cors app
        [filter:auth]
        paste.filter_factory = tests.test_explain:make_answer
        status = 401 Unauthorized
        """)
    assert found.verdict == (
        "Refused, auth answered for itself (401 Unauthorized): put egg:wsgi_mw_paste#cors in front"
        " of auth (test.ini:3 [pipeline:main] pipeline)."
    )


def test_an_answer_spoilt_outside_of_cors_is_blamed_on_the_filters_there() -> None:
    """Browsers refuse a second ``Access-Control-Allow-Origin``; who may have added it is said."""
    found = explained(
        """
        [pipeline:main]
        pipeline = adding cors app
        [filter:adding]
        paste.filter_factory = tests.test_explain:make_adding
        Access-Control-Allow-Origin = *
        """
        + CORS.replace("\n", "\n        ")
    )
    assert found.steps[0].failure == (f"Access-Control-Allow-Origin is {ORIGIN}, *, not {ORIGIN}")
    assert found.verdict == (
        f"Refused, Access-Control-Allow-Origin is {ORIGIN}, *, not {ORIGIN}: cors allowed it; see"
        " what adding made of the answer (test.ini:3 [pipeline:main] pipeline)."
    )


@pytest.mark.parametrize(
    ("headers", "method", "header", "failure"),
    [
        pytest.param("X = 1", "PUT", "Accept", "does not list PUT", id="method"),
        pytest.param("Allow-Methods = A B", "PUT", "Accept", "does not list PUT", id="bad"),
        pytest.param("Allow-Methods = PUT", "PUT", "Accept", "", id="listed-method"),
        pytest.param("Allow-Methods = *", "PUT", "Accept", "", id="any-method"),
        pytest.param("X = 1", "GET", "X-Foo", "does not list x-foo", id="header"),
        pytest.param("Allow-Headers = ,X-FOO", "GET", "X-Foo", "", id="listed-header"),
        pytest.param("Allow-Headers = *", "GET", "X-Foo", "", id="any-header"),
        pytest.param(
            "Allow-Headers = *",
            "GET",
            "Authorization",
            "does not list authorization",
            id="authorization",
        ),
    ],
)
def test_answers_to_preflights_are_checked_as_the_standard_says(
    headers: str, method: str, header: str, failure: str
) -> None:
    """Fetch, "CORS-preflight fetch", whoever answers: here, not ``cors``."""
    text = f"""
        [pipeline:main]
        pipeline = other app
        [filter:other]
        paste.filter_factory = tests.test_explain:make_answer
        Access-Control-Allow-Origin = *
        Access-Control-{headers}
        """
    found = explained(text, header, method=method)
    assert found.steps[0].failure.endswith(failure)
    assert bool(found.steps[0].failure) is bool(failure)


def test_a_redirected_preflight_fails() -> None:
    """Fetch, "CORS-preflight fetch": only a status from 200 to 299 will do."""
    text = """
        [pipeline:main]
        pipeline = other app
        [filter:other]
        paste.filter_factory = tests.test_explain:make_answer
        status = 302 Found
        Access-Control-Allow-Origin = *
        """
    assert explained(text, method="PUT").steps[0].failure == "the status is 302 Found"


def test_stars_are_names_with_credentials() -> None:
    """Fetch, "CORS-preflight fetch": with credentials ``*`` stands for itself."""
    text = f"""
        [pipeline:main]
        pipeline = other app
        [filter:other]
        paste.filter_factory = tests.test_explain:make_answer
        Access-Control-Allow-Origin = {ORIGIN}
        Access-Control-Allow-Credentials = true
        Access-Control-Allow-Methods = *
        Access-Control-Allow-Headers = *
        Access-Control-Expose-Headers = *
        X-Total = 1
        """
    failures = [
        explained(text, header, method=method, credentials=True).steps[0].failure
        for method, header in (("PUT", "Accept"), ("GET", "X-Foo"))
    ]
    assert failures == [
        "Access-Control-Allow-Methods does not list PUT",
        "Access-Control-Allow-Headers does not list x-foo",
    ]
    assert "X-Total" in explained(text, credentials=True).hidden


# Exceptions and redirects.


def test_an_exception_without_errors_is_the_reason() -> None:
    """A bare 500 of the server's has no CORS headers; ``errors`` would have answered."""
    found = explained(PIPELINE, path="/raise")
    assert found.steps[0].exchange.raised == "RuntimeError: raised on purpose"
    assert found.verdict == (
        "Refused, RuntimeError: raised on purpose escaped: put egg:wsgi_mw_paste#errors innermost,"
        " so that browsers get an answer (test.ini:2 [pipeline:main] pipeline)."
    )


def test_a_body_without_an_end_is_closed_and_not_read() -> None:
    """A stream of events answers as anything else does, and is closed."""
    with Path("/dev/zero").open("rb") as body:
        BODIES["/endless"] = body
        assert explained(PIPELINE, path="/endless").refusal is None
        assert body.closed


def test_an_exception_that_errors_answers_can_be_read(caplog: pytest.LogCaptureFixture) -> None:
    """The 500 of ``errors`` passes through ``cors``, so its status and body reach the script."""
    with caplog.at_level(logging.CRITICAL):
        found = explained(MAIN + f"cors_allowed = {ORIGIN}\n", path="/raise")
    assert found.refusal is None
    assert found.steps[0].exchange.response.status_int == 500


@pytest.mark.parametrize(
    ("status", "method", "after"),
    [
        pytest.param(301, "POST", "GET", id="301"),
        pytest.param(302, "PUT", "PUT", id="302"),
        pytest.param(303, "PUT", "GET", id="303"),
        pytest.param(303, "HEAD", "HEAD", id="303-head"),
        pytest.param(307, "PUT", "PUT", id="307"),
    ],
)
def test_a_redirect_on_the_server_is_followed(status: int, method: str, after: str) -> None:
    """Fetch, "HTTP-redirect fetch": the method may change, the origin stays."""
    headers = ["Content-Type: text/plain", "Authorization"]
    found = explained(PIPELINE, *headers, path=f"/redirect/{status}?/b", method=method)
    assert [line for line in sent(found) if "OPTIONS" not in line] == [
        f"{method} /redirect/{status} {ORIGIN}",
        f"{after} /b {ORIGIN}",
    ]
    last = found.steps[-1].exchange.request.headers
    assert ("Content-Type" in last) is (method == after)
    assert "Authorization" in last


def test_a_url_is_sent_as_browsers_encode_it() -> None:
    """Other letters than ASCII's are percent-encoded, and a fragment is not sent."""
    found = explained(PIPELINE, path="/redirect/302?/\xe9?%C3%A9#here")
    assert [step.exchange.request.url for step in found.steps] == [
        f"{API}/redirect/302?/%C3%A9?%C3%A9",
        f"{API}/%C3%A9?%C3%A9",
    ]


def test_a_redirect_without_location_is_an_answer() -> None:
    """Fetch, "location URL": without ``Location`` the 302 itself goes to the script."""
    assert sent(explained(PIPELINE, path="/status/302")) == [f"GET /status/302 {ORIGIN}"]


@pytest.mark.parametrize(
    ("location", "origins", "verdict"),
    [
        pytest.param(
            "https://login.example/?token=secret",
            [],
            "Refused, redirected to https://login.example: that server decides, asked with"
            " Origin: null.",
            id="elsewhere",
        ),
        pytest.param(
            "http://other.example:80/b",
            ["GET /b null!"],
            "Refused, opaque origin (null): give the page an origin of its own, only * would cover"
            " this one (test.ini:6 [filter:cors] cors_allowed).",
            id="served",
        ),
        pytest.param(
            "http://[x/",
            [],
            "Refused, redirected to what is no URL: mend the application's Location.",
            id="no-url",
        ),
        pytest.param(
            "/redirect/302?" * 40,
            ["GET /redirect/302 " + ORIGIN] * 20,
            "Refused, too many redirects: mend the application.",
            id="circle",
        ),
    ],
)
def test_a_redirect_may_be_the_end(location: str, origins: list[str], verdict: str) -> None:
    """Another server is not followed; one that is asks with ``Origin: null``."""
    served = [API, "http://other.example"]
    found = explained(PIPELINE, "Authorization", path=f"/redirect/302?{location}", served=served)
    assert [line for line in sent(found) if "OPTIONS" not in line][1:] == origins
    assert found.verdict == verdict


# Beside a real browser.


#: The four origins of the browsers' site; no port has to be open.
SITE = {
    "page": "http://127.0.0.1:8001",
    "other": "http://localhost:8001",
    "api": "http://127.0.0.1:8002",
    "third": "http://localhost:8002",
}
#: What waitress adds to every answer.
SERVER_HEADERS = {"date", "server"}


def played(row: Row) -> tuple[list[str], list[tuple[int, set[str]]]]:
    """Return what ``explain`` sends for a row of the browsers' table, and what the script gets."""
    app = build(read(str(BROWSER_FILES / "site.ini"), variables=SITE), make_real)
    origin = "null" if row.frame == "sandbox" else (row.frame or "{page}").format(**SITE)
    names = {url: name for name, url in SITE.items()}
    requests, outcomes = [], []
    for step in row.steps:
        url = step["url"].format(**SITE)
        url += f"{'&' if '?' in url else '?'}row={row.id}"
        headers = [f"{name}: {value}" for name, value in step.get("headers", {}).items()]
        fetch, _ = make_fetch(origin, url, step["method"], headers)
        fetch = replace(
            fetch,
            credentials=step.get("credentials") == "include",
            listener="upload" in step,
        )
        found = explain(app, fetch, SITE.values())
        for request in (each.exchange.request for each in found.steps):
            sender = request.headers.get("Origin", "-")
            noted = " +Authorization" * ("Authorization" in request.headers)
            requests.append(f"{request.method} {names.get(sender, sender)}{noted}")
        status = 0 if found.refusal else found.steps[-1].exchange.response.status_int
        outcomes.append((status, {name.lower() for name in found.readable}))
    return requests, outcomes


@pytest.mark.parametrize("row", [pytest.param(row, id=row.id) for row in ROWS])
def test_explain_does_as_the_table_of_the_browsers_says(row: Row) -> None:
    """What the standard asks for, row by row; neither caches nor cookies are ``explain``'s."""
    requests, outcomes = played(row)
    expected = row.expected.status, set(row.expected.readable - SERVER_HEADERS)
    assert outcomes == [expected] * len(row.steps)
    sent = row.expected.sent.replace(" +Cookie", "").replace(" +If-None-Match", "").split(", ")
    assert [each for each in requests if each not in sent] == []
    assert len(row.steps) > 1 or requests == sent


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row.id) for row in ROWS if "chromium" not in row.but]
)
def test_explain_agrees_with_chromium(row: Row) -> None:
    """A real script gets the same answers, or none, and reads the same headers.

    Left out is the row in which Chromium has yet to follow the standard.
    """
    for name in ENGINES["chromium"].programs:
        program(name, search_path())
    visit = pay_visit("chromium")
    assert row.id in visit.outcomes, visit.printed
    got = [(each["status"], {*each["headers"]}) for each in visit.outcomes[row.id]]
    assert [(status, names - SERVER_HEADERS) for status, names in got] == played(row)[1]
