"""Taking the id along: into threads, pools, coroutines, jobs, and calls to other services.

Only what the standard library has; each recipe is one line of a user's code.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING

import pytest

from tests.serving import served_by_wsgiref
from tests.wsgi import between_validators, call, hello, make_environ
from wsgi_mw_paste import (
    RequestIdFilter,
    RequestIdMiddleware,
    RequestIdSettings,
    current_request_id,
    outgoing_headers,
    request_id_scope,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ID = "abc-123"
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def in_a_request(view: Callable[[], object]) -> None:
    """Call *view* in a request that has the id."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        view()
        return hello(environ, start_response)

    settings = RequestIdSettings(log_tokens="fingerprint")
    headers = {"X-Request-Id": ID, "traceparent": TRACEPARENT}
    wrapped = between_validators(lambda inner: RequestIdMiddleware(inner, settings), app)
    call(wrapped, make_environ(headers=headers))


def test_a_pool_has_the_id_of_the_code_that_submits() -> None:
    """``submit(copy_context().run, function)`` takes the id along; a plain submit does not."""
    seen = []

    def view() -> None:
        seen.append(pool.submit(copy_context().run, current_request_id).result(timeout=30))
        seen.append(pool.submit(current_request_id).result(timeout=30))

    # A pool is older than the request; its thread is used again for the next one.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result(timeout=30)
        in_a_request(view)
        seen.append(pool.submit(current_request_id).result(timeout=30))
    assert seen == [ID, None, None]


def test_a_pool_maps_with_the_id() -> None:
    """Each item of a ``map`` needs a copy of its own: two threads cannot be in one context."""
    seen: list[str | None] = []

    def view() -> None:
        contexts = [copy_context() for _ in range(8)]
        seen.extend(pool.map(lambda context: context.run(current_request_id), contexts))

    with ThreadPoolExecutor(4) as pool:
        in_a_request(view)
    assert seen == [ID] * 8


def test_a_thread_has_the_id_of_the_code_that_starts_it() -> None:
    """``Thread(target=copy_context().run, args=(function,))`` takes the id along."""
    seen = []

    def work(name: str) -> None:
        seen.append((name, current_request_id()))

    def view() -> None:
        thread = threading.Thread(target=copy_context().run, args=(work, "thread"))
        thread.start()
        thread.join()

    in_a_request(view)
    assert seen == [("thread", ID)]


def test_a_thread_may_outlive_its_request() -> None:
    """Work that goes on after the response still has the id."""
    seen = []
    answered = threading.Event()
    threads = []

    def work() -> None:
        assert answered.wait(timeout=30)
        seen.append((current_request_id(), outgoing_headers()))

    def view() -> None:
        threads.append(threading.Thread(target=copy_context().run, args=(work,)))
        threads[0].start()

    in_a_request(view)
    answered.set()
    threads[0].join()
    assert seen == [(ID, {"X-Request-Id": ID, "traceparent": TRACEPARENT})]


def test_a_thread_may_be_given_the_id() -> None:
    """Where only text can be handed over, as to a job queue, a scope takes the id up."""
    seen = []

    def job(request_id: str) -> None:
        with request_id_scope(request_id):
            seen.append(current_request_id())
        seen.append(current_request_id())

    def view() -> None:
        request_id = current_request_id()
        thread = threading.Thread(target=job, args=(request_id,))
        thread.start()
        thread.join()

    in_a_request(view)
    assert seen == [ID, None]


def test_coroutines_have_the_id() -> None:
    """``asyncio.run`` in a view, its tasks and ``to_thread`` have the id without further ado."""
    seen = []

    async def look(name: str) -> None:
        await asyncio.sleep(0)
        seen.append((name, current_request_id()))

    async def main() -> None:
        await look("await")
        await asyncio.gather(look("gather"), asyncio.create_task(look("task")))
        seen.append(("to_thread", await asyncio.to_thread(current_request_id)))
        loop = asyncio.get_running_loop()
        run = copy_context().run
        seen.append(("executor", await loop.run_in_executor(None, run, current_request_id)))

    in_a_request(lambda: asyncio.run(main()))
    assert sorted(seen) == [
        (name, ID) for name in ("await", "executor", "gather", "task", "to_thread")
    ]


