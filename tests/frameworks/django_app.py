"""Django, wrapped in what its ``wsgi.py`` calls ``application``. Settings are one per process."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from tests.frameworks import parts
from wsgi_mw_paste import (
    CORSMiddleware,
    CORSSettings,
    ErrorsMiddleware,
    RequestIdMiddleware,
    RequestIdSettings,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed.wsgi import WSGIApplication

TEXT = "text/plain; charset=utf-8"

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    LOGGING=parts.LOGGING,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware", f"{__name__}.Teapots"],
    ROOT_URLCONF=__name__,
)


def index(request: HttpRequest) -> HttpResponse:
    logging.getLogger(__name__).info("view")
    return HttpResponse(parts.ids(request.META), content_type=TEXT)


def stream(request: HttpRequest) -> HttpResponse:
    return StreamingHttpResponse(parts.stream(), content_type=TEXT)


def broken_stream(request: HttpRequest) -> HttpResponse:
    return StreamingHttpResponse(parts.broken_stream(), content_type=TEXT)


def teapot(request: HttpRequest) -> HttpResponse:
    raise parts.TeapotError


def error(request: HttpRequest) -> HttpResponse:
    raise LookupError("secret")


class Teapots:
    """Django's own mechanism, ``process_exception``."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, parts.TeapotError):
            return HttpResponse("teapot", status=418, content_type=TEXT)
        return None


urlpatterns: list[Any] = [
    path("", index),
    path("stream", stream),
    path("broken-stream", broken_stream),
    path("teapot", teapot),
    path("error", error),
]


def make(*, propagate: bool) -> WSGIApplication:
    """Return the application; *propagate*: exceptions go on to the server."""
    settings.DEBUG_PROPAGATE_EXCEPTIONS = propagate
    return RequestIdMiddleware(
        CORSMiddleware(
            ErrorsMiddleware(get_wsgi_application()),
            CORSSettings(
                cors_allowed="https://app.example.com", cors_expose_headers="X-Request-Id"
            ),
        ),
        RequestIdSettings(log_tokens="fingerprint"),
    )
