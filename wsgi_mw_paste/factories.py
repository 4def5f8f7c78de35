"""The ``paste.filter_factory`` entry points: INI sections in, middlewares out.

Each is called by PasteDeploy as ``factory(global_conf, **local_conf)`` and returns a filter, a
function from application to application. The settings are read once, when the factory is called,
before the server listens; one filter may be applied to several applications.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wsgi_mw_paste.cors import CORSMiddleware, CORSSettings
from wsgi_mw_paste.errors import ErrorsMiddleware
from wsgi_mw_paste.health import HealthApplication, HealthMiddleware, HealthSettings
from wsgi_mw_paste.request_id import RequestIdMiddleware, RequestIdSettings
from wsgi_mw_paste.settings import Loaded, Settings, load, options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from _typeshed.wsgi import WSGIApplication

    Filter = Callable[[WSGIApplication], WSGIApplication]
    Middleware = CORSMiddleware | ErrorsMiddleware | HealthMiddleware | RequestIdMiddleware


def _all_three(
    app: WSGIApplication, cors_settings: CORSSettings, request_id_settings: RequestIdSettings
) -> RequestIdMiddleware:
    """Put the three in their right order: errors innermost, so its answers pass the others."""
    inner = CORSMiddleware(ErrorsMiddleware(app).__call__, cors_settings)
    return RequestIdMiddleware(inner.__call__, request_id_settings)


class FilterKind(NamedTuple):
    """What an entry point makes: of which settings, by which function."""

    settings: Sequence[type[Settings]]
    wrap: Callable[..., Middleware]


#: The filters by the name of their entry point.
FILTERS: Final[Mapping[str, FilterKind]] = {
    "main": FilterKind((CORSSettings, RequestIdSettings), _all_three),
    "cors": FilterKind((CORSSettings,), CORSMiddleware),
    "request_id": FilterKind((RequestIdSettings,), RequestIdMiddleware),
    "errors": FilterKind((), ErrorsMiddleware),
    "health": FilterKind((HealthSettings,), HealthMiddleware),
}


def main(global_conf: Mapping[str, Any], /, **local_conf: Any) -> Filter:
    """Return the filter ``request_id`` around ``cors`` around ``errors``, with all their options.

    :raises ConfigurationError: any option is wrong; the same goes for the other factories.
    """
    return _filter("main", global_conf, local_conf)


def cors(global_conf: Mapping[str, Any], /, **local_conf: Any) -> Filter:
    """Return the filter that wraps in :class:`~wsgi_mw_paste.cors.CORSMiddleware`."""
    return _filter("cors", global_conf, local_conf)


def request_id(global_conf: Mapping[str, Any], /, **local_conf: Any) -> Filter:
    """Return the filter for :class:`~wsgi_mw_paste.request_id.RequestIdMiddleware`."""
    return _filter("request_id", global_conf, local_conf)


def errors(global_conf: Mapping[str, Any], /, **local_conf: Any) -> Filter:
    """Return the filter that wraps in :class:`~wsgi_mw_paste.errors.ErrorsMiddleware`."""
    return _filter("errors", global_conf, local_conf)


def health(global_conf: Mapping[str, Any], /, **local_conf: Any) -> Filter:
    """Return the filter that wraps in :class:`~wsgi_mw_paste.health.HealthMiddleware`."""
    return _filter("health", global_conf, local_conf)


def health_app(global_conf: Mapping[str, Any], /, **local_conf: Any) -> WSGIApplication:
    """Return the probes as an application, for ``urlmap``; a ``paste.app_factory``."""
    [loaded] = read("health", global_conf, local_conf)
    return HealthApplication(loaded.settings).__call__


def read(name: str, global_conf: Mapping[str, Any], local_conf: Mapping[str, Any]) -> list[Loaded]:
    """Return the settings of the filter *name*, one for each of its settings classes.

    :raises ConfigurationError: any option is wrong.
    """
    elsewhere = {
        option: other
        for other, kind in FILTERS.items()
        if other != "main"
        for cls in kind.settings
        for option in options(cls)
    }
    return load(
        FILTERS[name].settings, global_conf, local_conf, filter_name=name, elsewhere=elsewhere
    )


def _filter(name: str, global_conf: Mapping[str, Any], local_conf: Mapping[str, Any]) -> Filter:
    settings = [each.settings for each in read(name, global_conf, local_conf)]
    # The bound method and not the instance, whose type Python would ask for it at every request.
    return lambda app: FILTERS[name].wrap(app, *settings).__call__
