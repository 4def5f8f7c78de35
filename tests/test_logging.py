"""The request id in log records, configured from INI sections and from dictionaries.

Both ``fileConfig`` and ``dictConfig`` run at their defaults, at which they disable every logger
that exists; so loggers here have names of their own, and whole requests run in a new process.
"""

from __future__ import annotations

import gc
import importlib
import json
import logging
import os
import pkgutil
import subprocess
import sys
from io import StringIO
from logging.config import dictConfig, fileConfig
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path
from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

import pytest

import tests
import wsgi_mw_paste
from wsgi_mw_paste import (
    AttachRequestIdFilter,
    RequestIdFilter,
    RequestIdFormatter,
    request_id_scope,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

pytestmark = pytest.mark.usefixtures("restored_logging")

INI = """
[loggers]
keys = root

[handlers]
keys = {handlers}

[formatters]
keys = plain, with_class, json

[logger_root]
level = INFO
handlers = {root}

[handler_file]
class = FileHandler
args = ('app.log', 'a', 'utf-8', True)
formatter = {formatter}

[handler_request_id]
class = wsgi_mw_paste.logging.AttachRequestIdFilter
args = ()
target = {target}

[handler_memory]
class = logging.handlers.MemoryHandler
args = (100, ERROR)
target = file

[handler_queue]
class = logging.handlers.QueueHandler
args = (__import__('queue').SimpleQueue(),)

[formatter_plain]
format = %(request_id)s %(message)s

[formatter_with_class]
class = wsgi_mw_paste.logging.RequestIdFormatter
format = %(request_id)s %(message)s

[formatter_json]
class = pythonjsonlogger.json.JsonFormatter
format = %(message)s
"""

NO_TARGET = (
    "wsgi_mw_paste.logging.AttachRequestIdFilter had no target and did nothing;"
    " add 'target = HANDLER' to its section\n"
)


def ini(handlers: str, formatter: str = "plain", root: str = "file", target: str = "file") -> str:
    """Return the logging sections of an INI file."""
    return INI.format(handlers=handlers, formatter=formatter, root=root, target=target)


def configure_ini(*arguments: str, **more: str) -> None:
    """Run ``fileConfig`` at its defaults."""
    Path("logging.ini").write_text(ini(*arguments, **more), "utf-8")
    fileConfig("logging.ini")


def dictionary(formatter: str = "plain", **handlers: dict[str, Any]) -> dict[str, Any]:
    """Return a logging configuration with a file and more *handlers* beside it."""
    file = {
        "class": "logging.FileHandler",
        "filename": "app.log",
        "encoding": "utf-8",
        "delay": True,
        "formatter": formatter,
    }
    return {
        "version": 1,
        "formatters": {
            "plain": {"format": "%(request_id)s %(message)s"},
            "with_class": {
                "()": "wsgi_mw_paste.RequestIdFormatter",
                "fmt": "%(request_id)s %(message)s",
            },
            "json": {"class": "pythonjsonlogger.json.JsonFormatter", "format": "%(message)s"},
        },
        "filters": {"request_id": {"()": "wsgi_mw_paste.RequestIdFilter"}},
        "handlers": handlers | {"file": file | handlers.get("file", {})},
        "root": {"level": "INFO", "handlers": ["file"]},
    }


def attach(target: str = "file") -> dict[str, str]:
    """Return the handler that attaches the filter, for a ``dictConfig``."""
    return {"class": "wsgi_mw_paste.logging.AttachRequestIdFilter", "target": target}


def logged() -> list[tuple[str, str]]:
    """Return the request id and the message of every line of the log."""
    lines = Path("app.log").read_text(encoding="utf-8").splitlines()
    if lines[0].startswith("{"):
        records = map(json.loads, lines)
        return [(record["request_id"], record["message"]) for record in records]
    return [(line.split()[0], line.partition(" ")[2]) for line in lines]


# From INI sections and dictionaries.


@pytest.mark.parametrize(
    "configure",
    [
        pytest.param(lambda: configure_ini("file", "with_class"), id="INI, formatter"),
        pytest.param(lambda: configure_ini("file, request_id"), id="INI, filter"),
        pytest.param(lambda: configure_ini("request_id, file"), id="INI, filter before its target"),
        pytest.param(lambda: configure_ini("file, request_id", "json"), id="INI, filter, JSON"),
        pytest.param(
            lambda: configure_ini("request_id, file", "json"), id="INI, filter before, JSON"
        ),
        pytest.param(lambda: dictConfig(dictionary("with_class")), id="dict, formatter"),
        pytest.param(
            lambda: dictConfig(dictionary(file={"filters": ["request_id"]})), id="dict, filter"
        ),
        pytest.param(
            lambda: dictConfig(dictionary("json", file={"filters": ["request_id"]})),
            id="dict, filter, JSON",
        ),
        # dictConfig goes through the handlers in the order of their names.
        pytest.param(lambda: dictConfig(dictionary(before=attach())), id="dict, attached before"),
        pytest.param(
            lambda: dictConfig(dictionary("json", to_file=attach())), id="dict, attached after"
        ),
    ],
)
def test_every_record_gets_an_id(
    configure: Callable[[], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The request's inside a request, ``-`` outside; an id that a record has is left alone."""
    configure()
    gc.collect()
    logger = logging.getLogger(tmp_path.name)
    logger.info("before")
    with request_id_scope("an-id"):
        logger.info("inside %s", "it")
        logging.getLogger(f"{tmp_path.name}.child").warning("of a child")
        logger.info("carried", extra={"request_id": "its-own"})
        logger.debug("below the level")
    logger.info("after")
    assert logged() == [
        ("-", "before"),
        ("an-id", "inside it"),
        ("an-id", "of a child"),
        ("its-own", "carried"),
        ("-", "after"),
    ]
    assert capsys.readouterr() == ("", "")


def test_a_json_formatter_shows_the_id_as_a_field_of_its_own() -> None:
    """It needs no mention in the format."""
    configure_ini("file, request_id", "json")
    with request_id_scope("an-id"):
        logging.getLogger().info("hello")
    assert json.loads(Path("app.log").read_text("utf-8")) == {
        "message": "hello",
        "request_id": "an-id",
    }


@pytest.mark.parametrize(
    ("style", "format_"),
    [
        ("%", "%(request_id)s %(message)s"),
        ("{", "{request_id} {message}"),
        ("$", "$request_id ${message}"),
    ],
)
def test_the_formatter_takes_what_the_standard_one_takes(style: Any, format_: str) -> None:
    """``format``, ``datefmt`` and ``style``, tracebacks included."""
    formatter = RequestIdFormatter(format_, "%Y", style)
    record = logging.makeLogRecord({"msg": "hello"})
    with request_id_scope("an-id"):
        assert formatter.format(record) == "an-id hello"
    assert RequestIdFormatter("%(asctime)s", "then").format(record) == "then"
    # The record keeps the id, for handlers that see it later.
    assert formatter.format(record) == "an-id hello"


def test_the_filter_drops_no_record() -> None:
    """It is true of every record, whatever name it was given."""
    record = logging.makeLogRecord({"name": "x"})
    assert RequestIdFilter("another").filter(record) is True
    assert record.__dict__["request_id"] == "-"


# Handlers that format later, outside the request.


@pytest.mark.parametrize(
    ("handlers", "formatter", "target", "expected"),
    [
        pytest.param("memory, file, request_id", "plain", "memory", "an-id", id="on the memory"),
        pytest.param("file, memory, request_id", "plain", "file", "-", id="on the file"),
        pytest.param("memory, file", "with_class", "", "-", id="formatter of the file"),
    ],
)
def test_behind_a_memory_handler_the_filter_belongs_on_it(
    handlers: str, formatter: str, target: str, expected: str
) -> None:
    """Its records are formatted when it is flushed, as a rule in another request or in none."""
    configure_ini(handlers, formatter, root="memory", target=target)
    with request_id_scope("an-id"):
        logging.getLogger().info("inside")
    assert not Path("app.log").exists()
    logging.getLogger().error("flush")
    assert logged() == [(expected, "inside"), ("-", "flush")]


@pytest.mark.parametrize(
    ("handlers", "formatter", "target", "expected"),
    [
        pytest.param("queue, file, request_id", "plain", "queue", "an-id", id="on the queue"),
        pytest.param("queue, file, request_id", "plain", "file", "-", id="on the file"),
        pytest.param("queue, file", "with_class", "", "-", id="formatter of the file"),
    ],
)
def test_behind_a_queue_the_filter_belongs_on_the_queue_handler(
    handlers: str, formatter: str, target: str, expected: str
) -> None:
    """The listener's thread formats the records, and belongs to no request."""
    configure_ini(handlers, formatter, root="queue, file", target=target)
    queue_handler, file_handler = logging.getLogger().handlers
    assert isinstance(queue_handler, QueueHandler)
    logging.getLogger().removeHandler(file_handler)
    listener = QueueListener(queue_handler.queue, file_handler)
    listener.start()
    with request_id_scope("an-id"):
        logging.getLogger().info("inside")
    listener.stop()
    file_handler.close()
    assert logged() == [(expected, "inside")]


# The handler that attaches the filter.


@pytest.mark.parametrize(
    "configure",
    [
        pytest.param(lambda: configure_ini("file, request_id", target=""), id="INI"),
        pytest.param(
            lambda: dictConfig(
                dictionary(x={"class": "wsgi_mw_paste.logging.AttachRequestIdFilter"})
            ),
            id="dict",
        ),
        pytest.param(AttachRequestIdFilter, id="code"),
        pytest.param(lambda: AttachRequestIdFilter().setTarget(None), id="None"),
    ],
)
def test_a_missing_target_is_said_on_stderr(
    configure: Callable[[], object], capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, since a handler that does nothing would look like one that works."""
    configure()
    gc.collect()
    assert capsys.readouterr() == ("", NO_TARGET)


def test_wrong_arguments_are_an_error_and_nothing_more(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An object that was never finished goes away without a second error."""
    with pytest.raises(TypeError):
        AttachRequestIdFilter(1, 2)  # type: ignore[call-arg, arg-type]
    gc.collect()
    assert capsys.readouterr() == ("", "")


class Broken(StringIO):
    """A stderr whose reader is gone."""

    def write(self, _: str) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize("stream", ["none", "closed", "broken"])
def test_a_process_without_stderr_is_told_nothing(
    stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under ``pythonw`` and the like ``sys.stderr`` is ``None``; daemons close it."""
    closed = StringIO()
    closed.close()
    with monkeypatch.context() as context:
        context.setattr(sys, "stderr", {"none": None, "closed": closed, "broken": Broken()}[stream])
        AttachRequestIdFilter()
        gc.collect()


def test_before_the_root_logger_is_configured_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``fileConfig`` sets up targets and then the root: if it fails earlier, that is the error."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    AttachRequestIdFilter()
    gc.collect()
    assert capsys.readouterr() == ("", "")


CONFIGURE = """
import sys
from logging.config import fileConfig
try:
    fileConfig("logging.ini")
except NameError as error:
    if len(sys.argv) == 1:
        raise
    if sys.argv[1] == "exit":
        sys.exit(str(error))
    sys.stderr.write(f"{error}\\n")
"""


@pytest.mark.parametrize("handling", [[], ["exit"], ["go on"]])
def test_a_failure_elsewhere_is_not_taken_for_a_missing_target(handling: list[str]) -> None:
    """Before ``fileConfig`` comes to the targets it may fail, and says itself why."""
    handlers = ini("request_id, file").replace("('app.log'", "(nosuch, 'app.log'")
    Path("logging.ini").write_text(handlers, "utf-8")
    run = subprocess.run(
        [sys.executable, "-c", CONFIGURE, *handling], capture_output=True, text=True, check=False
    )
    assert run.stderr.endswith("name 'nosuch' is not defined\n")
    assert NO_TARGET not in run.stderr


def test_a_missing_target_is_said_once_where_a_logger_keeps_the_handler(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """There it does not go away; the first record brings it up."""
    configure_ini("file, request_id", "with_class", root="file, request_id", target="")
    assert capsys.readouterr() == ("", "")
    logging.getLogger().error("one")
    logging.getLogger().error("two")
    assert capsys.readouterr() == ("", NO_TARGET)


def test_the_end_of_a_process_is_quiet() -> None:
    """What a logger keeps goes away when modules are gone already."""
    Path("logging.ini").write_text(ini("request_id, file", root="request_id", target=""), "utf-8")
    run = subprocess.run(
        [sys.executable, "-c", CONFIGURE], capture_output=True, text=True, check=True
    )
    assert (run.stdout, run.stderr) == ("", "")


@pytest.mark.parametrize(
    "configure",
    [
        pytest.param(lambda: configure_ini("file, request_id", target="fiel"), id="INI"),
        pytest.param(lambda: dictConfig(dictionary(x=attach("fiel"))), id="dict"),
    ],
)
def test_a_misspelled_target_stops_the_configuration(
    configure: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """``fileConfig`` and ``dictConfig`` fail for themselves, at start-up."""
    with pytest.raises((KeyError, ValueError)):
        configure()
    gc.collect()
    capsys.readouterr()


def test_on_a_logger_it_keeps_no_record(capsys: pytest.CaptureFixture[str]) -> None:
    """It belongs on no logger; there it is harmless, and its target still has the filter."""
    configure_ini("file, request_id", root="file, request_id")
    with request_id_scope("an-id"):
        logging.getLogger().error("inside")
    handler = logging.getLogger().handlers[1]
    assert isinstance(handler, AttachRequestIdFilter)
    assert (handler.capacity, handler.buffer) == (0, [])
    handler.flush()
    handler.close()
    assert logged() == [("an-id", "inside")]
    assert capsys.readouterr() == ("", "")


def test_it_leaves_nothing_behind_but_the_filter() -> None:
    """After the configuration only the filter on the target is left of it."""
    configure_ini("file, request_id")
    gc.collect()
    [handler] = logging.getLogger().handlers
    assert [type(item) for item in handler.filters] == [RequestIdFilter]
    assert not [thing for thing in gc.get_objects() if type(thing) is AttachRequestIdFilter]


# The trap.


def test_fileconfig_ignores_filters(capsys: pytest.CaptureFixture[str]) -> None:
    """A ``filters =`` line does nothing, and every record fails with the documented error."""
    Path("logging.ini").write_text(
        ini("file")
        .replace("[handler_file]", "[handler_file]\nfilters = request_id")
        .replace("[formatters]", "[filters]\nkeys = request_id\n\n[formatters]")
        + "\n[filter_request_id]\nclass = wsgi_mw_paste.logging.RequestIdFilter\n",
        "utf-8",
    )
    fileConfig("logging.ini")
    logging.getLogger().info("lost")
    said = capsys.readouterr().err
    error = "ValueError: Formatting field not found in record: 'request_id'"
    assert "--- Logging error ---" in said
    assert error in said
    assert Path("app.log").read_text("utf-8") == ""
    assert f"``{error}``" in (wsgi_mw_paste.logging.__doc__ or "")


# Whole requests.


def make_app(global_conf: dict[str, str], /, **local_conf: str) -> WSGIApplication:
    """Return an application that logs wherever it can; a ``paste.app_factory``."""
    logger = logging.getLogger("shop")
    logger.info("loading")

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        logger.info("called")
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b"chunk"
        logger.info("asked for more")
        if environ["PATH_INFO"] == "/raise":
            raise ZeroDivisionError

    return validator(app)


PIPELINE = """
[pipeline:main]
pipeline = egg:wsgi_mw_paste shop
set log_tokens = fingerprint
set request_id_header = X-Id

[app:shop]
paste.app_factory = tests.test_logging:make_app
"""

SERVE = """
import contextlib, json, logging, pathlib, sys
from logging.config import dictConfig, fileConfig
from wsgiref.validate import validator
import wsgi_mw_paste.factories

if sys.argv[1] == "INI":
    fileConfig("test.ini")
else:
    dictConfig(json.loads(sys.argv[1]))

from paste.deploy import loadapp
from tests.wsgi import call, make_environ

app = validator(loadapp("config:test.ini", relative_to="."))
call(app, make_environ(headers={"X-Id": "id-1"}))
with contextlib.suppress(ZeroDivisionError):
    call(app, make_environ(path="/raise", headers={"X-Id": "id-2"}))
logging.getLogger("shop").info("done")
"""


@pytest.mark.parametrize(
    ("sections", "configuration"),
    [
        pytest.param(ini("file", "with_class"), None, id="INI, formatter"),
        pytest.param(ini("request_id, file"), None, id="INI, filter"),
        pytest.param(ini("file, request_id", "json"), None, id="INI, JSON"),
        pytest.param("", dictionary("with_class"), id="dict, formatter"),
        pytest.param("", dictionary(request_id=attach()), id="dict, filter"),
        pytest.param("", dictionary("json", file={"filters": ["request_id"]}), id="dict, JSON"),
    ],
)
def test_every_line_of_a_request_has_its_id(
    sections: str, configuration: dict[str, Any] | None, tmp_path: Path
) -> None:
    """From start-up to the access record and the traceback, with our loggers and the others'."""
    Path("test.ini").write_text(
        sections.replace("%(message)s", "%(name)s") + PIPELINE, encoding="utf-8"
    )
    argument = json.dumps(configuration).replace("%(message)s", "%(name)s")
    run = subprocess.run(
        [sys.executable, "-c", SERVE, argument if configuration else "INI"],
        env={**os.environ, "PYTHONPATH": str(Path(tests.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (run.stdout, run.stderr) == ("", "")
    log = Path("app.log").read_text(encoding="utf-8")
    if log.startswith("{"):
        records = [json.loads(line) for line in log.splitlines()]
        found = [(record["request_id"], record["name"]) for record in records]
    else:
        lines = [tuple(line.split()) for line in log.splitlines()]
        # The lines of the traceback belong to the record before them.
        found = [line for line in lines if len(line) == 2 and line[0] in {"-", "id-1", "id-2"}]
    assert found == [
        ("-", "shop"),
        ("-", "wsgi_mw_paste.cors"),
        ("id-1", "shop"),
        ("id-1", "shop"),
        ("id-1", "wsgi_mw_paste.access"),
        ("id-2", "shop"),
        ("id-2", "shop"),
        ("id-2", "wsgi_mw_paste.errors"),
        ("id-2", "wsgi_mw_paste.access"),
        ("-", "shop"),
    ]
    assert log.count("Traceback (most recent call last)") == 1


def test_the_package_leaves_the_name_logging_to_its_module() -> None:
    """``fileConfig`` imports ``wsgi_mw_paste.logging``, whatever else has been imported."""
    for module in pkgutil.iter_modules(wsgi_mw_paste.__path__, "wsgi_mw_paste."):
        importlib.import_module(module.name)
    assert wsgi_mw_paste.logging is sys.modules["wsgi_mw_paste.logging"]
    assert wsgi_mw_paste.logging.RequestIdFormatter is RequestIdFormatter
