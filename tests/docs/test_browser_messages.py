"""What docs/cors-errors.md quotes of Chrome is what Chromium writes to its console."""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tests.browser_page.chromium import chromium
from tests.ini import ROOT
from tests.serving import served_by_wsgiref

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: The options of ``fetch``, the status and the headers of what is answered; ``…`` is the origin.
ALLOWED = ("Access-Control-Allow-Origin", "…")
CASES = [
    ("{}", "200 OK", []),
    ("{method: 'PUT'}", "403 Forbidden", []),
    ("{method: 'PUT'}", "401 Unauthorized", [ALLOWED]),
    ("{method: 'PUT'}", "200 OK", [ALLOWED]),
    ("{method: 'PUT'}", "307 Temporary Redirect", [ALLOWED, ("Location", "/")]),
    ("{headers: {'x-token': '1'}}", "200 OK", [ALLOWED]),
    ("{credentials: 'include'}", "200 OK", [ALLOWED]),
    ("{credentials: 'include'}", "200 OK", [("Access-Control-Allow-Origin", "*")]),
    ("{}", "200 OK", [ALLOWED, ALLOWED]),
    ("{}", "200 OK", [("Access-Control-Allow-Origin", "https://other.example")]),
]


def api(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer the case that the path names."""
    _, status, headers = CASES[int(environ["PATH_INFO"][1:])]
    origin = environ["HTTP_ORIGIN"]
    start_response(status, [(name, value.replace("…", origin)) for name, value in headers])
    return []


def make_page(port: int) -> WSGIApplication:
    """Return a page that fetches all cases, one after the other, from another origin."""
    fetches = "\n".join(
        f"await fetch('http://127.0.0.1:{port}/{number}', {options}).catch(() => 0);"
        for number, (options, _, _) in enumerate(CASES)
    )
    script = f"<script>(async () => {{ {fetches} document.title = 'done' }})()</script>"

    def page(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/html")])
        return [f"<link rel=icon href=data:>{script}".encode()]

    return page


def test_chrome_says_what_the_page_quotes() -> None:
    """Each message stands in the page, and each that the page quotes comes up.

    That of Local Network Access is left out: it takes a page on the internet.
    """
    text = (ROOT / "docs" / "cors-errors.md").read_text(encoding="utf-8").replace("\\", "")
    quoted = re.findall(r"^\| Chrome \| (.*) \|$", text, re.MULTILINE)
    patterns = [
        re.escape(message.strip("*")).replace("…", ".*")
        for message in quoted
        if "address space" not in message
    ]

    with ExitStack() as stack:
        other = stack.enter_context(served_by_wsgiref(api))
        page = stack.enter_context(served_by_wsgiref(make_page(other)))
        browser = stack.enter_context(chromium())
        browser.open(f"http://localhost:{page}/")
        browser.wait("document.title")
        said = [message for message in browser.console() if "CORS policy" in message]

    assert len(said) == len(CASES)
    assert [p for p in patterns if not any(re.search(p, message) for message in said)] == []
    assert [m for m in said if not any(re.search(pattern, m) for pattern in patterns)] == []
