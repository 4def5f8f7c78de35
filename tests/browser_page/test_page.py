"""The playground's page in a real browser: what it shows is what happened, and anybody can use it.

The page is served by ``pserve`` from ``development.ini``, which allows ``http://localhost`` and not
``http://127.0.0.1``.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.browser_page.chromium import Browser, chromium
from tests.conftest import VARIABLES
from tests.ini import ROOT
from tests.serving import Server, program, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

#: development.ini's line, and one for whatever port is free.
ALLOWED, ANY_PORT = "cors_allowed = http://localhost:6543", "cors_allowed = http://localhost:*"
SAME, DIFFERENT, UNKNOWN = "✓ the same", "✗ not the same", "? not known"
AGREE = "Your browser and explain agree, step by step."
#: What a browser itself writes to the console when it keeps an answer from a script.
BLOCKED = r"has been blocked by CORS policy|net::ERR_FAILED"


def write_copy(*changes: tuple[str, str]) -> Path:
    """Write a copy of development.ini with a free port and changes; return its path."""
    text = (ROOT / "development.ini").read_text(encoding="utf-8")
    for before, after in (("port = 6543", "port = 0"), (ALLOWED, ANY_PORT), *changes):
        assert before in text
        text = text.replace(before, after)
    copy = Path("copy.ini").absolute()
    copy.write_text(text, encoding="utf-8")
    return copy


@contextlib.contextmanager
def serving_copy(*changes: tuple[str, str], name: str = "main") -> Iterator[Server]:
    """Serve such a copy, or another application of its."""
    with serving("pserve", "--app-name", name, write_copy(*changes)) as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve development.ini, one process for all tests that change nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("pserve"))
        for name in VARIABLES:
            patch.delenv(name, raising=False)
        with serving_copy() as running:
            yield running


@pytest.fixture(scope="module")
def session() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def browser(session: Browser) -> Browser:
    """Return a browser in the state that every test begins in: wide, light, nothing loaded."""
    session.emulate()
    session.open("about:blank")
    return session


def open_page(browser: Browser, server: Server, host: str = "localhost") -> None:
    """Open the page by one of the server's names, and wait until it is complete."""
    browser.open(f"http://{host}:{server.port}/")
    browser.wait("document.querySelector('#nodes li, #force-status.problem')")


def text_of(browser: Browser, selector: str) -> list[str]:
    """Return the texts of elements, as they are shown."""
    texts: list[str] = browser.run(
        "return [...document.querySelectorAll(arguments[0])].map((each) => each.innerText)",
        selector,
    )
    return texts


class Try(NamedTuple):
    """What the form can say, and what comes of it.

    :ivar browser: what the browser did, step by step.
    """

    host: str
    method: str
    boxes: str
    outcome: str
    browser: tuple[str, str, str]
    endpoint: str = "json"
    more: str = ""


def send(
    browser: Browser, method: str, boxes: str = "", endpoint: str = "json", more: str = ""
) -> None:
    """Fill the form in, send it, and wait for what comes of it."""
    browser.run(
        """
        const [method, boxes, endpoint, more] = arguments;
        const byId = (id) => document.getElementById(id);
        byId("method").value = method;
        byId("endpoint").value = endpoint;
        byId("more").value = more;
        for (const id of ["with-type", "with-id", "with-token", "credentials"])
          byId(id).checked = boxes.split(" ").includes(id);
        byId("result").hidden = true;
        byId("send").click();
        """,
        method,
        boxes,
        endpoint,
        more,
    )
    browser.wait("document.getElementById('send').ariaDisabled === 'false'")


def steps_of(browser: Browser) -> list[tuple[str, str, str]]:
    """Return each step: what the browser did, what explain said, the mark."""
    sides = text_of(browser, "#steps dd")
    marks = text_of(browser, "#steps .mark")
    return list(zip(sides[::2], sides[1::2], marks, strict=True))


