"""Directives for what stands in the code already: options, the command's help, its findings.

Each makes Markdown and has MyST parse it where the directive stands.
"""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from wsgi_mw_paste.command import cli
from wsgi_mw_paste.factories import FILTERS
from wsgi_mw_paste.settings import reference

if TYPE_CHECKING:
    from sphinx.application import Sphinx


class _Generated(SphinxDirective):
    """A directive that stands for a piece of Markdown."""

    optional_arguments: ClassVar[int] = 1

    def markdown(self, argument: str) -> str:
        """Return what stands in its place."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """Parse the Markdown here."""
        text = self.markdown(self.arguments[0] if self.arguments else "")
        place = nodes.container()
        self.state.nested_parse(StringList(text.splitlines(), self.name), 0, place)
        return place.children


class Options(_Generated):
    """The options of one filter, as a table: ``{options} cors``."""

    def markdown(self, argument: str) -> str:
        return reference(FILTERS[argument].settings)


class Help(_Generated):
    """What the command prints for ``--help``: ``{command-help} check``."""

    def markdown(self, argument: str) -> str:
        # argparse asks for the width of the terminal, and there is none.
        os.environ["COLUMNS"] = "80"
        parser = cli._parser()  # noqa: SLF001 -- the parser is not public
        actions: list[Any] = [
            action for action in parser._actions if isinstance(action, argparse._SubParsersAction)  # noqa: SLF001
        ]
        if argument:
            parser = actions[0].choices[argument]
        return f"```text\n{parser.format_help().rstrip()}\n```"


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directives."""
    app.add_directive("options", Options)
    app.add_directive("command-help", Help)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
