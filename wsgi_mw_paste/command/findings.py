"""Where things are written, down to the line, and what the command finds there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wsgi_mw_paste._ini import Section
from wsgi_mw_paste.settings import describe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgi_mw_paste._ini import IniFiles, Source


#: How much of an exception's message is shown, in characters.
_MESSAGE_LIMIT: Final = 500


class Place(NamedTuple):
    """Where something is written.

    :ivar level: that of a :class:`~wsgi_mw_paste._ini.Source`.
    :ivar file: the path, empty if it is in no file; the same goes for the next two.
    :ivar line: counted from 1.
    """

    level: str
    file: str = ""
    section: str = ""
    key: str = ""
    line: int | None = None

    def __str__(self) -> str:
        if not self.file:
            return f"{self.level} {self.key}".rstrip()
        line = f":{self.line}" if self.line else ""
        section = f" [{self.section}]" if self.section else ""
        return f"{_relative(self.file)}{line}{section} {self.key}".rstrip()

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object; what is missing is ``null``."""
        return {name: value or None for name, value in self._asdict().items()}


class Finding(NamedTuple):
    """One thing that is wrong, or worth knowing.

    :ivar level: ``error`` (no server starts with this, or it fails), ``warning`` or ``note``.
    :ivar value: the text that is wrong, ``None`` where it does not matter.
    :ivar message: what is wrong, and what to write instead.
    :ivar code: which kind of finding: one of :data:`CODES`.
    """

    level: str
    place: Place
    message: str
    value: str | None = None
    code: str = ""

    def __str__(self) -> str:
        return describe(self.place, self.value, self.message)

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {**self._asdict(), "place": self.place.as_json()}


def place_in(files: IniFiles, section: Section, key: str = "", item: str = "") -> Place:
    """Return the place of a key of a section, or of the section itself.

    :param item: a part of the value; if it is on a line of its own, that line is meant.
    """
    line = files[section.file].line(section.name, key, item)
    return Place("section", section.file, section.name, key, line)


def locate(files: IniFiles, source: Source, item: str | None = None) -> Place:
    """Return the place of a source, with its line.

    :param item: a part of the value, for its line.
    """
    if not source.file:
        return Place(source.level, key=source.key)
    section = source.sections[0] if source.sections else ""
    place = place_in(files, Section(source.file, section), source.key, item or "")
    return place._replace(level=source.level)


def in_one_line(error: BaseException) -> str:
    """Return the message of an exception without line breaks, cut to 500 characters."""
    return " ".join(str(error).split())[:_MESSAGE_LIMIT]


def described(error: BaseException) -> str:
    """Return the type and the message of an exception in one line."""
    return f"{type(error).__name__}: {in_one_line(error)}".removesuffix(": ")


def _relative(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


#: The kinds of findings by their codes, each in one line; the documentation is generated from it.
#: A code keeps its meaning from release to release.
CODES: Final[Mapping[str, str]] = {
    # Loading.
    "ambiguous-name": "two sections have the same name",
    "filter-raises": "the factory of a filter of another package raises an exception",
    "ini-syntax": "the file is not an INI file that PasteDeploy can read",
    "invalid-option": "an option of ours is unknown, or its value is wrong",
    "missing-code": "code that the file names is not installed here",
    "not-deployable": "PasteDeploy cannot load a part of the deployment",
    "unknown-entry-point": "this package has no filter of that name",
    "unknown-name": "no section has the name that a pipeline, a use = or a composite gives",
    # Order.
    "answers-for-itself": "a filter answers requests that a filter of ours inside it should see",
    "cors-overlap": "two cors filters apply to the same paths",
    "filter-twice": "a request passes through two filters of one kind",
    "order-errors": "errors is outside a filter that its answers should pass through",
    "order-request-id": "request_id is inside another filter of ours",
    "outside-errors": "a filter of another package never sees an exception of the application",
    # Values.
    "cors-off": "cors_allowed is empty, so CORS is off",
    "health-logged": "probes write access records",
    "id-not-exposed": "scripts cannot read the request id",
    "remark": "there is something to know about a value",
    "suffix-list-missing": "patterns over public suffixes are only partly recognized",
    "tokens-verbatim": "Bearer tokens are logged as they are",
    "value-hidden": "a global value hides the value of a section",
    # What does nothing.
    "no-filter": "no filter of ours is in front of the application",
    "option-misplaced": "an option of ours is in a section that is not our filter's",
    "option-nearly": "a key in [DEFAULT], or after set, is nearly the name of an option of ours",
    "unused-filter": "no pipeline uses a filter section of ours",
    "variable-nearly": "an environment variable is nearly the name of one of ours",
    # Logging sections.
    "access-log-lost": "access records are written, but no handler gets them",
    "attach-without-target": "an AttachRequestIdFilter has no target, so it does nothing",
    "keys-differ-in-case": "two keys of a section differ only in case, which fileConfig refuses",
    "logging-arguments": "the args, kwargs or defaults of a logging section are wrong",
    "logging-class": "the class of a handler or formatter does not exist, or is not one",
    "logging-filters-ignored": "fileConfig has no filters and ignores these",
    "logging-format": "the format or style of a formatter is wrong",
    "logging-key-missing": "a logging section lacks a key that fileConfig needs",
    "logging-level": "a value of level or propagate is not one that logging knows",
    "logging-name-unknown": "a logging section names a handler or formatter that is not listed",
    "logging-section-missing": "a list of loggers, handlers or formatters is missing or names"
    " something that has no section",
    "logging-section-unlisted": "no list names a logging section, so fileConfig ignores it",
    "no-logging": "there are no logging sections, and filters that write access records",
    "request-id-missing": "a formatter writes records without the request id",
    "undefined-variable": "nothing defines a variable written as %(NAME)s or after get KEY =",
}
