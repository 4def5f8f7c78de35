"""Variables, the ``.env`` file and key files."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from tests.conftest import VARIABLES
from tests.ini import A_BOOLEAN, A_NUMBER, SECRET, lines_of, load, read_section, write_ini
from wsgi_mw_paste import (
    ConfigurationError,
    CORSSettings,
    Problem,
    RequestIdSettings,
)
from wsgi_mw_paste._environment import VariableError
from wsgi_mw_paste._ini import Source
from wsgi_mw_paste.factories import main, request_id
from wsgi_mw_paste.settings import options

if TYPE_CHECKING:
    from collections.abc import Callable


# Secrets.

BAD_SECRET = SECRET + " ; x"


def test_the_error_of_a_variable_reads_as_its_reason() -> None:
    """Wherever it ends up, it does not show the value, which may be a secret."""
    assert str(VariableError(Source("variable", "X"), "expected a number", SECRET)) == (
        "expected a number"
    )


@pytest.mark.parametrize(
    ("default", "section", "environment", "dotenv", "text"),
    [
        pytest.param("", f"log_tokens_key = {BAD_SECRET}", {}, "", "***", id="section"),
        pytest.param(f"log_tokens_key = {BAD_SECRET}", "", {}, "", "***", id="[DEFAULT]"),
        pytest.param("", f"set LOG_TOKENS_KEY = {BAD_SECRET}", {}, "", "***", id="set"),
        pytest.param("", "", {"LOG_TOKENS_KEY": BAD_SECRET}, "", "***", id="environment"),
        pytest.param("", "", {}, f"LOG_TOKENS_KEY='{BAD_SECRET}'", "***", id=".env"),
        pytest.param(
            "log_tokens_key = x", f"log_tokens_key = {SECRET}", {}, "", "***", id="hidden"
        ),
        pytest.param("LOG_TOKENS_KEY = x", f"log_tokens_key = {SECRET}", {}, "", None, id="twice"),
        pytest.param("", f"log_token_key = {SECRET}", {}, "", None, id="misspelled"),
        pytest.param("", f"Log_Tokens_Key = {SECRET}", {}, "", None, id="mixed case"),
        pytest.param("", "", {"LOG_TOKENS_KEY_FILE": SECRET}, "", "***", id="taken for a file"),
        pytest.param("", "", {}, f"LOG_TOKENS_KEY_FILE={SECRET}", "***", id="the same in .env"),
    ],
)
def test_no_message_repeats_a_secret(
    *,
    default: str,
    section: str,
    environment: dict[str, str],
    dotenv: str,
    text: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever is wrong with it and wherever it is, a message shows ``***`` or nothing."""
    ini = write_ini(
        f"[DEFAULT]\n{default}\n[filter:request_id]\nuse = egg:wsgi_mw_paste#request_id\n{section}"
    )
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    Path(".env").write_text(dotenv, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        read_section(ini, "request_id")
    assert [problem.text for problem in caught.value.problems] == [text]
    said = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert SECRET not in said


@pytest.mark.parametrize(
    ("environment", "dotenv", "key", "source"),
    [
        pytest.param(
            {"LOG_TOKENS_KEY_FILE": "a"}, "", "secret of a", "environment LOG_TOKENS_KEY_FILE",
            id="environment",
        ),
        pytest.param(
            {}, "LOG_TOKENS_KEY_FILE=a", "secret of a", "{here}/.env LOG_TOKENS_KEY_FILE", id=".env"
        ),
        pytest.param(
            {"LOG_TOKENS_KEY_FILE": "{here}/a"}, "", "secret of a",
            "environment LOG_TOKENS_KEY_FILE",
            id="absolute",
        ),
        pytest.param(
            {"LOG_TOKENS_KEY": "k"}, "LOG_TOKENS_KEY_FILE=a", "k", "environment LOG_TOKENS_KEY",
            id="the process's value before .env's file",
        ),
        pytest.param(
            {"LOG_TOKENS_KEY_FILE": "b"}, "LOG_TOKENS_KEY=k", "secret of b",
            "environment LOG_TOKENS_KEY_FILE",
            id="the process's file before .env's value",
        ),
        pytest.param(
            {"LOG_TOKENS_KEY_FILE": "b"}, "LOG_TOKENS_KEY_FILE=a", "secret of b",
            "environment LOG_TOKENS_KEY_FILE",
            id="the process's file before .env's file",
        ),
        pytest.param(
            {"LOG_TOKENS_KEY": ""}, "LOG_TOKENS_KEY_FILE=a", "secret of a",
            "{here}/.env LOG_TOKENS_KEY_FILE",
            id="an empty variable is not set",
        ),
    ],
)  # fmt: skip
def test_a_secret_may_be_in_a_file(
    *,
    environment: dict[str, str],
    dotenv: str,
    key: str,
    source: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """``NAME_FILE`` is a path, at both levels of the environment; whitespace is stripped."""
    Path("a").write_text("\n secret of a\r\n\n", encoding="utf-8")
    Path("b").write_text("secret of b", encoding="utf-8")
    for name, value in environment.items():
        monkeypatch.setenv(name, value.format(here=tmp_path))
    Path(".env").write_text(dotenv, encoding="utf-8")
    [(settings, sources, _)] = load([RequestIdSettings], {}, {})
    assert settings.log_tokens_key == key
    assert str(sources["log_tokens_key"]) == source.format(here=tmp_path)


LEVELS_OF_A_FILE = ["section", "environment", ".env"]


@pytest.mark.parametrize("level", LEVELS_OF_A_FILE)
@pytest.mark.parametrize(
    ("file", "reason"),
    [
        pytest.param("{here}/missing", "no such file in {here}", id="missing"),
        pytest.param("{here}/a/b/missing", "no such file in {here}", id="folders missing"),
        pytest.param("missing", "no such file in the working directory", id="relative"),
        pytest.param("{here}/empty", "expected a file that is not empty in {here}", id="empty"),
        pytest.param(
            "{here}/blank", "expected a file that is not empty in {here}", id="whitespace"
        ),
        pytest.param(
            "{here}/undecodable", "expected a text file in UTF-8 in {here}", id="undecodable"
        ),
        pytest.param("{here}", "expected a readable regular file in {here}", id="directory"),
        pytest.param("{here}/empty/x", "no such file in {here}", id="below a file"),
        pytest.param("{here}/fifo", "expected a readable regular file in {here}", id="FIFO"),
        pytest.param("/dev/zero", "expected a readable regular file in /dev", id="endless"),
        pytest.param(
            "{here}/long", "expected a file of at most 65536 bytes in {here}", id="too long"
        ),
        pytest.param(
            "{here}/" + "x" * 5000,
            "expected a readable regular file in {here}",
            id="too long a name",
        ),
        pytest.param("{here}/mem", "expected a readable regular file in {here}", id="unreadable"),
    ],
)
def test_a_file_of_a_secret_that_cannot_be_read_is_an_error(
    file: str, reason: str, level: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The message names the variable and a folder, not what follows: it may be the secret."""
    Path("undecodable").write_bytes(b"\xff\xfe\xff")
    Path("empty").touch()
    Path("blank").write_text(" \n", encoding="utf-8")
    Path("long").write_text("x" * 65537, encoding="utf-8")
    os.mkfifo("fifo")
    unreadable(Path("mem"))
    path, source, local_conf = file.format(here=tmp_path), "environment LOG_TOKENS_KEY_FILE", {}
    if level == "environment":
        monkeypatch.setenv("LOG_TOKENS_KEY_FILE", path)
    elif level == ".env":
        Path(".env").write_text(f"LOG_TOKENS_KEY_FILE={path}", "utf-8")
        source = f"{tmp_path}/.env LOG_TOKENS_KEY_FILE"
    else:
        local_conf = {"log_tokens_key_file": path}
        source = "local_conf log_tokens_key_file"
    assert lines_of(lambda: request_id({}, **local_conf)) == [
        f"{source} = '***': {reason.format(here=tmp_path)}"
    ]


def test_a_file_of_a_secret_may_be_as_long_as_it_says() -> None:
    """64 kB, symbolic links followed, as Kubernetes mounts secrets."""
    Path("..data").mkdir()
    Path("..data/key").write_text("x" * 65536, encoding="utf-8")
    Path("key").symlink_to("..data/key")
    [(settings, sources, _)] = load([RequestIdSettings], {}, {"LOG_TOKENS_KEY_FILE": "key"})
    assert settings.log_tokens_key == "x" * 65536
    assert sources == {"log_tokens_key": Source("local_conf", key="LOG_TOKENS_KEY_FILE")}


def test_an_empty_path_in_a_section_is_an_error() -> None:
    """There it was written on purpose; an empty variable is not set."""
    assert lines_of(lambda: request_id({}, log_tokens_key_file="")) == [
        "local_conf log_tokens_key_file: expected the path of a file"
    ]


def test_whitespace_around_a_secret_is_stripped_in_both_forms() -> None:
    """A trailing newline in the file does not make another fingerprint of it."""
    Path("key").write_text("\n a secret\n\n", encoding="utf-8")
    [(by_file, _, _)] = load([RequestIdSettings], {}, {"log_tokens_key_file": "key"})
    [(by_value, _, _)] = load([RequestIdSettings], {}, {"log_tokens_key": "a secret\n"})
    assert by_file.log_tokens_key == by_value.log_tokens_key == "a secret"


@pytest.mark.parametrize("level", [*LEVELS_OF_A_FILE, "global values"])
def test_a_secret_and_its_file_on_one_level_are_an_error(
    level: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Which of the two was meant is not known, so one has to go."""
    both = {"LOG_TOKENS_KEY": SECRET, "LOG_TOKENS_KEY_FILE": "/missing"}
    source, global_conf, local_conf = level, {}, {}
    if level == "environment":
        for name, value in both.items():
            monkeypatch.setenv(name, value)
    elif level == ".env":
        Path(".env").write_text("\n".join("=".join(item) for item in both.items()), "utf-8")
        source = f"{tmp_path}/.env"
    elif level == "section":
        local_conf, source = both, "local_conf"
    else:
        global_conf, source = both, "global_conf"
    assert lines_of(lambda: request_id(global_conf, **local_conf)) == [
        f"{source} LOG_TOKENS_KEY_FILE: also set as {source} LOG_TOKENS_KEY; keep only one"
    ]


@pytest.mark.parametrize("name", ["log_tokens_key_file", "LOG_TOKENS_KEY_FILE"])
def test_the_file_of_a_secret_hides_lower_levels(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a section it wins over the secret itself in the global values and the environment."""
    Path("key").write_text("of the section", encoding="utf-8")
    monkeypatch.setenv("LOG_TOKENS_KEY", "of the environment")
    [(settings, _, _)] = load([RequestIdSettings], {"log_tokens_key": "global"}, {name: "key"})
    assert settings.log_tokens_key == "of the section"


def test_file_means_nothing_for_an_option_that_is_no_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``CORS_ALLOWED_FILE`` is another program's variable, even if its file is missing."""
    names = [
        name
        for cls in (CORSSettings, RequestIdSettings)
        for name, option in options(cls).items()
        if not option.secret
    ]
    for name in names:
        monkeypatch.setenv(f"{name.upper()}_FILE", "/missing")
    loaded = load([CORSSettings, RequestIdSettings], {}, {})
    assert [found.sources for found in loaded] == [{}, {}]
    assert len(names) == 17


# The .env file.


def unreadable(path: Path) -> None:
    """Make a file that even root cannot read."""
    path.symlink_to("/proc/self/mem")


@pytest.mark.parametrize(
    ("make", "why"),
    [
        pytest.param(
            lambda path: path.write_bytes(b"CORS_MAX_AGE=\xff"),
            "'utf-8' codec can't decode byte 0xff in position 13: invalid start byte",
            id="undecodable",
        ),
        pytest.param(
            unreadable,
            "[Errno 5] Input/output error",
            id="unreadable",
            marks=pytest.mark.skipif(
                not Path("/proc/self/mem").exists() and "CI" not in os.environ,
                reason="needs the /proc of Linux",
            ),
        ),
    ],
)
def test_a_dotenv_that_cannot_be_read_is_one_error(
    make: Callable[[Path], object], why: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is reported once, with its path, and the other problems beside it."""
    make(Path(".env"))
    monkeypatch.setenv("CORS_MAX_AGE", "soon")
    with pytest.raises(ConfigurationError) as caught:
        main({}, log_requests="maybe")
    assert caught.value.problems == (
        Problem(
            ".env",
            None,
            Source(".env", f"{tmp_path}/.env"),
            f"expected a readable text file in UTF-8 ({why})",
        ),
        Problem("cors_max_age", "soon", Source("environment", key="CORS_MAX_AGE"), A_NUMBER),
        Problem("log_requests", "maybe", Source("local_conf", key="log_requests"), A_BOOLEAN),
    )


def test_a_line_of_dotenv_that_says_nothing_is_warned_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """python-dotenv skips it with a warning, one for a filter, and the other lines count."""
    Path(".env").write_text("= x\nCORS_MAX_AGE=7\nOTHER\n", encoding="utf-8")
    [(settings, sources, _)] = load([CORSSettings], {}, {})
    assert settings.cors_max_age == 7
    assert list(sources) == ["cors_max_age"]
    assert [record.getMessage() for record in caplog.records] == [
        "python-dotenv could not parse statement starting at line 1"
    ]


@pytest.mark.parametrize(
    "line", ["REQUEST_ID_TRUST: false", "REQUEST_ID_TRUST", "export REQUEST_ID_TRUST"]
)
def test_a_line_of_dotenv_without_a_value_is_an_error_for_an_option_of_ours(
    line: str, tmp_path: Path
) -> None:
    """python-dotenv would skip it, and the default would be in effect."""
    Path(".env").write_text(f"\nOTHER\n{line}\n", encoding="utf-8")
    assert lines_of(lambda: request_id({})) == [
        f"{tmp_path}/.env REQUEST_ID_TRUST: expected REQUEST_ID_TRUST=VALUE in line 3"
    ]


@pytest.mark.parametrize(
    "make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to(path)], ids=["dir", "FIFO", "loop"]
)
def test_a_dotenv_that_is_no_regular_file_is_ignored(make: Callable[[Path], object]) -> None:
    """A directory of that name is usually a virtual environment."""
    make(Path(".env"))
    [(_, sources, _)] = load([CORSSettings], {}, {})
    assert sources == {}


def test_a_working_directory_that_may_not_be_searched_has_no_dotenv(tmp_path: Path) -> None:
    """As after ``sudo -u app pserve …`` in the closed home directory of another user."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / ".env").write_text("CORS_MAX_AGE=7\n", encoding="utf-8")
    program = """
        import os, sys
        from wsgi_mw_paste import CORSSettings
        import environs
        os.chdir(sys.argv[1])
        if os.getuid() == 0:
            os.setuid(65534)
        else:
            os.chmod(".", 0)
        print(CORSSettings.from_environment().cors_max_age)
    """
    run = subprocess.run(
        [sys.executable, "-c", dedent(program), str(closed)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    assert run.stdout == "600\n"


def test_dotenv_is_read_in_the_working_directory_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither a directory above nor the one of the INI file is searched."""
    for place in (tmp_path, tmp_path / "work" / "ini"):
        place.mkdir(parents=True, exist_ok=True)
        (place / ".env").write_text("CORS_MAX_AGE=7\n", encoding="utf-8")
    ini = write_ini("[filter:cors]\nuse = egg:wsgi_mw_paste#cors\n", "work/ini/test.ini")
    monkeypatch.chdir("work")
    [(_, sources, _)] = read_section(ini, "cors")
    assert sources == {}


def test_a_working_directory_that_is_gone_has_no_dotenv(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Deployments replace the directory under a running server, which reloads all the same."""
    Path("gone").mkdir()
    monkeypatch.chdir("gone")
    (tmp_path / "gone").rmdir()
    [(_, sources, _)] = load([CORSSettings], {}, {})
    assert sources == {}


def test_the_environment_of_the_process_is_left_alone() -> None:
    """What ``.env`` says is not written into ``os.environ``."""
    Path("key").write_text(SECRET, encoding="utf-8")
    Path(".env").write_text("CORS_MAX_AGE=7\nLOG_TOKENS_KEY_FILE=key\n", encoding="utf-8")
    before = dict(os.environ)
    loaded = load([CORSSettings, RequestIdSettings], {}, {})
    assert (loaded[0].settings.cors_max_age, loaded[1].settings.log_tokens_key) == (7, SECRET)
    assert dict(os.environ) == before


def test_the_environment_is_read_anew_by_every_factory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered from one call to the next."""
    ages = []
    for age in ("1", "2"):
        Path(".env").write_text(f"CORS_MAX_AGE={age}\n", encoding="utf-8")
        ages.append(load([CORSSettings], {}, {})[0].settings.cors_max_age)
    monkeypatch.setenv("CORS_MAX_AGE", "3")
    ages.append(load([CORSSettings], {}, {})[0].settings.cors_max_age)
    assert ages == [1, 2, 3]


def test_importing_reads_no_environment(tmp_path: Path) -> None:
    """No variable of ours is looked at before a factory or a constructor runs, and no .env."""
    Path(".env").write_text("CORS_MAX_AGE=broken\n", encoding="utf-8")
    program = """
        import os, sys

        class Recorder(dict):
            def __getitem__(self, name):
                seen.append(name)
                return super().__getitem__(name)

            def get(self, name, default=None):
                seen.append(name)
                return super().get(name, default)

            def __contains__(self, name):
                seen.append(name)
                return super().__contains__(name)

        def opened(event, arguments):
            if event == "open":
                seen.append(os.path.basename(str(arguments[0])))

        seen = []
        os.environ = Recorder(os.environ)
        sys.addaudithook(opened)
        import wsgi_mw_paste.factories
        print(*sorted(set(seen) & {*sys.argv[1:], ".env"}), "imported")
        try:
            wsgi_mw_paste.factories.cors({})
        except ValueError:
            print(*sorted(set(seen) & {*sys.argv[1:], ".env"}))
    """
    run = subprocess.run(
        [sys.executable, "-c", dedent(program), *VARIABLES],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    before, after = run.stdout.splitlines()
    assert before == "imported"
    assert after.split() == sorted([".env", *(name.upper() for name in options(CORSSettings))])
