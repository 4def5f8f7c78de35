"""PasteDeploy's loader, which returns contexts, and its errors as messages of one line.

What PasteDeploy can load is not guessed: its own loader reads the sections and imports the
factories, but calls none of them. Where PasteDeploy stops at the first error, this loader goes on
with a stand-in, so that one run finds all errors.
"""

from __future__ import annotations

import configparser
import contextlib
import difflib
import functools
import importlib.metadata
import os
import re
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from paste.deploy.loadwsgi import (
    APP,
    FILTER,
    FILTER_WITH,
    ConfigLoader,
    LoaderContext,
    NicerConfigParser,
)
from webob import Response

from wsgi_mw_paste._ini import IniFiles, Section, included_path
from wsgi_mw_paste.command.findings import Place, described, in_one_line, place_in
from wsgi_mw_paste.factories import FACTORIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


#: How many names a wrong one is compared with.
_MAX_NAMES: Final = 500
#: What stands in for an application.
STAND_IN: Final = Response("a stand-in for the application\n", content_type="text/plain")
#: The keys of a section that name other sections. In a composite, every key may.
NAMING_KEYS: Final = ("pipeline", "use", "filter-with", "next")


#: The kinds of sections that are applications.
_KINDS: Final = [kind for kinds in APP.config_prefixes for kind in kinds]
#: What a section without a factory may be told to use.
_EXAMPLES: Final = {APP: "myapp", FILTER: "wsgi_mw_paste"}


class DeploymentError(Exception):
    """Something cannot be deployed; the message is one line.

    :ivar place: where the cause is written.
    :ivar code: which kind of finding it is.
    """

    def __init__(self, place: Place, message: str, code: str = "not-deployable") -> None:
        super().__init__(f"{place}: {message}")
        self.place = place
        self.message = message
        self.code = code


