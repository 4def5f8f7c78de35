"""The log lines of the latest requests, kept in memory for the playground's page."""

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

#: How many lines are kept, and how many characters of each.
MAX_LINES: Final = 200
MAX_TEXT: Final = 4000
#: The page's own requests. They are left out, or there would soon be nothing else.
_OWN: Final = ("/page.css", "/page.js", "/icon.svg", "/explain", "/options", "/requests")
#: The fields of an access record that the page shows. Never the token.
_ACCESS: Final = ("method", "path", "status", "duration_ms")

_simulated: ContextVar[bool] = ContextVar("wsgi_mw_paste.playground", default=False)


class Recorder(logging.Handler):
    """A handler that keeps the latest lines of this process that belong to a request."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(RequestIdFilter())
        # Higher than before a restart, for a page that stayed open.
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
        except Exception:  # noqa: BLE001 -- any record of any library comes here
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
    """Return the recorder. A process has one, however many playgrounds it has."""
    return Recorder()


def attach() -> None:
    """Let the recorder keep what is logged from now on."""
    logging.getLogger().addHandler(recorder())
    for name in ("access", "cors", "errors", "playground"):
        logging.getLogger(f"wsgi_mw_paste.{name}").addFilter(_is_real)


@contextlib.contextmanager
def simulating() -> Iterator[None]:
    """Silence our loggers during the ``with`` statement: the requests in it are simulated."""
    token = _simulated.set(True)
    try:
        yield
    finally:
        _simulated.reset(token)


def _is_real(_: logging.LogRecord) -> bool:
    return not _simulated.get()