OK, REFUSED, NOT_SENT = "Sent. Answered with 200.", "Sent. Answered with 403.", "Not sent."
READABLE = "The answer, 200. It may read content-length, content-type, x-request-id."
ERROR = "TypeError: Failed to fetch, and nothing else."
TRIES = {
    "plain GET": Try("localhost", "GET", "", "Allowed", (NOT_SENT, OK, READABLE)),
    "HEAD": Try("localhost", "HEAD", "", "Allowed", (NOT_SENT, OK, READABLE)),
    "POST of JSON": Try("localhost", "POST", "with-type", "Allowed", (OK, OK, READABLE)),
    "OPTIONS": Try("localhost", "OPTIONS", "", "Allowed", (OK, OK, READABLE)),
    "all boxes but credentials": Try(
        "localhost", "DELETE", "with-type with-id with-token", "Allowed", (OK, OK, READABLE)
    ),
    "more headers": Try(
        "localhost", "GET", "", "Allowed", (OK, OK, READABLE), more="\n X-A : 1\nx-b:2\n"
    ),
    "a safe header": Try(
        "localhost", "GET", "", "Allowed", (NOT_SENT, OK, READABLE), more="Accept: text/plain"
    ),
    "stream": Try(
        "localhost",
        "PUT",
        "",
        "Allowed",
        (OK, OK, "The answer, 200. It may read content-type, x-request-id."),
        "stream",
    ),
    "exception": Try(
        "localhost",
        "GET",
        "",
        "Allowed",
        (
            NOT_SENT,
            "Sent. Answered with 500.",
            READABLE.replace("200. It may read", "500. It may read cache-control,"),
        ),
        "raise",
    ),
    "lower-case method": Try("localhost", "patch", "", "Refused", (REFUSED, NOT_SENT, ERROR)),
    "method not listed": Try("localhost", "PROPFIND", "", "Refused", (REFUSED, NOT_SENT, ERROR)),
    "credentials": Try("localhost", "GET", "credentials", "Refused", (NOT_SENT, OK, ERROR)),
    "credentials, preflight": Try(
        "localhost", "PUT", "credentials", "Refused", (OK, NOT_SENT, ERROR)
    ),
    "refused origin": Try("127.0.0.1", "GET", "", "Refused", (NOT_SENT, OK, ERROR)),
    "refused origin, preflight": Try(
        "127.0.0.1", "PUT", "with-type", "Refused", (REFUSED, NOT_SENT, ERROR)
    ),
    "refused origin, exception": Try(
        "127.0.0.1",
        "GET",
        "",
        "Refused",
        (NOT_SENT, "Sent. Answered with 500.", ERROR),
        "raise",
    ),
}


@pytest.mark.parametrize("each", [pytest.param(each, id=name) for name, each in TRIES.items()])
def test_the_browser_and_explain_agree(browser: Browser, server: Server, each: Try) -> None:
    """Each step of the browser's is shown beside explain's, and both are the same."""
    open_page(browser, server, each.host)
    send(browser, each.method, each.boxes, each.endpoint, each.more)
    assert text_of(browser, "#try-status") == [f"{each.outcome}. {AGREE}"]
    assert text_of(browser, "#verdict")[0].startswith(each.outcome)
    steps = steps_of(browser)
    assert tuple(step[0] for step in steps) == each.browser
    assert [step[2] for step in steps] == [SAME, SAME, SAME]
    # A failed load is what a 500 is to a console, too.
    unexpected = [
        message
        for message in browser.console()
        if not re.search(f"{BLOCKED}|status of 500", message)
    ]
    assert unexpected == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_the_console_stays_empty(browser: Browser, server: Server, host: str) -> None:
    """By either name the page loads without an error, a failed load or a violated policy."""
    open_page(browser, server, host)
    assert browser.console() == []


