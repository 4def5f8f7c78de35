"""Health probes: liveness and readiness, for Kubernetes, load balancers and people.

Use it outermost: then a probe needs no credentials, gets no id, and leaves no access record. It is
not part of ``main``, because an application may have these paths already.

Liveness says that the process answers. It runs no check: a database that is down is no reason to
restart the process, and restarting every process makes it worse. Readiness runs your checks, in the
thread of the probe. It promises no time limit, because nothing can stop a thread in Python: set one
in each check's driver, and a longer one for the probe than for all checks together. A check that
hangs nevertheless costs one worker thread, and the process its readiness. No process is called
ready by a result that is older than ``health_cache`` plus 5 seconds.

Do not use it to watch a service from outside, or to collect metrics.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import importlib
import inspect
import json
import logging
import operator
import os
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wsgi_mw_paste._wsgi import log_safely, type_name
from wsgi_mw_paste.settings import Problem, Settings, given_or_environment, option
from wsgi_mw_paste.values import list_of_checks, number, path_of_file, path_or_nothing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from logging import Logger

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from webob import Response

#: While a run is younger than this, in seconds, other threads answer with the last result, unless
#: that is older than ``health_cache`` and this together.
_PATIENCE: Final = 5.0


class Check(NamedTuple):
    """A check that can be run, by the name under which it is reported."""

    name: str
    function: Callable[[], object]


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class HealthSettings(Settings):
    """The options of :class:`HealthMiddleware`. Fields take text or ready values.

    :raises ConfigurationError: a value is wrong, both paths are equal, or a check cannot be
        imported or called without arguments.
    """

    health_live_path: str = dataclasses.field(
        default="/livez",
        metadata=option(
            path_or_nothing, "liveness: 200 as long as the process answers; empty: off"
        ),
    )
    health_ready_path: str = dataclasses.field(
        default="/readyz",
        metadata=option(path_or_nothing, "readiness: 200 or 503, from the checks; empty: off"),
    )
    health_checks: Sequence[str | Callable[[], object]] = dataclasses.field(
        default=(),
        metadata=option(
            list_of_checks,
            "dotted names `package.module:callable`; ready when none returns `False` or raises",
        ),
    )
    health_cache: int = dataclasses.field(
        default=1,
        metadata=option(
            number(0, 3600, "seconds"), "seconds a readiness result is reused, 0 to 3600"
        ),
    )
    health_disable_file: str = dataclasses.field(
        default="",
        metadata=option(path_of_file, "a path; while that file exists the process is not ready"),
    )

    def conflicts(self) -> Iterator[Problem]:
        """Yield checks that cannot be run, and two paths that are the same."""
        for item in self.health_checks:
            try:
                _check(item)
            except ValueError as error:
                yield self.problem("health_checks", _name(item), str(error))
        if self.health_live_path and self.health_live_path == self.health_ready_path:
            yield self.problem(
                "health_ready_path",
                self.health_ready_path,
                "expected a path other than that of health_live_path; leave one of the two empty to"
                " switch it off",
            )

    @functools.cached_property
    def checks(self) -> Sequence[Check]:
        """The items of ``health_checks``, ready to run."""
        return [_check(item) for item in self.health_checks]


class HealthMiddleware:
    """A WSGI middleware that answers probes, and passes every other request on.

    :param app: the WSGI application.
    :param settings: the options; left out, they come from the environment.
    :raises ConfigurationError: the environment has invalid options.
    :raises TypeError: *settings* is something else.
    """

    def __init__(self, app: WSGIApplication, settings: HealthSettings | None = None) -> None:
        self._app = app
        settings = given_or_environment(HealthSettings, settings)
        # By PATH_INFO, then by SCRIPT_NAME: a path is found wherever a dispatcher splits it,
        # without joining the two. Other requests pay for one look-up.
        self._probes: dict[str, dict[str, WSGIApplication]] = {}
        for path, probe in _probes(settings, _readiness(settings)).items():
            for place in range(len(path) + 1):
                if path[place:].startswith("/") or place == len(path):
                    self._probes.setdefault(path[place:], {})[path[:place]] = probe

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer if the path is one of the two."""
        path_info = environ.get("PATH_INFO", "")
        if path_info in self._probes:
            probe = self._probes[path_info].get(environ.get("SCRIPT_NAME", ""), self._app)
            return probe(environ, start_response)
        return self._app(environ, start_response)


