"""``check`` on files that no server can load: one line for each, with the line to write."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from paste.deploy import loadapp

from tests.checking import OURS
from tests.ini import write_ini
from tests.wsgi import call
from wsgi_mw_paste.command.check import check
from wsgi_mw_paste.factories import FACTORIES


@pytest.mark.parametrize(
    ("text", "code", "expected"),
    [
        pytest.param(
            "[app:main]\nuse = egg:nosuch",
            "missing-code",
            "test.ini:2 [app:main] use: the distribution nosuch is not installed here",
            id="distribution",
        ),
        pytest.param(
            "[pipeline:main]\npipeline = a hello\n[filter:a]\nuse = egg:wsgi_mw_paste#nosuch",
            "unknown-entry-point",
            "test.ini:4 [filter:a] use: wsgi_mw_paste has no filter nosuch; it has"
            f" {', '.join(FACTORIES)}",
            id="entry-point",
        ),
        pytest.param(
            "[app:main]\nuse = egg:WSGI.mw-paste#helth",
            "unknown-entry-point",
            "test.ini:2 [app:main] use: wsgi_mw_paste has no application helth; did you mean"
            " health?",
            id="entry-point-of-an-application",
        ),
        pytest.param(
            "[app:main]\nuse = egg:wsgi_mw_paste#cors",
            "unknown-entry-point",
            "test.ini:2 [app:main] use: expected an application, but egg:wsgi_mw_paste#cors is a"
            " filter; name it in front of one",
            id="entry-point-of-a-filter",
        ),
        pytest.param(
            "[filter-app:main]\nnext = hello\nuse = call:wsgi_mw_paste.factories:corz",
            "not-deployable",
            "test.ini:3 [filter-app:main] use: the module wsgi_mw_paste.factories has no corz; did"
            " you mean cors?",
            id="name-in-a-module",
        ),
        pytest.param(
            "[app:main]\npaste.app_factory = tests.exits_not:zzz",
            "missing-code",
            "test.ini:2 [app:main] paste.app_factory: ModuleNotFoundError: No module named"
            " 'tests.exits_not'",
            id="module",
        ),
        pytest.param(
            "[app:main]\npaste.app_factory = tests.ini:zzzzz",
            "not-deployable",
            "test.ini:2 [app:main] paste.app_factory: the module tests.ini has no zzzzz",
            id="name-in-a-module-without-a-near-one",
        ),
        pytest.param(
            "[app:main]\npaste.app_factory = tests.checking:SHOP",
            "not-deployable",
            "test.ini:1 [app:main]: expected the name of something to call, MODULE:FUNCTION, not of"
            " a str",
            id="no-factory",
        ),
        pytest.param(
            "[pipeline:main]\npipeline = cors hello\n[filter:cors]\nlog_level = debug",
            "not-deployable",
            "test.ini:3 [filter:cors]: expected use =, such as use = egg:wsgi_mw_paste",
            id="no-use",
        ),
        pytest.param(
            "[pipline:main]\npipeline = hello",
            "unknown-name",
            "test.ini: [pipline:main] is no application; did you mean [pipeline:main]?",
            id="kind-of-section",
        ),
        pytest.param(
            "[app:main]\npaste.app_factory = nowhere:main",
            "missing-code",
            "test.ini:2 [app:main] paste.app_factory: ModuleNotFoundError: No module named"
            " 'nowhere'",
            id="import",
        ),
        pytest.param(
            "[pipeline:main]\npipeline = nosuch hello",
            "unknown-name",
            "test.ini:2 [pipeline:main] pipeline: there is no [filter:nosuch]",
            id="section",
        ),
        pytest.param(
            "[server:main]\nuse = egg:waitress",
            "unknown-name",
            "test.ini: no application is called main; test.ini has hello",
            id="main",
        ),
        pytest.param(
            "[app:main]\nuse = config:nosuch.ini",
            "not-deployable",
            "test.ini:2 [app:main] use: {folder}/nosuch.ini: No such file or directory",
            id="included-file",
        ),
        pytest.param(
            "[app:main]\nuse = hello\nkey = 50%secret",
            "ini-syntax",
            "test.ini:3 [app:main] key: expected %(NAME)s, or %% for a %",
            id="interpolation",
        ),
        pytest.param(
            "[app:main]\nuse = hello\nkey = %(password)s",
            "undefined-variable",
            "test.ini:3 [app:main] key: nothing defines %(password)s; write password = … in"
            " [DEFAULT] or give password=… on the command line",
            id="undefined",
        ),
        pytest.param(
            "[app:main]\nuse = hello\nother = x\nget key = password",
            "undefined-variable",
            "test.ini:4 [app:main] get key: nothing defines password; write password = … in"
            " [DEFAULT] or give password=… on the command line",
            id="undefined-get",
        ),
        pytest.param(
            "key = secret",
            "ini-syntax",
            "test.ini:1: expected a [section] before the first key",
            id="header",
        ),
        pytest.param(
            "[app:main]\nsecret",
            "ini-syntax",
            "test.ini:2: expected KEY = VALUE, or whitespace before a line that continues a value",
            id="parsing",
        ),
        pytest.param(
            "\ufeff[app:main]\nuse = hello",
            "ini-syntax",
            "test.ini:1: expected no byte order mark; save the file as UTF-8 without one",
            id="byte order mark",
        ),
        pytest.param(
            "[app:main]\n[app:main]",
            "ini-syntax",
            "test.ini:2 [app:main]: this section appears twice; keep only one",
            id="section-twice",
        ),
        pytest.param(
            "[app:main]\nkey = secret\nkey = secret",
            "ini-syntax",
            "test.ini:3 [app:main] key: this key appears twice; keep only one",
            id="key-twice",
        ),
        pytest.param(
            "[app:main]\nuse = other\n[app:other]\nuse = main",
            "not-deployable",
            "test.ini:{line} [app:{name}] use: these sections refer to each other in a circle",
            id="circle",
        ),
        pytest.param(
            "[pipeline:main]\npipeline =",
            "not-deployable",
            "test.ini:1 [pipeline:main]: expected the names of filters, then the name of an"
            " application",
            id="empty-pipeline",
        ),
        pytest.param(
            "[pipeline:main]\npipeline = call:wsgi_mw_paste.factories:cors hello",
            "not-deployable",
            "test.ini:2 [pipeline:main] pipeline: PasteDeploy needs a section for"
            " call:wsgi_mw_paste.factories:cors; write use = call:wsgi_mw_paste.factories:cors in"
            " one",
            id="inline-call",
        ),
        pytest.param(
            "[pipeline:main]\npipeline = egg:wsgi_mw_paste#cors call:tests.ini:make_hello",
            "not-deployable",
            "test.ini:2 [pipeline:main] pipeline: PasteDeploy needs a section for"
            " call:tests.ini:make_hello; write use = call:tests.ini:make_hello in one",
            id="inline-call-application",
        ),
        pytest.param(
            "[app:main]\nuse = hello\nfilter-with = cors\n[filter:cors]\nuse = nosuch",
            "unknown-name",
            "test.ini:5 [filter:cors] use: there is no [filter:nosuch]",
            id="filter-with",
        ),
        pytest.param(
            "[pipeline:main]\npipeline = hullo",
            "unknown-name",
            "test.ini:2 [pipeline:main] pipeline: there is no [app:hullo]; did you mean hello?",
            id="application",
        ),
        pytest.param(
            "[pipeline:main]\npipeline = cors, hello" + OURS,
            "unknown-name",
            "test.ini:2 [pipeline:main] pipeline: expected names separated by whitespace, not"
            " by commas",
            id="comma",
        ),
        pytest.param(
            "[pipeline:main]\npipeline = cors" + OURS,
            "unknown-name",
            "test.ini:2 [pipeline:main] pipeline: expected an application, but cors is a filter;"
            " the last name in a pipeline is the application's",
            id="filter-last",
        ),
        pytest.param(
            "[pipeline:main]\npipeline = hello hello",
            "unknown-name",
            "test.ini:2 [pipeline:main] pipeline: expected a filter, but hello is an application;"
            " the last name in a pipeline is the application's",
            id="application-first",
        ),
        pytest.param(
            "[pipeline:main]\npipeline = cors hello # all" + OURS,
            "unknown-name",
            "test.ini:2 [pipeline:main] pipeline: expected only names; put a comment on a line of"
            " its own",
            id="comment",
        ),
        pytest.param(
            "[pipeline:main]\npipeline = cors hello\n[app:main]\nuse = hello" + OURS,
            "ambiguous-name",
            "test.ini: [app:main] and [pipeline:main] have the same name; rename [app:main], to"
            " [app:myapp] for example, and name that last in the pipeline, or drop the pipeline and"
            " write filter-with = FILTER in [app:main]",
            id="two-mains",
        ),
        pytest.param(
            "[pipeline:main]\npipeline = cors a\n[app:a]\nuse = hello\n[composite:a]\nuse = x"
            + OURS,
            "ambiguous-name",
            "test.ini:2 [pipeline:main] pipeline: [app:a] and [composite:a] have the same name;"
            " rename one of them",
            id="two-others",
        ),
        pytest.param(
            "[app:main]\npaste.app_factory = tests.exits:main",
            "not-deployable",
            "test.ini:2 [app:main] paste.app_factory: the code named here ends the process"
            " (SystemExit)",
            id="exit",
        ),
        pytest.param(
            "[pipeline:main]\npipeline = hello\nfilter-with = cors" + OURS,
            "not-deployable",
            "test.ini:3 [pipeline:main] filter-with: PasteDeploy cannot put a filter around this:"
            " every request would fail; name the filter in a pipeline instead",
            id="filter-with-on-pipeline",
        ),
    ],
)
def test_what_cannot_be_loaded_is_one_line(text: str, code: str, expected: str) -> None:
    """A broken file is one error of one line, with file, section and line; no value is in it."""
    path = write_ini(text)
    report = check("test.ini")
    (finding,) = report.of("error")
    assert report.status() == 2
    assert (finding.code, finding.place.level) == (code, "section")
    known = {"path": path, "folder": path.parent, "line": r"\d+", "name": r"\w+"}
    pattern = re.sub(r"\\{(\w+)\\}", lambda m: str(known[m[1]]), re.escape(expected))
    assert re.fullmatch(pattern, str(finding))
    assert "secret" not in json.dumps(report.as_json())


def test_the_failing_filter_with_is_a_fact() -> None:
    """PasteDeploy loads a pipeline with ``filter-with``, and then fails on every request."""
    path = write_ini("[pipeline:main]\npipeline = hello\nfilter-with = cors" + OURS)
    app = loadapp(f"config:{path}")
    with pytest.raises(TypeError, match="composed"):
        call(app)


def test_the_failing_inline_call_is_a_fact() -> None:
    """PasteDeploy does not know what a ``call:`` without a section is."""
    path = write_ini("[pipeline:main]\npipeline = call:wsgi_mw_paste.factories:cors hello")
    with pytest.raises(AssertionError, match="Protocol None"):
        loadapp(f"config:{path}")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("nosuch.ini", "No such file or directory", id="missing"),
        pytest.param(".", "Is a directory", id="directory"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(name: str, reason: str) -> None:
    """The operating system's reason is given, with the path."""
    (finding,) = check(name).findings
    assert str(finding) == f"{name}: {reason}"


def test_a_file_in_another_encoding_is_one_line() -> None:
    """Text that Python cannot decode is reported with the encoding that was expected."""
    Path("test.ini").write_bytes(b"[app:main]\nkey = \xff")
    (finding,) = check("test.ini").findings
    assert str(finding) == "test.ini: expected text in utf-8"
