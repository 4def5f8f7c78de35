"""Where the request id comes from, and where it goes."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.ini import load_ini
from tests.wsgi import assert_headers, between_validators, call, hello, make_environ
from wsgi_mw_paste import (
    ConfigurationError,
    RequestIdMiddleware,
    RequestIdSettings,
    current_request_id,
)
from wsgi_mw_paste.factories import request_id
from wsgi_mw_paste.request_id import RequestIdFilter as LegacyFilter
from wsgi_mw_paste.request_id import _warn_of_verbatim_tokens
from wsgi_mw_paste.request_id import current_request_id as legacy_current_request_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from tests.wsgi import Answer

is_generated = re.compile("[0-9a-f]{32}").fullmatch
FALLBACKS = "X-Correlation-Id, traceparent X-Amzn-Trace-Id"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
ROOT = "1-67891233-abcdef012345678912345678"


def wrap(app: WSGIApplication, **options: str) -> WSGIApplication:
    """Wrap *app* in the filter, with validators on both sides."""
    return between_validators(request_id({}, **{"log_tokens": "false", **options}), app)


def access_records(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return the fields of the access records."""
    return [vars(record) for record in caplog.records if record.name == "wsgi_mw_paste.access"]


@pytest.fixture(autouse=True)
def _at_info(caplog: pytest.LogCaptureFixture) -> None:
    """Have access records written."""
    caplog.set_level(logging.INFO, "wsgi_mw_paste.access")


def test_the_id_is_the_same_everywhere(caplog: pytest.LogCaptureFixture) -> None:
    """An inbound id is on the response, in the environ, current, and in the access record."""
    inside = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        inside.append(environ["HTTP_X_REQUEST_ID"])
        inside.append(environ["wsgi_mw_paste.request_id"])
        inside.append(current_request_id())
        return hello(environ, start_response)

    answer = call(wrap(app), make_environ(headers={"X-Request-Id": "abc-123"}))
    assert_headers(answer, {"Content-Type": "text/plain", "X-Request-Id": "abc-123"})
    assert inside == ["abc-123"] * 3
    (record,) = access_records(caplog)
    assert (record["request_id"], record["request_id_source"]) == ("abc-123", "inbound")
    assert current_request_id() is None


def test_each_request_without_an_id_gets_another_one(caplog: pytest.LogCaptureFixture) -> None:
    """Generated ids are 32 hexadecimal digits, and no two are the same."""
    app = wrap(hello)
    ids = [call(app).header("X-Request-Id") or "" for _ in range(100)]
    assert len(set(ids)) == 100
    assert all(map(is_generated, ids))
    assert {record["request_id_source"] for record in access_records(caplog)} == {"generated"}


