"""``RequestIdFormatter`` is ``logging.Formatter``, but that it knows the id and is quicker.

It keeps the text of the current second. The rows that say so are those of CPython's own tests of
its formatter, restated, and more that a text that is kept could get wrong.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from itertools import count, product
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest

from wsgi_mw_paste import RequestIdFormatter, request_id_scope

if TYPE_CHECKING:
    from collections.abc import Callable

#: 1993-04-21 08:03:00 UTC.
THEN = datetime(1993, 4, 21, 8, 3, tzinfo=timezone.utc).timestamp()


def record(created: float = THEN, msecs: float = 123, **more: Any) -> logging.LogRecord:
    """Return a record that was made then."""
    fields = {"msg": "Message with %d %s", "args": (2, "placeholders"), "name": "a.b"} | more
    return logging.makeLogRecord({**fields, "created": created, "msecs": msecs})


@pytest.mark.parametrize(
    ("style", "format_", "expected"),
    [
        ("%", "${%(message)s}", "${Message with 2 placeholders}"),
        ("%", "%(asctime)s %(message)s", "1993-04-21 08:03:00,123 Message with 2 placeholders"),
        ("%", "%(asctime)-25s|", "1993-04-21 08:03:00,123  |"),
        ("{", "$%{message}%$", "$%Message with 2 placeholders%$"),
        ("{", "{asctime!s:25}|{name}", "1993-04-21 08:03:00,123  |a.b"),
        ("$", "$$%${message}%$$", "$%Message with 2 placeholders%$"),
        ("$", "${asctime}--", "1993-04-21 08:03:00,123--"),
    ],
)
def test_a_format_of_each_style(style: Any, format_: str, expected: str) -> None:
    """Time and message stand where the format says."""
    formatter = RequestIdFormatter(format_, style=style)
    formatter.converter = time.gmtime
    assert formatter.usesTime() == ("asctime" in format_)
    assert [formatter.format(record()) for _ in range(2)] == [expected] * 2


@pytest.mark.parametrize(("style", "format_"), [("%", "%(x)s"), ("{", "{x}"), ("$", "$x")])
def test_a_field_that_a_record_lacks(style: Any, format_: str) -> None:
    """It is a ValueError, unless ``defaults`` have it; the record's own wins."""
    with pytest.raises(ValueError, match="'x'"):
        RequestIdFormatter(format_, style=style).format(record())
    formatter = RequestIdFormatter(format_, style=style, defaults={"x": "default", "y": "unused"})
    assert formatter.format(record()) == "default"
    assert formatter.format(record(x=1234)) == "1234"


@pytest.mark.parametrize(
    ("style", "format_"),
    [("%", "{asctime}"), ("%", "%(asctime)Z"), ("{", "%(asctime)s"), ("{", "{a-b}"), ("$", "$a $"),
     ("x", None)],
)  # fmt: skip
def test_what_is_no_format_is_refused(style: Any, format_: str | None) -> None:
    """The constructor raises, unless it is told not to validate."""
    with pytest.raises(ValueError, match=r"(?i)invalid|style|single"):
        RequestIdFormatter(format_, style=style)
    assert RequestIdFormatter("plain", validate=False).format(record()) == "plain"


def test_the_time_is_that_of_each_call() -> None:
    """With another format, converter or fraction the same second has another text."""
    formatter = RequestIdFormatter("%(asctime)s %(message)s")
    formatter.converter = time.gmtime
    made = record()
    assert formatter.formatTime(made) == "1993-04-21 08:03:00,123"
    assert formatter.formatTime(made, "%Y:%d") == "1993:21"
    assert formatter.formatTime(made, "") == "1993-04-21 08:03:00,123"
    assert formatter.formatTime(record(msecs=7.9)) == "1993-04-21 08:03:00,007"
    formatter.format(made)
    assert made.asctime == "1993-04-21 08:03:00,123"
    formatter.datefmt = "%H"
    assert formatter.format(made) == "08 Message with 2 placeholders"
    formatter.default_time_format = "%M"
    formatter.default_msec_format = "%s.%02d"
    assert formatter.formatTime(made) == "03.123"


