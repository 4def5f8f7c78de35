"""Every Python block of ``docs/propagation.md``, run against a service on a loopback port."""

from __future__ import annotations

import contextlib
import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

import pytest

from tests.frameworks import needs
from tests.ini import ROOT, write_ini
from tests.serving import served_by_wsgiref, serving
from tests.wsgi import between_validators, call, hello, make_environ
from wsgi_mw_paste import RequestIdMiddleware, RequestIdSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PAGE = (ROOT / "docs" / "propagation.md").read_text(encoding="utf-8")
#: The blocks by their headings.
BLOCKS = {
    section.partition("\n")[0]: section.partition("```python\n")[2].partition("```")[0]
    for section in PAGE.split("\n### ")[1:]
}
#: Blocks that make a call, and what of them reaches a stranger when the service redirects.
CLIENTS = {
    "urllib.request": 1,
    "requests": 1,
    "httpx": 0,
    "httpx, asynchronous": 0,
    "urllib3": 0,
}
#: Blocks that start work elsewhere, and how many calls that work makes.
WORK = {"threading.Thread": 1, "ThreadPoolExecutor": 2, "asyncio": 2, "gevent": 1}
#: Blocks with work that has no request around it.
JOBS = ("Celery", "Work without a request")

#: A playground that calls the port a proxy names in its place, here that of another instance.
PLAYGROUND = """
    [pipeline:main]
    pipeline = web playground

    [filter:web]
    use = egg:wsgi_mw_paste
    log_tokens = fingerprint

    [app:playground]
    use = egg:wsgi_mw_paste#playground

    [server:main]
    use = egg:waitress#main
    host = 127.0.0.1
    port = 0
    trusted_proxy = 127.0.0.1
    trusted_proxy_headers = x-forwarded-port

    [loggers]
    keys = root

    [handlers]
    keys = console

    [formatters]
    keys = generic

    [logger_root]
    level = INFO
    handlers = console

    [handler_console]
    class = StreamHandler
    args = (sys.stderr,)
    formatter = generic

    [formatter_generic]
    class = wsgi_mw_paste.logging.RequestIdFormatter
    format = %(name)s [%(request_id)s] %(message)s
"""

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback traffic stays off a proxy that this machine may use for the rest."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")


def recipes(table: dict[str, int]) -> list[Any]:
    """Return the rows of a table as parameters; one whose package is missing is skipped."""
    packages = {"requests", "httpx", "urllib3", "gevent"}
    return [
        pytest.param(heading, number, id=heading, marks=needs(*packages & {heading.split(",")[0]}))
        for heading, number in table.items()
    ]


def run(heading: str) -> dict[str, Any]:
    """Run a block, after the one whose ``get`` the others call; return what they define."""
    names: dict[str, Any] = {}
    for name in ("urllib.request", heading):
        exec(compile(BLOCKS[name], f"propagation.md: {name}", "exec"), names)  # noqa: S102
    return names


@contextmanager
def service(*headers: tuple[str, str]) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Serve during the ``with`` statement; return the URL, and what each request passed on.

    :param headers: response headers; a ``Location`` makes every answer a redirect.
    """
    seen: list[dict[str, str]] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        names = ("HTTP_X_REQUEST_ID", "HTTP_TRACEPARENT")
        seen.append({name: environ[name] for name in names if name in environ})
        start_response(
            "302 Found" if headers else "200 OK", [("Content-Type", "text/plain"), *headers]
        )
        return [b"served"]

    with served_by_wsgiref(validator(app)) as port:
        yield f"http://127.0.0.1:{port}/", seen


def in_request(request_id: str, work: Callable[[], object]) -> None:
    """Do some work inside a request that came with this id and a ``traceparent``."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        work()
        return hello(environ, start_response)

    def middleware(app: WSGIApplication) -> WSGIApplication:
        return RequestIdMiddleware(app, RequestIdSettings(log_requests=False))

    headers = {"X-Request-Id": request_id, "traceparent": TRACEPARENT}
    call(between_validators(middleware, app), make_environ(headers=headers))


def test_no_block_of_the_page_is_left_out() -> None:
    """Every Python block has a heading of its own, and a place in one of the tables here."""
    assert PAGE.count("```python") == len(BLOCKS)
    assert set(BLOCKS) == {*CLIENTS, *WORK, *JOBS}


@pytest.mark.parametrize(("heading", "calls"), recipes(dict.fromkeys(CLIENTS, 1) | WORK))
def test_a_call_passes_on_the_id_of_its_own_request(heading: str, calls: int) -> None:
    """One request after the other is named to the service once; outside of them none is."""
    with service() as (url, seen):
        view = run(heading)["view"]
        for request_id in ("first", "second"):
            in_request(request_id, lambda: view(url))
        view(url)
    expected = [
        {"HTTP_X_REQUEST_ID": request_id, "HTTP_TRACEPARENT": TRACEPARENT}
        for request_id in ("first", "second")
        for _ in range(calls)
    ]
    assert seen == expected + [{}] * calls


@pytest.mark.parametrize(("heading", "calls"), recipes(CLIENTS))
def test_a_redirect_does_not_pass_the_id_to_a_stranger(heading: str, calls: int) -> None:
    """A stranger that the service redirects to is not called, or without the headers."""
    with service() as (elsewhere, strangers), service(("Location", elsewhere)) as (url, seen):
        view = run(heading)["view"]

        def work() -> None:
            with contextlib.suppress(Exception):
                view(url)

        in_request("first", work)
    assert seen == [{"HTTP_X_REQUEST_ID": "first", "HTTP_TRACEPARENT": TRACEPARENT}]
    assert strangers == [{}] * calls


@needs("celery")
def test_a_celery_job_has_the_id_of_the_request_that_started_it() -> None:
    """The id travels as an argument, and no other header of the request does.

    A job that no request started has an id of its own.
    """
    names = run("Celery")
    names["app"].conf.task_always_eager = True
    with service() as (url, seen):
        in_request("first", lambda: names["view"](url))
        names["view"](url)
    of_request, of_job = seen
    assert of_request == {"HTTP_X_REQUEST_ID": "first"}
    assert of_job.keys() == of_request.keys()
    assert of_job != of_request


def test_work_without_a_request_has_a_new_id_each_time() -> None:
    """Two rounds have two ids, neither of them that of a request around them."""
    clean_up = run("Work without a request")["clean_up"]
    with service() as (url, seen):
        in_request("first", lambda: clean_up(url))
        clean_up(url)
    ids = {headers["HTTP_X_REQUEST_ID"] for headers in seen}
    assert len(ids - {"first"}) == len(seen) == 2


def test_two_instances_that_call_each_other_show_one_id() -> None:
    """The id of a call is in the logs of both, and no other request's is."""
    ini = write_ini(PLAYGROUND)
    with serving("pserve", ini) as one, serving("pserve", ini) as other:
        for caller, called, request_id in ((one, other, "first"), (other, one, "second")):
            headers = {"X-Request-Id": request_id, "X-Forwarded-Port": str(called.port)}
            answer = caller.request("GET", "/call", headers)
            assert json.loads(answer.body)["received"]["request_id"] == request_id
    line = re.compile(r"wsgi_mw_paste\.access \[(\w+)\] \S+ GET (\S+) HTTP/1\.1 200 ")
    assert line.findall(one.stderr) == [("first", "/call"), ("second", "/json")]
    assert line.findall(other.stderr) == [("first", "/json"), ("second", "/call")]
