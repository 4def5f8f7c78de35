"""The INI file, read again: values that PasteDeploy drops because of [DEFAULT] are found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.ini import lines_of, load_file, read_section, write_ini

if TYPE_CHECKING:
    from collections.abc import Mapping

USE = "use = egg:wsgi_mw_paste#cors"


def hidden(place: str, text: str = "1", key: str = "cors_max_age") -> str:
    """Return the line about a value that [DEFAULT] hides."""
    return (
        f"{place} {key} = {text!r}: PasteDeploy ignores this value because [DEFAULT] also sets"
        f" {key}; write set {key} = … here or remove it from [DEFAULT]"
    )


@pytest.mark.parametrize(
    ("files", "command_line", "expected"),
    [
        pytest.param(
            {
                "test.ini": f"""
                [DEFAULT]
                cors_max_age = 2
                [filter:cors]
                {USE}
                cors_max_age = 1
                """
            },
            {},
            [hidden("{here}/test.ini [filter:cors]")],
            id="plain",
        ),
        pytest.param(
            {
                "test.ini": f"""
                [DEFAULT]
                cors_max_age = 1
                [filter:cors]
                {USE}
                cors_max_age = 1
                """
            },
            {},
            [hidden("{here}/test.ini [filter:cors]")],
            id="the same value, today",
        ),
        pytest.param(
            {
                "test.ini": f"""
                [DEFAULT]
                CORS_MAX_AGE = 2
                [filter:cors]
                {USE}
                CORS_MAX_AGE = 1
                """
            },
            {},
            [hidden("{here}/test.ini [filter:cors]", key="CORS_MAX_AGE")],
            id="upper case",
        ),
        pytest.param(
            {
                "test.ini": f"""
                [DEFAULT]
                cors_max_age = 2
                [filter:cors]
                use = base
                [filter:base]
                {USE}
                cors_max_age = 1
                """
            },
            {},
            [hidden("{here}/test.ini [filter:base]")],
            id="in the section that is used",
        ),
        pytest.param(
            {
                "test.ini": f"""
                [DEFAULT]
                cors_max_age = 2
                [filter:cors]
                use = base
                cors_max_age = 1
                [filter:base]
                {USE}
                """
            },
            {},
            [hidden("{here}/test.ini [filter:cors]")],
            id="in the section that uses another",
        ),
        pytest.param(
            {
                "test.ini": """
                [DEFAULT]
                cors_max_age = 2
                [filter:cors]
                use = config:other.ini#shared
                """,
                "other.ini": f"""
                [filter:shared]
                {USE}
                cors_max_age = 1
                """,
            },
            {},
            [hidden("{here}/other.ini [filter:shared]")],
            id="config:, the section is in the other file",
        ),
        pytest.param(
            {
                "test.ini": """
                [DEFAULT]
                cors_max_age = 2
                [filter:cors]
                use = config:other.ini
                cors_max_age = 1
                """,
                "other.ini": f"""
                [filter:main]
                {USE}
                """,
            },
            {},
            [hidden("{here}/test.ini [filter:cors]")],
            id="config:, the section is in this file",
        ),
        pytest.param(
            {
                "test.ini": """
                [filter:cors]
                use = config:other.ini#shared
                """,
                "other.ini": f"""
                [DEFAULT]
                cors_max_age = 2
                [filter:shared]
                {USE}
                cors_max_age = 1
                """,
            },
            {},
            [hidden("{here}/other.ini [filter:shared]")],
            id="config:, both are in the other file",
        ),
        pytest.param(
            {
                "test.ini": """
                [DEFAULT]
                cors_max_age = 2
                [filter:cors]
                use = config:more%%20files/b.ini#b
                """,
                "more files/b.ini": """
                [filter:b]
                use = Config:%(here)s/../c.ini#c
                """,
                "c.ini": f"""
                [filter:c]
                {USE}
                cors_max_age = 1
                """,
            },
            {},
            [hidden("{here}/c.ini [filter:c]")],
            id="config: of config:, a blank in the path",
        ),
        pytest.param(
            {
                "test.ini": """
                [DEFAULT]
                cors_max_age = 2
                [filter:cors]
                use = config:more files/b.ini#b
                """,
                "more files/b.ini": f"""
                [filter:b]
                {USE}
                cors_max_age = 1
                """,
            },
            {},
            [hidden("{here}/more files/b.ini [filter:b]")],
            id="config:, a blank in the path as it is",
        ),
        pytest.param(
            {
                "test.ini": f"""
                [DEFAULT]
                cors_max_age = 2
                [filter:cors]
                {USE}
                [filter:public]
                {USE}
                cors_max_age = 1
                [filter:admin]
                {USE}
                cors_max_age = 3
                """
            },
            {},
            [
                hidden("{here}/test.ini [filter:public]"),
                hidden("{here}/test.ini [filter:admin]", "3"),
            ],
            id="in the sections of other instances",
        ),
        pytest.param(
            {
                "test.ini": f"""
                [DEFAULT]
                cors_max_age = %(age)s0
                age = 2
                [filter:cors]
                {USE}
                cors_max_age = %(age)s1
                """
            },
            {},
            [hidden("{here}/test.ini [filter:cors]", "%(age)s1")],
            id="interpolation",
        ),
        pytest.param(
            {
                "test.ini": f"""
                [DEFAULT]
                cors_max_age = %(age)s0
                [filter:cors]
                {USE}
                cors_max_age = 1
                """
            },
            {"age": "2"},
            [hidden("{here}/test.ini [filter:cors]")],
            id="interpolation of the command line",
        ),
        pytest.param(
            {
                "test.ini": f"""
                [DEFAULT]
                age = 2
                cors_max_age = %(age)s0
                [filter:cors]
                {USE}
                cors_max_age = 1
                """
            },
            {"age": "3"},
            [hidden("{here}/test.ini [filter:cors]")],
            id="interpolation in spite of the command line",
        ),
        pytest.param(
            {
                "test.ini": f"""
                [DEFAULT]
                cors_allowed = https://a.example
                [filter-app:cors]
                {USE}
                next = hello
                cors_allowed = https://b.example
                [filter:cors]
                use = call:wsgi_mw_paste.factories:cors
                cors_allowed = https://c.example
                [filter:other]
                paste.filter_factory = wsgi_mw_paste.factories:cors
                cors_allowed = https://d.example
                """
            },
            {},
            [
                hidden(f"{{here}}/test.ini [{section}]", f"https://{host}.example", "cors_allowed")
                for section, host in [
                    ("filter-app:cors", "b"),
                    ("filter:cors", "c"),
                    ("filter:other", "d"),
                ]
            ],
            id="every way to use the filter",
        ),
    ],
)
def test_a_value_that_default_hides_is_an_error(
    files: Mapping[str, str], command_line: Mapping[str, str], expected: list[str], tmp_path: Path
) -> None:
    """PasteDeploy drops a section's option silently if [DEFAULT] has one of that name."""
    for name, text in files.items():
        Path(name).parent.mkdir(exist_ok=True)
        write_ini(text, name)
    lines = lines_of(lambda: read_section(tmp_path / "test.ini", "cors", **command_line))
    assert lines == [line.format(here=tmp_path) for line in expected]


