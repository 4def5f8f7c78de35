"""Everyone can use the page: with a keyboard, a screen reader, a phone, in the dark."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser_page.page import AGREE, click, open_page, send, send_many, steps_of, text_of

if TYPE_CHECKING:
    from tests.browser_page.chromium import Browser
    from tests.serving import Server


def focused(browser: Browser) -> dict[str, Any]:
    """Return what has the focus, and whether it is visible."""
    found: dict[str, Any] = browser.run(
        """
        const element = document.activeElement;
        const style = getComputedStyle(element);
        const box = element.getBoundingClientRect();
        return {
          id: element.id || element.dataset.endpoint || element.getAttribute("href")
            || element.tagName,
          outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
          inside: Math.ceil(box.top) >= 0 && Math.floor(box.bottom) <= innerHeight,
        };
        """
    )
    return found


def tab_to(browser: Browser, target: str) -> None:
    """Press Tab until a target has the focus. Everything on the way there is visible."""
    stops: list[str] = []
    while target not in stops:
        assert len(stops) < 40, stops
        browser.press("Tab")
        found = focused(browser)
        assert found["outlined"], found
        assert found["inside"], found
        stops.append(found["id"])


def test_a_keyboard_is_enough(browser: Browser, server: Server) -> None:
    """Tab reaches everything, in the order of the page, and the usual keys work."""
    open_page(browser, server)
    send_many(browser, server)
    browser.press("Tab")
    assert focused(browser)["id"] == "#main"
    browser.press("Enter")
    tab_to(browser, "method")
    browser.press("d")
    tab_to(browser, "with-type")
    browser.press("Space")
    tab_to(browser, "with-id")
    browser.press("Space")
    tab_to(browser, "more")
    browser.press(*"X-A: 1")
    tab_to(browser, "send")
    browser.press("Enter")
    browser.wait("!document.getElementById('result').hidden")
    assert text_of(browser, "#try-status") == [AGREE]
    assert text_of(browser, "#sent")[0].startswith("DELETE http://127.0.0.1:")
    assert "the headers x-a, x-request-id are not safelisted" in steps_of(browser)[0][1]
    # The focus stays where it was.
    assert focused(browser)["id"] == "send"
    # The steps that explain prints: open, and closed by a key.
    tab_to(browser, "printed")
    browser.press("Enter")
    browser.wait("!document.querySelector('#result > details').open")
    for button in ("stream", "raise", "call", "json"):
        tab_to(browser, button)
        browser.press("Space")
        browser.wait(
            f"document.getElementById('follow-status').textContent.match(/^GET .{button}: [25]00,/)"
        )
    tab_to(browser, "pause")
    browser.press("Space")
    assert text_of(browser, "#follow-status") == ["Paused."]
    # Where the list of requests scrolls, the arrow keys scroll it.
    tab_to(browser, "requests")
    browser.press("Down")
    browser.wait("document.getElementById('requests').scrollTop > 0")


def test_everything_has_a_name(browser: Browser, server: Server) -> None:
    """Each field has a label, each section a heading, and no heading skips a level."""
    open_page(browser, server)
    send(browser, "PUT")
    unnamed, sections, levels = browser.run(
        """
        const all = (selector) => [...document.querySelectorAll(selector)];
        const title = (section) =>
          document.getElementById(section.getAttribute("aria-labelledby"));
        return [
          all("input, select, textarea").filter((field) => !field.labels.length).map((f) => f.id),
          all("section").map((section) => title(section).tagName),
          all("h1, h2, h3, h4").map((heading) => Number(heading.tagName[1])),
        ];
        """
    )
    assert unnamed == []
    assert sections == ["H2", "H2", "H2"]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


#: WCAG 2.2, 1.4.3 and "relative luminance". Returns the texts with too little contrast, how many
#: texts there are, and the luminance of the page.
CONTRAST = """
    const parse = (color) => {
      const [r, g, b, a = 1] = color.match(/[\\d.]+/g).map(Number);
      return { rgb: [r, g, b], a };
    };
    const luminance = (rgb) => {
      const [r, g, b] = rgb.map((value) => {
        const c = value / 255;
        return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (element) => {
      for (let outer = element; outer; outer = outer.parentElement) {
        const { rgb, a } = parse(getComputedStyle(outer).backgroundColor);
        if (a === 1) return rgb;
        if (a !== 0) throw new Error(`half transparent: ${outer.tagName}`);
      }
      throw new Error("no ground");
    };
    const poor = [];
    let count = 0;
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const fields = [...document.querySelectorAll("select, textarea")];
    while (walker.nextNode()) {
      if (walker.currentNode.data.trim()) fields.push(walker.currentNode.parentElement);
    }
    for (const element of fields) {
      if (!element.checkVisibility()) continue;
      count += 1;
      const lights = [parse(getComputedStyle(element).color).rgb, ground(element)].map(luminance);
      const ratio = (Math.max(...lights) + 0.05) / (Math.min(...lights) + 0.05);
      if (ratio < 4.5) poor.push([element.outerHTML.slice(0, 80), ratio]);
    }
    return [poor, count, luminance(ground(document.body))];
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_every_text_has_contrast(
    browser: Browser, server: Server, host: str, *, dark: bool
) -> None:
    """All text has the contrast of WCAG AA, 4.5 to 1: allowed or refused, light or dark."""
    browser.emulate(dark=dark)
    open_page(browser, server, host)
    click(browser, "raise")
    send(browser, "PUT")
    browser.wait("document.querySelector('#requests .level.high')")
    browser.run("document.querySelectorAll('details').forEach((found) => { found.open = true; })")
    poor, count, ground = browser.run(CONTRAST)
    assert poor == []
    assert count > 100
    assert (ground < 0.1) is dark


@pytest.mark.parametrize("width", [360, 320])
def test_a_narrow_screen_is_wide_enough(browser: Browser, server: Server, width: int) -> None:
    """On a phone nothing sticks out. 320 pixels are WCAG's width (2.2, 1.4.10)."""
    browser.emulate(width=width)
    open_page(browser, server)
    click(browser, "raise")
    send(browser, "PUT", more=f"X-{100 * 'a'}: 1")
    browser.wait("document.querySelector('#requests .level.high')")
    browser.run("document.querySelectorAll('details').forEach((found) => { found.open = true; })")
    wide = browser.run(
        """
        const edge = document.documentElement.clientWidth;
        const isCut = (element) => getComputedStyle(element).display !== "inline"
          && element.scrollWidth > element.clientWidth + 1;
        return [...document.body.querySelectorAll("*")]
          .filter((element) => element.getBoundingClientRect().right > edge + 1 || isCut(element))
          .map((element) => element.outerHTML.slice(0, 80));
        """
    )
    assert wide == []
