"""What the playground's page asks its server: the answers are true, and only the page gets them."""

from __future__ import annotations

import io
import json
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

import pytest
from paste.deploy import loadapp

from tests.ini import load_file, write_ini
from tests.wsgi import Answer, assert_headers, call, make_environ
from wsgi_mw_paste.command.check import check
from wsgi_mw_paste.playground.recorder import MAX_LINES, MAX_TEXT, Recorder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed.wsgi import WSGIApplication

KEY = "a-secret-no-client-may-see"
INI = f"""
    [pipeline:main]
    pipeline = web playground

    [filter:web]
    use = egg:wsgi_mw_paste
    cors_allowed = http://localhost
    cors_expose_headers = X-Request-Id
    log_tokens = fingerprint
    log_tokens_key = {KEY}

    [app:playground]
    use = egg:wsgi_mw_paste#playground
"""
#: A valid question.
QUESTION = {"endpoint": "json", "method": "PUT", "headers": ["X-A: 1"], "credentials": False}
DATA = [
    pytest.param("POST", "/explain", id="explain"),
    pytest.param("GET", "/options", id="options"),
    pytest.param("GET", "/requests", id="requests"),
]


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> WSGIApplication:
    monkeypatch.setenv("CORS_MAX_AGE", "60")
    return validator(load_file(write_ini(INI)))


