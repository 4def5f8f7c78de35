"""The options of the filter ``health``: what is accepted, and what is said of the rest."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from tests.health import Scripted, probe
from tests.ini import lines_of, load_file, load_ini, write_ini
from tests.wsgi import call, hello, make_environ
from wsgi_mw_paste import ConfigurationError, HealthMiddleware, HealthSettings

if TYPE_CHECKING:
    from collections.abc import Iterator


SHOP = """
    import functools

    def database(): ...
    def queue(timeout=2, *more, **options): ...
    def needs(engine, url, timeout=2): ...
    def needs_by_name(*, engine): ...
    async def coroutine(): ...
    def generator(): yield
    URL = "postgresql://"

    class Check:
        def __call__(self): return False
        @staticmethod
        def static(): ...

    class AsyncCheck:
        async def __call__(self): ...

    instance = Check()
    async_instance = AsyncCheck()
    bound = functools.partial(needs, 1, 2)
    unbound = functools.partial(needs, 1)
"""


@pytest.fixture(autouse=True)
def _shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Write modules with checks, good and bad, where Python finds them."""
    package = Path("shop")
    package.mkdir()
    for name, text in {
        "__init__": "",
        "health": SHOP,
        "raises": "raise LookupError('no such key')",
        "misses": "import shop.missing_driver",
        "broken": "def database(:",
        "lazy": "def __getattr__(name): raise RuntimeError(name)",
    }.items():
        package.joinpath(f"{name}.py").write_text(dedent(text), encoding="utf-8")
    monkeypatch.syspath_prepend(Path.cwd())
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]


def section(*lines: str) -> str:
    """Return an INI file with the filter and these options."""
    return "\n".join(
        [
            "[pipeline:main]",
            "pipeline = health hello",
            "[filter:health]",
            "use = egg:wsgi_mw_paste#health",
            *lines,
        ]
    )


# Names of checks.


def test_names_are_resolved_and_run() -> None:
    """In the order of the list, each once; the name is that of the list."""
    names = ["shop.health:database", "shop.health:queue", "shop.health:instance"]
    app = load_ini(section(f"health_checks = {names[0]}, {names[1]} {names[0]}", f"  {names[2]}"))
    code, document = probe(app)
    assert code == 503
    assert [(check["name"], check["state"]) for check in document["checks"]] == [
        (names[0], "ok"),
        (names[1], "ok"),
        (names[2], "failed"),
    ]


@pytest.mark.parametrize("name", ["bound", "Check.static"])
def test_what_can_be_called_without_arguments_is_a_check(name: str) -> None:
    """Partial functions and attributes of attributes, too."""
    assert probe(load_ini(section(f"health_checks = shop.health:{name}")))[0] == 200


