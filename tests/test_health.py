"""What the filter ``health`` answers, to whom, and what it leaves to the application."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

import pytest

from tests.failing import SECRET
from tests.health import Scripted, probe, states
from tests.ini import load_ini
from tests.wsgi import assert_headers, between_validators, call, hello, make_environ
from wsgi_mw_paste import HealthMiddleware, HealthSettings
from wsgi_mw_paste.health import HealthApplication

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

LIVE = b'{"status": "live"}\n'


def fine() -> None:
    """Say nothing: that is good enough."""


def wrap(**options: Any) -> WSGIApplication:
    """Wrap an application in the filter, with validators on both sides."""
    settings = HealthSettings(**options)
    return between_validators(lambda app: HealthMiddleware(app, settings), hello)


# The two answers.


def test_liveness_is_200_and_runs_no_check() -> None:
    """The process answers, so it lives; nothing else is asked."""
    check = Scripted(ValueError())
    answer = call(wrap(health_checks=[check]), make_environ(path="/livez"))
    assert (answer.status, answer.body) == ("200 OK", LIVE)
    assert check.runs == 0


def test_an_application_without_checks_is_ready() -> None:
    """By default readiness says that requests get through."""
    code, document = probe(wrap())
    assert code == 200
    assert document == {"status": "ready", "age_seconds": 0.0, "checks": []}


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        pytest.param(None, "ok", id="None"),
        pytest.param(True, "ok", id="True"),
        pytest.param(0, "ok", id="zero, which equals False"),
        pytest.param("", "ok", id="an empty text"),
        pytest.param(False, "failed", id="False"),
        pytest.param(ValueError(), "failed", id="an exception"),
        pytest.param(AssertionError(), "failed", id="a failed assertion"),
        pytest.param(StopIteration(), "failed", id="StopIteration"),
    ],
)
def test_only_false_or_an_exception_means_not_ready(outcome: object, state: str) -> None:
    """Anything else that a check returns means ready."""
    code, document = probe(wrap(health_checks=[Scripted(outcome)]))
    assert states(document) == [state]
    expected = (200, "ready") if state == "ok" else (503, "not ready")
    assert (code, document["status"]) == expected


def test_all_checks_run_in_order_also_after_a_failure() -> None:
    """One look tells all that is wrong."""
    seen: list[str] = []

    def first() -> None:
        seen.append("first")

    def second() -> bool:
        seen.append("second")
        return False

    def third() -> None:
        seen.append("third")

    code, document = probe(wrap(health_checks=[first, second, third]))
    assert (code, document["status"]) == (503, "not ready")
    assert seen == ["first", "second", "third"]
    assert states(document) == ["ok", "failed", "ok"]


def test_the_body_has_exactly_these_fields() -> None:
    """A check has its name, its state and how long it took; nothing of the exception gets out."""
    app = wrap(health_checks=[fine, Scripted(RuntimeError(SECRET))])
    answer = call(app, make_environ(path="/readyz"))
    document = json.loads(answer.body)
    assert document == {
        "status": "not ready",
        "age_seconds": 0.0,
        "checks": [
            {
                "name": "tests.test_health:fine",
                "state": "ok",
                "milliseconds": pytest.approx(0, abs=1000),
            },
            {
                "name": "tests.health:Scripted",
                "state": "failed",
                "milliseconds": pytest.approx(0, abs=1000),
            },
        ],
    }
    assert SECRET.encode() not in answer.body
    assert b"RuntimeError" not in answer.body


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1)], ids=["^C", "exit"])
def test_what_is_no_exception_passes(error: BaseException) -> None:
    """It is meant for the server; the next probe runs the checks again."""
    check = Scripted(error, None)
    app = wrap(health_checks=[check])
    with pytest.raises(type(error)):
        probe(app)
    assert probe(app)[0] == 200
    assert check.runs == 2


# HTTP.


@pytest.mark.parametrize(
    ("path", "status"),
    [("/livez", "200 OK"), ("/readyz", "200 OK"), ("/badz", "503 Service Unavailable")],
)
def test_head_is_get_without_the_body(path: str, status: str) -> None:
    """Status and headers are the same, with nothing behind them, and no others are sent."""
    checks = [Scripted(path != "/badz")]
    options = {"health_ready_path": "/badz"} if path == "/badz" else {}
    app = wrap(health_checks=checks, health_cache=3600, **options)
    get, head = (call(app, make_environ(method, path)) for method in ("GET", "HEAD"))
    for answer in get, head:
        assert answer.status == status
        assert_headers(
            answer,
            {
                "Content-Type": "application/json",
                "Content-Length": str(len(get.body)),
                "Cache-Control": "no-store",
            },
        )
    assert head.body == b""


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
@pytest.mark.parametrize("method", ["POST", "OPTIONS", "DELETE", "get"])
def test_other_methods_are_405(method: str, path: str) -> None:
    """A preflight, too: scripts of other origins have no business here. No check runs."""
    check = Scripted(None)
    app = HealthMiddleware(hello, HealthSettings(health_checks=[check]))
    headers = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}
    answer = call(app, make_environ(method, path, headers))
    assert answer.status == "405 Method Not Allowed"
    assert_headers(
        answer,
        {
            "Allow": "GET, HEAD",
            "Cache-Control": "no-store",
            "Content-Type": "text/plain; charset=UTF-8",
            "Content-Length": str(len(answer.body)),
        },
    )
    assert ("Allow", "GET, HEAD") in answer.headers
    assert answer.body == b"Method Not Allowed\n"
    assert check.runs == 0


def test_a_server_may_change_the_headers_it_is_given() -> None:
    """The next answer has its own."""
    app = HealthMiddleware(hello, HealthSettings(health_cache=3600))
    lengths = []

    def start_response(status: str, headers: list[tuple[str, str]], _: object = None, /) -> Any:
        lengths.append(len(headers))
        headers.clear()

    for path in ("/livez", "/livez", "/readyz", "/readyz"):
        app(make_environ(path=path), start_response)
    assert lengths == [3, 3, 3, 3]


@pytest.mark.parametrize("host", ["10.1.2.3:8080", "evil.example", ""])
def test_any_host_is_answered(host: str) -> None:
    """A kubelet names the address of the pod, which no list of hosts has."""
    app = wrap()
    for path in ("/livez", "/readyz"):
        assert call(app, make_environ(path=path, HTTP_HOST=host)).code == 200


# Paths.


@pytest.mark.parametrize(
    ("script_name", "path_info"),
    [("", "/livez"), ("/livez", ""), ("/a", "/livez"), ("/a/livez", "")],
)
def test_a_path_is_script_name_and_path_info(script_name: str, path_info: str) -> None:
    """It is compared as a whole, wherever a server or a dispatcher divides it."""
    app = wrap(health_live_path=script_name + path_info)
    answer = call(app, make_environ(path=path_info, SCRIPT_NAME=script_name))
    assert answer.body == LIVE


@pytest.mark.parametrize(
    ("script_name", "path_info"),
    [
        ("", "/"),
        ("", "/livez/"),
        ("", "/livez/x"),
        ("", "/LIVEZ"),
        ("", "//livez"),
        ("", "/x/livez"),
        ("/x", "/livez"),
        ("", "/readyz/"),
        ("", "/livezreadyz"),
    ],
)
def test_other_paths_reach_the_application(script_name: str, path_info: str) -> None:
    """Only the two paths as they are written are ours."""
    check = Scripted(None)
    app = wrap(health_checks=[check])
    answer = call(app, make_environ(path=path_info, SCRIPT_NAME=script_name))
    assert answer.body == b"hello"
    assert check.runs == 0


@pytest.mark.parametrize(
    ("present", "body"),
    [
        pytest.param({}, b"hello", id="neither"),
        pytest.param({"PATH_INFO": "/livez"}, LIVE, id="only PATH_INFO"),
        pytest.param({"SCRIPT_NAME": "/livez"}, LIVE, id="only SCRIPT_NAME"),
    ],
)
def test_a_server_may_leave_empty_variables_out(present: dict[str, str], body: bytes) -> None:
    """PEP 3333 lets SCRIPT_NAME and PATH_INFO be absent where they are empty."""
    environ = make_environ()
    del environ["SCRIPT_NAME"], environ["PATH_INFO"]
    app = HealthMiddleware(hello, HealthSettings())
    assert call(app, environ | present).body == body


def test_the_application_never_sees_a_probe() -> None:
    """Neither path, in no method."""
    app = HealthMiddleware(pytest.fail, HealthSettings())  # type: ignore[arg-type]
    for path in ("/livez", "/readyz"):
        for method in ("GET", "HEAD", "POST"):
            assert call(app, make_environ(method, path)).code in (200, 405)


@pytest.mark.parametrize(
    ("off", "path"), [("health_live_path", "/livez"), ("health_ready_path", "/readyz")]
)
def test_an_empty_path_switches_a_probe_off(off: str, path: str) -> None:
    """The application gets such requests then, those without a path too."""
    app = wrap(**{off: ""})
    assert call(app, make_environ(path=path)).body == b"hello"
    assert call(app, make_environ(path="", SCRIPT_NAME="")).body == b"hello"


# The switch for operators.


def test_while_the_file_exists_the_process_is_not_ready() -> None:
    """It works at once, whatever the cache holds; no check runs, and liveness is unaffected."""
    check = Scripted(None)
    app = wrap(health_checks=[check], health_cache=3600, health_disable_file="down")
    assert probe(app)[0] == 200
    Path("down").touch()
    assert probe(app) == (
        503,
        {
            "status": "not ready",
            "age_seconds": 0.0,
            "checks": [{"name": "health_disable_file", "state": "failed", "milliseconds": 0.0}],
        },
    )
    assert call(app, make_environ(path="/livez")).code == 200
    Path("down").unlink()
    assert probe(app)[0] == 200
    assert check.runs == 1


def test_the_file_is_relative_to_the_working_directory_at_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server that changes its directory later does not move the switch."""
    Path("down").mkdir()
    app = wrap(health_disable_file="down")
    monkeypatch.chdir("/")
    assert probe(app)[0] == 503


