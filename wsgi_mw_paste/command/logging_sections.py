"""The logging sections of an INI file, read as :func:`logging.config.fileConfig` reads them.

For the command. ``fileConfig`` stops at its first mistake; this finds all of them, and what
``fileConfig`` does silently: it drops the access records, or writes records without the request id.
No handler is made, because that may open files and sockets. Classes are imported and formatters
made, because a formatter itself shows best whether it knows the request id.

What an application does to logging in code is not seen. ``disable_existing_loggers`` does not
matter: our loggers do not exist yet when servers call ``fileConfig``.
"""

from __future__ import annotations

import ast
import configparser
import contextlib
import difflib
import functools
import inspect
import json
import logging
import logging.config
import logging.handlers
import os
import re
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wsgi_mw_paste._access import ACCESS_LOGGER
from wsgi_mw_paste._ini import Section
from wsgi_mw_paste.command.findings import Finding, Place, described, place_in
from wsgi_mw_paste.context import request_id_scope
from wsgi_mw_paste.logging import AttachRequestIdFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from wsgi_mw_paste._ini import IniFiles

_ATTACH: Final = f"{AttachRequestIdFilter.__module__}.{AttachRequestIdFilter.__name__}"
#: The value of an expression that was not evaluated.
_UNKNOWN: Final = object()
#: Handlers that write nothing.
_SILENT: Final = (AttachRequestIdFilter, logging.NullHandler)
_RECORDS: Final = "access records have the level INFO"
#: Among more names than these, the nearest one is not looked for: it takes too long.
_MAX_NAMES: Final = 100
_TUPLE: Final = "expected a Python tuple, such as () or (sys.stderr,)"
_DICT: Final = "expected a Python dict, such as {'delay': True}"
#: What the classes of other packages may raise; ``sys.exit()`` must not end the command.
_ANYTHING: Final = (Exception, SystemExit)
#: Names to suggest for classes of handlers and of formatters.
_HANDLERS: Final = (
    *(name for name in vars(logging) if name.endswith("Handler")),
    *(f"handlers.{name}" for name in vars(logging.handlers) if name.endswith("Handler")),
    _ATTACH,
)
_FORMATTERS: Final = (
    "logging.Formatter",
    "wsgi_mw_paste.logging.RequestIdFormatter",
    "pythonjsonlogger.json.JsonFormatter",
    "pythonjsonlogger.orjson.OrjsonFormatter",
)


def logging_findings(
    files: IniFiles,
    file: str,
    variables: Mapping[str, str] | None = None,
    *,
    ids: bool = False,
    access: bool = False,
) -> list[Finding]:
    """Return what is wrong with the logging sections of a file.

    :param files: what reads it.
    :param file: its path.
    :param variables: those of the command line.
    :param ids: whether a filter gives requests their ids.
    :param access: whether a filter writes access records.
    """
    if "loggers" not in files[file].sections:
        message = (
            "there is no section [loggers], so this file does not configure logging: access"
            f" records, which are INFO on the logger {ACCESS_LOGGER}, appear only if something else"
            " does"
        )
        note = Finding("note", Place("section", file), message, code="no-logging")
        return [note] if access else []
    config = _FileConfig(files, file, variables or {})
    config.read()
    for name, formatter in config.formatters.items():
        _look_for_id(config, name, formatter, ids=ids)
    if access:
        _follow_access_records(config)
    return list(dict.fromkeys(config.findings))


class _Handler(NamedTuple):
    """A handler as its section describes it.

    :ivar cls: ``None`` if it is not known.
    :ivar level: ``None`` if it is wrong; the same goes for the level of a logger.
    """

    cls: type[logging.Handler] | None
    level: int | None
    formatter: str
    target: str


class _Logger(NamedTuple):
    """A logger as its section describes it.

    :ivar section: the section's name.
    """

    section: str
    level: int | None
    handlers: list[str]
    propagate: bool