def ask(
    app: WSGIApplication,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    *,
    body: object = QUESTION,
    query: str = "",
    address: str = "127.0.0.1",
) -> Answer:
    """Call the application, with a body in JSON or in bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    more: dict[str, object] = {
        "CONTENT_LENGTH": str(len(content)),
        "wsgi.input": io.BytesIO(content),
    }
    more |= {"QUERY_STRING": query, "REMOTE_ADDR": address}
    return call(app, make_environ(method, path, headers, **more))


def explained(app: WSGIApplication, host: str = "localhost", **question: object) -> dict[str, Any]:
    """Return the answer to a question, from the page opened by one of its names."""
    answer = ask(app, "POST", "/explain", {"Host": host}, body=QUESTION | question)
    assert answer.code == 200, answer.body
    found: dict[str, Any] = json.loads(answer.body)
    return found


def lines_of(app: WSGIApplication, request_id: str) -> list[dict[str, Any]]:
    """Return the log lines of a request."""
    lines = json.loads(ask(app, "GET", "/requests").body)["lines"]
    return [line for line in lines if line["request_id"] == request_id]


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        pytest.param("/page.css", "text/css; charset=UTF-8", id="style"),
        pytest.param("/page.js", "text/javascript; charset=UTF-8", id="script"),
        pytest.param("/icon.svg", "image/svg+xml; charset=UTF-8", id="icon"),
    ],
)
def test_files_have_their_types(app: WSGIApplication, path: str, content_type: str) -> None:
    """Browsers learn the type of each file, and do not guess it."""
    answer = ask(app, "GET", path, {"X-Request-Id": "abc"})
    assert answer.status == "200 OK"
    assert_headers(
        answer,
        {
            "Content-Type": content_type,
            "Content-Length": str(len(answer.body)),
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
            "Vary": "Origin",
            "X-Request-Id": "abc",
        },
    )


@pytest.mark.parametrize(
    ("host", "other"),
    [
        pytest.param("localhost", "http://127.0.0.1", id="localhost"),
        pytest.param("127.0.0.1", "http://localhost", id="127.0.0.1"),
        pytest.param("localhost:6543", "http://127.0.0.1:6543", id="with a port"),
    ],
)
def test_the_policy_allows_the_page_its_own_files_and_the_other_name(
    app: WSGIApplication, host: str, other: str
) -> None:
    """The page loads nothing inline and nothing from other origins, and asks only its two names."""
    answer = ask(app, "GET", "/", {"Host": host, "X-Request-Id": "abc"})
    assert_headers(
        answer,
        {
            "Content-Type": "text/html; charset=UTF-8",
            "Content-Length": str(len(answer.body)),
            "Content-Security-Policy": (
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
                " base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
                f" require-trusted-types-for 'script'; connect-src 'self' {other}"
            ),
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
            "Vary": "Origin",
            "X-Request-Id": "abc",
        },
    )


@pytest.mark.parametrize(("method", "path"), [*DATA, pytest.param("GET", "/", id="page")])
@pytest.mark.parametrize(
    "host",
    [
        pytest.param("other.example", id="other"),
        pytest.param("localhost.other.example", id="suffix"),
        pytest.param("localhost:6543;x", id="text after the port"),
        pytest.param("LOCALHOST", id="case"),
        pytest.param("[::1]:6543", id="IPv6"),
    ],
)
def test_other_names_are_refused(app: WSGIApplication, host: str, method: str, path: str) -> None:
    """Under any other name, neither the page nor data is served, and the reason names the two."""
    answer = ask(app, method, path, {"Host": host})
    assert answer.status == "400 Bad Request"
    assert answer.body.startswith(b"open http://localhost:80 or http://127.0.0.1:80: ")
    assert answer.header("Content-Type") == "text/plain; charset=UTF-8"
    assert answer.header("X-Content-Type-Options") == "nosniff"


@pytest.mark.parametrize(("method", "path"), DATA)
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_other_pages_get_no_data(app: WSGIApplication, site: str, method: str, path: str) -> None:
    """Pages of other origins are refused, even if CORS allows them."""
    headers = {"Sec-Fetch-Site": site, "Origin": "http://localhost"}
    answer = ask(app, method, path, headers)
    assert answer.status == "400 Bad Request"
    assert answer.body == b"expected a request from the page itself\n"
    assert ask(app, method, path, {"Sec-Fetch-Site": "same-origin"}).code == 200


@pytest.mark.parametrize(("method", "path"), DATA)
def test_other_machines_get_no_data(app: WSGIApplication, method: str, path: str) -> None:
    """A client on another machine is refused, even if it says ``Host: localhost``."""
    answer = ask(app, method, path, address="192.0.2.7")
    assert answer.status == "400 Bad Request"
    assert answer.body == b"expected a request from the server's own machine\n"
    assert ask(app, method, path, address="::1").code == 200


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"", "expected JSON with endpoint (json, stream, raise)", id="nothing"),
        pytest.param(b"\xff", "expected JSON with", id="not UTF-8"),
        pytest.param(4096 * b"[", "expected JSON with", id="nested lists"),
        pytest.param(4097 * b" ", "expected at most 4096 bytes of JSON", id="long"),
        pytest.param([], "expected JSON with", id="a list"),
        pytest.param({}, "expected JSON with", id="an empty object"),
        pytest.param(QUESTION | {"endpoint": "call"}, "expected JSON with", id="other endpoint"),
        pytest.param(QUESTION | {"endpoint": None}, "expected JSON with", id="no endpoint"),
        pytest.param(QUESTION | {"credentials": 1}, "expected JSON with", id="not a boolean"),
        pytest.param(QUESTION | {"headers": "X-A: 1"}, "expected JSON with", id="not a list"),
        pytest.param(QUESTION | {"headers": [1]}, "expected JSON with", id="not text"),
        pytest.param(QUESTION | {"headers": ["X-A"]}, "expected JSON with", id="no value"),
        pytest.param(QUESTION | {"headers": ["A B: 1"]}, "expected a header", id="not a header"),
        pytest.param(QUESTION | {"headers": ["X-A: a\nb"]}, "expected a header", id="two lines"),
        pytest.param(QUESTION | {"method": "P UT"}, "expected a method", id="not a method"),
        pytest.param(QUESTION | {"method": "TRACE"}, "expected a method", id="forbidden method"),
        pytest.param(QUESTION, None, id="a question"),
    ],
)
def test_other_questions_are_refused(
    app: WSGIApplication, body: object, reason: str | None
) -> None:
    """What is not a valid question gets a 400, with the reason in plain text."""
    answer = ask(app, "POST", "/explain", body=body)
    assert answer.code == (400 if reason else 200)
    assert answer.body.decode().startswith(reason or '{"left_out"')


@pytest.mark.parametrize("after", ["-1", "1.5", "x", "%FF", "", "1" * 16])
def test_what_is_not_a_number_is_refused(app: WSGIApplication, after: str) -> None:
    """A bad ``after`` gets a 400 with the reason."""
    answer = ask(app, "GET", "/requests", query=f"after={after}")
    assert answer.status == "400 Bad Request"
    assert answer.body


def test_an_allowed_request_is_explained(app: WSGIApplication) -> None:
    """Each step has its reasons and its status. The URL has the other name, and a new path."""
    found = explained(app, method="put", headers=["X-A: 1", "Host: a.example"])
    assert re.fullmatch("http://127.0.0.1/json/[0-9a-f]{8}", found["url"])
    assert found["method"] == "PUT"
    assert found["left_out"] == ["Host"]
    why = ["the method PUT is not safelisted", "the header x-a is not safelisted"]
    assert found["steps"] == [
        {"why": why, "status": 200, "failure": ""},
        {"why": [], "status": 200, "failure": ""},
    ]
    assert found["allowed"] is True
    assert {"Content-Type", "X-Request-Id"} <= {*found["readable"]}
    assert "Vary" in found["hidden"]
    assert found["verdict"].startswith("Allowed: a script of http://localhost may read")
    assert found["text"].startswith("A preflight, because the method PUT is not safelisted")
    assert found["verdict"] not in found["text"]
    assert explained(app)["url"] != found["url"]


def test_a_refused_request_is_explained(app: WSGIApplication) -> None:
    """The verdict names the option and the line to change."""
    found = explained(app, "127.0.0.1")
    assert found["url"].startswith("http://localhost/json/")
    assert found["allowed"] is False
    (step,) = found["steps"]
    assert (step["status"], step["failure"]) == (403, "the status is 403 Forbidden")
    assert found["verdict"] == (
        "Refused, origin not listed: add http://127.0.0.1 to cors_allowed"
        " (test.ini:7 [filter:web] cors_allowed). http://localhost allows localhost; to browsers"
        " 127.0.0.1 is a different host."
    )


def test_explain_asks_this_application(app: WSGIApplication) -> None:
    """The application behind the filters is the playground itself: its exception is a 500."""
    found = explained(app, endpoint="raise", method="GET", headers=[])
    assert [step["status"] for step in found["steps"]] == [500]
    assert found["allowed"] is True


def test_credentials_are_explained(app: WSGIApplication) -> None:
    """The page's checkbox for credentials is explain's option."""
    assert "credentials" in explained(app, credentials=True)["verdict"]


def test_simulated_requests_are_not_logged(
    app: WSGIApplication, caplog: pytest.LogCaptureFixture
) -> None:
    """Only the page's question is logged, and not the requests that explain simulates."""
    caplog.set_level(logging.INFO)
    explained(app, endpoint="raise")
    explained(app, "127.0.0.1")
    assert [record.name for record in caplog.records] == 2 * ["wsgi_mw_paste.access"]
    assert {vars(record)["path"] for record in caplog.records} == {"/explain"}


