"""The shared helpers of the tests: a helper that cannot fail would hide what it looks for."""

from __future__ import annotations

from typing import TYPE_CHECKING
from wsgiref.validate import validator

import pytest

from tests.memory import is_freed, kept_bytes
from tests.serving import request, served_by_waitress, served_by_wsgiref
from tests.wsgi import answering, assert_headers, call, hello, make_environ

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed.wsgi import WSGIEnvironment


KEPT: list[object] = []


def keep(environ: WSGIEnvironment) -> None:
    KEPT.append(environ)


def keep_in_a_cycle(environ: WSGIEnvironment) -> None:
    environ["tests.itself"] = environ


def forget(environ: WSGIEnvironment) -> None:
    call(hello, environ)


@pytest.mark.parametrize(
    ("serve", "freed"), [(forget, True), (keep_in_a_cycle, False), (keep, False)]
)
def test_an_environ_that_is_kept_is_found(
    *, serve: Callable[[WSGIEnvironment], None], freed: bool
) -> None:
    """An environ counts as freed only if nothing refers to it, itself included."""
    assert is_freed(serve, make_environ()) is freed
    KEPT.clear()


def test_growth_is_found() -> None:
    """What a request leaves behind is counted, and what is replaced is not."""
    latest: dict[str, bytes] = {}
    assert kept_bytes(lambda number: latest.update(key=bytes(number))) < 10_000
    assert kept_bytes(lambda number: latest.update({f"{number}": bytes(100)})) > 100_000


def test_servers_in_threads_serve_until_the_end_of_the_statement() -> None:
    """Each answers on its own port, or on several, and frees them at the end."""
    with served_by_wsgiref(validator(hello)) as port, served_by_waitress(hello, ports=2) as ports:
        for number in (port, *ports):
            answer = request(number, "GET", "/")
            assert answer.body == b"hello"
            assert answer.header("Content-Type") == "text/plain"
    for number in (port, *ports):
        with pytest.raises(ConnectionRefusedError):
            request(number, "GET", "/")


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"X-A": "1"}, id="one too many"),
        pytest.param({"X-A": "2", "X-B": ["2", "3"]}, id="another value"),
        pytest.param({"X-A": "1", "X-B": "2, 3"}, id="one line for two"),
        pytest.param({"X-A": "1", "X-B": ["2", "3"], "X-C": "4"}, id="missing"),
    ],
)
def test_other_headers_are_found(wrong: dict[str, str | list[str]]) -> None:
    """``assert_headers`` accepts exactly the headers that are there, in any case."""
    answer = call(answering(headers=[("X-A", "1"), ("x-b", "2"), ("X-B", "3")]))
    assert_headers(answer, {"x-a": "1", "X-B": ["2", "3"]})
    with pytest.raises(AssertionError):
        assert_headers(answer, wrong)
