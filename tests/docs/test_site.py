"""The documentation builds without a warning, needs no network, and links to what is there."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.pages import BLOCKS, PAGES
from tests.frameworks import needs
from tests.ini import ROOT

if TYPE_CHECKING:
    from pathlib import Path

#: What blocks may be in: tests run the first three, and compare or parse the others.
LANGUAGES = {"ini", "python", "console", "text", "json"}
#: The longest page, in words, without its blocks and tables.
MAX_WORDS = 1500


class Page(HTMLParser):
    """The ids of a page, its links, and what a browser loads with it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of one element."""
        found = {name: value or "" for name, value in attrs}
        self.ids.add(found.get("id", ""))
        named = [found[name] for name in ("src", "href") if name in found]
        (self.links if tag == "a" else self.loads).extend(named)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Page]:
    """Build the documentation as ``make docs`` does; return its pages by their paths."""
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-n", "-T", "-W", "-q", ROOT / "docs", out],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return {
        str(path.relative_to(out)): Page(path.read_text(encoding="utf-8"))
        for path in out.glob("*.html")
    }


@needs("sphinx", "furo", "myst_parser")
def test_a_page_loads_nothing_from_elsewhere(site: dict[str, Page]) -> None:
    """Styles, scripts, fonts and pictures are all of the site itself."""
    loads = {link for page in site.values() for link in page.loads}
    assert {link for link in loads if urlsplit(link).netloc} == set()


@needs("sphinx", "furo", "myst_parser")
def test_a_link_inside_the_site_leads_somewhere(site: dict[str, Page]) -> None:
    """The page is there, and the place on it."""
    inside = [
        (name, link, urlsplit(link).path or name, unquote(urlsplit(link).fragment))
        for name, page in site.items()
        for link in page.links
        if not urlsplit(link).scheme
    ]
    assert [
        (name, link)
        for name, link, target, place in inside
        if target not in site or place not in site[target].ids | {""}
    ] == []


@pytest.mark.parametrize("path", [*PAGES, *ROOT.glob("*.md")], ids=lambda path: path.name)
def test_a_relative_link_in_the_sources_leads_to_a_file(path: Path) -> None:
    """So the pages can be read in a clone, too."""
    links = re.findall(r"\]\((?!\w+:)([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_can_be_read_in_one_go(path: Path) -> None:
    """Blocks and tables apart, it has at most 1,500 words."""
    prose = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = [line for line in prose.splitlines() if not line.startswith(("|", "<!--"))]
    assert len(" ".join(lines).split()) <= MAX_WORDS


def test_every_block_is_in_a_language_that_a_test_runs_or_reads() -> None:
    """What is in another language is included from a file that tests use."""
    found = {block.language for block in BLOCKS if not block.language.startswith("{")}
    assert found <= LANGUAGES
