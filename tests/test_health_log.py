"""What the filter ``health`` logs: what turns bad and what is good again, and no answer breaks."""

from __future__ import annotations

import logging
import re
import sys
import weakref
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from tests.health import NO, PATIENCE, Held, Scripted, probe
from tests.memory import without_collector
from tests.wsgi import hello
from wsgi_mw_paste import HealthMiddleware, HealthSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOGGER = "wsgi_mw_paste.health"
CHECK = "tests.health:Scripted"


def wrap(*checks: Callable[[], object], disable_file: str = "") -> HealthMiddleware:
    settings = HealthSettings(
        health_checks=checks, health_cache=0, health_disable_file=disable_file
    )
    return HealthMiddleware(hello, settings)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level("DEBUG")
    return caplog


def said(log: pytest.LogCaptureFixture) -> list[str]:
    """Return level and message of all records since the last call, without the times."""
    assert {record.name for record in log.records} <= {LOGGER}
    found = [f"{record.levelname} {record.getMessage()}" for record in log.records]
    log.clear()
    return [re.sub(r"\b\d+\.\d s", "N s", text) for text in found]


def test_good_checks_are_not_mentioned(log: pytest.LogCaptureFixture) -> None:
    """Nor is anything else about a probe."""
    app = wrap(Scripted(None))
    probe(app)
    probe(app, "/livez")
    assert said(log) == []


def test_a_check_is_logged_when_it_turns_bad_and_when_it_is_good_again(
    log: pytest.LogCaptureFixture,
) -> None:
    """Once each; in between it is silent, whatever is raised, and it may turn bad again."""
    app = wrap(Scripted(None, OSError("down"), ValueError(), NO, None, None, NO, None))
    bad, good = f"WARNING not ready: {CHECK}", f"INFO {CHECK} is OK again, after N s"
    lines = []
    for _ in range(8):
        probe(app)
        lines.append(said(log))
    assert lines == [
        [],
        [f"{bad} raised OSError"],
        [],
        [],
        [good],
        [],
        [f"{bad} returned False"],
        [good],
    ]


