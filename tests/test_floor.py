"""The floor of the benchmarks is honest: it gives the responses that the filters give.

Ratios to a floor that did less would say nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from wsgiref.validate import validator

import pytest

from benchmarks import floor
from benchmarks.scenarios import ALLOWED, REFUSED, TEN, Scenario, cors_options, scenarios
from tests.wsgi import Answer, call, hello, make_environ
from wsgi_mw_paste import factories

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SCENARIOS = scenarios()


def masked(text: object, inbound: str | None = None) -> object:
    """Return "made" for an id that is not the inbound one, and anything else as it is."""
    is_id = isinstance(text, str) and re.fullmatch("[0-9a-f]{32}", text)
    return "made" if is_id and text != inbound else text


def response(
    answer: Answer, inbound: str | None = None
) -> tuple[str, list[tuple[str, object]], bytes]:
    """Return all of an answer: the headers without order, ids that were made just as such."""
    headers = sorted(answer.headers)
    return answer.status, [(name, masked(value, inbound)) for name, value in headers], answer.body


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_floor_answers_as_the_filter_does(scenario: Scenario) -> None:
    """Status, headers and body of every measured request are equal, and so is the environ."""
    variants = scenario.variants(with_peers=False)
    assert list(variants) == ["bare", "floor", "control", "ours"]
    environs = scenario.request.environs()
    for _ in range(3):
        environ = next(environs)
        inbound = environ.get("HTTP_X_REQUEST_ID")
        responses, seen = [], []
        for name in ("floor", "control", "ours"):
            given = environ.copy()
            responses.append(response(call(variants[name], given), inbound))
            seen.append({key: masked(value, inbound) for key, value in given.items()})
        assert responses[0] == responses[1] == responses[2]
        assert seen[0] == seen[1] == seen[2]
        if not scenario.name.startswith("health"):
            # There is something to measure.
            assert responses[0] != response(call(scenario.app, environ), inbound)


@pytest.mark.parametrize(
    "scenario",
    [each for each in SCENARIOS if "file" not in each.name],
    ids=lambda scenario: scenario.name,
)
def test_what_is_measured_keeps_to_the_protocol(scenario: Scenario) -> None:
    """Request, application, floor and filter pass ``wsgiref.validate``, inside and outside."""
    environ = next(scenario.request.environs())
    inbound = environ.get("HTTP_X_REQUEST_ID")
    variants = scenario.build(validator(scenario.app))
    floors, ours = (
        response(call(validator(variants[name]), environ.copy()), inbound)
        for name in ("floor", "ours")
    )
    assert floors == ours


@pytest.mark.parametrize("origin", [None, ALLOWED.decode(), REFUSED.decode()])
def test_the_floor_removes_what_the_filter_removes(origin: str | None) -> None:
    """CORS headers and ids of the application's own are replaced by both, in any case."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        headers = [
            ("Content-Type", "text/plain"),
            ("access-control-allow-origin", "*"),
            ("Access-Control-Expose-Headers", "*"),
            ("x-request-ID", "the-applications"),
        ]
        start_response("200 OK", headers)
        return [b"hello"]

    def answer(stack: WSGIApplication) -> Answer:
        headers = {"X-Request-Id": "abc-123"} | ({"Origin": origin} if origin else {})
        return call(stack, make_environ(headers=headers))

    ours = factories.main({}, **cors_options(TEN), log_requests="false", log_tokens="false")
    assert response(answer(floor.stack(app, TEN))) == response(answer(ours(app)))


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/", ""])
def test_the_floor_answers_probes_as_the_filter_does(path: str) -> None:
    """Both of them, and leaves the other paths to the application."""
    environ = make_environ(path=path)
    floors, ours = (
        response(call(wrap(hello), environ.copy())) for wrap in (floor.health, factories.health({}))
    )
    assert floors == ours


def test_the_floor_answers_an_exception_with_500() -> None:
    """It does so where the response has not begun, and raises where it has."""

    def raises(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/late":
            start_response("200 OK", [])
        raise ValueError

    app = floor.errors(raises)
    assert call(app, make_environ(path="/early")).code == 500
    with pytest.raises(ValueError):  # noqa: PT011 -- the application's
        call(app, make_environ(path="/late"))
