"""Linear time: how long inputs of growing size take, for all that clients and operators can send.

Each input has the shape that would hurt if something backtracked, or looked at everything for each
of its parts: from a small size, doubled, up to more than servers let through. A row ends with the
power of the size that the time grows with at its end: 0 where a cap holds, 1 where it is linear. A
row above 1 that takes more than a moment is marked, and the exit status is 1 then.

Use it on an idle machine. It is no test: what a clock says is asserted nowhere.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import math
import sys
import tempfile
from pathlib import Path
from time import process_time_ns
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wsgi_mw_paste import factories, outgoing_headers
from wsgi_mw_paste._wsgi import environ_key
from wsgi_mw_paste.command.check import check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    #: The beginning of a text, what is repeated, and its end.
    Shape = tuple[str, str, str]

#: In characters, and in parts of a file: options, sections, entries.
_CLIENT_SIZES: Final = (1024, 2048, 4096, 8192, 16384, 32768, 65536)
_FILE_SIZES: Final = (50, 100, 200, 400, 800)
_ROUNDS: Final = 5
#: A row is marked if its time grows faster than this power, and is longer than this, in ns.
_POWER: Final = 1.4
_MOMENT: Final = 2_000_000


class Row(NamedTuple):
    """A shape of input.

    :ivar make: returns, for a size, what is to be timed.
    """

    name: str
    make: Callable[[int], Callable[[], object]]


def _app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    outgoing_headers()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def _raises(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    raise LookupError


_OPTIONS: Final = {
    "cors_allowed": "https://app.example.com https://*.example.org https://a-*-b.c.example.org"
    " https://a-a-*.c.example.org https://api.example.net:* app://*.example.net",
    "cors_allow_headers": "x-a x-b",
    "cors_paths": "/api /a/a/a",
    "request_id_fallback_headers": "X-Id traceparent X-Amzn-Trace-Id X-Cloud-Trace-Context",
    "request_id_max_length": "1024",
    "log_tokens": "fingerprint",
    "log_exclude_paths": "/static/* /a/a/a/*",
}
_MAIN: Final = factories.main({}, **_OPTIONS)
_TRACE: Final = "0af7651916cd43dd8448eb211c80319c"
#: For each header, texts that are repeated between a beginning and an end.
_HEADERS: Final[dict[str, Sequence[Shape]]] = {
    "Origin": [
        ("https://", "a", ""),
        ("https://", "a.", "example.org"),
        ("https://", ".", ""),
        ("https://", "a-", "b.c.example.org"),
        ("https://a", "-b", ".c.example.org"),
        ("https://api.example.net:", "1", ""),
        ("app://", "A.", "example.net"),
        ("", "://", ""),
    ],
    "X-Request-Id": [("", "a", ""), ("", "a", "!"), ("", "a.", "."), (" ", " ", ""), ("", "-", "")],
    "X-Id": [("", "a", "!"), ("\t", "\t", "a")],
    "traceparent": [(f"00-{_TRACE}-b7ad6b7169203331-01-", "-", "\n"), ("", "0", "")],
    "X-Amzn-Trace-Id": [
        ("", ";", ""), ("", " ", "Root="), ("", ";Root=", ""), ("Root=1-", "0", ""),
        (f"Root=1-{_TRACE[:8]}-{_TRACE[:24]}", " ", "x"), ("", ";\t ", "Root=1-"),
    ],
    "X-Cloud-Trace-Context": [(_TRACE + "/", "1", ""), (_TRACE + ";o=", "1", "x"), ("", "/", "")],
    "tracestate": [("", "a=b,", ""), ("", "\t", "")],
    "Authorization": [
        ("Bearer ", "a", ""), ("Bearer ", "a", "!"), ("Bearer ", "=", "!"), ("Bearer", " ", "!"),
        (" ", " ", "Bearer a"), ("Bearer a", " ", "!"), ("Bearer a", "=", " !"),
        ("Basic ", "a", ""),
    ],
    "User-Agent": [("", "a", ""), ("", "\\", ""), ("", "a", "\n")],
    "Host": [("", "a", ""), ("", "%", "")],
}  # fmt: skip
_PREFLIGHTS: Final[dict[str, Sequence[Shape]]] = {
    "Access-Control-Request-Headers": [
        ("", "x-a,", "x-b"), ("", ",", ""), ("", " ", "x-a"), ("x-a", " ,", "x-b"), ("", "x", "")
    ],
    "Access-Control-Request-Method": [("", "A", ""), ("", " ", "")],
}  # fmt: skip
_PATHS: Final = [
    ("/", "/", ""), ("/", "a/", ""), ("/api", "/..", "/"), ("/static/", "./", ""), ("/", "%", ""),
]  # fmt: skip
_ACCEPTS: Final = [
    ("", "a/b,", "c/d"), ("", ",", ""), ("a/b;q=", "0", ""), ("", "a/b;q=0.1 ,", ""),
    ("a/b", ";a=b", ""), ('a/b;c="', "\\", '"'), ("", " ", "a/b"), ('a/b;c="', "a", ""),
]  # fmt: skip


def _filled(shape: Shape, size: int) -> str:
    """Return a text of about this size."""
    start, middle, end = shape
    return start + middle * (size // len(middle)) + end


def _shown(shape: Shape) -> str:
    start, middle, end = shape
    return f"{start}({middle})*{end}".encode("unicode_escape").decode("ascii").replace("|", "\\|")


def _request(app: WSGIApplication, environ: Mapping[str, str]) -> Callable[[], object]:
    """Return what sends a request."""
    base = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/api/a", **environ}
    start_response: Any = lambda *_: lambda _: None  # noqa: E731
    return lambda: list(app(dict(base), start_response))


def _client_rows() -> Iterable[Row]:
    works, raises = _MAIN(_app), _MAIN(_raises)

    def row(name: str, shape: Shape, key: str, environ: Mapping[str, str] = {}) -> Row:
        app = raises if key == "HTTP_ACCEPT" else works
        return Row(
            f"`{name} {_shown(shape)}`",
            lambda size: _request(app, {**environ, key: _filled(shape, size)}),
        )

    for header, shapes in _HEADERS.items():
        for shape in shapes:
            yield row(f"{header}:", shape, environ_key(header))
    preflight = {
        "REQUEST_METHOD": "OPTIONS",
        "HTTP_ORIGIN": "https://app.example.com",
        environ_key("Access-Control-Request-Method"): "PUT",
    }
    for header, shapes in _PREFLIGHTS.items():
        for shape in shapes:
            yield row(f"{header}:", shape, environ_key(header), preflight)
    for shape in _PATHS:
        yield row("path", shape, "PATH_INFO")
    for shape in _ACCEPTS:
        yield row("500, Accept:", shape, "HTTP_ACCEPT")


_END: Final = """
[filter:web]
use = egg:wsgi_mw_paste
cors_allowed = https://app.example.com
log_tokens = fingerprint
[app:app]
use = call:proof.app:make
"""


_LOGGING: Final = """
[logger_root]
level = INFO
handlers = console
[handlers]
keys = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
[formatters]
keys =
"""


def files() -> dict[str, Callable[[int], str]]:
    """Return, by what there is much of, the function that makes the text of a file."""

    def numbered(text: str) -> Callable[[int], str]:
        return lambda size: "".join(text.replace("@", str(number)) for number in range(size))

    main = "[pipeline:main]\npipeline = web app\n"
    value = "[filter:web]\nuse = egg:wsgi_mw_paste\n"
    app = "[app:app]\nuse = call:proof.app:make\n"
    listed = numbered(" https://a@.example.com\n")
    starred = numbered(" https://a-@-*.b.example.com\n")
    wrong = numbered(" https://a@.example.com/x\n")
    unknown = numbered("cors_alowed_@ = 1\n")
    sections = numbered("[filter:f@]\nuse = egg:wsgi_mw_paste#errors\n")
    chain = numbered("[filter:f@]\nuse = egg:wsgi_mw_paste#health\nhealth_live_path = /@\n")
    names = numbered("f@ ")
    comments = numbered("# a comment\n")
    loggers = numbered("[logger_a@]\nlevel = INFO\nhandlers =\nqualname = a@\n")
    keys = numbered("a@, ")
    mounts = numbered("/a@ = app\n")
    return {
        "origins": lambda n: main + value + f"cors_allowed =\n{listed(n)}" + app,
        "patterns": lambda n: main + value + f"cors_allowed =\n{starred(n)}" + app,
        "origins that are wrong": lambda n: main + value + f"cors_allowed =\n{wrong(n)}" + app,
        "characters of a value": lambda n: main + value + f"cors_allowed = {'a' * 50 * n}\n" + app,
        "unknown options": lambda n: main + value + unknown(n) + app,
        "sections without use": lambda n: main + sections(n) + _END,
        "filters in a pipeline": lambda n: (
            f"[pipeline:main]\npipeline = {names(n)} app\n" + chain(n) + app
        ),
        "mounts": lambda n: "[composite:main]\nuse = egg:Paste#urlmap\n" + mounts(n) + _END,
        "mounts behind a filter": lambda n: (
            "[pipeline:main]\npipeline = web map\n[composite:map]\nuse = egg:Paste#urlmap\n"
            + mounts(n)
            + _END
        ),
        "comments": lambda n: main + comments(50 * n) + _END,
        "loggers": lambda n: (
            main + f"[loggers]\nkeys = {keys(n)}root\n" + loggers(n) + _LOGGING + _END
        ),
    }


def _file_rows(folder: Path) -> Iterable[Row]:
    for name, write in files().items():

        def make(size: int, write: Callable[[int], str] = write) -> Callable[[], object]:
            path = folder / f"{size}.ini"
            path.write_text(write(size), encoding="utf-8")
            return lambda: check(str(path))

        yield Row(f"`check`: {name}", make)


def _nanoseconds(work: Callable[[], object]) -> int:
    """Return the shortest time of some rounds. The process's: other processes do not count."""
    times = []
    for _ in range(_ROUNDS):
        begun = process_time_ns()
        work()
        times.append(process_time_ns() - begun)
    return min(times)


