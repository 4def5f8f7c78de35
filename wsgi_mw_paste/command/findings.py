"""Where things are written, down to the line, and what the command finds there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wsgi_mw_paste.settings import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: What a source starts with that is no file.
_NOT_FILES: Final = ("environment", "command line", "global_conf", "default")


class Section(NamedTuple):
    """A section of a file, without its brackets."""

    file: str
    name: str


class Place(NamedTuple):
    """Where something is written.

    :ivar level: ``section``, ``set``, ``command line``, ``[DEFAULT]``, ``environment``, ``.env`` or
        ``default``, as of a :class:`~wsgi_mw_paste._ini.Source`.
    :ivar file: the path, empty if it is in none; the same goes for the next two.
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
        """Return a JSON object; what there is not is ``null``."""
        return {name: value or None for name, value in self._asdict().items()}


class Finding(NamedTuple):
    """One thing that is wrong, or worth knowing.

    :ivar code: which kind of finding: one of :data:`CODES`.
    :ivar level: ``error``: no server starts with this, or it fails; ``warning``; or ``note``.
    :ivar value: the text that is wrong, ``None`` where it does not matter.
    :ivar message: what is wrong, and what to write instead.
    """

    level: str
    place: Place
    message: str
    value: str | None = None
    code: str = ""

    def __str__(self) -> str:
        return str(Problem("", self.value, str(self.place), self.message))

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {**self._asdict(), "place": self.place.as_json()}


def place_in(section: Section, key: str = "", item: str = "") -> Place:
    """Return the place of a key of a section, or of the section itself.

    :param item: a part of the value; if it is on a line of its own, that line is meant.
    """
    return Place("section", section.file, section.name, key, find_line(section, key, item))


def locate(source: str, own: Iterable[Section], item: str | None = None) -> Place:
    """Return the place that a problem or a value came from.

    :param source: as :mod:`wsgi_mw_paste.settings` writes it.
    :param own: the sections that configure the filter; they settle what the source leaves open.
    :param item: a part of the value, for its line.
    """
    for level in _NOT_FILES:
        if source.startswith(f"{level} "):
            return Place(level, key=source[len(level) + 1 :])
    if match := re.fullmatch(r"(.*[/\\]\.env)(?: (\w+))?", source):
        file, key = match.groups(default="")
        return Place(".env", file, "", key, find_line(Section(file, ""), key, item or ""))
    head, bracket, key = source.rpartition("] ")
    if not bracket:
        # The section was not recognized: the factory goes by a name of somebody else's.
        file, _, key = source.rpartition(" ")
        places = (place_in(each, key, item or "") for each in own)
        return next((each for each in places if each.line), Place("section", file, "", key))
    named = [Section(*each.split(" [", 1)) for each in head.split("] or ")]
    section = next((each for each in own if each in named), named[0])
    level = "[DEFAULT]" if section.name == "DEFAULT" else "section"
    level = "set" if key.startswith("set ") else level
    return place_in(section, key, item or "")._replace(level=level)


def find_line(section: Section, key: str = "", item: str = "") -> int | None:
    """Return the number of the line with a key, or of the section's header; ``None`` if unknown."""
    try:
        text = Path(section.file).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # In front of a key there may be PasteDeploy's get, in a .env file the shell's export.
    written = re.compile(rf"((get|export)\s+)?{re.escape(key)}\s*[=:]")
    current, found = "", None
    for number, line in enumerate(text.splitlines(), 1):
        if found is not None:
            if not line[:1].isspace():
                break
            if item in line:
                return number
        elif header := re.match(r"\[(.+)\]", line):
            current = header[1]
            if current == section.name and not key:
                return number
        elif current == section.name and written.match(line):
            if item in line:
                return number
            found = number
    return found


def _relative(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


#: The kinds of findings by their codes, each in one line; the documentation is generated from it.
#: A code keeps its meaning from release to release.
CODES: Final[Mapping[str, str]] = {
    # Logging sections.
    "access-log-lost": "access records are written, but no handler gets them",
    "attach-without-target": "an AttachRequestIdFilter has no target, so it does nothing",
    "keys-differ-in-case": "two keys of a section differ in case only, which fileConfig refuses",
    "logging-arguments": "the args, kwargs or defaults of a logging section are wrong",
    "logging-class": "the class of a handler or formatter does not exist, or is none",
    "logging-filters-ignored": "fileConfig has no filters and ignores these",
    "logging-format": "the format or style of a formatter is wrong",
    "logging-key-missing": "a logging section lacks a key that fileConfig needs",
    "logging-level": "a level, or propagate, is none that logging knows",
    "logging-name-unknown": "a logging section names a handler or formatter that is not listed",
    "logging-section-missing": "a list of loggers, handlers or formatters is missing or names"
    " something that has no section",
    "logging-section-unlisted": "no list names a logging section, so fileConfig ignores it",
    "missing-code": "a module that the file names is not installed here",
    "no-logging": "there are no logging sections, and filters that write access records",
    "request-id-missing": "a formatter writes records without the request id",
    "undefined-variable": "nothing defines a variable written as %(NAME)s",
}
