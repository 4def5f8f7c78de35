"""Mutants: the package with one small mistake in it, made in the running process.

mutmut's operators say what the mistakes are. mutmut itself is not used to run them: it collects the
tests again for every mutant, which takes longer than the tests, and it leaves out decorated
functions. Here a mutant is a function whose code object is replaced, so a forked process that has
collected the tests already can become any of them at once.

Not mutated: annotations, decorators, default values, and what runs when a module is imported.
"""

from __future__ import annotations

import codecs
import functools
import gc
import re
from collections import Counter
from contextlib import suppress
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import libcst
from libcst.metadata import ByteSpanPositionProvider, MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators, operator_arg_removal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    #: By file name, name and first line.
    Functions = Mapping[tuple[str, str, int], Sequence[FunctionType]]

#: Without their argument, or with None for it, these only raise.
_NO_MATTER: Final = {"cast", "isinstance", "len"}


class Mutant(NamedTuple):
    """One mistake.

    :ivar name: module, function and what is written instead of what; unique.
    :ivar path: of the module.
    :ivar lines: the first and the last line of what is replaced.
    :ivar statement: the first and the last line of the statement that it is part of.
    :ivar span: where the replaced text begins and ends in the module, in bytes.
    :ivar text: what replaces it.
    """

    name: str
    path: Path
    lines: tuple[int, int]
    statement: tuple[int, int]
    span: tuple[int, int]
    text: bytes

    def source(self) -> bytes:
        """Return the module with the mistake."""
        original = self.path.read_bytes()
        return original[: self.span[0]] + self.text + original[self.span[1] :]


def mutants(path: Path, module: str) -> Iterator[Mutant]:
    """Yield every mutant of a module that differs from it when compiled."""
    source = path.read_bytes()
    wrapper = MetadataWrapper(libcst.parse_module(source), unsafe_skip_copy=True)
    finder = _Finder()
    wrapper.visit(finder)
    spans = wrapper.resolve(ByteSpanPositionProvider)
    positions = wrapper.resolve(PositionProvider)
    original = _meaning(_compiled(source, path))
    seen: Counter[str] = Counter()
    for scope, statement, node, mutated in finder.found:
        start, end = spans[node].start, spans[node].start + spans[node].length
        text = wrapper.module.code_for_node(mutated).encode()
        try:
            mistaken = _compiled(source[:start] + text + source[end:], path)
        except SyntaxError:  # such as a match statement without its only case
            continue
        if _meaning(mistaken) == original:
            continue
        first, last = source.rfind(b"\n", 0, start) + 1, source.find(b"\n", end)
        was = _one_line(source[first:last])
        now = _one_line(source[first:start] + text + source[end:last])
        name = f"{module}.{scope}: {was} -> {now}"
        seen[name] += 1
        yield Mutant(
            name if seen[name] == 1 else f"{name} ({seen[name]})",
            path,
            (positions[node].start.line, positions[node].end.line),
            (positions[statement].start.line, positions[statement].end.line),
            (start, end),
            text,
        )


class _Finder(libcst.CSTVisitor):
    """Find what can be replaced by what, inside functions."""

    def __init__(self) -> None:
        super().__init__()
        #: The function's name, the statement, the node and what is to replace it.
        self.found: list[tuple[str, libcst.CSTNode, libcst.CSTNode, libcst.CSTNode]] = []
        self._names: list[str] = []
        self._functions = 0
        self._statements: list[libcst.CSTNode] = []

    def on_visit(self, node: libcst.CSTNode) -> bool:
        if isinstance(node, libcst.Annotation | libcst.Decorator | libcst.Param):
            return False
        if isinstance(node, libcst.FunctionDef | libcst.ClassDef):
            self._names.append(node.name.value)
        if isinstance(node, libcst.FunctionDef | libcst.Lambda):
            self._functions += 1
        if isinstance(node, libcst.BaseStatement | libcst.Lambda | libcst.BaseSmallStatement):
            self._statements.append(node)
        if self._functions:
            scope = ".".join(self._names) or "<module>"
            for kind, operator in mutation_operators:
                if isinstance(node, kind) and not (
                    operator is operator_arg_removal and _is_called(node) in _NO_MATTER
                ):
                    self.found += [
                        (scope, self._statements[-1], node, mutated)
                        for mutated in operator(node)
                        if not _is_same_encoding(node, mutated)
                    ]
        return True

    def on_leave(self, original_node: libcst.CSTNode) -> None:
        if isinstance(original_node, libcst.FunctionDef | libcst.ClassDef):
            self._names.pop()
        if isinstance(original_node, libcst.FunctionDef | libcst.Lambda):
            self._functions -= 1
        if self._statements and self._statements[-1] is original_node:
            self._statements.pop()