class HealthApplication:
    """The probes as a WSGI application, for dispatchers such as ``urlmap``.

    It answers readiness at its mount point, the two paths below it, and 404 elsewhere.

    :param settings: the options.
    """

    def __init__(self, settings: HealthSettings) -> None:
        ready = _readiness(settings)
        self._probes = {"": ready, "/": ready} | _probes(settings, ready)
        self._not_found = _response(404, "Not Found")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer by the path below the mount point."""
        probe = self._probes.get(environ.get("PATH_INFO", ""), self._not_found)
        return probe(environ, start_response)


# What is sent.


def _probes(settings: HealthSettings, ready: WSGIApplication) -> dict[str, WSGIApplication]:
    """Return what answers at the two paths; one that is off is left out."""
    probes = {settings.health_live_path: _liveness(), settings.health_ready_path: ready}
    probes.pop("", None)
    return probes


def _liveness() -> WSGIApplication:
    response = _json(200, {"status": "live"})
    status, headers, body = response.status, response.headerlist, response.body
    others = _get(lambda: response)

    def live(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "GET":
            return others(environ, start_response)
        # By hand: that takes a tenth of WebOb's time. The server may change the list.
        start_response(status, headers.copy())
        return [body]

    return live


def _readiness(settings: HealthSettings) -> WSGIApplication:
    return _get(_Readiness(settings).answer)


def _get(make: Callable[[], Response]) -> WSGIApplication:
    """Return an application that answers GET and HEAD with what *make* returns, others with 405."""
    not_allowed = _response(405, "Method Not Allowed", ("Allow", "GET, HEAD"))

    def get(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        response = make() if environ["REQUEST_METHOD"] in ("GET", "HEAD") else not_allowed
        return response(environ, start_response)

    return get


def _json(code: int, document: dict[str, object]) -> Response:
    # Plain JSON: the draft of application/health+json expired in 2022.
    return _response(code, json.dumps(document), content_type="application/json")


def _response(
    code: int,
    text: str,
    *headers: tuple[str, str],
    content_type: str = "text/plain; charset=UTF-8",
) -> Response:
    from webob import Response  # noqa: PLC0415 -- as in cors: only where there are answers

    headerlist = [("Content-Type", content_type), ("Cache-Control", "no-store"), *headers]
    return Response(f"{text}\n".encode(), status=code, headerlist=headerlist)


# The checks, and their runs.


@dataclasses.dataclass
class _Step:
    """One check in one run.

    :ivar started: by the monotonic clock, as all times here.
    :ivar ended: ``None`` while the check runs.
    """

    name: str
    started: float
    ended: float | None = None
    is_ok: bool = False

    def document(self, now: float) -> dict[str, object]:
        """Return what the body says of it."""
        state = "running" if self.ended is None else "ok" if self.is_ok else "failed"
        seconds = (now if self.ended is None else self.ended) - self.started
        return {"name": self.name, "state": state, "milliseconds": round(1000 * seconds, 1)}


@dataclasses.dataclass
class _Run:
    """All checks, run once by one thread; others read it meanwhile.

    :ivar steps: the checks that have begun. Those after a check that hangs are not among them.
    """

    started: float
    ended: float | None = None
    steps: list[_Step] = dataclasses.field(default_factory=list)

    def age(self, now: float) -> float:
        """Return how long ago it ended, or while it goes on, how long ago it began."""
        return now - (self.started if self.ended is None else self.ended)

    @property
    def status(self) -> str:
        """The word for it in the body."""
        if self.ended is None:
            return "running"
        return "ready" if all(step.is_ok for step in self.steps) else "not ready"

    def answer(self) -> Response:
        """Return the answer to a probe."""
        now = monotonic()
        status = self.status
        document = {
            "status": status,
            "age_seconds": round(self.age(now), 1),
            "checks": [step.document(now) for step in self.steps],
        }
        return _json(200 if status == "ready" else 503, document)


class _Readiness:
    """What readiness is made of: the switch for operators, and the runs of this process."""

    def __init__(self, settings: HealthSettings) -> None:
        self._checks = settings.checks
        self._cache = settings.health_cache
        file = settings.health_disable_file
        # Of the working directory at the start: a server may change it later.
        self._disable_file = str(Path(file).absolute()) if file else ""
        self._logger = logging.getLogger("wsgi_mw_paste.health")
        self._flights: dict[int, _Flight] = {}

    def answer(self) -> Response:
        """Return the answer to a probe."""
        # By process: a child starts afresh, whatever its parent was doing when it forked.
        new = _Flight(self._checks, self._cache, _Changes(self._logger))
        flight = self._flights.setdefault(os.getpid(), new)
        if self._disable_file:
            # At every probe and before the checks: a switch must not wait for them.
            if os.path.exists(self._disable_file):  # noqa: PTH110 -- this one never raises
                flight.changes.disabled(self._disable_file)
                now = monotonic()
                return _Run(now, now, [_Step("health_disable_file", now, now)]).answer()
            flight.changes.enabled(self._disable_file)
        return flight.look().answer()


class _Flight:
    """The runs of one process: one thread at a time runs the checks, and no other waits for it.

    There is no lock. ``dict.setdefault`` decides which thread it is, and is atomic between threads
    and between greenlets.
    """

    def __init__(self, checks: Sequence[Check], cache: float, changes: _Changes) -> None:
        self._checks = checks
        self._cache = cache
        self.changes = changes
        self._last: _Run | None = None
        #: The run in progress, if there is one.
        self._current: dict[str, _Run] = {}

    def look(self) -> _Run:
        """Return the run to answer with: the last, a new one, or the one in progress."""
        now = monotonic()
        mine = _Run(now)
        run = self._current.setdefault("run", mine)
        if run is mine:
            try:
                last = self._last
                if last is None or last.age(now) >= self._cache:
                    self._run(mine)
                    last = self._last = mine
                return last
            finally:
                # Whatever was raised (gevent's Timeout, say), the next probe can run them again.
                del self._current["run"]
        last, is_young = self._last, run.age(now) < _PATIENCE
        if is_young and last is not None and last.age(now) < self._cache + _PATIENCE:
            return last
        if not is_young:
            self.changes.overdue(run)
        return run

    def _run(self, run: _Run) -> None:
        """Run all checks, even after one has failed."""
        for check in self._checks:
            step = _Step(check.name, monotonic())
            run.steps.append(step)
            try:
                step.is_ok = check.function() is not False
            except Exception as error:  # noqa: BLE001 -- that is how a check fails
                step.ended = monotonic()
                self.changes.failed(run, f"raised {type_name(error)}", exc_info=True)
                continue
            step.ended = monotonic()
            if step.is_ok:
                self.changes.passed(run)
            else:
                self.changes.failed(run, "returned False")
        run.ended = monotonic()


class _Trouble(NamedTuple):
    """Something that is wrong.

    :ivar since: by the monotonic clock.
    """

    since: float


class _Changes:
    """The log of one process: what fails, what is OK again, and nothing in between.

    Its methods are called again and again, and write a record when something has changed.
    """

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        #: By the kind of trouble, and the check's place in the list.
        self._troubles: dict[tuple[str, int], _Trouble] = {}

    def failed(self, run: _Run, how: str, *, exc_info: bool = False) -> None:
        """Note that the last check to end has failed."""
        if self._is_new("failed", len(run.steps)):
            name = run.steps[-1].name
            log_safely(
                self._logger, logging.WARNING, "not ready: %s %s", name, how, exc_info=exc_info
            )

    def overdue(self, run: _Run) -> None:
        """Note that a check takes too long, unless it is known to be bad."""
        place = len(run.steps)
        for step in run.steps[-1:]:
            if ("failed", place) not in self._troubles and self._is_new("overdue", place):
                message = "not ready: %s has been running for %.1f s"
                seconds = monotonic() - step.started
                log_safely(self._logger, logging.WARNING, message, step.name, seconds)

    def passed(self, run: _Run) -> None:
        """Note that the last check to end is good, perhaps again."""
        place = len(run.steps)
        troubles = [self._troubles.pop((kind, place), None) for kind in ("overdue", "failed")]
        since = [trouble.since for trouble in troubles if trouble is not None]
        if since:
            message = "%s is OK again, after %.1f s"
            seconds = monotonic() - min(since)
            log_safely(self._logger, logging.INFO, message, run.steps[-1].name, seconds)

    def disabled(self, path: str) -> None:
        """Note that the file exists."""
        if self._is_new("disabled"):
            message = "not ready: %s exists (health_disable_file)"
            log_safely(self._logger, logging.WARNING, message, path)

    def enabled(self, path: str) -> None:
        """Note that the file does not exist, perhaps any more."""
        trouble = self._troubles.pop(("disabled", 0), None)
        if trouble is not None:
            seconds = monotonic() - trouble.since
            log_safely(self._logger, logging.INFO, "%s is gone, after %.1f s", path, seconds)

    def _is_new(self, kind: str, place: int = 0) -> bool:
        # Of several threads that ask at the same time, one finds the very object that it put there.
        mine = _Trouble(monotonic())
        return self._troubles.setdefault((kind, place), mine) is mine


# From names to checks.


def _check(item: str | Callable[[], object]) -> Check:
    """Return the check that an item of ``health_checks`` stands for.

    :raises ValueError: it cannot be imported, or cannot be called as a check is.
    """
    function: Any = _imported(item) if isinstance(item, str) else item
    if objection := _objection(function):
        raise ValueError(objection)
    return Check(_name(item), function)


def _objection(function: Any) -> str:
    """Return why something cannot be a check; an empty string if it can."""
    if not callable(function):
        return f"expected a callable; it is a {type(function).__name__}"
    if isinstance(function, type):
        return "expected a function or an instance; it is a class, and calling it checks nothing"
    for kind, is_kind in _NO_CHECKS:
        if is_kind(function) or is_kind(type(function).__call__):
            return f"expected a plain function; it is a {kind}, and calling it checks nothing"
    if needed := _required_arguments(function):
        return f"expected a callable without required arguments; it needs {', '.join(needed)}"
    return ""


#: Functions that only return something to await or to iterate: such a check would never fail.
_NO_CHECKS: Final = (
    ("coroutine function", inspect.iscoroutinefunction),
    ("generator function", inspect.isgeneratorfunction),
)


def _imported(word: str) -> object:
    """Return what ``package.module:attribute`` names.

    :raises ValueError: there is no such thing.
    """
    module_name, _, attribute = word.partition(":")
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # noqa: BLE001 -- whatever a module does on import
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and f"{module_name}.".startswith(f"{missing}."):
            what = f"there is no {missing}"
        else:
            what = f"{module_name} raised {type(error).__name__}: {error}"
        raise ValueError(f"expected a module that can be imported; {what}") from None
    try:
        return operator.attrgetter(attribute)(module)
    except AttributeError as error:
        near = difflib.get_close_matches(error.name or attribute, dir(error.obj))
        what = f"did you mean {near[0]}?" if near else f"it has no {attribute}"
    except (Exception, SystemExit) as error:  # noqa: BLE001 -- a module may have a __getattr__
        what = f"{attribute} raised {type(error).__name__}: {error}"
    raise ValueError(f"expected an attribute of {module_name}; {what}")


def _required_arguments(function: Callable[..., object]) -> list[str]:
    """Return the names of the arguments that a call needs, as far as they can be known."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        # Some builtins do not tell.
        return []
    return [
        parameter.name
        for parameter in parameters
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]


def _name(item: str | Callable[[], object]) -> str:
    """Return the name of a check: as it was written, or of the module and the function."""
    if isinstance(item, str):
        return item
    function: Any = item
    while isinstance(function, functools.partial):
        function = function.func
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}:{named.__qualname__}"
