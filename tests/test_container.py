"""The image of the kit, without a registry: linted, and its steps run in a plain folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.ini import ROOT
from tests.kit import KIT, SECRET, Pod, copy_context, dockerfile, last
from tests.servers.servers import NOBODY, SERVERS, output, running
from tests.serving import program, request, serving

#: What stands around the snippet for Apache.
APACHE = """
ServerName localhost
PidFile apache.pid
ErrorLog server.log
LoadModule mpm_event_module ${MODULES}/mod_mpm_event.so
LoadModule authz_core_module ${MODULES}/mod_authz_core.so
LoadModule wsgi_module ${MODULES}/mod_wsgi.so
WSGISocketPrefix ${PWD}/wsgi
Include pod/app/httpd.conf
"""

FINAL = [number for number, (name, _) in enumerate(dockerfile()) if name == "FROM"][-1]


def needs_server(name: str) -> pytest.MarkDecorator:
    """Return the mark of a test that is skipped where a server of the matrix is missing."""
    server = SERVERS[name]
    return pytest.mark.skipif(bool(server.needs), reason=f"{name} needs {server.needs}")


def arguments(name: str) -> list[str]:
    """Return the arguments of every instruction of a kind."""
    return [rest for instruction, rest in dockerfile() if instruction == name]


def test_hadolint_finds_nothing() -> None:
    """Its rules for Dockerfiles, and shellcheck's for what they run."""
    ran = subprocess.run(
        [program("hadolint"), KIT / "container/Dockerfile"],
        capture_output=True,
        check=False,
        text=True,
    )
    assert (ran.returncode, ran.stdout) == (0, "")


def test_hadolint_would_find_something() -> None:
    """A base without a tag, say."""
    Path("Dockerfile").write_text("FROM python\n", encoding="utf-8")
    ran = subprocess.run(
        [program("hadolint"), "Dockerfile"], capture_output=True, check=False, text=True
    )
    assert ran.returncode == 1
    assert "DL3006" in ran.stdout


def test_both_stages_have_the_same_base_of_one_version() -> None:
    """A virtual environment works with the very Python that made it."""
    bases = {rest.split()[0] for rest in arguments("FROM")}
    assert len(arguments("FROM")) == 2
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", bases.pop())


def test_nothing_is_installed_in_the_final_stage() -> None:
    """It copies: so it has no compiler, no cache and no second pip."""
    final = dockerfile()[FINAL:]
    assert {name for name, _ in final} == {
        "FROM", "COPY", "ENV", "WORKDIR", "USER", "EXPOSE", "CMD"
    }  # fmt: skip
    assert all(rest.startswith("--from=build ") for name, rest in final if name == "COPY")
    assert any("--without-pip" in rest for rest in arguments("RUN"))


def test_it_does_not_run_as_root() -> None:
    """The number is the Deployment's."""
    user, group = last("USER").split(":")
    pod = (KIT / "kubernetes/base/deployment.yaml").read_text(encoding="utf-8")
    assert f"runAsUser: {user}\n" in pod
    assert f"runAsGroup: {group}\n" in pod


def test_the_context_is_what_the_dockerfile_copies() -> None:
    """The ignore file lets nothing else through."""
    copy_context(Path("context"))
    copied = {
        word
        for rest in arguments("COPY")
        if not rest.startswith("--from=")
        for word in rest.split()[:-1]
    }
    found = [path for path in Path("context").rglob("*") if path.is_file()]
    assert {str(path.relative_to("context")) for path in found} == copied


def test_the_server_reads_what_the_image_has() -> None:
    """The command names files that were copied to where it looks for them."""
    command = json.loads(last("CMD"))
    assert command[0] == "gunicorn"
    for path in command[2::2]:
        assert any(path.startswith(rest.split()[-1]) for rest in arguments("COPY"))