def test_a_builtin_is_accepted_that_does_not_tell_its_arguments() -> None:
    """What cannot be known is not refused."""
    assert probe(load_ini(section("health_checks = builtins:dir")))[0] == 200


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param(
            "shop.health.database",
            "expected package.module:callable; write shop.health:database",
            id="a dot for the colon",
        ),
        pytest.param("database", "expected package.module:callable", id="no module"),
        pytest.param("shop.health:", "expected package.module:callable", id="no attribute"),
        pytest.param("shop/health.py:x", "expected package.module:callable", id="a path"),
        pytest.param("shop.health:database()", "expected package.module:callable", id="a call"),
        pytest.param(".health:database", "expected package.module:callable", id="relative"),
        pytest.param("shop:a:b", "expected package.module:callable", id="two colons"),
        pytest.param(
            "shop.helth:database",
            "expected a module that can be imported; there is no shop.helth",
            id="no such module",
        ),
        pytest.param(
            "shopp.health:database",
            "expected a module that can be imported; there is no shopp",
            id="no such package",
        ),
        pytest.param(
            "shop.raises:database",
            "expected a module that can be imported; shop.raises raised LookupError: no such key",
            id="a module that raises",
        ),
        pytest.param(
            "shop.misses:database",
            "expected a module that can be imported; shop.misses raised ModuleNotFoundError:"
            " No module named 'shop.missing_driver'",
            id="a module that lacks another",
        ),
        pytest.param(
            "shop.health:databse",
            "expected an attribute of shop.health; did you mean database?",
            id="nearly an attribute",
        ),
        pytest.param(
            "shop.health:zzz",
            "expected an attribute of shop.health; it has no zzz",
            id="no such attribute",
        ),
        pytest.param(
            "shop.health:instance.zzz",
            "expected an attribute of shop.health; it has no instance.zzz",
            id="no such attribute of an attribute",
        ),
        pytest.param(
            "shop.health:instance.__cal__",
            "expected an attribute of shop.health; did you mean __call__?",
            id="nearly an attribute of an attribute",
        ),
        pytest.param(
            "shop.lazy:database",
            "expected an attribute of shop.lazy; database raised RuntimeError: database",
            id="an attribute that raises",
        ),
        pytest.param("shop.health:URL", "expected a callable; it is a str", id="a text"),
        pytest.param(
            "shop.health:needs",
            "expected a callable without required arguments; it needs engine, url",
            id="arguments",
        ),
        pytest.param(
            "shop.health:needs_by_name",
            "expected a callable without required arguments; it needs engine",
            id="a keyword argument",
        ),
        pytest.param(
            "shop.health:unbound",
            "expected a callable without required arguments; it needs url",
            id="a partial function",
        ),
        pytest.param(
            "shop.health:Check",
            "expected a function or an instance; it is a class, and calling it checks nothing",
            id="a class",
        ),
        pytest.param(
            "shop.health:coroutine",
            "expected a plain function; it is a coroutine function, and calling it checks nothing",
            id="a coroutine",
        ),
        pytest.param(
            "shop.health:async_instance",
            "expected a plain function; it is a coroutine function, and calling it checks nothing",
            id="an instance that is one",
        ),
        pytest.param(
            "shop.health:generator",
            "expected a plain function; it is a generator function, and calling it checks nothing",
            id="a generator",
        ),
    ],
)
def test_a_name_that_is_no_check_is_refused(name: str, reason: str) -> None:
    """The error says what is wrong with it, with file, section and option."""
    ini = write_ini(section(f"health_checks = {name}"))
    assert lines_of(lambda: load_file(ini)) == [
        f"{ini} [filter:health] health_checks = {name!r}: {reason}"
    ]


def test_a_module_that_cannot_be_compiled_is_refused() -> None:
    """As one that raises; Python's own words say where."""
    [line] = lines_of(lambda: load_ini(section("health_checks = shop.broken:database")))
    assert "; shop.broken raised SyntaxError: " in line


def test_all_mistakes_are_reported_at_once() -> None:
    """One start is enough to learn of every one of them."""
    ini = write_ini(
        section(
            "health_live_path = livez",
            "health_ready_path = /ready z",
            "health_cache = -1",
            "health_checks = shop.health:zzz shop.helth:x nothing shop.health:database",
            "health_disable_file = /run/down ; maintenance",
            "health_x = 5",
        )
    )
    at = f"{ini} [filter:health]"
    found = lines_of(lambda: load_file(ini))
    path = "expected a path that starts with /, or an empty value to switch it off"
    attribute = "expected an attribute of shop.health; it has no zzz"
    module = "expected a module that can be imported; there is no shop.helth"
    file = "expected a path without a ; or # comment after it"
    assert sorted(found) == sorted(
        [
            f"{at} health_x: unknown option; did you mean health_cache?",
            f"{at} health_live_path = 'livez': {path}",
            f"{at} health_ready_path = '/ready z': {path}",
            f"{at} health_checks = 'nothing': expected package.module:callable",
            f"{at} health_checks = 'shop.health:zzz': {attribute}",
            f"{at} health_checks = 'shop.helth:x': {module}",
            f"{at} health_cache = '-1': expected a number of seconds from 0 to 3600",
            f"{at} health_disable_file = '/run/down ; maintenance': {file}",
        ]
    )


# Checks in Python.


def test_in_python_checks_are_callables_names_or_both() -> None:
    """A callable is named after its module and itself, a partial function after its function."""

    def function() -> None: ...

    class Callable:
        def __call__(self) -> None: ...
        def method(self) -> None: ...

    checks: list[Any] = [
        "shop.health:database",
        function,
        Callable(),
        Callable().method,
        functools.partial(function),
    ]
    here = f"{__name__}:test_in_python_checks_are_callables_names_or_both.<locals>"
    app = HealthMiddleware(hello, HealthSettings(health_checks=checks))
    _, document = probe(app)
    assert [check["name"] for check in document["checks"]] == [
        "shop.health:database",
        f"{here}.function",
        f"{here}.Callable",
        f"{here}.Callable.method",
        f"{here}.function",
    ]


