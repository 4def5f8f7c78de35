"""``check`` finds nothing in the INI blocks of README and docs/, or what the page says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import Block, blocks, completed, is_whole, write_files
from wsgi_mw_paste.command.check import check


@pytest.mark.parametrize("block", blocks("ini"), ids=str)
def test_check_finds_what_the_page_says(block: Block) -> None:
    """Whole files as they stand, excerpts in the file around them; as a rule nothing is found."""
    write_files(block.page)
    path = Path(block.marks.get("file", "block.ini"))
    text = block.text if is_whole(block.text) else completed(block.text)
    path.write_text(text.replace("/run/secrets", str(Path.cwd())), encoding="utf-8")
    Path("log_tokens_key").write_text("0123456789abcdef", encoding="utf-8")

    report = check(str(path), block.marks.get("name", "main"))

    found = [finding for finding in report.findings if finding.level != "note"]
    assert [finding.code for finding in found] == block.marks.get("check", "").split(), found
