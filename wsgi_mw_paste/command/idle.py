"""What does nothing: sections, options and variables that look as if they did something.

For ``check`` alone: at start, a filter does not complain about what is not its own.
"""

from __future__ import annotations

import difflib
import functools
import os
import re
from typing import TYPE_CHECKING, Final

from wsgi_mw_paste._environment import DOTENV, FILE_SUFFIX
from wsgi_mw_paste._ini import IniFile, Section, sections_of
from wsgi_mw_paste._loading import PEERS_NAMES
from wsgi_mw_paste.command.findings import Finding, Place, place_in
from wsgi_mw_paste.command.loader import NAMING_KEYS
from wsgi_mw_paste.factories import FACTORIES
from wsgi_mw_paste.settings import options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wsgi_mw_paste._ini import IniFiles
    from wsgi_mw_paste.command.pipeline import Node

#: How similar a name has to be to an option to count as a misspelling of it; 1 is equal.
_NEARLY: Final = 0.9
#: How the names of filters' sections begin; logging has a section ``[filters]``.
_FILTERS: Final = ("filter:", "filter-app:")
#: How everything of ours is called in an INI file.
_OUR_URI: Final = re.compile(r"(?i)egg:wsgi[-_.]+mw[-_.]+paste(#|$)|(call:)?wsgi_mw_paste\.")
#: How many names without a section each unused filter is compared with.
_MAX_MISSPELT: Final = 10

#: The beginnings of names that are only ours. Swift, for one, has a log_requests of its own.
_DISTINCTIVE: Final = ("cors_", "request_id_", "log_tokens", "health_")


@functools.cache
def _owners() -> Mapping[str, Sequence[str]]:
    """Return the filters that have an option, by every key that sets one."""
    owners: dict[str, list[str]] = {}
    for factory in FACTORIES.values():
        for cls in factory.settings:
            for option in options(cls).values():
                owners.setdefault(option.name, []).append(factory.name)
                if option.secret:
                    owners.setdefault(option.name + FILE_SUFFIX.lower(), []).append(factory.name)
    return owners


def idle_findings(node: Node, path: str, *, is_whole: bool) -> Iterator[Finding]:
    """Yield what does nothing in a file and in the environment.

    :param node: what a request comes to first.
    :param path: the file.
    :param is_whole: there are no stand-ins, any of which may be in place of a filter of ours.
    """
    file = node.files[path]
    ours = {section: name for name in FACTORIES for _, section in sections_of(name, [file])}
    # Also what inherits from another file, by ``use = config:…``.
    ours |= {
        section.name: part.factory.name
        for route in node.routes()
        for part in route
        if part.factory
        for section in part.sections
        if section.file == path
    }
    # And what is meant to be ours, by a name that we do not have.
    ours |= {
        section: ""
        for section, items in file.sections.items()
        if section not in ours and section.startswith(_FILTERS) and _is_meant(items)
    }
    yield from _unused_filters(file, node.files, ours)
    yield from _misplaced_options(file, node.files, ours)
    if any(part.factory for route in node.routes() for part in route):
        yield from _near_globals(file, node.files)
        yield from _near_variables()
    elif is_whole and not ours:
        yield from _no_filter(file, node)


def _is_meant(items: Mapping[str, str]) -> bool:
    """Say whether a section wants to be a filter of ours, or does not say yet what it is."""
    made_by = items.get("use") or next((v for k, v in items.items() if k.startswith("paste.")), "")
    return not made_by or bool(_OUR_URI.match(made_by))


def _unused_filters(file: IniFile, files: IniFiles, ours: dict[str, str]) -> Iterator[Finding]:
    used = {
        word.rpartition("#")[2] if "#" in word else word
        for other in files.reachable(file.path)
        for section, items in other.sections.items()
        for key, text in items.items()
        if key in NAMING_KEYS or section.startswith("composit")
        for word in re.split(r"[\s,]+", text)
    }
    # What is misspelt is an error of its own.
    known = {name.partition(":")[2].strip() for name in file.sections}
    misspelt = sorted(word for word in used - known if ":" not in word)[:_MAX_MISSPELT]
    for section in ours:
        name = section.partition(":")[2].strip()
        if difflib.get_close_matches(name, misspelt, n=1):
            continue
        if section.startswith("filter:") and name not in used:
            message = f"no pipeline uses this filter, so it does nothing; {_how_to_use(name, file)}"
            yield Finding(
                "warning", place_in(files, Section(file.path, section)), message,
                code="unused-filter",
            )  # fmt: skip


