"""The command ``wsgi-mw-paste``, also ``python -m wsgi_mw_paste``.

Use ``check`` before a deployment, in CI with ``--strict``; ``explain`` when a browser reports a
CORS error; ``options`` to look one up. They serve nothing and change nothing. They read the file,
the environment and the ``.env`` file where they run, so run them where and as the server runs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import sys
from dataclasses import replace
from importlib import metadata
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wsgi_mw_paste.command.browser import make_fetch
from wsgi_mw_paste.command.check import check, configuration_problems
from wsgi_mw_paste.command.exchange import build, make_real
from wsgi_mw_paste.command.explain import explain
from wsgi_mw_paste.command.loader import DeploymentError
from wsgi_mw_paste.command.output import Terminal, write_explanation, write_options, write_report
from wsgi_mw_paste.command.pipeline import read_deployment
from wsgi_mw_paste.factories import FACTORIES
from wsgi_mw_paste.settings import printable, reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from wsgi_mw_paste.command.pipeline import Node

_ABOUT: Final = (
    "Show which options are in effect, where each comes from, what is wrong with them, and why a"
    " browser keeps a response from a script."
)
_CHECK: Final = """\
example:
  wsgi-mw-paste check production.ini --strict cors_max_age=60

exit status: 0 clean, 1 warnings with --strict, 2 errors

--json prints an object with file, pipeline and findings. Each finding has code,
level (error, warning or note), place (level, file, section, key, line), message
and value. wsgi_mw_paste.command.check.Report.as_json describes the rest.
"""
_EXPLAIN: Final = """\
example:
  wsgi-mw-paste explain production.ini --origin https://app.example.com \\
      --method PUT --header 'Content-Type: application/json' --path /orders/17

exit status: 0 allowed, 1 refused, 2 errors

The page and the application are assumed to have different origins. A header
given without a value may have any value, except Content-Type: that is assumed
to be application/json.
"""
_OPTIONS: Final = """\
example:
  wsgi-mw-paste options --markdown > options.md
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    :param arguments: those of the command line; by default, the process's.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the caller has closed it, and wants no output
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    try:
        status = _run(arguments)
        sys.stdout.flush()
    except DeploymentError as error:
        return _fail(error)
    except BrokenPipeError:
        # The reader, such as head, has read enough.
        _drop_output()
        return 1
    except OSError as error:
        _drop_output()
        return _fail(f"cannot write the output: {error.strerror}")
    return status


def _run(arguments: Sequence[str] | None) -> int:
    parser = _parser()
    try:
        # Variables are recognized by their =, so they may also follow options.
        given, rest = parser.parse_known_args(arguments)
        words = [*getattr(given, "variables", ()), *rest]
        takes_none = "variables" not in given
        if wrong := [w for w in words if "=" not in w or w.startswith("-") or takes_none]:
            parser.error(_unrecognized(wrong, is_explain="header" in given))
    except SystemExit as done:  # argparse's, after --help and after mistakes
        return int(done.code or 0)
    given.variables = dict(word.split("=", 1) for word in words)
    try:
        Path.cwd()
    except OSError:
        return _fail("the working directory is gone; change to one that exists")
    status: int = given.run(given)
    return status


def _unrecognized(words: Sequence[str], *, is_explain: bool) -> str:
    """Return the message on unknown words, without values of headers, which may be tokens."""
    if not is_explain:
        return printable(f"unrecognized arguments: {' '.join(words)}; a variable is NAME=VALUE")
    names = " ".join(word.partition("=")[0] for word in words if word.startswith("-"))
    return printable(
        f"unrecognized arguments{names and ': '}{names}; a variable is NAME=VALUE, a header is one"
        " word: --header 'NAME: VALUE'"
    )


