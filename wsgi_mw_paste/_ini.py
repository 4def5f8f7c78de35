"""INI files as they are written: sections, values, line numbers, and the sections of one filter.

PasteDeploy tells a factory neither its section, nor which global value came from where, nor that
``[DEFAULT]`` made it drop an option of the section. This module finds out, for messages and for the
command. Nothing in it raises: a message must not get lost because its place was not found.
"""

from __future__ import annotations

import configparser
import functools
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: How many files a search for the sections of a filter reads.
_MAX_FILES: Final = 100
#: How the names of sections that configure filters begin.
_FILTER_SECTIONS: Final = ("filter:", "filter-app:")
#: The same for applications.
_APP_SECTIONS: Final = ("app:", "application:")
#: The filters that are applications as well, under the same name.
_APPLICATIONS: Final = ("health",)


class Section(NamedTuple):
    """A section of a file.

    :ivar name: what stands between the brackets.
    """

    file: str
    name: str


class Source(NamedTuple):
    """Where a value was written.

    :ivar level: ``section``, ``set``, ``command line``, ``[DEFAULT]``, ``environment``, ``.env``,
        ``code`` or ``default``; ``local_conf`` or ``global_conf`` if there is no INI file.
    :ivar file: the path of the INI or ``.env`` file, empty if the value is in none.
    :ivar sections: the name of the section; several where PasteDeploy does not tell which. For
        ``code`` it is the name of the class.
    :ivar key: the option as it is spelled there.
    """

    level: str
    file: str = ""
    sections: tuple[str, ...] = ()
    key: str = ""

    def __str__(self) -> str:
        if self.file:
            place = [self.file, " or ".join(f"[{name}]" for name in self.sections)]
        else:
            place = [*self.sections] or [self.level]
        return " ".join(part for part in (*place, self.key) if part)


