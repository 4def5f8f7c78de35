"""``check`` on what does nothing, or not what was meant: sections, options, variables, orders."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checking import LOGGING, WEB, check_text, said, write_module
from tests.ini import load_ini

APP = "[app:shop]\npaste.app_factory = shop:app_factory\n"
PLAIN = "[filter:plain]\npaste.filter_factory = shop:plain_filter\n"
LINE = f"[pipeline:main]\npipeline = web shop\n{APP}{WEB}{LOGGING}"


@pytest.fixture(autouse=True)
def _shop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the module that the deployments name."""
    write_module(monkeypatch)


def warnings(text: str) -> list[str]:
    """Return what is wrong with a deployment: places and messages."""
    report = check_text(text)
    return [str(finding) for finding in report.findings if finding.level != "note"]


# Filters of ours.


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        pytest.param(
            f"[pipeline:main]\npipeline = plain\n  shop\n{PLAIN}{APP}",
            "write pipeline = web plain shop in [pipeline:main]",
            id="pipeline",
        ),
        pytest.param(
            "[application:main]\nuse = call:shop:app_factory\n",
            "write filter-with = web in [application:main]",
            id="application's long name",
        ),
        pytest.param(
            "[app:main]\nuse = call:shop:app_factory\n",
            "write filter-with = web in [app:main]",
            id="application",
        ),
        pytest.param(
            f"[app:main]\nuse = call:shop:app_factory\nfilter-with = plain\n{PLAIN}",
            "write filter-with = web in [filter:plain]",
            id="application that has a filter",
        ),
        pytest.param(
            "[composite:main]\nuse = egg:Paste#urlmap\n/ = config:y.ini#shop\n",
            "write filter-with = web in [app:NAME]",
            id="none of the two",
        ),
    ],
)
def test_a_filter_that_no_pipeline_names_is_a_warning(text: str, advice: str) -> None:
    """With the line that would put it to work in this very file."""
    Path("y.ini").write_text(APP, encoding="utf-8")
    (warning,) = warnings(text + WEB)
    line = text.count("\n") + 2
    what = "no pipeline uses this filter, so it does nothing"
    assert warning == f"x.ini:{line} [filter:web]: {what}; {advice}"


@pytest.mark.parametrize(
    "use",
    [
        pytest.param("[pipeline:other]\npipeline = spare shop\n", id="another pipeline"),
        pytest.param("[filter:x]\nuse = spare\n[pipeline:o]\npipeline = x shop", id="use"),
        pytest.param("[app:other]\nuse = shop\nfilter-with = spare\n", id="filter-with"),
        pytest.param("[composite:o]\nuse = call:shop:by_auth\na = spare shop\n", id="composite"),
    ],
)
def test_a_filter_that_another_application_of_the_file_uses_is_none(use: str) -> None:
    """``--name`` chooses one of several, and the others are no mistakes."""
    assert warnings(f"{LINE}\n{use}\n{WEB.replace('filter:web', 'filter:spare')}") == []


@pytest.mark.parametrize("names", ["wbe shop", "web, shop", "web,shop"])
def test_a_filter_that_is_named_wrongly_is_no_unused_one(names: str) -> None:
    """The wrong name is an error, and that is enough."""
    (error,) = warnings(LINE.replace("web shop", names))
    assert error.startswith("x.ini:2 [pipeline:main] pipeline: ")


# Options of ours.


def test_an_option_in_the_applications_section_is_a_warning() -> None:
    """It belongs into the filter's, which is named if there is one."""
    (warning,) = warnings(LINE.replace("app_factory\n", "app_factory\ncors_allowed = a.example\n"))
    assert warning == (
        "x.ini:5 [app:shop] cors_allowed: has no effect in this section; move it to [filter:web]"
    )


