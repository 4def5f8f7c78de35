"""Options: declared once; everything else is derived from the declaration.

An option is a field of a :class:`Settings` class: its name, type and default are the field's, the
rest is :func:`option` metadata. Loading, messages and the reference table come from there.

A program that builds its middlewares in Python either calls the settings class, which takes exactly
the options it is given, or :meth:`Settings.from_environment`. A middleware without ``settings``
does the latter. The Paste factories use :mod:`wsgi_mw_paste._loading`, which knows the levels of an
INI file, too.
"""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from wsgi_mw_paste._environment import DOTENV, MASK, VariableError, Variables
from wsgi_mw_paste._ini import Source
from wsgi_mw_paste.values import InvalidItemsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from typing_extensions import Self

S = TypeVar("S", bound="Settings")

#: How much of a value or an origin a message repeats, in characters.
VALUE_LIMIT: Final = 200


def printable(text: str) -> str:
    """Return a text with the characters escaped that do not belong in a terminal or a log."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


class Problem(NamedTuple):
    """One thing wrong with the configuration.

    :ivar option: the option, in lower case; as it was written if there is no such option;
        ``.env`` if the file itself is the problem.
    :ivar text: the offending value, or the item of the list; ``***`` for a secret, ``None`` where
        the value does not matter.
    :ivar source: where it was written.
    :ivar reason: what was expected, and what to write instead.
    """

    option: str
    text: str | None
    source: Source
    reason: str

    def __str__(self) -> str:
        return describe(self.source, self.text, self.reason)


def describe(place: object, text: str | None, reason: str) -> str:
    """Return one line: the place, the value if there is one, and what is wrong with it."""
    if text is None:
        return printable(f"{place}: {reason}")
    if len(text) > VALUE_LIMIT:
        text = text[:VALUE_LIMIT] + "…"
    return printable(f"{place} = {text!r}: {reason}")


class Remark(NamedTuple):
    """Something that the operator should know, but that does not keep the server from starting.

    :ivar level: a level of :mod:`logging`.
    :ivar option: the option that it is about.
    :ivar item: the item of its list, or its value; empty if it is about the option as a whole.
    :ivar text: the message, without the option's name.
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

    @property
    def is_list(self) -> bool:
        """Whether it is a list, which may be empty."""
        return isinstance(self.default, tuple)

    def show(self, value: object) -> str:
        """Return *value* as an INI file would spell it; a secret is masked."""
        if self.secret and value:
            return MASK
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
    :param secret: never shown; ``NAME_file`` may name a file that has the text, at every level.
    """
    return {"parse": parse, "help": help, "secret": secret}


def options(cls: type[Settings]) -> Mapping[str, Option]:
    """Return the options a settings class declares, by name, in order."""
    return _declared(cls)  # type: ignore[arg-type] # it takes the class for one of its instances


@functools.cache
def _declared(cls: type[Settings]) -> Mapping[str, Option]:
    return {
        field.name: Option(field.name, field.default, **field.metadata)
        for field in dataclasses.fields(cls)
        if field.metadata
    }


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Settings:
    """The base of the settings classes: parses every field, then looks for conflicts.

    Fields take text, as in an INI file, or ready values.

    :raises ConfigurationError: a value is wrong, or two values exclude each other.
    """

    #: The names of the options that were set, even to their default; after
    #: :func:`dataclasses.replace` all of them.
    given: frozenset[str] = dataclasses.field(init=False, compare=False)

    def __new__(cls, **given: object) -> Self:
        """Remember what was given: a default that was not chosen may deserve a remark."""
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
                problems += [
                    self.problem(declared.name, item, reason) for item, reason in error.problems
                ]
            except ValueError as error:
                value = declared.default
                problems.append(self.problem(declared.name, given, str(error)))
            object.__setattr__(self, declared.name, value)
        problems += self.conflicts()
        if problems:
            raise ConfigurationError(problems)

    @classmethod
    def from_environment(cls, **over: Any) -> Self:
        """Return settings from these options, then the environment, then ``.env``.

        :param over: options, as for the class itself; they win over the environment.
        :raises ConfigurationError: a value is wrong, wherever it comes from.
        """
        code = {name: (value, _in_code(cls, name)) for name, value in over.items()}
        loaded = assemble(cls, Environment().find, code)
        settings: Self = loaded.settings
        return settings

    def conflicts(self) -> Iterator[Problem]:
        """Yield problems between values that are valid by themselves; for subclasses."""
        yield from ()

    @functools.cached_property
    def remarks(self) -> Sequence[Remark]:
        """What to tell the operator at start; for subclasses."""
        return ()

    def problem(self, name: str, value: object, reason: str) -> Problem:
        """Return a problem with the option *name*."""
        text = options(type(self))[name].show(value)
        return Problem(name, text, _in_code(type(self), name), reason)

    def __repr__(self) -> str:
        shown = (
            f"{o.name}={o.show(getattr(self, o.name))!r}" for o in options(type(self)).values()
        )
        return f"{type(self).__name__}({', '.join(shown)})"


def _in_code(cls: type[Settings], name: str) -> Source:
    return Source("code", sections=(cls.__name__,), key=name)


class Hidden(NamedTuple):
    """A section's value that PasteDeploy drops, because a global value has the same key.

    :ivar text: the value; a secret is masked.
    :ivar source: where it is written.
    :ivar by: the global value.
    """

    option: str
    text: str
    source: Source
    by: Source


class Loaded(NamedTuple):
    """Settings, and where each value came from; options left at their default have no source."""

    # An instance of the class that was loaded. A generic NamedTuple would need Python 3.11.
    settings: Any
    sources: Mapping[str, Source]
    hidden: Sequence[Hidden] = ()


class Environment:
    """The two levels of the environment: the process's variables, then those of ``.env``."""

    def __init__(self) -> None:
        self._levels = (Variables(), Variables(Path(DOTENV)))

    def find(self, option: Option) -> tuple[str, Source] | None:
        """Return the text of an option and its source, ``None`` if it is not set.

        :raises VariableError: a file cannot be read, or a secret is set twice.
        """
        for level in self._levels:
            found = level.find(option.variable, secret=option.secret, may_be_empty=option.is_list)
            if found is not None:
                return found
        return None


