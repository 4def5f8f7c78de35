"""The id of what is running now: scopes, and the headers that pass it on."""

from __future__ import annotations

import itertools
import random
import re
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.wsgi import between_validators, call, hello, make_environ
from wsgi_mw_paste import current_request_id, outgoing_headers, request_id_scope
from wsgi_mw_paste.context import is_safe_id, plain_id_matcher
from wsgi_mw_paste.factories import request_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

is_generated = re.compile("[0-9a-f]{32}").fullmatch


def test_there_is_no_id_outside_of_requests_and_scopes() -> None:
    """``current_request_id()`` is None where nothing has set an id."""
    assert current_request_id() is None


def test_a_scope_has_the_id_it_is_given() -> None:
    """The id of a scope is the value of the ``with`` statement and the current id inside it."""
    with request_id_scope("job-17") as inside:
        assert (inside, current_request_id()) == ("job-17", "job-17")
    assert current_request_id() is None


def test_a_scope_without_an_id_makes_one() -> None:
    """Every scope that is given no id has another one, of 32 hexadecimal digits."""
    made = set()
    for _ in range(50):
        with request_id_scope() as inside:
            assert is_generated(inside)
            made.add(inside)
    assert len(made) == 50


def test_a_seeded_generator_does_not_repeat_ids() -> None:
    """Ids do not depend on the state of the ``random`` module."""
    state = random.getstate()
    made = []
    for _ in range(2):
        random.seed(1)
        with request_id_scope() as inside:
            made.append(inside)
    random.setstate(state)
    assert made[0] != made[1]


def test_scopes_nest() -> None:
    """An inner scope hides the outer one and gives it back at its end."""
    with request_id_scope("outer"):
        with request_id_scope("inner"):
            assert current_request_id() == "inner"
        assert current_request_id() == "outer"


def test_a_scope_ends_with_an_exception() -> None:
    """An exception leaves no id behind, and gets through."""
    with pytest.raises(KeyError, match="job"), request_id_scope("job-17"):
        raise KeyError("job")
    assert current_request_id() is None


def test_a_scope_decorates_a_function() -> None:
    """A decorated function runs in the scope at each call, and returns what it returned."""

    @request_id_scope("nightly")
    def job(number: int) -> tuple[int, str | None]:
        return number, current_request_id()

    assert [job(1), job(2)] == [(1, "nightly"), (2, "nightly")]
    assert current_request_id() is None


def test_a_decorated_function_has_a_new_id_at_each_call() -> None:
    """A decorator without an id makes one per call, not one per function."""

    @request_id_scope()
    def job() -> str | None:
        return current_request_id()

    assert len({job() for _ in range(5)} - {None}) == 5


def test_a_thread_starts_outside_of_the_scope() -> None:
    """A scope is its thread's own; another thread may have one of its own."""
    seen = []

    def job() -> None:
        seen.append(current_request_id())
        with request_id_scope("thread"):
            seen.append(current_request_id())

    with request_id_scope("main"):
        thread = threading.Thread(target=job)
        thread.start()
        thread.join()
        seen.append(current_request_id())
    assert seen == [None, "thread", "main"]


@pytest.mark.parametrize(
    "given",
    [
        pytest.param("a", id="one character"),
        pytest.param("x" * 1024, id="1024 characters"),
        pytest.param("A-Z.a_z~0:9@b#c+d/e=f", id="every character"),
        pytest.param("-1", id="starts with a dash"),
    ],
)
def test_a_scope_takes_every_id_a_request_may_have(given: str) -> None:
    """The ids of a scope are those of requests, up to the longest that can be configured."""
    with request_id_scope(given) as inside:
        assert inside == given


@pytest.mark.parametrize(
    "given",
    [
        pytest.param("", id="empty"),
        pytest.param("x" * 1025, id="too long"),
        pytest.param("two words", id="blank"),
        pytest.param("line\nbreak", id="line feed"),
        pytest.param("break\n", id="line feed at the end"),
        pytest.param("café", id="not ASCII"),
        pytest.param("---", id="no letter and no digit"),
        pytest.param("../passwd", id="starts with a dot"),
        pytest.param("/etc/passwd", id="starts with a slash"),
        pytest.param("a/../b", id="two dots"),
        pytest.param("{0}%s|;'\"\\", id="punctuation"),
    ],
)
def test_an_invalid_id_is_refused_without_repeating_it(given: str) -> None:
    """A scope with an id that no request may have is a ValueError that does not show the id."""
    with pytest.raises(ValueError, match="expected a request id") as caught, ExitStack() as stack:
        stack.enter_context(request_id_scope(given))
    assert str(caught.value) == (
        "expected a request id of up to 1024 of A-Z a-z 0-9 . _ ~ : @ # + / = -"
    )
    assert current_request_id() is None


def test_outside_there_is_nothing_to_send_on() -> None:
    """``outgoing_headers()`` is empty outside of requests and scopes."""
    assert outgoing_headers() == {}


def test_a_scope_sends_its_id_on() -> None:
    """In a scope, the id is sent on as X-Request-Id or under the name that was given."""
    with request_id_scope("job-17"):
        assert outgoing_headers() == {"X-Request-Id": "job-17"}
    with request_id_scope("job-17", header="X-Correlation-Id"):
        assert outgoing_headers() == {"X-Correlation-Id": "job-17"}


def test_outgoing_headers_are_a_new_dict_each_time() -> None:
    """A caller that merges headers into the result changes no other caller's."""
    with request_id_scope("job-17"):
        outgoing_headers()["Authorization"] = "Bearer x"
        assert outgoing_headers() == {"X-Request-Id": "job-17"}


TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("options", "headers", "expected"),
    [
        pytest.param({}, {}, {}, id="none came in"),
        pytest.param(
            {},
            {"traceparent": TRACEPARENT, "tracestate": "a=1, b=2", "X-Tenant": "blue"},
            {"traceparent": TRACEPARENT, "tracestate": "a=1, b=2"},
            id="the default",
        ),
        pytest.param(
            {"request_id_forward_headers": ""}, {"traceparent": TRACEPARENT}, {}, id="none wanted"
        ),
        pytest.param(
            {"request_id_forward_headers": "X-Tenant X-User"},
            {"traceparent": TRACEPARENT, "X-Tenant": "  Blue, e ", "X-User": ""},
            {"X-Tenant": "  Blue, e ", "X-User": ""},
            id="unchanged, to the blank",
        ),
        pytest.param(
            {"request_id_forward_headers": "X-Tenant X-User"},
            {"X-Tenant": "Caf\xe9", "X-User": "ann"},
            {"X-User": "ann"},
            id="what makes clients raise",
        ),
        pytest.param({}, {"traceparent": "no trace"}, {"traceparent": "no trace"}, id="unparsed"),
        pytest.param(
            {"request_id_forward_headers": "X-Tenant X-User"},
            {"X-Tenant": "blue\r\nSet-Cookie: evil=1", "X-User": "ann"},
            {"X-User": "ann"},
            id="a line break",
        ),
        *(
            pytest.param(
                {},
                {"traceparent": TRACEPARENT, "tracestate": f"a={bad}1"},
                {"traceparent": TRACEPARENT},
                id=f"control character {ord(bad):02x}",
            )
            for bad in "\x00\n\x0b\x1b\x7f\x85\x9b"
        ),
        pytest.param(
            {},
            {"traceparent": TRACEPARENT, "tracestate": "a=1,\tb=2"},
            {"traceparent": TRACEPARENT, "tracestate": "a=1,\tb=2"},
            id="a tab",
        ),
        pytest.param({}, {"tracestate": "a=1"}, {}, id="a trace state without a trace"),
        pytest.param(
            {},
            {"traceparent": "\xe9", "tracestate": "a=1"},
            {},
            id="a trace state whose trace is unsafe",
        ),
        pytest.param(
            {"request_id_forward_headers": "TraceState X-Tenant"},
            {"traceparent": TRACEPARENT, "tracestate": "a=1", "X-Tenant": "blue"},
            {"X-Tenant": "blue"},
            id="a trace state whose trace is not wanted",
        ),
        pytest.param(
            {"request_id_fallback_headers": "traceparent"},
            {"X-Request-Id": "a b", "traceparent": "no trace", "tracestate": "a=1"},
            {},
            id="a trace state whose trace was invalid",
        ),
        pytest.param(
            {"request_id_forward_headers": "x-request-id traceparent TraceParent"},
            {"traceparent": TRACEPARENT},
            {"TraceParent": TRACEPARENT},
            id="the id and a header in two spellings",
        ),
    ],
)
def test_a_request_sends_its_id_and_the_forwarded_headers_on(
    options: dict[str, str], headers: dict[str, str], expected: dict[str, str]
) -> None:
    """In a request, a forwarded header goes on once and unchanged, or not at all if unsafe."""
    found = {}

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        found.update(outgoing_headers())
        return hello(environ, start_response)

    options = {"log_tokens": "false", **options}
    environ = make_environ(headers={"X-Request-Id": "abc-123"} | headers)
    answer = call(between_validators(request_id({}, **options), app), environ)
    assert found == {"X-Request-Id": answer.header("X-Request-Id")} | expected


def test_a_scope_in_a_request_is_a_matter_of_its_own() -> None:
    """A scope opened in a request sends on its own id and none of the request's headers."""
    found = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with request_id_scope("job-17"):
            found.append(outgoing_headers())
        found.append(outgoing_headers())
        return hello(environ, start_response)

    headers = {"X-Request-Id": "abc-123", "traceparent": TRACEPARENT}
    call(between_validators(request_id({}, log_tokens="false"), app), make_environ(headers=headers))
    assert found == [
        {"X-Request-Id": "job-17"},
        {"X-Request-Id": "abc-123", "traceparent": TRACEPARENT},
    ]


def test_a_plain_id_is_a_safe_one() -> None:
    """The quick test passes no id that the whole rule refuses, in any combination."""
    is_plain = plain_id_matcher(3)
    ids = [
        "".join(letters)
        for n in range(5)
        for letters in itertools.product("aZ0._~:/-|é\n ", repeat=n)
    ]
    plain = [text for text in ids if is_plain(text)]
    assert [text for text in plain if not is_safe_id(text, 3)] == []
    # And it lets most of them through.
    assert {"a", "0aZ", "a-a", "0:/"} <= set(plain)


@pytest.mark.parametrize(
    "request_id",
    [
        pytest.param("4bf92f3577b34da6a3ce929d0e0e4736", id="hexadecimal"),
        pytest.param("6f1c1c1e-8f3a-4b52-9a57-0a4b0a3c9d11", id="UUID"),
        pytest.param("1-67891233-abcdef012345678912345678", id="Amazon"),
        pytest.param("dGhlIHNhbXBsZSBub25jZQ==", id="base64"),
        pytest.param("x" * 128, id="the longest"),
    ],
)
def test_common_ids_are_plain(request_id: str) -> None:
    """What proxies make takes the quick way; one character too many does not."""
    assert plain_id_matcher(128)(request_id)
    assert not plain_id_matcher(len(request_id) - 1)(request_id)
