"""CORS, request ids, request logs and error answers for any WSGI application.

Switched on in the PasteDeploy INI file that deploys the application, or by wrapping it in Python:
``RequestIdMiddleware(CORSMiddleware(ErrorsMiddleware(app)))``. Importing this package reads no
environment, opens no file and looks up no logger.

It imports no dependency either. A public name is fetched from its module when it is first asked
for, so a process pays for what it uses: a job that wants ``current_request_id`` needs the standard
library alone, and WebOb, most of what there is to load, comes with the filter that answers with it.
"""

import importlib as _importlib
import typing as _typing

if _typing.TYPE_CHECKING:
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

#: The modules that hold them, by name.
_PLACES = {
    "context": ("current_request_id", "outgoing_headers", "request_id_scope"),
    "cors": ("CORSMiddleware", "CORSSettings"),
    "errors": ("ErrorsMiddleware",),
    "health": ("HealthMiddleware", "HealthSettings"),
    "logging": ("AttachRequestIdFilter", "RequestIdFilter", "RequestIdFormatter"),
    "request_id": ("RequestIdMiddleware", "RequestIdSettings"),
    "settings": ("ConfigurationError", "Problem"),
}


if not _typing.TYPE_CHECKING:  # or every misspelt name would be fine with type checkers

    def __getattr__(name: str) -> object:
        """Fetch a public name from its module, or one of these modules (PEP 562)."""
        for place, names in _PLACES.items():
            if name == place or name in names:
                module = _importlib.import_module(f"{__name__}.{place}")
                found = module if name == place else getattr(module, name)
                globals()[name] = found
                return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names too, fetched or not."""
    return sorted({*globals(), *__all__})
