"""The playground's page, and the views that answer its questions.

The server has two names, ``localhost`` and ``127.0.0.1``, and therefore two origins. Opened by one
name, the page sends the requests it tries to the other. Its questions about the server go to its
own origin, and pages of other origins get no answer to them, whatever the INI file allows.
"""

from __future__ import annotations

import functools
import json
import os
import re
from dataclasses import replace
from io import StringIO
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pyramid.response import Response

from wsgi_mw_paste.command.browser import make_fetch
from wsgi_mw_paste.command.exchange import build
from wsgi_mw_paste.command.explain import explain
from wsgi_mw_paste.command.loader import DeploymentError
from wsgi_mw_paste.command.output import Terminal, write_steps
from wsgi_mw_paste.command.pipeline import read_deployment
from wsgi_mw_paste.playground.recorder import recorder, simulating

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from _typeshed.wsgi import WSGIApplication
    from pyramid.config import Configurator
    from pyramid.request import Request

    from wsgi_mw_paste.command.explain import Explanation
    from wsgi_mw_paste.command.pipeline import Node

    View = Callable[[Request], Response]

_OTHER_NAME: Final = {"localhost": "127.0.0.1", "127.0.0.1": "localhost"}
#: The endpoints that the page sends cross-origin requests to. Not ``call``, because it would send a
#: real request when explain asks it.
TRIED: Final = ("json", "stream", "raise")
#: The longest question, in bytes.
_MAX_QUESTION: Final = 4096
_STATIC: Final = Path(__file__).with_name("static")
_TYPES: Final = {
    "icon.svg": "image/svg+xml",
    "page.css": "text/css",
    "page.html": "text/html",
    "page.js": "text/javascript",
}
#: Nothing from other origins and nothing inline. The other origin is added for each request.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script';"
    " connect-src 'self'"
)


class Page:
    """The views of the page.

    :param global_conf: PasteDeploy's global configuration, which names the file.
    :ivar app: the playground, the application behind the filters that explain asks.
    """

    app: WSGIApplication

    def __init__(self, global_conf: Mapping[str, str]) -> None:
        self._file = global_conf["__file__"]
        self._node: Node | DeploymentError
        # Read now, while the file is what the server starts from.
        try:
            self._node = read_deployment(self._file, variables=global_conf)
            self._nodes = _as_json(self._node)
        except DeploymentError as error:
            # An application with another name than main may still work.
            self._node = error

    def add_to(self, config: Configurator) -> None:
        """Add the routes and the views."""
        self._add(config, "page", "/", _with_policy(_static("page.html")))
        for name in ("icon.svg", "page.css", "page.js"):
            self._add(config, name, f"/{name}", _static(name))
        self._add(config, "explain", "/explain", _for_the_page(self._explain), "POST")
        self._add(config, "options", "/options", _for_the_page(self._options))
        self._add(config, "requests", "/requests", _for_the_page(_requests))

    def _add(
        self, config: Configurator, name: str, path: str, view: View, method: str = "GET"
    ) -> None:
        config.add_route(name, path)
        config.add_view(_answering(view), route_name=name, request_method=method)

    def _explain(self, request: Request) -> Response:
        """Explain what a browser does with the page's request, and say where to send it."""
        here, other = _origins(request)
        question = request.body_file.read(_MAX_QUESTION + 1)
        endpoint, method, headers, credentials = _parse(question)
        # Browsers cache the answers to preflights by URL, and log records have no query string. A
        # path of its own makes each try like the first, and finds its records.
        path = request.route_path(f"{endpoint}_try", number=os.urandom(4).hex())
        fetch, left_out = make_fetch(here, other + path, method, headers)
        with simulating():
            explanation = explain(self._filtered, replace(fetch, credentials=credentials))
        return _json(left_out=left_out, **_explanation_as_json(explanation))

    def _options(self, _: Request) -> Response:
        """List the settings in effect."""
        self._deployed()
        return _json(file=self._file, nodes=self._nodes)

    def _deployed(self) -> Node:
        if isinstance(self._node, DeploymentError):
            raise self._node
        return self._node

    @functools.cached_property
    def _filtered(self) -> WSGIApplication:
        # Not at start: the server's own filters are loaded first, and log their warnings.
        return build(self._deployed(), lambda _: self.app)


def _answering(view: View) -> View:
    """Return a view that answers errors in plain text."""

    def answering(request: Request) -> Response:
        try:
            response = view(request)
        except ValueError as error:
            response = _text(400, f"{error}\n")
        except DeploymentError as error:
            response = _text(500, f"{error}\n")
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cache-Control"] = "no-store"
        return response

    return answering


