"""The README's tables are those of the code, and its links survive on an index page.

tests/docs runs its blocks.
"""

from __future__ import annotations

import re
from importlib.metadata import metadata

from tests.ini import ROOT
from tests.servers.servers import SERVERS
from wsgi_mw_paste.factories import FACTORIES
from wsgi_mw_paste.settings import reference

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_options_table_is_generated_from_the_declarations() -> None:
    """The table between the markers is what ``wsgi-mw-paste options --markdown`` prints."""
    table = README.partition("by a test -->\n")[2].partition("<!-- /options -->")[0]
    classes = dict.fromkeys(cls for factory in FACTORIES.values() for cls in factory.settings)

    assert table.strip() == reference([*classes])


def test_the_table_of_servers_is_the_matrix() -> None:
    """Each server of the matrix has its row, which says what runs it."""
    rows = re.findall(r"^\| ([\w-]+)[^|]* \| [\d.]+ \| `make ([\w-]+)` \|$", README, re.MULTILINE)

    assert dict(rows) == {
        name: "test-all" if server.slow else "test" for name, server in SERVERS.items()
    }


def test_the_extras_are_those_there_are() -> None:
    """The table of extras has each extra of the distribution once, and no other."""
    table = README.partition("| extra | what for |")[2].partition("\n\n")[0]
    named = [name for row in table.splitlines() for name in re.findall("`(\\w+)`", row[:40])]

    assert sorted(named) == sorted(metadata("wsgi_mw_paste").get_all("Provides-Extra") or [])


def test_the_long_description_has_no_relative_link() -> None:
    """Where there are no files beside the text, the names of the files are left, as words."""
    text = metadata("wsgi_mw_paste")["Description"]

    assert re.findall(r"\]\((?!\w+:|#)", text) == []
    assert "Where the filters go (docs/pipelines.md)" in text.replace("\n", " ")
