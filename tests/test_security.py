"""The threat model names its proofs: below each promise of ``docs/security.md`` stand its tests."""

from __future__ import annotations

import ast
import functools
import re
from typing import NamedTuple

import pytest

from tests.ini import ROOT

PAGE = ROOT / "docs" / "security.md"
#: What a section has below it: what holds is proven, what is left to others cannot be.
_PROMISES = re.compile(r"What .+ promises?")
_LEFT = re.compile(r"What .+ leaves to you|What is trusted")


class Promise(NamedTuple):
    """A line of the threat model, with the lines below it that name tests."""

    text: str
    proofs: tuple[str, ...]


def lists_of(page: str) -> dict[str, list[Promise]]:
    """Return the items of the lists of a page, by the last heading above them."""
    found: dict[str, list[Promise]] = {}
    heading = ""
    for line in re.sub(r"\n +(?![ -])", " ", page).splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif line.startswith("- "):
            found.setdefault(heading, []).append(Promise(line.removeprefix("- "), ()))
        elif line.startswith("  - "):
            text, proofs = found[heading].pop()
            found[heading].append(Promise(text, (*proofs, line.removeprefix("  - "))))
    return found


LISTS = lists_of(PAGE.read_text(encoding="utf-8"))
PROMISES = [
    promise for heading, items in LISTS.items() if not _LEFT.fullmatch(heading) for promise in items
]


@functools.cache
def names_in(module: str) -> frozenset[str]:
    """Return the names of the tests of a module; none if there is no such module."""
    path = ROOT / module
    if not path.is_file():
        return frozenset()
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.FunctionDef(name=name) if name.startswith("test_"):
                names.add(name)
            # That of a state machine.
            case ast.Assign(targets=[ast.Name(id=name)]) if name.startswith("Test"):
                names.add(name)
    return frozenset(names)


def flaws(promise: Promise) -> list[str]:
    """Return what is wrong with the proofs of a promise."""
    found = [] if promise.proofs else ["it names no test"]
    for proof in promise.proofs:
        match = re.fullmatch(r"`(tests/[\w/]+\.py)`(?:: (`\w+`(?:, `\w+`)*))?", proof)
        if match is None:
            found.append(f"expected `MODULE` or `MODULE`: `TEST`, `TEST`; it is {proof}")
            continue
        there = names_in(match[1])
        if not there:
            found.append(f"no tests in {match[1]}")
        names = re.findall(r"\w+", match[2] or "")
        found += [f"no {name} in {match[1]}" for name in names if name not in there]
    return found


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.text[:60])
def test_a_promise_names_tests_that_exist(promise: Promise) -> None:
    """Each line that promises something has tests, and no test has gone or changed its name."""
    assert flaws(promise) == []


def test_every_list_is_one_of_promises_or_of_what_is_left() -> None:
    """So no line of the threat model can go without a proof for want of a heading."""
    assert [
        head for head in LISTS if not (_PROMISES.fullmatch(head) or _LEFT.fullmatch(head))
    ] == []
    assert len(PROMISES) > 30


def test_what_is_left_to_others_has_no_proof() -> None:
    """A line with tests is a promise, and stands among them."""
    left = [item for heading in LISTS if _LEFT.fullmatch(heading) for item in LISTS[heading]]
    assert [item.text for item in left if item.proofs] == []
    assert len(left) > 10


def test_the_policy_refers_to_the_page() -> None:
    """``SECURITY.md`` says how to report, and leaves what counts to the page."""
    assert "](docs/security.md)" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        pytest.param("- A.\n", ["it names no test"], id="none"),
        pytest.param("- A.\n  - `tests/gone.py`\n", ["no tests in tests/gone.py"], id="no module"),
        pytest.param("- A.\n  - `tests/ini.py`\n", ["no tests in tests/ini.py"], id="no tests"),
        pytest.param(
            "- A\n  b.\n  - `tests/test_layers.py`\n  - `tests/test_security.py`:\n"
            "    `test_the_policy_refers_to_the_page`,\n    `test_gone`\n",
            ["no test_gone in tests/test_security.py"],
            id="no such test",
        ),
        pytest.param(
            "- A.\n  - by hand\n",
            ["expected `MODULE` or `MODULE`: `TEST`, `TEST`; it is by hand"],
            id="prose",
        ),
        pytest.param("- A.\n  - `tests/property/test_health.py`: `TestProbes`\n", [], id="fine"),
    ],
)
def test_a_promise_without_a_proof_is_found(page: str, expected: list[str]) -> None:
    """A check that could not fail would prove nothing."""
    ((promise,),) = lists_of(f"### What it promises\n\n{page}").values()
    assert flaws(promise) == expected