def test_the_options_are_those_of_check(app: WSGIApplication) -> None:
    """The page gets every option that ``check`` reports, with the same values and places."""
    answer = ask(app, "GET", "/options")
    settings = json.loads(answer.body)
    report = check("test.ini")
    assert report.node is not None
    assert settings["file"] == str(Path("test.ini").absolute())
    web, app_node = settings["nodes"]
    assert (app_node["name"], app_node["options"]) == ("playground", [])
    assert [(found["option"], found["text"]) for found in web["options"]] == [
        (value.option, value.text) for value in report.node.values()
    ]
    places = {found["option"]: found["place"] for found in web["options"]}
    assert places["cors_allowed"] == "test.ini:7 [filter:web]"
    assert places["cors_max_age"] == "environment"
    assert places["request_id_trust"] == "default"
    defaults = {found["option"] for found in web["options"] if found["is_default"]}
    assert "request_id_trust" in defaults
    assert not defaults & {"cors_allowed", "cors_max_age"}
    (key,) = (found for found in web["options"] if found["option"] == "log_tokens_key")
    assert key["text"] == "***"
    assert KEY.encode() not in answer.body


@pytest.mark.parametrize(("method", "path"), DATA[:2])
def test_a_file_without_main_says_so(method: str, path: str) -> None:
    """The application works under another name, and the page says what it cannot find out."""
    ini = write_ini(INI.replace("[pipeline:main]", "[pipeline:other]"))
    app = validator(loadapp(f"config:{ini}", name="other"))
    answer = ask(app, method, path)
    assert answer.status == "500 Internal Server Error"
    assert answer.body.startswith(b"test.ini: no application is called main")
    assert ask(app, "GET", "/").code == 200


