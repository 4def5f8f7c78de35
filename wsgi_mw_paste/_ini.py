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
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

#: How many files are read at most, and how many ``use =`` are followed.
_MAX_FILES: Final = 32
_MAX_DEPTH: Final = 8


class Source(NamedTuple):
    """Where the value in force was written.

    :ivar level: ``section``, ``set``, ``command line``, ``[DEFAULT]``, ``global_conf`` (there is
        no file to tell the three apart), ``environment`` or ``.env``.
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

    :param global_conf: PasteDeploy's global values; ``__file__`` is the file it was given.
    :param filter_name: the name of the filter's entry point.
    """

    def __init__(self, global_conf: Mapping[str, object], filter_name: str) -> None:
        path = global_conf.get("__file__")
        self._path = path if isinstance(path, str) else ""
        self._files: list[_File] = []
        paths = [os.path.normpath(self._path)] if self._path else []
        for each in paths:  # which grows on the way
            file = _File(each, global_conf)
            self._files.append(file)
            new = [path for path in file.included() if path not in paths]
            paths += new[: _MAX_FILES - len(paths)]
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
        return [(_place(*each), each[0].sections[each[1]][key]) for each in self._having(key)]

    def place(self, key: str, value: object) -> str:
        """Return the section or sections in which *key* has *value*, as far as can be known."""
        found = self._having(key)
        found = (
            [each for each in found if each[0].value(each[1], key) == value]
            or self._having(f"get {key}")
            or found
        )
        return " or ".join(_place(*each) for each in found) or self._path or "local_conf"

    def global_source(self, key: str, value: object) -> Source:
        """Return which of PasteDeploy's global values this one is."""
        for level, written in (("[DEFAULT]", key), ("set", f"set {key}")):
            for file in self._files:
                for section in ["DEFAULT"] if level == "[DEFAULT]" else file.sections:
                    if file.value(section, written) == value:
                        return Source(level, _place(file, section), written)
        if any(file.sections for file in self._files):
            return Source("command line", "command line", key)
        return Source("global_conf", self._path or "global_conf", key)

    def _having(self, key: str) -> list[tuple[_File, str]]:
        return [each for each in self._sections if key in each[0].sections[each[1]]]

    def _chain(
        self, file: _File, section: str, filter_name: str, depth: int = _MAX_DEPTH
    ) -> list[tuple[_File, str]]:
        """Return *section* and the sections it inherits from, if they end at this filter."""
        use = file.value(section, "use") or file.value(section, "paste.filter_factory") or ""
        if _names_filter(use, filter_name):
            return [(file, section)]
        if not depth:
            return []
        files, name = [file], use
        if path := _included_path(use):
            files = [each for each in self._files if each.path == file.resolve(path)]
            name = use.partition("#")[2] or "main"
        chain = [
            link
            for each in files
            for other in each.sections
            # PasteDeploy reads [filter: cors], too.
            if other.startswith("filter:") and other[len("filter:") :].strip() == name
            for link in self._chain(each, other, filter_name, depth - 1)
        ]
        return [(file, section), *chain] if chain else []


def _place(file: _File, section: str) -> str:
    return f"{file.path} [{section}]"


def _names_filter(use: str, filter_name: str) -> bool:
    """Say whether a ``use =`` names the entry point or the factory of this filter."""
    if match := re.fullmatch(r"(?i:egg):([^#]+)(?:#(.*))?", use):
        # PEP 503: every spelling of a distribution's name that importlib.metadata finds.
        distribution = re.sub(r"[-_.]+", "-", match[1]).lower()
        return distribution == "wsgi-mw-paste" and (match[2] or "main") == filter_name
    return re.sub(r"(?i)^call:", "", use) == f"wsgi_mw_paste.factories:{filter_name}"


def _included_path(uri: str) -> str:
    """Return the path in ``config:PATH#name``, empty if the text is nothing of that kind."""
    match = re.match(r"(?i)config:([^#]*)", uri)
    return match[1] if match else ""


class _File:
    """One file's sections, ``[DEFAULT]`` among them, without inheritance and interpolation."""

    def __init__(self, path: str, global_conf: Mapping[str, object]) -> None:
        self.path = path
        self._here = str(Path(path).parent)
        self.sections: dict[str, dict[str, str]] = {}
        self._variables: dict[str, str] = {}
        self._parser = configparser.ConfigParser(default_section="", interpolation=None)
        # The recipe of configparser's own documentation, and what PasteDeploy does.
        self._parser.optionxform = str  # type: ignore[assignment, method-assign]
        try:
            # A pipe, such as /dev/stdin, has been read by PasteDeploy and would wait for more.
            if Path(path).is_file():
                self._parser.read(path)
        except (configparser.Error, OSError, ValueError):
            return
        self.sections = {name: dict(self._parser[name]) for name in self._parser.sections()}
        # In the order of PasteDeploy: what the file says is stronger than the command line.
        self._variables = {key: text for key, text in global_conf.items() if isinstance(text, str)}
        self._variables |= {"here": self._here, "__file__": path}
        self._variables |= self.sections.get("DEFAULT", {})

    def value(self, section: str, key: str) -> str | None:
        """Return what PasteDeploy makes of a value, ``None`` if there is none."""
        items = self.sections.get(section, {})
        if key not in items:
            return None
        try:
            return configparser.BasicInterpolation().before_get(
                self._parser, section, key, items[key], self._variables | items
            )
        except configparser.Error:
            return None

    def included(self) -> list[str]:
        """Return the files that any value here refers to as ``config:PATH``."""
        texts = [
            self.value(section, key) or ""
            for section, keys in self.sections.items()
            for key in keys
        ]
        # A value as a whole, since a path may have blanks, and each word of a pipeline.
        uris = [uri for text in texts for uri in (text, *text.split())]
        return list(dict.fromkeys(self.resolve(path) for path in map(_included_path, uris) if path))

    def resolve(self, path: str) -> str:
        """Return the path of a file named in this one, as PasteDeploy reads it."""
        return os.path.normpath(Path(self._here, unquote(path.replace("\\", "/"))))
