"""The deployment as a tree: each filter, application and composite of an INI file.

:func:`read_deployment` follows the file as :func:`paste.deploy.loadapp` does, and calls no factory;
:mod:`~wsgi_mw_paste.command.exchange` makes an application of the tree.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from paste.deploy.loadwsgi import APP, FILTER, FILTER_APP, FILTER_WITH, PIPELINE

from wsgi_mw_paste._ini import Section, included_path
from wsgi_mw_paste.command.findings import Place, locate, place_in
from wsgi_mw_paste.command.loader import Deployment, DeploymentError, StandIn, load_context
from wsgi_mw_paste.cors import CORSSettings
from wsgi_mw_paste.factories import FilterFactory, health, health_app
from wsgi_mw_paste.request_id import RequestIdSettings
from wsgi_mw_paste.settings import ConfigurationError, options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from wsgi_mw_paste._ini import IniFiles
    from wsgi_mw_paste.settings import Loaded


#: How many nodes a route may have; each takes several nested calls, at most 1000 in all.
_MAX_DEPTH: Final = 200
#: How many applications composites may name, each counted as often as a route leads to it.
_MAX_APPLICATIONS: Final = 5000


class Value(NamedTuple):
    """An option of a filter, with its value in effect.

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

    :ivar role: ``filter``, ``composite`` or ``application``.
    :ivar context: PasteDeploy's context.
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
        """The name of our entry point, empty if it is not a filter of ours."""
        return self.factory.name if self.factory else ""

    @property
    def parts(self) -> Sequence[str]:
        """The filters of ours that it stands for, outermost first."""
        return (self.factory.parts or (self.factory.name,)) if self.factory else ()

    @property
    def what(self) -> str:
        """What it is, in a word or two: its role, or the filters of ours that it stands for."""
        return f"wsgi_mw_paste ({', '.join(self.parts)})" if self.factory else self.role

    @property
    def described(self) -> str:
        """Everything that says what it is: the URIs that name it, and its factory's module."""
        uses = (
            text
            for file, name in self.sections
            for key, text in self.files[file].sections.get(name, {}).items()
            if key == "use" or key.startswith("paste.")
        )
        module = getattr(self.context.object, "__module__", "")
        return " ".join([getattr(self.context, "spec", ""), *uses, str(module)])

    @property
    def error(self) -> DeploymentError | None:
        """Why it cannot be loaded and has a stand-in in its place; ``None`` if it can."""
        return self.context.object.error if isinstance(self.context.object, StandIn) else None

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
        """The settings of a filter of ours; any other node has none.

        :raises ConfigurationError: as its factory would.
        """
        factory = health if self.context.object is health_app else self.factory
        if factory is None:
            return []
        texts = [tuple(d.items()) for d in (self.context.global_conf, self.context.local_conf)]
        return _load(factory, self.files, tuple(self.sections), *texts)

    @property
    def cors(self) -> CORSSettings | None:
        """The CORS options, ``None`` if it has none."""
        settings = (part.settings for part in self.loaded)
        return next((found for found in settings if isinstance(found, CORSSettings)), None)

    @property
    def request_id(self) -> RequestIdSettings | None:
        """The options of request ids, ``None`` if it has none."""
        settings = (part.settings for part in self.loaded)
        return next((found for found in settings if isinstance(found, RequestIdSettings)), None)

    def place_of(self, option: str, item: str = "") -> Place:
        """Return where the value of an option comes from."""
        for part in self.loaded:
            if option in part.sources:
                return locate(self.files, part.sources[option], item)
        return Place("default")

    def values(self) -> list[Value]:
        """Return its options; none if it does not load."""
        try:
            loaded = self.loaded
        except ConfigurationError:
            return []
        return [
            Value(name, option.show(value) if option.secret else value, option.show(value), place)
            for part in loaded
            for name, option in options(type(part.settings)).items()
            for value, place in [(getattr(part.settings, name), self.place_of(name))]
        ]

    @property
    def choices(self) -> Mapping[str, Node]:
        """The nodes from which a factory chooses one by its options, by their keys.

        Those behind a composite that decides by the request, such as Paste's urlmap, count as well.
        """
        if self.chooses:
            return {
                key: node for key, node in self.inner.items() if not key.startswith(_BY_REQUEST)
            }
        return {key: choice for node in self.inner.values() for key, choice in node.choices.items()}

    @property
    def chooses(self) -> bool:
        """Whether it is a composite whose factory chooses by its options."""
        return (
            self.role == "composite"
            and not _is_dispatcher(self.context)
            and not all(key.startswith(_BY_REQUEST) for key in self.inner)
        )

    def by(self, choice: str) -> Node:
        """Return this tree with one of its :attr:`choices` in place of the composite."""
        if self.chooses:
            return self.inner[choice]
        inner = {
            key: node.by(choice) if choice in node.choices else node
            for key, node in self.inner.items()
        }
        return replace(self, inner=inner)

    def routes(self) -> Iterator[list[Node]]:
        """Yield every route of a request from here to an application."""
        for inner in self.inner.values():
            for route in inner.routes():
                yield [self, *route]
        if not self.inner:
            yield [self]


