"""The INI file, read again: messages name the section of a value, and no message gets lost."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.ini import A_NUMBER, lines_of, load_file, read_section, write_ini
from wsgi_mw_paste import ConfigurationError, Problem
from wsgi_mw_paste._ini import IniFile, IniFiles, Section, Source
from wsgi_mw_paste.factories import FACTORIES, cors

if TYPE_CHECKING:
    from collections.abc import Callable

USE = "use = egg:wsgi_mw_paste#cors"


# The section of a value.


@pytest.mark.parametrize(
    ("text", "place"),
    [
        *(
            pytest.param(f"[filter:cors]\nuse = {use}\ncors_max_age = x", "[filter:cors]", id=use)
            for use in (
                "egg:wsgi_mw_paste#cors",
                "egg:wsgi-mw-paste#cors",
                "EGG:WSGI_Mw-Paste#cors",
                "call:wsgi_mw_paste.factories:cors",
                "Call:wsgi_mw_paste.factories:cors",
                "config:%(here)s/other.ini#shared",
                "config:other.ini#shared",
                "config:.\\other.ini#shared",
                "%(loader)s:other.ini#shared",
            )
        ),
        pytest.param(
            "[filter:cors]\npaste.filter_factory = wsgi_mw_paste.factories:cors\ncors_max_age = x",
            "[filter:cors]",
            id="paste.filter_factory",
        ),
        pytest.param(
            f"[filter:cors]\nuse = base\n[filter:base]\n{USE}\ncors_max_age = x",
            "[filter:base]",
            id="the section that is used",
        ),
        pytest.param(
            f"[filter:cors]\nuse = base\ncors_max_age = x\n[filter:base]\n{USE}\ncors_max_age = 1",
            "[filter:cors]",
            id="the section that overrides",
        ),
        pytest.param(
            f"[filter:cors]\nuse = b\ncors_max_age = x\n[filter:b]\nuse = c\n[filter:c]\n{USE}",
            "[filter:cors]",
            id="the section that uses one that uses another",
        ),
        pytest.param(
            f"[filter: cors]\nuse = base\n[filter: base]\n{USE}\ncors_max_age = x",
            "[filter: base]",
            id="a blank in the section",
        ),
        pytest.param(
            f"[DEFAULT]\nage = x\n[filter:cors]\n{USE}\ncors_max_age = %(age)s",
            "[filter:cors]",
            id="interpolation",
        ),
    ],
)
def test_a_message_names_the_section_of_a_value(text: str, place: str) -> None:
    """However the section says which filter it is."""
    write_ini(f"[filter:shared]\n{USE}\n", "other.ini")
    ini = write_ini(text + "\n")
    assert lines_of(lambda: read_section(ini, "cors", loader="config")) == [
        f"{ini} {place} cors_max_age = 'x': {A_NUMBER}"
    ]


def test_a_message_names_a_filter_app() -> None:
    """A ``[filter-app:]`` is the filter's section, too."""
    ini = write_ini(
        f"[filter-app:main]\nnext = hello\n{USE}\ncors_max_age = x\n[filter:cors]\n{USE}\n"
    )
    assert lines_of(lambda: load_file(ini)) == [
        f"{ini} [filter-app:main] cors_max_age = 'x': {A_NUMBER}"
    ]


def test_a_message_names_the_section_of_main() -> None:
    """``egg:`` without ``#name`` is the entry point ``main``."""
    ini = write_ini("[filter:all]\nuse = egg:wsgi_mw_paste\ncors_max_age = x\n")
    assert lines_of(lambda: read_section(ini, "main", "all")) == [
        f"{ini} [filter:all] cors_max_age = 'x': {A_NUMBER}"
    ]


def test_a_message_names_the_section_that_gets_a_global_value() -> None:
    """``get NAME = OTHER`` is how a section takes a global value of another name."""
    ini = write_ini(f"[DEFAULT]\nage = x\n[filter:cors]\n{USE}\nget cors_max_age = age\n")
    assert lines_of(lambda: read_section(ini, "cors")) == [
        f"{ini} [filter:cors] cors_max_age = 'x': {A_NUMBER}"
    ]


