"""The command's output for people: aligned, and coloured on a terminal."""

from __future__ import annotations

import os
import shutil
import textwrap
from typing import TYPE_CHECKING, Final, TextIO

from wsgi_mw_paste.command.browser import SAFELISTED_HEADERS
from wsgi_mw_paste.settings import options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wsgi_mw_paste.command.check import Report
    from wsgi_mw_paste.command.exchange import Exchange
    from wsgi_mw_paste.command.explain import Explanation
    from wsgi_mw_paste.command.findings import Place
    from wsgi_mw_paste.command.pipeline import Node, Value
    from wsgi_mw_paste.settings import Settings

_COLOURS: Final = {"": 0, "bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33}
_LEVELS: Final = (("error", "red"), ("warning", "yellow"), ("note", "bold"))
#: How much of a value a line has, in characters; --json has all of it.
_VALUE_LIMIT: Final = 500
#: The headers whose values are shown; the others may be secrets.
_SHOWN_REQUEST_HEADERS: Final = ("origin", *SAFELISTED_HEADERS)
_SHOWN_RESPONSE_HEADERS: Final = ("location", "vary")
_CORS: Final = "access-control-"


class Terminal:
    """A stream that lines are written to; coloured if it is a terminal that wants it.

    https://no-color.org: ``NO_COLOR``, set and not empty, is somebody who does not.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._coloured = (
            stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        )

    def write(self, text: str = "", colour: str = "") -> None:
        """Write a line; what the stream cannot encode or should not show is escaped."""
        encoding = self._stream.encoding or "utf-8"
        text = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
        text = text.encode(encoding, "backslashreplace").decode(encoding)
        if self._coloured and colour:
            text = f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"
        self._stream.write(f"{text}\n")


def write_report(out: Terminal, report: Report, node: Node) -> None:
    """Write what is in force, and what is wrong.

    :param node: the report's, that there is.
    """
    out.write(f"What a request passes in {report.file}", "bold")
    _write_node(out, node, "  ")
    out.write()
    for level, colour in _LEVELS:
        if found := report.of(level):
            out.write(f"{level.capitalize()}s", colour)
            for each in found:
                out.write(f"  {each}")
            out.write()
    counts = [(len(report.of(level)), level) for level in ("error", "warning")]
    colour = next((colour for level, colour in _LEVELS[:2] if report.of(level)), "green")
    out.write(", ".join(f"{count} {level}{'s' * (count != 1)}" for count, level in counts), colour)


def _write_node(out: Terminal, node: Node, indent: str) -> None:
    what = f"our filter {node.kind}" if node.kind else node.role
    out.write()
    out.write(f"{indent}{node.name}: {what}, {node.place}", "bold")
    found = node.values()
    places = [str(_without_name(each)) for each in found]
    names = max((len(each.option) for each in found), default=0)
    width = max(map(len, places), default=0)
    for each, place in zip(found, places, strict=True):
        text = each.text or "(empty)"
        if len(text) > _VALUE_LIMIT:
            text = f"{text[:_VALUE_LIMIT]}... ({len(text)} characters)"
        line = f"{indent}  {each.option:{names}}  {place:{width}}  {text}"
        out.write(line, "dim" if each.place.level == "default" else "")
    for key, inner in node.inner.items():
        if key:
            out.write()
            out.write(f"{indent}{key}")
        _write_node(out, inner, f"{indent}    " if key else indent)


def _without_name(value: Value) -> Place:
    """Return the place of a value; its key only if that says more than the option's name."""
    place = value.place
    return place._replace(key="") if place.key.lower() == value.option else place


def write_explanation(out: Terminal, explanation: Explanation) -> None:
    """Write what a browser asks, what it is told, and what comes of it."""
    for why, exchange, failure in explanation.steps:
        if why:
            out.write(f"A preflight, because {' and '.join(why)}", "bold")
        else:
            out.write("The actual request", "bold")
        for line in _exchange_lines(exchange):
            out.write(f"  {line}")
        if failure:
            out.write(f"  The browser stops: {failure}.", "red")
        else:
            out.write("  The browser goes on.", "green")
        out.write()
    if explanation.refusal is None:
        out.write("What the script may read", "bold")
        out.write(f"  {', '.join(['status', 'body', *explanation.readable])}")
        # What CORS itself is made of is for the browser, nobody misses it.
        hidden = [name for name in explanation.hidden if not name.lower().startswith(_CORS)]
        if hidden:
            out.write(f"  but not {', '.join(hidden)}")
        out.write()
    out.write(explanation.verdict, "red" if explanation.refusal else "green")


def _exchange_lines(exchange: Exchange) -> Iterator[str]:
    """Yield a request and its answer, without values that may be secrets."""
    request, response = exchange.request, exchange.response
    yield f"> {request.method} {request.path_url}"
    for name, value in request.headers.items():
        if name.lower() != "host":
            shown = name.lower() in _SHOWN_REQUEST_HEADERS or name.lower().startswith(_CORS)
            yield f"> {name}: {value if shown else '***'}"
    if exchange.raised:
        yield f"< nothing: {exchange.raised} (servers send a bare 500)"
        return
    yield f"< {response.status}"
    for name, value in response.headers.items():
        if name.lower() in _SHOWN_RESPONSE_HEADERS or name.lower().startswith(_CORS):
            # Without the query of a Location: there may be a token in it.
            yield f"< {name}: {value.partition('?')[0]}"


def write_options(out: Terminal, classes: Sequence[type[Settings]]) -> None:
    """Write the options of these classes, as wide as the terminal is."""
    declared = [each for cls in classes for each in options(cls).values()]
    names = max(len(each.name) for each in declared)
    width = shutil.get_terminal_size().columns
    for each in declared:
        out.write(f"{each.name:{names}}  {each.show(each.default) or '(empty)'}", "bold")
        for line in textwrap.wrap(each.help.replace("`", ""), width - 4):
            out.write(f"    {line}")
