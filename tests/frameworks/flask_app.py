"""Flask, wrapped at ``app.wsgi_app``, so that ``app`` stays what ``flask run`` and tests expect."""

from __future__ import annotations

from logging.config import dictConfig
from typing import TYPE_CHECKING

from flask import Flask, Response, request

from tests.frameworks import parts
from wsgi_mw_paste import (
    CORSMiddleware,
    CORSSettings,
    ErrorsMiddleware,
    RequestIdMiddleware,
    RequestIdSettings,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def make(*, propagate: bool) -> WSGIApplication:
    """Return the application; *propagate*: exceptions go on to the server."""
    dictConfig(parts.LOGGING)
    app = Flask("demo")
    app.config["PROPAGATE_EXCEPTIONS"] = propagate

    @app.route("/")
    def index() -> Response:
        app.logger.info("view")
        return Response(parts.ids(request.environ), mimetype="text/plain")

    @app.route("/stream")
    def stream() -> Response:
        return Response(parts.stream(), mimetype="text/plain")

    @app.route("/broken-stream")
    def broken_stream() -> Response:
        return Response(parts.broken_stream(), mimetype="text/plain")

    @app.route("/teapot")
    def teapot() -> Response:
        raise parts.TeapotError

    @app.route("/error")
    def error() -> Response:
        raise LookupError("secret")

    @app.errorhandler(parts.TeapotError)
    def short_and_stout(_: parts.TeapotError) -> Response:
        return Response("teapot", status=418, mimetype="text/plain")

    app.wsgi_app = RequestIdMiddleware(  # type: ignore[method-assign]
        CORSMiddleware(
            ErrorsMiddleware(app.wsgi_app),
            CORSSettings(
                cors_allowed="https://app.example.com", cors_expose_headers="X-Request-Id"
            ),
        ),
        RequestIdSettings(log_tokens="fingerprint"),
    )
    return app