# As an application.

MOUNTED = """
[composite:main]
use = egg:rutter#urlmap
/ = hello
/healthcheck = health

[app:health]
use = egg:wsgi_mw_paste#health
"""


@pytest.mark.parametrize(
    ("path", "status", "named"),
    [
        pytest.param("/healthcheck", 200, "ready", id="the mount point"),
        pytest.param("/healthcheck/", 200, "ready", id="the mount point with a slash"),
        pytest.param("/healthcheck/readyz", 200, "ready", id="readiness below it"),
        pytest.param("/healthcheck/livez", 200, "live", id="liveness below it"),
    ],
)
def test_mounted_it_answers_at_its_mount_point_and_below(
    path: str, status: int, named: str
) -> None:
    """``/healthcheck = health`` in a urlmap, as oslo.middleware's users have it."""
    code, document = probe(validator(load_ini(MOUNTED)), path)
    assert (code, document["status"]) == (status, named)


@pytest.mark.parametrize("path", ["/healthcheck/x", "/healthcheck/livez/", "/healthcheck/readyz/x"])
def test_mounted_it_is_404_elsewhere(path: str) -> None:
    """No application stands behind it that could know the path."""
    answer = call(validator(load_ini(MOUNTED)), make_environ(path=path))
    assert (answer.status, answer.body) == ("404 Not Found", b"Not Found\n")
    assert_headers(
        answer,
        {
            "Cache-Control": "no-store",
            "Content-Type": "text/plain; charset=UTF-8",
            "Content-Length": "10",
        },
    )


