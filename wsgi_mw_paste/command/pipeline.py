"""The deployment as a tree: each filter, application and composite of an INI file.

:func:`read` follows the file as :func:`paste.deploy.loadapp` does, and calls no factory;
:mod:`~wsgi_mw_paste.command.exchange` makes an application of the tree.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from paste.deploy.loadwsgi import APP, FILTER_APP, FILTER_WITH, PIPELINE

from wsgi_mw_paste.command.findings import Place, locate, place_in
from wsgi_mw_paste.command.loader import DeploymentError, blaming, load_context
from wsgi_mw_paste.cors import CORSMiddleware, CORSSettings
from wsgi_mw_paste.factories import FilterFactory
from wsgi_mw_paste.request_id import RequestIdSettings
from wsgi_mw_paste.settings import ConfigurationError, options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wsgi_mw_paste._ini import IniFiles, Section
    from wsgi_mw_paste.settings import Loaded


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
    def factory(self) -> FilterFactory | None:
        """What makes it, if it is one of our filters."""
        made_by = self.context.object if self.role == "filter" else None
        return made_by if isinstance(made_by, FilterFactory) else None

    @property
    def kind(self) -> str:
        """The name of our entry point, empty if it is none of our filters."""
        return self.factory.name if self.factory else ""

    @property
    def files(self) -> IniFiles:
        """The files that it was read from."""
        files: IniFiles = self.context.files
        return files

    @property
    def name(self) -> str:
        """What the file calls it."""
        if self.sections:
            return self.sections[0].name.partition(":")[2].strip() or self.sections[0].name
        return str(self.context.spec)

    @property
    def place(self) -> Place:
        """Where it is configured: its section, or the mention of one that has no section."""
        return place_in(self.files, self.sections[0]) if self.sections else self.mention

    @functools.cached_property
    def loaded(self) -> Sequence[Loaded]:
        """The settings of one of our filters; of any other node there are none.

        :raises ConfigurationError: as its factory would.
        """
        if self.factory is None:
            return []
        return self.factory.load(
            self.context.global_conf, self.context.local_conf, self.files, self.sections
        )

    @property
    def cors(self) -> CORSSettings | None:
        """The CORS options, ``None`` if it has none."""
        return next((e.settings for e in self.loaded if isinstance(e.settings, CORSSettings)), None)

    @property
    def request_id(self) -> RequestIdSettings | None:
        """The options of request ids, ``None`` if it has none."""
        found = (e.settings for e in self.loaded if isinstance(e.settings, RequestIdSettings))
        return next(found, None)

    @functools.cached_property
    def judge(self) -> CORSMiddleware:
        """Says why a preflight is refused."""
        return CORSMiddleware(lambda _, __: [], self.cors)

    def place_of(self, option: str, item: str = "") -> Place:
        """Return where the value of an option comes from."""
        for each in self.loaded:
            if option in each.sources:
                return locate(self.files, each.sources[option], item)
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


def read(path: str, name: str = "main", variables: Mapping[str, str] | None = None) -> Node:
    """Load an INI file as ``loadapp("config:PATH", NAME, global_conf=VARIABLES)`` does.

    :return: what a request comes to first.
    :raises DeploymentError: it cannot be loaded.
    """
    path = os.path.abspath(path)  # noqa: PTH100 -- pathlib's resolves links; messages name the link
    place = Place("section", path)
    with blaming(place):
        return application_node(load_context(path, name, variables), place)


def application_node(context: Any, mention: Place) -> Node:
    """Return the node of an application, with all that PasteDeploy wraps around it."""
    if context.object_type is PIPELINE:
        names = place_in(context.files, context.sections[-1], "pipeline")
        filters = [node for each in context.filter_contexts for node in _filters(each, names)]
        return _wrapped(filters, application_node(context.app_context, names))
    if context.object_type is FILTER_APP:
        own = context.sections
        sections = (*own, *getattr(context.filter_context, "sections", ()))
        app = application_node(context.next_context, place_in(context.files, own[-1], "next"))
        return _wrapped([(context.filter_context, sections, place_in(context.files, own[0]))], app)
    if context.object_type is FILTER_WITH:
        name = place_in(context.files, context.section, "filter-with")
        if context.next_context.object_type is not APP:
            raise DeploymentError(
                name,
                "PasteDeploy cannot put a filter around this, every request would fail; name the"
                " filter in a pipeline",
            )
        app = application_node(context.next_context, mention)
        return _wrapped(_filters(context.filter_context, name), app)
    _check_protocol(context, mention)
    inner = _composed(context) if "composit" in context.protocol else {}
    role = "composite" if inner else "application"
    return Node(role, context, context.sections, mention, inner)


def _filters(context: Any, mention: Place) -> list[tuple[Any, Sequence[Section], Place]]:
    """Return the filters that one name stands for, outermost first."""
    if context.object_type is FILTER_WITH:
        outer = _filters(
            context.filter_context, place_in(context.files, context.section, "filter-with")
        )
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
            found[name] = application_node(inner, place_in(context.files, context.sections[0], key))
    return found
