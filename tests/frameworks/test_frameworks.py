"""What a client and an operator see of CORS, ids, errors and logs, whatever the framework.

Every exchange goes through a real server on a loopback port, with ``wsgiref.validate`` around the
application; log records are read as the JSON lines that the application's own handler writes.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple
from wsgiref.validate import validator

import pytest

from tests.frameworks import needs
from tests.serving import request, served_by_wsgiref
from tests.wsgi import assert_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from _typeshed.wsgi import WSGIApplication

    from tests.wsgi import Answer

    Record = dict[str, Any]
    Observe = Callable[..., "Seen"]

ID = {"X-Request-Id": "inbound-1"}
ALLOWED = {"Origin": "https://app.example.com"}
REFUSED = {"Origin": "https://app.example.com.evil.example"}
PREFLIGHT = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "x-new"}

READABLE = {
    "Access-Control-Allow-Origin": "https://app.example.com",
    "Access-Control-Expose-Headers": "X-Request-Id",
}
TEXT = {"Content-Type": "text/plain; charset=utf-8", "Vary": "Origin"}
#: The same type, as our own answers spell it.
OUR_TEXT = {"Content-Type": "text/plain; charset=UTF-8", "Vary": "Origin"}
PREFLIGHT_TEXT = OUR_TEXT | {
    "Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
}
HTML = {"Content-Type": "text/html; charset=utf-8", "Vary": "Origin"}
BOTTLE_HTML = {"Content-Type": "text/html; charset=UTF-8", "Vary": "Origin"}
JSON = {"Content-Type": "application/json", "Vary": ["Accept", "Origin"]}

NAMES = ("bottle", "django", "falcon", "flask", "pyramid")
FRAMEWORKS = [pytest.param(name, marks=needs(name)) for name in NAMES]


class Seen(NamedTuple):
    """What comes of one request; *stderr* is what has gone to ``wsgi.errors``."""

    answer: Answer
    records: list[Record]
    stderr: str


@pytest.fixture
def observe(restored_logging: None, capsys: pytest.CaptureFixture[str]) -> Observe:
    """Return the function that drives one request through a framework."""

    def observe(
        framework: str,
        path: str,
        headers: Mapping[str, str],
        method: str = "GET",
        *,
        propagate: bool = False,
    ) -> Seen:
        app = import_module(f"tests.frameworks.{framework}_app").make(propagate=propagate)
        capsys.readouterr()
        answer = served(app, method, path, headers)
        out, err = capsys.readouterr()
        return Seen(answer, [json.loads(line) for line in out.splitlines()], err)

    return observe


def served(app: WSGIApplication, method: str, path: str, headers: Mapping[str, str]) -> Answer:
    """Serve one request; return the answer without the headers that are the server's."""
    # After the statement, the application's close() has been called and the last record written.
    with served_by_wsgiref(validator(app)) as port:
        answer = request(port, method, path, headers)
    kept = [header for header in answer.headers if header[0] not in ("Date", "Server")]
    return replace(answer, headers=kept)


def access_record(records: list[Record]) -> tuple[Any, ...]:
    """Return level, path, status, bytes and error of the access record; there must be one."""
    [record] = [record for record in records if record["name"] == "wsgi_mw_paste.access"]
    return tuple(record[fact] for fact in ("levelname", "path", "status", "bytes", "error_type"))


def tracebacks(records: list[Record]) -> list[tuple[str, str, str]]:
    """Return logger, id and type of exception of each record that shows a traceback."""
    return [
        (record["name"], record["request_id"], record["exc_info"].splitlines()[-1].split(":")[0])
        for record in records
        if "exc_info" in record
    ]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "expected", "body", "lines"),
    [
        pytest.param(
            *("GET", "/", {}, 200),
            {**TEXT, "Content-Length": "19"},
            "inbound-1 inbound-1",
            ["view"],
            id="not-cors",
        ),
        pytest.param(
            *("GET", "/", ALLOWED, 200),
            {**TEXT, **READABLE, "Content-Length": "19"},
            "inbound-1 inbound-1",
            ["view"],
            id="allowed",
        ),
        pytest.param(
            *("GET", "/", REFUSED, 200),
            {**TEXT, "Content-Length": "19"},
            "inbound-1 inbound-1",
            ["view"],
            id="refused",
        ),
        pytest.param(
            *("GET", "/stream", ALLOWED, 200),
            {**TEXT, **READABLE},
            "inbound-1\n" * 3,
            ["chunk"] * 3,
            id="streamed",
        ),
        pytest.param(
            *("GET", "/teapot", ALLOWED, 418),
            {**TEXT, **READABLE, "Content-Length": "6"},
            "teapot",
            [],
            id="answered-exception",
        ),
        pytest.param(
            *("OPTIONS", "/", ALLOWED | PREFLIGHT, 200),
            {
                **PREFLIGHT_TEXT,
                "Content-Length": "0",
                "Access-Control-Allow-Origin": "https://app.example.com",
                "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
                "Access-Control-Allow-Headers": "x-new",
                "Access-Control-Max-Age": "600",
            },
            "",
            [],
            id="preflight",
        ),
        pytest.param(
            *("OPTIONS", "/", REFUSED | PREFLIGHT, 403),
            {**PREFLIGHT_TEXT, "Content-Length": "61"},
            "CORS preflight refused, origin not listed (see cors_allowed)\n",
            [],
            id="refused-preflight",
        ),
    ],
)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_same_is_seen_of_every_framework(
    *,
    observe: Observe,
    framework: str,
    method: str,
    path: str,
    headers: dict[str, str],
    status: int,
    expected: dict[str, str],
    body: str,
    lines: list[str],
) -> None:
    """Answer, log lines and access record do not depend on the framework, and all have the id."""
    answer, records, _ = observe(framework, path, ID | headers, method)
    assert answer.code == status
    assert_headers(answer, expected | ID)
    assert answer.body.decode() == body
    assert [r["message"] for r in records if r["message"] in ("view", "chunk")] == lines
    assert {record["request_id"] for record in records} == {"inbound-1"}
    assert access_record(records) == ("INFO", path, status, len(body), None)


