"""An application and filters for ``explain``, and asking it about one request."""

from __future__ import annotations

import sys
from dataclasses import replace
from textwrap import dedent
from typing import TYPE_CHECKING, Any, BinaryIO

from webob import Request, Response
from webob.dec import wsgify

from tests.ini import write_ini
from wsgi_mw_paste.command.browser import make_fetch
from wsgi_mw_paste.command.exchange import build, make_real
from wsgi_mw_paste.command.explain import Explanation, explain
from wsgi_mw_paste.command.pipeline import read_deployment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from tests.wsgi import Middleware


ORIGIN = "https://app.example.com"
API = "http://localhost"
CORS = """
[filter:cors]
use = egg:wsgi_mw_paste#cors
cors_allowed = https://app.example.com
"""
PIPELINE = "[pipeline:main]\npipeline = cors app\n" + CORS
MAIN = """
[pipeline:main]
pipeline = all app

[filter:all]
use = egg:wsgi_mw_paste
log_tokens = false
"""


#: The bodies and the headers of its own that the application sends, by their paths.
BODIES: dict[str, BinaryIO] = {}
HEADERS: dict[str, list[Any]] = {}


@wsgify
def application(request: Request) -> Response:
    """Answer by the path: with a status, a redirect, an exception, headers of its own."""
    kind, _, rest = request.path_info.lstrip("/").partition("/")
    if kind == "raise":
        raise RuntimeError("raised\non purpose")
    if kind == "exit":
        sys.exit(0)
    response = Response("text", content_type="text/plain", charset="UTF-8")
    response.headerlist += [("X-Total", "1"), ("X-Other", "1"), ("Set-Cookie", "a=1")]
    response.headerlist += HEADERS.get(request.path_info, [])
    if request.path_info in BODIES:
        response.app_iter = BODIES[request.path_info]
    if kind == "status":
        response.status = int(rest)
    if kind == "redirect":
        response.status = int(rest)
        response.headers["Location"] = request.query_string + "#here"
    return response


def make_app(global_conf: dict[str, str], /) -> WSGIApplication:
    """Return the application; a ``paste.app_factory``."""
    return application


def make_answer(global_conf: dict[str, str], /, **headers: str) -> Middleware:
    """Return a filter that answers everything with these headers; a ``paste.filter_factory``."""
    status = headers.pop("status", "200 OK")

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, list(headers.items()))
        return [b""]

    return lambda app: answer


def make_adding(global_conf: dict[str, str], /, **headers: str) -> Middleware:
    """Return a filter that adds headers to every answer; a ``paste.filter_factory``."""

    def adding(app: WSGIApplication) -> WSGIApplication:
        @wsgify.middleware
        def add(request: Request, app: WSGIApplication) -> Response:
            response = request.get_response(app)
            response.headerlist.extend(headers.items())
            return response

        wrapped: WSGIApplication = add(app)
        return wrapped

    return adding


APP = """
[app:app]
paste.app_factory = tests.explaining:make_app
"""


def explained(
    text: str,
    *headers: str,
    origin: str = ORIGIN,
    method: str = "GET",
    path: str = "/",
    served: list[str] | None = None,
    **more: Any,
) -> Explanation:
    """Write an INI file and ask about one request to its real application."""
    write_ini(dedent(text) + APP)
    fetch, _ = make_fetch(origin, API + path, method, headers)
    return explain(build(read_deployment("test.ini"), make_real), replace(fetch, **more), served)


def sent(explanation: Explanation) -> list[str]:
    """Return what was sent, as ``METHOD path origin``; ``!`` is an answer the browser refused."""
    return [
        f"{step.exchange.request.method} {step.exchange.request.path}"
        f" {step.exchange.request.headers.get('Origin', '-')}{step.failure and '!'}"
        for step in explanation.steps
    ]
