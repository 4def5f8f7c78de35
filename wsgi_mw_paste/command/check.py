"""What is wrong with an INI file, before a server starts: the work of ``wsgi-mw-paste check``.

Use it where and as the server will run: options that the file leaves open are read from the same
environment and the same ``.env``. It imports what the file names and calls each factory of other
packages' filters once, as a server would. It does not call the application's factory, opens no port
and configures no logging. It cannot find what the application does wrong, or what a proxy in front
of it adds. For a question about one request, use ``explain``.

:meth:`Report.as_json` describes what ``check --json`` prints.
"""

from __future__ import annotations

import logging
import os
import re
from importlib.util import find_spec
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from webob import Request

from wsgi_mw_paste.command.exchange import send
from wsgi_mw_paste.command.findings import Finding, locate
from wsgi_mw_paste.command.idle import idle_findings
from wsgi_mw_paste.command.loader import STAND_IN, DeploymentError, blaming
from wsgi_mw_paste.command.logging_sections import logging_findings
from wsgi_mw_paste.command.pipeline import read_deployment
from wsgi_mw_paste.origins import ANY, public_suffixes
from wsgi_mw_paste.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from wsgi_mw_paste.command.pipeline import Node

#: Filters that do their work when an exception passes them: transactions, retries, error reports.
_NEED_EXCEPTIONS: Final = re.compile(
    r"repoze\.(tm|retry)|raven|sentry|weberror|zope#httpexceptions|httpexceptions", re.IGNORECASE
)
#: Filters for which exceptions do not matter.
_IGNORE_EXCEPTIONS: Final = re.compile(r"pastedeploy#prefix|paste\.deploy\.config", re.IGNORECASE)
#: The entries of ``cors_allowed`` that are patterns over names; a star after a colon is any port.
_STAR_IN_HOST: Final = re.compile(r"\*[.-]|-\*").search
#: A preflight and an actual request, as any page may send them.
_CORS_REQUESTS: Final = (
    ("OPTIONS", {"Origin": "https://a.example", "Access-Control-Request-Method": "PUT"}),
    ("GET", {"Origin": "https://a.example"}),
)


