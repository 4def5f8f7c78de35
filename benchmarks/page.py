"""``RESULTS.md``: the page of what was measured last, a section for each command."""

from __future__ import annotations

import os
import platform
import re
import sys
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HERE = Path(__file__).parent
PAGE = HERE / "RESULTS.md"


class Goal(NamedTuple):
    """One of the goals, and what was measured.

    :ivar most: the bound is the highest value that will do, not the lowest.
    :ivar where: the cell that is worst.
    """

    what: str
    bound: float
    value: float
    unit: str = "×"
    most: bool = True
    where: str = ""

    @property
    def met(self) -> bool:
        """Say whether the measured value keeps the bound."""
        return self.value <= self.bound if self.most else self.value >= self.bound

    def row(self) -> list[str]:
        """Return the row of the goals' table."""
        sign = "≤" if self.most else "≥"
        value = f"{self.value:,.2f}" if self.value < 100 else f"{self.value:,.0f}"  # noqa: PLR2004
        verdict = "met" if self.met else "**missed**"
        where = f" ({self.where})" if self.where else ""
        unit = self.unit if self.unit in ("×", "%") else f" {self.unit}"
        return [self.what, f"{sign} {self.bound:g}{unit}", f"{value}{unit}{where}", verdict]


def goals_table(goals: Iterable[Goal]) -> str:
    """Return the table of goals: wanted, measured, met or missed."""
    rows = [goal.row() for goal in goals]
    return table(["goal", "bound", "measured (worst cell)", "verdict"], rows)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; all columns but the first are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def conditions(*packages: str) -> str:
    """Return the sentence that says when, where and of what versions something was measured."""
    day = datetime.now(tz=timezone.utc).date().isoformat()
    named = []
    for package in packages:
        try:
            named.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            named.append(f"{package} not installed, so left out")
    python = f"{platform.python_implementation()} {platform.python_version()}"
    where = f"{python}, {_processor()} with {os.cpu_count()} cores, {platform.system()}"
    return f"Measured on {day}: {where}; {', '.join(named)}."


def _processor() -> str:
    """Return the name of the processor, as well as it is known."""
    if sys.platform == "linux":
        names = re.findall(r"(?m)^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text("utf-8"))
        if names:
            return str(names[0])
    return platform.processor() or platform.machine()


def write(name: str, text: str, page: Path = PAGE) -> None:
    """Put *text* into the page, in the place of the section *name*; print it."""
    print(text)
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
    before, _, rest = page.read_text("utf-8").partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}\n{text.strip()}\n\n{end}{after}", "utf-8")
