"""The command's output for people: aligned, wrapped between words, and coloured on a terminal."""

from __future__ import annotations

import os
import re
import shutil
import textwrap
from typing import TYPE_CHECKING, Final, TextIO

from wsgi_mw_paste.command.browser import SAFELISTED_HEADERS, without_secrets
from wsgi_mw_paste.settings import VALUE_LIMIT, options, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wsgi_mw_paste.command.check import Report
    from wsgi_mw_paste.command.exchange import Exchange
    from wsgi_mw_paste.command.explain import Explanation
    from wsgi_mw_paste.command.findings import Finding
    from wsgi_mw_paste.command.pipeline import Node, Value
    from wsgi_mw_paste.settings import Settings

_COLOURS: Final = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33}
_LEVELS: Final = (("error", "red"), ("warning", "yellow"), ("note", "bold"))
#: In columns: the narrowest readable text; the longest place that does not get a line of its own;
#: the room below which a value goes below its option.
_MIN_WIDTH: Final = 40
_MAX_PLACE: Final = 14
_MIN_VALUE: Final = 20
#: How much of the value of an option is shown, in characters; --json has all of it.
_OPTION_LIMIT: Final = 500
#: The headers whose values are shown; the others may be secrets.
_SHOWN_REQUEST_HEADERS: Final = ("origin", *SAFELISTED_HEADERS)
_SHOWN_RESPONSE_HEADERS: Final = ("location", "vary")
_CORS: Final = "access-control-"