@pytest.mark.parametrize(
    ("host", "other"), [("localhost", "127.0.0.1"), ("127.0.0.1", "localhost")]
)
def test_the_page_says_which_name_is_which(
    browser: Browser, server: Server, host: str, other: str
) -> None:
    """It names its own origin and the one it sends requests to, and the link swaps the two."""
    open_page(browser, server, host)
    assert text_of(browser, "#here, #other") == [
        f"http://{host}:{server.port}",
        f"http://{other}:{server.port}",
    ]
    browser.run("document.getElementById('swap').click()")
    browser.wait(f"document.getElementById('here')?.textContent.includes('//{other}:')")


def test_nothing_else_gets_in(browser: Browser, server: Server) -> None:
    """The policy stops inline scripts, text that becomes HTML, and requests to elsewhere."""
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


def test_a_bad_header_gets_its_reason(browser: Browser, server: Server) -> None:
    """What no script can send is not sent; the page says why, and shows no result."""
    open_page(browser, server)
    send(browser, "GET", more="no header")
    (status,) = text_of(browser, "#try-status.problem")
    assert status.startswith("The server says: expected JSON with endpoint")
    assert browser.run("return document.getElementById('result').hidden")
    send(browser, "GET", more="A: 1")
    assert text_of(browser, "#try-status:not(.problem)") == [f"Allowed. {AGREE}"]


def test_a_header_that_browsers_leave_out_is_named(browser: Browser, server: Server) -> None:
    """A forbidden header makes no difference, and the page says so."""
    open_page(browser, server)
    send(browser, "GET", more="Host: other.example")
    assert "Browsers let no script set Host: left out." in text_of(browser, "#sent")[0]
    assert text_of(browser, "#try-status") == [f"Allowed. {AGREE}"]


def test_explain_says_all_it_has_to_say(browser: Browser, server: Server) -> None:
    """The words of the command are there, and those of the verdict are its last."""
    open_page(browser, server)
    send(browser, "PUT", "with-type")
    browser.run("document.querySelector('#result > details').open = true")
    (words,), (verdict,) = text_of(browser, "#words"), text_of(browser, "#verdict")
    assert words.startswith("A preflight, because the method PUT is not safelisted and")
    assert words.rstrip().endswith(verdict)


def test_what_the_server_adds_is_no_disagreement(browser: Browser) -> None:
    """Where scripts may read everything, they read headers that explain cannot know of."""
    with serving_copy((ANY_PORT, "cors_allowed = *"), ("= X-Request-Id", "= *")) as server:
        open_page(browser, server, "127.0.0.1")
        send(browser, "GET")
        assert text_of(browser, "#try-status") == [f"Allowed. {AGREE}"]
        assert "server" in steps_of(browser)[2][0]
        assert "server" not in steps_of(browser)[2][1]


def test_cors_may_be_off(browser: Browser) -> None:
    """Then the preflight goes to the application, whose answer is no use to a browser."""
    with serving_copy((ANY_PORT, "cors_allowed =")) as server:
        open_page(browser, server)
        send(browser, "PUT")
        assert text_of(browser, "#try-status") == [f"Refused. {AGREE}"]
        assert [step[0] for step in steps_of(browser)] == [OK, NOT_SENT, ERROR]
        assert text_of(browser, "#verdict")[0].startswith("Refused, CORS is off")


def test_without_access_records_the_page_says_what_it_does_not_know(browser: Browser) -> None:
    """Nobody can see then what the browser sent; what its script got is compared all the same."""
    with serving_copy(("# log_requests = true", "log_requests = false")) as server:
        open_page(browser, server)
        send(browser, "PUT")
        assert text_of(browser, "#try-status") == [
            "Allowed. As far as is known, your browser and explain agree."
        ]
        assert [step[2] for step in steps_of(browser)] == [UNKNOWN, UNKNOWN, SAME]
        assert "Is log_requests on?" in steps_of(browser)[0][0]


#: An application of the same file that allows nothing.
CLOSED = """
[pipeline:closed]
pipeline = request_id closing errors playground

[filter:closing]
use = egg:wsgi_mw_paste#cors
cors_allowed = https://other.example

[server:main]"""