def _how_to_use(name: str, file: IniFile) -> str:
    """Return what to write to put a filter in front of an application in this file."""
    for section, items in file.sections.items():
        if section.startswith("pipeline:") and "pipeline" in items:
            return f"write pipeline = {name} {' '.join(items['pipeline'].split())} in [{section}]"
    apps = [section for section in file.sections if section.startswith(("app:", "application:"))]
    return f"write {_around(apps[0] if apps else 'app:NAME', name, file)}"


def _around(section: str, name: str, file: IniFile) -> str:
    """Return the line that puts a filter around a section, and around those of its filter-with."""
    seen: set[str] = set()
    while (with_ := file.sections.get(section, {}).get("filter-with")) and section not in seen:
        seen.add(section)
        section = f"filter:{with_}"
    return f"filter-with = {name} in [{section}]"


def _misplaced_options(file: IniFile, files: IniFiles, ours: dict[str, str]) -> Iterator[Finding]:
    kinds = ("app", "composit", "filter", "server")
    for section, items in file.sections.items():
        if section in ours or not section.startswith(kinds):
            continue
        for key in items:
            name = key.lower()
            if name in _owners() and name.startswith(_DISTINCTIVE):
                owner = next((s for s, kind in ours.items() if kind in _owners()[name]), None)
                where = f"[{owner}]" if owner else "the section of a filter of wsgi_mw_paste"
                message = f"has no effect in this section; move it to {where}"
                place = place_in(files, Section(file.path, section), key)
                yield Finding("warning", place, message, code="option-misplaced")


def _near_globals(file: IniFile, files: IniFiles) -> Iterator[Finding]:
    for section, items in file.sections.items():
        for key in items:
            level, name = "[DEFAULT]", key
            if section != "DEFAULT":
                if not key.startswith("set "):
                    continue
                level, name = "set", key[len("set ") :].strip()
            if near := _nearly(name.lower()):
                place = place_in(files, Section(file.path, section), key)._replace(level=level)
                message = f"no option has this name; did you mean {near}?"
                yield Finding("warning", place, message, code="option-nearly")


def _near_variables() -> Iterator[Finding]:
    names = [(name, Place("environment", key=name)) for name in os.environ]
    dotenv = os.path.abspath(DOTENV)  # noqa: PTH100 -- as everywhere: links are not resolved
    if os.path.isfile(dotenv):  # noqa: PTH113 -- raises nothing
        names += [
            (key, Place(".env", dotenv, key=key, line=line))
            for key, line in IniFile(dotenv).keys("")
        ]
    for name, place in names:
        lower = name.lower()
        if lower in _owners() or not name.isupper():
            continue
        if lower in PEERS_NAMES and lower.startswith("cors_"):
            message = f"no filter reads it; here it is called {PEERS_NAMES[lower].upper()}"
        elif near := _nearly(lower):
            message = f"no filter reads it; did you mean {near.upper()}?"
        else:
            continue
        yield Finding("warning", place, message, code="variable-nearly")


def _nearly(name: str) -> str | None:
    """Return the option that a name is nearly equal to, ``None`` if it is equal to one."""
    if name in _owners():
        return None
    return next(iter(difflib.get_close_matches(name, _owners(), n=1, cutoff=_NEARLY)), None)


def _no_filter(file: IniFile, node: Node) -> Iterator[Finding]:
    """Yield that the package does nothing here, with the lines to add to this very file."""
    pipelines = [s for s in file.sections if s.startswith("pipeline:")]
    if pipelines and node.role == "filter":
        names = " ".join(file.sections[pipelines[0]].get("pipeline", "").split())
        first = f"pipeline = web {names} in [{pipelines[0]}]"
    else:
        # What requests come to first: in front of one application, others would be left out.
        inner = next(iter(node.routes()))
        section = next((part.sections[0].name for part in inner if part.role != "filter"), "")
        first = _around(section, "web", file)
    message = (
        f"no filter of wsgi_mw_paste is in front of the application; write {first} and add\n"
        "[filter:web]\n"
        "use = egg:wsgi_mw_paste\n"
        "cors_allowed = https://app.example.com\n"
        "cors_expose_headers = X-Request-Id\n"
        "log_tokens = fingerprint"
    )
    yield Finding("note", node.place, message, code="no-filter")
