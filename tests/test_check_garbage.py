"""``check`` and ``explain`` on files, names and folders that are out of order."""

from __future__ import annotations

import json
import os
from configparser import InterpolationError
from pathlib import Path

import pytest
from paste.deploy import loadapp

from tests.checking import LOGGING, WEB, check_text, write_module
from wsgi_mw_paste.command.check import check
from wsgi_mw_paste.command.cli import main

APP = "[app:shop]\npaste.app_factory = shop:app_factory\n"
LINE = f"[pipeline:main]\npipeline = web shop\n{APP}{WEB}{LOGGING}"


@pytest.fixture(autouse=True)
def _shop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the module that the deployments name."""
    write_module(monkeypatch)


@pytest.mark.parametrize(
    "key", ["] or [x", "a] or b", "cors_max_age] or [x", "%", "'", "{", "\\", "😀"]
)
def test_a_key_may_have_any_name(key: str) -> None:
    """In our filter's section it is unknown, and its place is right."""
    report = check_text(LINE.replace("[filter:web]\n", f"[filter:web]\n{key} = x\n"))
    (error,) = report.of("error")
    assert (error.place.section, error.place.key) == ("filter:web", key)
    assert error.message.startswith("unknown option")


@pytest.mark.parametrize("folder", ["a] or b", "x] or [y", "#", "a b", "é", "="])
def test_a_folder_may_have_any_name(folder: str) -> None:
    """A message has it as it is."""
    Path(folder).mkdir()
    Path(folder, "x.ini").write_text(f"{LINE}[filter:idle]\nuse = web\n", encoding="utf-8")
    report = check(f"{folder}/x.ini")
    assert [finding.code for finding in report.of("warning")] == ["unused-filter"]
    (finding,) = report.of("warning")
    assert finding.place.file == str(Path(folder, "x.ini").absolute())
    assert str(finding).startswith(f"{folder}/x.ini:")


@pytest.mark.parametrize("folder", ["50%", "%(here)s", "%(x)s"])
def test_a_folder_with_a_percent_sign_is_an_error(folder: str) -> None:
    """PasteDeploy takes it for a variable."""
    Path(folder).mkdir()
    path = Path(folder, "x.ini").absolute()
    path.write_text(LINE, encoding="utf-8")
    with pytest.raises(InterpolationError):
        loadapp(f"config:{path}")
    (error,) = check(str(path)).findings
    assert error.message == "PasteDeploy loads no file with a % in its path; rename the folder"


@pytest.mark.parametrize("name", ["a] or b", "x[y", "web]", "é", "a=b"])
def test_a_section_may_have_any_name(name: str) -> None:
    """Python reads up to the last bracket of the line, and so does what says the line."""
    text = f"{LINE}[filter:{name}]\nuse = egg:wsgi_mw_paste#cors\ncors_max_age = soon\n"
    report = check_text(text.replace("web shop", "web other shop"))
    assert report.of("error")[0].code == "unknown-name"
    idle = [finding for finding in report.findings if finding.code == "unused-filter"]
    assert [finding.place.section for finding in idle] == [f"filter:{name}"]
    assert idle[0].place.line == text.split("\n").index(f"[filter:{name}]") + 1


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\x00", id="NUL"),
        pytest.param("[", id="bracket"),
        pytest.param("[]\n", id="no name"),
        pytest.param("[app:main]\n = x\n", id="no key"),
        pytest.param("[app:main]\nuse =\n", id="no value"),
        pytest.param("[app:main]\nuse = egg:\n", id="no distribution"),
        pytest.param("[app:main]\nuse = egg:#x\n", id="no distribution, but a name"),
        pytest.param("[app:main]\nuse = egg:../x\n", id="a path for a distribution"),
        pytest.param("[app:main]\nuse = call:\n", id="no object"),
        pytest.param("[app:main]\nuse = call::\n", id="no module"),
        pytest.param("[app:main]\nuse = call:os:path.\n", id="no attribute"),
        pytest.param("[app:main]\nuse = call:.os:path\n", id="a relative module"),
        pytest.param("[app:main]\nuse = config:\n", id="no file"),
        pytest.param("[app:main]\nuse = config:#x\n", id="no file, but a name"),
        pytest.param("[app:main]\nuse = config:%00\n", id="NUL in a path"),
        pytest.param("[app:main]\nuse = http://a.example/\n", id="unknown scheme"),
        pytest.param("[app:main]\npaste.app_factory = shop\n", id="no function"),
        pytest.param("[app:main]\npaste.no_factory = shop:app_factory\n", id="no protocol"),
        pytest.param("[filter-app:main]\nuse = egg:wsgi_mw_paste\n", id="no next"),
        pytest.param("[pipeline:main]\n", id="no pipeline"),
        pytest.param("[pipeline:main]\npipeline = main\n", id="itself"),
        pytest.param("[pipeline:main]\npipeline = %(pipeline)s\n", id="its own value"),
        pytest.param("[app:main]\nuse = main\n[app:main ]\n", id="a name with a blank"),
        pytest.param("[DEFAULT]\n[DEFAULT]\n", id="DEFAULT twice"),
        pytest.param("\n".join(f"[app:a{n}]\nuse = a{n + 1}" for n in range(1500)), id="a chain"),
    ],
)
def test_a_file_is_wrong_in_a_line_or_two(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2, an error with the file's name, and never a traceback.

    ``explain`` needs no application, and may find that no filter is in front of one.
    """
    Path("x.ini").write_text(text, encoding="utf-8")
    for name in ("main", "a0"):
        assert main(["check", "x.ini", "--json", "--name", name]) == 2
        findings = json.loads(capsys.readouterr().out)["findings"]
        errors = [finding for finding in findings if finding["level"] == "error"]
        assert errors
        assert all("\n" not in error["message"] for error in errors)
        assert main(["check", "x.ini", "--name", name]) == 2
        assert main(["explain", "x.ini", "--name", name, "--origin", "null"]) in {1, 2}
        out, err = capsys.readouterr()
        assert "x.ini" in out + err
        assert "Traceback" not in out + err


def test_a_pipe_is_read_once(capsys: pytest.CaptureFixture[str]) -> None:
    """``check /dev/stdin`` works, and does not wait for more."""
    reader, writer = os.pipe()
    os.write(writer, LINE.encode())
    os.close(writer)
    assert main(["check", f"/dev/fd/{reader}"]) == 0
    os.close(reader)
    assert capsys.readouterr().out.endswith("0 errors, 0 warnings\n")
