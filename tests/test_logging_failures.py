"""A log that fails takes no response with it: handlers, filters and record factories that raise."""

from __future__ import annotations

import io
import logging
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from tests.bodies import ID, KINDS, Closing, Kind, Probe, answers, inbound, with_ids
from tests.ini import ROOT, write_ini
from tests.serving import serving
from tests.wsgi import PLAIN, answering, assert_headers, between_validators, call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LOGGER = "wsgi_mw_paste.access"


class Failing(logging.Handler):
    """A handler, and a filter, that fails as log hosts and formatters do.

    :param kind: the name of the exception.
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.tried = 0

    def emit(self, record: logging.LogRecord) -> NoReturn:
        self.tried += 1
        self.fail(record.getMessage())

    def fail(self, message: str) -> NoReturn:
        """Raise such an exception; a ``RecursionError`` at the end of a full stack."""
        if self.kind == "RecursionError":
            self.fail(message)
        raise {"ConnectionError": ConnectionError, "SystemExit": SystemExit}[self.kind](message)


@contextmanager
def failing_handler(kind: str) -> Iterator[Failing]:
    """Have a handler of the access log fail."""
    failing, logger = Failing(kind), logging.getLogger(LOGGER)
    logger.addHandler(failing)
    yield failing
    logger.removeHandler(failing)


@contextmanager
def failing_filter(kind: str) -> Iterator[Failing]:
    """Have a filter of the access log fail."""
    failing, logger = Failing(kind), logging.getLogger(LOGGER)
    fail: Any = failing.emit
    logger.addFilter(fail)
    yield failing
    logger.removeFilter(fail)


@contextmanager
def failing_factory(kind: str) -> Iterator[Failing]:
    """Have the record factory fail."""
    failing, factory = Failing(kind), logging.getLogRecordFactory()

    def fail(*args: Any, **kwargs: Any) -> NoReturn:
        failing.emit(factory(*args, **kwargs))

    logging.setLogRecordFactory(fail)
    yield failing
    logging.setLogRecordFactory(factory)


PLACES = {"handler": failing_handler, "filter": failing_filter, "factory": failing_factory}


@pytest.fixture(autouse=True)
def _at_info(caplog: pytest.LogCaptureFixture) -> None:
    """Have access records written, but not by the handler that keeps them."""
    caplog.set_level(logging.INFO, LOGGER)


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Callable[[str], AbstractContextManager[Failing]]:
    """Return what makes one of the places fail during a ``with`` statement."""
    found: Callable[[str], AbstractContextManager[Failing]] = PLACES[request.param]
    return found


@pytest.mark.parametrize("error", ["ConnectionError", "RecursionError"])
@pytest.mark.parametrize("kind", [pytest.param(kind, id=name) for name, kind in KINDS.items()])
def test_a_response_is_whole_whatever_its_record_meets(
    kind: Kind,
    error: str,
    place: Callable[[str], AbstractContextManager[Failing]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Status, headers and body arrive, and stderr says what went wrong with the log, once."""
    look = Probe()
    with place(error) as failing:
        app = between_validators(lambda app: with_ids(kind.inside(app)), answers(kind.make, look))
        answer = call(app, inbound())
    assert answer.status == "200 OK"
    assert_headers(answer, {"Content-Type": "text/plain", "X-Request-Id": ID})
    assert answer.body == b"onetwothree"
    assert failing.tried == 1
    said = capsys.readouterr().err
    assert said.count("--- Logging error ---\nTraceback (most recent call last)") == 1
    assert re.search(rf"(?m)^{error}: ", said)