def _measure(rows: Iterable[Row], sizes: Sequence[int], contains: str) -> int:
    """Print a table; return how many rows are marked."""
    marked = 0
    print(f"\n| input, µs | {' | '.join(f'{size:,}' for size in sizes)} | power |")
    print("| --- |" + " --: |" * (len(sizes) + 1), flush=True)
    for row in rows:
        if contains not in row.name:
            continue
        times = [_nanoseconds(row.make(size)) for size in sizes]
        # Over the last two doublings, since single ones are noisy.
        power = math.log2(max(times[-1], 1) / max(times[-3], 1)) / 2
        is_marked = power > _POWER and times[-1] > _MOMENT
        marked += is_marked
        shown = " | ".join(f"{time / 1000:,.0f}" for time in times)
        print(f"| {row.name} | {shown} | {power:.1f}{' !' * is_marked} |", flush=True)
    return marked


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m proof.linear", description=__doc__)
    parser.add_argument("contains", nargs="?", default="", help="only rows with this text")
    options = parser.parse_args(arguments)
    with _records_going_nowhere(), tempfile.TemporaryDirectory(prefix="linear-") as folder:
        marked = _measure(_client_rows(), _CLIENT_SIZES, options.contains)
        marked += _measure(_file_rows(Path(folder)), _FILE_SIZES, options.contains)
    return int(marked > 0)


@contextlib.contextmanager
def _records_going_nowhere() -> Iterator[None]:
    """Let records be made during the ``with`` statement, and not be written."""
    logger = logging.getLogger("wsgi_mw_paste")
    handlers, propagate, level = logger.handlers, logger.propagate, logger.level
    logger.handlers, logger.propagate = [logging.NullHandler()], False
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


if __name__ == "__main__":
    sys.exit(main())