@pytest.mark.container
@pytest.mark.timeout(600)
def test_the_steps_of_the_dockerfile_run(  # noqa: C901 -- a branch for each instruction
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a folder for each stage, with this Python for the base's: what comes out serves.

    This project's sources stand in for the distribution in the package index.
    """
    context, root, built = (Path(name).absolute() for name in ("context", "root", "built"))
    copy_context(context)
    source = Path("source")
    shutil.copytree(ROOT / "wsgi_mw_paste", source / "wsgi_mw_paste")
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    requirements = context / "container/requirements.txt"
    text = requirements.read_text(encoding="utf-8")
    ours = f"wsgi_mw_paste[demo,json] @ file://{source.absolute()}"
    requirements.write_text(text.replace("wsgi_mw_paste[demo,json]", ours), encoding="utf-8")
    # Until an instruction sets them.
    for name in ("PYTHONPATH", "COVERAGE_PROCESS_START"):
        monkeypatch.delenv(name, raising=False)
    cwd = root

    def placed(text: str) -> str:
        return re.sub(r"(?<![\w.:/])/(?=(?:venv|app|etc/shop|tmp)\b)", f"{root}/", text)

    for name, rest in dockerfile():
        if name == "FROM":
            if root.exists():
                root.rename(built)
            root.mkdir()
            (root / "tmp").mkdir()
            cwd = root
        elif name == "WORKDIR":
            cwd = Path(placed(rest))
            cwd.mkdir(parents=True, exist_ok=True)
        elif name == "ENV":
            for word in rest.split():
                variable, _, value = word.partition("=")
                monkeypatch.setenv(variable, os.path.expandvars(placed(value)))
        elif name == "COPY" and rest.startswith("--from=build "):
            _, source_path, target = rest.split()
            shutil.copytree(f"{built}{source_path}", placed(target), symlinks=True)
            shutil.copymode(f"{built}{source_path}", placed(target))
        elif name == "COPY":
            *sources, target = rest.split()
            folder = cwd / placed(target)
            folder.mkdir(parents=True, exist_ok=True)
            for file in sources:
                text = (context / file).read_text(encoding="utf-8")
                (folder / Path(file).name).write_text(placed(text), encoding="utf-8")
        elif name == "RUN":
            command = re.sub(r"^python ", f"{sys.executable} ", placed(rest))
            subprocess.run(["sh", "-euc", command], cwd=cwd, check=True)

    assert not list(root.glob("venv/bin/pip*"))
    assert not list(root.glob("venv/lib/*/site-packages/pip"))
    name, *options = [placed(word) for word in json.loads(last("CMD"))]
    server_path = shutil.which(name)
    assert server_path == f"{root}/venv/bin/gunicorn"
    with serving(server_path, *options, "--bind=127.0.0.1:0") as server:
        answers = {path: server.request("GET", path) for path in ("/livez", "/readyz", "/json")}
    # There is no database, and nothing that names one.
    codes = {path: answer.code for path, answer in answers.items()}
    assert codes == {"/livez": 200, "/readyz": 503, "/json": 200}


# The other servers.

UWSGI = "uwsgi --ini pod/app/uwsgi.ini"
#: Apache refuses to serve as root.
HTTPD = (NOBODY if os.geteuid() == 0 else "") + (
    " apache2 -D FOREGROUND -d . -f apache.conf -c 'Listen 127.0.0.1:PORT'"
)


@pytest.mark.slow_server
@pytest.mark.parametrize(
    ("name", "command"),
    [
        pytest.param("uwsgi.ini", UWSGI, id="uWSGI", marks=needs_server("uwsgi")),
        pytest.param("httpd.conf", HTTPD, id="mod_wsgi", marks=needs_server("mod_wsgi")),
    ],
)
def test_another_server_serves_the_kit(
    name: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the file for it; one request has one record."""
    pod = Pod(Path("pod").absolute(), "production", SECRET)
    for variable, value in pod.environment().items():
        monkeypatch.setenv(variable, value)
    purelib = sysconfig.get_path("purelib")
    for file in (name, "application.wsgi"):
        text = pod.placed((KIT / "container" / file).read_text(encoding="utf-8"))
        for before, after in (
            ("http-socket = 0.0.0.0:8080", "http-socket = 127.0.0.1:0"),
            ("virtualenv = /venv", f"virtualenv = {sys.prefix}"),
            ("Listen 8080\n", ""),
            # Apache's Python is the system's, which cannot take this environment as its home.
            ("python-home=/venv", ""),
            ("python-path=", f"python-path={purelib}:"),
        ):
            text = text.replace(before, after)
        (pod.place("/app") / file).write_text(text, encoding="utf-8")
    Path("apache.conf").write_text(APACHE, encoding="utf-8")
    paths = ("/livez", "/readyz", "/json")
    with running(command.strip()) as server:
        codes = {path: request(server.port, "GET", path).code for path in paths}
    assert codes == {"/livez": 200, "/readyz": 503, "/json": 200}
    assert output().count("wsgi_mw_paste.access") == 1
