"""Every Python block of README and docs/ is run, and does what the page says of it.

Those of docs/propagation.md have tests of their own, in test_recipes.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import INSTALLED, block, blocks, write_files
from tests.frameworks import needs
from tests.ini import ROOT

TOKEN = "eyJhbGciOiJub25lIn0.c2VjcmV0.dG9rZW4"

#: Calls the APPLICATION as a page of an allowed origin, with a token, and prints what came.
CALL = f"""
from tests.wsgi import call, make_environ

headers = {{"Origin": "https://app.example.com", "Authorization": "Bearer {TOKEN}"}}
answer = call(APPLICATION, make_environ(headers=headers))
print(answer.header("Access-Control-Allow-Origin"), answer.header("X-Request-Id"))
"""

#: Two requests through ``request_id``, around an application that logs a line.
REQUESTS = """
import logging

from tests.wsgi import call, hello, make_environ
from wsgi_mw_paste import RequestIdMiddleware, RequestIdSettings

def app(environ, start_response):
    logging.getLogger("shop").warning("said")
    return hello(environ, start_response)

logging.getLogger("shop").warning("outside")
shop = RequestIdMiddleware(app, RequestIdSettings(log_tokens="fingerprint"))
for request_id in "first", "second":
    call(shop, make_environ(headers={"X-Request-Id": request_id}))
"""


def run(page: str, heading: str, after: str, before: str = "", number: int = 0) -> str:
    """Run a block between two pieces of code, in a process of its own; return what it printed."""
    program = f"{before}\n{block(page, heading, number=number).text}\n{after}"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{INSTALLED}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("page", "heading", "name", "before"),
    [
        pytest.param("README.md", "Without an INI file", "app.wsgi_app", "", id="readme"),
        pytest.param("docs/start.md", "Flask", "app.wsgi_app", "", id="flask"),
        pytest.param(
            *("docs/start.md", "Django", "application"),
            "import django.conf; django.conf.settings.configure(ROOT_URLCONF='wsgiref')",
            id="django",
        ),
        pytest.param("docs/start.md", "Bottle", "application", "", id="bottle"),
        pytest.param("docs/start.md", "Falcon", "application", "", id="falcon"),
        pytest.param("docs/start.md", "A bare WSGI application", "application", "", id="bare"),
    ],
)
def test_a_framework_is_wrapped(
    page: str, heading: str, name: str, before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The block makes an application with CORS and ids, which writes no token anywhere."""
    monkeypatch.setenv("CORS_ALLOWED", "https://app.example.com")
    logging = "import logging; logging.basicConfig(level='INFO', format='%(name)s %(token)s')"

    output = run(page, heading, CALL.replace("APPLICATION", name), f"{before}\n{logging}")

    allowed, request_id = output.splitlines()[0].split()
    assert allowed == "https://app.example.com"
    assert len(request_id) == 32
    assert TOKEN not in output
    assert "sha256:" in output


def test_the_flask_block_logs_the_request_with_its_id() -> None:
    """Its logging shows the line of the view and the access record, under one id."""
    output = run("README.md", "Without an INI file", CALL.replace("APPLICATION", "app.wsgi_app"))

    [shown, *_] = output.splitlines()
    request_id = shown.split()[1]
    assert f"INFO [shop] [{request_id}] saying hello" in output.replace("[__main__]", "[shop]")
    assert f"INFO [wsgi_mw_paste.access] [{request_id}] 127.0.0.1 GET / HTTP/1.0 200 6 " in output


def test_cors_in_python() -> None:
    """The page's origin may read the answer of the bare application."""
    output = run("docs/cors.md", "In Python", CALL.replace("APPLICATION", "application"))

    assert output == "https://app.example.com None\n"


def test_request_ids_in_python() -> None:
    """The application knows the id that is on its response, and no token is logged verbatim."""
    after = CALL.replace("APPLICATION", "application") + "print(answer.body.decode())"

    first, second = run("docs/request-id.md", "In Python", after).split("\n", 1)

    assert second.strip() == f"request {first.split()[1]}"


def test_health_in_python() -> None:
    """A check may be a function; the application's own paths go on to it."""
    after = """
from tests.wsgi import call, make_environ
for path in "/readyz", "/livez", "/":
    answer = call(application, make_environ(path=path))
    print(answer.code, path, "disk_has_room" in answer.body.decode())
"""

    output = run("docs/health.md", "In Python", after)

    assert output == "200 /readyz True\n200 /livez False\n200 / False\n"


