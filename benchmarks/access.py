"""What a line of the access log costs: ours, its floor's, and those of the loggers it replaces.

All of them are written to the null device, for the same request; what is added is counted beyond
the same without the line. They do not say the same: the table has what each leaves out.
"""

from __future__ import annotations

import logging
import os
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import floor, peers
from benchmarks.driver import BROWSER_HEADERS, measure, serving
from benchmarks.logs import FORMAT, LOGGER, logging_to, with_log
from benchmarks.page import Goal, table
from benchmarks.scenarios import IDS, LIST
from wsgi_mw_paste.logging import RequestIdFormatter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from logging import Formatter, LogRecord

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from benchmarks.driver import Times, Work

#: One environ for all: gunicorn's line names RAW_URI.
_REQUEST = IDS["inbound"]._replace(environ={"RAW_URI": "/orders/17?page=2"})
_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
_JSON = "%(asctime)s %(levelname)s %(name)s %(message)s"
TEXT, ORJSON, JSON = "ours, text", "ours, JSON by orjson", "ours, JSON by json"
FLOOR, CONTROL = "floor, text", "floor again, text"
TRANSLOGGER, GUNICORN = "translogger", "gunicorn's own"
#: What instructions are counted of: a request with its id and its line.
SCENARIO = "request id and a line of text"
VARIANTS = {
    "bare": "bare", "floor": FLOOR, "control": CONTROL, "ours": TEXT, TRANSLOGGER: TRANSLOGGER,
    GUNICORN: GUNICORN,
}  # fmt: skip
#: What of ours the others do not do.
_LEFT_OUT = {
    FLOOR: "tokens, excluded paths, exceptions, other bodies than lists; its formatter is ours",
    TRANSLOGGER: (
        "id, duration, fields; counts no bytes; is not written where the application raises first;"
        " has user agent and referer as the client wrote them; drops `exc_info`"
    ),
    GUNICORN: (
        "id, fields; is not written where the application raises first; of what the client wrote"
        " it escapes the quote only"
    ),
}


class Lines(NamedTuple):
    """Works that serve a request each time, most of them with a line of a log.

    :ivar works: by the names of the lines, and of what has none.
    :ivar bases: for lines that are not compared with the bare application, what they are.
    """

    works: Mapping[str, Work]
    bases: Mapping[str, str]


@contextmanager
def lines() -> Iterator[Lines]:
    """Make the works, which can be used during the ``with`` statement."""
    works: dict[str, Work] = {
        "bare": serving(LIST, _REQUEST),
        "ours, no line": serving(with_log(LIST, "false"), _REQUEST),
        "floor, no line": serving(floor.request_id(LIST), _REQUEST),
    }
    bases = {}
    with ExitStack() as stack:
        null = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))

        def writing(name: str) -> logging.Handler:
            handler = logging.StreamHandler(null)
            stack.enter_context(logging_to(handler, name=name))
            return handler

        handler = writing(LOGGER)
        for name, formatter in _formatters().items():
            works[name] = _formatted(handler, formatter, serving(with_log(LIST), _REQUEST))
            bases[name] = "ours, no line"
        writing(floor.ACCESS_LOGGER).setFormatter(RequestIdFormatter(FORMAT))
        for name in FLOOR, CONTROL:
            works[name] = serving(floor.access_record(LIST), _REQUEST)
            bases[name] = "floor, no line"
        if peers.TRANSLOGGER.is_installed():
            translogger = peers.TRANSLOGGER.wrap(LIST, ())
            # Formatted as where it makes a handler of its own.
            writing("wsgi").setFormatter(logging.Formatter("%(message)s"))
            works[TRANSLOGGER] = serving(translogger, _REQUEST)
        if gunicorn := _gunicorn():
            works[GUNICORN] = serving(gunicorn, _REQUEST)
        yield Lines(works, bases)


def _formatters() -> dict[str, Formatter]:
    """Return the formatters that our records are written with, by the name of the line."""
    found: dict[str, Formatter] = {TEXT: RequestIdFormatter(FORMAT)}
    try:
        from pythonjsonlogger.json import JsonFormatter
        from pythonjsonlogger.orjson import OrjsonFormatter
    except ImportError:
        return found
    return found | {ORJSON: OrjsonFormatter(_JSON), JSON: JsonFormatter(_JSON)}


def _formatted(handler: logging.Handler, formatter: Formatter, work: Work) -> Work:
    """Return the work that is done while *handler* has this formatter."""

    def visit(times: int) -> None:
        handler.setFormatter(formatter)
        work(times)

    return visit