@pytest.mark.parametrize(
    "section",
    [
        pytest.param("server:main", id="server"),
        pytest.param("composite:other", id="composite"),
        pytest.param("composit:other", id="composite's other name"),
        pytest.param("filter:other", id="filter of another package"),
    ],
)
def test_an_option_without_a_filter_is_a_warning(section: str) -> None:
    """The advice names what is missing."""
    (warning,) = warnings(
        f"[{section}]\nCORS_MAX_AGE = 1\nuse = egg:other\n[app:main]\nuse = shop\n{APP}"
    )
    assert warning == (
        f"x.ini:2 [{section}] CORS_MAX_AGE: has no effect in this section; move it to the section"
        " of a filter of wsgi_mw_paste"
    )


@pytest.mark.parametrize(
    "use",
    [
        "use = egg:WSGI-mw-paste#reqest_id",
        "use = call:wsgi_mw_paste.factories:reqest_id",
        "paste.filter_factory = wsgi_mw_paste.factories:reqest_id",
        "get x = y",
    ],
)
def test_options_of_a_filter_with_a_wrong_name_are_where_they_belong(use: str) -> None:
    """The name is the error; if no pipeline has the filter, that is a warning as well."""
    section = f"[filter:ids]\n{use}\nlog_tokens = false\n"
    (error,) = warnings(LINE.replace("web shop", "ids web shop") + section)
    assert "[filter:ids]" in error
    (unused,) = warnings(LINE + section)
    assert "[filter:ids]: no pipeline uses this filter" in unused


def test_options_that_others_have_too_are_left_alone() -> None:
    """Swift's proxy-logging filter has a ``log_requests`` of its own."""
    text = "[filter:log]\npaste.filter_factory = shop:plain_filter\nlog_requests = true\n"
    assert warnings(LINE.replace("web shop", "log web shop") + text)[1:] == []


@pytest.mark.parametrize(
    ("key", "near"),
    [("cors_alowed", "cors_allowed"), ("request_id_heder", "request_id_header")],
)
def test_a_near_miss_in_default_is_a_warning(key: str, near: str) -> None:
    """No filter would complain: the file may mean something of another package."""
    (warning,) = warnings(f"[DEFAULT]\n{key} = x\n{LINE}")
    assert warning == f"x.ini:2 [DEFAULT] {key}: no option has this name; did you mean {near}?"


def test_a_near_miss_after_set_is_a_warning() -> None:
    """It is as global as one in ``[DEFAULT]``; what is spelt right has an effect."""
    text = LINE.replace("shop\n", "shop\nset cors_alowed = x\nset cors_max_age = 5\n", 1)
    (warning,) = warnings(text)
    assert warning == (
        "x.ini:3 [pipeline:main] set cors_alowed: no option has this name; did you mean"
        " cors_allowed?"
    )


@pytest.mark.parametrize("key", ["cors_allow_origin", "cors_origin", "health_port", "log_level"])
def test_a_name_of_others_in_default_is_none(key: str) -> None:
    """Swift's ``cors_allow_origin`` is as near as a stranger gets."""
    assert warnings(f"[DEFAULT]\n{key} = x\n{LINE}") == []


def test_without_a_filter_of_ours_default_is_none_of_our_business() -> None:
    """Nothing of ours would read it anyway."""
    assert warnings(f"[DEFAULT]\ncors_alowed = x\n[app:main]\nuse = shop\n{APP}") == []


# What scripts see of a finding.


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        pytest.param(
            LINE.replace("app_factory\n", "app_factory\ncors_max_age = 5\n"),
            "option-misplaced",
            ("section", "x.ini", "app:shop", "cors_max_age", 5),
            id="option in the application's section",
        ),
        pytest.param(
            f"[DEFAULT]\ncors_alowed = x\n{LINE}",
            "option-nearly",
            ("[DEFAULT]", "x.ini", "DEFAULT", "cors_alowed", 2),
            id="default",
        ),
        pytest.param(
            LINE.replace("shop\n", "shop\nset cors_alowed = x\n", 1),
            "option-nearly",
            ("set", "x.ini", "pipeline:main", "set cors_alowed", 3),
            id="set",
        ),
        pytest.param(
            LINE + WEB.replace("filter:web", "filter:spare"),
            "unused-filter",
            ("section", "x.ini", "filter:spare", "", LINE.count("\n") + 2),
            id="filter",
        ),
    ],
)
def test_a_finding_in_the_file_has_a_code_and_all_of_its_place(
    text: str, code: str, place: tuple[str, str, str, str, int]
) -> None:
    """Scripts sort warnings by them, and editors go there."""
    (found,) = check_text(text).of("warning")
    level, file, *rest = place
    assert found.code == code
    assert found.place == (level, str(Path(file).absolute()), *rest)