def assemble(
    cls: type[Settings],
    find: Callable[[Option], tuple[Any, Source] | None],
    given: Mapping[str, tuple[Any, Source]],
) -> Loaded:
    """Make settings, and remember where each value came from.

    :param find: returns the value of an option that is not given, and its source, or ``None``.
    :param given: values by option, each with its source.
    :raises ConfigurationError: anything is wrong; its problems have these sources.
    """
    problems = []
    found = dict(given)
    for name, declared in options(cls).items():
        if name not in given:
            try:
                pair = find(declared)
            except VariableError as error:
                option = name if error.source.key else DOTENV
                problems.append(Problem(option, error.text, error.source, error.reason))
                continue
            if pair is not None:
                found[name] = pair
    sources = {name: source for name, (_, source) in found.items()}
    try:
        settings = cls(**{name: value for name, (value, _) in found.items()})
    except ConfigurationError as error:
        problems += [
            problem._replace(
                source=sources.get(problem.option, Source("default", key=problem.option))
            )
            for problem in error.problems
        ]
    if problems:
        raise ConfigurationError(problems)
    return Loaded(settings, sources)


def given_or_environment(cls: type[S], settings: S | None) -> S:
    """Return *settings*, or those of the environment if it is ``None``.

    :raises TypeError: it is anything else, such as the header name that 0.1.6 took here.
    """
    if settings is None:
        return cls.from_environment()
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
        for declared in options(cls).values():
            default = declared.show(declared.default)
            shown = f"`{default}`" if default else "empty"
            lines.append(f"| `{declared.name}` | {shown} | {declared.help} |")
    return "\n".join(lines)
