"""The site that the browsers visit: ``site.ini``, loaded by PasteDeploy and served by waitress.

It listens on two ports of the loopback interface, under several of its names: six origins. In front
of the loaded application it serves the page that makes the requests, takes in what the page
reports, and notes what reaches the server.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from wsgiref.util import shift_path_info
from wsgiref.validate import validator

from paste.deploy import loadapp
from webob import Request, Response
from webob.dec import wsgify

from tests.serving import served_by_waitress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from tests.browser.table import Row

HERE = Path(__file__).parent

#: Request headers that a browser sends or keeps back by rules of its own.
NOTED = ("Cookie", "Authorization", "If-None-Match")


class Site:
    """A WSGI application: the page, and ``site.ini`` behind it.

    :ivar origins: by the names that the table uses.
    :ivar outcomes: what the page reported, per row: one item per request.
    :ivar sent: what reached the server, per row: method, name of the origin, and ``+name`` for each
        of :data:`NOTED` that came along.
    :ivar complete: set when all rows are reported.
    """

    def __init__(self, rows: Sequence[Row], ports: Sequence[int]) -> None:
        page, api = ports
        self.origins = {
            "page": f"http://127.0.0.1:{page}",
            "other": f"http://localhost:{page}",
            "api": f"http://127.0.0.1:{api}",
            "third": f"http://localhost:{api}",
            "preview": f"http://pr-7--shop.app.localhost:{page}",
            "stranger": f"http://pr-7--evil.app.localhost:{page}",
        }
        self.outcomes: dict[str, list[dict[str, Any]]] = {}
        self.sent: defaultdict[str, list[str]] = defaultdict(list)
        self.complete = threading.Event()
        self._rows = rows
        self._names = {origin: name for name, origin in self.origins.items()}
        self._loaded = validator(loadapp(f"config:{HERE / 'site.ini'}", global_conf=self.origins))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        own = {"/": self._page, "/outcome": self._outcome}.get(request.path_info)
        if own is not None:
            return own(request)(environ, start_response)
        origin = request.headers.get("Origin", "-")
        noted = [f"+{name}" for name in NOTED if name in request.headers]
        entry = " ".join([request.method, self._names.get(origin, origin), *noted])
        self.sent[request.GET["row"]].append(entry)
        return self._loaded(environ, start_response)

    def _page(self, request: Request) -> Response:
        keys = ("id", "frame", "steps")
        rows = json.dumps([{key: getattr(row, key) for key in keys} for row in self._rows])
        text = (HERE / "page.html").read_text(encoding="utf-8").replace('"ROWS"', rows)
        for name, origin in self.origins.items():
            text = text.replace(f"{{{name}}}", origin)
        return Response(text, content_type="text/html", charset="UTF-8")

    def _outcome(self, request: Request) -> Response:
        self.outcomes[request.GET["row"]] = request.json
        if len(self.outcomes) == len(self._rows):
            self.complete.set()
        return Response()


@contextlib.contextmanager
def serve(rows: Sequence[Row]) -> Iterator[Site]:
    """Serve the site on two free ports of the loopback interface."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return site(environ, start_response)

    with served_by_waitress(app, ports=2) as ports:
        site = Site(rows, ports)
        yield site


def by_path(loader: Any, global_conf: dict[str, str], /, *, names: str) -> WSGIApplication:
    """Return the applications of these names, each below its own; a ``composite_factory``."""
    apps = {name: loader.get_app(name, global_conf=global_conf) for name in names.split()}

    def dispatch(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        app: WSGIApplication = apps[shift_path_info(environ) or ""]
        return app(environ, start_response)

    return dispatch


def make_api(global_conf: dict[str, str], /) -> WSGIApplication:
    """Return the application that the policies guard; a ``paste.app_factory``."""
    return validator(api)


def make_star(global_conf: dict[str, str], /) -> WSGIApplication:
    """Return an application that needs no middleware for its CORS; a ``paste.app_factory``."""
    return validator(star)


@wsgify
def api(request: Request) -> Response:
    """Answer with the request's method and two headers of its own; the path asks for more."""
    response = Response(request.method, content_type="text/plain", charset="UTF-8")
    response.headers["X-Shown"] = response.headers["X-Hidden"] = "1"
    if request.path_info == "/login":
        response.set_cookie("session", "1", path=f"{request.script_name}/echo", samesite="Lax")
    elif request.path_info == "/redirect":
        # The method stays, and the row goes along.
        response.status = 307
        response.location = f"{request.GET['to']}?row={request.GET['row']}"
    elif request.path_info == "/fresh":
        response.etag = "1"
        response.cache_control = "no-cache"
        response.conditional_response = True
    elif request.path_info == "/missing":
        response.status = 404
    elif request.path_info == "/fail":
        raise RuntimeError("a row asks for this")
    return response


@wsgify
def star(request: Request) -> Response:
    """Answer with a literal ``*`` wherever the protocol has one."""
    response = Response(request.method, content_type="text/plain", charset="UTF-8")
    for name in ("Origin", "Methods", "Headers"):
        response.headers[f"Access-Control-Allow-{name}"] = "*"
    return response