class Report(NamedTuple):
    """What is in effect, and what is wrong.

    :ivar file: the INI file, as it was named.
    :ivar node: what a request comes to first; ``None`` if the file cannot be loaded.
    """

    file: str
    node: Node | None
    findings: Sequence[Finding]

    def of(self, level: str) -> list[Finding]:
        """Return the findings of one level: ``error``, ``warning`` or ``note``."""
        return [finding for finding in self.findings if finding.level == level]

    def status(self, *, strict: bool = False) -> int:
        """Return the exit status: 2 for errors, 1 for warnings if *strict*, else 0."""
        return 2 if self.of("error") else int(strict and bool(self.of("warning")))

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object: ``file``, ``pipeline`` and ``findings``.

        ``pipeline`` is what a request comes to first, ``null`` if the file cannot be loaded: an
        object with ``role`` (``filter``, ``composite`` or ``application``), ``name``, ``filter``
        (which of ours, or ``null``), ``place``, ``options`` (each with ``option``, ``value`` and
        ``place``; none where an error keeps the filter from loading) and ``inner``: more such
        objects, those of a composite by its keys, the one of a filter by ``""``.

        ``findings`` is a list of objects with ``code`` (a word that stays the same from
        release to release), ``level`` (``error``, ``warning`` or ``note``), ``place``, ``message``
        and ``value`` (the text that is wrong, or ``null``).

        A ``place`` has ``level`` (``section``, ``set``, ``command line``, ``[DEFAULT]``,
        ``environment``, ``.env`` or ``default``), ``file``, ``section``, ``key`` and ``line``,
        ``null`` where there is none. A secret is ``***``.
        """
        return {
            "file": self.file,
            "pipeline": None if self.node is None else _node_as_json(self.node),
            "findings": [finding.as_json() for finding in self.findings],
        }


def _node_as_json(node: Node) -> dict[str, Any]:
    return {
        "role": node.role,
        "name": node.name,
        "filter": node.kind or None,
        "place": node.place.as_json(),
        "options": [
            {"option": value.option, "value": value.value, "place": value.place.as_json()}
            for value in node.values()
        ],
        "inner": {key: _node_as_json(inner) for key, inner in node.inner.items()},
    }


def check(
    path: str,
    name: str = "main",
    variables: Mapping[str, str] | None = None,
    *,
    missing_ok: bool = False,
) -> Report:
    """Check an INI file.

    :param name: which application of the file.
    :param variables: what the server gets on its command line.
    :param missing_ok: code that is not installed here is a note and not an error.
    """
    problems: list[DeploymentError] = []
    try:
        node = read_deployment(path, name, variables, problems)
    except DeploymentError as error:
        return Report(path, None, _judged([_problem_finding(error)], missing_ok=missing_ok))
    file = os.path.abspath(path)  # noqa: PTH100 -- as in read_deployment()
    routes = list(node.routes())
    nodes = list(dict.fromkeys(chain.from_iterable(routes)))
    sound = dict.fromkeys(node for node in nodes if not configuration_problems(node))
    givers = [node for node in nodes if "request_id" in node.parts]
    found = chain(
        map(_problem_finding, problems),
        *map(configuration_problems, nodes),
        _foreign_findings(nodes),
        *map(_order_findings, routes),
        *map(_exception_findings, routes),
        *map(_cors_findings, sound),
        *map(_remark_findings, sound),
        *map(_token_findings, sound),
        *map(_hidden_findings, sound),
        *(_route_findings([node for node in route if node in sound]) for route in routes),
        idle_findings(node, file, is_whole=not problems),
        logging_findings(
            node.files,
            file,
            variables,
            ids=bool(givers),
            access=any(_logs_requests(node, is_sound=node in sound) for node in givers),
        ),
    )
    return Report(path, node, _judged(dict.fromkeys(found), missing_ok=missing_ok))


def _logs_requests(node: Node, *, is_sound: bool) -> bool:
    """Say whether a filter writes access records, as far as one that does not load can tell."""
    if is_sound:
        return node.request_id is not None and node.request_id.log_requests
    given = {*node.context.global_conf, *node.context.local_conf, *os.environ}
    return not {"log_requests", "LOG_REQUESTS"} & given


def _judged(findings: Iterable[Finding], *, missing_ok: bool) -> list[Finding]:
    """Return the findings; code that is not installed here may be a note."""
    return [
        finding._replace(level="note") if missing_ok and finding.code == "missing-code" else finding
        for finding in findings
    ]


def _problem_finding(error: DeploymentError) -> Finding:
    return Finding("error", error.place, error.message, code=error.code)


def configuration_problems(node: Node) -> list[Finding]:
    """Return everything that keeps one of our filters from loading."""
    try:
        node.loaded  # noqa: B018 -- it raises
    except ConfigurationError as error:
        return [
            Finding(
                "error",
                locate(node.files, problem.source, problem.text),
                problem.reason,
                problem.text,
                "missing-code" if is_missing else "invalid-option",
            )
            for problem in error.problems
            for is_missing in [problem.option == "health_checks" and _is_missing(problem.text)]
        ]
    return []


def _is_missing(check: str | None) -> bool:
    """Say whether a health check's module is not installed here."""
    try:
        return find_spec((check or "").partition(":")[0]) is None
    except ModuleNotFoundError:
        return True
    except (Exception, SystemExit):  # noqa: BLE001 -- the package above it, or it is no name
        return False


def _foreign_findings(nodes: Iterable[Node]) -> Iterator[Finding]:
    """Try each filter of other packages once, and yield what is wrong with it."""
    tried = set()
    for node in nodes:
        key = node.sections or node.name
        if node.role == "filter" and not node.factory and not node.error and key not in tried:
            tried.add(key)
            yield from _tried(node)


