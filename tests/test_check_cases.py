"""``wsgi-mw-paste check`` on the deployments of a case table: what it must and must not find."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.checking import write_module
from tests.ini import ROOT
from wsgi_mw_paste.command.cli import main

if TYPE_CHECKING:
    from collections.abc import Mapping

ROWS = json.loads((ROOT / "tests/cases/check_cases.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_a_deployment_is_found_to_have(
    row: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The findings that the row names, or neither error nor warning; and its exit status."""
    for name, text in row["files"].items():
        Path(name).write_text(text, encoding="utf-8")
    write_module(monkeypatch)
    for name, value in row["env"].items():
        monkeypatch.setenv(name, value)
    file = next((word[5:] for word in row["args"] if word.startswith("FILE=")), "x.ini")
    arguments = [word for word in row["args"] if not word.startswith("FILE=")]
    status = main(["check", file, "--json", *arguments])
    findings = json.loads(capsys.readouterr().out)["findings"]
    for expected in row["expect"]:
        assert satisfies(findings, expected), findings
    assert status == row["status"]


def satisfies(findings: list[dict[str, Any]], expected: Mapping[str, Any]) -> bool:
    """Say whether the findings are as a row expects."""
    if "none" in expected:
        return not any(finding["level"] in {"error", "warning"} for finding in findings)
    return any(fits(finding, expected) for finding in findings)


def fits(finding: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    """Say whether one finding is what a row expects."""
    place = finding["place"]
    said = " ".join(map(str, (finding["message"], finding["value"], *place.values())))
    return (
        finding["level"] in expected.get("level_in", [expected.get("level", finding["level"])])
        and expected.get("section", place["section"]) == place["section"]
        and expected.get("key", place["key"]) == place["key"]
        and (place["file"] or "").endswith(expected.get("file", ""))
        and re.search(expected.get("says", ""), said) is not None
    )
