"""What is wrong with an INI file, before a server starts: the work of ``wsgi-mw-paste check``.

Use it where and as the server will run: options that the file leaves open are read from the same
environment and the same ``.env``. It imports what the file names and calls the factories of other
people's filters, as a server would; it does not call the application's, opens no port, and
configures no logging. What the application does wrong it does not find, nor what a proxy in front
of it adds. For a question about one request, ask ``explain``.

:meth:`Report.as_json` describes what ``check --json`` prints.
"""

from __future__ import annotations

import logging
import os
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from webob import Request

from wsgi_mw_paste.command.exchange import STAND_IN, send
from wsgi_mw_paste.command.findings import Finding, locate
from wsgi_mw_paste.command.loader import DeploymentError, blaming
from wsgi_mw_paste.command.logging_sections import logging_findings
from wsgi_mw_paste.command.pipeline import read
from wsgi_mw_paste.origins import ANY, public_suffixes
from wsgi_mw_paste.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from wsgi_mw_paste.command.pipeline import Node

#: A preflight and an actual request, as any page may send them.
_PROBES: Final = (
    ("OPTIONS", {"Origin": "https://a.example", "Access-Control-Request-Method": "PUT"}),
    ("GET", {"Origin": "https://a.example"}),
)


class Report(NamedTuple):
    """What is in force, and what is wrong.

    :ivar file: the INI file, as it was named.
    :ivar node: what a request comes to first; ``None`` if the file cannot be loaded.
    """

    file: str
    node: Node | None
    findings: Sequence[Finding]

    def of(self, level: str) -> list[Finding]:
        """Return the findings of one level: ``error``, ``warning`` or ``note``."""
        return [each for each in self.findings if each.level == level]

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

        ``findings`` is a list of objects with ``level`` (``error``, ``warning`` or ``note``),
        ``place``, ``message`` and ``value`` (the text that is wrong, or ``null``).

        A ``place`` has ``level`` (``section``, ``set``, ``command line``, ``[DEFAULT]``,
        ``environment``, ``.env`` or ``default``), ``file``, ``section``, ``key`` and ``line``,
        ``null`` where there is none. A secret is ``***``.
        """
        return {
            "file": self.file,
            "pipeline": None if self.node is None else _node_as_json(self.node),
            "findings": [each.as_json() for each in self.findings],
        }


def _node_as_json(node: Node) -> dict[str, Any]:
    return {
        "role": node.role,
        "name": node.name,
        "filter": node.kind or None,
        "place": node.place.as_json(),
        "options": [
            {"option": each.option, "value": each.value, "place": each.place.as_json()}
            for each in node.values()
        ],
        "inner": {key: _node_as_json(inner) for key, inner in node.inner.items()},
    }


def check(path: str, name: str = "main", variables: Mapping[str, str] | None = None) -> Report:
    """Check an INI file.

    :param name: which application of the file.
    :param variables: what the server gets on its command line.
    """
    try:
        node = read(path, name, variables)
    except DeploymentError as error:
        return Report(path, None, [Finding("error", error.place, error.message)])
    routes = list(node.routes())
    nodes = list(dict.fromkeys(chain.from_iterable(routes)))
    sound = [each for each in nodes if not configuration_problems(each)]
    found = chain(
        *map(configuration_problems, nodes),
        *map(_foreign_findings, nodes),
        *map(_order_findings, routes),
        *map(_cors_findings, sound),
        *map(_token_findings, sound),
        *(_header_findings([each for each in route if each in sound]) for route in routes),
        logging_findings(node.files, os.path.abspath(path)),  # noqa: PTH100 -- as in read()
    )
    return Report(path, node, list(dict.fromkeys(found)))


def configuration_problems(node: Node) -> list[Finding]:
    """Return everything that keeps one of our filters from loading."""
    try:
        node.loaded  # noqa: B018 -- it raises
    except ConfigurationError as error:
        return [
            Finding("error", locate(node.files, each.source, each.text), each.reason, each.text)
            for each in error.problems
        ]
    return []


def _foreign_findings(node: Node) -> Iterator[Finding]:
    """Yield what is wrong with a filter of somebody else's, by trying it out."""
    if node.role != "filter" or node.kind:
        return
    reached = []

    def inner(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        reached.append(environ)
        return STAND_IN(environ, start_response)

    try:
        with blaming(node.place):
            app = node.context.create()(inner)
    except DeploymentError as error:
        yield Finding("error", error.place, error.message)
        return
    insiders = chain.from_iterable(node.routes())
    cors = next((each.name for each in insiders if each.kind in ("main", "cors")), None)
    for method, headers in _PROBES if cors else ():
        reached.clear()
        answer = send(app, Request.blank("/", method=method, headers=headers))
        if not reached:
            what = answer.raised or answer.response.status
            message = (
                f"{node.name} answers for itself ({what} to a bare {method}), so browsers get no"
                f" CORS headers from {cors}; name {cors} before {node.name}"
            )
            yield Finding("warning", node.mention, message)
            return


def _order_findings(route: Sequence[Node]) -> Iterator[Finding]:
    """Yield which of our filters are in the wrong order on the way to an application."""
    ours = [each for each in route if each.kind in ("main", "request_id", "cors", "errors")]
    giver = next((each for each in ours if each.kind in ("main", "request_id")), None)
    if giver is not None and giver is not ours[0]:
        message = (
            f"{giver.name} is inside of {ours[0].name}, whose own answers get no request id and no"
            f" record; name {giver.name} before {ours[0].name}"
        )
        yield Finding("warning", giver.mention, message)
    for outer, inner in pairwise(ours):
        if outer.kind in ("main", "errors") and inner.kind != "errors":
            message = (
                f"{outer.name} is outside of {inner.name}, so its answers to exceptions lack what"
                f" {inner.name} adds; name {inner.name} before {outer.name}"
            )
            yield Finding("warning", outer.mention, message)


def _cors_findings(node: Node) -> Iterator[Finding]:
    """Yield what is worth knowing about a CORS policy."""
    settings = node.cors
    if settings is None:
        return
    if not settings.origins:
        if "cors_allowed" in settings.given:
            yield Finding("note", node.place_of("cors_allowed"), "CORS is off")
        else:
            message = "CORS is off: list origins in cors_allowed, or write cors_allowed = to agree"
            yield Finding("warning", node.place, message)
    for severity, remark in settings.remarks:
        option, _, text = remark.partition(": ")
        if option in settings.given:  # all but that CORS is off
            level = "warning" if severity >= logging.WARNING else "note"
            yield Finding(level, node.place_of(option, text.split()[0]), text)
    if settings.cors_allow_credentials and any("*." in entry for entry in settings.cors_allowed):
        try:
            public_suffixes()
        except ImportError:
            message = (
                "the guard against patterns over public suffixes is partial, the list of them is"
                " not installed; install wsgi_mw_paste[origins]"
            )
            yield Finding("warning", node.place_of("cors_allowed", "*."), message)


def _token_findings(node: Node) -> Iterator[Finding]:
    """Yield that Bearer tokens are logged."""
    settings = node.request_id
    if settings is None or not settings.log_requests or settings.log_tokens is not True:
        return
    if "log_tokens" in settings.given:
        place = node.place_of("log_tokens")
        yield Finding("note", place, "Bearer tokens are logged verbatim, as this line asks for")
    else:
        message = (
            "Bearer tokens are logged verbatim, by default; write log_tokens = fingerprint or"
            " false, or true to agree"
        )
        yield Finding("warning", node.place, message)


def _header_findings(route: Sequence[Node]) -> Iterator[Finding]:
    """Yield that scripts cannot read the request id."""
    giver = next((each.request_id for each in route if each.request_id is not None), None)
    node = next((each for each in route if each.cors is not None and each.cors.origins), None)
    if giver is None or node is None or node.cors is None:
        return
    header = giver.request_id_header
    exposed = {name.lower() for name in node.cors.cors_expose_headers}
    if not exposed & {header.lower(), ANY}:
        place = node.place_of("cors_expose_headers")
        message = f"scripts cannot read {header}; add it to cors_expose_headers"
        yield Finding("warning", node.place if place.level == "default" else place, message)