class _FileConfig:
    """What ``fileConfig`` would make of the text, and every step at which it would fail.

    :ivar loggers: by their qualified names; the root's is empty.
    """

    def __init__(self, files: IniFiles, file: str, variables: Mapping[str, str]) -> None:
        self.findings: list[Finding] = []
        self.formatters: dict[str, logging.Formatter | None] = {}
        self.handlers: dict[str, _Handler] = {}
        self.loggers: dict[str, _Logger] = {}
        self._files = files
        self._file = file
        self._sections = sections = files[file].sections
        # Dicts used as ordered sets; None where the list itself is wrong.
        self._listed: dict[str, dict[str, None] | None] = {}
        # As servers call it. The file's own [DEFAULT] wins, section by section.
        given = {"here": os.path.dirname(file), "__file__": file, **variables}  # noqa: PTH120
        self._defaults = _lowered({**given, **sections.get("DEFAULT", {})})
        self._texts = {name: self._defaults | _lowered(sections[name]) for name in sections}

    def writers(self) -> list[str]:
        """Return the names of the handlers that write something, or may do so."""
        return [
            name
            for name, handler in self.handlers.items()
            if handler.cls is None or not issubclass(handler.cls, _SILENT)
        ]

    # Reading keys, and saying where they are.

    def report(  # noqa: PLR0913 -- all that a finding has
        self,
        code: str,
        section: str,
        key: str,
        message: str,
        *,
        level: str = "error",
        value: str | None = None,
    ) -> None:
        """Add a finding at the key of a section, or of ``[DEFAULT]`` if it is inherited."""
        self.findings.append(Finding(level, self._place(section, key), message, value, code=code))

    def _place(self, section: str, key: str) -> Place:
        if section not in self._sections:
            return Place("section", self._file)
        for name in (section, "DEFAULT"):
            for written in reversed([*self._sections.get(name, ())]):
                if written.lower() == key:
                    level = "[DEFAULT]" if name == "DEFAULT" else "section"
                    return place_in(self._files, Section(self._file, name), written)._replace(
                        level=level
                    )
        return place_in(self._files, Section(self._file, section))

    def raw(self, section: str, key: str) -> str | None:
        """Return a text as it is written, ``None`` if there is none."""
        return self._texts[section].get(key)

    def text(self, section: str, key: str) -> str | None:
        """Return a text with ``%(NAME)s`` filled in, ``None`` if there is none or that fails."""
        raw = self.raw(section, key)
        if raw is None or "%" not in raw:
            return raw
        try:
            return configparser.BasicInterpolation().before_get(
                configparser.ConfigParser(), section, key, raw, self._texts[section]
            )
        except configparser.InterpolationMissingOptionError as error:
            message = f"nothing defines %({error.reference})s; add {error.reference} to [DEFAULT]"
        except configparser.Error:
            message = (
                "expected %(NAME)s for a NAME of this section or of [DEFAULT]; write %% for a %"
            )
        self.report("undefined-variable", section, key, message)
        return None

    def _required(self, section: str, key: str, what: str) -> str | None:
        """Return the text of a key without which ``fileConfig`` fails."""
        if self.raw(section, key) is None:
            self.report("logging-key-missing", section, "", f"expected {key} = {what}")
        return self.text(section, key)

    def listed(self, kind: str) -> Collection[str]:
        """Return the names that ``[formatters]``, ``[handlers]`` or ``[loggers]`` lists."""
        return self._listed[kind] or {}

    def unlisted(self, kind: str) -> list[str]:
        """Return the names of the sections of this kind that are not listed."""
        names = [name[len(kind) + 1 :] for name in self._sections if name.startswith(f"{kind}_")]
        return [name for name in names if name not in self.listed(kind)]

    # The steps of fileConfig, and what it leaves out.

    def read(self) -> None:
        """Go through all of it, in ``fileConfig``'s order."""
        self._check_keys()
        for kind in ("formatter", "handler", "logger"):
            self._listed[kind] = self._read_list(kind)
        self._check_filters()
        for name in self._existing("formatter"):
            self.formatters[name] = self._read_formatter(f"formatter_{name}")
        for name in self._existing("handler"):
            self.handlers[name] = self._read_handler(f"handler_{name}")
        for name in self._existing("logger"):
            self._read_logger(name)

    def _check_keys(self) -> None:
        """Look for keys that ``fileConfig``, unlike PasteDeploy, takes for the same key."""
        for section, keys in self._sections.items():
            spelled: dict[str, str] = {}
            for key in keys:
                first = spelled.setdefault(key.lower(), key)
                if first != key:
                    message = f"fileConfig takes {first} and {key} for the same key; keep only one"
                    place = place_in(self._files, Section(self._file, section), key)
                    self.findings.append(
                        Finding("error", place, message, code="keys-differ-in-case")
                    )

    def _check_filters(self) -> None:
        """Look for filters, which ``fileConfig`` does not have."""
        ignored = {"level": "warning", "code": "logging-filters-ignored"}
        if "filters" in self._sections:
            message = (
                f"fileConfig ignores this section; for the request id, {_attaching(['HANDLER'])}"
            )
            self.report(section="filters", key="", message=message, **ignored)
        for section in self._sections:
            kind, _, name = section.partition("_")
            if kind in ("handler", "logger") and "filters" in self._texts[section]:
                handlers = [name if kind == "handler" else "HANDLER"]
                message = f"fileConfig ignores filters; for the request id, {_attaching(handlers)}"
                self.report(section=section, key="filters", message=message, **ignored)

    def _read_list(self, kind: str) -> dict[str, None] | None:
        section = f"{kind}s"
        if section not in self._sections:
            message = f"expected a section [{section}] with keys =, even if it lists nothing"
            self.report("logging-section-missing", section, "", message)
            return None
        is_logger = kind == "logger"
        text = self._required(section, "keys", "root" if is_logger else "names, or nothing")
        if text is None:
            return None
        if is_logger and "root" not in text.replace(",", " ").split():
            message = "expected root, which fileConfig configures first; add it"
            self.report("logging-section-missing", section, "keys", message, value=text)
        return dict.fromkeys(_items(text) if text or is_logger else [])

    def _existing(self, kind: str) -> Iterator[str]:
        """Yield the listed names that have a section; report the others, and what is not listed."""
        unlisted = self.unlisted(kind)
        for name in self.listed(kind):
            section = f"{kind}_{name}"
            if section in self._sections:
                yield name
            else:
                what = f"there is no section [{section}]"
                message = _missing(name, what, unlisted, f"add it, or remove {name} from keys")
                self.report("logging-section-missing", f"{kind}s", "keys", message, value=name)
        for name in unlisted if self._listed[kind] is not None else ():
            message = f"[{kind}s] keys does not list {name}, so fileConfig ignores this section"
            self.report("logging-section-unlisted", f"{kind}_{name}", "", message, level="note")

    def _read_formatter(self, section: str) -> logging.Formatter | None:
        """Return the formatter that ``fileConfig`` makes, ``None`` if it is not known."""
        cls: Any = logging.Formatter
        if self.raw(section, "class"):
            written = self.text(section, "class")
            cls = written and self._resolve(section, written, _FORMATTERS)
        given = self.raw(section, "style")
        style = "%" if given is None else given
        arguments = [self.raw(section, "format"), self.raw(section, "datefmt"), style]
        more: dict[str, Any] = {}
        if sys.version_info >= (3, 12) and self.raw(section, "defaults") is not None:
            more["defaults"] = self._value(section, "defaults", _DICT, read=self.raw)
        if not cls or _UNKNOWN in more.values():
            return None
        try:
            formatter: logging.Formatter = cls(*arguments, **more)
        except _ANYTHING as error:
            self._report_formatter(section, style, error)
            return None
        return formatter

    def _report_formatter(self, section: str, style: str, error: BaseException) -> None:
        if style not in ("%", "{", "$"):
            message = "expected %, { or $"
            self.report("logging-format", section, "style", message, value=style)
        elif isinstance(error, ValueError):
            message = f"expected a format in the style {style} ({described(error)})"
            self.report("logging-format", section, "format", message)
        else:
            message = f"called with format, datefmt and style, it raises {described(error)}"
            self.report("logging-class", section, "class", message)

    def _read_handler(self, section: str) -> _Handler:
        cls = self._handler_class(section)
        args = self._value(section, "args", _TUPLE, "()")
        kwargs = self._value(section, "kwargs", _DICT, "{}")
        if cls is not None and _UNKNOWN not in (args, kwargs):
            self._check_call(section, cls, args, kwargs)
        formatter = self.text(section, "formatter") or ""
        if formatter:
            self._check_names(section, "formatter", [formatter], "formatter")
        target = ""
        if cls is not None and issubclass(cls, logging.handlers.MemoryHandler):
            target = self.text(section, "target") or ""
            if target:
                self._check_names(section, "target", [target], "handler")
            elif issubclass(cls, AttachRequestIdFilter):
                message = (
                    "expected target = the handler whose records should have the request id;"
                    " without it this section does nothing"
                )
                self.report("attach-without-target", section, "", message, level="warning")
        return _Handler(cls, self._level(section, logging.NOTSET), formatter, target)

    def _handler_class(self, section: str) -> type[logging.Handler] | None:
        """Return the class of a handler, ``None`` if it is not known."""
        written = self._required(section, "class", "the class of a handler")
        if written is None:
            return None
        try:
            found = _evaluate(written)
        except (AttributeError, NameError):
            found = self._resolve(section, written, _HANDLERS)
            if found is None:
                return None
        except Exception:  # noqa: BLE001 -- whatever the expression raises
            found = None
        if found is _UNKNOWN:
            return None
        if isinstance(found, type) and issubclass(found, logging.Handler):
            return found
        self._report_class(section, written, _HANDLERS)
        return None

    def _read_logger(self, name: str) -> None:
        section, is_root = f"logger_{name}", name == "root"
        qualname = "" if is_root else self._required(section, "qualname", "the logger's name")
        text = self._required(section, "handlers", "names of handlers, or nothing")
        handlers = _items(text) if text else []
        self._check_names(section, "handlers", handlers, "handler")
        given = None if is_root else self.text(section, "propagate")
        propagate = "1" if given is None else given
        if not re.fullmatch(r"\s*\d+\s*", propagate):
            message = "expected 0 or 1"
            self.report("logging-level", section, "propagate", message, value=propagate)
            propagate = "1"
        level = self._level(section, logging.WARNING if is_root else logging.NOTSET)
        if qualname is not None:
            self.loggers[qualname] = _Logger(section, level, handlers, bool(int(propagate)))

    # The values of single keys.

    def _level(self, section: str, default: int) -> int | None:
        text = self.text(section, "level")
        if text is None:
            return default
        level = logging.getLevelName(text)
        if isinstance(level, int):
            return level
        upper = text.strip().upper()
        known = isinstance(logging.getLevelName(upper), int)
        advice = f"; write {upper}" if known else ", such as INFO or WARNING"
        message = f"expected the name of a level{advice}"
        self.report("logging-level", section, "level", message, value=text)
        return None

    def _value(
        self,
        section: str,
        key: str,
        expected: str,
        default: str = "",
        read: Callable[[str, str], str | None] | None = None,
    ) -> Any:
        """Return the value of an expression; :data:`_UNKNOWN` if it calls something, or fails."""
        given = self.raw(section, key) is not None
        text = (read or self.text)(section, key) if given else default
        if text is None:
            return _UNKNOWN
        try:
            return _evaluate(text)
        except Exception as error:  # noqa: BLE001 -- whatever the expression raises
            # The text is not repeated: the arguments of an SMTPHandler include a password.
            self.report("logging-arguments", section, key, f"{expected} ({described(error)})")
            return _UNKNOWN

    def _check_call(self, section: str, cls: type, args: object, kwargs: object) -> None:
        """Report arguments that the class does not take."""
        code = "logging-arguments"
        if not isinstance(args, (tuple, list)):
            message = f"{_TUPLE}; one item needs a comma after it: (ITEM,)"
            self.report(code, section, "args", message)
            return
        if not isinstance(kwargs, dict) or not all(isinstance(key, str) for key in kwargs):
            self.report(code, section, "kwargs", _DICT)
            return
        try:
            with contextlib.suppress(ValueError):  # of a class without a signature
                _signature(cls).bind(*args, **kwargs)
        except TypeError as error:
            key = "kwargs" if "keyword" in str(error) else "args"
            self.report(code, section, key, f"{cls.__name__}: {error}")

    def _check_names(self, section: str, key: str, names: Iterable[str], kind: str) -> None:
        """Report names that no list has."""
        listed = self._listed[kind]
        if listed is None:
            return
        for name in names:
            if name not in listed:
                message = _missing(name, f"[{kind}s] keys does not list it", listed, "add it there")
                self.report("logging-name-unknown", section, key, message, value=name)

    def _resolve(self, section: str, name: str, known: tuple[str, ...]) -> Any:
        """Return what a dotted name means to ``fileConfig``; report one that means nothing."""
        try:
            return logging.config.BaseConfigurator({}).resolve(name)
        except _ANYTHING as error:
            cause = error.__cause__ or error
        top = name.partition(".")[0]
        missing = cause.name if isinstance(cause, ModuleNotFoundError) else None
        # The name of a part of this class, and not of a package that is not installed.
        is_part = missing is not None and f"{name}.".startswith(f"{missing}.")
        is_local = missing != top or name == top or hasattr(logging, top)
        if (is_part and is_local) or isinstance(cause, ValueError):  # of a name with two dots
            self._report_class(section, name, known)
        elif isinstance(cause, ImportError):
            message = f"cannot be imported here ({described(cause)}); install it"
            self.report("missing-code", section, "class", message, value=name)
        else:
            message = f"importing it raises {described(cause)}"
            self.report("logging-class", section, "class", message, value=name)
        return None

    def _report_class(self, section: str, name: str, known: tuple[str, ...]) -> None:
        kind = section.partition("_")[0]
        near = _nearest_class(name, known)
        advice = f"did you mean {near}?" if near else "there is none of this name"
        message = f"expected the class of a {kind}; {advice}"
        self.report("logging-class", section, "class", message, value=name)


