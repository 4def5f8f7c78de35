"""What is released: the same bytes wherever it is built, and nothing that lies around there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.ini import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: A build as pip and build ask for it (PEP 517), but with the setuptools that is installed.
BUILD = (
    "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"
)
#: What an sdist is made of.
SOURCES = (
    "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "MANIFEST.in", "Makefile", "README.md",
    "SECURITY.md", "benchmarks", "development.ini", "docs", "examples", "proof", "pyproject.toml",
    "setup.py", "tests", "tox.ini", "wsgi_mw_paste",
)  # fmt: skip
#: What a checkout may have besides, and no release.
LYING_AROUND = (
    ".coverage.host.1",
    ".env",
    "examples/.env",
    "examples/kubernetes/.DS_Store",
    "tests/.pytest_cache/README.md",
    "tests/__pycache__/test_dist.cpython-314.pyc",
    "tests/test_dist.py.orig",
    "tests/test_dist.py~",
    "docs/_build/index.html",
    "notes.txt",
    "wsgi_mw_paste/.env",
    "wsgi_mw_paste/playground/static/.page.js.swp",
)
#: Made by setuptools.
GENERATED = {"PKG-INFO", "setup.cfg"}


def checkout(folder: Path) -> Path:
    """Copy the sources; return the folder."""
    ignored = shutil.ignore_patterns("__pycache__", "_build", ".*")
    folder.mkdir()
    for source in (ROOT / name for name in SOURCES):
        if source.is_dir():
            shutil.copytree(source, folder / source.name, ignore=ignored)
        else:
            shutil.copy(source, folder)
    return folder


def build(folder: Path, *, umask: int = 0o022, **variables: str) -> Mapping[str, bytes]:
    """Build sdist and wheel there; return their bytes."""
    shutil.rmtree(folder / "dist", ignore_errors=True)
    for kind in ("build_sdist", "build_wheel"):
        done = subprocess.run(
            [sys.executable, "-c", BUILD, kind, "dist"],
            cwd=folder,
            env=os.environ | {"SOURCE_DATE_EPOCH": "1700000000"} | variables,
            capture_output=True,
            text=True,
            check=False,
            umask=umask,
        )
        assert done.returncode == 0, done.stderr
    return {path.name: path.read_bytes() for path in (folder / "dist").iterdir()}


def names_in(sdist: Path) -> set[str]:
    """Return the files in an sdist, as they are called in the checkout."""
    with tarfile.open(sdist) as archive:
        members = [member.name for member in archive.getmembers() if member.isfile()]
    paths = {name.partition("/")[2] for name in members} - GENERATED
    return {path for path in paths if ".egg-info/" not in path}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clean checkout in which sdist and wheel have been built."""
    folder = checkout(tmp_path_factory.mktemp("one") / "checkout")
    build(folder, TZ="UTC", LC_ALL="C.UTF-8")
    return folder


def test_a_build_elsewhere_gives_the_same_files(clean: Path, tmp_path: Path) -> None:
    """In another folder, with other modes, at another time, in another time zone and language."""
    folder = checkout(tmp_path / "another place")
    for path in folder.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.utime(path, (1_000_000_000, 1_000_000_000))
    again = build(folder, umask=0o077, TZ="Asia/Kathmandu", LC_ALL="C", PYTHONHASHSEED="1")
    assert again == {path.name: path.read_bytes() for path in (clean / "dist").iterdir()}
    assert sorted(name.rpartition(".")[2] for name in again) == ["gz", "whl"]


def test_what_lies_around_is_not_released(clean: Path, tmp_path: Path) -> None:
    """Neither secrets nor caches nor notes, in whatever folder."""
    folder = checkout(tmp_path / "checkout")
    for name in LYING_AROUND:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("lies around", encoding="utf-8")
    again = build(folder)
    assert again == {path.name: path.read_bytes() for path in (clean / "dist").iterdir()}


def test_the_sdist_is_the_checkout(clean: Path, tmp_path: Path) -> None:
    """It is enough to run the tests."""
    (sdist,) = (clean / "dist").glob("*.tar.gz")
    files = [path for path in checkout(tmp_path / "checkout").rglob("*") if path.is_file()]
    assert names_in(sdist) == {str(path.relative_to(tmp_path / "checkout")) for path in files}


def test_the_wheel_is_the_package(clean: Path) -> None:
    """It has the modules, their data and the metadata."""
    (wheel,) = (clean / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    found = {name for name in names if ".dist-info/" not in name}
    files = [path for path in (clean / "wsgi_mw_paste").rglob("*") if path.is_file()]
    assert found == {str(path.relative_to(clean)) for path in files}
    assert {name.partition("/")[2] for name in names if ".dist-info/" in name} == {
        "METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", "top_level.txt",
    }  # fmt: skip
