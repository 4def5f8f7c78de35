"""What logging costs that writes nothing, and what ids cost each chunk and each log record.

What the access record costs that is written is measured by :mod:`benchmarks.access`.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks.driver import measure, serving
from benchmarks.scenarios import CHUNKS, IDS, LIST, STREAM
from wsgi_mw_paste import factories, request_id_scope
from wsgi_mw_paste.logging import RequestIdFilter, RequestIdFormatter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from logging import Handler, LogRecord

    from _typeshed.wsgi import WSGIApplication

    from benchmarks.driver import Work

#: The logger of the access records.
LOGGER = "wsgi_mw_paste.access"
#: A line as servers' logs have it: time, level, logger, id, message.
FORMAT = "%(asctime)s %(levelname)-5.5s [%(name)s] [%(request_id)s] %(message)s"
REQUEST = IDS["inbound"]
#: How deep in the stack a record is made: in a small view, in a large framework.
DEPTHS = (5, 200)


def with_log(app: WSGIApplication, log_requests: str = "true") -> WSGIApplication:
    """Wrap *app* in our filter for request ids."""
    return factories.request_id({}, log_requests=log_requests, log_tokens="fingerprint")(app)


@contextmanager
def logging_to(handler: Handler, level: int = logging.INFO, name: str = LOGGER) -> Iterator[None]:
    """Send the records of a logger to *handler* alone, during the ``with`` statement."""
    logger = logging.getLogger(name)
    logger.setLevel(level)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = True
        logger.setLevel(logging.NOTSET)


def access_off(rounds: int) -> float:
    """Return the nanoseconds that a record costs whose logger is off."""
    works = {
        "bare": serving(with_log(LIST, "false"), REQUEST),
        "off": serving(with_log(LIST), REQUEST),
    }
    with logging_to(logging.NullHandler(), logging.CRITICAL):
        return measure(works, rounds).median("off")


def per_chunk(rounds: int) -> dict[str, float]:
    """Return the nanoseconds that a request id adds to each chunk, without and with a record."""
    works = {
        "bare": serving(STREAM, REQUEST),
        "without": serving(with_log(STREAM, "false"), REQUEST),
        "with": serving(with_log(STREAM), REQUEST),
    }
    with logging_to(logging.NullHandler()):
        times = measure(works, rounds)
    return {name: times.median(name) / CHUNKS for name in ("without", "with")}


def per_record(rounds: int) -> dict[str, float]:
    """Return the nanoseconds that filters add to a record, beyond setting the attribute.

    And those that our formatter adds to one of the logging module; each by the depth of the stack.
    """
    record = logging.makeLogRecord({"msg": "order 17 accepted", "levelname": "INFO"})
    plain, ours = logging.Formatter(FORMAT), RequestIdFormatter(FORMAT)

    #: By name: what is called, and what the logging module would call in its place.
    functions: dict[str, tuple[Callable[[LogRecord], object], Callable[[LogRecord], object] | None]]
    functions = {
        "filter": (RequestIdFilter().filter, None),
        "formatter": (ours.format, plain.format),
    }
    try:
        from wsgi_microservice_middleware import RequestIdFilter as Filter2020
    except ImportError:
        pass
    else:
        functions["filter of the 2020 package"] = (Filter2020().filter, None)
    works: dict[str, Work] = {}
    bases = {}
    for depth in DEPTHS:
        for name, (function, base) in functions.items():
            label = f"{name}, depth {depth}"
            works[label] = _at_depth(depth, _calling(function, record))
            works[f"bare {label}"] = _at_depth(depth, _assigning(record, base))
            bases[label] = f"bare {label}"
    with request_id_scope("4bf92f3577b34da6a3ce929d0e0e4736"):
        times = measure(works, rounds, bases)
    return {name: times.median(name) for name in bases}


def _calling(function: Callable[[LogRecord], object], record: LogRecord) -> Work:
    """Return the work that hands a record without an id to *function*."""

    def work(times: int) -> None:
        for _ in range(times):
            function(record)
            del record.request_id  # type: ignore[attr-defined]

    return work


def _assigning(record: LogRecord, function: Callable[[LogRecord], object] | None = None) -> Work:
    """Return the work that gives a record its id without any call, and then calls *function*."""

    def work(times: int) -> None:
        for _ in range(times):
            record.request_id = "4bf92f3577b34da6a3ce929d0e0e4736"
            if function is not None:
                function(record)
            del record.request_id  # type: ignore[attr-defined]

    return work


def _at_depth(depth: int, work: Work) -> Work:
    """Return a work that is done so deep in the stack."""

    def descend(times: int, further: int) -> None:
        if further:
            descend(times, further - 1)
        else:
            work(times)

    return lambda times: descend(times, depth)
