"""``check`` and ``explain`` follow every route from a file to an application."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checking import WEB, check_text, routes, said, write_module
from tests.explaining import ORIGIN
from wsgi_mw_paste.command.cli import main
from wsgi_mw_paste.command.loader import DeploymentError
from wsgi_mw_paste.command.pipeline import read_deployment

SHOP = "[app:shop]\npaste.app_factory = shop:app_factory\n" + WEB
TOKEN = "[filter:token]\npaste.filter_factory = shop:plain_filter\n"
URLMAP = "[composite:main]\nuse = egg:Paste#urlmap\n"
BY_AUTH = "[composite:main]\nuse = call:shop:by_auth\n"


@pytest.fixture(autouse=True)
def _shop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the module that the deployments name."""
    write_module(monkeypatch)


# What a composite's value is.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(URLMAP + "/ = shop", ["main shop"], id="urlmap"),
        pytest.param(URLMAP + "/: shop", ["main shop"], id="colon"),
        pytest.param(URLMAP + "domain a.example = shop", ["main shop"], id="domain"),
        pytest.param(URLMAP + "not_found_app = shop", ["main shop"], id="any key of urlmap's"),
        pytest.param(
            "[composite:main]\nuse = egg:rutter#urlmap\nx = shop", ["main shop"], id="rutter"
        ),
        pytest.param(
            "[composite:main]\nuse = call:paste.urlmap:urlmap_factory\nx = shop",
            ["main shop"],
            id="urlmap by call",
        ),
        pytest.param(
            "[composite:main]\nuse = egg:Paste#cascade\na = shop\nb = shop\ncatch = 404",
            ["main shop", "main shop"],
            id="cascade",
        ),
        pytest.param(BY_AUTH + "/ = shop", ["main shop"], id="a path of any composite"),
        pytest.param(
            BY_AUTH + "a = web shop\nb = token web shop",
            ["main web shop", "main token web shop"],
            id="pipelines",
        ),
        pytest.param(BY_AUTH + "a = web\n  token\n  shop", ["main web token shop"], id="lines"),
        pytest.param(
            BY_AUTH + "a = egg:wsgi_mw_paste shop",
            ["main egg:wsgi_mw_paste shop"],
            id="pipeline with a URI",
        ),
        pytest.param(BY_AUTH + "default = shop", ["main shop"], id="an option that leads on"),
        pytest.param(
            URLMAP + "/a = inner\n[composite:inner]\nuse = call:shop:by_auth\nb = web shop\n",
            ["main inner web shop"],
            id="nested",
        ),
        pytest.param(URLMAP + "/cms = config:cms.ini", ["main web cms"], id="file"),
        pytest.param(
            URLMAP + "/cms = config:sub/cms.ini#editor", ["main web cms"], id="file in a folder"
        ),
        pytest.param(
            URLMAP + "/x = egg:wsgi_mw_paste#health", ["main egg:wsgi_mw_paste#health"], id="egg"
        ),
    ],
)
def test_a_value_of_a_composite_leads_on(text: str, expected: list[str]) -> None:
    """To an application or through a pipeline, whose filters are checked."""
    Path("sub").mkdir()
    for name, path in (("main", "cms.ini"), ("editor", "sub/cms.ini")):
        text_of_file = f"[pipeline:{name}]\npipeline = web cms\n{WEB}[app:cms]\n"
        Path(path).write_text(f"{text_of_file}use = call:shop:app_factory\n", encoding="utf-8")
    report = check_text(f"{text}\n{SHOP}{TOKEN}")
    assert said(report, "error") == []
    assert routes(report) == expected


