"""``check`` on deployments as people write them: it complains about none of them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.checking import LOGGING, WEB, check_text, routes, said, write_module

#: As the cookiecutter has them.
COOKIECUTTER_LOGGING = """
[loggers]
keys = root, myproject, sqlalchemy

[handlers]
keys = console

[formatters]
keys = generic

[logger_root]
level = INFO
handlers = console

[logger_myproject]
level = DEBUG
handlers =
qualname = myproject

[logger_sqlalchemy]
level = WARN
handlers =
qualname = sqlalchemy.engine
# "level = INFO" logs SQL queries.
# "level = DEBUG" logs SQL queries and results.

[handler_console]
class = StreamHandler
args = (sys.stderr,)
level = NOTSET
formatter = generic

[formatter_generic]
format = %(asctime)s %(levelname)-5.5s [%(name)s:%(lineno)s][%(threadName)s] %(message)s
"""


class Style(NamedTuple):
    """A deployment.

    :ivar routes: the names of what a request passes through, a route each.
    :ivar missing: how many notes say that code is not installed here.
    """

    text: str
    routes: list[str]
    name: str = "main"
    missing: int = 0
    variables: dict[str, str] | None = None


STYLES = {
    "cookiecutter development": Style(
        """
        ###
        # app configuration
        # https://docs.pylonsproject.org/projects/pyramid/en/latest/narr/environment.html
        ###

        [app:main]
        use = egg:myproject

        pyramid.reload_templates = true
        pyramid.debug_authorization = false
        pyramid.default_locale_name = en
        pyramid.includes =
            pyramid_debugtoolbar

        sqlalchemy.url = sqlite:///%(here)s/myproject.sqlite

        retry.attempts = 3

        # By default, the toolbar only appears for clients from IP addresses
        # '127.0.0.1' and '::1'.
        # debugtoolbar.hosts = 127.0.0.1 ::1

        [pshell]
        setup = myproject.pshell.setup

        [alembic]
        script_location = myproject/alembic
        file_template = %%(year)d%%(month).2d%%(day).2d_%%(rev)s

        [server:main]
        use = egg:waitress#main
        listen = localhost:6543
        """
        + COOKIECUTTER_LOGGING,
        ["main"],
        missing=1,
    ),
    "cookiecutter production": Style(
        """
        [pipeline:main]
        pipeline = web myproject

        [app:myproject]
        use = egg:myproject
        pyramid.reload_templates = false
        sqlalchemy.url = sqlite:///%(here)s/myproject.sqlite
        retry.attempts = 3

        [server:main]
        use = egg:waitress#main
        listen = *:6543

        [loggers]
        keys = root, myproject, access

        [handlers]
        keys = console

        [formatters]
        keys = generic

        [logger_root]
        level = WARN
        handlers = console

        [logger_myproject]
        level = WARN
        handlers =
        qualname = myproject

        [logger_access]
        level = INFO
        handlers =
        qualname = wsgi_mw_paste.access

        [handler_console]
        class = StreamHandler
        args = (sys.stderr,)
        level = NOTSET
        formatter = generic

        [formatter_generic]
        class = wsgi_mw_paste.logging.RequestIdFormatter
        format = %(asctime)s %(levelname)-5.5s [%(name)s] [%(request_id)s] %(message)s
        """
        + WEB,
        ["web myproject"],
        missing=1,
    ),
    "filter-with": Style(
        """
        [app:main]
        use = call:shop:app_factory
        filter-with = web
        pyramid.includes = pyramid_tm
        """
        + WEB
        + LOGGING,
        ["web main"],
    ),
    "api-paste": Style(
        """
        [composite:metadata]
        use = egg:Paste#urlmap
        /: meta

        [pipeline:meta]
        pipeline = web metaapp

        [app:metaapp]
        paste.app_factory = shop:app_factory

        [composite:osapi_compute]
        use = call:shop:urlmap_factory
        /: versions
        /v2.1: v21

        [composite:v21]
        use = call:shop:by_auth
        keystone = web ratelimit keystonecontext v21app
        noauth2 = web noauth2 v21app

        [filter:ratelimit]
        paste.filter_factory = shop:plain_filter
        limits = (GET, "*", .*, 100, MINUTE)

        [filter:keystonecontext]
        paste.filter_factory = shop:plain_filter

        [filter:noauth2]
        paste.filter_factory = shop:plain_filter

        [app:v21app]
        paste.app_factory = shop:app_factory

        [pipeline:versions]
        pipeline = web versionsapp

        [app:versionsapp]
        paste.app_factory = shop:app_factory
        """
        + WEB
        + LOGGING,
        [
            "osapi_compute web versionsapp",
            "osapi_compute v21 web ratelimit keystonecontext v21app",
            "osapi_compute v21 web noauth2 v21app",
        ],
        name="osapi_compute",
    ),
    "urlmap": Style(
        """
        [composite:main]
        use = egg:Paste#urlmap
        / : shop+web
        /c++: shop+web
        domain api.example.com /: shop

        [pipeline:shop+web]
        pipeline: web
          # the shop itself
          shop

        [app:shop]
        paste.app_factory: shop:app_factory
        """
        + WEB
        + LOGGING,
        ["main web shop", "main web shop", "main shop"],
    ),
    "Swift": Style(
        """
        [DEFAULT]
        bind_port = 8080
        cors_allow_origin = https://console.example.com
        log_level = INFO

        [pipeline:main]
        pipeline = catch_errors healthcheck proxy-logging cache web listing_formats bulk tempurl
            ratelimit tempauth copy container-quotas slo dlo versioned_writes proxy-logging
            proxy-server

        [app:proxy-server]
        use = egg:swift#proxy
        account_autocreate = true

        [filter:catch_errors]
        use = egg:swift#catch_errors
        [filter:healthcheck]
        use = egg:swift#healthcheck
        disable_path = /etc/swift/down
        [filter:proxy-logging]
        use = egg:swift#proxy_logging
        log_requests = true
        [filter:cache]
        use = egg:swift#memcache
        [filter:listing_formats]
        use = egg:swift#listing_formats
        [filter:bulk]
        use = egg:swift#bulk
        [filter:tempurl]
        use = egg:swift#tempurl
        [filter:ratelimit]
        use = egg:swift#ratelimit
        [filter:tempauth]
        use = egg:swift#tempauth
        user_admin_admin = admin .admin .reseller_admin
        [filter:copy]
        use = egg:swift#copy
        [filter:container-quotas]
        use = egg:swift#container_quotas
        [filter:slo]
        use = egg:swift#slo
        [filter:dlo]
        use = egg:swift#dlo
        [filter:versioned_writes]
        use = egg:swift#versioned_writes
        """
        + WEB,
        [
            (
                "catch_errors healthcheck proxy-logging cache web listing_formats bulk tempurl"
                " ratelimit tempauth copy container-quotas slo dlo versioned_writes proxy-logging"
                " proxy-server"
            )
        ],
        missing=15,
    ),
    "Plone": Style(
        """
        [app:zope]
        use = egg:Zope#main
        zope_conf = %(here)s/zope.conf

        [filter:translogger]
        use = egg:Paste#translogger
        setup_console_handler = False

        [pipeline:main]
        pipeline =
            translogger
            web
        # innermost, for they need the exceptions
            egg:Zope#httpexceptions
            zope
        """
        + WEB
        + LOGGING,
        ["translogger web egg:Zope#httpexceptions zope"],
        missing=2,
    ),
    "use: call:": Style(
        """
        [app:main]
        use: call:shop:app_factory
        filter-with: web
        """
        + WEB
        + LOGGING,
        ["web main"],
    ),
    "config:base.ini#filter": Style(
        """
        [pipeline:main]
        pipeline = config:base.ini#web shop

        [app:shop]
        use = config:base.ini#shop
        debug = false
        """
        + LOGGING,
        ["web shop"],
    ),
    "%(ENV)s on the command line": Style(
        """
        [app:main]
        use = call:shop:app_factory
        sqlalchemy.url = postgresql://%(DB_USER)s:%(DB_PASSWORD)s@db/shop
        filter-with = web

        [filter:web]
        use = egg:wsgi_mw_paste
        cors_allowed = https://%(FRONTEND)s
        cors_expose_headers = X-Request-Id
        log_tokens = fingerprint
        """
        + LOGGING,
        ["web main"],
        variables={"DB_USER": "shop", "DB_PASSWORD": "hunter2", "FRONTEND": "app.example.com"},
    ),
    "filter-app": Style(
        """
        [filter-app:web]
        use = egg:wsgi_mw_paste
        next = main
        cors_allowed = https://app.example.com
        cors_expose_headers = X-Request-Id
        log_tokens = fingerprint

        [filter-app:api]
        use = prefix
        next = web

        [filter:prefix]
        use = egg:PasteDeploy#prefix

        [app:main]
        use = call:shop:app_factory

        [app:other]
        use = main
        """
        + LOGGING,
        ["api web main"],
        name="api",
    ),
    "one application": Style(
        "[app:main]\nuse = call:shop:app_factory\nkey = value\n" + LOGGING, ["main"]
    ),
    "cascade": Style(
        """
        [composite:main]
        use = egg:Paste#cascade
        app1 = static
        app2 = line
        catch = 404 405

        [app:static]
        use = egg:Paste#static
        document_root = %(here)s

        [pipeline:line]
        pipeline = web egg:repoze.retry#retry egg:repoze.tm2#tm shop

        [app:shop]
        paste.app_factory = shop:app_factory
        """
        + WEB
        + LOGGING,
        [
            "main static",
            "main web egg:repoze.retry#retry egg:repoze.tm2#tm shop",
        ],
        missing=2,
    ),
}
#: What is true of the whole style, and no complaint.
NOTES = {"missing-code", "no-filter", "no-logging", "outside-errors"}


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_a_deployment_as_people_write_them_is_fine(
    style: Style, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither an error nor a warning, and each route is followed to its end."""
    write_module(monkeypatch)
    with Path("shop.py").open("a", encoding="utf-8") as shop:
        shop.write("\nfrom paste.urlmap import urlmap_factory\n")
    Path("base.ini").write_text(
        "[app:shop]\npaste.app_factory = shop:app_factory\n" + WEB, encoding="utf-8"
    )
    report = check_text(style.text, style.name, style.variables, missing_ok=True)
    assert said(report, "error", "warning") == []
    assert {found.code for found in report.findings} <= NOTES
    assert len([found for found in report.findings if found.code == "missing-code"]) == (
        style.missing
    )
    assert routes(report) == style.routes
