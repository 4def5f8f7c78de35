"""README and docs/ as tests see them: pages, their fenced blocks, and what a block is for.

A comment above a block tells its test what a reader sees from the text around it:

- ``<!-- file: shop.ini -->``: the block is a whole file of this name; the page's commands use it.
- ``<!-- check: unused-filter -->``: what ``check`` finds in it, by code; nothing if not said.
- ``<!-- name: shop_api -->``: the application of that file to check; ``main`` if not said.
- ``<!-- exit: 1 -->``: the exit status of a command; 0 if not said.
- ``<!-- log: … -->``: these lines are in the log of the server that the page starts, in this order.
- ``<!-- before: … -->``: these lines are in the log of the application without any filter.
"""

from __future__ import annotations

import configparser
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.ini import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Every page that a test runs.
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
#: Where ``egg:myapp`` is installed.
INSTALLED = ROOT / "tests" / "docs" / "installed"

_FENCE = re.compile(
    r"(?P<marks>(?:^<!-- [^\n]* -->\n)*)^```(?P<language>[^\n]+)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_MARK = re.compile(r"<!-- (\w+): (.*?) -->")

#: What an excerpt of an INI file leaves out: the file that a reader of the README has by then.
_AROUND = """
[pipeline:main]
pipeline = web myapp

[app:myapp]
use = egg:myapp

[filter:web]
use = egg:wsgi_mw_paste
cors_allowed = https://app.example.com
cors_expose_headers = X-Request-Id
log_tokens = fingerprint

[server:main]
use = egg:waitress#main
listen = 127.0.0.1:6543

[loggers]
keys = root, access

[handlers]
keys = console

[formatters]
keys = generic

[logger_root]
level = WARN
handlers = console

[logger_access]
level = INFO
handlers =
qualname = wsgi_mw_paste.access

[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = generic

[formatter_generic]
class = wsgi_mw_paste.logging.RequestIdFormatter
format = %(asctime)s %(levelname)-5.5s [%(name)s] [%(request_id)s] %(message)s
"""


class Block(NamedTuple):
    """A fenced block.

    :ivar page: the path of the page, from the project's root.
    :ivar line: of its fence, counted from 1.
    :ivar heading: the last one above it.
    :ivar marks: what the comments above it say.
    """

    page: str
    line: int
    heading: str
    language: str
    text: str
    marks: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(path: Path) -> list[Block]:
    """Return the blocks of a page, in order."""
    text = path.read_text(encoding="utf-8")
    page = str(path.relative_to(ROOT))
    return [
        Block(
            page,
            text.count("\n", 0, match.start("language")) + 1,
            _heading(text[: match.start()]),
            match["language"],
            match["text"],
            dict(_MARK.findall(match["marks"])),
        )
        for match in _FENCE.finditer(text)
    ]


def _heading(text: str) -> str:
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    heading: str = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)[-1]
    return heading


#: All blocks of all pages.
BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def blocks(language: str) -> list[Block]:
    """Return the blocks in one language."""
    return [block for block in BLOCKS if block.language == language]


def block(page: str, heading: str, language: str = "python", number: int = 0) -> Block:
    """Return the block of a page below a heading."""
    found = [b for b in blocks(language) if b.page == page and b.heading == heading]
    return found[number]


def sections(text: str) -> configparser.RawConfigParser:
    """Return the sections of an INI file, with the keys as they are spelled."""
    parser = configparser.RawConfigParser(default_section="there is none", strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return parser


def is_whole(text: str) -> bool:
    """Say whether an INI block is a file that PasteDeploy loads as it stands."""
    names = sections(text).sections()
    return "server:main" in names or any(name.startswith("composite:") for name in names)


def write_files(page: str) -> None:
    """Write every file that the pages name into the working directory, those of *page* last."""
    for block in sorted(BLOCKS, key=lambda block: block.page == page):
        if "file" in block.marks:
            whole = block.language != "ini" or is_whole(block.text)
            text = block.text if whole else completed(block.text)
            Path(block.marks["file"]).write_text(text, encoding="utf-8")


def completed(text: str) -> str:
    """Return an INI file made of an excerpt and of what is around it.

    A section of the excerpt that the file has, too, adds its keys to it, or replaces them.
    """
    excerpt, file = sections(text), sections(_AROUND)
    if any(name in excerpt for name in ("app:main", "composite:main")):
        file.remove_section("pipeline:main")
    for name in excerpt.sections():
        if name not in file:
            file.add_section(name)
        elif name == "filter:web" and "use" in excerpt[name]:
            file.remove_section(name)
            file.add_section(name)
        for key, value in excerpt[name].items():
            file[name][key] = value
    for name in list(file.sections()):
        kind, _, short = name.partition(":")
        if kind in ("filter", "app") and name not in excerpt and not _is_used(short, file):
            file.remove_section(name)
    out = io.StringIO()
    file.write(out)
    return out.getvalue()


def _is_used(name: str, file: configparser.RawConfigParser) -> bool:
    return any(
        name in value.split() for section in file.sections() for value in file[section].values()
    )


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a console block with what is shown below it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = re.sub(r"\\\n\s*", "", part).partition("\n")
        yield command, shown