def _look_for_id(
    config: _FileConfig, name: str, formatter: logging.Formatter | None, *, ids: bool
) -> None:
    """Report the handlers whose records this formatter writes without the request id."""
    section = f"formatter_{name}"
    bare = list(_handlers_without_id(config, name))
    if formatter is None or not bare:
        return
    in_format = re.search(r"\brequest_id\b", config.raw(section, "format") or "")
    # Tried out, so that formatters of other packages count as well.
    record = logging.LogRecord(__name__, logging.INFO, __file__, 0, "", (), None)
    with request_id_scope() as request_id:
        try:
            level, failure = "warning", "it stays empty"
            text = str(formatter.format(record))
        except _ANYTHING as error:
            level, failure = "error", f"every record fails ({described(error)})"
            text = ""
    if request_id in text:
        return
    if in_format:
        message = (
            f"nothing supplies the request id on handler {', '.join(bare)}, so {failure}; write"
            f" class = wsgi_mw_paste.logging.RequestIdFormatter here, or {_attaching(bare)}"
        )
        config.report("request-id-missing", section, "format", message, level=level)
    elif ids and _is_json_object(text):
        message = f"the JSON of handler {', '.join(bare)} has no request id; {_attaching(bare)}"
        config.report("request-id-missing", section, "", message, level="warning")