class Short(RequestIdFormatter):
    """One whose classes say how time is written."""

    converter = time.gmtime  # type: ignore[assignment]
    default_time_format = "%d/%m/%Y %H:%M:%S"
    default_msec_format = None


class Suffixed(Short):
    """One that has the last word."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        return super().formatTime(record, datefmt) + "Z"


def test_a_subclass_says_how_time_is_written() -> None:
    """By attributes, or by a method of its own that calls the one it overrides."""
    assert Short().formatTime(record()) == "21/04/1993 08:03:00"
    assert Suffixed("%(asctime)s").format(record()) == "21/04/1993 08:03:00Z"
    assert Suffixed("%(asctime)s", "%Y").format(record()) == "1993Z"


def by_a_method(self: object, seconds: float) -> time.struct_time:
    return time.gmtime(seconds)


def another_each_time() -> Callable[[float], time.struct_time]:
    ticks = count()
    return lambda seconds: time.gmtime(seconds + next(ticks))


CONVERTERS: dict[str, Callable[[], object]] = {
    "function": lambda: staticmethod(another_each_time()),
    "method": lambda: by_a_method,
    "local time": lambda: time.localtime,
    "UTC": lambda: time.gmtime,
}


@pytest.mark.parametrize("name", CONVERTERS)
@pytest.mark.parametrize("datefmt", [None, "%Y-%m-%dT%H:%M:%S%z", "%c", "now"])
def test_time_is_as_the_standard_library_writes_it(name: str, datefmt: str | None) -> None:
    """In any order of records and seconds, before and after the epoch, with any converter."""
    created = [0.0, -0.25, -1.0, -1.5, THEN, THEN + 0.5, THEN + 0.999, THEN + 1, THEN, 1e9, THEN]
    texts = []
    for cls in (logging.Formatter, RequestIdFormatter):
        with_converter = type("WithConverter", (cls,), {"converter": CONVERTERS[name]()})
        formatter = with_converter("%(asctime)s|%(message)s", datefmt)
        texts.append(
            [formatter.format(record(at, msecs)) for at, msecs in product(created, (0, 9))]
        )
    assert texts[0] == texts[1]


def test_a_second_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most records are of the same second as the one before, and writing it takes the time."""
    written = []
    strftime = time.strftime

    def counted(*arguments: Any) -> str:
        written.append(arguments)
        return strftime(*arguments)

    monkeypatch.setattr(time, "strftime", counted)
    formatter = RequestIdFormatter()
    for after in (0, 0.25, 0.75, 1, 1.5):
        formatter.formatTime(record(THEN + after))
    assert len(written) == 2


def test_threads_share_a_formatter() -> None:
    """Threads that format records of many seconds each get the text of the right one."""
    formatter, standard = RequestIdFormatter("%(asctime)s"), logging.Formatter("%(asctime)s")
    start = Barrier(4)

    def work(step: int) -> set[int]:
        # Minutes, hours and days apart, in another order for each thread.
        made = [record(THEN + 3671 * number * step, number) for number in range(40)]
        expected = [standard.format(record) for record in made]
        start.wait(timeout=30)
        return {[formatter.format(record) for record in made] == expected for _ in range(50)}

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, (1, 7, 60, -24))) == [{True}] * 4


def test_a_formatter_without_a_constructor_call_formats() -> None:
    """A subclass that builds itself, as some do, has a first second, too."""
    formatter = Suffixed.__new__(Suffixed)
    logging.Formatter.__init__(formatter, "%(request_id)s %(asctime)s")
    with request_id_scope("an-id"):
        assert formatter.format(record()) == "an-id 21/04/1993 08:03:00Z"


def test_exceptions_and_stacks_follow_the_line() -> None:
    """As with the standard formatter, the text of a traceback is kept in the record."""
    made = record(stack_info="Stack (most recent call last):")
    try:
        int("boom")
    except ValueError as error:
        made.exc_info = (ValueError, error, error.__traceback__)
    lines = RequestIdFormatter("%(message)s").format(made).splitlines()
    assert lines[0] == "Message with 2 placeholders"
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[-2:] == [
        "ValueError: invalid literal for int() with base 10: 'boom'",
        "Stack (most recent call last):",
    ]
    assert made.exc_text is not None
    assert logging.Formatter("%(message)s").format(made).splitlines() == lines
