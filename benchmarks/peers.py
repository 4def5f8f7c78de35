"""The peers: packages that people could use instead, each set to the policy that is measured.

They do not do the same work: what each leaves out stands in ``RESULTS.md``.
"""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from _typeshed.wsgi import WSGIApplication

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_HEADERS = ("Content-Type", "X-Requested-With", "Authorization")
_EXPOSED = "X-Request-Id"
_MAX_AGE = 600


class Peer(NamedTuple):
    """One of the packages.

    :ivar module: imported to find out whether the package is there.
    :ivar wrap: makes it from the application and the allowed origins.
    :ivar base: what its cost is added to; a framework's extension is compared with its framework.
    """

    name: str
    module: str
    wrap: Callable[[WSGIApplication, Sequence[str]], WSGIApplication]
    base: str = "bare"

    def is_installed(self) -> bool:
        """Import it."""
        try:
            importlib.import_module(self.module)
        except ImportError:
            return False
        return True


def _oslo_cors(app: WSGIApplication, origins: Sequence[str]) -> WSGIApplication:
    from oslo_middleware.cors import CORS

    made: WSGIApplication = CORS.factory(
        {},
        allowed_origin=",".join(origins),
        allow_credentials="false",
        allow_methods=",".join(_METHODS),
        allow_headers=",".join(_HEADERS),
        expose_headers=_EXPOSED,
        max_age=str(_MAX_AGE),
    )(app)
    return made


def _oslo_request_id(app: WSGIApplication, origins: Sequence[str]) -> WSGIApplication:
    from oslo_middleware import RequestId

    made: WSGIApplication = RequestId.factory({})(app)
    return made


def _wsgicors(app: WSGIApplication, origins: Sequence[str]) -> WSGIApplication:
    from wsgicors import CORS

    made: WSGIApplication = CORS(
        app,
        origin=" ".join(origins),
        methods=", ".join(_METHODS),
        headers=", ".join(_HEADERS),
        expose_headers=_EXPOSED,
        credentials="false",
        maxage=str(_MAX_AGE),
    )
    return made


def _package_2020_cors(app: WSGIApplication, origins: Sequence[str]) -> WSGIApplication:
    from wsgi_microservice_middleware import cors

    # It reads the environment when it is imported, and compares host names.
    cors.CORS_ALLOWED = [origin.partition("://")[2] for origin in origins]
    made: WSGIApplication = cors.CORSMiddleware(app)
    return made


def _package_2020_request_id(app: WSGIApplication, origins: Sequence[str]) -> WSGIApplication:
    from wsgi_microservice_middleware.request_id import RequestIdMiddleware

    made: WSGIApplication = RequestIdMiddleware(app)
    return made


def _translogger(app: WSGIApplication, origins: Sequence[str]) -> WSGIApplication:
    from paste.translogger import TransLogger

    made: WSGIApplication = TransLogger(app, setup_console_handler=False)
    return made


def _proxy_fix(app: WSGIApplication, origins: Sequence[str]) -> WSGIApplication:
    from werkzeug.middleware.proxy_fix import ProxyFix

    return ProxyFix(app)


def _regex(pattern: str) -> str:
    """Return what a pattern of ours is as the regular expression that others want."""
    scheme, _, host = pattern.partition("://")
    label, _, name = host.partition(".")
    labels = r"([a-z0-9_-]+\.)+"
    if label != "*":
        labels = re.escape(f"{label}.").replace(r"\*", "[a-z0-9-]+")
    return rf"^{scheme}://{labels}{re.escape(name)}$"


def bare_flask(origins: Sequence[str] | None = None) -> WSGIApplication:
    """Return a Flask application, with flask-cors if there are origins."""
    import flask

    app = flask.Flask("bare")
    app.add_url_rule("/orders/<int:number>", "order", lambda number: "hello")
    if origins is not None:
        from flask_cors import CORS

        CORS(
            app,
            origins=[_regex(origin) if "*" in origin else origin for origin in origins],
            methods=_METHODS,
            allow_headers=_HEADERS,
            expose_headers=_EXPOSED,
            max_age=_MAX_AGE,
        )
    return app


def bare_django(origins: Sequence[str] | None = None) -> WSGIApplication:
    """Return a Django application, with django-cors-headers if there are origins."""
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(
            ALLOWED_HOSTS=["*"],
            ROOT_URLCONF="benchmarks.django_urls",
            INSTALLED_APPS=["corsheaders"],
            MIDDLEWARE=[],
            LOGGING_CONFIG=None,
        )
        django.setup()
    settings.MIDDLEWARE = []
    if origins is not None:
        exact = [origin for origin in origins if "*" not in origin]
        patterns = [_regex(origin) for origin in origins if "*" in origin]
        settings.MIDDLEWARE = ["corsheaders.middleware.CorsMiddleware"]
        settings.CORS_ALLOWED_ORIGINS = exact
        settings.CORS_ALLOWED_ORIGIN_REGEXES = patterns
        settings.CORS_ALLOW_METHODS = _METHODS
        settings.CORS_ALLOW_HEADERS = [name.lower() for name in _HEADERS]
        settings.CORS_EXPOSE_HEADERS = [_EXPOSED]
        settings.CORS_PREFLIGHT_MAX_AGE = _MAX_AGE
    from django.core.handlers.wsgi import WSGIHandler

    made: WSGIApplication = WSGIHandler()
    return made


def _flask_cors(app: WSGIApplication, origins: Sequence[str]) -> WSGIApplication:
    return bare_flask(origins)


def _django_cors_headers(app: WSGIApplication, origins: Sequence[str]) -> WSGIApplication:
    return bare_django(origins)


CORS_PEERS = (
    Peer("wsgicors", "wsgicors", _wsgicors),
    Peer("2020 package", "wsgi_microservice_middleware", _package_2020_cors),
    Peer("oslo.middleware", "oslo_middleware", _oslo_cors),
    Peer("flask-cors", "flask_cors", _flask_cors, "Flask"),
    Peer("django-cors-headers", "corsheaders", _django_cors_headers, "Django"),
)
REQUEST_ID_PEERS = (
    Peer("2020 package", "wsgi_microservice_middleware", _package_2020_request_id),
    Peer("oslo.middleware", "oslo_middleware", _oslo_request_id),
    Peer("ProxyFix", "werkzeug", _proxy_fix),
)
#: Paste's access log.
TRANSLOGGER = Peer("translogger", "paste.translogger", _translogger)
#: The frameworks that some of them are compared with.
FRAMEWORKS = {"Flask": bare_flask, "Django": bare_django}