def _handlers_without_id(config: _FileConfig, formatter: str) -> Iterator[str]:
    """Yield the handlers with this formatter to which nothing adds the id."""
    targets = {
        handler.target
        for handler in config.handlers.values()
        if handler.cls is not None and issubclass(handler.cls, AttachRequestIdFilter)
    }
    for name, handler in config.handlers.items():
        # What the classes of other packages add is not known.
        is_pythons = getattr(handler.cls, "__module__", "") in ("logging", "logging.handlers")
        if handler.formatter == formatter and name not in targets and is_pythons:
            yield name


def _follow_access_records(config: _FileConfig) -> None:
    """Report where the access records get lost, if no handler writes them."""
    errors = [finding for finding in config.findings if finding.level == "error"]
    if any(error.code != "missing-code" for error in errors):
        return  # what would become of them is not known
    names = (ACCESS_LOGGER, "wsgi_mw_paste", "")
    chain = [config.loggers[name] for name in names if name in config.loggers]
    # A logger without a level has that of the next one; without one, the root lets everything pass.
    deciding = next((logger for logger in chain if logger.level), chain[-1])
    if (deciding.level or logging.NOTSET) > logging.INFO:
        _report_level(config, deciding)
    end = next((logger for logger in chain if not logger.propagate), chain[-1])
    reached = [name for logger in chain[: chain.index(end) + 1] for name in logger.handlers]
    writing = [name for name in reached if name in config.writers()]
    if not writing:
        _report_no_handler(config, end)
    elif all((config.handlers[name].level or 0) > logging.INFO for name in writing):
        message = f"{_RECORDS}, so handler {writing[0]} drops them; write level = INFO here"
        _report_lost(config, f"handler_{writing[0]}", "level", message)


