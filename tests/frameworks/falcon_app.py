"""Falcon, wrapped around the application object, which goes to the server."""

from __future__ import annotations

import logging
from logging.config import dictConfig
from typing import TYPE_CHECKING

import falcon

from tests.frameworks import parts
from wsgi_mw_paste import (
    CORSMiddleware,
    CORSSettings,
    ErrorsMiddleware,
    RequestIdMiddleware,
    RequestIdSettings,
)

if TYPE_CHECKING:
    from typing import Any, NoReturn

    from _typeshed.wsgi import WSGIApplication


class Resource:
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        logging.getLogger(__name__).info("view")
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = parts.ids(req.env)

    def on_get_stream(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.content_type = falcon.MEDIA_TEXT
        resp.stream = parts.stream()

    def on_get_broken_stream(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.stream = parts.broken_stream()

    def on_get_teapot(self, req: falcon.Request, resp: falcon.Response) -> None:
        raise parts.TeapotError

    def on_get_error(self, req: falcon.Request, resp: falcon.Response) -> None:
        raise LookupError("secret")


def short_and_stout(
    req: falcon.Request, resp: falcon.Response, error: parts.TeapotError, params: dict[str, Any]
) -> None:
    resp.status = falcon.HTTP_418
    resp.content_type = falcon.MEDIA_TEXT
    resp.text = "teapot"


def reraise(
    req: falcon.Request, resp: falcon.Response, error: Exception, params: dict[str, Any]
) -> NoReturn:
    raise error


def make(*, propagate: bool) -> WSGIApplication:
    """Return the application; *propagate*: exceptions go on to the server."""
    dictConfig(parts.LOGGING)
    app = falcon.App()
    resource = Resource()
    app.add_route("/", resource)
    app.add_route("/stream", resource, suffix="stream")
    app.add_route("/broken-stream", resource, suffix="broken_stream")
    app.add_route("/teapot", resource, suffix="teapot")
    app.add_route("/error", resource, suffix="error")
    if propagate:
        app.add_error_handler(Exception, reraise)
    app.add_error_handler(parts.TeapotError, short_and_stout)
    return RequestIdMiddleware(
        CORSMiddleware(
            ErrorsMiddleware(app),
            CORSSettings(
                cors_allowed="https://app.example.com", cors_expose_headers="X-Request-Id"
            ),
        ),
        RequestIdSettings(log_tokens="fingerprint"),
    )