def test_the_log_says_how_long_it_was_bad(
    log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the probe that found it, by the monotonic clock."""
    clock = [1000.0]
    monkeypatch.setattr("wsgi_mw_paste.health.monotonic", lambda: clock[0])
    app = wrap(Scripted(NO, None, None), disable_file="down")
    probe(app)
    clock[0] += 12.34
    probe(app)
    down = Path("down").absolute()
    down.touch()
    probe(app)
    clock[0] += 3.21
    down.unlink()
    probe(app)
    assert log.messages[1::2] == [
        f"{CHECK} is OK again, after 12.3 s",
        f"{down} is gone, after 3.2 s",
    ]


def test_the_log_has_the_traceback(log: pytest.LogCaptureFixture) -> None:
    """What the body keeps to itself: the exception with its text and its place."""
    app = wrap(Scripted(OSError("connection refused")), Scripted(NO))
    probe(app)
    first, second = log.records
    assert first.levelno == logging.WARNING
    assert first.exc_info is not None
    assert log.text.count("Traceback (most recent call last)") == 1
    assert "OSError: connection refused" in log.text
    assert 'tests/health.py", line' in log.text
    assert not second.exc_info
    assert Path(first.pathname).name == "health.py"


def test_each_check_has_its_own_turns(log: pytest.LogCaptureFixture) -> None:
    """Two of one class as well, although they share a name."""
    app = wrap(Scripted(NO, None), Scripted(NO, NO, None))
    lines = []
    for _ in range(3):
        probe(app)
        lines.append(said(log))
    bad, good = f"WARNING not ready: {CHECK} returned False", f"INFO {CHECK} is OK again"
    assert lines == [[bad, bad], [f"{good}, after N s"], [f"{good}, after N s"]]


class Outcome(Held):
    """A held check that then does as it is told."""

    def __init__(self, error: Exception | None) -> None:
        super().__init__()
        self._error = error

    def __call__(self) -> None:
        super().__call__()
        if self._error is not None:
            raise self._error


@pytest.mark.parametrize(
    ("error", "then", "at_last"),
    [
        pytest.param(None, [], ["INFO NAME is OK again, after N s"], id="returns"),
        pytest.param(
            OSError(),
            ["WARNING not ready: NAME raised OSError"],
            ["INFO NAME is OK again, after N s"],
            id="raises",
        ),
    ],
)
def test_a_check_that_hangs_is_logged_once(
    *,
    error: Exception | None,
    then: list[str],
    at_last: list[str],
    log: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the first probe that finds the run too old; at its end the traceback, if there is one."""
    clock = [1000.0]
    monkeypatch.setattr("wsgi_mw_paste.health.monotonic", lambda: clock[0])
    check = Outcome(error)
    app = wrap(Scripted(*6 * [None]), check)
    running = Thread(target=probe, args=[app])
    running.start()
    assert check.entered.wait(PATIENCE)
    clock[0] += 4
    probe(app)
    assert said(log) == []
    clock[0] += 3
    probe(app)
    probe(app)
    [record] = log.records
    name = f"{__name__}:Outcome"
    assert record.getMessage() == f"not ready: {name} has been running for 7.0 s"
    assert said(log)
    check.let_go.set()
    running.join(PATIENCE)
    first = said(log)
    check._error = None
    probe(app)
    expected = [line.replace("NAME", name) for line in [*then, *at_last]]
    assert first + said(log) == expected


def test_a_check_known_to_be_bad_that_hangs_is_not_logged_again(
    log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that is down and makes each run wait for it fills no log."""
    clock = [1000.0]
    monkeypatch.setattr("wsgi_mw_paste.health.monotonic", lambda: clock[0])
    check = Outcome(OSError())
    check.let_go.set()
    app = wrap(check)
    probe(app)
    assert len(said(log)) == 1
    check.entered.clear()
    check.let_go.clear()
    running = Thread(target=probe, args=[app])
    running.start()
    assert check.entered.wait(PATIENCE)
    clock[0] += 60
    assert probe(app)[1]["status"] == "running"
    check.let_go.set()
    running.join(PATIENCE)
    assert said(log) == []


def test_the_switch_is_logged_when_it_is_thrown_and_when_it_is_reset(
    log: pytest.LogCaptureFixture,
) -> None:
    """An operator who wonders why a pod is not ready finds the file in the log."""
    down = Path("down").absolute()
    app = wrap(disable_file="down")
    lines = []
    for exists in (False, True, True, False, False):
        down.touch() if exists else down.unlink(missing_ok=True)
        probe(app)
        lines.append(said(log))
    assert lines == [
        [],
        [f"WARNING not ready: {down} exists (health_disable_file)"],
        [],
        [f"INFO {down} is gone, after N s"],
        [],
    ]


class DownError(Exception):
    """What a check raises; of a class of ours, to which there can be weak references."""


def test_a_check_that_raises_leaves_no_garbage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the exception nor what hangs from its traceback waits for the garbage collector."""
    alive = []

    def check() -> None:
        error = DownError()
        alive.append(weakref.ref(error))
        try:
            raise error
        finally:
            # Ours would be a cycle.
            del error

    # pytest keeps every record.
    monkeypatch.setattr(logging.getLogger(LOGGER), "disabled", True)
    app = wrap(check)
    with without_collector():
        assert probe(app)[0] == 503
        assert [reference() for reference in alive] == [None]


# Logging never breaks an answer.


class BrokenHandler(logging.Handler):
    """A handler that raises where logging does not expect it."""

    def handle(self, record: logging.LogRecord) -> bool:
        raise ValueError("no room on the device")


@pytest.fixture
def _broken() -> Iterator[None]:
    logger = logging.getLogger(LOGGER)
    handler = BrokenHandler()
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)


@pytest.mark.usefixtures("_broken")
@pytest.mark.parametrize("wanted", [True, False])
def test_a_log_that_raises_breaks_no_answer(
    *, wanted: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it raised is on stderr, if ``logging.raiseExceptions`` wants that."""
    monkeypatch.setattr("logging.raiseExceptions", wanted)
    app = wrap(Scripted(OSError(), None))
    assert [probe(app)[0] for _ in range(2)] == [503, 200]
    assert capsys.readouterr().err.count("ValueError: no room on the device") == wanted


class Unwritable:
    """A stderr whose reader is gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


@pytest.mark.usefixtures("_broken")
@pytest.mark.parametrize("stderr", [None, Unwritable()], ids=["none", "closed"])
def test_a_process_without_stderr_answers_as_well(
    stderr: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is then no place left to say it, and saying it is not worth the answer."""
    monkeypatch.setattr(sys, "stderr", stderr)
    assert probe(wrap(Scripted(NO)))[0] == 503
