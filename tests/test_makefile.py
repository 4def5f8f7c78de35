"""The Makefile: what it prints, and what it would run. These tests install nothing."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ini import ROOT
from tests.serving import program

MAKEFILE = ROOT / "Makefile"


def make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run ``make`` in a folder, with this interpreter unless the arguments name another."""
    # What an outer make tells an inner one does not belong to the test.
    environment = {name: text for name, text in os.environ.items() if "MAKE" not in name}
    return subprocess.run(
        [program("make", os.environ["PATH"]), f"PYTHON={sys.executable}", *arguments],
        cwd=folder,
        env=environment | {"LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )


def serve(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run ``make serve`` with the programs beside this interpreter, as if .venv were complete."""
    beside = f"BIN={Path(sys.executable).parent}"
    return make("-o", ".venv/.serve", beside, "serve", *arguments, folder=folder)


def write_python(version: str) -> str:
    """Write a Python that says it is another version; return its path."""
    path = Path(f"python{version}").absolute()
    number = version.replace(".", ", ")
    say = f"import sys; sys.version_info, sys.version = ({number}, 0), {version!r}"
    path.write_text(
        f'#!/bin/sh\nshift\nexec {shlex.quote(sys.executable)} -c "{say}\n$1"\n', encoding="utf-8"
    )
    path.chmod(0o755)
    return str(path)


def test_make_alone_prints_every_target() -> None:
    """``make`` lists each target with what it does, and nothing else."""
    phony = " ".join(re.findall(r"(?m)^\.PHONY:(.*)", MAKEFILE.read_text(encoding="utf-8"))).split()
    assert len(phony) > 10
    done = make()
    assert done.returncode == 0
    assert done.stderr == ""
    listed = re.findall(r"(?m)^make ([a-z-]+) +\S.*$", done.stdout)
    assert sorted(listed) == sorted(phony)
    assert make("help").stdout == done.stdout


def test_help_names_the_variables() -> None:
    """``PORT``, ``ARGS`` and ``PYTHON`` are in the help, each with an example."""
    text = make().stdout
    for example in ("PORT=6544", "ARGS=-x", "PYTHON=python3.13"):
        assert example in text


def test_a_busy_port_is_named_with_a_way_out() -> None:
    """Where something else listens already, one line says so and how to choose another port."""
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        done = serve(f"PORT={port}")
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.endswith(
        f"port {port}: Address already in use; choose another port with make serve PORT=NUMBER."
        "  Stop."
    )


@pytest.mark.parametrize(
    ("port", "reason"),
    [
        pytest.param("http", "invalid literal for int", id="word"),
        pytest.param("65536", "port must be 0-65535", id="too high"),
    ],
)
def test_what_is_not_a_port_is_named(port: str, reason: str) -> None:
    """A port that does not exist gets the same line, with its own reason."""
    done = serve(f"PORT={port}")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert reason in line
    assert f"port {port}: " in line
    assert "make serve PORT=NUMBER" in line


def test_the_default_port_is_the_one_in_the_file() -> None:
    """Without ``PORT`` it is development.ini's port that is looked at first."""
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        shutil.copy(MAKEFILE, "Makefile")
        Path("development.ini").write_text(f"[server:main]\nport = {port}\n", encoding="utf-8")
        done = serve(folder=Path())
    assert f"port {port}: Address already in use;" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        pytest.param((), "pserve development.ini", id="default"),
        pytest.param(
            ("PORT=6544",), "pserve --server-name port development.ini PORT=6544", id="chosen"
        ),
    ],
)
def test_the_port_is_passed_on(arguments: tuple[str, ...], command: str) -> None:
    """``make serve`` is ``pserve development.ini``; with ``PORT``, its ``[server:port]``."""
    done = serve("--dry-run", *arguments)
    assert done.stdout == f"{Path(sys.executable).parent}/{command}\n"


@pytest.mark.parametrize("target", ["serve", "test", "lint", "bench"])
def test_an_old_python_is_refused(target: str) -> None:
    """Below 3.10 nothing is installed, and the message says what is needed."""
    shutil.copy(MAKEFILE, "Makefile")
    done = make(f"PYTHON={write_python('3.9')}", target, folder=Path())
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "Python 3.10 or newer is needed" in line
    assert "python3.9" in line
    assert "PYTHON=python3.13" in line


def test_help_with_an_old_python_says_so_too() -> None:
    """``make PYTHON=python3.9`` prints the help, then what is needed, and fails."""
    done = make(f"PYTHON={write_python('3.9')}")
    assert done.returncode == 2
    assert done.stdout == make().stdout
    assert done.stderr.startswith("Python 3.10 or newer is needed")


def test_another_python_makes_a_new_environment() -> None:
    """An environment is used again with the same interpreter, and made again with another."""
    shutil.copy(MAKEFILE, "Makefile")
    for name in ("setup.py", "pyproject.toml"):
        Path(name).touch()
    here = Path()
    first, second = write_python("3.98"), write_python("3.99")

    def planned(python: str) -> list[str]:
        return make("-n", f"PYTHON={python}", "lint", folder=here).stdout.splitlines()

    commands = planned(first)
    assert commands[0] == f"{first} -m venv --clear .venv"
    # Do what it would do, but for the installation.
    Path(".venv").mkdir()
    for command in commands:
        if command.startswith("touch "):
            Path(command.removeprefix("touch ")).touch()
    assert planned(first) == [
        line for line in commands if " -m " not in line and "touch" not in line
    ]
    assert [line.replace(second, first).replace("3-99", "3-98") for line in planned(second)] == (
        commands
    )