def test_a_finding_outside_of_the_file_has_a_code_and_all_of_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The environment and a ``.env`` file are both looked at; a variable has no file."""
    monkeypatch.setenv("CORS_ALOWED", "x")
    Path(".env").write_text("CORS_MAX_AGES=1\n", encoding="utf-8")
    first, second = check_text(LINE).of("warning")
    assert (first.code, first.place) == (
        "variable-nearly",
        ("environment", "", "", "CORS_ALOWED", None),
    )
    assert (second.code, second.place) == (
        "variable-nearly",
        (".env", str(Path(".env").absolute()), "", "CORS_MAX_AGES", 1),
    )


# Variables.


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("CORS_ALOWED", "did you mean CORS_ALLOWED?", id="misspelt"),
        pytest.param("REQUEST_ID_HEADERS", "did you mean REQUEST_ID_HEADER?", id="plural"),
        pytest.param("LOG_TOKEN", "did you mean LOG_TOKENS?", id="singular"),
        pytest.param("LOG_TOKENS_KEYFILE", "did you mean LOG_TOKENS_KEY_FILE?", id="secret"),
        pytest.param(
            "CORS_ALLOWED_ORIGINS", "here it is called CORS_ALLOWED", id="django-cors-headers"
        ),
        pytest.param("CORS_ORIGINS", "here it is called CORS_ALLOWED", id="flask-cors"),
    ],
)
def test_a_variable_that_is_nearly_ours_is_a_warning(
    name: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No value is shown: it may be a secret."""
    monkeypatch.setenv(name, "hunter2")
    assert warnings(LINE) == [f"environment {name}: no filter reads it; {message}"]


def test_a_line_of_a_dotenv_file_is_looked_at_like_a_variable() -> None:
    """It is found with its line."""
    Path(".env").write_text("# ours\nCORS_ALOWED=hunter2\n", encoding="utf-8")
    (warning,) = warnings(LINE)
    assert warning == ".env:2 CORS_ALOWED: no filter reads it; did you mean CORS_ALLOWED?"