@pytest.mark.parametrize(
    ("others", "place"),
    [
        pytest.param(
            f"[filter:other]\n{USE}\ncors_max_age = x",
            "[filter:cors] or [filter:other]",
            id="the same value",
        ),
        pytest.param(
            f"[filter:other]\n{USE}\ncors_max_age = y", "[filter:cors]", id="another value"
        ),
        pytest.param(
            f"[filter:other]\n{USE}\nx = y\ncors_max_age = %(x)s",
            "[filter:cors]",
            id="another value by interpolation",
        ),
        pytest.param(
            "[filter:other]\nuse = egg:wsgi_mw_paste#errors\ncors_max_age = x",
            "[filter:cors]",
            id="another entry point",
        ),
        pytest.param(
            "[filter:other]\nuse = egg:wsgi_mw_paste_2#cors\ncors_max_age = x",
            "[filter:cors]",
            id="another distribution",
        ),
        pytest.param("[app:other]\nuse = egg:x\ncors_max_age = x", "[filter:cors]", id="an app"),
        pytest.param(
            "[filter:other]\nuse = other\ncors_max_age = x", "[filter:cors]", id="a circle"
        ),
        pytest.param("[filter:other]\ncors_max_age = x", "[filter:cors]", id="no use"),
        pytest.param(
            f"[filter:other]\n{USE}\ncors_max_age = %(missing)s",
            "[filter:cors]",
            id="nothing to interpolate",
        ),
    ],
)
def test_a_message_names_all_sections_that_may_be_meant(others: str, place: str) -> None:
    """PasteDeploy does not say which section it is; those with the very value are named."""
    ini = write_ini(f"[filter:cors]\n{USE}\ncors_max_age = x\n{others}\n")
    assert lines_of(lambda: read_section(ini, "cors")) == [
        f"{ini} {place.format(ini=ini)} cors_max_age = 'x': {A_NUMBER}"
    ]


def test_default_wins_over_the_command_line_inside_a_value() -> None:
    """So the section whose value has the variable of the command line is not the one."""
    ini = write_ini(
        f"""
        [DEFAULT]
        age = x
        [filter:cors]
        {USE}
        cors_max_age = %(age)s
        [filter:other]
        {USE}
        cors_max_age = y
        """
    )
    assert lines_of(lambda: read_section(ini, "cors", age="y")) == [
        f"{ini} [filter:cors] cors_max_age = 'x': {A_NUMBER}"
    ]


def test_a_message_names_the_file_alone_if_the_section_is_gone() -> None:
    """What is known of the sections may be older than the file."""
    ini = write_ini("")
    sections = [Section(str(ini), "filter:gone")]
    conf = {"__file__": str(ini)}
    assert lines_of(
        lambda: FACTORIES["cors"].load(conf, {"cors_max_age": "x"}, sections=sections)
    ) == [f"{ini} cors_max_age = 'x': {A_NUMBER}"]


@pytest.mark.parametrize("prefix", ["app", "application", "filter"])
def test_a_message_names_the_section_of_the_probes(prefix: str) -> None:
    """They are a filter and an application, which PasteDeploy knows under two names."""
    ini = write_ini(
        f"[{prefix}:health]\nuse = egg:wsgi_mw_paste#health\nhealth_cache = x\n"
        "[app:other]\nuse = egg:other\nhealth_cache = x\n"
    )
    conf = {"__file__": str(ini)}
    assert lines_of(lambda: FACTORIES["health"].load(conf, {"health_cache": "x"})) == [
        (f"{ini} [{prefix}:health] health_cache = 'x': expected a number of seconds from 0 to 3600")
    ]


def test_a_message_names_the_section_although_the_file_has_changed() -> None:
    """If no section has the very value, those with the option are named."""
    ini = write_ini(f"[filter:cors]\n{USE}\ncors_max_age = %(missing)s\n")
    assert lines_of(lambda: cors({"__file__": str(ini)}, cors_max_age="x")) == [
        f"{ini} [filter:cors] cors_max_age = 'x': {A_NUMBER}"
    ]


@pytest.mark.parametrize(("section", "value"), [("here", "sub"), ("file", "sub/other.ini")])
def test_here_and_file_are_those_of_the_file_they_stand_in(
    section: str, value: str, tmp_path: Path
) -> None:
    """In a file that another one uses, they are not what the factory gets as global values."""
    Path("sub").mkdir()
    other = write_ini(
        f"""
        [filter:here]
        {USE}
        cors_max_age = %(here)s
        [filter:file]
        {USE}
        cors_max_age = %(__file__)s
        """,
        "sub/other.ini",
    )
    ini = write_ini(f"[filter:cors]\nuse = config:sub/other.ini#{section}\n")
    assert lines_of(lambda: read_section(ini, "cors")) == [
        f"{other} [filter:{section}] cors_max_age = '{tmp_path / value}': {A_NUMBER}"
    ]