class IniFile:
    """One file, read once: its sections, ``[DEFAULT]`` among them, without inheritance.

    :param path: an absolute path.
    :param variables: PasteDeploy's global values, for interpolation.
    :param reread: PasteDeploy has read the file before; a pipe, such as /dev/stdin, has nothing
        left then, and reading it would wait for more.
    :ivar text: the whole text, empty if the file cannot be read.
    :ivar error: why it cannot be read, or ``None``.
    :ivar sections: raw values by section and key; empty if the text is not an INI file.
    """

    def __init__(
        self, path: str, variables: Mapping[str, object] | None = None, *, reread: bool = True
    ) -> None:
        self.path = path
        self.text = ""
        self.error: OSError | ValueError | None = None
        self.sections: dict[str, dict[str, str]] = {}
        # In PasteDeploy's order: what the file says wins over the command line.
        given = variables or {}
        self._variables = {key: text for key, text in given.items() if isinstance(text, str)}
        self._variables |= {"here": str(Path(path).parent), "__file__": path}
        self._parser = configparser.ConfigParser(default_section="", interpolation=None)
        # The recipe of configparser's own documentation, and what PasteDeploy does.
        self._parser.optionxform = str  # type: ignore[assignment, method-assign]
        try:
            if Path(path).is_file() or not reread:
                # In the encoding of the locale, as PasteDeploy reads it.
                self.text = Path(path).read_text()
            self._parser.read_string(self.text)
        except configparser.Error:
            return
        except (OSError, ValueError) as error:
            self.error = error
            return
        self.sections = {name: dict(self._parser[name]) for name in self._parser.sections()}
        self._variables |= self.sections.get("DEFAULT", {})

    def value(self, section: str, key: str) -> str | None:
        """Return a value as PasteDeploy interpolates it, ``None`` if there is none."""
        items = self.sections.get(section, {})
        if key not in items:
            return None
        if "%" not in items[key]:
            return items[key]
        try:
            return configparser.BasicInterpolation().before_get(
                self._parser, section, key, items[key], self._variables | items
            )
        except configparser.Error:
            return None

    def included(self) -> list[str]:
        """Return the files that any value here refers to as ``config:PATH``."""
        found: dict[str, None] = {}
        for section, items in self.sections.items():
            for key, raw in items.items():
                may_refer = "config:" in raw.lower() or "%" in raw
                if may_refer and (text := self.value(section, key)):
                    # A value as a whole, since a path may have spaces, and each word of a pipeline.
                    paths = map(included_path, (text, *text.split()))
                    found.update((self.resolve(path), None) for path in paths if path)
        return list(found)

    def resolve(self, path: str) -> str:
        """Return the path of a file named in this one, as PasteDeploy reads it."""
        return os.path.normpath(Path(self.path).parent / unquote(path.replace("\\", "/")))

    def line(self, section: str, key: str = "", item: str = "") -> int | None:
        """Return the number of the line with a key, or of a section's header, from 1.

        :param key: without it, the header is meant; ``get KEY`` and ``export KEY`` count as well.
        :param item: a part of the value; if it is on a line of its own, that line is meant.
        :return: ``None`` if there is no such line.
        """
        lines = self._lines.get((section, key)) or self._lines.get((section, f"get {key}"))
        if lines is None:
            return None
        return lines.get(item, lines[""])

    def keys(self, section: str) -> list[tuple[str, int]]:
        """Return the keys of a section, each with the number of its line."""
        return [(key, lines[""]) for (name, key), lines in self._lines.items() if name == section]

    @functools.cached_property
    def _lines(self) -> dict[tuple[str, str], dict[str, int]]:
        """Line numbers by section and key: under "" that of the key, then that of each word."""
        found: dict[tuple[str, str], dict[str, int]] = {}
        section, current = "", None
        for number, line in enumerate(self.text.splitlines(), 1):
            if line.lstrip()[:1] in ("#", ";"):
                continue
            if line[:1].isspace() and current is not None:
                text = line
            elif header := re.match(r"\s*\[(.+)\]", line):
                section, current = header[1], None
                found.setdefault((section, ""), {"": number})
                continue
            elif match := re.match(r"\s*(?:export\s+)?([^=:]*?)\s*[=:](.*)", line):
                text = match[2]
                # The first one: a key that is there twice is an error anyway.
                current = found.setdefault((section, match[1]), {"": number})
            else:
                continue
            for word in (text.strip(), *re.split(r"[\s,]+", text)):
                current.setdefault(word, number)
        return found


class IniFiles:
    """The files of one deployment, each read at most once.

    :param variables: PasteDeploy's global values, for interpolation.
    :param reread: as for :class:`IniFile`.
    """

    def __init__(
        self, variables: Mapping[str, object] | None = None, *, reread: bool = True
    ) -> None:
        self._variables = variables
        self._reread = reread
        self._files: dict[str, IniFile] = {}
        self._reachable: dict[str, list[IniFile]] = {}

    def __getitem__(self, path: str) -> IniFile:
        if path not in self._files:
            self._files[path] = IniFile(path, self._variables, reread=self._reread)
        return self._files[path]

    def reachable(self, path: str) -> list[IniFile]:
        """Return a file and those that it refers to, directly or through others."""
        if path not in self._reachable:
            paths = [os.path.normpath(path)] if path else []
            for found in paths:  # the list grows meanwhile
                new = [other for other in self[found].included() if other not in paths]
                paths += new[: _MAX_FILES - len(paths)]
            self._reachable[path] = [self[found] for found in paths]
        return self._reachable[path]


