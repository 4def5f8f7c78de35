"""What users may rely on: names, places, metadata, and an import without side effects."""

from __future__ import annotations

import importlib
import subprocess
import sys
from importlib.metadata import distribution
from importlib.resources import files
from textwrap import dedent

import pytest

import wsgi_mw_paste

PUBLIC = [
    "AttachRequestIdFilter",
    "CORSMiddleware",
    "CORSSettings",
    "ConfigurationError",
    "ErrorsMiddleware",
    "HealthMiddleware",
    "HealthSettings",
    "Problem",
    "RequestIdFilter",
    "RequestIdFormatter",
    "RequestIdMiddleware",
    "RequestIdSettings",
    "current_request_id",
    "outgoing_headers",
    "request_id_scope",
]


def test_the_public_names_are_these() -> None:
    """``__all__`` is the list, and everything in it is there."""
    assert wsgi_mw_paste.__all__ == PUBLIC
    assert all(hasattr(wsgi_mw_paste, name) for name in PUBLIC)


def test_nothing_else_looks_public() -> None:
    """Beside them the package has submodules only."""
    others = {name for name in vars(wsgi_mw_paste) if not name.startswith("_")} - {*PUBLIC}
    assert {f"wsgi_mw_paste.{name}" for name in others} <= sys.modules.keys()


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_has_a_docstring(name: str) -> None:
    """``help()`` has something to say on each."""
    assert getattr(wsgi_mw_paste, name).__doc__


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("cors", "CORSMiddleware"),
        ("request_id", "RequestIdMiddleware RequestIdFilter current_request_id"),
        ("logging", "RequestIdFilter RequestIdFormatter AttachRequestIdFilter"),
    ],
)
def test_the_documented_places_hold_the_same_objects(module: str, names: str) -> None:
    """The import paths of the predecessor, and those that INI files name, go on working."""
    place = importlib.import_module(f"wsgi_mw_paste.{module}")
    for name in names.split():
        assert getattr(place, name) is getattr(wsgi_mw_paste, name)


def test_importing_looks_up_no_logger() -> None:
    """``fileConfig`` and ``dictConfig`` disable loggers that exist, so none may exist too early."""
    program = """
        import logging, pkgutil
        import wsgi_mw_paste
        for module in pkgutil.walk_packages(wsgi_mw_paste.__path__, "wsgi_mw_paste."):
            if not module.name.endswith("__main__"):
                __import__(module.name)
        print([name for name in logging.root.manager.loggerDict if name.startswith("wsgi_mw")])
        print(logging.root.handlers, logging.lastResort is logging._defaultLastResort)
    """
    run = subprocess.run(
        [sys.executable, "-c", dedent(program)], capture_output=True, text=True, check=True
    )
    assert run.stdout == "[]\n[] True\n"


FILTER = "from wsgi_mw_paste import CORSMiddleware, CORSSettings, ErrorsMiddleware\n"


@pytest.mark.parametrize(
    ("program", "loaded"),
    [
        pytest.param("import wsgi_mw_paste", "", id="the package"),
        pytest.param("from wsgi_mw_paste import current_request_id", "", id="the id"),
        pytest.param("import wsgi_mw_paste.logging", "", id="the module that fileConfig loads"),
        pytest.param("import wsgi_mw_paste.factories", "", id="the module that Paste loads"),
        pytest.param(FILTER, "", id="the classes"),
        pytest.param(FILTER + "CORSMiddleware(print, CORSSettings())", "", id="CORS off"),
        pytest.param(
            FILTER + "CORSMiddleware(print, CORSSettings(cors_allowed='https://a.example'))",
            "webob",
            id="CORS, settings in Python",
        ),
        pytest.param(FILTER + "ErrorsMiddleware(print)", "webob", id="errors"),
        pytest.param(
            "from wsgi_mw_paste import HealthMiddleware, HealthSettings\n"
            "HealthMiddleware(print, HealthSettings())",
            "webob",
            id="health",
        ),
        pytest.param(FILTER + "CORSMiddleware(print)", "environs", id="CORS, the environment"),
    ],
)
def test_a_dependency_is_loaded_where_it_is_needed(program: str, loaded: str) -> None:
    """Importing loads none of them; a filter loads what it will answer with before it serves."""
    program += "\nimport sys; print(*{'webob', 'environs', 'paste.deploy'} & {*sys.modules})"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == loaded.split()


def test_names_are_listed_before_they_are_fetched() -> None:
    """``dir()`` knows all of them, for those who explore; an unknown one is an error as ever."""
    program = "import wsgi_mw_paste; print(*dir(wsgi_mw_paste)); wsgi_mw_paste.CorsMiddleware"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert set(PUBLIC) <= set(run.stdout.split())
    # Python goes on to ask whether another was meant.
    assert run.stderr.splitlines()[-1].startswith(
        "AttributeError: module 'wsgi_mw_paste' has no attribute 'CorsMiddleware'"
    )


@pytest.mark.parametrize(
    "name", ["context", "cors", "errors", "health", "logging", "request_id", "settings"]
)
def test_a_module_can_be_reached_through_the_package(name: str) -> None:
    """``import wsgi_mw_paste`` is enough for ``wsgi_mw_paste.cors.CORSMiddleware``."""
    program = f"import wsgi_mw_paste; print(wsgi_mw_paste.{name}.__name__)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout == f"wsgi_mw_paste.{name}\n"


def test_the_types_are_shipped() -> None:
    """``py.typed`` is in the package (PEP 561)."""
    assert files("wsgi_mw_paste").joinpath("py.typed").is_file()


def test_the_entry_points_are_these() -> None:
    """Filters and the demo application, each under its documented name; every one loads."""
    found = distribution("wsgi_mw_paste").entry_points
    assert {
        ("paste.filter_factory", "main", "wsgi_mw_paste.factories:main"),
        ("paste.filter_factory", "cors", "wsgi_mw_paste.factories:cors"),
        ("paste.filter_factory", "request_id", "wsgi_mw_paste.factories:request_id"),
        ("paste.filter_factory", "errors", "wsgi_mw_paste.factories:errors"),
        ("paste.filter_factory", "health", "wsgi_mw_paste.factories:health"),
        ("paste.app_factory", "health", "wsgi_mw_paste.factories:health_app"),
        ("paste.app_factory", "playground", "wsgi_mw_paste.playground:main"),
    } <= {(entry_point.group, entry_point.name, entry_point.value) for entry_point in found}
    assert all(callable(entry_point.load()) for entry_point in found)


def test_the_metadata_names_what_is_needed() -> None:
    """Three distributions at run time, Python 3.10, and a licence expression."""
    about = distribution("wsgi_mw_paste").metadata
    required = [
        requirement
        for requirement in about.get_all("Requires-Dist") or []
        if "extra ==" not in requirement
    ]
    assert sorted(requirement.partition(">=")[0].lower() for requirement in required) == [
        "environs",
        "pastedeploy",
        "webob",
    ]
    assert about["Requires-Python"] == ">=3.10"
    assert about["License-Expression"] == "MIT"
