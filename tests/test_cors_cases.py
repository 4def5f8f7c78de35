"""A table of exchanges, judged as a browser would judge them.

``tests/cases/cors_cases.json`` has options, request and application, and then what is expected.
``allowed``: would a browser go on after a preflight, or hand an actual response to the script?
``covers``: what a list must let a browser do, however the list says it. ``soft_headers`` are habits
of other middlewares, nothing we promise.
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.wsgi import Answer, between_validators, call, make_environ
from wsgi_mw_paste.factories import cors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CASES = json.loads(Path(__file__).with_name("cases").joinpath("cors_cases.json").read_text("utf-8"))


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_an_exchange_is_what_the_table_says(case: dict[str, Any]) -> None:
    """Every row's status, headers, ``Vary`` and verdict of a browser are the expected ones."""
    options, request, expect = case["options"], case["request"], case["expect"]
    asked: dict[str, str] = request["headers"]
    credentials = options["cors_allow_credentials"] == "true"
    seen: list[str] = []
    app = application(case.get("app", {"status": 200, "headers": {}, "body": "ok"}), seen)

    answer = call(
        between_validators(cors({}, **options), app),
        make_environ(request["method"], headers=asked),
    )

    preflight = request["method"] == "OPTIONS" and {
        "Origin",
        "Access-Control-Request-Method",
    } <= set(asked)
    assert preflight is expect["preflight"]
    assert seen == [request["method"]] * (not preflight or not options["cors_allowed"])
    assert expect["status"] in (None, answer.code)
    assert 200 <= answer.code <= 299 or not expect.get("status_ok")
    assert {name: answer.header(name) for name in expect["headers"]} == expect["headers"]
    vary = set(names(answer, "Vary", lower=True) or ())
    assert {name.lower() for name in expect["vary_contains"]} <= vary
    assert vary.isdisjoint(name.lower() for name in expect.get("vary_excludes", ()))
    for header, wanted in expect.get("covers", {}).items():
        assert {name for name in wanted if not covers(answer, header, name, credentials)} == set()
    for header, unwanted in expect.get("not_covers", {}).items():
        assert {name for name in unwanted if covers(answer, header, name, credentials)} == set()
    verdict = preflight_fetch if preflight else cors_check
    if expect["allowed"] is not None:
        assert verdict(asked, answer, credentials) is expect["allowed"]


def application(answer: dict[str, Any], seen: list[str]) -> WSGIApplication:
    """Return an application with this answer; it notes the methods it is called with."""
    status = HTTPStatus(answer["status"])
    headers = dict(answer["headers"])
    if status is not HTTPStatus.NOT_MODIFIED:
        headers = {"Content-Type": "text/plain"} | headers

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        seen.append(environ["REQUEST_METHOD"])
        start_response(f"{status.value} {status.phrase}", list(headers.items()))
        return [answer["body"].encode("utf-8")]

    return app


def cors_check(request: dict[str, str], answer: Answer, credentials: bool) -> bool:  # noqa: FBT001
    """Fetch, "CORS check"; *credentials*: the request's credentials mode is "include"."""
    origin = combined(answer, "Access-Control-Allow-Origin")
    if not credentials and origin == "*":
        return True
    if origin != request["Origin"]:
        return False
    return not credentials or combined(answer, "Access-Control-Allow-Credentials") == "true"


def preflight_fetch(request: dict[str, str], answer: Answer, credentials: bool) -> bool:  # noqa: FBT001
    """Fetch, "CORS-preflight fetch", step 7."""
    if not cors_check(request, answer, credentials) or not 200 <= answer.code <= 299:
        return False
    lists = [names(answer, f"Access-Control-Allow-{what}") for what in ("Methods", "Headers")]
    wanted = request.get("Access-Control-Request-Headers", "").split(",")
    return (
        None not in lists
        and covers(
            answer,
            "Access-Control-Allow-Methods",
            request["Access-Control-Request-Method"],
            credentials,
        )
        and all(
            covers(answer, "Access-Control-Allow-Headers", name.strip(" \t"), credentials)
            for name in wanted
            if name.strip(" \t")
        )
    )


def covers(answer: Answer, header: str, name: str, credentials: bool) -> bool:  # noqa: FBT001
    """Say whether one of CORS's lists lets a browser send, or show, what is called *name*."""
    is_methods = header == "Access-Control-Allow-Methods"
    if is_methods and name in ("GET", "HEAD", "POST"):
        return True
    listed = names(answer, header, lower=not is_methods) or []
    if (name if is_methods else name.lower()) in listed:
        return True
    return "*" in listed and not credentials and name.lower() != "authorization"


def names(answer: Answer, header: str, *, lower: bool = False) -> list[str] | None:
    """Fetch, "extracting header list values": the items, ``None`` for failure."""
    text = combined(answer, header) or ""
    items = [item.strip(" \t") for item in text.split(",")]
    items = [item.lower() if lower else item for item in items if item]
    return items if all(re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", i) for i in items) else None


def combined(answer: Answer, header: str) -> str | None:
    """Fetch, "getting" a header: all its values as one."""
    return ", ".join(answer.values(header)) if answer.values(header) else None