def _drop_output() -> None:
    """Discard what could not be written; Python would complain about it again when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("wsgi-mw-paste", description=_ABOUT, allow_abbrev=False)
    version = f"%(prog)s {metadata.version('wsgi_mw_paste')}"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, about: str, epilog: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=about,
            description=about[0].upper() + about[1:] + ".",
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    command = add("check", "list the options in effect and what is wrong with a file", _CHECK)
    _add_file(command)
    command.add_argument("--strict", action="store_true", help="exit with status 1 on warnings")
    command.add_argument(
        "--missing-ok",
        action="store_true",
        help="report code that is not installed here as a note, not an error",
    )
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(run=_check)

    command = add("explain", "simulate a browser request and explain the outcome", _EXPLAIN)
    _add_file(command)
    command.add_argument("--origin", required=True, help="the page's origin, or null")
    command.add_argument("--method", default="GET", help="the method (default: GET)")
    command.add_argument(
        "--header",
        action="append",
        default=[],
        metavar="NAME[: VALUE]",
        help="a header that the script sets; may be repeated",
    )
    command.add_argument(
        "--credentials", action="store_true", help='fetch with credentials: "include"'
    )
    command.add_argument(
        "--upload-listener",
        action="store_true",
        help="the script listens to the progress of its upload",
    )
    command.add_argument("--path", default="/", help="the path (default: /)")
    command.add_argument(
        "--route", metavar="KEY", help="the key of the pipeline to take, if a composite has several"
    )
    command.add_argument(
        "--app", action="store_true", help="call the application itself, not a stand-in"
    )
    command.set_defaults(run=_explain)

    command = add("options", "list all options", _OPTIONS)
    command.add_argument("--markdown", action="store_true", help="print a table in Markdown")
    command.set_defaults(run=_options)
    return parser


def _add_file(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", metavar="INI", help="the file: x.ini, x.ini#NAME or config:x.ini")
    command.add_argument(
        "variables", metavar="NAME=VALUE", nargs="*", default=(), help="a variable, as for pserve"
    )
    command.add_argument("--name", help="the application (default: main)")


def _target(given: argparse.Namespace) -> tuple[str, str]:
    """Return the path of the file and the name of the application."""
    path, _, name = given.file.removeprefix("config:").partition("#")
    return path, given.name or name or "main"


def _check(given: argparse.Namespace) -> int:
    with _quiet():
        report = check(*_target(given), given.variables, missing_ok=given.missing_ok)
    if given.json:
        sys.stdout.write(json.dumps(report.as_json(), indent=2) + "\n")
    elif report.node is None:
        return _fail(*report.findings)
    else:
        write_report(Terminal(sys.stdout), report, report.node)
    return report.status(strict=given.strict)


def _explain(given: argparse.Namespace) -> int:
    # Any host but the page's, so that the request is cross-origin.
    host = "127.0.0.1" if given.origin == "http://localhost" else "localhost"
    if not given.path.startswith("/"):
        return _fail("expected a path that starts with /")
    url = f"http://{host}{given.path}"
    try:
        fetch, forbidden = make_fetch(given.origin, url, given.method, given.header)
    except ValueError as error:
        return _fail(error)
    fetch = replace(fetch, credentials=given.credentials, listener=given.upload_listener)
    errors: list[DeploymentError] = []
    node = whole = read_deployment(*_target(given), given.variables, errors)
    choices = node.choices
    if given.route in choices:
        node = node.by(given.route)
    elif given.route is not None and not choices:
        return _fail("no composite here chooses between pipelines; leave out --route")
    elif given.route is not None or _must_choose(node):
        return _fail(f"expected --route with one of {', '.join(choices)}")
    routes = list(node.routes())
    # What cannot be loaded matters where the request passes. With several routes, it shows later.
    needed = _missing(routes[0], given) if len(routes) == 1 else {}
    ignored = {str(other.error) for other in _nodes(whole)} - {*map(str, needed)}
    problems: list[object] = [error for error in errors if str(error) not in ignored]
    problems += chain.from_iterable(map(configuration_problems, _nodes(node)))
    if problems:
        return _fail(*problems)
    with _quiet():
        app = build(node, make_real) if given.app else build(node)
        explanation = explain(app, fetch)
    passed = chain.from_iterable(step.exchange.passed for step in explanation.steps)
    if missing := _missing(passed, given):
        return _fail(*missing)
    out = Terminal(sys.stdout)
    for name in forbidden:
        out.write(f"Browsers do not let scripts set {name}; it is left out.")
    write_explanation(out, explanation)
    return int(explanation.refusal is not None)


def _must_choose(node: Node) -> bool:
    """Say whether every request comes to a composite that chooses by its options."""
    while node.role == "filter":
        node = node.inner[""]
    return node.chooses


def _missing(passed: Iterable[Node], given: argparse.Namespace) -> dict[DeploymentError, None]:
    """Return what cannot be loaded, without applications for which stand-ins do as well."""
    return dict.fromkeys(
        node.error
        for node in passed
        if node.error is not None
        and (given.app or node.role != "application" or node.error.code != "missing-code")
    )


def _nodes(node: Node) -> list[Node]:
    """Return all that requests pass through, once each."""
    return list(dict.fromkeys(chain.from_iterable(node.routes())))


def _options(given: argparse.Namespace) -> int:
    classes = list(dict.fromkeys(cls for factory in FACTORIES.values() for cls in factory.settings))
    if given.markdown:
        sys.stdout.write(reference(classes) + "\n")
    else:
        write_options(Terminal(sys.stdout), classes)
    return 0


def _fail(*reasons: object) -> int:
    """Write a line for each reason, and return the exit status for errors."""
    for reason in reasons:
        Terminal(sys.stderr, sys.maxsize).write(f"wsgi-mw-paste: {reason}", "red")
    return 2


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep other output off stdout, and our log records off stderr.

    Python writes records that no handler takes to stderr.
    """
    logger, handler = logging.getLogger("wsgi_mw_paste"), logging.NullHandler()
    logger.addHandler(handler)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        logger.removeHandler(handler)