def test_every_part_has_the_place_that_names_it_and_its_own() -> None:
    """Findings about an order point to the first, those about options to the second."""
    report = check_text(
        f"""
        [composite:main]
        use = egg:Paste#urlmap
        /a = around
        /b = line
        /c = choice
        [filter-app:around]
        use = egg:wsgi_mw_paste#cors
        next = wrapped
        [app:wrapped]
        use = shop
        filter-with = gate
        [filter:gate]
        paste.filter_factory = shop:plain_filter
        filter-with = token
        [pipeline:line]
        pipeline = egg:raven gate shop
        [composite:choice]
        use = call:shop:by_auth
        key = token web shop
        {TOKEN}{SHOP}""",
        missing_ok=True,
    )
    assert report.node is not None
    assert [
        [f"{node.name}: {node.mention}; {node.place}" for node in route]
        for route in report.node.routes()
    ] == [
        [
            "main: x.ini; x.ini:2 [composite:main]",
            "around: x.ini:7 [filter-app:around]; x.ini:7 [filter-app:around]",
            "token: x.ini:15 [filter:gate] filter-with; x.ini:21 [filter:token]",
            "gate: x.ini:12 [app:wrapped] filter-with; x.ini:13 [filter:gate]",
            "wrapped: x.ini:9 [filter-app:around] next; x.ini:10 [app:wrapped]",
        ],
        [
            "main: x.ini; x.ini:2 [composite:main]",
            "egg:raven: x.ini:17 [pipeline:line] pipeline; x.ini:17 [pipeline:line] pipeline",
            "token: x.ini:15 [filter:gate] filter-with; x.ini:21 [filter:token]",
            "gate: x.ini:17 [pipeline:line] pipeline; x.ini:13 [filter:gate]",
            "shop: x.ini:17 [pipeline:line] pipeline; x.ini:23 [app:shop]",
        ],
        [
            "main: x.ini; x.ini:2 [composite:main]",
            "choice: x.ini:6 [composite:main] /c; x.ini:18 [composite:choice]",
            "token: x.ini:20 [composite:choice] key; x.ini:21 [filter:token]",
            "web: x.ini:20 [composite:choice] key; x.ini:26 [filter:web]",
            "shop: x.ini:20 [composite:choice] key; x.ini:23 [app:shop]",
        ],
    ]


def test_what_a_composite_sets_is_set_for_all_that_it_names() -> None:
    """As PasteDeploy's own loader has it; the command line as well."""
    report = check_text(
        f"{BY_AUTH}set cors_max_age = 7\n/a = line\nb = web shop\nc = token line\n"
        f"[pipeline:line]\npipeline = web shop\n{SHOP}{TOKEN}",
        variables={"log_requests": "false"},
    )
    assert report.node is not None
    values = [
        {value.option: value.text for value in node.values()}
        for route in report.node.routes()
        for node in route
        if node.factory
    ]
    assert [(v["cors_max_age"], v["log_requests"]) for v in values] == [("7", "false")] * 3


@pytest.mark.parametrize(
    "option",
    [
        pytest.param("catch = 404 500", id="numbers"),
        pytest.param("strategy = noauth", id="a word"),
        pytest.param("description = the main shop", id="words, among them names"),
        pytest.param("description = main", id="its own name"),
        pytest.param("description = web shop corner", id="names, the last of which is none"),
        pytest.param("title = corz shop", id="words, the last a name and no other"),
        pytest.param("empty =", id="nothing"),
    ],
)
def test_an_option_of_the_composites_own_is_none_of_our_business(option: str) -> None:
    """Whatever it says, it is not reported, and no route."""
    report = check_text(f"{BY_AUTH}a = web shop\n{option}\n{SHOP}")
    assert said(report, "error", "warning") == []
    assert routes(report) == ["main web shop"]


def test_what_a_cascade_catches_is_no_application() -> None:
    """One status is a word like others, and ``catch`` an option of the cascade."""
    report = check_text(
        f"[composite:main]\nuse = egg:Paste#cascade\na = line\ncatch = 404\n"
        f"[pipeline:line]\npipeline = web shop\n{SHOP}"
    )
    assert said(report, "error", "warning") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(URLMAP + "/admin = shpo", "no [app:shpo]; did you mean shop?", id="urlmap"),
        pytest.param(URLMAP + "/admin = x", "there is no [app:x]", id="nothing near"),
        pytest.param(
            "[composite:main]\nuse = egg:Paste#cascade\napp1 = shop\napp2 = nosuch",
            "there is no [app:nosuch]",
            id="cascade",
        ),
        pytest.param(BY_AUTH + "/ = shpo", "no [app:shpo]; did you mean shop?", id="a path"),
        pytest.param(
            BY_AUTH + "noauth = wbe token shop",
            "there is no [filter:wbe]; did you mean web?",
            id="pipeline",
        ),
        pytest.param(URLMAP + "/a = egg:nosuch", "nosuch is not installed here", id="egg"),
        pytest.param(URLMAP + "/a = config:gone.ini", "gone.ini: No such file", id="file"),
        pytest.param(
            URLMAP + "/a = config:y.ini#shpo",
            "no application is called shpo; y.ini has one",
            id="a name in another file",
        ),
        pytest.param(
            "[composite:main]\nuse = egg:Nosuch#urlmap\nx = shop", "Nosuch", id="the factory"
        ),
    ],
)
def test_a_word_that_must_be_a_name_and_is_none_is_an_error(text: str, message: str) -> None:
    """It stands with its place and the nearest name; everything else is checked all the same."""
    Path("y.ini").write_text("[app:one]\nuse = egg:x\n", encoding="utf-8")
    report = check_text(f"{text}\n/ok = line\n[pipeline:line]\npipeline = web shop\n{SHOP}{TOKEN}")
    (error,) = report.of("error")
    assert message in error.message
    assert error.place.section == "composite:main"
    assert any("web shop" in route for route in routes(report))