def test_settings_of_code_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written is what counts; only ``from_environment`` fills the rest."""
    monkeypatch.setenv("CORS_MAX_AGE", "60")
    after = "print(written.cors_max_age, filled.cors_max_age, filled.cors_allowed)"

    output = run("docs/configuration.md", "The environment and `.env`", after)

    assert output == "600 60 ('https://app.example.com',)\n"


def test_dictconfig_gives_every_record_the_id() -> None:
    """The block logs JSON: the application's lines, and the access records with their fields."""
    records = [
        json.loads(line) for line in run("docs/logging.md", "dictConfig", REQUESTS).splitlines()
    ]

    assert [(r["name"], r["request_id"], r.get("status")) for r in records] == [
        ("shop", "-", None),
        ("shop", "first", None),
        ("wsgi_mw_paste.access", "first", 200),
        ("shop", "second", None),
        ("wsgi_mw_paste.access", "second", 200),
    ]


def test_behind_a_queue_records_keep_the_id() -> None:
    """The listener's thread writes the id of the request that the record is from."""
    output = run("docs/logging.md", "QueueHandler", REQUESTS + "listener.stop()")

    assert [line for line in output.splitlines() if "[shop]" in line] == [
        "WARNING [shop] [-] outside",
        "WARNING [shop] [first] said",
        "WARNING [shop] [second] said",
    ]
    assert "INFO [wsgi_mw_paste.access] [first] " in output


@needs("structlog")
def test_structlog_and_the_standard_library_show_one_id() -> None:
    """Lines of structlog's loggers, of others and the access record are JSON with the id."""
    said = 'logging.getLogger("shop").warning("said")'
    bound = 'structlog.get_logger("other").info("bound", order=17)'
    after = REQUESTS.replace(said, f"{said}\n    {bound}")

    output = run("docs/logging.md", "structlog", after)

    records = [json.loads(line) for line in output.splitlines()]
    assert [(r["logger"], r["event"], r["request_id"]) for r in records[:3]] == [
        ("shop", "outside", "-"),
        ("shop", "said", "first"),
        ("other", "bound", "first"),
    ]
    assert (records[2]["order"], records[3]["status"], records[3]["level"]) == (17, 200, "info")


@needs("opentelemetry")
def test_trace_ids_stand_beside_ours() -> None:
    """A line inside a span has its trace id and the request id, a line outside has dashes."""
    before = """
import logging, sys
handler = logging.StreamHandler(sys.stdout)
"""
    after = """
from opentelemetry.sdk.trace import TracerProvider
from wsgi_mw_paste import RequestIdFormatter, request_id_scope

handler.addFilter(TraceIdFilter())
handler.setFormatter(RequestIdFormatter("%(trace_id)s %(span_id)s %(request_id)s"))
logging.basicConfig(handlers=[handler], level="INFO")
logging.info("")
with TracerProvider().get_tracer("test").start_as_current_span("span") as span:
    with request_id_scope("first"):
        logging.info("")
    context = span.get_span_context()
print(f"{context.trace_id:032x} {context.span_id:016x} first")
"""

    outside, inside, expected = run(
        "docs/logging.md", "OpenTelemetry's trace ids beside ours", after, before
    ).splitlines()

    assert outside == "- - -"
    assert inside == expected


@needs("prometheus_client")
def test_the_metrics_have_bounded_labels() -> None:
    """Whatever methods clients make up, there is one more series, and paths make none."""
    after = """
from prometheus_client import generate_latest
from tests.wsgi import call, hello, make_environ
from wsgi_mw_paste import ErrorsMiddleware, RequestIdMiddleware, RequestIdSettings

def app(environ, start_response):
    if environ["PATH_INFO"] == "/error":
        raise LookupError
    return hello(environ, start_response)

install()
shop = RequestIdMiddleware(ErrorsMiddleware(app), RequestIdSettings(log_tokens="fingerprint"))
for method in "GET", "GET", "POST", "MADE-UP", "MADE-UP-TOO":
    call(shop, make_environ(method, f"/{method}"))
call(shop, make_environ("GET", "/error"))
print(generate_latest().decode())
"""

    output = run("docs/metrics.md", "prometheus_client", after)

    counts = sorted(line for line in output.splitlines() if "seconds_count" in line)
    assert counts == [
        'http_request_duration_seconds_count{method="GET",status="2xx"} 2.0',
        'http_request_duration_seconds_count{method="GET",status="5xx"} 1.0',
        'http_request_duration_seconds_count{method="POST",status="2xx"} 1.0',
        'http_request_duration_seconds_count{method="other",status="2xx"} 2.0',
    ]


