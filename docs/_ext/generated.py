"""Directives for what is written down elsewhere: options, the command's help, findings, figures.

Each makes Markdown, and MyST parses it where the directive is. So a page never has a copy.
"""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from wsgi_mw_paste.command import cli
from wsgi_mw_paste.command.findings import CODES
from wsgi_mw_paste.factories import FACTORIES
from wsgi_mw_paste.settings import reference

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]


class _Generated(SphinxDirective):
    """A directive that a piece of Markdown takes the place of."""

    optional_arguments: ClassVar[int] = 1
    final_argument_whitespace: ClassVar[bool] = True

    def markdown(self, argument: str) -> str:
        """Return the Markdown."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Parse it here."""
        text = self.markdown(self.arguments[0] if self.arguments else "")
        # The class is for site.css.
        place = nodes.container(classes=[self.name])
        self.state.nested_parse(StringList(text.splitlines(), self.name), 0, place)
        return [place]


class Options(_Generated):
    """The options of one filter, as a table: ``{options} cors``."""

    def markdown(self, argument: str) -> str:
        """Return the reference table of the filter's settings."""
        return reference(FACTORIES[argument].settings)


class CommandHelp(_Generated):
    """What the command prints for ``--help``: ``{command-help} check``."""

    def markdown(self, argument: str) -> str:
        """Return the help as a block."""
        # argparse asks for the width of the terminal, and there is none.
        os.environ["COLUMNS"] = "80"
        parser = cli._parser()  # noqa: SLF001 -- there is no public way to the help
        if argument:
            [commands] = (
                action
                for action in parser._actions  # noqa: SLF001
                if isinstance(action, argparse._SubParsersAction)  # noqa: SLF001
            )
            parser = commands.choices[argument]
        return f"```text\n{parser.format_help().rstrip()}\n```"


class Findings(_Generated):
    """The codes of what ``check`` finds, as a table: ``{findings}``."""

    def markdown(self, argument: str) -> str:  # noqa: ARG002 -- there is none
        """Return the table."""
        rows = [f"| `{code}` | {meaning} |" for code, meaning in CODES.items()]
        return "\n".join(["| code | what it says |", "| --- | --- |", *rows])


class Results(_Generated):
    """A table of ``benchmarks/RESULTS.md``, by its header: ``{results} stack | waitress``."""

    def markdown(self, argument: str) -> str:
        """Return the first such table."""
        text = (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
        table = re.search(rf"^\| {re.escape(argument)} .*\n(?:\|.*\n)+", text, re.MULTILINE)
        if table is None:
            raise self.error(f"benchmarks/RESULTS.md has no table with the header {argument}")
        return table[0]


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directives."""
    app.add_directive("options", Options)
    app.add_directive("command-help", CommandHelp)
    app.add_directive("findings", Findings)
    app.add_directive("results", Results)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
