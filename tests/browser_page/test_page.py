"""The playground's page as a whole: it loads by both names, and nothing else gets in."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser_page.page import open_page, text_of
from tests.conftest import VARIABLES
from tests.serving import program

if TYPE_CHECKING:
    from tests.browser_page.chromium import Browser
    from tests.serving import Server


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_the_console_stays_empty(browser: Browser, server: Server, host: str) -> None:
    """By either name the page loads without an error, a failed load or a policy violation."""
    open_page(browser, server, host)
    assert browser.console() == []


@pytest.mark.parametrize(
    ("host", "other"), [("localhost", "127.0.0.1"), ("127.0.0.1", "localhost")]
)
def test_the_page_says_which_name_is_which(
    browser: Browser, server: Server, host: str, other: str
) -> None:
    """It shows its own origin and the one it sends requests to, and a link swaps the two."""
    open_page(browser, server, host)
    assert text_of(browser, "#here, #other") == [
        f"http://{host}:{server.port}",
        f"http://{other}:{server.port}",
    ]
    browser.run("document.getElementById('swap').click()")
    browser.wait(f"document.getElementById('here')?.textContent.includes('//{other}:')")


def test_nothing_else_gets_in(browser: Browser, server: Server) -> None:
    """The policy stops inline scripts and styles, text as HTML, and requests to other origins."""
    open_page(browser, server)
    found = browser.run(
        """
        const attempt = async (act) => {
          try { await act(); } catch (error) { return error.name; }
        };
        const style = document.createElement("style");
        style.textContent = "html { color: rgb(1, 2, 3) }";
        document.head.append(style);
        return (async () => [
          await attempt(() => { document.createElement("script").textContent = "0"; }),
          await attempt(() => { document.body.innerHTML = "<p>0</p>"; }),
          await attempt(() => fetch("http://127.0.0.1:9/")),
          getComputedStyle(document.documentElement).color,
        ])();
        """
    )
    assert found[:3] == ["TypeError", "TypeError", "TypeError"]
    assert found[3] != "rgb(1, 2, 3)"
    console = "".join(browser.console())
    assert "style-src" in console
    assert "Refused to connect" in console


def test_the_settings_in_effect_are_those_of_check(
    browser: Browser, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names, values and places are those that the command prints for the same file."""
    open_page(browser, server)
    (file,) = text_of(browser, "#file")
    monkeypatch.chdir(Path(file).parent)
    done = subprocess.run(
        [program("python"), "-m", "wsgi_mw_paste", "check", "--json", "copy.ini"],
        capture_output=True,
        text=True,
        check=True,
    )
    outermost = json.loads(done.stdout)["pipeline"]
    nodes = []
    while outermost:
        nodes.append(outermost)
        outermost = outermost["inner"].get("")
    expected = [
        [value["option"], value["place"]["line"] or value["place"]["level"]]
        for node in nodes
        for value in node["options"]
    ]
    listed = []
    for row in text_of(browser, "#nodes .options > div"):
        name, _, place = row.split("\n")
        line = re.match(r"copy\.ini:(\d+) ", place)
        listed.append([name, int(line[1]) if line else place])
    assert listed == expected
    assert len(listed) == len(VARIABLES)
    assert text_of(browser, "#nodes h3") == [node["name"] for node in nodes]
