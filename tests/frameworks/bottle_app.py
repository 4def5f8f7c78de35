"""Bottle, wrapped around the application object, which goes to the server."""

from __future__ import annotations

import logging
from logging.config import dictConfig
from typing import TYPE_CHECKING

from bottle import Bottle, HTTPError, request, response

from tests.frameworks import parts
from wsgi_mw_paste import (
    CORSMiddleware,
    CORSSettings,
    ErrorsMiddleware,
    RequestIdMiddleware,
    RequestIdSettings,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed.wsgi import WSGIApplication

TEXT = "text/plain; charset=utf-8"


def index() -> str:
    logging.getLogger(__name__).info("view")
    response.content_type = TEXT
    return parts.ids(request.environ)


def stream() -> Iterator[bytes]:
    response.content_type = TEXT
    return parts.stream()


def teapot() -> str:
    raise HTTPError(418)


def error() -> str:
    raise LookupError("secret")


def short_and_stout(_: HTTPError) -> str:
    response.content_type = TEXT
    return "teapot"


def make(*, propagate: bool) -> WSGIApplication:
    """Return the application; *propagate*: exceptions go on to the server."""
    dictConfig(parts.LOGGING)
    app = Bottle()
    app.config["catchall"] = not propagate
    app.route("/", callback=index)
    app.route("/stream", callback=stream)
    app.route("/broken-stream", callback=parts.broken_stream)
    app.route("/teapot", callback=teapot)
    app.route("/error", callback=error)
    app.error(418, callback=short_and_stout)
    return RequestIdMiddleware(
        CORSMiddleware(
            ErrorsMiddleware(app),
            CORSSettings(
                cors_allowed="https://app.example.com", cors_expose_headers="X-Request-Id"
            ),
        ),
        RequestIdSettings(log_tokens="fingerprint"),
    )
