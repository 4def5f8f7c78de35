"""The plot of what a request costs against the number of origins."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from benchmarks.page import HERE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.driver import Times

_FILE = HERE / "growth.svg"
#: A panel each: what stands in the scenarios' names, and the title.
_PANELS = {"allowed": "an allowed Origin", "changing Origin": "an ever-changing Origin"}
_LINES = {
    "floor": "#767676",
    "ours": "#c2410c",
    "wsgicors": "#1d4ed8",
    "2020 package": "#15803d",
    "oslo.middleware": "#7e22ce",
    "flask-cors": "#0e7490",
    "django-cors-headers": "#a16207",
}


def growth(found: Mapping[str, Times]) -> None:
    """Draw it; without matplotlib the old one stays, and a line says so."""
    try:
        import matplotlib as mpl
        from matplotlib import pyplot as plt
    except ImportError:
        print(f"matplotlib is not installed, so {_FILE.name} stays as it is")
        return
    # Text as text, on white whatever the page behind it, and the same file for the same figures.
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "growth", "font.size": 10})
    figure, panels = plt.subplots(1, len(_PANELS), figsize=(9, 4.2), sharey=True)
    for panel, (kind, title) in zip(panels, _PANELS.items(), strict=True):
        for name, color in _LINES.items():
            points = [
                (int(match[1].replace(",", "")), times.median(name) / 1000)
                for scenario, times in found.items()
                if name in times.rounds
                and (match := re.fullmatch(rf"CORS, ([\d,]+) origins?, {kind}", scenario))
            ]
            if points:
                width = 2.4 if name == "ours" else 1.3
                panel.plot(
                    *zip(*points, strict=True), "o-", color=color, label=name, lw=width, ms=4
                )
        panel.set(xscale="log", yscale="log", title=title, xlabel="origins in the policy")
        panel.xaxis.set_major_formatter("{x:,.0f}")
        panel.yaxis.set_major_formatter("{x:,g}")
        panel.grid(alpha=0.25)
    panels[0].set_ylabel("µs added to a request")
    panels[0].legend(fontsize=8, loc="upper left")
    figure.tight_layout()
    figure.savefig(_FILE, metadata={"Date": None})