def test_a_request_s_lines_are_kept(app: WSGIApplication, caplog: pytest.LogCaptureFixture) -> None:
    """The lines have one id, the traceback and the fields of the access record, but no token."""
    caplog.set_level(logging.INFO)
    token = "q8Zr2vXw"
    ask(app, "GET", "/raise", {"X-Request-Id": "kept-1", "Authorization": f"Bearer {token}"})
    lines = lines_of(app, "kept-1")
    assert [(line["level"], line["logger"].rpartition(".")[2]) for line in lines] == [
        ("INFO", "playground"),
        ("ERROR", "errors"),
        ("ERROR", "access"),
    ]
    assert lines[1]["text"].startswith("RuntimeError escaped the application\nTraceback ")
    assert "\nRuntimeError: raised on purpose" in lines[1]["text"]
    assert [line["access"] for line in lines[:2]] == [None, None]
    access = lines[2]["access"]
    assert (access["method"], access["path"], access["status"]) == ("GET", "/raise", 500)
    assert access["duration_ms"] > 0
    assert token not in json.dumps(lines)


@pytest.mark.parametrize(("path", "is_kept"), [("/json/", True), ("/", False), ("/page.js", False)])
def test_only_the_access_records_of_the_page_are_left_out(
    app: WSGIApplication,
    caplog: pytest.LogCaptureFixture,
    *,
    path: str,
    is_kept: bool,
) -> None:
    """Access records of the page itself are not kept, and all others are."""
    caplog.set_level(logging.INFO)
    request_id = f"own-{len(path)}"
    ask(app, "GET", path, {"X-Request-Id": request_id})
    assert bool(lines_of(app, request_id)) == is_kept


def test_only_new_lines_are_sent(app: WSGIApplication, caplog: pytest.LogCaptureFixture) -> None:
    """``after`` leaves out the lines that the page already has."""
    caplog.set_level(logging.INFO)
    ask(app, "PUT", "/json", {"X-Request-Id": "new-1"})
    first, second = (line["number"] for line in lines_of(app, "new-1"))
    answer = ask(app, "GET", "/requests", query=f"after={first}")
    numbers = [line["number"] for line in json.loads(answer.body)["lines"]]
    assert numbers == [second]


@pytest.mark.parametrize(
    ("method", "path"), [*DATA, *(("GET", p) for p in ("/", "/page.css", "/page.js", "/icon.svg"))]
)
def test_the_page_s_own_requests_are_left_out(
    app: WSGIApplication, caplog: pytest.LogCaptureFixture, method: str, path: str
) -> None:
    """The page does not show its own requests."""
    caplog.set_level(logging.INFO)
    ask(app, method, path, {"X-Request-Id": "own-1"})
    assert [vars(record)["request_id"] for record in caplog.records] == ["own-1"]
    assert lines_of(app, "own-1") == []


def record(**values: object) -> logging.LogRecord:
    return logging.makeLogRecord({"request_id": "a", "msg": "said"} | values)


def test_the_memory_is_bounded() -> None:
    """The oldest lines are dropped, and long text is cut."""
    recorder = Recorder()
    for number in range(MAX_LINES + 5):
        recorder.handle(record(msg=f"{number} " + MAX_TEXT * "x"))
    lines = recorder.after(0)
    assert [int(line["text"].split()[0]) for line in lines] == [*range(5, MAX_LINES + 5)]
    assert {len(line["text"]) for line in lines} == {MAX_TEXT}


def test_lines_outside_requests_are_left_out() -> None:
    """What is logged outside a request is not on the page."""
    recorder = Recorder()
    recorder.handle(logging.makeLogRecord({"msg": "said"}))
    assert recorder.after(0) == []


def test_a_record_that_cannot_be_formatted_is_reported(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The error goes to stderr, as logging reports it, and the record is not kept."""
    recorder = Recorder()
    recorder.handle(record(msg="%d", args=("one",)))
    assert "--- Logging error ---" in capsys.readouterr().err
    assert recorder.after(0) == []