def _tried(node: Node) -> Iterator[Finding]:
    reached = []

    def inner(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        reached.append(environ)
        return STAND_IN(environ, start_response)

    try:
        with blaming(node.place):
            app = node.context.create()(inner)
    except DeploymentError as error:
        yield Finding("error", error.place, error.message, code="filter-raises")
        return
    for method, path, headers, ours, what in _trial_requests(node):
        reached.clear()
        answer = send(app, Request.blank(path, method=method, headers=headers))
        if not reached:
            status = answer.raised or answer.response.status
            message = (
                f"{node.name} answers requests itself ({status} to a bare {method}), so {what} from"
                f" {ours}; list {ours} before {node.name}"
            )
            yield Finding("warning", node.mention, message, code="answers-for-itself")
            return


def _trial_requests(node: Node) -> Iterator[tuple[str, str, Mapping[str, str], str, str]]:
    """Yield requests that a filter of another package should pass on to ours.

    Each has a method, a path, headers, the name of our filter, and what is lost otherwise.
    """
    inside = [inner for route in node.routes() for inner in route]
    cors = next((inner.name for inner in inside if "cors" in inner.parts), None)
    if cors is not None:
        for method, headers in _CORS_REQUESTS:
            yield method, "/", headers, cors, "browsers get no CORS headers"
    health = next((inner for inner in inside if "health" in inner.parts), None)
    if health is not None:
        for path in _health_paths(health):
            yield "GET", path, {}, health.name, "probes get no answer"


def _order_findings(route: Sequence[Node]) -> Iterator[Finding]:
    """Yield which of our filters are in the wrong order on a route, or appear twice."""
    ours = [node for node in route if {*node.parts} & {"request_id", "cors", "errors"}]
    seen: dict[str, Node] = {}
    for node in ours:
        for part in node.parts:
            if part in seen:
                yield from _twice(part, seen[part], node)
                return
            seen[part] = node
    recorder = seen.get("request_id")
    if recorder is not None and recorder is not ours[0]:
        inner, outer = recorder, ours[0]
        message = (
            f"{inner.name} comes after {outer.name}, so responses that {outer.name} produces itself"
            f" get no request id and no access record; list {inner.name} before {outer.name}"
        )
        yield Finding("warning", inner.mention, message, code="order-request-id")
    for outer, inner in pairwise(ours):
        if "errors" in outer.parts:
            message = (
                f"{outer.name} comes before {inner.name}, so its answers to exceptions lack what"
                f" {inner.name} adds; list {inner.name} before {outer.name}"
            )
            yield Finding("warning", outer.mention, message, code="order-errors")


def _twice(part: str, outer: Node, inner: Node) -> Iterator[Finding]:
    """Yield that two filters on one route do the same."""
    if part == "cors":
        if (paths := _common_paths(outer, inner)) is None:
            return
        message = (
            f"{outer.name} and {inner.name} are two cors filters for"
            f" {', '.join(paths) or 'every path'}, but only {outer.name} takes effect there; keep"
            " one, or give them different cors_paths"
        )
        yield Finding("warning", inner.mention, message, code="cors-overlap")
        return
    if outer.sections == inner.sections and outer.name == inner.name:
        message = f"requests pass {outer.name} twice; list it once"
    else:
        message = f"{inner.name} is a second {part} filter inside {outer.name}; keep only one"
    yield Finding("warning", inner.mention, message, code="filter-twice")


def _common_paths(outer: Node, inner: Node) -> list[str] | None:
    """Return the prefixes that two cors filters share: none for every path, ``None`` if none."""
    try:
        policies = [node.cors for node in (outer, inner)]
    except ConfigurationError:
        return None
    prefixes = [[*getattr(policy, "cors_paths", ())] for policy in policies]
    if not prefixes[0] or not prefixes[1]:
        return prefixes[0] or prefixes[1]
    lists = [[path.rstrip("/") for path in paths] for paths in prefixes]
    common = [
        longer or "/"
        for one in lists[0]
        for other in lists[1]
        for shorter, longer in [sorted((one, other), key=len)]
        if longer == shorter or longer.startswith(f"{shorter}/")
    ]
    return common or None


def _exception_findings(route: Sequence[Node]) -> Iterator[Finding]:
    """Yield which filters of other packages are outside ``errors``."""
    ours = next((node for node in route if "errors" in node.parts), None)
    if ours is None:
        return
    for node in route[: route.index(ours)]:
        if node.role != "filter" or node.factory or _IGNORE_EXCEPTIONS.search(node.described):
            continue
        level = "warning" if _NEED_EXCEPTIONS.search(node.described) else "note"
        names = [other.name for other in route if other is not node and other.role != "composite"]
        names.insert(names.index(ours.name) + 1, node.name)
        message = (
            f"{node.name} comes before {ours.name}, which answers exceptions, so {node.name} never"
            f" sees one; if it should, write {' '.join(names)}"
        )
        yield Finding(level, node.mention, message, code="outside-errors")


def _cors_findings(node: Node) -> Iterator[Finding]:
    """Yield what is worth knowing about a CORS policy."""
    settings = node.cors
    if settings is None:
        return
    if not settings.origins:
        if "cors_allowed" in settings.given:
            yield Finding("note", node.place_of("cors_allowed"), "CORS is off", code="cors-off")
        else:
            message = (
                "CORS is off: list origins in cors_allowed, or write cors_allowed = without a value"
                " to silence this warning"
            )
            yield Finding("warning", node.place, message, code="cors-off")
    pattern = next(filter(_STAR_IN_HOST, settings.cors_allowed), None)
    if settings.cors_allow_credentials and pattern:
        try:
            public_suffixes()
        except ImportError:
            message = (
                "patterns over public suffixes are only partly recognized, because the list of"
                " public suffixes is not installed; install wsgi_mw_paste[origins]"
            )
            place = node.place_of("cors_allowed", pattern)
            yield Finding("warning", place, message, code="suffix-list-missing")


def _remark_findings(node: Node) -> Iterator[Finding]:
    """Yield the remarks of the settings."""
    for loaded in node.loaded:
        for remark in loaded.settings.remarks:
            if remark.item or remark.option != "cors_allowed":  # not that CORS is off
                level = "warning" if remark.level >= logging.WARNING else "note"
                place = node.place_of(remark.option, remark.item)
                yield Finding(level, place, remark.text, code="remark")


def _token_findings(node: Node) -> Iterator[Finding]:
    """Yield that Bearer tokens are logged."""
    settings = node.request_id
    if settings is None or not settings.log_requests or settings.log_tokens is not True:
        return
    if "log_tokens" in settings.given:
        place = node.place_of("log_tokens")
        message = "Bearer tokens are logged verbatim, as this line asks"
        yield Finding("note", place, message, code="tokens-verbatim")
    else:
        message = (
            "Bearer tokens are logged verbatim, by default; write log_tokens = fingerprint or"
            " false, or true to silence this warning"
        )
        yield Finding("warning", node.place, message, code="tokens-verbatim")


def _hidden_findings(node: Node) -> Iterator[Finding]:
    """Yield the sections' values that the command line or a ``set`` hides."""
    for loaded in node.loaded:
        for hidden in loaded.hidden:
            place = locate(node.files, hidden.source)
            by = locate(node.files, hidden.by)
            message = f"PasteDeploy ignores this value because {by} overrides it"
            yield Finding("note", place, message, hidden.text, "value-hidden")


def _route_findings(route: Sequence[Node]) -> Iterator[Finding]:
    """Yield conflicts between the options of different filters on one route."""
    recorder = next((node for node in route if node.request_id is not None), None)
    if recorder is None or recorder.request_id is None:
        return
    node = next((node for node in route if node.cors is not None and node.cors.origins), None)
    if node is not None and node.cors is not None:
        header = recorder.request_id.request_id_header
        exposed = {name.lower() for name in node.cors.cors_expose_headers}
        if not exposed & {header.lower(), ANY}:
            place = node.place_of("cors_expose_headers")
            place = node.place if place.level == "default" else place
            message = f"scripts cannot read {header}; add it to cors_expose_headers"
            yield Finding("warning", place, message, code="id-not-exposed")
    health = next((node for node in route if "health" in node.parts), None)
    if health is not None and route.index(health) > route.index(recorder):
        excluded = recorder.request_id.log_exclude_paths
        paths = [path for path in _health_paths(health) if not _is_excluded(path, excluded)]
        if recorder.request_id.log_requests and paths:
            message = (
                f"every probe writes an access record; list {health.name} before"
                f" {recorder.name}, or add {', '.join(paths)} to log_exclude_paths"
            )
            yield Finding("warning", health.mention, message, code="health-logged")


def _health_paths(node: Node) -> list[str]:
    """Return the paths that a health filter answers."""
    try:
        settings = [loaded.settings for loaded in node.loaded]
    except ConfigurationError:
        return []
    names = ("health_live_path", "health_ready_path")
    return [path for found in settings for name in names if (path := getattr(found, name, ""))]


def _is_excluded(path: str, patterns: Iterable[str]) -> bool:
    return any(
        path == pattern or (pattern.endswith("/*") and path.startswith(pattern[:-1]))
        for pattern in patterns
    )
