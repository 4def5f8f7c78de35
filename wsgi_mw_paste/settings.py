"""Options: declared once, loaded from five places, every mistake reported at once.

An option is a field of a :class:`Settings` class: its name, type and default are the field's, the
rest is :func:`option` metadata. Loading, messages and the reference table are derived from it.

:func:`load` is for the Paste factories; a program that builds its middlewares in Python calls the
settings class, or leaves ``settings`` out and gets the environment.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from wsgi_mw_paste._ini import Ini, Source
from wsgi_mw_paste.values import InvalidItemsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from environs import Env
    from typing_extensions import Self

S = TypeVar("S", bound="Settings")
E = TypeVar("E", bound="Env")

#: The longest text of a value or an origin that a message repeats, in characters.
_MESSAGE_LIMIT: Final = 200
_MASK: Final = "***"


class Problem(NamedTuple):
    """One thing wrong with the configuration.

    :ivar option: the option, in lower case; as it was written if there is no such option;
        ``.env`` if it is that file.
    :ivar text: the offending value, or the item of the list; ``***`` for a secret, ``None`` where
        the value does not matter.
    :ivar source: where it was written: file, section and key, or the variable.
    :ivar reason: what was expected, and what to write instead.
    """

    option: str
    text: str | None
    source: str
    reason: str

    def __str__(self) -> str:
        text = self.text
        if text is None:
            return f"{self.source}: {self.reason}"
        if len(text) > _MESSAGE_LIMIT:
            text = text[:_MESSAGE_LIMIT] + "…"
        return f"{self.source} = {text!r}: {self.reason}"


class Remark(NamedTuple):
    """One thing that settings have to tell the operator, although they are valid.

    :ivar level: a level of :mod:`logging`.
    :ivar option: the option that it is about.
    :ivar item: the value, or the item of the list; empty if it is about the whole option.
    :ivar text: what to know, and what to write instead.
    """

    level: int
    option: str
    item: str
    text: str


class ConfigurationError(ValueError):
    """The configuration of a filter is wrong; the process should not start.

    :ivar problems: everything that is wrong, not only the first thing.
    """

    # The last line of a traceback names the class by its public path.
    __module__ = "wsgi_mw_paste"

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(tuple(problems))
        self.problems = tuple(problems)

    def __str__(self) -> str:
        count = len(self.problems)
        head = f"{count} problem{'s' * (count != 1)}:"
        return "\n".join([head, *map(str, self.problems)])


class Option(NamedTuple):
    """The declaration of one option, as read from its field."""

    name: str
    default: Any
    parse: Callable[[object], Any]
    help: str
    secret: bool

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return self.name.upper()

    def show(self, value: object) -> str:
        """Return *value* as an INI file would spell it; a secret is masked."""
        if self.secret and value:
            return _MASK
        if isinstance(value, bool):
            return str(value).lower()
        return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def option(
    parse: Callable[[object], Any],
    help: str,  # noqa: A002 -- argparse's word
    *,
    secret: bool = False,
) -> dict[str, Any]:
    """Return the metadata of a field that is an option.

    :param parse: text or ready value → value; raises ``ValueError("expected …")``.
    :param help: what it means, in one line of Markdown.
    :param secret: never shown, and may be given as ``NAME_FILE`` in the environment.
    """
    return {"parse": parse, "help": help, "secret": secret}


def options(cls: type[Settings]) -> dict[str, Option]:
    """Return the options a settings class declares, by name, in order."""
    return {
        field.name: Option(field.name, field.default, **field.metadata)
        for field in dataclasses.fields(cls)
        if field.metadata
    }


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Settings:
    """The base of the settings classes: parses every field, then checks what does not go together.

    Fields take text, as in an INI file, or ready values.

    :raises ConfigurationError: a value is wrong, or two values exclude each other.
    """

    #: The names of the options that somebody set, even to their default; after
    #: :func:`dataclasses.replace` all of them.
    given: frozenset[str] = dataclasses.field(init=False, compare=False)

    def __new__(cls, **given: object) -> Self:
        """Remember what was given: a default that nobody chose may deserve a word."""
        self = super().__new__(cls)
        object.__setattr__(self, "given", frozenset(given))
        return self

    def __post_init__(self) -> None:
        problems = []
        for declared in options(type(self)).values():
            given = getattr(self, declared.name)
            try:
                value = declared.parse(given)
            except InvalidItemsError as error:
                value = error.valid
                problems += [self.problem(declared.name, *each) for each in error.problems]
            except ValueError as error:
                value = declared.default
                problems.append(self.problem(declared.name, given, str(error)))
            object.__setattr__(self, declared.name, value)
        problems += self.conflicts()
        if problems:
            raise ConfigurationError(problems)

    def conflicts(self) -> Iterator[Problem]:
        """Yield what is wrong with valid values taken together; for subclasses."""
        yield from ()

    def problem(self, name: str, value: object, reason: str) -> Problem:
        """Return a problem with the option *name*."""
        text = options(type(self))[name].show(value)
        return Problem(name, text, f"{type(self).__name__} {name}", reason)

    def __repr__(self) -> str:
        shown = (
            f"{o.name}={o.show(getattr(self, o.name))!r}" for o in options(type(self)).values()
        )
        return f"{type(self).__name__}({', '.join(shown)})"


class Loaded(NamedTuple):
    """Settings, and where each value came from; options left at their default have no source."""

    # Of one of the classes given; a generic NamedTuple needs Python 3.11.
    settings: Any
    sources: Mapping[str, Source]


def load(
    classes: Sequence[type[Settings]],
    global_conf: Mapping[str, Any],
    local_conf: Mapping[str, Any],
    *,
    filter_name: str = "",
    elsewhere: Mapping[str, str] | None = None,
) -> list[Loaded]:
    """Load settings: section, PasteDeploy's globals, environment, ``.env``, default.

    :param classes: the settings classes of one filter.
    :param global_conf: PasteDeploy's global values.
    :param local_conf: the options of the filter's own section.
    :param filter_name: the entry point, to find the section again in the file.
    :param elsewhere: options of other filters, each with the filter's name, for messages.
    :return: for each class, in order, its settings and their sources.
    :raises ConfigurationError: anything is wrong, with all of it.
    """
    loader = _Loader(classes, global_conf, local_conf, filter_name)
    loader.check_names(elsewhere or {})
    loader.check_hidden()
    loaded = [loader.read(cls) for cls in classes]
    if loader.problems:
        raise ConfigurationError(loader.problems)
    return [each for each in loaded if each is not None]


def resolve(cls: type[S], settings: S | None) -> S:
    """Return *settings*, or those of the environment if it is ``None``.

    :raises TypeError: it is anything else; 0.1.6 of the predecessor took a header name here.
    """
    if settings is None:
        loaded: S = load([cls], {}, {})[0].settings
        return loaded
    if not isinstance(settings, cls):
        raise TypeError(
            f"settings must be a {cls.__name__}, not {type(settings).__name__}:"
            f" write {cls.__name__}({next(iter(options(cls)))}=…)"
        )
    return settings


def reference(classes: Sequence[type[Settings]]) -> str:
    """Return the options of these classes as a Markdown table."""
    lines = ["| option | default | meaning |", "| --- | --- | --- |"]
    for cls in classes:
        for each in options(cls).values():
            default = each.show(each.default)
            shown = f"`{default}`" if default else "empty"
            lines.append(f"| `{each.name}` | {shown} | {each.help} |")
    return "\n".join(lines)


class _Loader:
    """One filter's options on their way from five places into settings."""

    def __init__(
        self,
        classes: Sequence[type[Settings]],
        global_conf: Mapping[str, Any],
        local_conf: Mapping[str, Any],
        filter_name: str,
    ) -> None:
        self._known = {name: each for cls in classes for name, each in options(cls).items()}
        self._global_conf = global_conf
        self._local_conf = local_conf
        self._filter_name = filter_name
        self._ini = Ini(global_conf, filter_name)
        self._environments = [_Environment("environment"), _Environment(".env", Path(".env"))]
        self.problems: list[Problem] = []

    def check_names(self, elsewhere: Mapping[str, str]) -> None:
        """Report what is no option, and options in two spellings or in a mixture of cases."""
        for key in self._local_conf:
            if key.lower() not in self._known and not re.fullmatch("__.*__", key):
                reason = self._unknown(key.lower(), elsewhere)
                self.problems.append(Problem(key, None, str(self._local_source(key)), reason))
        for name in self._known:
            spelled = [
                (key, source(key))
                for conf, source in (
                    (self._local_conf, self._local_source),
                    (self._global_conf, self._global_source),
                )
                for key in conf
                if key.lower() == name
            ]
            for key, source in spelled:
                if key not in (name, name.upper()):
                    reason = f"expected one case throughout; write {name} or {name.upper()}"
                    self.problems.append(Problem(name, None, str(source), reason))
            if len({key for key, _ in spelled}) > 1:
                first, *others = (str(source) for _, source in spelled)
                reason = f"given again as {' and as '.join(others)}; keep one"
                self.problems.append(Problem(name, None, first, reason))

    def _unknown(self, name: str, elsewhere: Mapping[str, str]) -> str:
        if name in elsewhere:
            other = elsewhere[name]
            return f"an option of the filter {other}, not of {self._filter_name}; move it there"
        if near := difflib.get_close_matches(name, self._known, n=1):
            return f"unknown option; did you mean {near[0]}?"
        return f"unknown option; {self._filter_name} takes {', '.join(self._known) or 'none'}"

    def check_hidden(self) -> None:
        """Report the sections' values that [DEFAULT] hides: PasteDeploy drops them silently."""
        for name, each in self._known.items():
            for key in (name, each.variable):
                if key in self._local_conf or key not in self._global_conf:
                    continue
                if self._global_source(key).level != "[DEFAULT]":
                    continue
                for place, text in self._ini.places(key):
                    reason = (
                        f"hidden by {key} in [DEFAULT], PasteDeploy drops it;"
                        f" write set {key} = … here, or take it out of [DEFAULT]"
                    )
                    self.problems.append(Problem(name, each.show(text), f"{place} {key}", reason))

    def read(self, cls: type[S]) -> Loaded | None:
        """Return the settings of one class; ``None`` if there are problems with them."""
        values: dict[str, Any] = {}
        sources: dict[str, Source] = {}
        for name, each in options(cls).items():
            try:
                found = self._find(each)
            except ConfigurationError as error:
                self.problems += error.problems
                continue
            if found is not None:
                values[name], sources[name] = found
        try:
            return Loaded(cls(**values), sources)
        except ConfigurationError as error:
            for problem in error.problems:
                source = sources.get(problem.option, f"default {problem.option}")
                self.problems.append(problem._replace(source=str(source)))
            return None

    def _find(self, each: Option) -> tuple[Any, Source] | None:
        for conf, source in (
            (self._local_conf, self._local_source),
            (self._global_conf, self._global_source),
        ):
            for key in (each.name, each.variable):
                if key in conf:
                    return conf[key], source(key)
        for environment in self._environments:
            if (found := environment.find(each)) is not None:
                return found
        return None

    def _local_source(self, key: str) -> Source:
        return Source("section", self._ini.place(key, self._local_conf[key]), key)

    def _global_source(self, key: str) -> Source:
        return self._ini.global_source(key, self._global_conf[key])