def test_tasks_have_scopes_of_their_own() -> None:
    """Scopes of tasks that take turns do not get in each other's way."""

    async def job(name: str) -> list[str | None]:
        seen = []
        with request_id_scope(name):
            for _ in range(3):
                await asyncio.sleep(0)
                seen.append(current_request_id())
        return seen

    async def main() -> list[list[str | None]]:
        return await asyncio.gather(*(job(f"job-{number}") for number in range(5)))

    assert asyncio.run(main()) == [[f"job-{number}"] * 3 for number in range(5)]


def fetch(url: str, headers: dict[str, str]) -> tuple[str, str | None]:
    """Call a service; return its answer and the id on it."""
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 -- our own server
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return answer.read().decode(), answer.headers["X-Request-Id"]


def make_service(answer: Callable[[WSGIEnvironment], str]) -> WSGIApplication:
    """Return a service that answers with a text, behind the middleware."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        logging.getLogger("tests.service").info("answering")
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [answer(environ).encode()]

    settings = RequestIdSettings(log_tokens="fingerprint")
    return between_validators(lambda inner: RequestIdMiddleware(inner, settings), app)


@pytest.fixture
def service() -> Iterator[str]:
    """Serve an application that answers with the id and the trace it sees."""

    def answer(environ: WSGIEnvironment) -> str:
        return f"{current_request_id()} {environ.get('HTTP_TRACEPARENT')}"

    with served_by_wsgiref(make_service(answer)) as port:
        yield f"http://127.0.0.1:{port}"


def test_a_service_that_is_called_has_the_callers_id(service: str) -> None:
    """With ``outgoing_headers()`` merged in, the other service goes on under the same id."""
    seen = []
    in_a_request(lambda: seen.append(fetch(service, {"Accept": "*/*", **outgoing_headers()})))
    assert seen == [(f"{ID} {TRACEPARENT}", ID)]


def test_a_job_calls_a_service_under_its_own_id(service: str) -> None:
    """A scope's id goes along as a request's does."""
    with request_id_scope("nightly-7"):
        assert fetch(service, outgoing_headers()) == ("nightly-7 None", "nightly-7")


def test_a_call_from_nowhere_gets_an_id_over_there(service: str) -> None:
    """Outside of requests and scopes nothing is sent, and the other service makes an id."""
    text, found = fetch(service, outgoing_headers())
    assert text == f"{found} None"
    assert len(found or "") == 32


@pytest.fixture
def _ids_in_records(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Have our filter on the handler that collects the records."""
    caplog.set_level(logging.INFO)
    adds_the_id = RequestIdFilter()
    caplog.handler.addFilter(adds_the_id)
    yield
    caplog.handler.removeFilter(adds_the_id)


@pytest.mark.usefixtures("_ids_in_records")
def test_a_chain_of_services_has_one_id_in_all_logs(caplog: pytest.LogCaptureFixture) -> None:
    """Two services over real sockets: one id in each line that either of them logs."""
    with served_by_wsgiref(make_service(lambda _: "inner")) as port:
        inner = f"http://127.0.0.1:{port}"
        outer = make_service(lambda _: fetch(inner, outgoing_headers())[0] + ", outer")
        with served_by_wsgiref(outer) as outer_port:
            found = fetch(f"http://127.0.0.1:{outer_port}", {"X-Request-Id": ID})
    assert found == ("inner, outer", ID)
    assert [(record.name, vars(record)["request_id"]) for record in caplog.records] == [
        ("tests.service", ID),
        ("tests.service", ID),
        ("wsgi_mw_paste.access", ID),
        ("wsgi_mw_paste.access", ID),
    ]