def test_a_disagreement_is_shown_as_one(browser: Browser) -> None:
    """Where something else is served than the ``main`` that explain reads, the page says so."""
    with serving_copy(("\n[server:main]", CLOSED), name="closed") as server:
        open_page(browser, server)
        send(browser, "PUT")
        (status,) = text_of(browser, "#try-status.problem")
        assert status.startswith("They disagree: your browser did something else than explain")
        assert text_of(browser, "#verdict")[0].startswith("According to explain: Allowed")
        steps = steps_of(browser)
        assert [step[0] for step in steps] == [REFUSED, NOT_SENT, ERROR]
        assert [step[2] for step in steps] == [DIFFERENT, DIFFERENT, DIFFERENT]
        assert len(text_of(browser, "#steps > .differs")) == 3


def test_a_file_without_main_is_a_reason(browser: Browser) -> None:
    """Where the page cannot find out what is in force, it says why, once for each question."""
    with serving_copy(("[pipeline:main]", "[pipeline:other]"), name="other") as server:
        open_page(browser, server)
        (status,) = text_of(browser, "#force-status.problem")
        assert status.startswith("The server says: copy.ini: No section 'main'")
        send(browser, "GET")
        assert text_of(browser, "#try-status.problem") == [status]


GROUP = "document.querySelector('#requests li')"


@pytest.mark.parametrize(
    ("endpoint", "status", "requests", "loggers"),
    [
        pytest.param(
            "stream", 200, ["GET /stream: 200"], 3 * ["playground"] + ["access"], id="stream"
        ),
        pytest.param(
            "raise", 500, ["GET /raise: 500"], ["playground", "errors", "access"], id="exception"
        ),
        pytest.param(
            "call",
            200,
            ["GET /call: 200", "GET /json: 200"],
            ["access", "access", "playground", "playground"],
            id="call",
        ),
        pytest.param("json", 200, ["GET /json: 200"], ["playground", "access"], id="json"),
    ],
)
def test_a_request_can_be_followed(
    *,
    browser: Browser,
    server: Server,
    endpoint: str,
    status: int,
    requests: list[str],
    loggers: list[str],
) -> None:
    """One click, and all its lines stand under the id that the answer has."""
    open_page(browser, server)
    browser.run("document.querySelector(`[data-endpoint=${arguments[0]}]`).click()", endpoint)
    said = browser.wait(
        "document.getElementById('follow-status').textContent.match(/: \\d+, request id (.+)/)"
    )
    assert text_of(browser, "#follow-status") == [
        f"GET /{endpoint}: {status}, request id {said[1]}"
    ]
    browser.wait(
        f"{GROUP}?.querySelector('code').textContent === '{said[1]}'"
        f" && {GROUP}.querySelectorAll('ul > li').length === {len(requests)}"
    )
    shown = text_of(browser, "#requests > li:first-child ul > li")
    # The two requests of a call are written down by two threads.
    assert sorted(re.sub(r" in [\d.]+ ms$", "", each) for each in shown) == sorted(requests)
    names = text_of(browser, "#requests > li:first-child .logger")
    assert sorted(name.removeprefix("wsgi_mw_paste.") for name in names) == sorted(loggers)


def test_a_traceback_can_be_unfolded(browser: Browser, server: Server) -> None:
    """It belongs to its line, and is there when somebody wants to see it."""
    open_page(browser, server)
    browser.run("document.querySelector('[data-endpoint=raise]').click()")
    details = "document.querySelector('#requests > li:first-child .lines details')"
    browser.wait(details)
    browser.run(f"{details}.open = true")
    assert text_of(browser, "#requests > li:first-child pre")[0].endswith(
        "RuntimeError: raised on purpose"
    )


