"""PasteDeploy's loader, asked for its contexts, and its errors made one line each.

For the command. What PasteDeploy cannot load is no guess here: its own loader reads the files and
imports the factories. It calls none of them.
"""

from __future__ import annotations

import configparser
import contextlib
import importlib.metadata
import os
from typing import TYPE_CHECKING, Any, Final

from paste.deploy.loadwsgi import APP, FILTER_WITH, ConfigLoader, NicerConfigParser

from wsgi_mw_paste._ini import IniFiles, Section, included_path
from wsgi_mw_paste.command.findings import Place, place_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MESSAGE_LIMIT: Final = 500


class DeploymentError(Exception):
    """The file cannot be deployed; the message is one line.

    :ivar place: where the cause is written.
    """

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(f"{place}: {message}")
        self.place = place
        self.message = message


def load_context(path: str, name: str, variables: Mapping[str, str] | None) -> Any:
    """Return the context of ``loadapp("config:PATH", NAME, global_conf=VARIABLES)``.

    Each context has three attributes more than PasteDeploy's own: ``files``, which it was read
    from, ``sections``, which configure it, each inheriting from the next, and ``spec``, what a name
    without a section is.

    :raises DeploymentError: there is none.
    """
    files = IniFiles(variables, reread=False)
    with blaming(Place("section", path), files):
        return _FileLoader(path, files, variables).get_context(APP, name, variables)


@contextlib.contextmanager
def blaming(place: Place, files: IniFiles | None = None) -> Iterator[None]:
    """Turn whatever is raised into a :class:`DeploymentError`; here, or nearer to the cause.

    :param files: for the line of a cause that is nearer.
    """
    try:
        yield
    except DeploymentError:
        raise
    except Exception as error:
        raise _explained(error, place, files) from error


class _FileLoader(ConfigLoader):  # type: ignore[misc] # PasteDeploy has no types
    """PasteDeploy's loader, with contexts that know their sections, and each file read once."""

    def __init__(
        self, path: str, files: IniFiles, variables: Mapping[str, str] | None = None
    ) -> None:
        # As PasteDeploy does it, but for where the text comes from.
        file = files[path]
        if file.error is not None:
            raise file.error
        self.files = files
        self.filename = path
        defaults = {"here": os.path.dirname(path), "__file__": path}  # noqa: PTH120
        self.parser = NicerConfigParser(path, defaults=defaults)
        self.parser.optionxform = str
        self.parser.read_string(file.text, path)
        self.update_defaults(variables or {}, overwrite=False)

    def get_context(
        self, object_type: Any, name: str | None = None, global_conf: Any = None
    ) -> Any:
        if name is not None and (path := included_path(name)):
            path = self.files[self.filename].resolve(path)
            loader = _FileLoader(path, self.files, global_conf)
            return loader.get_context(object_type, name.partition("#")[2] or "main", global_conf)
        if self.absolute_name(name):
            context = super().get_context(object_type, name, global_conf)
            context.spec, context.sections, context.files = name, (), self.files
            return context
        section = Section(self.filename, self.find_config_section(object_type, name))
        with blaming(place_in(self.files, section), self.files):
            context = super().get_context(object_type, name, global_conf)
        # A context of filter-with stands for the section's, and that one for its use =.
        inner = context
        while inner.object_type is FILTER_WITH:
            inner.section = getattr(inner, "section", section)
            inner.files = self.files
            inner = inner.next_context
        inner.sections = (section, *getattr(inner, "sections", ()))
        inner.files = self.files
        return context

    def _context_from_explicit(self, *arguments: Any) -> Any:
        context = super()._context_from_explicit(*arguments)
        context.files = self.files
        return context


def _explained(error: Exception, place: Place, files: IniFiles | None) -> DeploymentError:
    """Return the error in one line."""
    match error:
        case configparser.Error():
            return _ill_formed(error, place, files)
        case UnicodeDecodeError():
            message = f"expected text in {error.encoding}"
        case RecursionError():
            message = "the sections use each other in a circle"
        case importlib.metadata.PackageNotFoundError():
            message = f"no distribution {error.name} is installed"
        case IndexError() if place.section.startswith("pipeline:"):
            message = "expected the names of filters, and last the one of an application"
        case OSError() if error.filename == place.file:
            message = str(error.strerror)
        case _:
            text = " ".join(str(error).split())[:_MESSAGE_LIMIT]
            # What PasteDeploy itself says is a sentence.
            message = text if type(error) is LookupError else f"{type(error).__name__}: {text}"
    return DeploymentError(place, message)


def _ill_formed(error: configparser.Error, place: Place, files: IniFiles | None) -> DeploymentError:
    """Return an error of the parser's without the text that it repeats: it may be a secret."""
    file = str(getattr(error, "source", place.file))
    match error:
        case configparser.MissingSectionHeaderError():
            place = Place("section", file, line=error.lineno)
            message = "expected a [section] before the first key"
        case configparser.ParsingError():
            place = Place("section", file, line=error.errors[0][0])
            message = "expected KEY = VALUE"
        case configparser.DuplicateSectionError():
            place = Place("section", file, error.section, line=error.lineno)
            message = "this section stands twice; keep only one"
        case configparser.DuplicateOptionError():
            place = Place("section", file, error.section, error.option, error.lineno)
            message = "this key stands twice; keep only one"
        case _:
            section = getattr(error, "section", place.section)
            place = Place("section", place.file, section, getattr(error, "option", ""))
            if files is not None:
                place = place_in(files, Section(place.file, section), place.key)
            message = "expected %(NAME)s for a NAME of this section or of [DEFAULT], %% for a %"
    return DeploymentError(place, message)
