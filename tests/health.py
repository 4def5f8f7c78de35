"""What the tests of the filter ``health`` share: checks, and looking at its answers."""

from __future__ import annotations

import json
from threading import Event
from typing import TYPE_CHECKING, Any

from tests.wsgi import call, make_environ

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

#: How long a test waits for something that is bound to happen, in seconds.
PATIENCE = 30
#: What a check returns that finds something wrong.
NO = False


class Scripted:
    """A check that does, run by run, what it is told, and the last of it ever after.

    :param outcomes: an exception is raised, anything else returned.
    """

    def __init__(self, *outcomes: object) -> None:
        self._outcomes = list(outcomes)
        self.runs = 0

    def __call__(self) -> object:
        outcome = self._outcomes[min(self.runs, len(self._outcomes) - 1)]
        self.runs += 1
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


class Held:
    """A check that stays in its first run until it is let go."""

    def __init__(self) -> None:
        self.entered, self.let_go = Event(), Event()
        self.runs = 0

    def __call__(self) -> None:
        self.runs += 1
        self.entered.set()
        assert self.let_go.wait(PATIENCE)


def probe(app: WSGIApplication, path: str = "/readyz") -> tuple[int, dict[str, Any]]:
    """Send a probe; return the status and what the body says."""
    answer = call(app, make_environ(path=path))
    assert answer.header("Content-Type") == "application/json"
    document = json.loads(answer.body)
    assert isinstance(document, dict)
    return answer.code, document


def states(document: dict[str, Any]) -> list[str]:
    """Return the states of the checks, in order."""
    return [check["state"] for check in document["checks"]]
