"""An INI file as PasteDeploy deploys it, piece by piece: each filter, application and composite.

For the command. Where :func:`paste.deploy.loadapp` calls all factories at once and stops at the
first that raises, :func:`read` calls none, and :func:`build` may leave out the application.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from paste.deploy.loadwsgi import APP, FILTER_APP, FILTER_WITH, PIPELINE
from webob import Request, Response

from wsgi_mw_paste import factories
from wsgi_mw_paste.command.findings import Place, Section, locate, place_in
from wsgi_mw_paste.command.loader import DeploymentError, blaming, load_context
from wsgi_mw_paste.cors import CORSSettings
from wsgi_mw_paste.factories import FILTERS
from wsgi_mw_paste.request_id import RequestIdSettings
from wsgi_mw_paste.settings import ConfigurationError, options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from wsgi_mw_paste._ini import Source
    from wsgi_mw_paste.settings import Loaded

#: The list in the environ of the nodes that a request has come to.
PASSED_KEY: Final = "wsgi_mw_paste.passed"
_MESSAGE_LIMIT: Final = 500


class Value(NamedTuple):
    """An option of a filter, as it is in force.

    :ivar value: the value; a secret is masked.
    :ivar text: as an INI file would spell it.
    """

    option: str
    value: Any
    text: str
    place: Place


@dataclass(frozen=True, eq=False)
class Node:
    """A filter, a composite or an application.

    :ivar role: which of the three.
    :ivar context: PasteDeploy's.
    :ivar sections: the sections that configure it, each inheriting from the next.
    :ivar mention: where a pipeline or ``filter-with`` names it.
    :ivar inner: what it passes requests to. A composite's are named by its keys.
    """

    role: str
    context: Any
    sections: Sequence[Section]
    mention: Place
    inner: Mapping[str, Node]

    @property
    def kind(self) -> str:
        """The name of our entry point, empty if it is none of our filters."""
        names = (name for name in FILTERS if getattr(factories, name) is self.context.object)
        return next(names, "") if self.role == "filter" else ""

    @property
    def name(self) -> str:
        """What the file calls it."""
        if self.sections:
            return self.sections[0].name.partition(":")[2].strip() or self.sections[0].name
        return str(self.context.spec)

    @property
    def place(self) -> Place:
        """Where it is configured: its section, or the mention of one that has no section."""
        return place_in(self.sections[0]) if self.sections else self.mention

    @functools.cached_property
    def loaded(self) -> Sequence[Loaded]:
        """The settings of one of our filters; of any other node there are none.

        :raises ConfigurationError: as its factory would.
        """
        if not self.kind:
            return []
        return factories.read(self.kind, self.context.global_conf, self.context.local_conf)

    @property
    def cors(self) -> CORSSettings | None:
        """The CORS options, ``None`` if it has none."""
        return next((e.settings for e in self.loaded if isinstance(e.settings, CORSSettings)), None)

    @property
    def request_id(self) -> RequestIdSettings | None:
        """The options of request ids, ``None`` if it has none."""
        found = (e.settings for e in self.loaded if isinstance(e.settings, RequestIdSettings))
        return next(found, None)

    def place_of(self, option: str, item: str = "") -> Place:
        """Return where the value of an option comes from."""
        for each in self.loaded:
            if option in each.sources:
                source: Source = each.sources[option]
                return locate(str(source), self.sections, item)._replace(level=source.level)
        return Place("default")

    def values(self) -> list[Value]:
        """Return its options; none if it does not load."""
        try:
            loaded = self.loaded
        except ConfigurationError:
            return []
        return [
            Value(name, option.show(value) if option.secret else value, option.show(value), place)
            for each in loaded
            for name, option in options(type(each.settings)).items()
            for value, place in [(getattr(each.settings, name), self.place_of(name))]
        ]

    def routes(self) -> Iterator[list[Node]]:
        """Yield every way of a request from here to an application."""
        for inner in self.inner.values():
            for route in inner.routes():
                yield [self, *route]
        if not self.inner:
            yield [self]


#: What stands behind the filters in place of the application.
STAND_IN: Final = Response("a stand-in for the application\n", content_type="text/plain")


def read(path: str, name: str = "main", variables: Mapping[str, str] | None = None) -> Node:
    """Load an INI file as ``loadapp("config:PATH", NAME, global_conf=VARIABLES)`` does.

    :return: what a request comes to first.
    :raises DeploymentError: it cannot be loaded.
    """
    path = os.path.abspath(path)  # noqa: PTH100 -- pathlib's resolves links; messages name the link
    place = Place("section", path)
    with blaming(place):
        return _application(load_context(path, name, variables), place)


def build(
    node: Node, make_app: Callable[[Node], WSGIApplication] = lambda _: STAND_IN
) -> WSGIApplication:
    """Call the factories, innermost first.

    Whatever a request comes to leaves its node in the environ's :data:`PASSED_KEY`.

    :param make_app: returns the application at the end of a route.
    :raises DeploymentError: a factory raises.
    """
    if node.role == "application":
        app = make_app(node)
    elif node.role == "filter":
        app = build(node.inner[""], make_app)
        with blaming(node.place):
            app = node.context.create()(app)
    else:
        context, loader = node.context, _Applications(node, make_app)
        with blaming(node.place):
            app = context.object(loader, context.global_conf, **context.local_conf)

    def passed(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ.setdefault(PASSED_KEY, []).append(node)
        return app(environ, start_response)

    return passed


def make_real(node: Node) -> WSGIApplication:
    """Return the application of the file itself.

    :raises DeploymentError: its factory raises.
    """
    with blaming(node.place):
        app: WSGIApplication = node.context.create()
    return app


class Exchange(NamedTuple):
    """A request and its answer.

    :ivar request: as it was sent; filters change what they get.
    :ivar passed: the nodes that the request came to, in order.
    :ivar raised: the exception that nothing turned into an answer, in one line; servers then send
        a bare 500, and so does *response*.
    """

    request: Request
    response: Response
    passed: Sequence[Node]
    raised: str = ""


def send(app: WSGIApplication, request: Request) -> Exchange:
    """Call an application as a server does; its body is closed unread, it may have no end."""
    passed: list[Node] = []
    sent = Request({**request.environ, PASSED_KEY: passed})
    try:
        # catch_exc_info is WebOb's name for what start_response is to do with an answer that comes
        # in place of an exception: take it.
        response = sent.get_response(app, catch_exc_info=True)
        if hasattr(response.app_iter, "close"):
            response.app_iter.close()
    except Exception as error:  # noqa: BLE001 -- what a server would catch
        raised = f"{type(error).__name__}: {' '.join(str(error).split())}"[:_MESSAGE_LIMIT]
        return Exchange(request, Response(status=500), passed, raised)
    return Exchange(request, response, passed)


class _Applications:
    """The loader that a composite gets: it hands out applications that :func:`build` made."""

    def __init__(self, node: Node, make_app: Callable[[Node], WSGIApplication]) -> None:
        self._loader = node.context.loader
        self._mention = node.place
        self._make_app = make_app

    def get_app(self, name: str, global_conf: Mapping[str, str] | None = None) -> WSGIApplication:
        context = self._loader.get_context(APP, name, global_conf)
        return build(_application(context, self._mention), self._make_app)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


def _application(context: Any, mention: Place) -> Node:
    """Return the node of an application, with all that PasteDeploy wraps around it."""
    if context.object_type is PIPELINE:
        names = place_in(context.sections[-1], "pipeline")
        filters = [node for each in context.filter_contexts for node in _filters(each, names)]
        return _wrapped(filters, _application(context.app_context, names))
    if context.object_type is FILTER_APP:
        own = context.sections
        sections = (*own, *getattr(context.filter_context, "sections", ()))
        app = _application(context.next_context, place_in(own[-1], "next"))
        return _wrapped([(context.filter_context, sections, place_in(own[0]))], app)
    if context.object_type is FILTER_WITH:
        name = place_in(context.section, "filter-with")
        if context.next_context.object_type is not APP:
            raise DeploymentError(
                name,
                "PasteDeploy cannot put a filter around this, every request would fail; name the"
                " filter in a pipeline",
            )
        app = _application(context.next_context, mention)
        return _wrapped(_filters(context.filter_context, name), app)
    _check_protocol(context, mention)
    inner = _composed(context) if "composit" in context.protocol else {}
    role = "composite" if inner else "application"
    return Node(role, context, context.sections, mention, inner)


def _filters(context: Any, mention: Place) -> list[tuple[Any, Sequence[Section], Place]]:
    """Return the filters that one name stands for, outermost first."""
    if context.object_type is FILTER_WITH:
        outer = _filters(context.filter_context, place_in(context.section, "filter-with"))
        return [*outer, *_filters(context.next_context, mention)]
    _check_protocol(context, mention)
    return [(context, context.sections, mention)]


def _check_protocol(context: Any, mention: Place) -> None:
    if context.protocol is None:
        message = (
            f"PasteDeploy needs a section for {context.spec}; write use = {context.spec} in one"
        )
        raise DeploymentError(mention, message)


def _wrapped(filters: Sequence[tuple[Any, Sequence[Section], Place]], inner: Node) -> Node:
    for context, sections, mention in reversed(filters):
        inner = Node("filter", context, sections, mention, {"": inner})
    return inner


def _composed(context: Any) -> dict[str, Node]:
    """Return the applications that the values of a composite's options name."""
    found = {}
    for key, value in context.local_conf.items():
        for word in value.split():
            try:
                context.loader.find_config_section(APP, word)
            except LookupError:
                continue
            inner = context.loader.get_context(APP, word, context.global_conf)
            name = key if word == value.strip() else word
            found[name] = _application(inner, place_in(context.sections[0], key))
    return found
