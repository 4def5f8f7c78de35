"""``explain``: what a browser sends through real pipelines, and the verdict."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import pytest
from webob import Request

from tests.checking import write_module
from tests.explaining import API, CORS, HEADERS, MAIN, ORIGIN, PIPELINE, explained, sent
from tests.ini import write_ini
from wsgi_mw_paste.command.browser import Fetch
from wsgi_mw_paste.command.exchange import build, make_real, send
from wsgi_mw_paste.command.explain import explain
from wsgi_mw_paste.command.pipeline import read_deployment

#: The names of what ``cors`` adds to an answer.
EXPOSED = ("Allow-Origin", "Expose-Headers")

# What is sent, and the verdict.


def test_a_simple_request_is_sent_at_once() -> None:
    """An allowed simple request has no preflight, and its answer reaches the script."""
    found = explained(PIPELINE)
    assert sent(found) == [f"GET / {ORIGIN}"]
    assert found.verdict == f"Allowed: a script of {ORIGIN} may read the response to GET {API}/."


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
    write_ini(PIPELINE + "[app:app]\npaste.app_factory = tests.checking:make_raising\n")
    found = explain(build(read_deployment("test.ini")), Fetch(ORIGIN, API + "/raise"))
    assert found.refusal is None
    assert found.steps[0].exchange.response.status == "200 OK"


def test_an_answer_in_place_of_an_exception_is_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """PEP 3333: with ``exc_info``, an application may begin again as long as nothing is sent."""
    write_module(
        monkeypatch,
        "late",
        """
        import sys

        def make(global_conf):
            def app(environ, start_response):
                start_response("200 OK", [("Access-Control-Allow-Origin", "*")])
                try:
                    raise KeyError("user")
                except KeyError:
                    start_response("503 Busy", [("Retry-After", "5")], sys.exc_info())
                return [b"later"]

            return app
        """,
    )
    write_ini("[app:main]\npaste.app_factory = late:make")
    exchange = send(build(read_deployment("test.ini"), make_real), Request.blank("/"))
    assert (exchange.response.status, exchange.raised) == ("503 Busy", "")
    assert exchange.response.headerlist == [("Retry-After", "5")]
    assert exchange.replaced == []


def test_a_composite_chooses_by_the_path() -> None:
    """The composite of the file is the one that is asked, with the filters behind it."""
    text = """
        [composite:main]
        paste.composite_factory = tests.checking:make_composite
        /open = open
        /closed = app
        [pipeline:open]
        pipeline = cors app
        [filter:transparent]
        paste.filter_factory = tests.checking:make_transparent
        """
    text = dedent(text) + CORS
    assert explained(text, path="/open").refusal is None
    assert explained(text, path="/closed").verdict == (
        "Refused, no CORS filter is in front of app: list egg:wsgi_mw_paste#cors before the"
        " application (test.ini:5 [composite:main] /closed)."
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
            "Refused, opaque origin (null): serve the page from an origin of its own; only * would"
            " cover this one (test.ini:6 [filter:cors] cors_allowed).",
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
            "Refused, method not listed: write PATCH in the script; browsers send this method as it"
            " is written (test.ini:4 [filter:cors]).",
            id="method-case",
        ),
        pytest.param(
            "cors_allow_methods = *",
            {"method": "X" * 2000},
            "Refused, malformed method: send fewer or shorter names; no option allows these.",
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
            "Refused, too many headers: send fewer or shorter names; no option allows these.",
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


@pytest.mark.parametrize(
    ("allowed", "origin", "near"),
    [
        pytest.param(
            "https://*.staging.example.com",
            "https://staging.example.com",
            "https://*.staging.example.com allows the hosts below staging.example.com, not"
            " staging.example.com itself.",
            id="subdomains",
        ),
        pytest.param(
            "http://a.example https://a.example:8443",
            "https://a.example",
            "http://a.example allows http, not https. https://a.example:8443 allows port 8443, not"
            " the default port.",
            id="scheme-and-port",
        ),
        pytest.param(
            "http://localhost:3000",
            "http://127.0.0.1:3000",
            "http://localhost:3000 allows localhost; to browsers 127.0.0.1 is a different host.",
            id="loopback",
        ),
        pytest.param(
            "https://a.example:1 https://a.example:2 https://a.example:3 https://a.example:4",
            "https://a.example",
            "https://a.example:1 allows port 1, not the default port. https://a.example:2 allows"
            " port 2, not the default port. https://a.example:3 allows port 3, not the default"
            " port.",
            id="many",
        ),
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_refused_origin_is_told_what_nearly_matched(
    allowed: str, origin: str, near: str, method: str
) -> None:
    """The first few entries that differ in little, and in what."""
    found = explained(PIPELINE.replace(ORIGIN, allowed), origin=origin, method=method)
    assert found.verdict == (
        f"Refused, origin not listed: add {origin} to cors_allowed"
        f" (test.ini:6 [filter:cors] cors_allowed). {near}"
    )


def test_the_filter_that_speaks_for_the_path_decides() -> None:
    """Of two filters with ``cors_paths``, the refusal is that of the one whose path it is."""
    text = f"""
        [pipeline:main]
        pipeline = one two app
        [filter:one]
        use = egg:wsgi_mw_paste#cors
        cors_paths = /one
        cors_allowed = {ORIGIN}
        [filter:two]
        use = egg:wsgi_mw_paste#cors
        cors_paths = /two
        cors_allowed = https://admin.example.com
        """
    assert explained(text, path="/one").refusal is None
    assert explained(text, path="/two").verdict == (
        f"Refused, origin not listed: add {ORIGIN} to cors_allowed (test.ini:11 [filter:two]"
        " cors_allowed)."
    )
    assert explained(text, path="/three/4?token=secret").verdict == (
        "Refused, /three/4 is outside cors_paths: add it, or a prefix of it"
        " (test.ini:6 [filter:one] cors_paths)."
    )


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
        "Refused, no CORS filter is in front of app: list egg:wsgi_mw_paste#cors before the"
        " application (test.ini:2 [pipeline:main] pipeline)."
    )


def test_a_filter_that_answers_for_itself_is_named() -> None:
    """What answers before ``cors`` is asked is the reason, with its answer."""
    found = explained("""
        [pipeline:main]
        pipeline = auth egg:wsgi_mw_paste#cors app
        [filter:auth]
        paste.filter_factory = tests.explaining:make_answer
        status = 401 Unauthorized
        """)
    assert found.verdict == (
        "Refused, auth answered the request itself (401 Unauthorized): list"
        " egg:wsgi_mw_paste#cors before auth (test.ini:3 [pipeline:main] pipeline)."
    )


def test_an_answer_spoilt_outside_of_cors_is_blamed_on_the_filters_there() -> None:
    """Browsers refuse a second ``Access-Control-Allow-Origin``; who may have added it is said."""
    found = explained(
        """
        [pipeline:main]
        pipeline = adding cors app
        [filter:adding]
        paste.filter_factory = tests.explaining:make_adding
        Access-Control-Allow-Origin = *
        """
        + CORS.replace("\n", "\n        ")
    )
    assert found.steps[0].failure == (f"Access-Control-Allow-Origin is {ORIGIN}, *, not {ORIGIN}")
    assert found.verdict == (
        f"Refused, Access-Control-Allow-Origin is {ORIGIN}, *, not {ORIGIN}: cors allowed it; see"
        " what adding made of the response (test.ini:3 [pipeline:main] pipeline)."
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
    """Fetch, "CORS-preflight fetch", whatever answers: here, not ``cors``."""
    text = f"""
        [pipeline:main]
        pipeline = other app
        [filter:other]
        paste.filter_factory = tests.explaining:make_answer
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
        paste.filter_factory = tests.explaining:make_answer
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
        paste.filter_factory = tests.explaining:make_answer
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


# What the application sends itself.


@pytest.mark.parametrize(
    ("options", "own", "replaced"),
    [
        pytest.param("", [], [], id="none"),
        pytest.param(
            "",
            [("access-control-allow-origin", "*"), ("Access-Control-Max-Age", "5")],
            [("access-control-allow-origin", "*"), ("Access-Control-Max-Age", "5")],
            id="replaced",
        ),
        pytest.param("", [("Access-Control-Allow-Origin", ORIGIN)], [], id="the-same"),
        pytest.param(
            "cors_paths = /api", [("Access-Control-Allow-Origin", "*")], [], id="other-path",
        ),
    ],
)  # fmt: skip
def test_cors_headers_of_the_application_that_were_replaced_are_told(
    options: str, own: list[tuple[str, str]], replaced: list[tuple[str, str]]
) -> None:
    """With ``--app`` they show what the application believes to decide, and does not."""
    HEADERS["/own"] = own
    found = explained(PIPELINE + options, path="/own")
    assert found.steps[-1].exchange.replaced == replaced