def _compiled(source: bytes, path: Path) -> CodeType:
    return compile(source, str(path), "exec", dont_inherit=True)


def _is_called(node: libcst.CSTNode) -> str:
    """Return the last name of what a call calls."""
    function = node.func if isinstance(node, libcst.Call) else node
    function = function.attr if isinstance(function, libcst.Attribute) else function
    return function.value if isinstance(function, libcst.Name) else ""


def _is_same_encoding(node: libcst.CSTNode, mutated: libcst.CSTNode) -> bool:
    """Return whether both are names of one encoding, such as ``"utf-8"`` and ``"UTF-8"``."""
    if not isinstance(node, libcst.SimpleString) or not isinstance(mutated, libcst.SimpleString):
        return False
    with suppress(LookupError, ValueError, TypeError):
        one, other = codecs.lookup(str(node.evaluated_value)), str(mutated.evaluated_value)
        return one.name == codecs.lookup(other).name
    return False


def _one_line(text: bytes) -> str:
    return re.sub(r"\s+", " ", text.decode()).strip()


def _meaning(code: CodeType) -> object:
    """Return what two code objects that do the same have in common: all but their lines."""
    constants = tuple(
        _meaning(each) if isinstance(each, CodeType) else (type(each), each, str(each))
        for each in code.co_consts
    )
    return code.co_code, constants, code.co_names, code.co_varnames, code.co_freevars


def live_functions(paths: Iterable[Path]) -> Functions:
    """Return the functions that this process has of some modules."""
    files = {str(path) for path in paths}
    found: dict[tuple[str, str, int], list[FunctionType]] = {}
    for value in gc.get_objects():
        if type(value) is FunctionType and value.__code__.co_filename in files:
            found.setdefault(_key(value.__code__), []).append(value)
    return found


def _key(code: CodeType) -> tuple[str, str, int]:
    return code.co_filename, code.co_name, code.co_firstlineno


def become(mutant: Mutant, functions: Functions) -> None:
    """Make the mistake in this process, for good.

    :raises ValueError: a closure that exists already cannot have it.
    """
    original = _compiled(mutant.path.read_bytes(), mutant.path)
    for was, now in _pairs(original, _compiled(mutant.source(), mutant.path)):
        if was != now:
            for function in functions.get(_key(was), ()):
                function.__code__ = now
    forget(caches())  # what was computed while the tests were collected


def caches() -> list[Any]:
    """Return the functions of the package that keep what they have returned."""
    return [
        value
        for value in gc.get_objects()
        if type(value) is functools._lru_cache_wrapper  # noqa: SLF001
        and value.__module__.startswith("wsgi_mw_paste")
    ]


def forget(functions: Iterable[Any]) -> None:
    """Empty their caches."""
    for function in functions:
        function.cache_clear()


def _pairs(one: CodeType, other: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    yield one, other
    inside, others = _inside(one), _inside(other)
    if [code.co_name for code in inside] == [code.co_name for code in others]:
        for was, now in zip(inside, others, strict=True):
            yield from _pairs(was, now)


def _inside(code: CodeType) -> list[CodeType]:
    constants: tuple[Any, ...] = code.co_consts
    return [value for value in constants if isinstance(value, CodeType)]
