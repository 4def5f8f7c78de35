"""The request id in log records: a filter, a formatter, and a way to attach the filter in an INI.

Use :class:`RequestIdFilter` where handlers are configured in code or by ``dictConfig``. Put it on
*handlers*: a filter on a logger does not see the records of that logger's children.

``logging.config.fileConfig``, the INI form, has no filters: a ``filters =`` line and a
``[filters]`` section are ignored without a word, and ``%(request_id)s`` then fails on every record
with ``ValueError: Formatting field not found in record: 'request_id'``. There, use
:class:`RequestIdFormatter` (text) or :class:`AttachRequestIdFilter` (any formatter).

Behind a ``QueueHandler`` or ``MemoryHandler`` records are formatted later, outside their request:
there the filter belongs on the handler that queues.

``fileConfig`` imports this module in the middle of configuring and then disables the loggers that
exist, so nothing here looks one up.
"""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import sys
import time
from typing import TYPE_CHECKING

from wsgi_mw_paste.context import current_scope

if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Handler, LogRecord

#: What ``request_id`` is outside a request. No inbound id can be this.
NO_REQUEST_ID = "-"


class RequestIdFilter(logging.Filter):
    """Set ``record.request_id`` (``-`` outside a request) where there is none; drop no record."""

    def filter(self, record: LogRecord) -> bool:
        """Add the id and let the record pass."""
        # Never overwritten: the access record, a queue or ``extra=`` knows better than the context.
        if not hasattr(record, "request_id"):
            scope = current_scope.get()
            record.request_id = NO_REQUEST_ID if scope is None else scope[0]
        return True


#: What the formatter does, too.
_FILTER = RequestIdFilter()


#: The converters whose result is the same throughout a second.
_BY_THE_SECOND = (time.localtime, time.gmtime)


class RequestIdFormatter(logging.Formatter):
    """A formatter whose format may use ``%(request_id)s``; for a ``[formatter_…]`` section.

    It is :class:`logging.Formatter` in every other respect and takes the same arguments. It formats
    the date and time once a second, since that is a third of the cost of a line; so a change of the
    time zone or the locale shows from the next second on.
    """

    #: The second, the converter and the format of the last time; its text without milliseconds. One
    #: tuple, so that other threads see all of it or nothing.
    _last: tuple[tuple[object, ...], str] = ((), "")

    def format(self, record: LogRecord) -> str:
        """Add the id if the record has none, and format."""
        _FILTER.filter(record)
        return super().format(record)

    def formatTime(self, record: LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """Return the time of a record as text."""
        converter = self.converter
        if converter not in _BY_THE_SECOND:
            return super().formatTime(record, datefmt)
        time_format = datefmt or self.default_time_format
        key = (record.created // 1, converter, time_format)
        last, text = self._last
        if key != last:
            text = time.strftime(time_format, converter(record.created))
            self._last = key, text
        if datefmt or not self.default_msec_format:
            return text
        return self.default_msec_format % (text, record.msecs)


class AttachRequestIdFilter(logging.handlers.MemoryHandler):
    """Put a :class:`RequestIdFilter` on another handler; for a ``[handler_…]`` section.

    ``fileConfig`` resolves ``target =`` for subclasses of ``MemoryHandler`` only, after all
    handlers exist, and that is the whole reason for this base class: no record is ever kept. Name
    it in ``[handlers] keys``, with ``args = ()`` and ``target =`` the handler that is to have the
    id, and give it to no logger.

    :param target: the handler to put the filter on; ``dictConfig`` passes it here, ``fileConfig``
        through :meth:`setTarget`.
    """

    # On the class, because __del__ runs even if the constructor raised.
    _is_idle = False

    def __init__(self, target: Handler | None = None) -> None:
        super().__init__(capacity=0)
        self._is_idle = True
        self.setTarget(target)

    def setTarget(self, target: Handler | None) -> None:  # noqa: N802 -- logging's name
        """Put the filter on *target*; the target itself is not kept."""
        if target is not None:
            target.addFilter(RequestIdFilter())
            self._is_idle = False

    def emit(self, record: LogRecord) -> None:  # noqa: ARG002 -- logging's signature
        """Keep nothing."""
        self._complain()

    def _complain(self) -> None:
        """Say so on stderr if there never was a target: silence would look like success."""
        if self._is_idle and sys.stderr is not None:
            with contextlib.suppress(OSError, ValueError):  # a stderr that is closed
                sys.stderr.write(
                    "wsgi_mw_paste.logging.AttachRequestIdFilter had no target and did nothing;"
                    " add 'target = HANDLER' to its section\n"
                )
        self._is_idle = False

    def __del__(self, is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        """Complain, unless ``fileConfig`` failed before it came to targets, and to the root."""
        if not is_finalizing() and logging.getLogger().handlers:
            self._complain()
