"""What may stand in the ``cors_`` options, and what the operator is told at start."""

from __future__ import annotations

import dataclasses
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.ini import load_ini
from tests.wsgi import call, hello, make_environ
from wsgi_mw_paste import ConfigurationError, CORSMiddleware, CORSSettings
from wsgi_mw_paste.factories import cors
from wsgi_mw_paste.origins import Policy, public_suffixes
from wsgi_mw_paste.settings import Remark

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wsgi_mw_paste.settings import Problem

CASES = json.loads(
    Path(__file__).with_name("cases").joinpath("cors_options.json").read_text("utf-8")
)

OFF = "cors_allowed: empty, so CORS is off"
STAR_WITH_CREDENTIALS = (
    "expected a list of origins: with cors_allow_credentials, * would let every site act as its"
    " visitor"
)


@pytest.fixture(autouse=True)
def _every_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "wsgi_mw_paste.cors")


def load(options: Mapping[str, Any]) -> list[tuple[str, str | None, str]]:
    """Wrap an application by the filter factory; return option, value and reason of problems."""
    try:
        cors({}, **options)(hello)
    except ConfigurationError as error:
        return [(problem.option, problem.text, problem.reason) for problem in error.problems]
    return []


def told(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == level]


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_options_load_or_are_refused_as_the_table_says(
    case: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Valid rows load; of the others the offending items are refused, or normalized aloud."""
    problems = load(case["options"])
    if case["valid"]:
        assert problems == []
    elif case["severity"] == "should":
        assert problems or told(caplog, logging.WARNING)
    else:
        assert [text for _, text, _ in problems] == list(map(str, case["offending"]))


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case["id"]) for case in CASES if "accepted_if" in case]
)
def test_what_is_dangerous_is_accepted_if_its_option_says_so(
    case: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The option that a refusal names makes the same configuration load, with a warning."""
    name, _, value = case["accepted_if"].partition(" = ")
    (problem,) = load(case["options"])
    assert problem[2].endswith(case["accepted_if"])
    assert load(case["options"] | {name: value}) == []
    assert len(told(caplog, logging.WARNING)) == 1


@pytest.mark.parametrize(
    ("options", "problems"),
    [
        pytest.param(
            {"cors_allowed": "null"},
            "cors_allowed 'null': null cannot be listed: every sandboxed page has that origin;"
            " serve the page from an origin of its own",
            id="null",
        ),
        pytest.param(
            {"cors_allowed": "http://example.com:8080", "cors_allow_credentials": "true"},
            "cors_allowed 'http://example.com:8080': expected https with cors_allow_credentials,"
            " since anyone on the network can impersonate an insecure origin; write"
            " https://example.com:8080, or allow it with cors_tolerate_insecure_origins = true",
            id="http with credentials",
        ),
        pytest.param(
            {"cors_allowed": "https://example.com", "cors_allow_methods": "GET, TRACE, a(b), P*"},
            "cors_allow_methods 'TRACE': expected a method that scripts can send; browsers"
            " forbid this one\n"
            "cors_allow_methods 'a(b)': expected a method\n"
            "cors_allow_methods 'P*': expected a method",
            id="methods",
        ),
        pytest.param(
            {
                "cors_allowed": "https://example.com",
                "cors_allow_headers": "X-A, X-B:, X-*, Cookie, Sec-A, Access-Control-Max-Age",
            },
            "cors_allow_headers 'X-B:': expected a header name\n"
            "cors_allow_headers 'X-*': expected a header name\n"
            "cors_allow_headers 'Cookie': expected a header that scripts can set; browsers"
            " forbid this one\n"
            "cors_allow_headers 'Sec-A': expected a header that scripts can set; browsers forbid"
            " this one\n"
            "cors_allow_headers 'Access-Control-Max-Age': expected a request header of your"
            " own; those of CORS need not be listed",
            id="request headers",
        ),
        pytest.param(
            {
                "cors_allowed": "https://example.com",
                "cors_expose_headers": "X-A, X B?, Set-Cookie, Access-Control-Allow-Origin",
            },
            "cors_expose_headers 'B?': expected a header name\n"
            "cors_expose_headers 'Set-Cookie': expected a header that scripts can read; browsers"
            " hide this one\n"
            "cors_expose_headers 'Access-Control-Allow-Origin': expected a response header of"
            " your own; this one is part of CORS",
            id="response headers",
        ),
        pytest.param(
            {
                "cors_allowed": "https://example.com",
                "cors_expose_headers": "X-A, *",
                "cors_allow_credentials": "true",
            },
            "cors_expose_headers '*': expected header names: with cors_allow_credentials, browsers"
            " read * as the name of a header; list the headers",
            id="all response headers with credentials",
        ),
        pytest.param(
            {"cors_allowed": "https://example.com", "cors_max_age": "86401"},
            "cors_max_age '86401': expected a number of seconds from 0 to 86400",
            id="age",
        ),
        pytest.param(
            {"cors_allowed": "https://example.com", "cors_allow_credentials": "yes please"},
            "cors_allow_credentials 'yes please': expected true or false",
            id="boolean",
        ),
    ],
)
def test_a_refusal_says_why_and_what_to_write(options: dict[str, str], problems: str) -> None:
    """Every kind of mistake is reported in these words, with the offending item."""
    found = [f"{option} {text!r}: {reason}" for option, text, reason in load(options)]
    assert "\n".join(found) == problems


def test_all_mistakes_of_an_ini_section_are_reported_together() -> None:
    """One error lists every wrong item of every option, in the options' order."""
    with pytest.raises(ConfigurationError) as caught:
        load_ini(
            """
            [pipeline:main]
            pipeline = cors hello
            [filter:cors]
            use = egg:wsgi_mw_paste#cors
            cors_allowed = null, https://fine.example
                http://plain.example  https://*.co.uk  *
            cors_allow_credentials = on
            cors_allow_methods = CONNECT, PUT
            cors_allow_headers = Host
            cors_expose_headers = *
            cors_max_age = 1 day
            """
        )
    assert [(problem.option, problem.text) for problem in caught.value.problems] == [
        ("cors_allow_methods", "CONNECT"),
        ("cors_allow_headers", "Host"),
        ("cors_max_age", "1 day"),
        ("cors_allowed", "null"),
        ("cors_allowed", "http://plain.example"),
        ("cors_allowed", "https://*.co.uk"),
        ("cors_allowed", "*"),
        ("cors_expose_headers", "*"),
    ]
    assert str(caught.value).startswith("8 problems:\n")


@pytest.mark.parametrize(
    ("options", "warnings", "infos"),
    [
        pytest.param(
            {"cors_allowed": "https://example.com"},
            "",
            "",
            id="nothing to tell",
        ),
        pytest.param(
            {"cors_allowed": ""},
            "",
            OFF,
            id="off",
        ),
        pytest.param(
            {},
            "",
            OFF,
            id="off by default",
        ),
        pytest.param(
            {"cors_allowed": " , ,\n"},
            "",
            OFF,
            id="off, whitespace and commas",
        ),
        pytest.param(
            {"cors_allowed": "HTTPS://Example.com:443/"},
            "cors_allowed: HTTPS://Example.com:443/ is read as https://example.com, as browsers"
            " spell it; write it that way",
            "",
            id="normalized",
        ),
        pytest.param(
            {"cors_allowed": "example.com, *.example.org:8443"},
            "",
            "cors_allowed: example.com means https://example.com and http://example.com\n"
            "cors_allowed: *.example.org:8443 means https://*.example.org:8443 and"
            " http://*.example.org:8443",
            id="expanded",
        ),
        pytest.param(
            {"cors_allowed": "example.com, localhost:3000", "cors_allow_credentials": "true"},
            "",
            "cors_allowed: example.com means https://example.com\n"
            "cors_allowed: localhost:3000 means https://localhost:3000 and http://localhost:3000",
            id="expanded with credentials",
        ),
        pytest.param(
            {"cors_allowed": "example.com:443"},
            "cors_allowed: example.com:443 is read as https://example.com, as browsers spell"
            " it; write it that way",
            "",
            id="bare name with the port of https",
        ),
        pytest.param(
            {"cors_allowed": "Example.com"},
            "cors_allowed: Example.com is read as example.com, as browsers spell it; write it"
            " that way",
            "cors_allowed: Example.com means https://example.com and http://example.com",
            id="normalized and expanded",
        ),
        pytest.param(
            {"cors_allowed": "*, https://example.com"},
            "cors_allowed: * allows every origin; the other entries have no effect",
            "",
            id="idle entries",
        ),
        pytest.param(
            {
                "cors_allowed": "example.com, https://*.github.io",
                "cors_allow_credentials": "true",
                "cors_tolerate_insecure_origins": "true",
                "cors_tolerate_public_suffixes": "true",
            },
            "cors_allowed: http://example.com is insecure, and is allowed with credentials\n"
            "cors_allowed: https://*.github.io covers names below the public suffix github.io,"
            " which anyone can register, and is allowed with credentials",
            "cors_allowed: example.com means https://example.com and http://example.com",
            id="tolerated",
        ),
        pytest.param(
            {
                "cors_allowed": "http://example.com, https://*.github.io",
                "cors_tolerate_insecure_origins": "true",
                "cors_tolerate_public_suffixes": "true",
            },
            "",
            "",
            id="nothing to tolerate without credentials",
        ),
        pytest.param(
            {"cors_allowed": "https://example.com", "cors_allow_methods": "put, patch, Egg"},
            "cors_allow_methods: browsers send patch as it is, not as PATCH; write PATCH if you"
            " mean that\n"
            "cors_allow_methods: browsers send Egg as it is, not as EGG; write EGG if you mean"
            " that",
            "",
            id="methods in lower case",
        ),
        pytest.param(
            {"cors_allowed": "https://example.com", "cors_allow_methods": "patch, PATCH, *"},
            "",
            "",
            id="methods in both cases",
        ),
    ],
)
def test_the_operator_is_told_once_what_an_entry_became(
    options: dict[str, str],
    warnings: str,
    infos: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At start each remark is logged once: dangers and corrections as warnings, the rest as INFO.

    Requests add nothing to it.
    """
    app = cors({}, **options)(hello)
    call(app, make_environ(headers={"Origin": "https://example.com"}))
    call(app)
    assert "\n".join(told(caplog, logging.WARNING)) == warnings
    assert "\n".join(told(caplog, logging.INFO)) == infos
    assert {record.name for record in caplog.records} <= {"wsgi_mw_paste.cors"}


def test_settings_log_nothing_by_themselves(caplog: pytest.LogCaptureFixture) -> None:
    """Remarks wait for the middleware: what only loads settings may print them instead."""
    settings = CORSSettings(cors_allowed="example.com", cors_allow_methods="patch")
    assert caplog.records == []
    assert settings.remarks == (
        Remark(
            logging.INFO,
            "cors_allowed",
            "example.com",
            "example.com means https://example.com and http://example.com",
        ),
        Remark(
            logging.WARNING,
            "cors_allow_methods",
            "patch",
            "browsers send patch as it is, not as PATCH; write PATCH if you mean that",
        ),
    )
    CORSMiddleware(hello, settings)
    assert len(caplog.records) == 2


def test_the_remark_on_an_empty_list_has_no_item() -> None:
    """There is no entry that it could point to."""
    assert CORSSettings().remarks == (
        Remark(logging.INFO, "cors_allowed", "", "empty, so CORS is off"),
    )


def test_what_is_compiled_is_not_what_is_written() -> None:
    """Equal settings are equal whether or not anything has been compiled from them, once each."""
    written, compiled = (CORSSettings(cors_allowed="https://a.example") for _ in range(2))
    assert compiled.origins is compiled.origins
    assert compiled.remarks is compiled.remarks
    assert written == compiled
    assert hash(written) == hash(compiled)
    changed = dataclasses.replace(compiled, cors_allowed="https://b.example")
    assert "https://b.example" in changed.origins
    assert "https://a.example" not in changed.origins


def test_conflicts_are_problems_and_nothing_else() -> None:
    """Settings are complete without it: matcher and remarks do not depend on its being run."""

    class Unchecked(CORSSettings):
        def conflicts(self) -> Iterator[Problem]:
            return iter(())

    settings = Unchecked(cors_allowed="https://a.example, null")
    assert "https://a.example" in settings.origins
    assert settings.remarks == ()


@pytest.mark.parametrize(
    ("entry", "suffix"),
    [
        pytest.param("https://*.com", "com", id="top level"),
        pytest.param("https://*.example", "example", id="unknown single label"),
        pytest.param("https://*.com.", "com", id="trailing dot"),
        pytest.param("https://*.co.uk", "co.uk", id="second level"),
        pytest.param("https://*.vercel.app:8443", "vercel.app", id="private section"),
        pytest.param("https://*.kawasaki.jp", "kawasaki.jp", id="every name below is one"),
        pytest.param("https://*.any.kawasaki.jp", "any.kawasaki.jp", id="one of every name"),
        pytest.param("https://*.xn--p1ai", "xn--p1ai", id="IDN"),
        pytest.param("https://*.xn--55qx5d.cn", "xn--55qx5d.cn", id="IDN below"),
        pytest.param("*.github.io", "github.io", id="bare name"),
        pytest.param("https://*.windows.net", "windows.net", id="above a public suffix"),
        pytest.param("https://*.amazonaws.com", "amazonaws.com", id="above many"),
        pytest.param("https://*.xn--stfold-9xa.no", "xn--stfold-9xa.no", id="IDN above one"),
    ],
)
def test_credentials_refuse_patterns_that_strangers_can_fall_under(entry: str, suffix: str) -> None:
    """A pattern is refused over, above and below public suffixes, which the reason names."""
    options = {"cors_allowed": entry, "cors_allow_credentials": "true"}
    ((_, text, reason),) = load(options)
    assert text == entry
    named = reason.partition("below the public suffix ")[2].partition(";")[0]
    assert named == suffix or named.endswith(f".{suffix}")


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param("https://*.example.com", id="registrable domain"),
        pytest.param("https://*.example.co.uk", id="below a suffix of two labels"),
        pytest.param("https://*.me.github.io", id="below a private suffix"),
        pytest.param("https://*.city.kawasaki.jp", id="exception of the list"),
        pytest.param("https://*.localhost", id="loopback"),
        pytest.param("https://github.io", id="the suffix itself"),
    ],
)
def test_credentials_allow_patterns_over_what_has_one_owner(entry: str) -> None:
    """A pattern whose every host belongs to the same owner loads with credentials."""
    assert load({"cors_allowed": entry, "cors_allow_credentials": "true"}) == []


@pytest.mark.parametrize(
    ("entry", "loads"),
    [
        pytest.param("http://*.corp", True, id="not listed, http"),
        pytest.param("https://*.corp", False, id="not listed, https"),
        pytest.param("http://*.com", False, id="listed, http"),
        pytest.param("http://*.github.io", False, id="listed below, http"),
        pytest.param("http://*.amazonaws.com", False, id="above a listed one, http"),
    ],
)
def test_tolerating_insecure_origins_tolerates_no_public_suffix(entry: str, loads: bool) -> None:  # noqa: FBT001
    """The one tolerance is not the other, but where only the network can hand out names."""
    options = {
        "cors_allowed": entry,
        "cors_allow_credentials": "true",
        "cors_tolerate_insecure_origins": "true",
    }
    assert (load(options) == []) is loads


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        pytest.param(
            "https://*.com",
            "expected a domain of your own with cors_allow_credentials, since anyone can register a"
            " name below the public suffix com; list the hosts, or allow it with"
            " cors_tolerate_public_suffixes = true",
            id="single label",
        ),
        pytest.param("https://*.github.io", "", id="two labels"),
        pytest.param("https://*.localhost", "", id="loopback"),
        pytest.param(
            "https://b\xfccher.example",
            "expected the xn-- form of the host; wsgi_mw_paste[origins] converts other forms",
            id="letters beyond ASCII",
        ),
        pytest.param("https://xn--bcher-kva.example", "", id="Punycode"),
    ],
)
def test_without_the_extra_single_labels_are_still_refused(
    entry: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without idna and publicsuffixlist the rest works, and what is missing is named."""
    monkeypatch.setitem(sys.modules, "idna", None)
    monkeypatch.setitem(sys.modules, "publicsuffixlist", None)
    public_suffixes.cache_clear()
    problems = load({"cors_allowed": entry, "cors_allow_credentials": "true"})
    assert [found for _, _, found in problems] == ([reason] if reason else [])


@pytest.mark.parametrize(
    ("value", "origin"),
    [
        pytest.param(["https://a.example", "https://b.example"], "https://b.example", id="list"),
        pytest.param(("https://a.example",), "https://a.example", id="tuple"),
        pytest.param({"https://b.example", "https://a.example"}, "https://a.example", id="set"),
        pytest.param("https://a.example https://b.example", "https://b.example", id="whitespace"),
        pytest.param("https://a.example,\n\thttps://b.example,", "https://b.example", id="lines"),
    ],
)
def test_origins_are_given_as_text_or_as_a_collection(value: Any, origin: str) -> None:
    """Python callers hand over a list, a tuple, a set or the text of an INI file."""
    assert origin in CORSSettings(cors_allowed=value).origins


def test_settings_in_python_are_checked_as_an_ini_file_is() -> None:
    """``CORSSettings`` refuses from Python what the factory refuses from a file."""
    with pytest.raises(ConfigurationError) as caught:
        CORSSettings(cors_allowed=["*", "a.example, b.example", ""], cors_allow_credentials=True)
    assert [problem.text for problem in caught.value.problems] == ["*", "a.example, b.example", ""]
    assert caught.value.problems[0].reason == STAR_WITH_CREDENTIALS


def test_what_origins_have_to_be_safe_for_is_one_value() -> None:
    """Entries are judged by the options on credentials and by what is tolerated."""
    settings = CORSSettings(
        cors_allow_credentials=True,
        cors_tolerate_insecure_origins=False,
        cors_tolerate_public_suffixes=True,
    )
    assert settings.policy == Policy(
        credentials=True, tolerate_insecure=False, tolerate_public_suffixes=True
    )
