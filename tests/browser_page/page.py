"""What tests do with the playground's page: open it, fill in its form, read it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.ini import write_copy
from tests.serving import Server, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser_page.chromium import Browser

#: The marks of a step.
SAME, DIFFERENT, UNKNOWN = "✓ same", "✗ different", "? unknown"
#: What the page says if all steps have the first of them.
AGREE = "Your browser and explain agree on every step."
#: The latest request, and its id.
LATEST = "document.querySelector('#requests > li')"
LATEST_ID = f"{LATEST}?.querySelector('code').textContent"


@contextmanager
def serving_copy(*changes: tuple[str, str], name: str = "main") -> Iterator[Server]:
    """Serve a copy of development.ini with changes, or another application of it than ``main``."""
    copy = write_copy("development.ini", *changes)
    with serving("pserve", "--app-name", name, copy) as running:
        yield running


def open_page(browser: Browser, server: Server, host: str = "localhost") -> None:
    """Open the page by one of the server's names, and wait until it is complete."""
    browser.open(f"http://{host}:{server.port}/")
    browser.wait("document.querySelector('#nodes li, #settings-status.problem')")


def text_of(browser: Browser, selector: str) -> list[str]:
    """Return the texts of elements, as they are shown."""
    texts: list[str] = browser.run(
        "return [...document.querySelectorAll(arguments[0])].map((found) => found.innerText)",
        selector,
    )
    return texts


def click(browser: Browser, endpoint: str) -> None:
    """Click the button that sends a request to an endpoint."""
    browser.run("document.querySelector(`[data-endpoint=${arguments[0]}]`).click()", endpoint)


def send(
    browser: Browser, method: str, boxes: str = "", endpoint: str = "json", more: str = ""
) -> None:
    """Fill in the form, send it, and wait for the result."""
    browser.run(
        """
        const [method, boxes, endpoint, more] = arguments;
        const byId = (id) => document.getElementById(id);
        byId("method").value = method;
        byId("endpoint").value = endpoint;
        byId("more").value = more;
        for (const id of ["with-type", "with-id", "with-token", "credentials"])
          byId(id).checked = boxes.split(" ").includes(id);
        byId("send").click();
        """,
        method,
        boxes,
        endpoint,
        more,
    )
    browser.wait("document.getElementById('send').ariaDisabled === 'false'")


def steps_of(browser: Browser) -> list[tuple[str, str, str]]:
    """Return what the browser did in each step, what explain predicts, and the mark."""
    sides = text_of(browser, "#steps dd")
    marks = text_of(browser, "#steps .mark")
    return list(zip(sides[::2], sides[1::2], marks, strict=True))


def send_many(browser: Browser, server: Server) -> None:
    """Send more requests than the page shows, and wait for the last one."""
    for number in range(15):
        server.request("GET", "/json", {"X-Request-Id": f"other-{number}"})
    browser.wait(f"{LATEST_ID} === 'other-14'")
