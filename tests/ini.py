"""Writing INI files and loading them the way servers do."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest
from paste.deploy import loadapp
from paste.deploy.loadwsgi import FILTER, loadcontext

from tests.wsgi import hello
from wsgi_mw_paste import ConfigurationError, _loading
from wsgi_mw_paste._ini import FilterSections, IniFiles
from wsgi_mw_paste.factories import FACTORIES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from _typeshed.wsgi import WSGIApplication

    from wsgi_mw_paste.settings import Loaded, Settings

ROOT = Path(__file__).parents[1]

#: A secret, and what is expected of values.
SECRET = "correct-horse-battery"
A_NUMBER = "expected a number of seconds from 0 to 86400"
A_BOOLEAN = "expected true or false"
A_HEADER = "expected a header name"
A_KEY = "expected a key as text, without a ; or # comment after it"
NO_COMMENT = "expected no ; or # comment after the value; put it on its own line"

#: Appended to every file: the application at the end of the pipelines.
APP = """
[app:hello]
paste.app_factory = tests.ini:make_hello
"""


def make_hello(global_conf: dict[str, str], /, **local_conf: str) -> WSGIApplication:
    """Return the smallest application; a ``paste.app_factory``."""
    return hello


def make_urlmap(loader: Any, global_conf: dict[str, str], /, **local_conf: str) -> WSGIApplication:
    """Return an application that calls another by the path; a ``paste.composite_factory``."""
    apps = {path: loader.get_app(name, global_conf) for path, name in local_conf.items()}
    return lambda environ, start_response: apps[environ["PATH_INFO"]](environ, start_response)


def write_ini(text: str, name: str = "test.ini") -> Path:
    """Write an INI file into the working directory; an ``[app:hello]`` is added to it."""
    path = Path(name).absolute()
    path.write_text(dedent(text) + APP, encoding="utf-8")
    return path


def write_copy(name: str, *changes: tuple[str, str]) -> Path:
    """Write a copy of one of the project's INI files, with a free port and with changes.

    :param name: the file's path from the root of the project.
    :param changes: pairs of a text that is in the file and what to write instead.
    """
    text = (ROOT / name).read_text(encoding="utf-8").replace("port = 6543", "port = 0")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    path = Path("copy.ini").absolute()
    path.write_text(text, encoding="utf-8")
    return path


def write_cors(section: str = "", default: str = "") -> Path:
    """Write an INI file with a ``[DEFAULT]`` and a ``[filter:cors]`` of ours."""
    return write_ini(
        f"[DEFAULT]\n{default}\n[filter:cors]\nuse = egg:wsgi_mw_paste#cors\n{section}\n"
    )


def load_ini(text: str, **global_conf: Any) -> WSGIApplication:
    """Write an INI file into the working directory and load its ``main``."""
    return load_file(write_ini(text), **global_conf)


def load_file(path: Path, **global_conf: Any) -> WSGIApplication:
    """Load ``main`` of an INI file; *global_conf* is what the command line adds."""
    app: WSGIApplication = loadapp(f"config:{path}", global_conf=global_conf or None)
    return app


def read_section(path: Path, name: str, section: str = "", **global_conf: Any) -> list[Loaded]:
    """Return the settings that the entry point *name* makes of a section, which has that name."""
    context = loadcontext(
        FILTER, f"config:{path}", name=section or name, global_conf=global_conf or None
    )
    return FACTORIES[name].load(context.global_conf, context.local_conf)


def load(
    classes: Sequence[type[Settings]], global_conf: Mapping[str, Any], local_conf: Mapping[str, Any]
) -> list[Loaded]:
    """Load settings as a filter of no INI file does."""
    sections = FilterSections(IniFiles(), {}, "")
    return _loading.load(classes, global_conf, local_conf, sections=sections, elsewhere={})


def lines_of(function: Callable[[], object]) -> list[str]:
    """Return the lines of the ``ConfigurationError`` that *function* raises, without the count."""
    with pytest.raises(ConfigurationError) as caught:
        function()
    count, *lines = str(caught.value).splitlines()
    assert count == f"{len(lines)} problem{'' if len(lines) == 1 else 's'}:"
    assert lines == [str(problem) for problem in caught.value.problems]
    return lines
