"""The kinds of findings: each has a code, and each code is in use and in the register."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import wsgi_mw_paste.command
from wsgi_mw_paste.command.findings import CODES

COMMAND = Path(wsgi_mw_paste.command.__file__).parent


def texts() -> set[str]:
    """Return all texts in the command's modules but the register itself."""
    trees = [
        ast.parse(path.read_text(encoding="utf-8"))
        for path in COMMAND.glob("*.py")
        if path.name != "findings.py"
    ]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    return {
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def codes() -> set[str]:
    """Return what the command's modules give to findings as their code."""
    found = set()
    for path in COMMAND.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "code":
                found |= {
                    part.value for part in ast.walk(node.value) if isinstance(part, ast.Constant)
                }
    return {code for code in found if isinstance(code, str) and code}


def test_every_code_is_in_the_register() -> None:
    """A finding with another code would have no line in the documentation."""
    assert sorted(codes() - set(CODES)) == []


def test_every_code_in_the_register_is_in_use() -> None:
    """What nothing reports needs no line."""
    assert sorted(set(CODES) - texts()) == []


def test_codes_are_kebab_case_and_meanings_one_line() -> None:
    """Codes are words for scripts; a meaning goes on as a sentence does."""
    assert [code for code in CODES if not re.fullmatch("[a-z]+(-[a-z]+)*", code)] == []
    assert [text for text in CODES.values() if "\n" in text or text.endswith(".")] == []
