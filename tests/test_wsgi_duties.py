"""What all filters here have in common as WSGI middlewares."""

from __future__ import annotations

import io
import logging
import sys
from typing import NoReturn

import pytest

from wsgi_mw_paste import _wsgi


def test_foreign_spellings_are_known_in_both_spellings() -> None:
    """Title case, as most frameworks write them, and lower case, as some do."""
    usual = _wsgi.foreign_spellings(())
    assert {"Content-Type", "content-type", "X-Request-Id", "x-request-id", "ETag"} <= usual
    assert "CONTENT-TYPE" not in usual


def test_foreign_spellings_leave_out_what_a_middleware_replaces() -> None:
    """However it is spelled: what is found there is not looked at again."""
    usual = _wsgi.foreign_spellings({"x-request-id", "vary"})
    assert {name for name in usual if name.lower() in {"x-request-id", "vary"}} == set()
    assert _wsgi.foreign_spellings(()) - usual == {
        "X-Request-Id",
        "x-request-id",
        "Vary",
        "vary",
    }


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("CaféError", "CaféError", id="as it is"),
        pytest.param("A\r\nB\u2028", r"A\r\nB\u2028", id="escaped"),
    ],
)
def test_the_name_of_an_exception_is_one_line(name: str, shown: str) -> None:
    """Characters that cannot be printed are escaped, as in Python."""
    assert _wsgi.type_name(type(name, (Exception,), {})()) == shown


def logger_that_raises(error: BaseException) -> logging.Logger:
    """Return a logger of its own whose filter raises *error*."""

    def fail(record: logging.LogRecord) -> NoReturn:
        raise error

    logger = logging.Logger("tests")  # noqa: LOG001 -- one that no other test knows
    logger.addFilter(fail)
    return logger


def test_a_record_is_logged_as_the_callers(caplog: pytest.LogCaptureFixture) -> None:
    """Arguments and keywords are those of ``Logger.log``; the line is the caller's."""
    logger = logging.getLogger("tests.duties")
    _wsgi.log_safely(logger, logging.ERROR, "%s of %d", "one", 2, extra={"three": 3})
    (record,) = caplog.records
    assert (record.getMessage(), record.levelname, vars(record)["three"]) == (
        "one of 2",
        "ERROR",
        3,
    )
    assert (record.pathname, record.funcName) == (
        __file__,
        "test_a_record_is_logged_as_the_callers",
    )


@pytest.mark.parametrize(
    ("raise_exceptions", "text"),
    [(True, "ConnectionError: no log host\n"), (False, "")],
)
def test_logging_that_fails_is_reported_on_stderr(
    *,
    raise_exceptions: bool,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As ``logging.raiseExceptions`` asks for, with the traceback; the caller goes on."""
    monkeypatch.setattr(logging, "raiseExceptions", raise_exceptions)
    _wsgi.log_safely(logger_that_raises(ConnectionError("no log host")), logging.ERROR, "lost")
    out, err = capsys.readouterr()
    assert out == ""
    assert err[-len(text) :] == text
    assert ("Traceback" in err) is raise_exceptions


class Closed(io.StringIO):
    """What ``sys.stderr`` is in a daemon that has closed it."""

    closed = True

    def write(self, text: str) -> NoReturn:
        raise ValueError("I/O operation on closed file")


@pytest.mark.parametrize("stderr", [None, Closed()], ids=["none", "closed"])
def test_logging_that_fails_needs_no_stderr(
    stderr: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where it cannot be reported, it is not; nothing else is written or raised."""
    monkeypatch.setattr(sys, "stderr", stderr)
    _wsgi.log_safely(logger_that_raises(ConnectionError()), logging.ERROR, "lost")
    assert capsys.readouterr().out == ""


def test_an_order_to_stop_passes_the_log() -> None:
    """``SystemExit`` and the like are no failure of logging."""
    with pytest.raises(SystemExit):
        _wsgi.log_safely(logger_that_raises(SystemExit(3)), logging.ERROR, "stop")