@functools.lru_cache(maxsize=100)
def _load(
    factory: FilterFactory,
    files: IniFiles,
    sections: Sequence[Section],
    global_items: Sequence[tuple[str, str]],
    local_items: Sequence[tuple[str, str]],
) -> Sequence[Loaded]:
    """Return the settings of a filter; one may stand on thousands of routes."""
    return factory.load(dict(global_items), dict(local_items), files, sections)


def read_deployment(
    path: str,
    name: str = "main",
    variables: Mapping[str, str] | None = None,
    problems: list[DeploymentError] | None = None,
) -> Node:
    """Load an INI file as ``loadapp("config:PATH", NAME, global_conf=VARIABLES)`` does.

    :param problems: as for :func:`~wsgi_mw_paste.command.loader.load_context`.
    :return: what a request comes to first.
    :raises DeploymentError: the file cannot be read, or has no such application.
    """
    path = os.path.abspath(path)  # noqa: PTH100 -- pathlib's resolves links; messages name the link
    context = load_context(path, name, variables, problems)
    report = Deployment(context.files, problems).report
    node = Reader(report).application(context, Place("section", path))
    if (depth := _depth(node)) > _MAX_DEPTH:
        message = (
            f"requests pass {depth - 1} filters and composites in a row; Python, which ends at some"
            f" {sys.getrecursionlimit()} nested calls, has no room for that"
        )
        raise DeploymentError(node.mention, message)
    return node


def _depth(node: Node) -> int:
    """Return how many nodes the longest route has."""
    depth, level = 0, [node]
    while level:
        depth, level = depth + 1, [inner for outer in level for inner in outer.inner.values()]
    return depth


#: How keys of composites begin that say which requests they are for.
_BY_REQUEST: Final = ("/", "http:", "domain ")
#: The modules of the composites whose values are applications, and what they are called.
_DISPATCHERS: Final = ("paste.urlmap", "rutter.urlmap", "paste.cascade")
_DISPATCHER_URI: Final = re.compile(
    r"egg:(paste|rutter)#(urlmap|cascade)$|call:(paste|rutter)\.(urlmap|cascade):", re.IGNORECASE
)


def _is_dispatcher(context: Any) -> bool:
    """Say whether all values of a composite are applications: Paste's urlmap, for one."""
    if isinstance(context.object, StandIn):
        uses = (context.files[s.file].value(s.name, "use") or "" for s in context.sections)
        return any(
            _DISPATCHER_URI.fullmatch(use)
            or use.startswith(tuple(f"call:{m}" for m in _DISPATCHERS))
            for use in uses
        )
    return getattr(context.object, "__module__", None) in _DISPATCHERS


def _is_composite(context: Any) -> bool:
    return "composit" in context.protocol or _is_dispatcher(context)