def own(global_conf: dict[str, str], /, **local_conf: str) -> object:
    """Make a filter of ours; a ``paste.filter_factory`` that this package knows nothing of."""
    return cors(global_conf, **local_conf)


def test_a_message_names_only_the_file_if_no_section_fits() -> None:
    """A factory of the user's own may call ours, and then its sections are not recognized."""
    ini = write_ini(
        """
        [pipeline:main]
        pipeline = cors hello
        [filter:cors]
        paste.filter_factory = tests.test_ini:own
        cors_max_age = x
        """
    )
    assert lines_of(lambda: load_file(ini)) == [f"{ini} cors_max_age = 'x': {A_NUMBER}"]


def test_a_message_names_the_place_of_a_global_value() -> None:
    """``set`` in any section, [DEFAULT] in any file; what is in neither is the command line's."""
    write_ini(
        f"""
        [DEFAULT]
        cors_max_age = x
        [pipeline:main]
        pipeline = cors hello
        set cors_allow_credentials = x
        [filter:cors]
        {USE}
        """,
        "other.ini",
    )
    outer = write_ini("[app:main]\nuse = config:other.ini\n")
    assert lines_of(lambda: load_file(outer, cors_tolerate_insecure_origins="x")) == [
        (
            f"{outer.parent}/other.ini [pipeline:main] set cors_allow_credentials = 'x':"
            " expected true or false"
        ),
        f"{outer.parent}/other.ini [DEFAULT] cors_max_age = 'x': {A_NUMBER}",
        "command line cors_tolerate_insecure_origins = 'x': expected true or false",
    ]


# Files that cannot be read again.


def make_pipe(path: Path) -> None:
    """Put a pipe in the place of a file; nothing is ever written to it."""
    path.unlink()
    os.mkfifo(path)


def make_directory(path: Path) -> None:
    """Put a directory in the place of a file."""
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(Path.unlink, id="deleted"),
        pytest.param(make_directory, id="directory"),
        pytest.param(make_pipe, id="pipe"),
        pytest.param(lambda path: path.write_text("", "utf-8"), id="empty"),
        pytest.param(lambda path: path.write_text("no section", "utf-8"), id="broken"),
        pytest.param(lambda path: path.write_text("[filter:cors]\nx", "utf-8"), id="no value"),
        pytest.param(lambda path: path.write_bytes(b"[\xff\x00]\n\xfe"), id="undecodable"),
        pytest.param(lambda path: path.write_bytes(b"\xef\xbb\xbf[x]\n"), id="byte order mark"),
    ],
)
def test_a_file_that_cannot_be_read_again_loses_no_message(spoil: Callable[[Path], object]) -> None:
    """It has been read once, and may be gone since: messages then name the file alone."""
    ini = write_ini("")
    spoil(ini)
    lines = lines_of(lambda: cors({"__file__": str(ini), "cors_max_age": "x"}, cors_alowed="y"))
    assert lines == [
        f"{ini} cors_alowed: unknown option; did you mean cors_allowed?",
        f"{ini} cors_max_age = 'x': {A_NUMBER}",
    ]


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(None, id="None"),
        pytest.param("", id="empty"),
        pytest.param(7, id="number"),
        pytest.param(b"test.ini", id="bytes"),
        pytest.param(["test.ini"], id="list"),
        pytest.param(Path("test.ini"), id="Path"),
    ],
)
def test_a_file_that_is_no_text_loses_no_message(file: object) -> None:
    """Who calls a factory from Python may have put anything there."""
    write_ini("")
    lines = lines_of(lambda: cors({"__file__": file, "cors_max_age": "x"}, cors_max_ages="y"))
    assert lines == [
        "local_conf cors_max_ages: unknown option; did you mean cors_max_age?",
        f"global_conf cors_max_age = 'x': {A_NUMBER}",
    ]


