"""What the access record and the log filter cost, beside what logging itself costs."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.driver import measure, serving
from benchmarks.scenarios import CHUNKS, IDS, LIST, STREAM
from wsgi_mw_paste import factories, request_id_scope
from wsgi_mw_paste.logging import RequestIdFilter, RequestIdFormatter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from logging import Formatter, Handler, LogRecord

    from _typeshed.wsgi import WSGIApplication

    from benchmarks.driver import Work

_LOGGER = "wsgi_mw_paste.access"
_FORMAT = "%(asctime)s %(levelname)-5.5s [%(name)s] [%(request_id)s] %(message)s"
_REQUEST = IDS["inbound"]
#: How deep in the stack a record is made: in a small view, in a large framework.
DEPTHS = (5, 200)


class AccessCost(NamedTuple):
    """What the access record adds to a request without one.

    :ivar added: nanoseconds.
    :ivar call: those of the bare ``Logger`` call that writes an equal record.
    :ivar ratio: the median of their ratios, round by round.
    """

    added: float
    call: float
    ratio: float


def _with_log(app: WSGIApplication, log_requests: str = "true") -> WSGIApplication:
    return factories.request_id({}, log_requests=log_requests, log_tokens="fingerprint")(app)


@contextmanager
def _logging(level: int, handler: Handler) -> Iterator[None]:
    """Send access records to *handler* alone, during the ``with`` statement."""
    logger = logging.getLogger(_LOGGER)
    logger.setLevel(level)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = True
        logger.setLevel(logging.NOTSET)


class _Keep(logging.Handler):
    """Keeps the last record."""

    record: LogRecord

    def emit(self, record: LogRecord) -> None:
        self.record = record


def access_off(rounds: int) -> float:
    """Return the nanoseconds that a record costs whose logger is off."""
    works = {
        "bare": serving(_with_log(LIST, "false"), _REQUEST),
        "off": serving(_with_log(LIST), _REQUEST),
    }
    with _logging(logging.CRITICAL, logging.NullHandler()):
        return measure(works, rounds).median("off")


def access_on(formatter: Formatter, rounds: int) -> AccessCost:
    """Return what a record costs that a formatter writes to the null device."""
    keep = _Keep()
    with _logging(logging.INFO, keep):
        serving(_with_log(LIST), _REQUEST)(1)
    fields = {name: vars(keep.record)[name] for name in _fields(keep.record)}
    message, arguments = keep.record.msg, keep.record.args
    logger = logging.getLogger(_LOGGER)

    def call(times: int) -> None:
        for _ in range(times):
            logger.info(message, *arguments, extra=fields)  # type: ignore[misc]

    works: dict[str, Work] = {
        "bare": serving(_with_log(LIST, "false"), _REQUEST),
        "on": serving(_with_log(LIST), _REQUEST),
        "nothing": lambda times: [None for _ in range(times)],
        "call": call,
    }
    with Path(os.devnull).open("w", encoding="utf-8") as null:
        handler = logging.StreamHandler(null)
        handler.setFormatter(formatter)
        with _logging(logging.INFO, handler):
            times = measure(works, rounds, {"call": "nothing"})
    return AccessCost(times.median("on"), times.median("call"), times.ratio("on", "call"))


def _fields(record: LogRecord) -> set[str]:
    """Return the names of what our record has and others have not."""
    return vars(record).keys() - vars(logging.makeLogRecord({})).keys()


def formatters() -> dict[str, Formatter]:
    """Return the formatters that access records are written with, by name."""
    found: dict[str, Formatter] = {"text": RequestIdFormatter(_FORMAT)}
    try:
        from pythonjsonlogger.json import JsonFormatter
    except ImportError:
        return found
    return found | {"JSON": JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s")}


def per_chunk(rounds: int) -> dict[str, float]:
    """Return the nanoseconds that a request id adds to each chunk, without and with a record."""
    works = {
        "bare": serving(STREAM, _REQUEST),
        "without": serving(_with_log(STREAM, "false"), _REQUEST),
        "with": serving(_with_log(STREAM), _REQUEST),
    }
    with _logging(logging.INFO, logging.NullHandler()):
        times = measure(works, rounds)
    return {name: times.median(name) / CHUNKS for name in ("without", "with")}


def per_record(rounds: int) -> dict[str, float]:
    """Return the nanoseconds that filters add to a record, beyond setting the attribute.

    And those that our formatter adds to one of the logging module; each by the depth of the stack.
    """
    record = logging.makeLogRecord({"msg": "order 17 accepted", "levelname": "INFO"})
    plain, ours = logging.Formatter(_FORMAT), RequestIdFormatter(_FORMAT)

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