class _UnknownNameError(LookupError):
    """A name stands for no section, or for several; the message is ours."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class StandIn:
    """A factory in place of one that cannot be loaded.

    Its application answers every request; its filter passes every request on.

    :ivar error: why it cannot be loaded.
    """

    def __init__(self, object_type: Any, error: DeploymentError) -> None:
        self.error = error
        self._is_filter = object_type is FILTER

    def __call__(self, *_: object, **__: object) -> Any:
        return (lambda app: app) if self._is_filter else STAND_IN


def load_context(
    path: str,
    name: str,
    variables: Mapping[str, str] | None,
    problems: list[DeploymentError] | None = None,
) -> Any:
    """Return the context of ``loadapp("config:PATH", NAME, global_conf=VARIABLES)``.

    Each context has three attributes more than PasteDeploy's own: ``files``, which it was read
    from; ``sections``, which configure it, each inheriting from the next; and ``spec``, the name
    of something that has no section.

    :param problems: a list that gets the problems of parts of the deployment, which are then
        replaced by a :class:`StandIn`; without it, the first such problem is raised.
    :raises DeploymentError: the file cannot be read, or has no such application.
    """
    deployment = Deployment(IniFiles(variables, reread=False), problems)
    with blaming(Place("section", path), deployment.files):
        return FileLoader(path, deployment, variables).get_context(APP, name, variables)


class Deployment:
    """What the loaders of one deployment share.

    :param files: each file is read once.
    :param problems: as for :func:`load_context`.
    """

    def __init__(self, files: IniFiles, problems: list[DeploymentError] | None) -> None:
        self.files = files
        self._problems = problems
        self._reported = {str(problem) for problem in problems or ()}
        #: The sections that are being loaded. One that comes up again is part of a circle.
        self.open: list[Section] = []

    def report(self, error: DeploymentError) -> None:
        """Add an error to the problems, once.

        :raises DeploymentError: the error, if there is no list of problems.
        """
        if self._problems is None:
            raise error
        if str(error) not in self._reported:
            self._reported.add(str(error))
            self._problems.append(error)


@contextlib.contextmanager
def blaming(place: Place, files: IniFiles | None = None) -> Iterator[None]:
    """Turn what is raised into a :class:`DeploymentError` at this place, or at one the error names.

    ``SystemExit`` as well: code that is only checked must not end the command.

    :param files: what is read, if an error of the parser is one of these files; for its line.
    """
    try:
        yield
    except DeploymentError:
        raise
    except (Exception, SystemExit) as error:
        raise _explained(error, place, files) from error


class FileLoader(ConfigLoader):  # type: ignore[misc] # PasteDeploy has no types
    """A loader whose contexts know their sections."""

    def __init__(
        self, path: str, deployment: Deployment, variables: Mapping[str, str] | None = None
    ) -> None:
        # As PasteDeploy does, except for where the text comes from.
        file = deployment.files[path]
        if file.error is not None:
            raise file.error
        self.deployment = deployment
        self.files = deployment.files
        self.filename = path
        defaults = {"here": os.path.dirname(path), "__file__": path}  # noqa: PTH120
        self.parser = NicerConfigParser(path, defaults=defaults)
        self.parser.optionxform = str
        self.parser.read_string(file.text, path)
        self.update_defaults(variables or {}, overwrite=False)
        # The section whose parts are being loaded; None at the top.
        self._within: Section | None = None
        # Of each section, the keys by the words in their values.
        self._keys: dict[Section, dict[str, str]] = {}

    def get_part(self, section: Section, object_type: Any, name: str, global_conf: Any) -> Any:
        """Return the context of something that a section names; a stand-in if there is none."""
        self._within = section
        try:
            return self.get_context(object_type, name, global_conf)
        finally:
            self._within = None

    def get_context(
        self, object_type: Any, name: str | None = None, global_conf: Any = None
    ) -> Any:
        within = self._within
        try:
            with blaming(self.mention(name), self.files):
                return self._context(object_type, name, global_conf)
        except DeploymentError as error:
            if within is None:
                raise
            return self.stand_in(object_type, error, name, global_conf)
        finally:
            self._within = within

    def stand_in(
        self, object_type: Any, error: DeploymentError, name: str | None, global_conf: Any
    ) -> Any:
        """Report an error, and return a context in place of the one that cannot be loaded."""
        self.deployment.report(error)
        protocol = f"paste.{'filter' if object_type is FILTER else 'app'}_factory"
        context = LoaderContext(
            StandIn(object_type, error), object_type, protocol, dict(global_conf or {}), {}, self
        )
        if name is not None and name.lower().startswith(("egg:", "call:")):
            # It may stand in a section's use =; the section then says what it is.
            context.protocol = None
        context.spec, context.sections, context.files = name or "", (), self.files
        return context

    def _context(self, object_type: Any, name: str | None, global_conf: Any) -> Any:
        if name is not None and (path := included_path(name)):
            path = self.files[self.filename].resolve(path)
            loader = FileLoader(path, self.deployment, global_conf)
            # Not get_context(), whose errors are placed in that file: the name stands in this one.
            return loader._context(object_type, name.partition("#")[2] or "main", global_conf)
        if self.absolute_name(name):
            _check_entry_point(str(name), object_type)
            context = super().get_context(object_type, name, global_conf)
            context.spec, context.sections, context.files = name, (), self.files
            return context
        section = Section(self.filename, self.find_config_section(object_type, name))
        if section in self.deployment.open:
            raise RecursionError
        self._within = section
        self.deployment.open.append(section)
        try:
            with blaming(place_in(self.files, section), self.files):
                context = super().get_context(object_type, name, global_conf)
        finally:
            self.deployment.open.pop()
        # A context of filter-with wraps that of the section, which wraps that of its use =.
        inner = context
        while inner.object_type is FILTER_WITH:
            inner.section = getattr(inner, "section", section)
            inner.files = self.files
            inner = inner.next_context
        inner.sections = (section, *getattr(inner, "sections", ()))
        inner.files = self.files
        return context

    def _context_from_explicit(
        self, object_type: Any, local_conf: Any, global_conf: Any, additions: Any, section: str
    ) -> Any:
        """Import the factory that a ``paste.…_factory`` key names."""
        keys = [key for key in local_conf if key.startswith("paste.")]
        place = place_in(self.files, Section(self.filename, section), keys[0] if keys else "")
        try:
            with blaming(place):
                if not keys:
                    message = f"expected use =, such as use = egg:{_EXAMPLES[object_type]}"
                    raise _UnknownNameError(message, "not-deployable")
                context = super()._context_from_explicit(
                    object_type, local_conf, global_conf, additions, section
                )
        except DeploymentError as error:
            context = self.stand_in(object_type, error, None, global_conf)
            context.protocol = next(iter(keys), context.protocol)
            context.local_conf = {k: v for k, v in local_conf.items() if k not in keys}
            del context.sections
        context.files = self.files
        return context

    def mention(self, name: str | None) -> Place:
        """Return where the section that is being loaded mentions a name."""
        section = self._within
        if section is None or name is None:
            return Place("section", self.filename)
        key, _ = self._naming(section, name)
        return place_in(self.files, section, key, name if key else "")

    def _naming(self, section: Section, name: str) -> tuple[str, str]:
        """Return the key of a section that names another, and its value."""
        items = self.files[section.file].sections.get(section.name, {})
        if section not in self._keys:
            # Those that always name sections come last, and so win.
            keys = reversed((*NAMING_KEYS, *items))
            self._keys[section] = {word: key for key in keys for word in items.get(key, "").split()}
        key = self._keys[section].get(name, "")
        return key, items.get(key, "")

    def find_config_section(self, object_type: Any, name: str | None = None) -> str:
        """Return the section with a name; an error says which names there are."""
        found = [
            matches
            for prefixes in object_type.config_prefixes
            for matches in [
                next(filter(None, (self._sections_called(prefix, name) for prefix in prefixes)), [])
            ]
        ]
        sections = [section for matches in found for section in matches]
        if len(sections) == 1:
            return sections[0]
        name = name or "main"
        if not sections:
            raise _UnknownNameError(self._no_such(object_type, name), "unknown-name")
        first, second = sections[:2]
        message = f"[{first}] and [{second}] have the same name; rename one of them"
        if name == "main" and "pipeline:main" in sections:
            other = next(section for section in sections if section != "pipeline:main")
            message = (
                f"[{first}] and [{second}] have the same name; rename [{other}], to [app:myapp] for"
                " example, and name that last in the pipeline, or drop the pipeline and write"
                f" filter-with = FILTER in [{other}]"
            )
        raise _UnknownNameError(message, "ambiguous-name")

    def names(self, object_type: Any) -> list[str]:
        """Return the names of the sections of a kind."""
        prefixes = [prefix for prefixes in object_type.config_prefixes for prefix in prefixes]
        return [name for prefix, name in self._called if prefix in prefixes]

    def _sections_called(self, prefix: str, name: str | None) -> list[str]:
        unnamed = [prefix] if name is None and prefix in self.parser.sections() else []
        return [*unnamed, *self._called.get((prefix, name or "main"), ())]

    @functools.cached_property
    def _called(self) -> Mapping[tuple[str, str], list[str]]:
        """The sections by prefix and name; a file may have ten thousand."""
        called: dict[tuple[str, str], list[str]] = {}
        for section in self.parser.sections():
            prefix, _, name = section.partition(":")
            called.setdefault((prefix, name.strip()), []).append(section)
        return called

    def _no_such(self, object_type: Any, name: str) -> str:
        """Return what is wrong with a name that no section has."""
        kind, other = ("a filter", "an application")
        if object_type is APP:
            kind, other = other, kind
        _, value = self._naming(self._within, name) if self._within else ("", name)
        if any(word.startswith(("#", ";")) for word in value.split()):
            return "expected only names; put a comment on a line of its own"
        if name.strip(",") != name or "," in name:
            return "expected names separated by whitespace, not by commas"
        if name in self.names(APP if object_type is FILTER else FILTER):
            rule = "the last name in a pipeline is the application's"
            return f"expected {kind}, but {name} is {other}; {rule}"
        if self._within is None:
            if misspelt := self._misspelt(name):
                kind = difflib.get_close_matches(misspelt, _KINDS, n=1)[0]
                return f"[{misspelt}:{name}] is no application; did you mean [{kind}:{name}]?"
            names = ", ".join(self.names(object_type)[:_MAX_NAMES]) or "none"
            file = os.path.basename(self.filename)  # noqa: PTH119
            return f"no {kind.partition(' ')[2]} is called {name}; {file} has {names}"
        near = difflib.get_close_matches(name, self.names(object_type)[:_MAX_NAMES], n=1)
        advice = f"; did you mean {near[0]}?" if near else ""
        return f"there is no [{object_type.config_prefixes[0][0]}:{name}]{advice}"

    def _misspelt(self, name: str) -> str:
        """Return what a section with this name has for a kind, if that is nearly one."""
        kinds = (prefix for prefix, other in self._called if other == name)
        near = (kind for kind in kinds if difflib.get_close_matches(kind, _KINDS, n=1))
        return next(near, "")


def _check_entry_point(uri: str, object_type: Any) -> None:
    """Refuse an entry point that this distribution does not have; suggest the nearest."""
    distribution, _, name = uri[len("egg:") :].partition("#")
    if not uri.lower().startswith("egg:") or _canonical(distribution) != "wsgi-mw-paste":
        return
    name = name or "main"
    known = [*FACTORIES] if object_type is FILTER else _applications()
    if name in known:
        return
    if object_type is not FILTER and name in FACTORIES:
        message = f"expected an application, but {uri} is a filter; name it in front of one"
    else:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        advice = f"did you mean {near[0]}?" if near else f"it has {', '.join(known)}"
        kind = "filter" if object_type is FILTER else "application"
        message = f"wsgi_mw_paste has no {kind} {name}; {advice}"
    raise _UnknownNameError(message, "unknown-entry-point")


def _applications() -> list[str]:
    """Return the names of our applications."""
    entry_points = importlib.metadata.distribution("wsgi_mw_paste").entry_points
    return [entry.name for entry in entry_points if entry.group == "paste.app_factory"]


def _canonical(distribution: str) -> str:
    """Return the name of a distribution as PEP 503 spells it."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _explained(error: BaseException, place: Place, files: IniFiles | None) -> DeploymentError:
    """Return the error in one line."""
    match error:
        case configparser.Error() if files is not None:
            return _ill_formed(error, place, files)
        case KeyError() if files is not None and (key := _getting(error, place, files)):
            place = place_in(files, Section(place.file, place.section), key)
            return DeploymentError(place, _undefined(str(error.args[0])), "undefined-variable")
        case _UnknownNameError():
            return DeploymentError(place, str(error), error.code)
        case importlib.metadata.PackageNotFoundError():
            message = f"the distribution {error.name} is not installed here"
            return DeploymentError(place, message, "missing-code")
        case ImportError():
            message = described(error)
            return DeploymentError(place, message, "missing-code")
        case OSError() if error.strerror:
            message = error.strerror
            if error.filename and error.filename != place.file:
                message = f"{error.filename}: {message}"
        case AttributeError() if isinstance(error.obj, ModuleType) and error.name:
            message = f"the module {error.obj.__name__} has no {error.name}"
            if near := difflib.get_close_matches(str(error.name), vars(error.obj), n=1):
                message += f"; did you mean {near[0]}?"
        case _:
            message = _message_of(error, place)
    return DeploymentError(place, message)


