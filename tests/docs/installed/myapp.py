"""The reader's application: what ``egg:myapp`` is in the INI files of README and docs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pyramid.config import Configurator
from pyramid.response import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
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