def test_composites_that_lead_to_each_other_are_a_circle() -> None:
    """It is one error, and the other routes are checked."""
    report = check_text(
        f"{URLMAP}/a = other\n/b = shop\n"
        f"[composite:other]\nuse = egg:Paste#urlmap\n/ = main\n{SHOP}"
    )
    (error,) = report.of("error")
    assert str(error) == (
        "x.ini:7 [composite:other] /: these sections refer to each other in a circle"
    )


def test_files_that_lead_to_each_other_are_a_circle() -> None:
    """It is one error as well, wherever the circle is noticed."""
    Path("y.ini").write_text("[app:main]\nuse = config:x.ini\n", encoding="utf-8")
    report = check_text("[app:main]\nuse = config:y.ini\n")
    assert [finding.message for finding in report.of("error")] == [
        "these sections refer to each other in a circle"
    ]


def test_a_filter_on_several_routes_is_complained_about_once() -> None:
    """It is the same line of the same file."""
    report = check_text(
        f"{BY_AUTH}a = ids shop\nb = token ids shop\n"
        f"[filter:ids]\nuse = egg:wsgi_mw_paste#request_id\nlog_tokens = maybe\n{SHOP}{TOKEN}"
    )
    assert said(report, "error") == ["invalid-option x.ini:7 [filter:ids] log_tokens"]


def test_the_options_of_the_probes_as_an_application_are_checked() -> None:
    """No server starts with these either."""
    report = check_text(
        f"{URLMAP}/ = shop\n/health = probes\n[app:probes]\nuse = egg:wsgi_mw_paste#health\n"
        f"health_cachee = 5\nhealth_checks = shop:ping\n{SHOP}"
    )
    assert said(report, "error") == [
        "invalid-option x.ini:7 [app:probes] health_cachee",
        "invalid-option x.ini:8 [app:probes] health_checks",
    ]


# What the command takes for a file.