@pytest.mark.parametrize("error", ["ConnectionError", "RecursionError"])
def test_an_exception_gets_through_whatever_its_record_meets(
    error: str, place: Callable[[str], AbstractContextManager[Failing]]
) -> None:
    """The server sees the application's exception and not that of the log."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise KeyError("boom")

    with place(error) as failing, pytest.raises(KeyError, match="boom"):
        call(between_validators(with_ids, app), inbound())
    assert failing.tried == 1
    body = Closing(Probe(), [b"one"], in_close=KeyError("boom"))
    response: Any = with_ids(answering(body))(inbound(), lambda *_: lambda _: None)
    with place(error) as failing, pytest.raises(KeyError, match="boom"):
        response.close()
    assert failing.tried == 1


def test_an_exit_gets_through(
    place: Callable[[str], AbstractContextManager[Failing]], capsys: pytest.CaptureFixture[str]
) -> None:
    """What is no Exception asks for the end of the process, or of the request, and gets it."""
    body = [b"one"]
    with place("SystemExit") as failing, pytest.raises(SystemExit):
        with_ids(answering(body))(inbound(), lambda *_: lambda _: None)
    assert failing.tried == 1
    assert capsys.readouterr().err == ""


def test_nothing_is_said_where_logging_is_to_be_quiet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``logging.raiseExceptions`` decides, as it does for the handlers of the standard library."""
    monkeypatch.setattr(logging, "raiseExceptions", False)
    with failing_handler("ConnectionError") as failing:
        call(with_ids(answering([b"one"])), inbound())
    assert failing.tried == 1
    assert capsys.readouterr().err == ""


class Closed(io.StringIO):
    """A stderr that a daemon has closed."""

    def __init__(self) -> None:
        super().__init__()
        self.close()


@pytest.mark.parametrize("stderr", [None, Closed()], ids=["none", "closed"])
def test_a_process_without_stderr_answers(
    stderr: io.StringIO | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where stderr is closed, the handler of the standard library raises, and so would the report.

    It says on stderr that stderr is closed: ValueError.
    """
    logger, handler = logging.getLogger(LOGGER), logging.StreamHandler(Closed())
    logger.addHandler(handler)
    with monkeypatch.context() as context:
        context.setattr(sys, "stderr", stderr)
        answer = call(with_ids(answering([b"one"])), inbound())
    logger.removeHandler(handler)
    assert (answer.status, answer.body) == ("200 OK", b"one")


# On real servers.

INI = """
[pipeline:main]
pipeline = egg:wsgi_mw_paste#request_id app
set log_tokens = fingerprint

[app:app]
paste.app_factory = tests.test_logging_failures:make_app

[server:main]
use = egg:waitress#main
listen = 127.0.0.1:0

[loggers]
keys = root, access

[logger_root]
level = INFO
handlers = console

[logger_access]
qualname = wsgi_mw_paste.access
level = INFO
handlers = {handler}
propagate = 0

[handlers]
keys = console, failing, closed

[handler_console]
class = StreamHandler
args = (sys.stderr,)

[handler_failing]
class = tests.test_logging_failures.Failing
args = ("{error}",)

[handler_closed]
class = StreamHandler
args = (sys.stdout,)

[formatters]
keys =
"""
SERVERS = {
    "waitress": ["pserve"],
    "gunicorn-gthread": ["gunicorn", "--bind=127.0.0.1:0", "--threads=4", "--paste"],
}


def make_app(global_conf: dict[str, str], /) -> WSGIApplication:
    """Return an application whose path says what body it has; a ``paste.app_factory``."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/without-output":
            sys.stdout.close()
            sys.stderr.close()
        start_response("200 OK", PLAIN)
        if environ["PATH_INFO"] == "/stream":
            return iter([b"one", b"two", b"three"])
        return [b"onetwothree"]

    return app


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize(
    ("handler", "error", "first"),
    [
        pytest.param("failing", "ConnectionError", "/", id="ConnectionError"),
        pytest.param("failing", "RecursionError", "/", id="RecursionError"),
        pytest.param("closed", "", "/without-output", id="ValueError"),
    ],
)
def test_servers_answer_whatever_the_log_meets(
    name: str, handler: str, error: str, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lists and streams arrive to their ends, request after request."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    ini = write_ini(INI.format(handler=handler, error=error))
    with serving(*SERVERS[name], ini) as server:
        answers = [server.request("GET", path) for path in (first, "/stream", "/", "/stream")]
    assert [(answer.code, answer.body) for answer in answers] == [(200, b"onetwothree")] * 4
    assert all(answer.header("X-Request-Id") for answer in answers)
    assert server.stderr.count("--- Logging error ---") == (4 if error else 0)