def _report_lost(config: _FileConfig, section: str, key: str, message: str) -> None:
    value = config.text(section, key)
    config.report("access-log-lost", section, key, message, level="warning", value=value)


def _report_level(config: _FileConfig, deciding: _Logger) -> None:
    """Report that a logger's level drops the access records, and what to add."""
    is_default = config.raw(deciding.section, "level") is None
    what = (
        "the root logger's default level, WARNING, drops them" if is_default else "they are dropped"
    )
    message = (
        f"{_RECORDS}, so {what}; set log_requests = false if that is intended, or"
        f" {_cure(config, deciding)}"
    )
    _report_lost(config, deciding.section, "level", message)


def _cure(config: _FileConfig, deciding: _Logger) -> str:
    """Return what to write so that the logger of the access records has the level INFO."""
    own = config.loggers.get(ACCESS_LOGGER)
    if own is not None:
        return f"write level = INFO {'here' if own is deciding else f'in [{own.section}]'}"
    listed = config.listed("logger")
    for name in config.unlisted("logger"):
        if config.text(f"logger_{name}", "qualname") == ACCESS_LOGGER:
            keys = ", ".join([*listed, name])
            return f"write in [loggers] keys = {keys}, so that fileConfig reads [logger_{name}]"
    name = "access" if "access" not in listed else "wsgi_mw_paste_access"
    lines = (
        "[loggers]",
        f"keys = {', '.join([*listed, name])}",
        f"[logger_{name}]",
        "level = INFO",
        "handlers =",
        f"qualname = {ACCESS_LOGGER}",
    )
    return "\n".join(["write", *lines])


