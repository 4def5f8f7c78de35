"""The Paste factories: INI sections in, middlewares out.

PasteDeploy calls one as ``factory(global_conf, **local_conf)`` and gets a filter, a function from
application to application. The settings are read once, when the factory is called, before the
server listens; one filter may be applied to several applications.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from wsgi_mw_paste._ini import FilterSections, IniFiles
from wsgi_mw_paste._loading import load
from wsgi_mw_paste.cors import CORSMiddleware, CORSSettings
from wsgi_mw_paste.errors import ErrorsMiddleware
from wsgi_mw_paste.health import HealthApplication, HealthMiddleware, HealthSettings
from wsgi_mw_paste.request_id import RequestIdMiddleware, RequestIdSettings
from wsgi_mw_paste.settings import options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from _typeshed.wsgi import WSGIApplication

    from wsgi_mw_paste._ini import Section
    from wsgi_mw_paste.settings import Loaded, Settings


@dataclass(frozen=True, eq=False)
class FilterFactory:
    """A ``paste.filter_factory`` that knows what it makes.

    :ivar name: the name of its entry point.
    :ivar settings: its settings classes, one for each argument of *middleware* after the first.
    :ivar middleware: makes a WSGI application of one, and of the settings.
    :ivar parts: the filters that it stands for, outermost first.
    """

    name: str
    settings: Sequence[type[Settings]]
    middleware: Callable[..., Any]
    parts: Sequence[str] = ()

    def __call__(
        self, global_conf: Mapping[str, Any], /, **local_conf: Any
    ) -> Callable[[WSGIApplication], WSGIApplication]:
        """Return the filter.

        :param global_conf: PasteDeploy's global values.
        :param local_conf: the options of the filter's section.
        :raises ConfigurationError: any option is wrong; all problems at once.
        """
        settings = [loaded.settings for loaded in self.load(global_conf, local_conf)]
        # The bound method: of an instance, Python would look up __call__ at every request.
        return lambda app: self.middleware(app, *settings).__call__

    def load(
        self,
        global_conf: Mapping[str, Any],
        local_conf: Mapping[str, Any],
        files: IniFiles | None = None,
        sections: Sequence[Section] | None = None,
    ) -> list[Loaded]:
        """Return the settings, one for each of the settings classes.

        :param files: what reads the INI files; without it, they are read again.
        :param sections: the filter's sections, each inheriting from the next, if they are known.
        :raises ConfigurationError: any option is wrong.
        """
        elsewhere = {
            option: other.name
            for other in FACTORIES.values()
            if not other.parts
            for cls in other.settings
            for option in options(cls)
        }
        files = files or IniFiles(global_conf)
        found = FilterSections(files, global_conf, self.name, sections)
        return load(self.settings, global_conf, local_conf, sections=found, elsewhere=elsewhere)


def _all_three(
    app: WSGIApplication, cors_settings: CORSSettings, request_id_settings: RequestIdSettings
) -> RequestIdMiddleware:
    """Put the three in their right order: errors innermost, so that the others see its answers."""
    inner = CORSMiddleware(ErrorsMiddleware(app).__call__, cors_settings)
    return RequestIdMiddleware(inner.__call__, request_id_settings)


main = FilterFactory(
    "main",
    (CORSSettings, RequestIdSettings),
    _all_three,
    parts=("request_id", "cors", "errors"),
)
cors = FilterFactory("cors", (CORSSettings,), CORSMiddleware)
request_id = FilterFactory("request_id", (RequestIdSettings,), RequestIdMiddleware)
errors = FilterFactory("errors", (), ErrorsMiddleware)
health = FilterFactory("health", (HealthSettings,), HealthMiddleware)

#: All of them, by the name of their entry point.
FACTORIES: Final[Mapping[str, FilterFactory]] = {
    factory.name: factory for factory in (main, cors, request_id, errors, health)
}


def health_app(global_conf: Mapping[str, Any], /, **local_conf: Any) -> WSGIApplication:
    """Return the probes as an application, for ``urlmap``; a ``paste.app_factory``.

    :raises ConfigurationError: any option is wrong; all problems at once.
    """
    [loaded] = health.load(global_conf, local_conf)
    return HealthApplication(loaded.settings).__call__
