"""Every command in README and docs/ is run, and prints what stands below it."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
from contextlib import ExitStack
from importlib.metadata import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import PAGES, Block, blocks, blocks_of, commands, completed, write_files
from tests.ini import ROOT
from tests.serving import Server, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: The port that the pages use.
PORT = "6543"
#: Added to a file that is served: the line with the port must get through.
LISTENING = """
[logger_waitress]
level = INFO
handlers =
qualname = waitress
"""


class Terminal:
    """The terminal of a reader who does what one page says, from top to bottom."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._server: Server | None = None
        self._programs: dict[str, Callable[[str, str, int], None]] = {
            "curl": self._curl,
            "make": self._make,
            "pip": self._pip,
            "pserve": self._serve,
            "wsgi-mw-paste": self._run,
        }

    def read(self, block: Block) -> None:
        """Run the commands of a block."""
        for command, shown in commands(block.text):
            run = self._programs[command.split()[0]]
            run(command, shown, int(block.marks.get("exit", "0")))

    @property
    def log(self) -> list[str]:
        """What the page's server has written."""
        assert self._server is not None
        return varying_hidden(self._server.stdout + self._server.stderr).splitlines()

    def _run(self, command: str, shown: str, status: int) -> None:
        done = subprocess.run(
            ["bash", "-c", command],
            env=os.environ
            | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "80"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stdout
        output = done.stdout.replace(f"{Path.cwd()}{os.sep}", "/app/")
        if shown:
            # Above the last lines there may be a traceback; what a page leaves out is an ellipsis.
            lines = varying_hidden(shown).rstrip().removeprefix("…\n").splitlines()
            assert varying_hidden(output).rstrip().splitlines()[-len(lines) :] == lines

    def _serve(self, command: str, shown: str, status: int) -> None:
        if status:
            self._run(command, shown, status)
            return
        name = command.split()[1]
        text = Path(name).read_text(encoding="utf-8")
        text = re.sub(rf"(localhost|127\.0\.0\.1):{PORT}", "127.0.0.1:0", text)
        # In production, waitress's word that it listens does not get through.
        text = text.replace("[loggers]\nkeys = ", "[loggers]\nkeys = waitress, ")
        copy = Path(f"served-{name}")
        copy.write_text(text + LISTENING, encoding="utf-8")
        self._server = self._stack.enter_context(serving("pserve", copy))

    def _curl(self, command: str, shown: str, status: int) -> None:
        assert self._server is not None, "no server runs"
        command = re.sub(rf"http://(localhost|127\.0\.0\.1):{PORT}", self._server.url, command)
        self._run(command.replace("curl", "curl -s", 1), shown, status)

    def _make(self, command: str, shown: str, status: int) -> None:
        words = [*shlex.split(command), "--dry-run"]
        subprocess.run(words, cwd=ROOT, capture_output=True, check=True)

    def _pip(self, command: str, shown: str, status: int) -> None:
        extras = metadata("wsgi_mw_paste").get_all("Provides-Extra")
        assert extras is not None
        asked = re.findall(r"\[([\w,]+)\]", command)
        assert {extra for group in asked for extra in group.split(",")} <= {*extras}


def varying_hidden(text: str) -> str:
    """Return a text without what is another each time."""
    text = re.sub(r"\b[0-9a-f]{32}\b", "ID", text.replace("\r\n", "\n"))
    text = re.sub(r"\b[0-9]+\.[0-9]+ms\b", "0.0ms", text)
    text = re.sub(r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8},[0-9]{3} ", "", text, flags=re.MULTILINE)
    text = re.sub(r"\b(localhost|127\.0\.0\.1):[0-9]+\b", "HOST", text)
    return re.sub(r"^Date: .*$", "Date: DATE", text, flags=re.MULTILINE)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    with contextlib.ExitStack() as stack:
        yield Terminal(stack)


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if "```console" in page.read_text("utf-8")],
    ids=lambda p: p.stem,
)
def test_the_commands_of_a_page_do_what_the_page_shows(page: Path, terminal: Terminal) -> None:
    """From top to bottom, with the files that the page names, each prints what is shown."""
    found = blocks_of(page)
    write_files(found[0].page)
    for block in found:
        if block.language == "console":
            terminal.read(block)
    for block in found:
        if "log" in block.marks:
            wanted = varying_hidden(block.text).splitlines()
            assert [line for line in terminal.log if line in wanted] == wanted, terminal.log


def test_the_log_before_is_that_of_the_application_alone() -> None:
    """The README's first block is what the cookiecutter's file logs."""
    [block] = [block for block in blocks("text") if "before" in block.marks]
    text = completed("[app:main]\nuse = egg:myapp\n").replace(PORT, "0")
    text = re.sub(r"^(class = wsgi_mw|format =).*", "", text, flags=re.MULTILINE)
    shown = "format = %(levelname)-5.5s [%(name)s] %(message)s\n"
    path = Path("bare.ini")
    path.write_text(
        text.replace("[formatter_generic]\n", f"[formatter_generic]\n{shown}").replace(
            "WARN", "INFO"
        ),
        encoding="utf-8",
    )
    with serving("pserve", path) as server:
        server.request("POST", "/orders")
        server.request("GET", "/orders/18")

    wanted = block.text.splitlines()
    assert [line for line in server.stderr.splitlines() if line in wanted] == wanted
