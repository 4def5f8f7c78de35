"""Our filters around every application that another project's tests call.

``proof.peers`` has every Python process of such a suite import this module, the servers that its
tests start included. Two environment variables tell it what to do. ``PEERS_REQUESTS`` is the path
of a file that gets a byte for each request through the filters. ``PEERS_FILTERS`` is one of

- ``undone``: ``health`` and ``main`` as in a deployment, for requests that ask for exceptions
  (``paste.throw_errors``). The headers that the filters add are taken off again;
- ``deployed``: the same without either: responses have more headers, and ``errors`` answers 500.

The filters stand once around a request, as in a deployment: an application that calls another one
is called through them, the other one is not. A request gets an ``Origin`` on its way in, and loses
it again before the application sees it.
"""

from __future__ import annotations

import functools
import inspect
import logging
import os
import pkgutil
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from wsgi_mw_paste import factories

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_IS_UNDONE: Final = os.environ.get("PEERS_FILTERS") == "undone"
_ORIGIN: Final = "https://app.example.com"
#: What a request brings along for the filters.
_ADDED: Final[dict[str, object]] = {"HTTP_ORIGIN": _ORIGIN}
if _IS_UNDONE:
    _ADDED["paste.throw_errors"] = True
#: What the filters add to every response.
_OUR_HEADERS: Final = """
    Access-Control-Allow-Origin Vary Access-Control-Allow-Credentials Access-Control-Expose-Headers
    X-Request-Id
""".split()
#: What calls an application, and the name of the argument that is one.
_CALLERS: Final = {
    "waitress.server:BaseWSGIServer.__init__": "application",
    "webob.request:BaseRequest.call_application": "application",
    "werkzeug.serving:BaseWSGIServer.__init__": "app",
    "werkzeug.test:run_wsgi_app": "app",
    "wsgiref.handlers:BaseHandler.run": "application",
}
#: Applications that tests call themselves.
_APPLICATIONS: Final = """
    pyramid.httpexceptions:HTTPException
    pyramid.router:Router
    webob.client:SendRequest
    webob.dec:wsgify
    webob.exc:WSGIHTTPException
    webob.response:Response
    webtest.debugapp:DebugApp
    werkzeug.debug:DebuggedApplication
    werkzeug.exceptions:HTTPException
    werkzeug.middleware.dispatcher:DispatcherMiddleware
    werkzeug.middleware.http_proxy:ProxyMiddleware
    werkzeug.middleware.lint:LintMiddleware
    werkzeug.middleware.profiler:ProfilerMiddleware
    werkzeug.middleware.proxy_fix:ProxyFix
    werkzeug.middleware.shared_data:SharedDataMiddleware
    werkzeug.wrappers.response:Response
""".split()

#: Whether the running code has been called through the filters.
_inside: Final = ContextVar("_inside", default=False)


@functools.cache
def _filters() -> tuple[Callable[[WSGIApplication], WSGIApplication], ...]:
    """Return the filters, the outermost last. Their log records are made, and go nowhere."""
    logger = logging.getLogger("wsgi_mw_paste")
    logger.setLevel(logging.INFO)
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    main = factories.main(
        {},
        cors_allowed=f"{_ORIGIN}, https://*.example.org",
        cors_allow_credentials="true",
        cors_expose_headers="X-Request-Id",
        log_tokens="fingerprint",
    )
    return main, factories.health({})


def _count() -> None:
    """Count a request, also in a process that will be killed."""
    with Path(os.environ["PEERS_REQUESTS"]).open("ab", buffering=0) as file:
        file.write(b".")


def around(app: WSGIApplication) -> WSGIApplication:
    """Put the filters around an application."""
    if getattr(app, "has_filters", False):
        return app

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if _inside.get():
            return app(environ, start_response)
        before = {key: environ[key] for key in _ADDED if key in environ}
        environ.update(_ADDED)

        def restored(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            for key in _ADDED:
                environ.pop(key, None)
            environ.update(before)
            return app(environ, start_response)

        filtered: WSGIApplication = restored
        for put_around in _filters():
            filtered = put_around(filtered)
        if _IS_UNDONE:
            start_response = _without_ours(start_response)
        _count()
        token = _inside.set(True)
        try:
            return filtered(environ, start_response)
        finally:
            _inside.reset(token)

    return call


def _without_ours(start_response: StartResponse) -> StartResponse:
    """Return a ``start_response`` that takes off what the filters add to every response."""

    def start(
        status: str, headers: list[tuple[str, str]], *exc_info: Any, **by_keyword: Any
    ) -> Any:
        names = [name for name, _ in headers[-len(_OUR_HEADERS) :]]
        assert names == _OUR_HEADERS, f"{names} are not ours"
        return start_response(status, headers[: -len(names)], *exc_info, **by_keyword)

    return start


def _in_argument(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Return the function with the filters around the application that is an argument of it."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        bound.arguments[name] = around(bound.arguments[name])
        return function(*bound.args, **bound.kwargs)

    return call


def _in_itself(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a ``__call__`` that has the filters around it where it is called as an application."""

    @functools.wraps(method)
    def call(self: object, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 2 and isinstance(args[0], dict) and not kwargs:  # noqa: PLR2004
            return around(functools.partial(method, self))(*args)
        return method(self, *args, **kwargs)

    return call


def _between(lint: Callable[..., WSGIApplication]) -> Callable[..., WSGIApplication]:
    """Return WebTest's validator with the filters between two of it."""

    @functools.wraps(lint)
    def middleware(application: WSGIApplication, *args: Any) -> WSGIApplication:
        outer = lint(around(lint(application, *args)), *args)
        vars(outer)["has_filters"] = True
        return outer

    return middleware


def _replace(name: str, change: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Change a function or method, given as ``module:name`` or ``module:class.name``."""
    module, _, path = name.partition(":")
    parent, _, attribute = path.rpartition(".")
    try:
        owner = pkgutil.resolve_name(f"{module}:{parent}")
    except ImportError:
        # A server that a test starts with a path of its own may lack it.
        return
    setattr(owner, attribute, change(getattr(owner, attribute)))


def install() -> None:
    """Put the filters around whatever this process calls as an application."""
    for name, argument in _CALLERS.items():
        _replace(name, functools.partial(_in_argument, name=argument))
    for name in _APPLICATIONS:
        _replace(f"{name}.__call__", _in_itself)
    _replace("webtest.lint:middleware", _between)


if "PEERS_FILTERS" in os.environ:
    install()
