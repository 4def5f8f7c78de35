"""Where things are written, down to the line, and what the command finds there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from wsgi_mw_paste._ini import Section
from wsgi_mw_paste.settings import describe

if TYPE_CHECKING:
    from wsgi_mw_paste._ini import IniFiles, Source


class Place(NamedTuple):
    """Where something is written.

    :ivar level: as of a :class:`~wsgi_mw_paste._ini.Source`.
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

    :ivar level: ``error``: no server starts with this, or it fails; ``warning``; or ``note``.
    :ivar value: the text that is wrong, ``None`` where it does not matter.
    :ivar message: what is wrong, and what to write instead.
    """

    level: str
    place: Place
    message: str
    value: str | None = None

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


def _relative(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
