"""Imports run downward only: what each module of the package may import, and nothing else.

The rows are those of the design, from the ground up. An import for type checking counts like any
other as far as our own modules go, since a type from above means that the layers are wrong; what
else it names does not exist at run time and is free.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import wsgi_mw_paste
from tests.ini import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(wsgi_mw_paste.__file__).parent

#: Of ours in the first column, of others in the second; the standard library is free. Who declares
#: options names their parsers, so whatever may import ``settings`` may import ``values``.
LIBRARY = {
    "context": ("", ""),
    "_http": ("", ""),
    "_wsgi": ("", ""),
    "_ini": ("", ""),
    "logging": ("context", ""),
    "values": ("_http", ""),
    "_environment": ("_ini", "environs"),
    "settings": ("values _ini _environment", "environs"),
    "_loading": ("settings values _ini _environment", ""),
    "origins": ("", "idna publicsuffixlist"),
    "_access": ("context _wsgi", ""),
    "cors": ("settings values origins _http _wsgi", "webob"),
    "request_id": ("settings values context logging _access _http _wsgi", ""),
    "errors": ("context _http _wsgi", "webob"),
    "health": ("settings values context _http _wsgi", "webob"),
    "factories": ("settings _loading _ini cors request_id errors health", ""),
    "__init__": ("context logging settings cors request_id errors health", ""),
}


#: Above the library, in this order: the command, what starts it, and the playground, whose modules
#: are free to import all that is below them.
ABOVE = {
    "command.__init__": "",
    "command.findings": "",
    "command.loader": "paste webob",
    "command.pipeline": "paste",
    "command.exchange": "paste webob",
    "command.browser": "",
    "command.near_misses": "",
    "command.explain": "webob",
    "command.logging_sections": "",
    "command.idle": "",
    "command.check": "webob",
    "command.output": "",
    "command.cli": "",
    "__main__": "",
    "playground.recorder": "",
    "playground.page": "pyramid",
    "playground.__init__": "pyramid webob",
}


def name_of(path: Path) -> str:
    """Return a module's name below the package."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def allowed(path: Path) -> tuple[list[str], list[str]]:
    """Return what a file may import, of ours and of others."""
    module = name_of(path)
    if module in LIBRARY:
        ours, others = LIBRARY[module]
        return ours.split(), others.split()
    rows = list(ABOVE)
    return [*LIBRARY, *rows[: rows.index(module)]], ABOVE[module].split()


#: The second form is the package's own, whose every name without an underscore is public.
TYPING_ONLY = ("TYPE_CHECKING", "_typing.TYPE_CHECKING")


def imports(tree: ast.AST, *, typing: bool = False) -> Iterator[tuple[str, bool]]:
    """Yield every imported module, wherever the statement stands, and if it is for typing only."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, typing) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the layer"
            # "from wsgi_mw_paste import cors" names a module; a public name would be no module's.
            package = node.module == "wsgi_mw_paste"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from ((name, typing) for name in (names if package else [str(node.module)]))
        elif isinstance(node, ast.If) and ast.unparse(node.test) in TYPING_ONLY:
            yield from imports(node, typing=True)
        else:
            yield from imports(node, typing=typing)


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_from_below_only(path: Path) -> None:
    """Our modules as in the design, for typing too; foreign ones only where they belong."""
    ours, others = allowed(path)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for name, typing in imports(tree):
        top, _, below = name.partition(".")
        if top == "wsgi_mw_paste":
            assert below in ours, name
        elif not typing:
            assert top in {*others, *sys.stdlib_module_names}, name


def test_the_table_runs_downward() -> None:
    """No row allows a module that stands in a later row."""
    rows = list(LIBRARY)
    assert [
        (module, other)
        for module, (ours, _) in LIBRARY.items()
        for other in ours.split()
        if rows.index(other) >= rows.index(module)
    ] == []


def test_the_map_for_contributors_lists_every_module_once() -> None:
    """CONTRIBUTING has a line for each, in the order of this table."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([\w/]+)` \|", text, re.MULTILINE)
    there = {name_of(path).replace(".", "/") for path in FILES} - {"command/__init__"}
    rows = [name.replace(".", "/") for name in (*LIBRARY, *ABOVE)]
    assert listed == [name for name in rows if name in there]
    assert there == set(listed)
