"""Writing INI files and loading them the way servers do."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from paste.deploy import loadapp

from tests.wsgi import hello

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

ROOT = Path(__file__).parents[1]

#: Appended to every file: the application at the end of the pipelines.
APP = """
[app:hello]
paste.app_factory = tests.ini:make_hello
"""


def make_hello(global_conf: dict[str, str], /, **local_conf: str) -> WSGIApplication:
    """Return the smallest application; a ``paste.app_factory``."""
    return hello


def write_ini(text: str, name: str = "test.ini") -> Path:
    """Write an INI file into the working directory; an ``[app:hello]`` is added to it."""
    path = Path(name).absolute()
    path.write_text(dedent(text) + APP, encoding="utf-8")
    return path


def load_ini(text: str, **global_conf: Any) -> WSGIApplication:
    """Write an INI file into the working directory and load its ``main``."""
    return load_file(write_ini(text), **global_conf)


def load_file(path: Path, **global_conf: Any) -> WSGIApplication:
    """Load ``main`` of an INI file; *global_conf* is what the command line adds."""
    app: WSGIApplication = loadapp(f"config:{path}", global_conf=global_conf or None)
    return app