def _report_no_handler(config: _FileConfig, end: _Logger) -> None:
    """Report that no handler gets the access records.

    :param end: the last logger whose handlers are called.
    """
    writers = config.writers()
    advice = f"write handlers = {writers[0]}" if writers else "add a handler"
    key = "handlers"
    if not end.propagate:
        key, advice = "propagate", f"remove this line or {advice}"
    _report_lost(config, end.section, key, f"no handler gets access records; {advice}")


@functools.lru_cache
def _evaluate(text: str) -> Any:
    """Return the value of an expression in logging's namespace, as ``fileConfig`` gets it.

    :return: :data:`_UNKNOWN` if the expression contains a call, which is not made.
    """
    tree = ast.parse(text.lstrip(" \t"), mode="eval")
    if any(isinstance(node, ast.Call) for node in ast.walk(tree)):
        return _UNKNOWN
    # A copy of the namespace: an expression can bind names.
    return eval(compile(tree, "<logging>", "eval"), dict(vars(logging)))  # noqa: S307 -- fileConfig does


_signature: Final = functools.lru_cache(inspect.signature)


@functools.lru_cache
def _nearest_class(name: str, known: tuple[str, ...]) -> str | None:
    """Return the class that was meant, going by the last part: people forget the module."""
    last = {other.rpartition(".")[2].lower(): other for other in known}
    near = difflib.get_close_matches(name.rpartition(".")[2].lower(), last, 1, 0.8)
    return last[near[0]] if near else None


def _attaching(handlers: Sequence[str]) -> str:
    """Return what to write so that the records of these handlers have the request id."""
    first, *others = handlers
    more = f", and another one for {', '.join(others)}" if others else ""
    return f"list a handler of the class {_ATTACH} with args = () and target = {first}{more}"


def _missing(name: str, what: str, known: Collection[str], cure: str) -> str:
    """Return what is wrong with a missing name, and what to do about it."""
    if not name:
        return "expected a name between the commas; remove the extra comma"
    if len(name.split()) > 1:
        return f"expected commas between the names; write {', '.join(name.split())}"
    near = difflib.get_close_matches(name, known, 1) if len(known) <= _MAX_NAMES else []
    return f"{what}; {f'did you mean {near[0]}?' if near else cure}"


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",")]


def _lowered(keys: Mapping[str, str]) -> dict[str, str]:
    return {key.lower(): text for key, text in keys.items()}


def _is_json_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
