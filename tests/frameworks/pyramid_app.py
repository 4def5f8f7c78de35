"""Pyramid, deployed by ``pyramid.ini``, which holds the middlewares and the logging."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyramid.config import Configurator
from pyramid.paster import get_app, setup_logging
from pyramid.response import Response

from tests.frameworks import parts

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from pyramid.request import Request

TEXT = "text/plain; charset=utf-8"


def index(request: Request) -> Response:
    logging.getLogger(__name__).info("view")
    return Response(parts.ids(request.environ), content_type=TEXT)


def stream(request: Request) -> Response:
    return Response(app_iter=parts.stream(), content_type=TEXT)


def broken_stream(request: Request) -> Response:
    return Response(app_iter=parts.broken_stream())


def teapot(request: Request) -> Response:
    raise parts.TeapotError


def error(request: Request) -> Response:
    raise LookupError("secret")


def short_and_stout(error: parts.TeapotError, request: Request) -> Response:
    return Response("teapot", status=418, content_type=TEXT)


def main(global_conf: dict[str, str], /, **settings: Any) -> WSGIApplication:
    """Return the application alone; the ``paste.app_factory`` of the INI."""
    with Configurator(settings=settings) as config:
        for name, view in {
            "": index,
            "stream": stream,
            "broken-stream": broken_stream,
            "teapot": teapot,
            "error": error,
        }.items():
            config.add_view(view, name=name)
        config.add_exception_view(short_and_stout, context=parts.TeapotError)
        app: WSGIApplication = config.make_wsgi_app()
    return app


def make(*, propagate: bool) -> WSGIApplication:
    """Return the application as deployed; Pyramid lets exceptions propagate anyway."""
    ini = str(Path(__file__).with_name("pyramid.ini"))
    setup_logging(ini)
    app: WSGIApplication = get_app(ini)
    return app