@pytest.mark.parametrize(
    ("headers", "request_id", "source"),
    [
        pytest.param(ID, "inbound-1", "inbound", id="inbound"),
        pytest.param({}, "[0-9a-f]{32}", "generated", id="generated"),
        pytest.param({"X-Request-Id": "../etc"}, "[0-9a-f]{32}", "replaced", id="replaced"),
    ],
)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_one_id_is_in_view_log_and_response(
    observe: Observe, framework: str, headers: dict[str, str], request_id: str, source: str
) -> None:
    """The view has the id from context and environ, its log line has it, and the response."""
    answer, records, _ = observe(framework, "/", headers)
    found = answer.header("X-Request-Id")
    assert found is not None
    assert re.fullmatch(request_id, found)
    assert answer.body.decode() == f"{found} {found}"
    assert {(r["request_id"], r.get("request_id_source")) for r in records} == {
        (found, None),
        (found, source),
    }


@pytest.mark.parametrize(
    ("framework", "path", "status", "expected", "logged"),
    [
        pytest.param(framework, *row, marks=needs(framework), id=f"{framework}{row[0]}")
        for framework, *row in (
            ("bottle", "/missing", 404, BOTTLE_HTML, []),
            ("bottle", "/error", 500, BOTTLE_HTML, ["wsgi.errors"]),
            ("bottle", "/broken-stream", 500, BOTTLE_HTML, []),
            ("django", "/missing", 404, HTML, []),
            ("django", "/error", 500, HTML, ["django.request"]),
            ("falcon", "/missing", 404, JSON, []),
            ("falcon", "/error", 500, JSON, ["wsgi.errors"]),
            ("flask", "/missing", 404, HTML, []),
            ("flask", "/error", 500, HTML, ["demo"]),
            ("pyramid", "/missing", 404, OUR_TEXT, []),
        )
    ],
)
def test_error_pages_of_the_framework_pass_with_our_headers(
    *,
    observe: Observe,
    framework: str,
    path: str,
    status: int,
    expected: dict[str, str | list[str]],
    logged: list[str],
) -> None:
    """What a framework answers in the application's place stays its answer and its log line.

    Our record says 500 and not that there was an exception: none reached us.
    """
    answer, records, stderr = observe(framework, path, ID | ALLOWED)
    length = str(len(answer.body))
    assert answer.code == status
    assert_headers(answer, {**expected, **READABLE, **ID, "Content-Length": length})
    assert b"secret" not in answer.body
    unstructured = ["wsgi.errors"] * ("LookupError: secret" in stderr)
    assert [name for name, _, _ in tracebacks(records)] + unstructured == logged
    assert {record["request_id"] for record in records} == {"inbound-1"}
    assert access_record(records) == ("INFO", path, status, len(answer.body), None)


@pytest.mark.parametrize(
    ("framework", "path", "error_type", "propagate"),
    [
        pytest.param(name, *row, marks=needs(name), id=f"{name}{row[0]}")
        for name in NAMES
        for row in (
            ("/error", "LookupError", name != "pyramid"),
            ("/broken-stream", "ValueError", name == "bottle"),
        )
    ],
)
def test_an_exception_that_escapes_the_framework_is_answered_and_logged(
    *, observe: Observe, framework: str, path: str, error_type: str, propagate: bool
) -> None:
    """The page that called can read our 500, and it names the id that is with the traceback.

    *propagate* tells what escapes only where the framework is told to let exceptions go.
    """
    answer, records, _ = observe(framework, path, ID | ALLOWED, propagate=propagate)
    body = b"Internal Server Error\n\nrequest id: inbound-1\n"
    assert answer.code == 500
    assert_headers(
        answer,
        {**OUR_TEXT, **READABLE, **ID, "Content-Length": "45", "Cache-Control": "no-store"},
    )
    assert answer.body == body
    assert tracebacks(records) == [("wsgi_mw_paste.errors", "inbound-1", error_type)]
    assert access_record(records) == ("ERROR", path, 500, len(body), error_type)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_what_a_framework_answers_is_not_taken_from_it(observe: Observe, framework: str) -> None:
    """An exception view or error handler goes before ours, also where exceptions propagate."""
    answer, records, _ = observe(framework, "/teapot", ID | ALLOWED, propagate=True)
    assert (answer.code, answer.body) == (418, b"teapot")
    assert_headers(answer, {**TEXT, **READABLE, **ID, "Content-Length": "6"})
    assert tracebacks(records) == []
    assert access_record(records) == ("INFO", "/teapot", 418, 6, None)