class Terminal:
    """A stream that paragraphs are written to, in colour if it is a terminal.

    Not if ``NO_COLOR`` is set and not empty (https://no-color.org).

    :param width: the number of columns; by default that of the terminal, or ``COLUMNS``.
    :ivar width: the same, or the least that can be read.
    """

    def __init__(self, stream: TextIO, width: int | None = None) -> None:
        self._stream = stream
        self._coloured = (
            stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        )
        self.width = max(width or shutil.get_terminal_size().columns, _MIN_WIDTH)

    def write(self, text: str = "", colour: str = "", *, indent: int = 0, hang: int = 0) -> None:
        """Write a paragraph, or an empty line.

        A word that is too long for a line stays in one piece. What the stream cannot encode or
        should not show is escaped.

        :param indent: the number of spaces at the start of every line.
        :param hang: how many more there are at the start of every line but the first.
        """
        encoding = self._stream.encoding or "utf-8"
        text = printable(text).encode(encoding, "backslashreplace").decode(encoding)
        wrapper = textwrap.TextWrapper(
            self.width,
            initial_indent=" " * indent,
            subsequent_indent=" " * (indent + hang),
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in wrapper.wrap(text) or [""]:
            coloured = self._coloured and colour
            self._stream.write(
                f"\x1b[{_COLOURS[colour]}m{line}\x1b[0m\n" if coloured else f"{line}\n"
            )


def write_report(out: Terminal, report: Report, node: Node) -> None:
    """Write what is in effect, and what is wrong.

    :param node: that of the report, whose file can be loaded.
    """
    out.write(f"What a request passes through in {report.file}", "bold")
    _write_node(out, node, 2, {})
    out.write()
    for level, colour in _LEVELS:
        if found := report.of(level):
            out.write(f"{level.capitalize()}s", colour)
            for finding in found:
                _write_finding(out, finding)
            out.write()
    counts = [(len(report.of(level)), level) for level in ("error", "warning")]
    colour = next((colour for level, colour in _LEVELS[:2] if report.of(level)), "green")
    out.write(", ".join(f"{count} {level}{'s' * (count != 1)}" for count, level in counts), colour)


def _write_node(
    out: Terminal, node: Node, indent: int, seen: dict[object, str], under: str = ""
) -> None:
    """Write a node and what it passes requests to.

    :param seen: options that were already written, each with the composite's key there.
    :param under: the composite's key here.
    """
    head, place = f"{node.name}: {node.what}", str(node.place)
    fits = indent + len(f"{head}, {place}") <= out.width
    out.write()
    out.write(f"{head}, {place}" if fits else f"{head},", "bold", indent=indent)
    if not fits:
        out.write(place, "bold", indent=indent + 2)
    listed = (node.sections, *((value.option, value.text) for value in node.values()))
    if listed in seen and len(listed) > 1:
        where = "above" if seen[listed] == under else f"under {seen[listed]}"
        out.write(f"as {where}", indent=indent + 2)
    else:
        seen[listed] = under
        _write_values(out, node, indent + 2)
    for key, inner in node.inner.items():
        if key:
            out.write()
            out.write(key, indent=indent)
        _write_node(out, inner, indent + 4 if key else indent, seen, key or under)


def _write_values(out: Terminal, node: Node, indent: int) -> None:
    """Write a filter's options in three columns: name, place, value."""
    rows = [(value, _shown_place(value, node)) for value in node.values()]
    names = max((len(value.option) for value, _ in rows), default=0)
    places = max((len(place) for _, place in rows if len(place) <= _MAX_PLACE), default=0)
    column = names + 2 + places + 2
    is_narrow = out.width - indent - column < _MIN_VALUE
    for value, place in rows:
        text = value.text or "(empty)"
        if len(text) > _OPTION_LIMIT:
            text = f"{text[:_OPTION_LIMIT]}... ({len(text)} characters)"
        colour = "dim" if value.place.level == "default" else ""
        is_short = len(place) <= places and not is_narrow
        if is_narrow:
            out.write(value.option, colour, indent=indent)
            out.write(text, colour, indent=indent + 4)
        else:
            head = f"{value.option:{names}}  {place if is_short else '':{places}}  "
            out.write(head + text, colour, indent=indent, hang=column)
        if not is_short:
            out.write(place, colour, indent=indent + 4)


def _shown_place(value: Value, node: Node) -> str:
    """Return the place of a value without what is clear: its option and the filter's section."""
    place = value.place
    if place.key.lower() == value.option:
        place = place._replace(key="")
    if place.line and (place.file, place.section) == (node.place.file, node.place.section):
        return f"line {place.line} {place.key}".rstrip()
    return str(place)


def _write_finding(out: Terminal, finding: Finding) -> None:
    """Write the place, the text that is wrong and the code; below it the message.

    What follows the message's first line are lines to write into the file.
    """
    head = str(finding.place)
    if finding.value is not None:
        value = finding.value
        head += f" = {value if len(value) <= VALUE_LIMIT else f'{value[:VALUE_LIMIT]}…'!r}"
    out.write(f"{head} ({finding.code})" if finding.code else head, indent=2, hang=4)
    message, *lines = finding.message.split("\n")
    out.write(message, indent=4)
    for line in lines:
        out.write(line, indent=8)


def write_explanation(out: Terminal, explanation: Explanation) -> None:
    """Write what a browser sends, what it receives, and the verdict."""
    write_steps(out, explanation)
    out.write(explanation.verdict, "red" if explanation.refusal else "green")


def write_steps(out: Terminal, explanation: Explanation) -> None:
    """Write all but the verdict."""
    for why, exchange, failure in explanation.steps:
        if why:
            out.write(f"A preflight, because {' and '.join(why)}", "bold")
        else:
            out.write("The actual request", "bold")
        for line in _exchange_lines(exchange):
            out.write(line, indent=2, hang=4)
        for name, value in exchange.replaced:
            out.write(f"Replaced: the application's own {name}: {value}", "yellow", indent=2)
        if failure:
            out.write(f"The browser stops: {failure}.", "red", indent=2, hang=2)
        else:
            out.write("The browser continues.", "green", indent=2)
        out.write()
    if explanation.refusal is None:
        out.write("What the script may read", "bold")
        out.write(", ".join(["status", "body", *explanation.readable]), indent=2)
        # CORS headers are for the browser; no script misses them.
        hidden = [name for name in explanation.hidden if not name.lower().startswith(_CORS)]
        if hidden:
            out.write(f"but not {', '.join(hidden)}", indent=2)
        out.write()


def _exchange_lines(exchange: Exchange) -> Iterator[str]:
    """Yield a request and its response, without values that may be secrets."""
    request, response = exchange.request, exchange.response
    yield f"> {request.method} {request.path_url}"
    for name, value in request.headers.items():
        if name.lower() != "host":
            shown = name.lower() in _SHOWN_REQUEST_HEADERS or name.lower().startswith(_CORS)
            yield f"> {name}: {value if shown else '***'}"
    if exchange.raised:
        end = "the server ends" if exchange.exits else "servers send a bare 500"
        yield f"< nothing: {exchange.raised} ({end})"
        return
    yield f"< {response.status}"
    for name, value in response.headers.items():
        if name.lower() in _SHOWN_RESPONSE_HEADERS or name.lower().startswith(_CORS):
            yield f"< {name}: {without_secrets(value) if name.lower() == 'location' else value}"


def write_options(out: Terminal, classes: Sequence[type[Settings]]) -> None:
    """Write the options of these classes."""
    declared = [option for cls in classes for option in options(cls).values()]
    names = max(len(option.name) for option in declared)
    for option in declared:
        head = f"{option.name:{names}}  {option.show(option.default) or '(empty)'}"
        out.write(head, "bold", hang=names + 2)
        out.write(_plain(option.help), indent=4)


def _plain(markdown: str) -> str:
    """Return a line of Markdown without backticks and asterisks."""
    return re.sub(r"`([^`]*)`|\*(\w[^*]*)\*", lambda mark: mark[1] or mark[2], markdown)