def _getting(error: KeyError, place: Place, files: IniFiles) -> str:
    """Return the key ``get NAME`` that asks for what the error misses, empty if there is none."""
    items = files[place.file].sections.get(place.section, {})
    keys = (key for key, text in items.items() if key.startswith("get ") and text in error.args)
    return next(keys, "")


def _undefined(name: str, written: str = "") -> str:
    """Return that a variable has no value.

    :param written: how it is asked for, if not by its name.
    """
    return (
        f"nothing defines {written or name}; write {name} = … in [DEFAULT] or give {name}=… on the"
        " command line"
    )


def _message_of(error: BaseException, place: Place) -> str:
    match error:
        case UnicodeDecodeError():
            return f"expected text in {error.encoding}"
        case RecursionError():
            return "these sections refer to each other in a circle"
        case SystemExit():
            return "the code named here ends the process (SystemExit)"
        case IndexError() if place.section.startswith("pipeline:"):
            return "expected the names of filters, then the name of an application"
        case LookupError() if type(error) is LookupError:
            # Raised by PasteDeploy itself, whose message is a sentence.
            return in_one_line(error)
    return described(error)


def _ill_formed(error: configparser.Error, place: Place, files: IniFiles) -> DeploymentError:
    """Return an error of the parser without the text that it repeats, which may be a secret."""
    file, code = str(getattr(error, "source", place.file)), "ini-syntax"
    match error:
        case configparser.MissingSectionHeaderError():
            place = Place("section", file, line=error.lineno)
            message = "expected a [section] before the first key"
            if files[file].text.startswith("\ufeff"):
                message = "expected no byte order mark; save the file as UTF-8 without one"
        case configparser.ParsingError():
            place = Place("section", file, line=error.errors[0][0])
            message = "expected KEY = VALUE, or whitespace before a line that continues a value"
        case configparser.DuplicateSectionError():
            place = Place("section", file, error.section, line=error.lineno)
            message = "this section appears twice; keep only one"
        case configparser.DuplicateOptionError():
            place = Place("section", file, error.section, error.option, error.lineno)
            message = "this key appears twice; keep only one"
        case _:
            section = getattr(error, "section", place.section)
            place = Place("section", place.file, section, getattr(error, "option", ""))
            place = place_in(files, Section(place.file, section), place.key)
            message = "expected %(NAME)s, or %% for a %"
            if place.key in ("here", "__file__"):
                message = "PasteDeploy loads no file with a % in its path; rename the folder"
            elif name := getattr(error, "reference", ""):
                message, code = _undefined(name, f"%({name})s"), "undefined-variable"
    return DeploymentError(place, message, code)
