"""The logging sections of an INI file: what ``fileConfig`` would ignore, or fail on, in silence.

For the command. No handler is made, for that may open files and sockets; a formatter is, for that
shows best whether it knows the request id.
"""

from __future__ import annotations

import configparser
import contextlib
import logging
import logging.config
import re
from typing import TYPE_CHECKING, Any

from wsgi_mw_paste._ini import Section
from wsgi_mw_paste.command.findings import Finding, place_in
from wsgi_mw_paste.context import request_id_scope
from wsgi_mw_paste.logging import AttachRequestIdFilter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from configparser import ConfigParser, SectionProxy

    from wsgi_mw_paste._ini import IniFiles


def logging_findings(files: IniFiles, file: str) -> Iterator[Finding]:
    """Yield what is wrong with the logging sections of a file that PasteDeploy can read."""
    # fileConfig's parser, less strict: PasteDeploy allows keys that differ in case only.
    sections = configparser.ConfigParser(interpolation=None, strict=False)
    sections.read_string(files[file].text)
    if not sections.has_section("loggers"):
        return
    if sections.has_section("filters"):
        message = "fileConfig ignores this section; " + _instead("a handler")
        yield Finding("warning", place_in(files, Section(file, "filters")), message)
    for name in sections.sections():
        if name.startswith(("handler_", "logger_")) and sections.has_option(name, "filters"):
            message = "fileConfig ignores filters; " + _instead(name.partition("_")[2])
            yield Finding("warning", place_in(files, Section(file, name), "filters"), message)
    for section in _listed(sections, "formatter").values():
        if re.search(r"\brequest_id\b", section.get("format", "")):
            yield from _formatter_findings(files, file, sections, section)


def _instead(handler: str) -> str:
    return (
        f"to attach the request id to {handler}, add a handler of class"
        " wsgi_mw_paste.logging.AttachRequestIdFilter whose target it is"
    )


def _formatter_findings(
    files: IniFiles, file: str, sections: ConfigParser, section: SectionProxy
) -> Iterator[Finding]:
    """Yield what is wrong with a formatter whose format has the request id."""
    bare = _handlers_without_id(sections, section.name.removeprefix("formatter_"))
    if not bare:
        return
    here = Section(file, section.name)
    try:
        formatter = _formatter(section)
    except Exception as error:  # noqa: BLE001 -- anybody's class
        message = f"expected the class of a formatter ({type(error).__name__}: {error})"
        yield Finding("error", place_in(files, here, "class"), message)
        return
    # Asked rather than looked up, so that a class of somebody else's counts as well.
    record = logging.LogRecord(__name__, logging.INFO, __file__, 0, "", (), None)
    with request_id_scope() as request_id:
        try:
            level, failure = "warning", "it stays empty"
            if request_id in formatter.format(record):
                return
        except Exception as error:  # noqa: BLE001
            level, failure = "error", f"every record fails ({type(error).__name__}: {error})"
    message = (
        f"nothing supplies the request id on handler {', '.join(bare)}, {failure}; write class ="
        " wsgi_mw_paste.logging.RequestIdFormatter here, or attach the filter by a handler of"
        " class wsgi_mw_paste.logging.AttachRequestIdFilter"
    )
    yield Finding(level, place_in(files, here, "format"), message)


def _formatter(section: SectionProxy) -> logging.Formatter:
    """Return what ``fileConfig`` makes of a formatter's section."""
    name = section.get("class")
    cls: Any = _resolve(name) if name else logging.Formatter
    formatter: logging.Formatter = cls(
        section.get("format"), section.get("datefmt"), section.get("style", "%")
    )
    return formatter


def _handlers_without_id(sections: ConfigParser, formatter: str) -> list[str]:
    """Return the handlers with this formatter to which nothing adds the id."""
    handlers = _listed(sections, "handler")
    classes = {name: _handler_class(each.get("class", "")) for name, each in handlers.items()}
    targets = {
        handlers[name].get("target")
        for name, cls in classes.items()
        if isinstance(cls, type) and issubclass(cls, AttachRequestIdFilter)
    }
    return [
        name
        for name, each in handlers.items()
        if each.get("formatter") == formatter
        and name not in targets
        # What a class of somebody else's does is not known.
        and getattr(classes[name], "__module__", "") in ("logging", "logging.handlers")
    ]


def _handler_class(name: str) -> Any:
    """Return the class of a handler as ``fileConfig`` finds it, ``None`` if it is none."""
    for dotted in (f"logging.{name}", name):
        with contextlib.suppress(Exception):  # of anybody's module
            return _resolve(dotted)
    return None


def _resolve(name: str) -> Any:
    return logging.config.BaseConfigurator({}).resolve(name)


def _listed(sections: ConfigParser, kind: str) -> dict[str, SectionProxy]:
    """Return the sections of the formatters or handlers that are in force, by their names."""
    names = [name.strip() for name in sections.get(f"{kind}s", "keys", fallback="").split(",")]
    return {name: sections[f"{kind}_{name}"] for name in names if f"{kind}_{name}" in sections}