class Reader:
    """Reads the tree of nodes from PasteDeploy's contexts.

    :param report: called with what is wrong with parts of it; it may raise that.
    """

    def __init__(self, report: Callable[[DeploymentError], object]) -> None:
        self._report = report
        self._applications = 0

    def application(self, context: Any, mention: Place, above: Sequence[Section] = ()) -> Node:
        """Return the node of an application, with all that PasteDeploy wraps around it.

        :param above: the sections of composites that lead here.
        """
        if context.object_type is PIPELINE:
            names = place_in(context.files, context.sections[-1], "pipeline")
            app = self.application(context.app_context, names, above)
            return self._wrapped(context.filter_contexts, names, app)
        if context.object_type is FILTER_APP:
            own = context.sections
            filter_context = context.filter_context
            filter_context.sections = (*own, *getattr(filter_context, "sections", ()))
            following = place_in(context.files, own[-1], "next")
            app = self.application(context.next_context, following, above)
            return self._wrapped([filter_context], place_in(context.files, own[0]), app)
        if context.object_type is FILTER_WITH:
            name = place_in(context.files, context.section, "filter-with")
            if context.next_context.object_type is not APP:
                message = (
                    "PasteDeploy cannot put a filter around this: every request would fail; name"
                    " the filter in a pipeline instead"
                )
                self._report(DeploymentError(name, message))
            app = self.application(context.next_context, mention, above)
            return self._wrapped([context.filter_context], name, app)
        self._check_factory(context, mention)
        inner = self._composed(context, above) if _is_composite(context) else {}
        role = "composite" if inner else "application"
        return Node(role, context, context.sections, mention, inner)

    def _wrapped(self, contexts: Sequence[Any], mention: Place, inner: Node) -> Node:
        """Return the node of the outermost filter.

        :param contexts: the filters, outermost first.
        :param mention: where they are named.
        """
        for context in reversed(contexts):
            if context.object_type is FILTER_WITH:
                inner = self._wrapped([context.next_context], mention, inner)
                name = place_in(context.files, context.section, "filter-with")
                inner = self._wrapped([context.filter_context], name, inner)
            else:
                self._check_factory(context, mention)
                inner = Node("filter", context, context.sections, mention, {"": inner})
        return inner

    def _check_factory(self, context: Any, mention: Place) -> None:
        if not callable(context.object):
            place = place_in(context.files, context.sections[-1]) if context.sections else mention
            message = (
                "expected the name of something to call, MODULE:FUNCTION, not of a"
                f" {type(context.object).__name__}"
            )
            self._report(DeploymentError(place, message))
        if context.protocol is None:
            if not isinstance(context.object, StandIn):
                message = (
                    f"PasteDeploy needs a section for {context.spec};"
                    f" write use = {context.spec} in one"
                )
                self._report(DeploymentError(mention, message))
            kind = "filter" if context.object_type is FILTER else "app"
            context.protocol = f"paste.{kind}_factory"

    def _composed(self, context: Any, above: Sequence[Section]) -> dict[str, Node]:
        """Return what the values of a composite's options name, by their keys."""
        loader, found = context.loader, {}
        dispatches = _is_dispatcher(context)
        for key, value in context.local_conf.items():
            section = next(
                s for s in context.sections if key in context.files[s.file].sections.get(s.name, ())
            )
            words = value.split()
            is_one = len(words) == 1 or bool(included_path(value))
            place = place_in(context.files, section, key)
            inside = (*above, *context.sections)
            must_be = is_one and (key.startswith(_BY_REQUEST) or (dispatches and key != "catch"))
            if must_be or (is_one and _leads_on(loader, value, inside)):
                name = value.strip()
                if _section_of(loader, APP, name) in inside:
                    self._report(
                        DeploymentError(place, "these sections refer to each other in a circle")
                    )
                    continue
                self._count(place)
                part = loader.get_part(section, APP, name, context.global_conf)
                found[key] = self.application(part, place, inside)
            elif len(words) > 1 and _is_pipeline(loader, words):
                self._count(place)
                parts = [
                    loader.get_part(section, FILTER, word, context.global_conf)
                    for word in words[:-1]
                ]
                part = loader.get_part(section, APP, words[-1], context.global_conf)
                app = self.application(part, place, inside)
                found[key] = self._wrapped(parts, place, app)
        return found

    def _count(self, mention: Place) -> None:
        """Count an application of a composite.

        :raises DeploymentError: there are too many: the routes through composites that name each
            other multiply.
        """
        self._applications += 1
        if self._applications > _MAX_APPLICATIONS:
            message = (
                f"the composites lead to more than {_MAX_APPLICATIONS:,} applications, each counted"
                " as often as they name it; PasteDeploy would create every one of them"
            )
            raise DeploymentError(mention, message)


def _section_of(loader: Any, object_type: Any, name: str) -> Section | None:
    """Return the section that a name stands for in this file."""
    try:
        return Section(loader.filename, loader.find_config_section(object_type, name))
    except LookupError:
        return None


def _leads_on(loader: Any, value: str, above: Sequence[Section]) -> bool:
    """Say whether the value of an option names an application that is not among those above."""
    section = _section_of(loader, APP, value.strip())
    return section is not None and section not in above


def _is_pipeline(loader: Any, words: Sequence[str]) -> bool:
    """Say whether the last word names an application, and one of the others a filter."""

    def names(object_type: Any, word: str) -> bool:
        return (
            bool(loader.absolute_name(word)) or _section_of(loader, object_type, word) is not None
        )

    return names(APP, words[-1]) and any(names(FILTER, word) for word in words[:-1])
