"""The reader's application: what ``egg:myapp`` is in the INI files of README and docs.

Besides it, what readers have of their own: a filter that authenticates, one that traces, a check
for the health probe, and a composite as in OpenStack's files.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pyramid.config import Configurator
from pyramid.response import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from pyramid.request import Request


def create(request: Request) -> Response:
    """Accept an order."""
    logging.getLogger("myapp.orders").info("order 17 accepted")
    return Response("order 17\n", status=201, content_type="text/plain")


def show(request: Request) -> Response:
    """Show an order; there is only one."""
    orders = {"17": "order 17\n"}
    return Response(orders[request.matchdict["number"]], content_type="text/plain")


def main(global_config: dict[str, str], **settings: str) -> WSGIApplication:
    """Return the application, as the cookiecutter has it."""
    with Configurator(settings=settings) as config:
        config.add_route("orders", "/orders")
        config.add_view(create, route_name="orders", request_method="POST")
        config.add_route("order", "/orders/{number}")
        config.add_view(show, route_name="order")
        app: WSGIApplication = config.make_wsgi_app()
    return app


def auth(global_conf: dict[str, str], /) -> Callable[[WSGIApplication], WSGIApplication]:
    """Return a filter that lets nothing through without a token; a ``paste.filter_factory``."""

    def wrap(app: WSGIApplication) -> WSGIApplication:
        def authenticated(
            environ: WSGIEnvironment, start_response: StartResponse
        ) -> Iterable[bytes]:
            if "HTTP_AUTHORIZATION" in environ:
                return app(environ, start_response)
            start_response("401 Unauthorized", [("WWW-Authenticate", "Bearer")])
            return []

        return authenticated

    return wrap


def tracing(global_conf: dict[str, str], /) -> Callable[[WSGIApplication], WSGIApplication]:
    """Return a filter that changes nothing; a ``paste.filter_factory``."""
    return lambda app: app


def database_is_up() -> bool:
    """Say that it is; for the health probe."""
    return True


def by_strategy(loader: Any, global_conf: dict[str, str], /, **routes: str) -> WSGIApplication:
    """Return the pipeline that the option ``strategy`` names; a ``paste.composite_factory``."""
    *filters, name = routes[routes["strategy"]].split()
    app: WSGIApplication = loader.get_app(name, global_conf=global_conf)
    for name in reversed(filters):
        app = loader.get_filter(name, global_conf=global_conf)(app)
    return app