def test_what_others_ask_is_followed_too(browser: Browser, server: Server) -> None:
    """A request of somebody else's turns up by itself, and the oldest of many leave."""
    open_page(browser, server)
    for number in range(15):
        server.request("GET", "/json", {"X-Request-Id": f"other-{number}"})
    browser.wait(f"{GROUP}?.querySelector('code').textContent === 'other-14'")
    assert text_of(browser, "#requests h3 code") == [f"other-{n}" for n in range(14, 2, -1)]


def test_following_can_pause(browser: Browser, server: Server) -> None:
    """While paused nothing moves; afterwards nothing is missing."""
    open_page(browser, server)
    browser.run("document.getElementById('pause').click()")
    before = text_of(browser, "#requests h3 code")
    server.request("GET", "/json", {"X-Request-Id": "paused-1"})
    # A try waits for lines that come after that one's.
    send(browser, "GET")
    assert text_of(browser, "#try-status") == [f"Allowed. {AGREE}"]
    assert text_of(browser, "#requests h3 code") == before
    assert text_of(browser, "#follow-status") == ["Paused."]
    browser.run("document.getElementById('pause').click()")
    assert "paused-1" in text_of(browser, "#requests h3 code")
    assert text_of(browser, "#follow-status") == ["Following."]


def test_a_server_may_go_and_come_back(browser: Browser) -> None:
    """The page says so, and goes on with the lines of the new one."""
    with serving_copy() as server:
        open_page(browser, server)
        server.request("GET", "/call", {"X-Request-Id": "first-1"})
        browser.wait(f"{GROUP}?.querySelector('code').textContent === 'first-1'")
    browser.wait("document.querySelector('#follow-status.problem')")
    assert text_of(browser, "#follow-status") == ["The server does not answer. Trying again."]
    with serving_copy(("port = 0", f"port = {server.port}")) as server:
        browser.wait("document.querySelector('#follow-status:not(.problem)')")
        assert text_of(browser, "#follow-status") == ["The server answers again."]
        server.request("GET", "/json", {"X-Request-Id": "second-1"})
        browser.wait(f"{GROUP}?.querySelector('code').textContent === 'second-1'")