def test_mounted_beside_an_application_it_leaves_that_alone() -> None:
    """The paths are its own only below the mount point."""
    app = load_ini(MOUNTED)
    for path in ("/livez", "/readyz", "/"):
        assert call(app, make_environ(path=path)).body == b"hello"


def test_mounted_with_its_paths_off_it_still_answers_readiness() -> None:
    """The mount point was asked for by the urlmap."""
    app = load_ini(MOUNTED + "health_live_path =\nhealth_ready_path =\n")
    assert probe(app, "/healthcheck")[0] == 200
    for path in ("/healthcheck/livez", "/healthcheck/readyz"):
        assert call(app, make_environ(path=path)).code == 404


def test_mounted_it_answers_without_a_path() -> None:
    """PEP 3333 lets PATH_INFO be absent where it is empty."""
    environ = make_environ()
    del environ["PATH_INFO"]
    answer = call(HealthApplication(HealthSettings()), environ)
    assert json.loads(answer.body)["status"] == "ready"


@pytest.mark.parametrize(("method", "code"), [("HEAD", 200), ("POST", 405)])
def test_mounted_it_knows_the_same_methods(method: str, code: int) -> None:
    """HEAD and the rest are answered as by the filter."""
    answer = call(load_ini(MOUNTED), make_environ(method, "/healthcheck"))
    assert answer.code == code


# Beside the other filters.


def test_a_probe_has_no_cors_headers_no_id_and_no_access_record(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As the outermost filter it answers before any of the others."""
    caplog.set_level("INFO")
    app = load_ini("""
        [pipeline:main]
        pipeline = health web hello
        [filter:health]
        use = egg:wsgi_mw_paste#health
        [filter:web]
        use = egg:wsgi_mw_paste
        cors_allowed = https://a.example
        log_tokens = fingerprint
    """)
    for path in ("/livez", "/readyz"):
        answer = call(app, make_environ(path=path, headers={"Origin": "https://a.example"}))
        assert {name for name, _ in answer.headers} == {
            "Content-Type",
            "Content-Length",
            "Cache-Control",
        }
    assert caplog.records == []
    assert call(app).header("X-Request-Id")
    assert len(caplog.records) == 1


def test_inside_request_id_a_probe_has_an_id_and_a_record(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Which filter comes first is the INI file's to say."""
    caplog.set_level("INFO")
    app = load_ini("""
        [pipeline:main]
        pipeline = request_id health hello
        [filter:health]
        use = egg:wsgi_mw_paste#health
        [filter:request_id]
        use = egg:wsgi_mw_paste#request_id
        log_tokens = fingerprint
    """)
    assert call(app, make_environ(path="/livez")).header("X-Request-Id")
    assert [record.name for record in caplog.records] == ["wsgi_mw_paste.access"]
