"""What real servers make of applications that PEP 3333 does not foresee: the same with the filter.

Each application is served twice by one server, with the filter and without it.
"""

from __future__ import annotations

import re
import sys
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

import pytest

from tests.ini import ROOT, write_ini
from tests.serving import SERVER_AND_LOGGING, SERVERS, serving
from tests.wsgi import PLAIN
from wsgi_mw_paste import RequestIdMiddleware, RequestIdSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

    from tests.serving import Server

INI = f"""
[app:main]
paste.app_factory = tests.test_request_served:make_app

{SERVER_AND_LOGGING}format = %(levelname)s %(name)s %(message)s
"""


def names_exc_info(start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    try:
        int("no number")
    except ValueError:
        start_response("503 Later", PLAIN, exc_info=sys.exc_info())
    return [b"later"]


def returns_bytes(start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    return b"whole"  # type: ignore[return-value]


def yields_none(start_response: Any) -> Iterable[Any]:
    start_response("200 OK", PLAIN)
    yield None


def fails_after_an_empty_chunk(start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    yield b""
    raise ValueError


#: By path: the application, and the level, status and bytes in the record of a request. These
#: servers refuse a status that is no text, in their ``start_response``.
APPS: dict[str, tuple[Callable[[Any], Iterable[Any]], str]] = {
    "/names": (names_exc_info, "INFO 503 5"),
    "/bytes-status": (lambda start: [start(b"404 Not Found", PLAIN)], "ERROR 500 0"),
    "/number": (lambda start: [start(404, PLAIN)], "ERROR 500 0"),
    "/bytes-body": (returns_bytes, "INFO 200 5"),
    "/none": (yields_none, "INFO 200 0"),
    "/empty": (fails_after_an_empty_chunk, "ERROR 500 0"),
}


def make_app(global_conf: dict[str, str], /) -> WSGIApplication:
    """Return an application whose path says which of the others answers, and if filtered."""

    def bare(environ: WSGIEnvironment, start_response: Any) -> Iterable[bytes]:
        return APPS[environ["PATH_INFO"]][0](start_response)

    filtered = RequestIdMiddleware(bare, RequestIdSettings(log_tokens=False))

    def app(environ: WSGIEnvironment, start_response: Any) -> Iterable[bytes]:
        if environ["QUERY_STRING"] == "bare":
            return bare(environ, start_response)
        return filtered(environ, start_response)

    return app


def outcome(server: Server, path: str) -> object:
    """Return status, headers and body, without what the filter adds; or the client's exception."""
    try:
        answer = server.request("GET", path)
    except (HTTPException, OSError) as error:
        return type(error)
    headers = sorted(h for h in answer.headers if h[0] not in ("Date", "X-Request-Id"))
    return answer.status, headers, answer.body


@pytest.mark.parametrize("name", SERVERS)
def test_servers_answer_as_without_the_filter(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status, headers and body, or a connection that is cut; every request is recorded, once."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with serving(*SERVERS[name], write_ini(INI)) as server:
        for path in APPS:
            assert outcome(server, path) == outcome(server, f"{path}?bare"), path
    records = re.findall(
        r"(?m)^(\w+) wsgi_mw_paste\.access 127\.0\.0\.1:\d+ GET (\S+) HTTP/1\.1 (.*) [0-9.]+ms$",
        server.stderr,
    )
    assert {path: f"{level} {rest}" for level, path, rest in records} == {
        path: record for path, (_, record) in APPS.items()
    }
    assert len(records) == len(APPS)
    assert "Logging error" not in server.stderr
