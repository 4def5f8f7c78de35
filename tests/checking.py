"""Deployments to check, with the modules that they name beside them."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

from wsgi_mw_paste.command.check import check

if TYPE_CHECKING:
    import pytest

    from wsgi_mw_paste.command.check import Report

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
