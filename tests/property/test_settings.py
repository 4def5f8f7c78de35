"""Whatever an operator writes as the value of an option: it loads, or the message says what to do.

No other exception, whatever the level, and what ``check`` reports is what loads.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.ini import APP, read_section
from wsgi_mw_paste import ConfigurationError
from wsgi_mw_paste.command.check import check
from wsgi_mw_paste.factories import FACTORIES, FilterFactory
from wsgi_mw_paste.settings import Option, Settings, options

#: Every option, with the filter and the class that have it.
DECLARED: dict[str, tuple[FilterFactory, type[Settings], Option]] = {
    name: (factory, cls, declared)
    for factory in FACTORIES.values()
    if not factory.parts
    for cls in factory.settings
    for name, declared in options(cls).items()
}
WORDS = """
    true no fingerprint 0 1 600 86400 007 * GET PUT x-a Authorization X-Id traceparent /api /a/* /
    ../x https://app.example.com *.example.org https://a-*.b.example.org http://localhost:*
    moz-extension://* null xn--a.example bücher.example [::1] 1.2.3.4 1.2.3 https://a:99999 ; #
    os:getcwd os.path:exists math:nothing json: : . [a] "b" ^https?://.* %(here)s $HOME %% % , =
    [filter:other] [DEFAULT] use set
""".split()
#: Texts of all kinds, and words that options know in any order; no surrogates: files have none.
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(",\n ".join),
)
NAMES = st.sampled_from(sorted(DECLARED))


def assert_is_readable(error: ConfigurationError) -> None:
    """Fail unless it has a line for each problem, and nothing that a terminal would obey."""
    count, *lines = str(error).splitlines()
    assert len(lines) == len(error.problems) > 0
    assert all(line.isprintable() for line in [count, *lines])


@given(NAMES, TEXTS)
def test_any_text_in_a_section_loads_or_is_a_configuration_error(name: str, text: str) -> None:
    """A value that loads is in the form in which it loads again, as the same."""
    factory, cls, _ = DECLARED[name]
    try:
        [loaded] = factory.load({}, {name: text})
    except ConfigurationError as error:
        assert_is_readable(error)
    else:
        assert cls(**{name: getattr(loaded.settings, name)}) == loaded.settings


@given(NAMES, TEXTS)
def test_any_text_in_the_environment_loads_or_is_a_configuration_error(
    name: str, text: str
) -> None:
    """As in a section, but that an empty text, or only whitespace, is no value."""
    factory, _, declared = DECLARED[name]
    assume("\0" not in text)  # The operating system refuses it.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(declared.variable, text)
        try:
            [loaded] = factory.load({}, {})
        except ConfigurationError as error:
            assert_is_readable(error)
        else:
            assert (loaded.sources == {}) is (not text.strip() and not declared.is_list)


@given(st.one_of(st.binary(max_size=80), st.builds("{}={}".format, NAMES.map(str.upper), TEXTS)
                 .map(str.encode)))  # fmt: skip
@example(b"CORS_MAX_AGE=\xff")
@example(b"\xef\xbb\xbfCORS_MAX_AGE=1")
def test_any_bytes_in_dotenv_load_or_are_a_configuration_error(content: bytes) -> None:
    """A file that cannot be read is said to be so, and not passed over."""
    Path(".env").write_bytes(content)
    for factory in FACTORIES.values():
        try:
            factory.load({}, {})
        except ConfigurationError as error:
            assert_is_readable(error)


@given(NAMES, TEXTS)
@example("cors_allowed", "%(here)s")
def test_what_check_reports_is_what_loads(name: str, text: str) -> None:
    """An error if it does not load; and else values that load to the same settings."""
    factory, cls, declared = DECLARED[name]
    path = Path("x.ini").absolute()
    path.write_text(
        f"[pipeline:main]\npipeline = {factory.name} hello\n[filter:{factory.name}]\n"
        f"use = egg:wsgi_mw_paste#{factory.name}\n{name} = {text}\n{APP}",
        encoding="utf-8",
    )
    report = check(str(path))
    document: Any = json.loads(json.dumps(report.as_json()))
    try:
        [loaded] = read_section(path, factory.name)
    except Exception:  # noqa: BLE001 -- PasteDeploy's own as well
        assert report.status() == 2
        return
    found = {option["option"]: option["value"] for option in document["pipeline"]["options"]}
    assert found.keys() == options(cls).keys()
    assert not declared.secret or found[name] in ("***", "")
    shown = {key: value for key, value in found.items() if not options(cls)[key].secret}
    secret = {key: getattr(loaded.settings, key) for key in found.keys() - shown.keys()}
    assert cls(**shown, **secret) == loaded.settings
