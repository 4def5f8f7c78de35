"""``development.ini`` lists all options: it is complete, it explains them, and it works."""

from __future__ import annotations

import configparser
import itertools
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.ini import ROOT, load_file
from tests.serving import serving
from tests.wsgi import assert_headers, call, make_environ
from wsgi_mw_paste import CORSSettings, HealthSettings, RequestIdSettings
from wsgi_mw_paste.settings import Settings, options

INI = ROOT / "development.ini"
#: The sections with options, and what declares these.
SECTIONS = [
    pytest.param("filter:health", HealthSettings, id="health"),
    pytest.param("filter:request_id", RequestIdSettings, id="request_id"),
    pytest.param("filter:cors", CORSSettings, id="cors"),
]


class Line(NamedTuple):
    """A line that sets an option, or would set it if it were not commented out."""

    name: str
    value: str
    is_comment: bool
    above: str


def lines_of(section: str) -> list[Line]:
    """Return the options of a section, including those that are commented out."""
    text = INI.read_text(encoding="utf-8").partition(f"\n[{section}]\n")[2].partition("\n[")[0]
    assert text, section
    lines = text.splitlines()
    found = []
    for above, line in itertools.pairwise(lines):
        if match := re.fullmatch(r"(# )?(\w+) =(?: (.*))?", line):
            found.append(Line(match[2], match[3] or "", match[1] is not None, above))
    return found


@pytest.mark.parametrize(("section", "cls"), SECTIONS)
def test_every_option_is_named_once(section: str, cls: type[Settings]) -> None:
    """The section has all options of its filter, in the order of declaration, and no others."""
    assert [line.name for line in lines_of(section)] == list(options(cls))


@pytest.mark.parametrize(("section", "cls"), SECTIONS)
def test_what_is_commented_out_is_the_default(section: str, cls: type[Settings]) -> None:
    """An option that is commented out shows its default, and one that is set another value."""
    for line in lines_of(section):
        default = options(cls)[line.name]
        assert (line.value == default.show(default.default)) == line.is_comment, line


@pytest.mark.parametrize(("section", "cls"), SECTIONS)
def test_every_option_is_explained(section: str, cls: type[Settings]) -> None:
    """One sentence stands above each option, and no comment follows a value."""
    for line in lines_of(section):
        assert re.fullmatch(r"# [A-Z].{20,96}\.", line.above), line
        assert not re.search(r"[#;]", line.value), line


def test_no_option_stands_in_default() -> None:
    """The file has no ``[DEFAULT]``: PasteDeploy would ignore the same option in a section."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(INI)
    assert not parser.defaults()


def test_it_says_fingerprint() -> None:
    """A file that people copy logs no credentials."""
    assert ("log_tokens", "fingerprint") in [line[:2] for line in lines_of("filter:request_id")]


@pytest.mark.parametrize(
    "mark", [pytest.param("(?!)", id="as it is"), pytest.param("# ", id="all")]
)
def test_it_answers(mark: str) -> None:
    """As it is, and with every option uncommented, it allows its origin and sends the id."""
    copy = Path("development.ini")
    text = INI.read_text(encoding="utf-8")
    copy.write_text(re.sub(rf"(?m)^{mark}(?=\w+ =)", "", text), encoding="utf-8")
    answer = call(
        load_file(copy.absolute()),
        make_environ(
            path="/json",
            headers={"Origin": "http://localhost:6543", "X-Request-Id": "abc-123"},
        ),
    )
    assert answer.status == "200 OK"
    assert_headers(
        answer,
        {
            "Content-Type": "application/json",
            "Content-Length": str(len(answer.body)),
            "Access-Control-Allow-Origin": "http://localhost:6543",
            "Access-Control-Expose-Headers": "X-Request-Id",
            "Vary": "Origin",
            "X-Request-Id": "abc-123",
        },
    )


def test_another_port_can_be_chosen() -> None:
    """On the port of ``[server:port]`` the page is allowed, and the server can call itself."""
    with serving("pserve", "--server-name=port", INI, "PORT=0") as server:
        origin = f"http://localhost:{server.port}"
        answer = server.request("GET", "/json", {"Origin": origin})
        assert answer.header("Access-Control-Allow-Origin") == origin
        assert server.request("GET", "/call").code == 200