class FilterSections:
    """The sections that configure one filter: where its options are written.

    :param files: the files that are read.
    :param global_conf: PasteDeploy's global values; ``__file__`` is the file it was given.
    :param filter_name: the name of the filter's entry point.
    :param sections: its sections, each inheriting from the next; by default they are searched for
        by the filter's name.
    """

    def __init__(
        self,
        files: IniFiles,
        global_conf: Mapping[str, object],
        filter_name: str,
        sections: Sequence[Section] | None = None,
    ) -> None:
        self.filter_name = filter_name
        path = global_conf.get("__file__")
        self._path = path if isinstance(path, str) else ""
        self._files = files.reachable(self._path)
        if sections is None:
            self._sections = sections_of(filter_name, self._files)
        else:
            self._sections = [(files[section.file], section.name) for section in sections]

    def texts_of(self, key: str) -> list[tuple[Source, str]]:
        """Return where these sections set *key*, and the raw text that each of them has."""
        return [
            (Source("section", file.path, (name,), key), file.sections[name][key])
            for file, name in self._setting(key)
        ]

    def local_source(self, key: str, value: object) -> Source:
        """Return where a value of ``local_conf`` is written, as far as that can be known."""
        setting = self._setting(key)
        found = (
            [(file, name) for file, name in setting if file.value(name, key) == value]
            or self._setting(f"get {key}")
            or setting
        )
        if not found:
            return Source("section" if self._path else "local_conf", self._path, (), key)
        # The outer file's first: its section wins over those that it inherits from.
        first = found[0][0]
        return Source(
            "section", first.path, tuple(name for file, name in found if file is first), key
        )

    def global_source(self, key: str, value: object) -> Source:
        """Return where one of PasteDeploy's global values is written."""
        for file in self._files:
            if file.value("DEFAULT", key) == value:
                return Source("[DEFAULT]", file.path, ("DEFAULT",), key)
        setting = f"set {key}"
        for file in self._files:
            for section in file.sections:
                if file.value(section, setting) == value:
                    return Source("set", file.path, (section,), setting)
        if any(file.sections for file in self._files):
            return Source("command line", key=key)
        return Source("global_conf", self._path, (), key)

    def _setting(self, key: str) -> list[tuple[IniFile, str]]:
        return [(file, name) for file, name in self._sections if key in file.sections.get(name, ())]


def sections_of(filter_name: str, files: Sequence[IniFile]) -> list[tuple[IniFile, str]]:
    """Return every section that uses this filter, directly or through another such section."""
    found: dict[tuple[str, str], None] = {}
    users: dict[tuple[str, str], list[tuple[str, str]]] = {}
    is_application = filter_name in _APPLICATIONS
    for file in files:
        for section in file.sections:
            is_filter = section.startswith(_FILTER_SECTIONS)
            if not is_filter and not (is_application and section.startswith(_APP_SECTIONS)):
                continue
            use = file.value(section, "use") or file.value(section, "paste.filter_factory") or ""
            if names_filter(use, filter_name):
                found[file.path, section] = None
            if is_filter:
                users.setdefault(_used_section(file, use), []).append((file.path, section))
    # Each section only once, so that circular references come to an end.
    reached = list(found)
    for path, section in reached:  # the list grows meanwhile
        if section.startswith("filter:"):
            # PasteDeploy reads [filter: cors], too.
            name = section.removeprefix("filter:").strip()
            new = [user for user in users.get((path, name), ()) if user not in found]
            found.update(dict.fromkeys(new))
            reached += new
    return [(file, section) for file in files for path, section in found if path == file.path]


def _used_section(file: IniFile, use: str) -> tuple[str, str]:
    """Return the path of the file and the name that a ``use =`` stands for."""
    if path := included_path(use):
        return file.resolve(path), use.partition("#")[2] or "main"
    return file.path, use


def names_filter(use: str, filter_name: str) -> bool:
    """Say whether a ``use =`` names the entry point or the factory of a filter of ours."""
    if match := re.fullmatch(r"(?i:egg):([^#]+)(?:#(.*))?", use):
        # PEP 503: every spelling of a distribution's name that importlib.metadata finds.
        distribution = re.sub(r"[-_.]+", "-", match[1]).lower()
        return distribution == "wsgi-mw-paste" and (match[2] or "main") == filter_name
    return re.sub(r"(?i)^call:", "", use) == f"wsgi_mw_paste.factories:{filter_name}"


def included_path(uri: str) -> str:
    """Return the path in ``config:PATH#name``, empty if the text has another form."""
    match = re.match(r"(?i)config:([^#]*)", uri)
    return match[1] if match else ""