class _Environment:
    """One level of the environment: the process's own variables, or those of a ``.env`` file.

    ``os.environ`` wins over the file inside environs, too, so the file's level is asked only for
    what the process does not have.
    """

    def __init__(self, level: str, path: Path | None = None) -> None:
        self._level = level
        self._path = path
        self._env: Env | None = None

    def find(self, each: Option) -> tuple[str, Source] | None:
        """Return the text of a variable and its source, ``None`` if it is not set.

        :raises ConfigurationError: the ``.env`` file or the secret's file cannot be read, or the
            secret is given twice.
        """
        env = self._variables()
        text: str | None = env.str(each.variable, None)
        variable = f"{each.variable}_FILE"
        file: str | None = env.str(variable, None) if each.secret else None
        if file is None:
            return None if text is None else (text, self._source(each.variable))
        source = self._source(variable)
        if text is not None:
            reason = f"given again as {self._source(each.variable)}; keep one"
            raise ConfigurationError([Problem(each.name, None, str(source), reason)])
        from environs import FileAwareEnv  # noqa: PLC0415 -- as below

        try:
            # An empty path is none to environs: to it the variable is not set, another ValueError.
            return self._read(FileAwareEnv(strip_whitespace=True)).str(each.variable), source
        except (OSError, ValueError):
            # The secret itself, put there by mistake, is not to be shown: even if it starts with a
            # slash, there is no such directory.
            is_path = Path(file).is_absolute() and Path(*Path(file).parts[:2]).exists()
            shown = file if is_path else each.show(file)
            reason = "expected the path of a readable text file"
            raise ConfigurationError([Problem(each.name, shown, str(source), reason)]) from None

    def _source(self, variable: str) -> Source:
        place = str(self._path.absolute()) if self._path else self._level
        return Source(self._level, place, variable)

    def _variables(self) -> Env:
        if self._env is None:
            # Not at the top: settings made in Python need no environment.
            from environs import Env  # noqa: PLC0415

            self._env = Env()
            try:
                self._read(self._env)
            except (OSError, ValueError) as error:
                reason = f"expected a readable text file in UTF-8 ({error})"
                place = self._source(".env").place
                raise ConfigurationError([Problem(".env", None, place, reason)]) from None
        return self._env

    def _read(self, env: E) -> E:
        if self._path:
            # A path and no recursion: environs would start at this file and walk up.
            env.read_env(self._path, recurse=False)
        return env