def test_in_python_a_callable_is_looked_at_like_a_named_one() -> None:
    """The rules are the same; the error names the class."""

    def needs(engine: object) -> None: ...

    checks: list[Any] = [needs, "shop.health:zzz", Scripted]
    with pytest.raises(ConfigurationError) as caught:
        HealthSettings(health_checks=checks)
    assert [problem.reason for problem in caught.value.problems] == [
        "expected a callable without required arguments; it needs engine",
        "expected an attribute of shop.health; it has no zzz",
        "expected a function or an instance; it is a class, and calling it checks nothing",
    ]
    assert "HealthSettings health_checks" in str(caught.value)


@pytest.mark.parametrize("value", [5, [5], [None, print], {"shop.health:database": 1}, print])
def test_in_python_anything_else_is_refused(value: Any) -> None:
    """A list it must be, also of one."""
    with pytest.raises(ConfigurationError) as caught:
        HealthSettings(health_checks=value)
    assert [problem.reason for problem in caught.value.problems] == [
        "expected a list of names package.module:callable or of callables"
    ]


def test_settings_can_be_made_of_settings() -> None:
    """What is parsed once stays as it is."""
    checks = ("shop.health:database", print)
    written: dict[str, Any] = {"health_checks": checks, "health_cache": "7"}
    once = HealthSettings(**written)
    again = HealthSettings(health_checks=once.health_checks, health_cache=once.health_cache)
    assert again == once
    assert (once.health_checks, once.health_cache) == (checks, 7)


# Paths, and the rest.


@pytest.mark.parametrize(
    "path", ["livez", "/live z", "/livez ; off", "/livez?x", "/livez#x", "/l%69vez", "/lïvez", 5]
)
def test_a_path_is_written_as_in_a_url(path: Any) -> None:
    """It starts with a slash, and has nothing in it that would have to be encoded."""
    with pytest.raises(ConfigurationError) as caught:
        HealthSettings(health_live_path=path)
    [problem] = caught.value.problems
    assert problem.option == "health_live_path"
    assert (
        problem.reason == "expected a path that starts with /, or an empty value to switch it off"
    )


@pytest.mark.parametrize("path", ["/", "/livez", "/a/b-c_d.e~f", "/actuator/health:live"])
def test_a_path_may_be(path: str) -> None:
    """Any depth, and the characters that such paths have."""
    assert HealthSettings(health_live_path=path).health_live_path == path


def test_both_paths_must_differ() -> None:
    """One of the two would never be answered."""
    ini = write_ini(section("health_ready_path = /livez"))
    [line] = lines_of(lambda: load_file(ini))
    assert line == (
        f"{ini} [filter:health] health_ready_path = '/livez': expected a path other than"
        " that of health_live_path; leave one of the two empty to switch it off"
    )


def test_both_paths_may_be_off() -> None:
    """Then the filter does nothing, as it was told; an INI file may say so."""
    app = load_ini(section("health_live_path =", "health_ready_path =", "health_disable_file ="))
    for path in ("/livez", "/readyz"):
        assert call(app, make_environ(path=path)).body == b"hello"


@pytest.mark.parametrize("cache", ["-1", "3601", "1.5", "", "1s"])
def test_the_cache_is_a_number_of_seconds(cache: str) -> None:
    """From none to an hour, in whole seconds."""
    ini = write_ini(section(f"health_cache = {cache}"))
    [line] = lines_of(lambda: load_file(ini))
    assert line == (
        f"{ini} [filter:health] health_cache = {cache!r}:"
        " expected a number of seconds from 0 to 3600"
    )


def test_without_settings_they_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of checks as well."""
    monkeypatch.setenv("HEALTH_READY_PATH", "/ready")
    monkeypatch.setenv("HEALTH_CHECKS", "shop.health:database")
    code, document = probe(HealthMiddleware(hello), "/ready")
    assert (code, len(document["checks"])) == (200, 1)


def test_the_same_goes_for_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    """A section ``[app:…]`` takes the options of the filter, with the same errors."""
    ini = write_ini("[app:main]\nuse = egg:wsgi_mw_paste#health\nhealth_cach = 3\n")
    assert lines_of(lambda: load_file(ini)) == [
        f"{ini} [app:main] health_cach: unknown option; did you mean health_cache?"
    ]
    monkeypatch.setenv("HEALTH_LIVE_PATH", "/alive")
    ini = write_ini("[app:main]\nuse = egg:wsgi_mw_paste#health\n")
    assert probe(load_file(ini), "/alive")[1] == {"status": "live"}