@pytest.mark.parametrize(
    "file", ["x.ini#line", "config:x.ini#line", "config:x.ini --name line", "x.ini --name=line"]
)
def test_an_application_is_named_as_for_other_tools(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Behind a # or by ``--name``, with ``config:`` or without."""
    Path("x.ini").write_text(f"[pipeline:line]\npipeline = web shop\n{SHOP}", encoding="utf-8")
    assert main(["check", *file.split()]) == 0
    assert "line" not in capsys.readouterr().err
    assert main(["explain", *file.split(), "--origin", ORIGIN]) == 0


def test_without_a_main_the_applications_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """As names to choose from."""
    Path("x.ini").write_text(f"[pipeline:line]\npipeline = web shop\n{SHOP}", encoding="utf-8")
    assert main(["check", "x.ini"]) == 2
    assert capsys.readouterr().err == (
        "wsgi-mw-paste: x.ini: no application is called main; x.ini has line, shop\n"
    )


# One of several pipelines.

TWO = f"""
{BY_AUTH}
strategy = noauth
noauth = web shop
keystone = token off shop
[filter:off]
use = egg:wsgi_mw_paste#cors
cors_allowed =
{SHOP}{TOKEN}
"""


def test_explain_takes_one_of_the_pipelines(capsys: pytest.CaptureFixture[str]) -> None:
    """``--route`` names it by its key."""
    Path("x.ini").write_text(TWO, encoding="utf-8")
    assert main(["explain", "x.ini", "--origin", ORIGIN, "--route", "noauth"]) == 0
    assert main(["explain", "x.ini", "--origin", ORIGIN, "--route", "keystone"]) == 1
    assert "CORS is off" in capsys.readouterr().out


@pytest.mark.parametrize("more", [[], ["--route", "nosuch"]], ids=["none", "unknown"])
def test_explain_lists_the_pipelines(more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Without ``--route``, or with a key that there is not."""
    Path("x.ini").write_text(TWO, encoding="utf-8")
    assert main(["explain", "x.ini", "--origin", ORIGIN, *more]) == 2
    assert capsys.readouterr().err == (
        "wsgi-mw-paste: expected --route with one of noauth, keystone\n"
    )


def test_explain_takes_a_pipeline_behind_a_filter() -> None:
    """The composite need not be what a request comes to first."""
    text = TWO.replace("composite:main", "composite:inner")
    Path("x.ini").write_text(f"[pipeline:main]\npipeline = token inner\n{text}", encoding="utf-8")
    assert main(["explain", "x.ini", "--origin", ORIGIN, "--route", "noauth"]) == 0


def test_explain_does_not_stop_at_what_is_wrong_on_another_route(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Code that is not installed, and an option that is wrong, matter where a request passes."""
    Path("x.ini").write_text(
        f"{BY_AUTH}noauth = web shop\nkeystone = auth bad shop\n"
        "[filter:auth]\npaste.filter_factory = nowhere:auth\n"
        f"[filter:bad]\nuse = egg:wsgi_mw_paste#cors\ncors_max_age = soon\n{SHOP}",
        encoding="utf-8",
    )
    assert main(["explain", "x.ini", "--origin", ORIGIN, "--route", "noauth"]) == 0
    assert main(["explain", "x.ini", "--origin", ORIGIN, "--route", "keystone"]) == 2
    error = capsys.readouterr().err
    assert "x.ini:6 [filter:auth] paste.filter_factory: ModuleNotFoundError" in error


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        pytest.param("bad", "No module named 'nowhere'", id="composite"),
        pytest.param("line", "No module named 'nowhere'", id="filter"),
    ],
)
def test_explain_stops_at_missing_code_if_the_request_comes_to_it(
    broken: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The path decides that, where a urlmap does; of an application, a stand-in does as well."""
    Path("x.ini").write_text(
        f"{URLMAP}/good = good\n/bad = {broken}\n[pipeline:good]\npipeline = web shop\n"
        "[pipeline:line]\npipeline = nowhere shop\n"
        "[filter:nowhere]\npaste.filter_factory = nowhere:make\n"
        f"[composite:bad]\nuse = call:nowhere:make\n/ = shop\n{SHOP}",
        encoding="utf-8",
    )
    assert main(["explain", "x.ini", "--origin", ORIGIN, "--path", "/good/1", "--app"]) == 0
    capsys.readouterr()
    assert main(["explain", "x.ini", "--origin", ORIGIN, "--path", "/bad/1", "--app"]) == 2
    out, error = capsys.readouterr()
    assert not out
    assert message in error
    assert error.count("\n") == 1


def test_explain_follows_a_composite_inside_of_another() -> None:
    """Its factory makes what it wants, and gets what the file says."""
    Path("x.ini").write_text(
        f"{URLMAP}/a = inner\n[composite:inner]\nuse = call:shop:by_auth\nb = web shop\n{SHOP}",
        encoding="utf-8",
    )
    assert main(["explain", "x.ini", "--origin", ORIGIN, "--path", "/a/1"]) == 0


def test_what_a_factory_asks_for_on_its_own_is_followed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No value names it, so only calling the factory shows what is wrong with it."""
    write_module(
        monkeypatch,
        "own",
        "def make(loader, global_conf, **_):\n    return loader.get_app('own')\n",
    )
    text = (
        "[composite:main]\npaste.composite_factory = own:make\n/ = shop\n"
        f"[pipeline:own]\npipeline = web shop\n{SHOP}"
    )
    Path("x.ini").write_text(text, encoding="utf-8")
    assert main(["explain", "x.ini", "--origin", ORIGIN]) == 0
    Path("x.ini").write_text(text.replace("web shop\n", "shop\nfilter-with = web\n"))
    assert main(["explain", "x.ini", "--origin", ORIGIN]) == 2
    assert "PasteDeploy cannot put a filter around this" in capsys.readouterr().err


def test_what_a_factory_asks_for_gets_the_global_values_that_it_gives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are options of our filters, too."""
    write_module(
        monkeypatch,
        "own",
        "def make(loader, global_conf, **_):\n"
        "    return loader.get_app('own', global_conf={'cors_allowed': '*'})\n",
    )
    Path("x.ini").write_text(
        "[composite:main]\npaste.composite_factory = own:make\n/ = shop\n"
        f"[pipeline:own]\npipeline = egg:wsgi_mw_paste#cors shop\n{SHOP}",
        encoding="utf-8",
    )
    assert main(["explain", "x.ini", "--origin", ORIGIN]) == 0


def test_a_part_that_fails_is_raised_where_there_is_no_list_for_it() -> None:
    """For what wants a deployment that works, or none."""
    Path("x.ini").write_text(f"{URLMAP}/a = nosuch\n{SHOP}", encoding="utf-8")
    with pytest.raises(DeploymentError, match=r"there is no \[app:nosuch\]"):
        read_deployment("x.ini")


def test_a_route_that_no_server_survives_is_an_error() -> None:
    """Each filter calls the next, and Python ends at a thousand nested calls."""
    report = check_text(f"[pipeline:main]\npipeline = {'web ' * 300} shop\n{SHOP}")
    (error,) = report.findings
    assert str(error).startswith("x.ini:2 [pipeline:main] pipeline: requests pass 300 filters")


def test_routes_that_multiply_are_an_error() -> None:
    """Composites that name each other twice double the routes, and PasteDeploy's applications."""
    chain = "".join(
        f"[composite:c{number}]\nuse = egg:Paste#urlmap\n/a = c{number + 1}\n/b = c{number + 1}\n"
        for number in range(13)
    )
    main_ = f"[composite:main]\nuse = egg:Paste#urlmap\n/ = c0\n{chain}"
    report = check_text(f"{main_}[pipeline:c13]\npipeline = web shop\n{SHOP}")
    (error,) = report.findings
    assert str(error).partition(": ")[2] == (
        "the composites lead to more than 5,000 applications, each counted as often as they name"
        " it; PasteDeploy would create every one of them"
    )


NESTED = """
[composite:api]
use = egg:Paste#urlmap
/ = versions
/v1 = v1

[composite:v1]
use = call:shop:by_auth
noauth = shop
keystone = web shop

[app:versions]
paste.app_factory = shop:app_factory

[app:shop]
paste.app_factory = shop:app_factory
"""


@pytest.mark.parametrize(
    ("route", "status"),
    [
        pytest.param(["--route", "keystone"], 0, id="behind the filter"),
        pytest.param(["--route", "noauth"], 1, id="without it"),
        pytest.param([], 1, id="what the factory chooses itself"),
        pytest.param(["--route", "nope"], 2, id="unknown"),
    ],
)
def test_explain_takes_a_route_behind_a_urlmap(
    route: list[str],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The pipelines of an inner composite are chosen by ``--route``, too."""
    write_module(monkeypatch)
    Path("x.ini").write_text(NESTED + WEB, encoding="utf-8")
    words = ["explain", "x.ini", "--name", "api", "--path", "/v1/x"]
    assert main([*words, "--origin", "https://app.example.com", *route]) == status
    said = capsys.readouterr()
    assert "noauth, keystone" in said.err or status < 2


def test_explain_refuses_a_route_where_nothing_chooses(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would have no effect."""
    write_module(monkeypatch)
    Path("x.ini").write_text(f"[app:main]\nuse = egg:nosuch\nfilter-with = web\n{WEB}", "utf-8")
    words = ["explain", "x.ini", "--origin", "https://app.example.com"]
    assert main([*words, "--route", "x"]) == 2
    assert "leave out --route" in capsys.readouterr().err
    # The application is not installed here, and not needed.
    assert main(words) == 0
    assert main([*words, "--app"]) == 2