def _gunicorn() -> WSGIApplication | None:
    """Return the application, and gunicorn's access log called as its workers call it."""
    try:
        from gunicorn.config import Config
        from gunicorn.glogging import Logger
    except ImportError:
        return None
    config = Config()
    config.set("accesslog", os.devnull)
    log = Logger(config)
    # A worker has these, and the duration, whether there is a log or not.
    headers = {"Host": "shop.example:8080", **BROWSER_HEADERS, "X-Request-Id": _ID}
    request = SimpleNamespace(headers=[(name.upper(), value) for name, value in headers.items()])
    response = SimpleNamespace(status="200 OK", headers=[("Content-Length", "5")], sent=5)
    took = timedelta(microseconds=1234)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = LIST(environ, start_response)
        log.access(response, request, environ, took)
        return body

    return app


def measure_lines(rounds: int) -> Times:
    """Time the lines against each other."""
    with lines() as found:
        return measure(found.works, rounds, found.bases)


def goals(times: Times) -> Iterator[Goal]:
    """Yield the goals for our lines, as far as what they are compared with is installed."""
    compared = (
        ("access record, text / floor", 1.3, TEXT, FLOOR),
        ("access record, text / translogger", 1.0, TEXT, TRANSLOGGER),
        ("access record, JSON / gunicorn's own text", 0.75, ORJSON, GUNICORN),
    )
    for what, bound, ours, other in compared:
        if {ours, other} <= times.rounds.keys():
            yield Goal(what, bound, times.ratio(ours, other))


def lines_table(times: Times) -> str:
    """Return the table of the lines."""
    names = [TEXT, ORJSON, JSON, FLOOR, CONTROL, TRANSLOGGER, GUNICORN]
    rows = [
        [
            name,
            f"{times.median(name):,.0f}",
            f"{times.ratio(name, FLOOR):.2f}",
            _LEFT_OUT.get(name, ""),
        ]
        for name in names
        if name in times.rounds
    ]
    return table(["a line of the access log", "ns added", "line/floor", "leaves out"], rows)


def shares_table(rounds: int) -> str:
    """Return the table of where the time for our line of text goes.

    The parts are timed in loops. The rest is our own work, and what they take longer in a request.
    """
    record = _record_of_a_request()
    names = vars(record).keys() - vars(logging.makeLogRecord({})).keys()
    values = [(name, vars(record)[name]) for name in names]
    logger, nowhere = logging.getLogger(LOGGER), logging.getLogger("benchmarks.nowhere")
    formatter = RequestIdFormatter(FORMAT)

    def make() -> LogRecord:
        return logger.makeRecord(
            LOGGER, logging.INFO, record.pathname, 0, record.msg, record.args or (), None
        )

    def make_with_fields() -> None:
        fields = make().__dict__
        for name, value in values:
            fields[name] = value

    with Path(os.devnull).open("w", encoding="utf-8") as null:
        handler = logging.StreamHandler(null)
        handler.setFormatter(formatter)
        works = {
            "bare": _repeating(lambda: None),
            "make": _repeating(make),
            "make with fields": _repeating(make_with_fields),
            "message": _repeating(record.getMessage),
            "format": _repeating(lambda: formatter.format(record)),
            "time": _repeating(lambda: formatter.formatTime(record)),
            "emit": _repeating(lambda: handler.emit(record)),
            "hand over": _repeating(lambda: nowhere.handle(record)),
            "no line": serving(with_log(LIST, "false"), _REQUEST),
            "line": serving(with_log(LIST), _REQUEST),
        }
        with logging_to(handler), logging_to(_Nowhere(), name=nowhere.name):
            times = measure(works, rounds, {"line": "no line"})
    ns = {name: times.median(name) for name in works}
    parts = {
        "the record": ns["make"],
        "its fields": ns["make with fields"] - ns["make"],
        "filters, levels and locks on its way to the handler": ns["hand over"],
        "the message": ns["message"],
        "the time": ns["time"],
        "the rest of the line": ns["format"] - ns["message"] - ns["time"],
        "writing and flushing": ns["emit"] - ns["format"],
    }
    rest = "our facts, cleaning and counting, and caches that are colder than in a loop"
    parts[rest] = ns["line"] - sum(parts.values())
    rows = [[part, f"{value:,.0f}", f"{value / ns['line']:.0%}"] for part, value in parts.items()]
    return table(["of our line of text", "ns", "share"], rows)


class _Nowhere(logging.Handler):
    """Does nothing with a record, and keeps the last."""

    record: LogRecord

    def emit(self, record: LogRecord) -> None:
        self.record = record


def _record_of_a_request() -> LogRecord:
    """Return the access record of the measured request."""
    handler = _Nowhere()
    with logging_to(handler):
        serving(with_log(LIST), _REQUEST)(1)
    return handler.record


def _repeating(function: Callable[[], object]) -> Work:
    def work(times: int) -> None:
        for _ in range(times):
            function()

    return work