@pytest.mark.parametrize("file", ["no such file", "nul\0", "x" * 5000, "/", "a\nb"])
def test_a_file_that_is_no_file_loses_no_message(file: str) -> None:
    """What cannot be the name of a file is only repeated."""
    with pytest.raises(ConfigurationError) as caught:
        cors({"__file__": file}, cors_max_age="x")
    assert caught.value.problems == (
        Problem("cors_max_age", "x", Source("section", file, (), "cors_max_age"), A_NUMBER),
    )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[app:x]\nuse = config:test.ini", id="itself"),
        pytest.param("[app:x]\nuse = config:loop/test.ini", id="itself through a link"),
        pytest.param("[filter:a]\nuse = b\n[filter:b]\nuse = a", id="sections"),
        pytest.param("[filter:a]\nuse = config:test.ini#a", id="sections through config:"),
        pytest.param("[DEFAULT]\na = %(b)s\nb = %(a)s\n[app:x]\ny = %(a)s", id="interpolation"),
        pytest.param("[app:x]\nuse = config:" + " config:".join(map(str, range(99))), id="many"),
    ],
)
def test_circles_in_a_file_lose_no_message(text: str) -> None:
    """Also those in sections that are never loaded: the search has an end."""
    Path("loop").symlink_to(".")
    ini = write_ini(f"[filter:cors]\n{USE}\ncors_max_age = x\n{text}\n")
    [line] = lines_of(lambda: cors({"__file__": str(ini)}, cors_max_age="x"))
    assert line.startswith(f"{ini} [filter:cors]")


def test_sections_that_use_each_other_in_circles_take_linear_time() -> None:
    """Each section is looked at once; all ways through thirty of them would have no end."""
    blanks = "\n".join(f"[filter:{' ' * width}a]\nuse = a" for width in range(30))
    ini = write_ini(f"{blanks}\n[filter:cors]\n{USE}\ncors_max_age = x\n")
    assert lines_of(lambda: read_section(ini, "cors")) == [
        f"{ini} [filter:cors] cors_max_age = 'x': {A_NUMBER}"
    ]


def test_a_search_reads_a_hundred_files() -> None:
    """More than any deployment has; a file may refer to thousands."""
    ini = write_ini("[app:x]\n" + "\n".join(f"{number} = config:{number}" for number in range(200)))
    assert [file.path for file in IniFiles().reachable(str(ini))] == [
        str(ini),
        *(str(ini.parent / str(number)) for number in range(99)),
    ]


def test_a_file_that_is_missing_is_empty() -> None:
    """It is no error: all that is asked of it has the answer that there is none."""
    file = IniFile("/missing.ini")
    assert (file.text, file.error, file.sections) == ("", None, {})
    assert (file.value("app:x", "use"), file.line("app:x")) == (None, None)


# Lines.


def test_a_line_is_found_by_section_key_and_item() -> None:
    """Of the section's header, of the key, or of the item where it is on a line of its own."""
    path = Path("lines.ini").absolute()
    path.write_text(
        "# cors_allowed = https://comment.example\n[filter:cors]\nget cors_max_age = age\n"
        "cors_allowed =\n    https://a.example,\n    # no\n    https://b.example\n"
        "[filter:]other]\ncors_allowed : https://a.example\n",
        encoding="utf-8",
    )
    file = IniFile(str(path))
    assert [
        file.line("filter:cors"),
        file.line("filter:cors", "cors_max_age"),
        file.line("filter:cors", "cors_allowed"),
        file.line("filter:cors", "cors_allowed", "https://a.example"),
        file.line("filter:cors", "cors_allowed", "https://b.example"),
        file.line("filter:cors", "cors_allowed", "https://c.example"),
        file.line("filter:]other", "cors_allowed"),
        file.line("filter:none"),
        file.line("filter:cors", "none"),
    ] == [2, 3, 4, 5, 7, 4, 9, None, None]


def test_what_is_commented_out_is_neither_a_key_nor_an_item() -> None:
    """Both characters begin a comment, indented as well, and one blank continues a value."""
    path = Path("comments.ini").absolute()
    path.write_text(
        "[filter:cors]\n;a = 1\n#b = 1\nc =\n x:1\n#d = 1\n  # e = no\n  ;f = no\n y:1\n",
        encoding="utf-8",
    )
    file = IniFile(str(path))
    assert file.keys("filter:cors") == [("", 1), ("c", 4)]
    assert [file.line("filter:cors", "c", item) for item in ("x:1", "y:1", "no")] == [5, 9, 4]


def test_a_line_of_dotenv_is_found_by_its_name() -> None:
    """Such a file has no sections; ``export`` is the shell's."""
    path = Path(".env").absolute()
    path.write_text("A=1\nexport B=2\n", encoding="utf-8")
    file = IniFile(str(path))
    assert (file.line("", "A"), file.line("", "B"), file.line("", "C")) == (1, 2, None)