def test_the_options_in_force_are_listed_as_check_lists_them(
    browser: Browser, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names, values and places are those that the command prints for the same file."""
    open_page(browser, server)
    (file,) = text_of(browser, "#file")
    monkeypatch.chdir(Path(file).parent)
    done = subprocess.run(
        [program("python"), "-m", "wsgi_mw_paste", "check", "copy.ini"],
        capture_output=True,
        text=True,
        check=True,
    )
    printed = [" ".join(line.split()) for line in done.stdout.splitlines()]
    rows = text_of(browser, "#nodes .options > div")
    shown = [(name, place, text) for name, text, place in (row.split("\n") for row in rows)]
    listed = [
        f"{name} {place} {'(empty)' if text == 'empty' else text}" for name, place, text in shown
    ]
    assert len(listed) == len(VARIABLES)
    assert [each for each in listed if each not in printed] == []
    assert text_of(browser, "#nodes h3") == ["request_id", "cors", "errors", "playground"]


def focused(browser: Browser) -> dict[str, Any]:
    """Return what has the focus, and whether that can be seen."""
    found: dict[str, Any] = browser.run(
        """
        const element = document.activeElement;
        const style = getComputedStyle(element);
        const box = element.getBoundingClientRect();
        return {
          id: element.id || element.dataset.endpoint || element.getAttribute("href")
            || element.tagName,
          outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
          inside: box.top >= 0 && box.bottom <= innerHeight,
        };
        """
    )
    return found


def tab_to(browser: Browser, target: str) -> None:
    """Press Tab until something has the focus; all on the way there can be seen."""
    stops: list[str] = []
    while target not in stops:
        assert len(stops) < 40, stops
        browser.press("Tab")
        found = focused(browser)
        assert found["outlined"], found
        assert found["inside"], found
        stops.append(found["id"])


def test_a_keyboard_is_enough(browser: Browser, server: Server) -> None:
    """Everything is reached with Tab, in the order of the page, and worked with the usual keys."""
    open_page(browser, server)
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
    assert text_of(browser, "#try-status") == [f"Allowed. {AGREE}"]
    assert text_of(browser, "#sent")[0].startswith("DELETE http://127.0.0.1:")
    assert "the headers x-a, x-request-id are not safelisted" in steps_of(browser)[0][1]
    # The focus stays where it was.
    assert focused(browser)["id"] == "send"
    tab_to(browser, "SUMMARY")
    browser.press("Enter")
    assert browser.run("return document.activeElement.parentNode.open")
    for button in ("stream", "raise", "call", "json"):
        tab_to(browser, button)
        browser.press("Space")
        browser.wait(
            f"document.getElementById('follow-status').textContent.match(/^GET .{button}: [25]00,/)"
        )
    tab_to(browser, "pause")
    browser.press("Space")
    assert text_of(browser, "#follow-status") == ["Paused."]


def test_everything_has_a_name(browser: Browser, server: Server) -> None:
    """Each field has a label, each section a heading, and no heading skips a level."""
    open_page(browser, server)
    send(browser, "PUT")
    unnamed, sections, levels = browser.run(
        """
        const all = (selector) => [...document.querySelectorAll(selector)];
        const title = (each) => document.getElementById(each.getAttribute("aria-labelledby"));
        return [
          all("input, select, textarea").filter((each) => !each.labels.length).map((e) => e.id),
          all("section").map((each) => title(each).tagName),
          all("h1, h2, h3, h4").map((each) => Number(each.tagName[1])),
        ];
        """
    )
    assert unnamed == []
    assert sections == ["H2", "H2", "H2"]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


#: WCAG 2.2, 1.4.3 and "relative luminance": the texts with too little contrast, the number of all
#: texts, and the luminance of the page itself.
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
      for (let each = element; each; each = each.parentElement) {
        const { rgb, a } = parse(getComputedStyle(each).backgroundColor);
        if (a === 1) return rgb;
        if (a !== 0) throw new Error(`half transparent: ${each.tagName}`);
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
    """All that is shown, allowed or refused, in the light and in the dark, is WCAG AA: 4.5 to 1."""
    browser.emulate(dark=dark)
    open_page(browser, server, host)
    browser.run("document.querySelector('[data-endpoint=raise]').click()")
    send(browser, "PUT")
    browser.wait("document.querySelector('#requests .level.high')")
    browser.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    poor, count, ground = browser.run(CONTRAST)
    assert poor == []
    assert count > 100
    assert (ground < 0.1) is dark


@pytest.mark.parametrize("width", [360, 320])
def test_a_narrow_screen_is_wide_enough(browser: Browser, server: Server, width: int) -> None:
    """On a phone nothing sticks out, whatever is shown; 320 pixels are WCAG's, 1.4.10."""
    browser.emulate(width=width)
    open_page(browser, server)
    browser.run("document.querySelector('[data-endpoint=raise]').click()")
    send(browser, "PUT", more=f"X-{100 * 'a'}: 1")
    browser.wait("document.querySelector('#requests .level.high')")
    browser.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    wide = browser.run(
        """
        const edge = document.documentElement.clientWidth;
        const isCut = (each) => getComputedStyle(each).display !== "inline"
          && each.scrollWidth > each.clientWidth + 1;
        return [...document.body.querySelectorAll("*")]
          .filter((each) => each.getBoundingClientRect().right > edge + 1 || isCut(each))
          .map((each) => each.outerHTML.slice(0, 80));
        """
    )
    assert wide == []


@pytest.mark.parametrize(
    ("ci", "outcome"),
    [
        pytest.param("", pytest.skip.Exception, id="locally"),
        pytest.param("true", pytest.fail.Exception, id="in CI"),
    ],
)
def test_a_missing_browser(
    ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Chromium these tests are skipped, and fail where ``CI`` is set."""
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(outcome, match="chromium is not installed"):
        chromium().__enter__()