@pytest.mark.parametrize(
    "name", ["HEALTH_PORT", "CORS_ALLOW_ORIGIN_X", "cors_alowed", "LOG_LEVEL", "REQUEST_ID"]
)
def test_a_variable_of_others_is_none(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubernetes sets ``HEALTH_PORT`` for a service that is called health."""
    monkeypatch.setenv(name, "tcp://10.0.0.1:80")
    assert warnings(LINE) == []


def test_at_start_no_variable_is_complained_about(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A service does not complain about what is not its own."""
    monkeypatch.setenv("CORS_ALOWED", "x")
    load_ini(LINE.replace("web shop", "web hello"))
    assert "CORS_ALOWED" not in caplog.text


# The same thing twice, and orders.


@pytest.mark.parametrize(
    ("paths", "overlap"),
    [
        pytest.param(("", ""), "every path", id="everywhere"),
        pytest.param(("", "/api"), "/api", id="one everywhere"),
        pytest.param(("/api /a", "/api/v2 /b"), "/api/v2", id="below"),
        pytest.param(("/x/", "/x"), "/x", id="a slash at the end"),
    ],
)
def test_two_cors_filters_for_the_same_paths_are_a_warning(
    paths: tuple[str, str], overlap: str
) -> None:
    """And no mistake of order."""
    (warning,) = warnings(two_policies(*paths))
    assert warning == (
        f"x.ini:2 [pipeline:main] pipeline: one and two are two cors filters for {overlap}, but"
        " only one takes effect there; keep one, or give them different cors_paths"
    )


def test_two_cors_filters_for_different_paths_are_fine() -> None:
    """That is a policy per path."""
    assert warnings(two_policies("/api", "/apis /other")) == []


def two_policies(one: str, two: str) -> str:
    """Return a deployment with two cors filters that have these ``cors_paths``."""
    sections = "".join(
        f"[filter:{name}]\nuse = egg:wsgi_mw_paste#cors\ncors_allowed = https://a.example\n"
        f"cors_paths = {paths}\n"
        for name, paths in (("one", one), ("two", two))
    )
    return f"[pipeline:main]\npipeline = one two shop\n{sections}{APP}"


@pytest.mark.parametrize(
    ("pipeline", "message"),
    [
        pytest.param("ids ids shop", "requests pass ids twice; list it once", id="the same"),
        pytest.param(
            "web ids shop", "ids is a second request_id filter inside web; keep only one", id="part"
        ),
    ],
)
def test_the_same_filter_twice_is_a_warning(pipeline: str, message: str) -> None:
    """It is said as that, and not as a mistake of order."""
    ids = "[filter:ids]\nuse = egg:wsgi_mw_paste#request_id\nlog_tokens = fingerprint\n"
    assert [
        line for line in warnings(LINE.replace("web shop", pipeline) + ids) if "pipeline:" in line
    ][:1] == [f"x.ini:2 [pipeline:main] pipeline: {message}"]


def test_probes_that_write_access_records_are_a_warning() -> None:
    """Unless their paths are excluded, or health stands before request_id."""
    probes = "[filter:probes]\nuse = egg:wsgi_mw_paste#health\nhealth_live_path =\n"
    inside = LINE.replace("web shop", "web probes shop") + probes
    (warning,) = warnings(inside)
    assert warning == (
        "x.ini:2 [pipeline:main] pipeline: every probe writes an access record; list probes before"
        " web, or add /readyz to log_exclude_paths"
    )
    excluded = inside.replace(WEB, f"{WEB}log_exclude_paths = /ready /ready/* /readyz\n")
    assert warnings(excluded) == []
    below = inside.replace(WEB, f"{WEB}log_exclude_paths = /probes/*\n")
    assert warnings(f"{below}health_ready_path = /probes/ready\n") == []
    assert warnings(LINE.replace("web shop", "probes web shop") + probes) == []


# Filters of others outside of errors.


@pytest.mark.parametrize(
    ("uri", "levels"),
    [
        pytest.param(
            "x\npaste.filter_app_factory = repoze.tm:make_tm", ["warning"], id="by its module"
        ),
        pytest.param("egg:repoze.tm2#tm", ["warning"], id="transactions"),
        pytest.param("egg:repoze.retry#retry", ["warning"], id="retries"),
        pytest.param("egg:raven#raven", ["warning"], id="Raven"),
        pytest.param("egg:sentry_sdk#sentry", ["warning"], id="Sentry"),
        pytest.param("egg:WebError#main", ["warning"], id="WebError"),
        pytest.param("egg:Zope#httpexceptions", ["warning"], id="Zope"),
        pytest.param("egg:PasteDeploy#prefix", [], id="prefix"),
        pytest.param("egg:Paste#gzip", ["note"], id="another"),
    ],
)
def test_a_filter_that_needs_exceptions_belongs_inside_errors(uri: str, levels: list[str]) -> None:
    """The advice gives the order; of a filter that is not known to need them it is a note."""
    text = LINE.replace("web shop", "tm web shop") + f"[filter:tm]\nuse = {uri}\n"
    text = text.replace("use = x\n", "")
    report = check_text(text, missing_ok=True)
    found = [finding for finding in report.findings if finding.code == "outside-errors"]
    assert [finding.level for finding in found] == levels
    assert all("write web tm shop" in finding.message for finding in found)


def test_a_filter_that_needs_exceptions_is_known_by_its_module_and_in_a_pipeline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever its section is called, and without one."""
    write_module(monkeypatch, "sentry")
    write_module(monkeypatch, "own", "from sentry import plain_filter\n")
    own = "[filter:own]\npaste.filter_factory = own:plain_filter\n"
    pipeline = "egg:raven#raven own web shop"
    report = check_text(LINE.replace("web shop", pipeline) + own, missing_ok=True)
    assert said(report, "warning") == ["outside-errors x.ini:2 [pipeline:main] pipeline"] * 2


def test_a_filter_inside_errors_sees_exceptions() -> None:
    """There is nothing to report."""
    text = LINE.replace("web shop", "web egg:repoze.tm2#tm shop")
    assert said(check_text(text, missing_ok=True), "warning") == []


# Values that something hides.


@pytest.mark.parametrize(
    ("more", "variables", "by"),
    [
        pytest.param("", {"cors_max_age": "1"}, "command line cors_max_age", id="command line"),
        pytest.param(
            "set cors_max_age = 1",
            {},
            "x.ini:3 [pipeline:main] set cors_max_age",
            id="set in an outer file",
        ),
    ],
)
def test_a_hidden_value_is_a_note_that_names_both(
    more: str, variables: dict[str, str], by: str
) -> None:
    """PasteDeploy drops a section's value without a word."""
    Path("y.ini").write_text(f"{WEB}cors_max_age = 5\n", encoding="utf-8")
    report = check_text(
        f"[pipeline:main]\npipeline = config:y.ini#web shop\n{more}\n{APP}{LOGGING}",
        variables=variables,
    )
    (note,) = report.of("note")
    assert str(note) == (
        "y.ini:7 [filter:web] cors_max_age = '5': PasteDeploy ignores this value because"
        f" {by} overrides it"
    )


# No filter of ours.

LINES = (
    "[filter:web]\nuse = egg:wsgi_mw_paste\ncors_allowed = https://app.example.com\n"
    "cors_expose_headers = X-Request-Id\nlog_tokens = fingerprint"
)


@pytest.mark.parametrize(
    ("text", "first", "before", "after"),
    [
        pytest.param(
            f"[app:main]\nuse = call:shop:app_factory\n{LOGGING}",
            "filter-with = web in [app:main]",
            "[app:main]\n",
            "[app:main]\nfilter-with = web\n",
            id="application",
        ),
        pytest.param(
            f"[app:main]\nuse = call:shop:app_factory\nfilter-with = plain\n{PLAIN}{LOGGING}",
            "filter-with = web in [filter:plain]",
            "[filter:plain]\n",
            "[filter:plain]\nfilter-with = web\n",
            id="application that has a filter",
        ),
        pytest.param(
            f"[pipeline:main]\npipeline = plain\n  shop\n{PLAIN}{APP}{LOGGING}",
            "pipeline = web plain shop in [pipeline:main]",
            "pipeline = plain\n",
            "pipeline = web plain\n",
            id="pipeline",
        ),
        pytest.param(
            f"[app:main]\nuse = shop\n[pipeline:other]\npipeline = main\n{APP}{LOGGING}",
            "filter-with = web in [app:main]",
            "[app:main]\n",
            "[app:main]\nfilter-with = web\n",
            id="application beside a pipeline",
        ),
        pytest.param(
            f"[composite:main]\nuse = egg:Paste#urlmap\n/ = shop\n{APP}{LOGGING}",
            "filter-with = web in [composite:main]",
            "[composite:main]\n",
            "[composite:main]\nfilter-with = web\n",
            id="composite",
        ),
    ],
)
def test_a_file_without_a_filter_of_ours_gets_the_lines_to_add(
    text: str, first: str, before: str, after: str
) -> None:
    """Added to the file, they do what they say: nothing is left to report."""
    (note,) = check_text(text).findings
    assert note.level == "note"
    assert note.message == (
        f"no filter of wsgi_mw_paste is in front of the application; write {first} and add\n{LINES}"
    )
    report = check_text(text.replace(before, after) + f"\n{LINES}\n")
    assert said(report, "error", "warning") == []
    assert report.node is not None
    assert all(any(node.factory for node in route) for route in report.node.routes())