@pytest.mark.parametrize(
    ("headers", "options", "expected", "source"),
    [
        pytest.param(
            {"X-Request-Id": "main", "X-Correlation-Id": "other", "traceparent": TRACEPARENT},
            {"request_id_fallback_headers": FALLBACKS},
            "main",
            "inbound",
            id="the main header wins",
        ),
        pytest.param(
            {"traceparent": TRACEPARENT, "X-Correlation-Id": "other"},
            {"request_id_fallback_headers": FALLBACKS},
            "other",
            "inbound",
            id="the first fallback",
        ),
        pytest.param(
            {"X-Amzn-Trace-Id": f"Root={ROOT}", "traceparent": TRACEPARENT},
            {"request_id_fallback_headers": FALLBACKS},
            TRACE,
            "inbound",
            id="the second fallback",
        ),
        pytest.param(
            {"X-Amzn-Trace-Id": f"Root={ROOT}", "traceparent": TRACEPARENT},
            {"request_id_fallback_headers": "X-Amzn-Trace-Id traceparent"},
            ROOT,
            "inbound",
            id="the order is the option's",
        ),
        pytest.param(
            {"X-Correlation-Id": "a b", "traceparent": "x", "X-Amzn-Trace-Id": f"Root={ROOT}"},
            {"request_id_fallback_headers": FALLBACKS},
            ROOT,
            "inbound",
            id="the first that is usable",
        ),
        pytest.param(
            {"X-Request-Id": " \t ", "X-Correlation-Id": "", "traceparent": TRACEPARENT},
            {"request_id_fallback_headers": FALLBACKS},
            TRACE,
            "inbound",
            id="a blank one is absent",
        ),
        pytest.param(
            {"X-Request-Id": "a b", "X-Correlation-Id": "other"},
            {"request_id_fallback_headers": FALLBACKS},
            "other",
            "inbound",
            id="an invalid main header is as good as none",
        ),
        pytest.param(
            {"X-Request-Id": "x" * 129, "X-Correlation-Id": "a b", "traceparent": TRACEPARENT},
            {"request_id_fallback_headers": FALLBACKS},
            TRACE,
            "inbound",
            id="the first valid one of three",
        ),
        pytest.param(
            {"X-Request-Id": "a b"},
            {"request_id_fallback_headers": FALLBACKS},
            None,
            "replaced",
            id="an invalid main header and no fallback",
        ),
        pytest.param(
            {"X-Correlation-Id": "a b", "traceparent": "x"},
            {"request_id_fallback_headers": FALLBACKS},
            None,
            "replaced",
            id="no usable fallback",
        ),
        pytest.param(
            {"X-Correlation-Id": " ", "traceparent": ""},
            {"request_id_fallback_headers": FALLBACKS},
            None,
            "generated",
            id="blank fallbacks",
        ),
        pytest.param(
            {"X-Correlation-Id": "other", "traceparent": TRACEPARENT},
            {},
            None,
            "generated",
            id="no fallback unless configured",
        ),
        pytest.param(
            {"X-Request-Id": TRACEPARENT},
            {},
            TRACEPARENT,
            "inbound",
            id="the main header is not parsed",
        ),
        pytest.param(
            {"X-Request-Id": "main", "X-Correlation-Id": "other"},
            {"request_id_trust": "false", "request_id_fallback_headers": FALLBACKS},
            None,
            "generated",
            id="nothing is trusted",
        ),
        pytest.param(
            {"X-Request-Id": "a b"},
            {"request_id_trust": "false"},
            None,
            "generated",
            id="nothing is trusted, and it was invalid",
        ),
        pytest.param(
            {"X-Request-Id": "main", "X-Correlation-Id": "other"},
            {"request_id_header": "X-Correlation-Id"},
            "other",
            "inbound",
            id="another header",
        ),
        pytest.param(
            {"X-Request-Id": "other"},
            {"request_id_header": "x-request-ID"},
            "other",
            "inbound",
            id="another case",
        ),
        pytest.param(
            {"X-Request-Id": "main"},
            {"request_id_header": "X-Correlation-Id"},
            None,
            "generated",
            id="the default header has no meaning then",
        ),
        pytest.param(
            {"X-Correlation-Id": "x" * 9},
            {"request_id_fallback_headers": FALLBACKS, "request_id_max_length": "8"},
            None,
            "replaced",
            id="a fallback is too long",
        ),
        pytest.param(
            {"traceparent": TRACEPARENT},
            {"request_id_fallback_headers": FALLBACKS, "request_id_max_length": "31"},
            None,
            "replaced",
            id="a trace id is too long",
        ),
    ],
)
def test_an_id_comes_from_the_first_header_that_may_give_one(
    headers: dict[str, str],
    options: dict[str, str],
    expected: str | None,
    source: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The main header, then the fallbacks in their order, if they are trusted; or else a new id."""
    answer = call(wrap(hello, **options), make_environ(headers=headers))
    name = options.get("request_id_header", "X-Request-Id")
    found = answer.header(name)
    assert found is not None
    assert_headers(answer, {"Content-Type": "text/plain", name: found})
    assert (found == expected) == (expected is not None)
    assert bool(is_generated(found)) == (expected in (None, TRACE))
    (record,) = access_records(caplog)
    assert (record["request_id"], record["request_id_source"]) == (found, source)


def test_an_unusable_fallback_is_out_of_the_applications_reach() -> None:
    """A fallback header that was looked at and is no id is not in the environ any more."""
    seen: dict[str, Any] = {}

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        seen.update(environ)
        return hello(environ, start_response)

    headers = {"X-Correlation-Id": "a b", "traceparent": TRACEPARENT, "X-Amzn-Trace-Id": "a b"}
    call(wrap(app, request_id_fallback_headers=FALLBACKS), make_environ(headers=headers))
    assert "HTTP_X_CORRELATION_ID" not in seen
    assert seen["HTTP_X_REQUEST_ID"] == TRACE
    assert seen["HTTP_TRACEPARENT"] == TRACEPARENT
    assert seen["HTTP_X_AMZN_TRACE_ID"] == "a b"


@pytest.mark.parametrize(
    ("options", "length", "taken"),
    [
        pytest.param({}, 128, True, id="the default"),
        pytest.param({}, 129, False, id="one more"),
        pytest.param({"request_id_max_length": "1"}, 1, True, id="the lowest"),
        pytest.param({"request_id_max_length": "1"}, 2, False, id="more than the lowest"),
        pytest.param({"request_id_max_length": "1024"}, 1024, True, id="the highest"),
        pytest.param({"request_id_max_length": "1024"}, 1025, False, id="more than the highest"),
    ],
)
def test_an_id_may_be_so_long(options: dict[str, str], length: int, *, taken: bool) -> None:
    """An id of the maximum length is accepted, a longer one is replaced."""
    answer = call(wrap(hello, **options), make_environ(headers={"X-Request-Id": "x" * length}))
    assert (answer.header("X-Request-Id") == "x" * length) == taken


@pytest.mark.parametrize(
    ("option", "value"),
    [
        pytest.param("request_id_max_length", "0", id="no length"),
        pytest.param("request_id_max_length", "1025", id="too long"),
        pytest.param("request_id_header", "", id="empty header"),
        pytest.param("request_id_header", "X Request Id", id="blanks in the header"),
        pytest.param("request_id_header", "X-Request-Id\r\nEvil: 1", id="line break"),
        pytest.param("request_id_fallback_headers", "X-Id: 1", id="a whole header line"),
        pytest.param("request_id_trust", "perhaps", id="no boolean"),
        pytest.param("log_exclude_paths", "health", id="no path"),
    ],
)
def test_a_bad_option_is_an_error(option: str, value: str) -> None:
    """An option that makes no sense is a ConfigurationError that names it."""
    with pytest.raises(ConfigurationError) as caught:
        request_id({}, **{option: value})
    assert {problem.option for problem in caught.value.problems} == {option}


@pytest.mark.parametrize(
    "name", ["traceparent", "Traceparent", "X-Amzn-Trace-Id", "x-cloud-trace-context"]
)
def test_a_trace_header_is_a_fallback_only(name: str) -> None:
    """An id in its place would break the traces of others; the error says where it belongs."""
    with pytest.raises(ConfigurationError) as caught:
        request_id({}, request_id_header=name, request_id_fallback_headers=name)
    (problem,) = caught.value.problems
    assert problem[:2] == ("request_id_header", name)
    assert problem.reason == (
        "expected a header used only for ids; this one is for traces; list it in"
        " request_id_fallback_headers, which takes the trace id from it"
    )


@pytest.mark.parametrize("option", ["request_id_header", "request_id_fallback_headers"])
@pytest.mark.parametrize("name", ["User-Agent", "Cookie", "X-Forwarded-For", "X-Real-IP"])
def test_a_header_that_means_something_else_is_no_header_for_ids(option: str, name: str) -> None:
    """Request fields of HTTP, and those that proxies write, keep their meaning."""
    with pytest.raises(ConfigurationError) as caught:
        request_id({}, **{option: name})
    assert [(problem.option, problem.text) for problem in caught.value.problems] == [(option, name)]


UNDERSCORES = "proxies such as nginx drop {}, because of its underscores; use {} if you can"
KEY = "shorter than 16 characters, so it can be guessed; use a longer, random key"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param(
            {"log_tokens": "false", "request_id_header": "X_Request_Id"},
            [("request_id_header", "X_Request_Id", UNDERSCORES)],
            id="header",
        ),
        pytest.param(
            {"log_tokens": "false", "request_id_fallback_headers": "X-A X_B X_C_D"},
            [
                ("request_id_fallback_headers", "X_B", UNDERSCORES),
                ("request_id_fallback_headers", "X_C_D", UNDERSCORES),
            ],
            id="fallbacks",
        ),
        pytest.param(
            {"log_tokens": "false", "request_id_forward_headers": "x_tenant"},
            [("request_id_forward_headers", "x_tenant", UNDERSCORES)],
            id="forwarded",
        ),
        pytest.param(
            {"log_tokens": "fingerprint", "log_tokens_key": "k" * 15},
            [("log_tokens_key", "***", KEY)],
            id="short key",
        ),
        pytest.param(
            {"log_tokens": "fingerprint", "log_tokens_key": "k"},
            [("log_tokens_key", "***", KEY)],
            id="key of one character",
        ),
        pytest.param({"log_tokens": "no", "log_tokens_key": "k" * 16}, [], id="key"),
    ],
)
def test_settings_remark_on_what_is_unwise(
    options: dict[str, str], expected: list[tuple[str, str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    """Each remark is a warning, and is logged when the filter is built, without a secret."""
    found = RequestIdSettings(**options).remarks  # type: ignore[arg-type]
    assert [(remark.option, remark.item) for remark in found] == [row[:2] for row in expected]
    assert [remark.text for remark in found] == [
        text.format(item, item.replace("_", "-")) for _, item, text in expected
    ]
    RequestIdMiddleware(hello, RequestIdSettings(**{"log_tokens": "true", **options}))  # type: ignore[arg-type]
    assert [(record.levelname, record.name, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "wsgi_mw_paste.request_id", f"{remark.option}: {remark.text}")
        for remark in found
    ]


@pytest.mark.parametrize(
    "own",
    [
        pytest.param([("X-Request-Id", "mine")], id="same case"),
        pytest.param([("x-request-id", "mine")], id="lower case"),
        pytest.param([("X-REQUEST-ID", "a"), ("X-Request-Id", "b")], id="twice"),
        pytest.param([("X-Request-Id", "abc-123")], id="the same id"),
    ],
)
def test_the_applications_own_header_is_replaced(own: list[tuple[str, str]]) -> None:
    """The response has the id once, whatever the application set; its list is left as it was."""
    headers = [("Content-Type", "text/plain"), *own, ("X-Other", "kept")]
    before = headers[:]

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", headers)
        return [b"hello"]

    environ = make_environ(headers={"X-Request-Id": "abc-123"})
    answer = call(wrap(app), environ)
    assert_headers(
        answer, {"Content-Type": "text/plain", "X-Other": "kept", "X-Request-Id": "abc-123"}
    )
    assert headers == before


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        pytest.param("101 Switching Protocols", {"Content-Type": "text/plain"}, id="101"),
        pytest.param("200 OK", {"Content-Type": "text/plain"}, id="200"),
        pytest.param("204 No Content", {}, id="204"),
        pytest.param("301 Moved", {"Content-Type": "text/plain", "Location": "/x"}, id="301"),
        pytest.param("304 Not Modified", {"ETag": '"x"'}, id="304"),
        pytest.param("404 Not Found", {"Content-Type": "text/plain"}, id="404"),
        pytest.param("500 Oops", {"Content-Type": "text/plain"}, id="500"),
        pytest.param("599 Whatever", {"Content-Type": "text/plain"}, id="599"),
    ],
)
def test_the_header_is_on_every_response(status: str, headers: dict[str, str]) -> None:
    """The status does not matter and is not changed, and the other headers stay."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, list(headers.items()))
        return []

    answer = call(wrap(app), make_environ(headers={"X-Request-Id": "abc-123"}))
    assert answer.status == status
    assert_headers(answer, {**headers, "X-Request-Id": "abc-123"})


def test_an_answer_that_is_taken_back_has_the_header_too() -> None:
    """When ``start_response`` is called again with exc_info, the second answer has the id, once."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/html"), ("X-Request-Id", "mine")])
        try:
            environ["late"]
        except KeyError:
            start_response("503 Later", [("Content-Type", "text/plain")], sys.exc_info())
        return [b"later"]

    answer = call(wrap(app), make_environ(headers={"X-Request-Id": "abc-123"}))
    assert answer.status == "503 Later"
    assert_headers(answer, {"Content-Type": "text/plain", "X-Request-Id": "abc-123"})


def test_arguments_may_be_named() -> None:
    """``start_response(status, headers, exc_info=…)``, as WebOb and others write it, is served."""
    started: list[tuple[str, Any]] = []

    def app(environ: WSGIEnvironment, start_response: Any) -> Iterable[bytes]:
        start_response(status="200 OK", headers=[("Content-Type", "text/html")])
        try:
            environ["late"]
        except KeyError:
            headers = [("Content-Type", "text/plain")]
            start_response("503 Later", headers=headers, exc_info=sys.exc_info())
        return [b"later"]

    def start_response(status: str, headers: Any, exc_info: Any = None, /) -> Any:
        started.append((status, exc_info and exc_info[0]))
        return lambda _: None

    settings = RequestIdSettings(log_tokens=False)
    RequestIdMiddleware(app, settings)(make_environ(), start_response)
    assert started == [("200 OK", None), ("503 Later", KeyError)]


def test_an_inner_filter_keeps_the_first_ones_id(caplog: pytest.LogCaptureFixture) -> None:
    """The inner one of two adds no header, no record and no id, whatever its options are."""
    current = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        current.append(current_request_id())
        return hello(environ, start_response)

    inner = wrap(app, request_id_header="X-Inner-Id", request_id_trust="false")
    environ = make_environ(headers={"X-Request-Id": "abc-123", "X-Inner-Id": "def-456"})
    answer = call(wrap(inner), environ)
    assert_headers(answer, {"Content-Type": "text/plain", "X-Request-Id": "abc-123"})
    assert current == ["abc-123"]
    assert environ["HTTP_X_INNER_ID"] == "def-456"
    assert [record["request_id"] for record in access_records(caplog)] == ["abc-123"]


def test_a_filter_named_twice_in_a_pipeline_counts_once(caplog: pytest.LogCaptureFixture) -> None:
    """An INI file may name it twice, as ``request_id`` and in ``main``: one id, one record."""
    app = load_ini("""
        [pipeline:main]
        pipeline = request_id all hello

        [filter:request_id]
        use = egg:wsgi_mw_paste#request_id
        log_tokens = fingerprint

        [filter:all]
        use = egg:wsgi_mw_paste
        log_tokens = fingerprint
        """)
    answer = call(app, make_environ(headers={"X-Request-Id": "abc-123"}))
    assert_headers(answer, {"Content-Type": "text/plain", "X-Request-Id": "abc-123"})
    assert [record["request_id"] for record in access_records(caplog)] == ["abc-123"]


def test_a_request_that_is_tried_again_keeps_its_id(caplog: pytest.LogCaptureFixture) -> None:
    """A retrying middleware outside may use an environ again: same id, on that answer, too."""
    app = wrap(hello)
    environ = make_environ(headers={"X-Request-Id": "a b"})
    first, second = call(app, environ), call(app, environ)
    assert is_generated(first.header("X-Request-Id") or "")
    assert second.headers == first.headers
    ids = [record["request_id"] for record in access_records(caplog)]
    assert ids == [first.header("X-Request-Id")] * 2


def test_two_instances_share_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Two filters side by side, in one file, each go by their own options."""
    app = load_ini("""
        [composite:main]
        use = call:tests.test_request_id:make_switch
        a = a
        b = b

        [pipeline:a]
        pipeline = filter_a hello

        [pipeline:b]
        pipeline = filter_b hello

        [filter:filter_a]
        use = egg:wsgi_mw_paste#request_id
        request_id_header = X-A
        log_exclude_paths = /a
        log_tokens = false

        [filter:filter_b]
        use = egg:wsgi_mw_paste#request_id
        request_id_header = X-B
        request_id_trust = false
        log_exclude_paths = /b
        log_tokens = true
        """)
    headers = {"X-A": "id-a", "X-B": "id-b", "Authorization": "Bearer abc"}
    a, b = (call(app, make_environ(path=path, headers=headers)) for path in ("/a", "/b"))
    assert_headers(a, {"Content-Type": "text/plain", "X-A": "id-a"})
    assert_headers(b, {"Content-Type": "text/plain", "X-B": b.header("X-B") or ""})
    assert is_generated(b.header("X-B") or "")
    assert access_records(caplog) == []
    call(app, make_environ(path="/a/x", headers=headers))
    call(app, make_environ(path="/b/x", headers=headers))
    assert [record["token"] for record in access_records(caplog)] == [None, "abc"]


def make_switch(loader: Any, global_conf: dict[str, str], /, **apps: str) -> WSGIApplication:
    """Return the application that goes by the first letter of the path: a composite factory."""
    loaded = {name: loader.get_app(section, global_conf) for name, section in apps.items()}

    def switch(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body: Iterable[bytes] = loaded[environ["PATH_INFO"][1]](environ, start_response)
        return body

    return switch


def test_one_filter_serves_several_applications() -> None:
    """What a factory returns may be applied to several applications, each with its own ids."""
    middleware = request_id({}, log_tokens="false")
    answers: list[Answer] = [call(between_validators(middleware, hello)) for _ in range(2)]
    assert len({answer.header("X-Request-Id") for answer in answers}) == 2


def test_python_takes_the_settings_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """``RequestIdMiddleware(app)`` goes by the environment."""
    monkeypatch.setenv("REQUEST_ID_HEADER", "X-From-Env")
    monkeypatch.setenv("LOG_TOKENS", "false")
    answer = call(between_validators(RequestIdMiddleware, hello))
    assert is_generated(answer.header("X-From-Env") or "")


def test_python_takes_settings() -> None:
    """``RequestIdMiddleware(app, settings)`` goes by the settings."""
    settings = RequestIdSettings(request_id_header="X-From-Settings", log_tokens=False)
    answer = call(between_validators(lambda app: RequestIdMiddleware(app, settings), hello))
    assert is_generated(answer.header("X-From-Settings") or "")


def test_a_header_name_for_settings_is_a_type_error() -> None:
    """What 0.1.6 of the predecessor took is refused, and the message says what to write."""
    with pytest.raises(TypeError, match=r"write RequestIdSettings\(request_id_header=…\)"):
        RequestIdMiddleware(hello, "X-Correlation-Id")  # type: ignore[arg-type]


def test_the_predecessors_names_are_importable_from_here() -> None:
    """``wsgi_mw_paste.request_id`` has the filter and the function, as before."""
    assert legacy_current_request_id is current_request_id
    assert issubclass(LegacyFilter, logging.Filter)


START = """
import logging, sys
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
from tests.ini import hello
from wsgi_mw_paste import RequestIdMiddleware
from wsgi_mw_paste.factories import main, request_id
for factory in (request_id, main, request_id):
    factory({})(hello)
RequestIdMiddleware(hello)
"""


@pytest.mark.parametrize(
    ("variables", "warnings"),
    [
        pytest.param({}, 1, id="by default"),
        pytest.param({"LOG_REQUESTS": "true"}, 1, id="log_requests is no consent"),
        pytest.param({"LOG_TOKENS_KEY": "k" * 16}, 1, id="a key is no consent"),
        pytest.param({"LOG_TOKENS": "true"}, 0, id="true is consent"),
        pytest.param({"LOG_TOKENS": "fingerprint"}, 0, id="fingerprint"),
        pytest.param({"LOG_TOKENS": "false"}, 0, id="false"),
        pytest.param({"LOG_REQUESTS": "false"}, 0, id="nothing is logged"),
    ],
)
def test_a_default_that_logs_tokens_warns_once(
    variables: dict[str, str], warnings: int, pytestconfig: pytest.Config
) -> None:
    """A process in which ``log_tokens`` is nowhere set warns once, however many filters it has."""
    done = subprocess.run(
        [sys.executable, "-c", START],
        env={**os.environ, "PYTHONPATH": str(pytestconfig.rootpath), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    lines = [line for line in done.stderr.splitlines() if "log_tokens" in line]
    warning = (
        "WARNING wsgi_mw_paste.request_id log_tokens is not set, so Bearer tokens are logged"
        " verbatim, in the token field; set it to fingerprint or false, or to true to silence this"
        " warning"
    )
    assert lines == [warning] * warnings
    assert done.stdout == ""


def test_the_warning_of_logged_tokens_says_what_to_write(caplog: pytest.LogCaptureFixture) -> None:
    """It is the only record of a start by default, and the second filter has none."""
    _warn_of_verbatim_tokens.cache_clear()
    for _ in range(2):
        RequestIdMiddleware(hello)
    message = (
        "log_tokens is not set, so Bearer tokens are logged verbatim, in the token field; set it to"
        " fingerprint or false, or to true to silence this warning"
    )
    assert caplog.record_tuples == [("wsgi_mw_paste.request_id", logging.WARNING, message)]


@pytest.mark.parametrize("header", ["X-Request-Id", "X-Other"])
def test_the_longest_header_that_is_looked_at(header: str) -> None:
    """Of a header with 8192 characters, the blanks are stripped."""
    app = request_id({}, log_tokens="false", request_id_fallback_headers="X-Other")
    environ = make_environ(headers={header: "abc" + " " * 8189})
    assert call(between_validators(app, hello), environ).header("X-Request-Id") == "abc"


@pytest.mark.parametrize("header", ["X-Request-Id", "traceparent", "X-Other"])
@pytest.mark.parametrize("value", ["a" * 8193, " " * 8193, "abc" + " " * 8190])
def test_what_is_longer_than_any_header_is_no_id(header: str, value: str) -> None:
    """Of a header with more than 8192 characters not even the blanks are stripped."""
    app = request_id({}, log_tokens="false", request_id_fallback_headers="traceparent X-Other")

    answer = call(between_validators(app, hello), make_environ(headers={header: value}))

    assert re.fullmatch("[0-9a-f]{32}", answer.header("X-Request-Id") or "")