@pytest.mark.parametrize(
    ("text", "command_line", "level", "age"),
    [
        pytest.param(
            f"""
            [DEFAULT]
            cors_max_age = 2
            [filter:cors]
            {USE}
            cors_max_age = 1
            """,
            {"cors_max_age": "3"},
            "command line",
            3,
            id="the command line",
        ),
        pytest.param(
            f"""
            [filter:cors]
            {USE}
            cors_max_age = 1
            """,
            {"cors_max_age": "3"},
            "command line",
            3,
            id="the command line without [DEFAULT]",
        ),
        pytest.param(
            f"""
            [filter:cors]
            {USE}
            cors_max_age = 3
            """,
            {"cors_max_age": "3"},
            "command line",
            3,
            id="the command line with the section's own value",
        ),
        pytest.param(
            f"""
            [DEFAULT]
            cors_max_age = 2
            [filter:cors]
            {USE}
            set cors_max_age = 3
            [filter:other]
            {USE}
            cors_max_age = 1
            """,
            {},
            "set",
            3,
            id="set",
        ),
        pytest.param(
            f"""
            [DEFAULT]
            cors_max_age = 3
            [filter:cors]
            {USE}
            cors_allowed =
            """,
            {},
            "[DEFAULT]",
            3,
            id="[DEFAULT] alone",
        ),
        pytest.param(
            f"""
            [DEFAULT]
            cors_max_age = 3
            [filter:cors]
            {USE}
            [filter:main]
            use = egg:wsgi_mw_paste
            cors_max_age = 1
            [filter:another]
            use = egg:PasteDeploy#prefix
            cors_max_age = 1
            [app:cors]
            {USE}
            cors_max_age = 1
            """,
            {},
            "[DEFAULT]",
            3,
            id="sections of other filters and applications",
        ),
        pytest.param(
            f"""
            [DEFAULT]
            age = 3
            cors_max_age = 2
            [filter:cors]
            {USE}
            get cors_max_age = age
            [filter:other]
            {USE}
            cors_max_age = 1
            """,
            {},
            "section",
            3,
            id="get",
        ),
    ],
)
def test_what_default_does_not_hide_is_no_error(
    text: str, command_line: Mapping[str, str], level: str, age: int
) -> None:
    """The command line and ``set`` may win, and [DEFAULT] may be the only one to say a thing."""
    [(settings, sources, _)] = read_section(write_ini(text), "cors", **command_line)
    assert (settings.cors_max_age, sources["cors_max_age"].level) == (age, level)


def test_a_hidden_value_behind_an_application_of_another_file_is_found() -> None:
    """Also where the file that the server was given only refers to the one with the pipeline."""
    write_ini(
        f"""
        [pipeline:main]
        pipeline = cors hello
        [filter:cors]
        {USE}
        cors_max_age = 1
        """,
        "other.ini",
    )
    outer = write_ini("[DEFAULT]\ncors_max_age = 2\n[app:main]\nuse = config:other.ini\n")
    assert lines_of(lambda: load_file(outer)) == [hidden(f"{outer.parent}/other.ini [filter:cors]")]


def test_a_hidden_value_behind_an_inline_name_is_found() -> None:
    """A pipeline may name the filter of another file directly."""
    write_ini(f"[filter:public]\n{USE}\ncors_max_age = 1\n", "other.ini")
    outer = write_ini(
        """
        [DEFAULT]
        cors_max_age = 2
        [pipeline:main]
        pipeline = config:other.ini#public hello
        """
    )
    assert lines_of(lambda: load_file(outer)) == [
        hidden(f"{outer.parent}/other.ini [filter:public]")
    ]
