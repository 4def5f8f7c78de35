"""The log lines of the last requests, kept in memory for the page that shows them."""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import time
from collections import deque
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from wsgi_mw_paste._access import ACCESS_LOGGER
from wsgi_mw_paste.logging import NO_REQUEST_ID, RequestIdFilter

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What is kept: so many lines, each with so many characters at most.
MAX_LINES: Final = 200
MAX_TEXT: Final = 4000
#: What the page itself asks for. Its requests are left out, or they would soon be all there is.
_OWN: Final = ("/page.css", "/page.js", "/icon.svg", "/explain", "/options", "/requests")
#: What the access record has beside its text. Never its token.
_ACCESS: Final = ("method", "path", "status", "duration_ms")

_played: ContextVar[bool] = ContextVar("wsgi_mw_paste.playground", default=False)


class Recorder(logging.Handler):
    """A handler that keeps the last lines that belong to a request, of this process."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(RequestIdFilter())
        # Higher than those before a restart, for a page that stayed open.
        self._numbers = itertools.count(time.time_ns() // 1_000_000)
        self._lines: deque[dict[str, Any]] = deque(maxlen=MAX_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record, with its traceback."""
        fields = record.__dict__
        is_access = record.name == ACCESS_LOGGER and "path" in fields
        if fields["request_id"] == NO_REQUEST_ID:
            return
        if is_access and (fields["path"] == "/" or str(fields["path"]).endswith(_OWN)):
            return
        try:
            text = self.format(record)
        except Exception:  # noqa: BLE001 -- whatever is wrong with somebody's record
            self.handleError(record)
            return
        self._lines.append(
            {
                "number": next(self._numbers),
                "request_id": fields["request_id"],
                "time": record.created,
                "level": record.levelname,
                "logger": record.name,
                "text": text[:MAX_TEXT],
                "access": {name: fields[name] for name in _ACCESS} if is_access else None,
            }
        )

    def after(self, number: int) -> list[dict[str, Any]]:
        """Return the lines with higher numbers, as JSON objects."""
        return [line for line in self._lines.copy() if line["number"] > number]


@functools.cache
def recorder() -> Recorder:
    """Return the recorder: one in a process, however many playgrounds there are."""
    return Recorder()


def attach() -> None:
    """Let the recorder hear all that is logged from now on."""
    logging.getLogger().addHandler(recorder())
    for name in ("access", "cors", "errors", "playground"):
        logging.getLogger(f"wsgi_mw_paste.{name}").addFilter(_is_real)


@contextlib.contextmanager
def playing() -> Iterator[None]:
    """Keep our loggers silent during the ``with`` statement: no request is real in there."""
    token = _played.set(True)
    try:
        yield
    finally:
        _played.reset(token)


def _is_real(_: logging.LogRecord) -> bool:
    return not _played.get()
