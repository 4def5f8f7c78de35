"""The INI file, re-read as it stands, to say where a value was written.

PasteDeploy tells a factory neither its section, nor which global value came from where, nor that
``[DEFAULT]`` made it drop an option of the section. This module finds out, for messages and for the
command. Nothing in it raises: a message must not get lost because its place was not found.
"""

from __future__ import annotations

import configparser
import os
import re
from pathlib import Path
from typing import NamedTuple


class Source(NamedTuple):
    """Where the value in force was written.

    :ivar level: ``section``, ``set``, ``command line``, ``[DEFAULT]``, ``global_conf`` (a factory
        called without a file), ``environment`` or ``.env``.
    :ivar place: the file and section, or the environment.
    :ivar key: the option as it is spelled there.
    """

    level: str
    place: str
    key: str

    def __str__(self) -> str:
        return f"{self.place} {self.key}"


class Ini:
    """The sections of one kind of filter, in a file and in the files it refers to.

    :param path: the file PasteDeploy was given; ``None`` if there is none.
    :param filter_name: the name of the filter's entry point.
    """

    def __init__(self, path: str | None, filter_name: str) -> None:
        self._path = path
        self._files = [_File(path)] if path else []
        if self._files:
            self._files += map(_File, self._files[0].included())
        # Every section that configures this filter, or that such a section inherits from.
        self._sections = list(
            dict.fromkeys(
                link
                for file in self._files
                for section in file.sections
                if section.startswith(("filter:", "filter-app:"))
                for link in self._chain(file, section, filter_name)
            )
        )

    def places(self, key: str) -> list[tuple[str, str]]:
        """Return the sections of this filter that have *key*, each with its raw text."""
        return [
            (f"{file.path} [{section}]", file.sections[section][key])
            for file, section in self._sections
            if key in file.sections[section]
        ]

    def place(self, key: str, value: object) -> str:
        """Return the section or sections in which *key* has *value*, as far as can be known."""
        found = self.places(key)
        exact = [place for place, text in found if text == value] or [place for place, _ in found]
        return " or ".join(exact) or self._path or "local_conf"

    def global_source(self, key: str, value: object) -> Source:
        """Return which of PasteDeploy's global values this one is."""
        for level, written in (("[DEFAULT]", key), ("set", f"set {key}")):
            for file in self._files:
                for section in file.sections:
                    is_default = section == "DEFAULT"
                    if is_default is (written == key) and file.value(section, written) == value:
                        return Source(level, f"{file.path} [{section}]", written)
        if self._path is None:
            return Source("global_conf", "global_conf", key)
        return Source("command line", "command line", key)

    def _chain(
        self, file: _File, section: str, filter_name: str, depth: int = 8
    ) -> list[tuple[_File, str]]:
        """Return *section* and the sections it inherits from, if they end at this filter."""
        items = file.sections.get(section, {})
        use = items.get("use", items.get("paste.filter_factory", "")).strip()
        if _names_filter(use, filter_name):
            return [(file, section)]
        if not use or not depth:
            return []
        if use.startswith("config:"):
            path, _, name = use.removeprefix("config:").partition("#")
            files = [each for each in self._files if each.path == file.resolve(path)]
        else:
            files, name = [file], use
        chain = [
            link
            for each in files
            for link in self._chain(each, f"filter:{name or 'main'}", filter_name, depth - 1)
        ]
        return [(file, section), *chain] if chain else []


def _names_filter(use: str, filter_name: str) -> bool:
    """Say whether a ``use =`` names the entry point or the factory of this filter."""
    if match := re.fullmatch(r"egg:([^#]+)(?:#(.*))?", use):
        # PEP 503: every spelling of a distribution's name that importlib.metadata finds.
        distribution = re.sub(r"[-_.]+", "-", match[1]).lower()
        return distribution == "wsgi-mw-paste" and (match[2] or "main") == filter_name
    return use.removeprefix("call:") == f"wsgi_mw_paste.factories:{filter_name}"


class _File:
    """One file's sections, ``[DEFAULT]`` among them, without inheritance and interpolation."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._here = str(Path(path).parent)
        self.sections: dict[str, dict[str, str]] = {}
        self._parser = configparser.ConfigParser(
            default_section="", interpolation=None, strict=False
        )
        # The recipe of configparser's own documentation, and what PasteDeploy does.
        self._parser.optionxform = str  # type: ignore[assignment, method-assign]
        try:
            self._parser.read(path)
        except (configparser.Error, OSError, ValueError):
            return
        self.sections = {name: dict(self._parser[name]) for name in self._parser.sections()}

    def value(self, section: str, key: str) -> str | None:
        """Return what PasteDeploy makes of a value, ``None`` if there is none."""
        items = self.sections[section]
        known = {"here": self._here, "__file__": self.path}
        known = {**known, **self.sections.get("DEFAULT", {}), **items}
        try:
            return configparser.BasicInterpolation().before_get(
                self._parser, section, key, items[key], known
            )
        except (configparser.Error, KeyError):
            return None

    def included(self) -> list[str]:
        """Return the files that any value here refers to as ``config:FILE``."""
        texts = [text for items in self.sections.values() for text in items.values()]
        found = re.findall(r"(?:^|\s)config:([^\s#]+)", "\n".join(texts))
        return [path for path in dict.fromkeys(map(self.resolve, found)) if path != self.path]

    def resolve(self, path: str) -> str:
        """Return the path of a file named in this one."""
        path = path.strip().replace("%(here)s", self._here)
        return os.path.normpath(Path(self._here, path))