def _for_the_page(view: View) -> View:
    """Return a view for scripts of the page's own origin, and for clients that are not browsers."""

    def checked(request: Request) -> Response:
        _origins(request)
        # A client on another machine can send Host: localhost, too.
        if request.environ.get("REMOTE_ADDR") not in ("127.0.0.1", "::1"):
            raise ValueError("expected a request from the server's own machine")
        if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
            raise ValueError("expected a request from the page itself")
        return view(request)

    return checked


def _origins(request: Request) -> tuple[str, str]:
    """Return the origin that the request was sent to, and the server's other one.

    :raises ValueError: the request was sent to another name. DNS rebinding makes an attacker's name
        lead here.
    """
    match = re.fullmatch(r"(localhost|127\.0\.0\.1)(:[0-9]{1,5})?", request.host)
    if match is None:
        port = request.environ["SERVER_PORT"]
        raise ValueError(
            f"open http://localhost:{port} or http://127.0.0.1:{port}: the page works by these two"
            " names only"
        )
    port = match[2] or ""
    here, other = (f"{request.scheme}://{name}{port}" for name in (match[1], _OTHER_NAME[match[1]]))
    return here, other


def _static(name: str) -> View:
    """Return a view that answers with one of the page's files."""
    body = (_STATIC / name).read_bytes()
    return lambda _: Response(body, content_type=_TYPES[name], charset="UTF-8")


def _with_policy(view: View) -> View:
    """Return a view whose page may load and request only what it needs."""

    def limited(request: Request) -> Response:
        _, other = _origins(request)
        response = view(request)
        response.headers["Content-Security-Policy"] = f"{_POLICY} {other}"
        return response

    return limited


def _requests(request: Request) -> Response:
    """List the log lines after the line with a number."""
    after = request.GET.get("after", "0")
    if not re.fullmatch("[0-9]{1,15}", after):
        raise ValueError("expected after=NUMBER")
    return _json(lines=recorder().after(int(after)))


def _parse(question: bytes) -> tuple[str, str, list[str], bool]:
    """Return what the question is about: endpoint, method, headers, credentials."""
    if len(question) > _MAX_QUESTION:
        raise ValueError(f"expected at most {_MAX_QUESTION} bytes of JSON")
    try:
        match json.loads(question):
            case {
                "endpoint": str(endpoint),
                "method": str(method),
                "headers": [*headers],
                "credentials": bool(credentials),
            } if endpoint in TRIED and all(isinstance(h, str) and ":" in h for h in headers):
                return endpoint, method, headers, credentials
    except (RecursionError, ValueError):
        pass
    raise ValueError(
        f"expected JSON with endpoint ({', '.join(TRIED)}), method, headers (a list of NAME: VALUE)"
        " and credentials (true or false)"
    )


def _explanation_as_json(explanation: Explanation) -> dict[str, Any]:
    """Return the explanation, for the page to compare with what its browser does."""
    text = StringIO()
    write_steps(Terminal(text), explanation)
    refusal = explanation.refusal
    return {
        "url": explanation.fetch.url,
        "method": explanation.fetch.method,
        "steps": [
            {"why": step.why, "status": step.exchange.response.status_int, "failure": step.failure}
            for step in explanation.steps
        ],
        "readable": explanation.readable,
        "hidden": explanation.hidden,
        "allowed": refusal is None,
        "verdict": explanation.verdict,
        "text": text.getvalue(),
    }


def _as_json(node: Node) -> list[dict[str, Any]]:
    """Return what a request passes through, outermost first, with the options in effect."""
    return [
        {
            "name": passed.name,
            "what": passed.what,
            "place": str(passed.place),
            "options": [
                {
                    "option": value.option,
                    "text": value.text,
                    # With its key only if that differs from the option's name.
                    "place": str(
                        value.place._replace(key="")
                        if value.place.key.lower() == value.option
                        else value.place
                    ),
                    "is_default": value.place.level == "default",
                }
                for value in passed.values()
            ],
        }
        for passed in dict.fromkeys(chain.from_iterable(node.routes()))
    ]


def _json(**values: Any) -> Response:
    return Response(json.dumps(values), content_type="application/json", charset="UTF-8")


def _text(code: int, text: str) -> Response:
    return Response(text, status=code, content_type="text/plain", charset="UTF-8")
