"""Deployments to check, with the modules that they name beside them."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from tests.ini import ROOT, write_ini
from wsgi_mw_paste.command.check import check
from wsgi_mw_paste.factories import cors

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from tests.wsgi import Middleware
    from wsgi_mw_paste.command.check import Report
    from wsgi_mw_paste.command.pipeline import Node

#: INI files, each with what is found in it in its first comment.
CHECK_FILES = ROOT / "tests" / "check_files"
#: What most deployments name: an application, filters that pass everything on, and a composite
#: whose first option is a pipeline.
SHOP = """
def app_factory(global_conf, **local_conf):
    def app(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"shop"]
    return app


def plain_filter(global_conf, **local_conf):
    return lambda app: app


def tm(global_conf, **local_conf):
    return lambda app: app


def by_auth(loader, global_conf, **local_conf):
    *filters, app = next(iter(local_conf.values())).split()
    made = loader.get_app(app)
    for name in reversed(filters):
        made = loader.get_filter(name)(made)
    return made
"""
#: A filter of ours that has nothing to complain about.
WEB = """
[filter:web]
use = egg:wsgi_mw_paste
cors_allowed = https://app.example.com
cors_expose_headers = X-Request-Id
log_tokens = fingerprint
"""
#: A ``cors`` filter of ours.
OURS = """
[filter:cors]
use = egg:wsgi_mw_paste#cors
cors_allowed = https://a.example
"""
#: Logging sections that have nothing to complain about.
LOGGING = """
[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = generic
[logger_root]
level = INFO
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
level = NOTSET
formatter = generic
[formatter_generic]
class = wsgi_mw_paste.logging.RequestIdFormatter
format = %(asctime)s %(levelname)s [%(name)s] [%(request_id)s] %(message)s
"""


def write_module(monkeypatch: pytest.MonkeyPatch, name: str = "shop", text: str = SHOP) -> None:
    """Write a module into the working directory, from where it can be imported in this test."""
    Path(f"{name}.py").write_text(dedent(text), encoding="utf-8")
    monkeypatch.syspath_prepend(str(Path.cwd()))
    # Forget it now, and again after the test.
    monkeypatch.setitem(sys.modules, name, sys)
    del sys.modules[name]


def check_text(
    text: str,
    name: str = "main",
    variables: dict[str, str] | None = None,
    *,
    missing_ok: bool = False,
) -> Report:
    """Write ``x.ini`` into the working directory and check it.

    :param text: may be indented in parts, by eight spaces as in a table of cases.
    """
    Path("x.ini").write_text(text.replace("\n        ", "\n"), encoding="utf-8")
    return check("x.ini", name, variables, missing_ok=missing_ok)


def said(report: Report, *levels: str) -> list[str]:
    """Return the findings of these levels, each with its code and its place."""
    return [f"{found.code} {found.place}" for found in report.findings if found.level in levels]


def routes(report: Report) -> list[str]:
    """Return the names of what a request passes through, a route each."""
    assert report.node is not None
    return [" ".join(node.name for node in route) for route in report.node.routes()]


def check_ini(text: str, **variables: str) -> Report:
    """Write ``test.ini`` into the working directory and check it."""
    write_ini(text)
    return check("test.ini", variables=variables)


def messages(report: Report, level: str) -> list[str]:
    """Return the findings of a level as they are printed."""
    return [str(finding) for finding in report.of(level)]


def node_of(report: Report, name: str) -> Node:
    """Return the node of this name."""
    assert report.node is not None
    (found,) = {
        node.name: node for route in report.node.routes() for node in route if node.name == name
    }.values()
    return found


# What INI files of the tests name.


def make_transparent(global_conf: dict[str, str], /) -> Middleware:
    """Return a filter that only passes requests on; a ``paste.filter_factory``."""
    return lambda app: app


def make_authentication(global_conf: dict[str, str], /) -> Middleware:
    """Return a filter that asks every client for credentials; a ``paste.filter_factory``."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("401 Unauthorized", [("WWW-Authenticate", "Basic")])
        return [b""]

    return lambda app: answer


def make_maintenance(global_conf: dict[str, str], /) -> Middleware:
    """Return a filter that passes on nothing but ``OPTIONS``; a ``paste.filter_factory``."""

    def maintenance(app: WSGIApplication) -> WSGIApplication:
        def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            if environ["REQUEST_METHOD"] == "OPTIONS":
                return app(environ, start_response)
            start_response("503 Service Unavailable", [])
            return [b""]

        return answer

    return maintenance


def make_broken(app: WSGIApplication, global_conf: dict[str, str], /) -> WSGIApplication:
    """Return an application that raises; a ``paste.filter_app_factory``."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise KeyError("a.user")

    return answer


def make_raising(global_conf: dict[str, str], /) -> Middleware:
    """Raise, in two lines; a ``paste.filter_factory``."""
    raise ValueError("expected a colour,\n not 'x'")


def make_composite(loader: Any, global_conf: dict[str, str], /, **paths: str) -> WSGIApplication:
    """Return the applications by their paths, each behind a filter; a ``composite_factory``."""
    wrap = loader.get_filter("transparent", global_conf=global_conf)
    names = {path: name for path, name in paths.items() if path.startswith("/")}
    apps = {
        path: wrap(loader.get_app(name, global_conf=global_conf)) for path, name in names.items()
    }
    return lambda environ, start_response: apps[environ["PATH_INFO"]](environ, start_response)


#: One of ours by another name.
make_cors = cors


class OwnHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """A handler about which nothing is known."""