@needs("opentelemetry")
def test_a_span_has_the_request_id_and_ends_with_the_body() -> None:
    """Streamed lines are inside the span; it ends and the record is written, whatever happens.

    A client that leaves at once, one that leaves after a chunk, one that stays, an exception.
    """
    after = """
import logging, sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.wsgi import make_environ
from wsgi_mw_paste import ErrorsMiddleware, RequestIdMiddleware, RequestIdSettings

spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)

class Records(logging.Handler):
    def emit(self, record):
        if record.name == "wsgi_mw_paste.access":
            print("record", record.request_id, record.status)

logging.basicConfig(level="INFO", handlers=[Records()])

def app(environ, start_response):
    if environ["PATH_INFO"] == "/error":
        raise LookupError
    start_response("200 OK", [("Content-Type", "text/plain")])
    for _ in range(2):
        print("inside", trace.get_current_span().is_recording())
        yield b"chunk"

def bug(environ, start_response):
    raise LookupError

for app, chunks in (app, 3), (app, 1), (app, 0), (bug, 2):
    ids = RequestIdSettings(log_tokens="fingerprint")
    shop = RequestIdMiddleware(ErrorsMiddleware(tracing({})(app)), ids)
    headers = {"X-Request-Id": f"after-{chunks}"}
    body = shop(make_environ(headers=headers), lambda *_: print)
    chunk = iter(body)
    for _ in range(chunks):
        next(chunk, None)
    getattr(body, "close", list)()
    for span in spans.get_finished_spans():
        print("span", span.attributes["request_id"], span.status.status_code.name)
    spans.clear()
    assert not trace.get_current_span().get_span_context().is_valid
"""

    output = run("docs/metrics.md", "OpenTelemetry", after)

    lines = output.splitlines()
    assert "inside False" not in lines
    assert sorted(line for line in lines if not line.startswith("inside")) == [
        "record after-0 200",
        "record after-1 200",
        "record after-2 500",
        "record after-3 200",
        "span after-0 UNSET",
        "span after-1 UNSET",
        "span after-2 ERROR",
        "span after-3 UNSET",
    ]


@pytest.mark.parametrize("page", ["docs/testing.md"])
def test_the_tests_that_a_page_shows_pass(page: str, tmp_path: Path) -> None:
    """They are one module, run against the file of the page on starting."""
    write_files(page)
    found = [block for block in blocks("python") if block.page == page]
    view = (
        '\n\n@app.get("/orders/<int:number>")\n'
        'def order(number):\n    return {17: "order 17\\n"}[number]\n'
    )
    Path("shop.py").write_text(block("docs/start.md", "Flask").text + view, encoding="utf-8")
    Path("test_shop.py").write_text("\n\n".join(block.text for block in found), encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_shop.py"],
        env=os.environ | {"PYTHONPATH": f"{INSTALLED}{os.pathsep}."},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert f"{sum(block.text.count('def test_') for block in found)} passed" in done.stdout


def test_no_block_is_left_out() -> None:
    """Every Python block of every page is run by a test, here or in test_recipes.py."""
    blocks_with_tests = {
        *(("docs/propagation.md", block.heading) for block in blocks("python")),
        ("README.md", "Without an INI file"),
        ("docs/configuration.md", "The environment and `.env`"),
        ("docs/cors.md", "In Python"),
        ("docs/health.md", "In Python"),
        ("docs/health.md", "Checks"),
        *(
            ("docs/logging.md", heading)
            for heading in (
                "dictConfig",
                "QueueHandler",
                "structlog",
                "OpenTelemetry's trace ids beside ours",
            )
        ),
        *(("docs/metrics.md", heading) for heading in ("prometheus_client", "OpenTelemetry")),
        ("docs/request-id.md", "In Python"),
        *(
            ("docs/start.md", heading)
            for heading in ("Flask", "Django", "Bottle", "Falcon", "A bare WSGI application")
        ),
        *(
            ("docs/testing.md", heading)
            for heading in (
                "WebTest",
                "Exceptions",
                "caplog with the request id",
                "Flask's test client",
            )
        ),
    }

    assert {(block.page, block.heading) for block in blocks("python")} <= blocks_with_tests
