"""The floor of the benchmarks is honest: it gives the responses that the filters give.

Ratios to a floor that did less would say nothing.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING
from wsgiref.validate import validator

import pytest

from benchmarks import floor
from benchmarks.scenarios import (
    ALLOWED,
    BESIDE_PROBES,
    REFUSED,
    TEN,
    Scenario,
    cors_options,
    nothing,
    scenarios,
)
from tests.failing import Body, boom, empty, fails, fails_after_start, one, starts_late, writes
from tests.wsgi import PLAIN, Answer, answering, call, hello, make_environ
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
        if scenario.app is not nothing:
            # There is something to measure; some filters leave these responses as they are.
            bare = response(call(scenario.app, environ), inbound)
            assert (responses[0] == bare) is scenario.name.startswith(("errors", BESIDE_PROBES))


@pytest.mark.parametrize(
    "scenario",
    [scenario for scenario in SCENARIOS if "file" not in scenario.name],
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
    """Both replace the application's own CORS headers and ids, in any case."""
    app = answering(
        headers=[
            *PLAIN,
            ("access-control-allow-origin", "*"),
            ("Access-Control-Expose-Headers", "*"),
            ("x-request-ID", "the-applications"),
        ]
    )

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


@pytest.mark.parametrize(
    "app",
    [
        fails,
        fails_after_start,
        answering(Body([boom])),
        starts_late(Body([empty, boom])),
        answering(Body([empty])),
        answering(Body([one, boom])),
        writes(b"one", boom),
        writes(b"one", lambda: Body([boom])),
    ],
)
def test_the_floor_fails_where_the_filter_fails(app: WSGIApplication) -> None:
    """Both answer in the place of a response that is held, and raise once a byte of it is sent."""
    found = []
    for wrapped in floor.errors(app), factories.errors({})(app):
        try:
            found.append(call(wrapped).code)
        except LookupError:
            found.append(0)
    assert found[0] == found[1]


def test_the_floor_knows_a_second_start_response() -> None:
    """It replaces a response that is held, is the server's after that, and needs an exception."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        write = start_response("200 OK", PLAIN)
        with pytest.raises(AssertionError):
            start_response("200 OK", PLAIN)
        try:
            boom()
        except LookupError:
            start_response("503 Service Unavailable", PLAIN, sys.exc_info())
            write(b"one")
            start_response("503 Service Unavailable", PLAIN, sys.exc_info())
        return []  # pragma: no cover -- the line before raises

    for wrapped in floor.errors(app), factories.errors({})(app):
        with pytest.raises(LookupError):
            call(wrapped)


@pytest.mark.parametrize(
    ("headers", "environ"),
    [
        pytest.param({"X-Request-Id": "abc-123"}, {}, id="inbound"),
        pytest.param({}, {}, id="generated"),
        pytest.param({"User-Agent": "Mozilla/5.0 (X11) 'a' #1"}, {}, id="agent"),
        pytest.param({"User-Agent": 'a"b|c\\d'}, {"PATH_INFO": "/a b\n%"}, id="hostile"),
        pytest.param({"User-Agent": "a" * 3000}, {"SCRIPT_NAME": "/app"}, id="long"),
        pytest.param({}, {"HTTP_HOST": "", "SERVER_NAME": "server"}, id="no Host"),
    ],
)
def test_the_floor_writes_the_record_that_the_filter_writes(
    headers: dict[str, str], environ: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """Name, level, message and every field but the time are equal, and so is the response."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("404 Not Found", [("Content-Type", "text/plain"), ("x-request-id", "mine")])
        return [b"not", b" here"]

    caplog.set_level(logging.INFO)
    found = []
    for wrapped in floor.access_record(app), factories.request_id({}, log_tokens="no")(app):
        given = make_environ(headers=headers, REMOTE_ADDR="127.0.0.1") | environ
        answer = call(wrapped, given)
        record = vars(caplog.records.pop())
        fields = {name: masked(record[name]) for name in record.keys() - set(vars(BLANK))}
        assert isinstance(fields.pop("duration_ms"), float)
        message = re.sub(r" [0-9.]+ms$", "", record["message"])
        found.append((record["levelname"], message, fields, response(answer)))
    assert found[0] == found[1]
    assert len(found[0][2]) == 12


#: A record of the standard library alone; pytest formats those it keeps.
BLANK = logging.makeLogRecord({"message": "", "asctime": ""})


def test_the_floor_logs_nothing_where_its_logger_is_off(caplog: pytest.LogCaptureFixture) -> None:
    """As the filter, it looks at the level for each request."""
    caplog.set_level(logging.WARNING, floor.ACCESS_LOGGER)
    app = floor.access_record(lambda environ, start_response: [])
    assert list(app(make_environ(), lambda *_: lambda _: None)) == []
    assert caplog.records == []


def test_the_floor_with_a_record_passes_exceptions_on() -> None:
    """A second ``start_response`` reaches the server with what it was given."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        try:
            boom()
        except LookupError:
            start_response("503 Service Unavailable", PLAIN, sys.exc_info())
        return []

    assert call(floor.access_record(app)).code == 503
