"""CORS, request ids, request logs, error answers and health probes for any WSGI application.

Switched on in the PasteDeploy INI file that deploys the application, or by wrapping it in Python:
``RequestIdMiddleware(CORSMiddleware(ErrorsMiddleware(app)))``. Importing this package reads no
environment, opens no file, looks up no logger and loads no other distribution: WebOb comes with
the filter that answers with it, environs when the environment is read.
"""

from wsgi_mw_paste.context import current_request_id, outgoing_headers, request_id_scope
from wsgi_mw_paste.cors import CORSMiddleware, CORSSettings
from wsgi_mw_paste.errors import ErrorsMiddleware
from wsgi_mw_paste.health import HealthMiddleware, HealthSettings
from wsgi_mw_paste.logging import AttachRequestIdFilter, RequestIdFilter, RequestIdFormatter
from wsgi_mw_paste.request_id import RequestIdMiddleware, RequestIdSettings
from wsgi_mw_paste.settings import ConfigurationError, Problem

__all__ = [
    "AttachRequestIdFilter",
    "CORSMiddleware",
    "CORSSettings",
    "ConfigurationError",
    "ErrorsMiddleware",
    "HealthMiddleware",
    "HealthSettings",
    "Problem",
    "RequestIdFilter",
    "RequestIdFormatter",
    "RequestIdMiddleware",
    "RequestIdSettings",
    "current_request_id",
    "outgoing_headers",
    "request_id_scope",
]
