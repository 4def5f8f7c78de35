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
from urllib.parse import unquote

from paste.deploy.loadwsgi import APP, FILTER_WITH, ConfigLoader

from wsgi_mw_paste.command.findings import Place, Section, place_in

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

    Each context has two attributes more than PasteDeploy's own: ``sections``, which configure it,
    each inheriting from the next, and ``spec``, what a name without a section is.

    :raises DeploymentError: there is none.
    """
    with blaming(Place("section", path)):
        return _open(path, variables).get_context(APP, name, variables)


@contextlib.contextmanager
def blaming(place: Place) -> Iterator[None]:
    """Turn whatever is raised into a :class:`DeploymentError`; here, or nearer to the cause."""
    try:
        yield
    except DeploymentError:
        raise
    except Exception as error:
        raise _explained(error, place) from error


class _Loader(ConfigLoader):  # type: ignore[misc] # PasteDeploy has no types
    """A loader whose contexts know their sections."""

    def get_context(
        self, object_type: Any, name: str | None = None, global_conf: Any = None
    ) -> Any:
        if name is not None and name.lower().startswith("config:"):
            # As PasteDeploy does it, but for the class of the loader.
            path, _, name = name[len("config:") :].partition("#")
            path = os.path.join(os.path.dirname(self.filename), unquote(path.replace("\\", "/")))  # noqa: PTH118, PTH120
            loader = _open(os.path.normpath(path), global_conf)
            return loader.get_context(object_type, name or "main", global_conf)
        if self.absolute_name(name):
            context = super().get_context(object_type, name, global_conf)
            context.spec, context.sections = name, ()
            return context
        section = Section(self.filename, self.find_config_section(object_type, name))
        with blaming(place_in(section)):
            context = super().get_context(object_type, name, global_conf)
        each = context
        while each.object_type is FILTER_WITH:
            each.section = getattr(each, "section", section)
            each = each.next_context
        each.sections = (section, *getattr(each, "sections", ()))
        return context


def _open(path: str, variables: Mapping[str, str] | None) -> _Loader:
    loader = _Loader(path)
    loader.update_defaults(variables or {}, overwrite=False)
    return loader


def _explained(error: Exception, place: Place) -> DeploymentError:
    """Return the error in one line."""
    match error:
        case configparser.Error():
            return _ill_formed(error, place)
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


def _ill_formed(error: configparser.Error, place: Place) -> DeploymentError:
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
            message = "the section is there twice; keep one"
        case configparser.DuplicateOptionError():
            place = Place("section", file, error.section, error.option, error.lineno)
            message = "the key is there twice; keep one"
        case _:
            section = getattr(error, "section", place.section)
            place = place_in(Section(place.file, section), getattr(error, "option", ""))
            message = "expected %(NAME)s for a NAME of this section or of [DEFAULT], %% for a %"
    return DeploymentError(place, message)
