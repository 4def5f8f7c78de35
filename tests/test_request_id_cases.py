"""Inbound ids, trace headers, tokens and raw bytes: tables of cases, and what holds for each row.

``cases/request_id_cases.json`` is the one table; its ``meta`` says what the columns mean. The rows
of the other are here.
"""

from __future__ import annotations

import json
import logging
import re
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.serving import served_by_waitress, served_by_wsgiref
from tests.wsgi import Answer, assert_headers, between_validators, call, hello, make_environ
from wsgi_mw_paste import RequestIdMiddleware, RequestIdSettings, current_request_id
from wsgi_mw_paste.factories import request_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CASES = json.loads(
    (Path(__file__).parent / "cases" / "request_id_cases.json").read_text(encoding="utf-8")
)

#: The allow-list, restated: what an effective id may consist of.
is_allowed = re.compile(r"[A-Za-z0-9._~:@#+/=-]{1,200}").fullmatch
is_generated = re.compile("[0-9a-f]{32}").fullmatch

ACCEPTED = "accept"
REPLACED = "replace"
GENERATED = "generate"

#: Inbound ids beyond those of the file: value, what happens to it.
MORE = {
    # Missing.
    "absent": (None, GENERATED),
    "empty": ("", GENERATED),
    "blanks-mixed": (" \t \t", GENERATED),
    # Length.
    "one-letter": ("a", ACCEPTED),
    "one-digit": ("0", ACCEPTED),
    "capitals-around-a-dot": ("X.X", ACCEPTED),
    "len-128": ("d" * 128, ACCEPTED),
    "len-128-in-blanks": (" \t" * 999 + "d" * 128 + " \t" * 999, ACCEPTED),
    "len-129-safe-prefix": ("d" * 128 + "\n", REPLACED),
    "len-200": ("d" * 200, REPLACED),
    "len-1-million": ("d" * 1_000_000, REPLACED),
    # Formats that are in use.
    "ulid": ("01ARZ3NDEKTSV4RRFFQ69G5FAV", ACCEPTED),
    "ksuid": ("0ujtsYcgvSTl8PAuAdqWYSMnLOv", ACCEPTED),
    "nanoid": ("V1StGXR8_Z5jdHi6B-myT", ACCEPTED),
    "nanoid-starts-with-dash": ("-1StGXR8_Z5jdHi6B-myT", ACCEPTED),
    "snowflake": ("1541815603606036480", ACCEPTED),
    "kong-counter": ("9f1c4b1e-2d3a-4c5b-8e6f-0123456789ab#17", ACCEPTED),
    "apache-unique-id": ("YxP7aH8AAQEAAC@-bB0AAAAB", ACCEPTED),
    "gcp-trace-span": ("105445aa7843bc8bf206b12000100000/1", ACCEPTED),
    "traceparent": ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", ACCEPTED),
    "urn-uuid": ("urn:uuid:9f1c4b1e-2d3a-4c5b-8e6f-0123456789ab", ACCEPTED),
    "amazon-root": ("Root=1-67891233-abcdef012345678912345678", ACCEPTED),
    "email": ("ann@example.org", ACCEPTED),
    "every-safe-character": ("-._~:@#+/=Az09", ACCEPTED),
    "case-is-kept": ("AbC", ACCEPTED),
    "upper-hex": ("4BF92F3577B34DA6A3CE929D0E0E4736", ACCEPTED),
    "dot-at-the-end": ("abc.", ACCEPTED),
    "slash-at-the-end": ("abc/", ACCEPTED),
    "two-slashes": ("a//b", ACCEPTED),
    "dots-apart": ("a.b.c", ACCEPTED),
    "tabs-around": ("\tabc-123\t", ACCEPTED),
    # No letter and no digit.
    "dashes": ("-" * 32, REPLACED),
    "underscores": ("___", REPLACED),
    "equals": ("==", REPLACED),
    "safe-punctuation": ("~:@#+=-", REPLACED),
    # Paths.
    "hidden-file": (".bashrc", REPLACED),
    "dot": (".", REPLACED),
    "two-dots": ("..", REPLACED),
    "two-dots-at-the-end": ("abc..", REPLACED),
    "two-dots-between": ("abc..def", REPLACED),
    "parent": ("../../etc/passwd", REPLACED),
    "network-path": ("//evil.example", REPLACED),
    "windows-path": ("C:\\Windows", REPLACED),
    "dot-behind-blanks": ("  .bashrc", REPLACED),
    # Line breaks, alone and after something that is fine.
    "crlf": ("abc\r\ndef", REPLACED),
    "crlf-header": ("abc\r\nSet-Cookie: evil=1", REPLACED),
    "lf": ("abc\ndef", REPLACED),
    "lf-at-the-end": ("abc-123\n", REPLACED),
    "lf-in-front": ("\nabc-123", REPLACED),
    "lf-then-two-dots": ("abc\n..", REPLACED),
    "crlf-at-the-end": ("abc-123\r\n", REPLACED),
    "folded": ("abc\r\n def", REPLACED),
    "forged-line": ("abc\n2026-01-01 00:00:00 ERROR [root] pwned", REPLACED),
    "paragraph-separator": ("abc\u2029def", REPLACED),
    "information-separators": ("abc\x1cdef\x1dghi\x1e", REPLACED),
    # Other control characters and blanks.
    "nul-alone": ("\x00", REPLACED),
    "nul-at-the-end": ("abc-123\x00", REPLACED),
    "vt-at-the-end": ("abc-123\x0b", REPLACED),
    "del": ("abc\x7fdef", REPLACED),
    "backspace": ("abc\x08\x08\x08def", REPLACED),
    "bell": ("abc\x07", REPLACED),
    "tab-inside": ("abc\tdef", REPLACED),
    "blank-inside": ("abc def", REPLACED),
    "nbsp-around": ("\xa0abc-123\xa0", REPLACED),
    "nel-around": ("\x85abc-123\x85", REPLACED),
    "soft-hyphen": ("abc\xaddef", REPLACED),
    "zero-width-space": ("abc\u200bdef", REPLACED),
    "byte-order-mark": ("\ufeffabc-123", REPLACED),
    "right-to-left": ("abc\u202edef", REPLACED),
    # Letters and digits that are not ASCII.
    "latin-1": ("caf\xe9", REPLACED),
    "arabic-digits": ("\u0661\u0662\u0663", REPLACED),
    "superscript": ("abc\xb2", REPLACED),
    "kelvin-sign": ("\u212aelvin", REPLACED),
    "long-s": ("\u017ftring", REPLACED),
    "lone-surrogate": ("abc\udce9", REPLACED),
    "overlong-dot": ("\xc0\xae\xc0\xae", REPLACED),
    # What is joined, quoted or structured.
    "comma-two": ("abc-1,def-2", REPLACED),
    "comma-one-empty": ("abc-1, ", REPLACED),
    "semicolon": ("abc;q=1", REPLACED),
    "quoted": ('"abc-123"', REPLACED),
    "single-quoted": ("'abc-123'", REPLACED),
    "backticks": ("`id`", REPLACED),
    "dollar": ("$(id)", REPLACED),
    "lookup": ("${jndi:ldap://evil.example/a}", REPLACED),
    "percent-crlf": ("abc%0d%0aSet-Cookie:%20evil=1", REPLACED),
    "ampersand": ("a&b", REPLACED),
    "question-mark": ("abc?x=1", REPLACED),
    "star": ("*", REPLACED),
    "exclamation": ("abc!", REPLACED),
    "parentheses": ("(abc)", REPLACED),
    "brackets": ("[abc]", REPLACED),
    "braces": ("{abc}", REPLACED),
    "angle": ("<abc@example.org>", REPLACED),
    "caret": ("a^b", REPLACED),
    "none-in-blanks": (" - ", REPLACED),
    "json": ('{"id": 1}', REPLACED),
    "basic": ("Basic dXNlcjpwYXNz", REPLACED),
    "entity": ("&lt;abc&gt;", REPLACED),
}

ROWS = [
    *((row["id"], row["value"], row["expect"], row.get("result")) for row in CASES["cases"]),
    *((name, value, outcome, None) for name, (value, outcome) in MORE.items()),
]
LONG_ROWS = [
    *(
        (row["id"], row["value"], row["max_length_200"])
        for row in CASES["cases"]
        if "max_length_200" in row
    ),
    ("len-128", "d" * 128, ACCEPTED),
    ("len-200", "d" * 200, ACCEPTED),
    ("len-200-heroku", "abcABC019+/=-" * 15 + "abcde", ACCEPTED),
    ("len-201-with-lf", "d" * 200 + "\n", REPLACED),
]


SOURCES = {ACCEPTED: "inbound", REPLACED: "replaced", GENERATED: "generated"}


class Seen(NamedTuple):
    """One request, from all sides."""

    answer: Answer
    environ: WSGIEnvironment
    current: str | None
    access: dict[str, Any]
    #: All that was logged meanwhile, attribute by attribute.
    logged: list[str]

    @property
    def id(self) -> str:
        """The effective id: on the response once, safe, and the same everywhere."""
        found = self.answer.header("X-Request-Id")
        assert found is not None
        assert is_allowed(found)
        assert found == self.current == self.access["request_id"]
        assert found == self.environ["HTTP_X_REQUEST_ID"]
        assert found == self.environ["wsgi_mw_paste.request_id"]
        return found

    def copies_of(self, raw: str) -> list[str]:
        """Return what has a copy of a client's text in it: log records, response, environ."""
        texts = [
            *self.logged,
            *(str(value) for value in self.environ.values()),
            *(value for _, value in self.answer.headers),
        ]
        # Shorter ones are everywhere: there, only the whole counts.
        return [text for text in texts if (raw in text if len(raw) > 3 else raw == text)]


def ask(caplog: pytest.LogCaptureFixture, headers: dict[str, str], **options: str) -> Seen:
    """Send a request through the filter, to an application that logs a line and answers 418."""
    current = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        current.append(current_request_id())
        logging.getLogger("tests.app").info("answering")
        start_response("418 I'm a teapot", [("Content-Type", "text/plain")])
        return [b"short and stout"]

    caplog.set_level(logging.DEBUG)
    environ = make_environ(headers=headers)
    middleware = request_id({}, **{"log_tokens": "fingerprint", **options})
    answer = call(between_validators(middleware, app), environ)
    assert (answer.status, answer.body) == ("418 I'm a teapot", b"short and stout")
    line, record = (vars(record) for record in caplog.records)
    assert (line["name"], record["name"]) == ("tests.app", "wsgi_mw_paste.access")
    logged = [str(part) for item in (line, record) for part in (*item.values(), *item["args"])]
    return Seen(answer, environ, current[0], record, logged)


def assert_outcome(seen: Seen, value: str | None, outcome: str, result: str | None = None) -> None:
    """Fail unless the value was accepted, or is gone without a trace."""
    assert_headers(seen.answer, {"Content-Type": "text/plain", "X-Request-Id": seen.id})
    assert seen.access["request_id_source"] == SOURCES[outcome]
    taken = value is not None and outcome == ACCEPTED
    raw = (value or "").strip(" \t")
    assert (seen.id == (result or raw)) == taken
    assert bool(is_generated(seen.id)) or taken
    assert taken or not raw or not seen.copies_of(raw)


@pytest.mark.parametrize(
    ("value", "outcome", "result"), [pytest.param(*row, id=name) for name, *row in ROWS]
)
def test_an_inbound_id_is_safe_or_replaced(
    value: str | None, outcome: str, result: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A harmless inbound id is accepted, any other leaves no trace."""
    headers = {} if value is None else {"X-Request-Id": value}
    assert_outcome(ask(caplog, headers), value, outcome, result)


@pytest.mark.parametrize(
    ("value", "outcome", "result"), [pytest.param(*row, id=name) for name, *row in ROWS]
)
def test_a_fallback_id_is_safe_or_replaced(
    value: str | None, outcome: str, result: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """The rule for ids from a fallback header is the same."""
    headers = {} if value is None else {"X-Correlation-Id": value}
    seen = ask(caplog, headers, request_id_fallback_headers="X-Correlation-Id")
    assert_outcome(seen, value, outcome, result)


@pytest.mark.parametrize(
    ("value", "outcome"), [pytest.param(*row, id=name) for name, *row in LONG_ROWS]
)
def test_longer_ids_can_be_allowed(
    value: str, outcome: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With a maximum of 200, as Heroku needs, ids of up to 200 characters are accepted."""
    seen = ask(caplog, {"X-Request-Id": value}, request_id_max_length="200")
    assert_outcome(seen, value, outcome)


ROOT = "1-67891233-abcdef012345678912345678"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
SPAN = "105445aa7843bc8bf206b12000100000"

#: Trace headers beyond those of the file: header, value, the id that is taken from it.
MORE_TRACES = {
    "amzn-root": ("X-Amzn-Trace-Id", f"Root={ROOT}", ROOT),
    "amzn-blanks": ("X-Amzn-Trace-Id", f" Self=x ;  Root={ROOT} ; Sampled=0", ROOT),
    "amzn-lower-case": ("x-amzn-trace-id", f"root={ROOT}", ROOT),
    "amzn-empty-fields": ("X-Amzn-Trace-Id", f";;Root={ROOT};", ROOT),
    "amzn-two-roots": ("X-Amzn-Trace-Id", f"Root={ROOT};Root=1-00000000-{'0' * 24}", ROOT),
    "amzn-lambda": (
        "X-Amzn-Trace-Id",
        f"Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a87bd80c:1|68fd508a:5",
        ROOT,
    ),
    "amzn-self-only": ("X-Amzn-Trace-Id", f"Self={ROOT}", None),
    "amzn-bare": ("X-Amzn-Trace-Id", ROOT, None),
    "amzn-not-a-field": ("X-Amzn-Trace-Id", f"NoRoot={ROOT}", None),
    "amzn-joined": ("X-Amzn-Trace-Id", f"Root={ROOT},Root={ROOT}", None),
    "amzn-longer": ("X-Amzn-Trace-Id", f"Root={ROOT}0", None),
    "amzn-version-2": ("X-Amzn-Trace-Id", f"Root=2{ROOT[1:]}", None),
    "amzn-semicolons": ("X-Amzn-Trace-Id", ";" * 60_000, None),
    "amzn-blanks-only": ("X-Amzn-Trace-Id", "; " * 30_000 + "Root=", None),
    "amzn-line-feed": ("X-Amzn-Trace-Id", "Root=1-\n", None),
    "gcp-whole": ("X-Cloud-Trace-Context", f"{SPAN}/18446744073709551615;o=1", SPAN),
    "gcp-span": ("X-Cloud-Trace-Context", f"{SPAN}/0", SPAN),
    "gcp-no-span": ("X-Cloud-Trace-Context", f"{SPAN};o=1", SPAN),
    "gcp-empty-parts": ("X-Cloud-Trace-Context", f"{SPAN}/;o=", SPAN),
    "gcp-upper-case": ("X-Cloud-Trace-Context", SPAN.upper(), SPAN.upper()),
    "gcp-blanks": ("x-cloud-trace-context", f"  {SPAN}/1\t", SPAN),
    "gcp-zero": ("X-Cloud-Trace-Context", f"{'0' * 32}/1", None),
    "gcp-short": ("X-Cloud-Trace-Context", f"{SPAN[:-1]}/1", None),
    "gcp-longer": ("X-Cloud-Trace-Context", f"{SPAN}0/1", None),
    "gcp-not-hex": ("X-Cloud-Trace-Context", f"{SPAN[:-1]}g/1", None),
    "gcp-span-not-decimal": ("X-Cloud-Trace-Context", f"{SPAN}/abc", None),
    "gcp-joined": ("X-Cloud-Trace-Context", f"{SPAN}/1, {SPAN}/2", None),
    "gcp-line-feed": ("X-Cloud-Trace-Context", f"{SPAN}\n", None),
    "tp-unsampled": ("traceparent", f"00-{TRACE}-{PARENT}-00", TRACE),
    "tp-other-spelling": ("Traceparent", f"00-{TRACE}-{PARENT}-01", TRACE),
    "tp-blanks": ("traceparent", f" \t00-{TRACE}-{PARENT}-01 ", TRACE),
    "tp-unknown-flags": ("traceparent", f"00-{TRACE}-{PARENT}-ff", TRACE),
    "tp-later-version": ("traceparent", f"01-{TRACE}-{PARENT}-01", TRACE),
    "tp-later-version-longer": ("traceparent", f"cc-{TRACE}-{PARENT}-01-what-the-future", TRACE),
    "tp-later-version-dash": ("traceparent", f"cc-{TRACE}-{PARENT}-01-", TRACE),
    "tp-later-version-no-dash": ("traceparent", f"cc-{TRACE}-{PARENT}-01.what", None),
    "tp-version-0-longer": ("traceparent", f"00-{TRACE}-{PARENT}-01-what", None),
    "tp-version-ff": ("traceparent", f"ff-{TRACE}-{PARENT}-01", None),
    "tp-zero-trace": ("traceparent", f"00-{'0' * 32}-{PARENT}-01", None),
    "tp-zero-parent": ("traceparent", f"00-{TRACE}-{'0' * 16}-01", None),
    "tp-upper-case": ("traceparent", f"00-{TRACE.upper()}-{PARENT}-01", None),
    "tp-short": ("traceparent", f"00-{TRACE[:-1]}-{PARENT}-01", None),
    "tp-no-flags": ("traceparent", f"00-{TRACE}-{PARENT}", None),
    "tp-flags-short": ("traceparent", f"00-{TRACE}-{PARENT}-1", None),
    "tp-not-hex": ("traceparent", f"00-{TRACE[:-1]}g-{PARENT}-01", None),
    "tp-line-feed": ("traceparent", f"00-{TRACE}-{PARENT}-01\n", None),
    "tp-bare-trace": ("traceparent", TRACE, None),
    "other-header": ("X-B3-TraceId", "80f198ee56343ba864fe8b2a57d3eff7",
                     "80f198ee56343ba864fe8b2a57d3eff7"),
    "other-header-bad": ("X-Correlation-Id", "a b", None),
}  # fmt: skip


@pytest.mark.parametrize(
    ("header", "value", "expected"),
    [
        *(
            pytest.param(row["header"], row["value"], row["id_expected"], id=row["id"])
            for row in CASES["header_parser_cases"]
        ),
        *(pytest.param(*row, id=name) for name, row in MORE_TRACES.items()),
    ],
)
def test_a_trace_header_gives_its_trace_id_or_nothing(
    header: str, value: str, expected: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A well-formed trace header gives the id, a malformed one leaves no trace."""
    seen = ask(caplog, {header: value}, request_id_fallback_headers=header)
    assert_headers(seen.answer, {"Content-Type": "text/plain", "X-Request-Id": seen.id})
    assert (seen.id == expected) == (expected is not None)
    assert bool(is_generated(seen.id)) or expected is not None
    assert seen.access["request_id_source"] == ("replaced" if expected is None else "inbound")
    assert expected is not None or not seen.copies_of(value)


@pytest.mark.parametrize("row", [pytest.param(row, id=row["id"]) for row in CASES["token_cases"]])
def test_a_token_is_logged_as_its_fingerprint(
    row: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Only a Bearer token is fingerprinted, and no credential is logged."""
    authorization = row["authorization"]
    seen = ask(caplog, {"Authorization": authorization})
    assert seen.access["token"] in {row["fingerprint_unkeyed"], "invalid"}
    assert (seen.access["token"] == "invalid") == (authorization.strip() == "Bearer")
    secrets = [*authorization.split()[1:], *row.get("must_not_contain", ())]
    assert [text for text in seen.logged for secret in secrets if secret in text] == []
    assert_headers(seen.answer, {"Content-Type": "text/plain", "X-Request-Id": seen.id})


# Raw bytes, sent to real servers: what servers make of them differs, the invariants do not.


@contextmanager
def served_by_one_waitress(app: WSGIApplication) -> Iterator[int]:
    """Serve an application with waitress during the ``with`` statement; return the port."""
    with served_by_waitress(app) as (port,):
        yield port


class Served(NamedTuple):
    """A running server, and the environs it has handed to the application."""

    port: int
    environs: list[WSGIEnvironment]

    def send(self, *lines: bytes) -> tuple[int, list[tuple[str, str]]]:
        """Send a request with these header lines as they are; return status and headers."""
        request = b"\r\n".join([b"GET / HTTP/1.0", b"Host: example.com", *lines, b"", b""])
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(request)
            with connection.makefile("rb") as file:
                answer = file.read().decode("latin-1")
        status, *fields = answer.partition("\r\n\r\n")[0].split("\r\n")
        headers = [(name, value) for name, _, value in (field.partition(": ") for field in fields)]
        return int(status.split()[1]), headers


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(served_by_wsgiref, id="wsgiref"),
        pytest.param(served_by_one_waitress, id="waitress"),
    ],
)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    """Start a real server with the middleware; its application keeps the environ."""
    environs: list[WSGIEnvironment] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environs.append(environ)
        return hello(environ, start_response)

    serve: Callable[[WSGIApplication], AbstractContextManager[int]] = request.param
    settings = RequestIdSettings(log_tokens="fingerprint")
    with serve(RequestIdMiddleware(app, settings)) as port:
        yield Served(port, environs)


#: Header lines beyond those of the file.
MORE_LINES = {
    "wire-lf": b"X-Request-Id: abc\nSet-Cookie: evil=1",
    "wire-crlf-cr": b"X-Request-Id: abc\r\r\nSet-Cookie: evil=1",
    "wire-cr-header": b"X-Request-Id: abc\rSet-Cookie: evil=1",
    "wire-obsfold-tab": b"X-Request-Id: abc\r\n\tdef",
    "wire-obsfold-first": b"X-Request-Id:\r\n abc\x1b[2J",
    "wire-nul": b"X-Request-Id: abc\x00def",
    "wire-del": b"X-Request-Id: abc\x7fdef",
    "wire-c1": b"X-Request-Id: abc\x9b31mdef",
    "wire-nel": b"X-Request-Id: abc\x85def",
    "wire-utf-8": "X-Request-Id: caf\xe9-\u65e5\u672c".encode(),
    "wire-not-utf-8": b"X-Request-Id: \xff\xfe\xfd",
    "wire-tab": b"X-Request-Id: abc\tdef",
    "wire-tab-around": b"X-Request-Id:\tabc-123\t",
    "wire-blanks-around": b"X-Request-Id:    abc-123    ",
    "wire-no-blank": b"X-Request-Id:abc-123",
    "wire-blank-before-colon": b"X-Request-Id : abc-123",
    "wire-lower-case": b"x-request-id: abc-123",
    "wire-empty": b"X-Request-Id:",
    "wire-8k": b"X-Request-Id: " + b"f" * 8192,
    "wire-60k": b"X-Request-Id: " + b"f" * 60_000,
    "wire-same-twice": b"X-Request-Id: abc-123\r\nX-Request-Id: abc-123",
    "wire-empty-then-id": b"X-Request-Id:\r\nX-Request-Id: abc-123",
    "wire-both-spellings": b"X-Request-Id: abc-123\r\nX_Request_Id: spoof",
    "wire-own-key": b"wsgi_mw_paste.request_id: spoof",
    "wire-own-key-dashes": b"WSGI-MW-PASTE.REQUEST-ID: spoof",
    "wire-percent": b"X-Request-Id: abc%0d%0aSet-Cookie:%20evil=1",
}


@pytest.mark.parametrize(
    "line",
    [
        *(
            pytest.param(bytes.fromhex(row["raw_header_hex"]), id=row["id"])
            for row in CASES["wire_cases"]
        ),
        *(pytest.param(line, id=name) for name, line in MORE_LINES.items()),
    ],
)
def test_no_bytes_get_past_the_rule(
    line: bytes, served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a client sends, the answer has one safe id, and no log record has other bytes."""
    caplog.set_level(logging.INFO)
    served.environs.clear()
    status, headers = served.send(line)
    assert status == (200 if served.environs else 400)
    assert not [name for name, _ in headers if name.lower() == "set-cookie"]
    ids = [value for name, value in headers if name.lower() == "x-request-id"]
    access = [vars(r) for r in caplog.records if r.name == "wsgi_mw_paste.access"]
    # Servers refuse some of these; then there is no request and nothing of ours.
    assert len(ids) == len(access) == len(served.environs)
    for found, environ, record in zip(ids, served.environs, access, strict=True):
        assert is_allowed(found)
        assert bool(is_generated(found)) or found.encode() in line
        assert found == environ["HTTP_X_REQUEST_ID"] == environ["wsgi_mw_paste.request_id"]
        assert found == record["request_id"]
    raw = line.partition(b":")[2].decode("latin-1").strip(" \t\r\n")
    logged = [str(part) for r in caplog.records for part in (*vars(r).values(), *(r.args or ()))]
    copies = {text for text in logged if raw in text and len(raw) > 3}
    assert copies <= set(ids)


def test_a_plain_id_gets_through_a_real_server(served: Served) -> None:
    """An id that proxies send arrives, and comes back."""
    status, headers = served.send(b"X-Request-Id: 9f1c4b1e-2d3a-4c5b-8e6f-0123456789ab")
    assert status == 200
    assert ("X-Request-Id", "9f1c4b1e-2d3a-4c5b-8e6f-0123456789ab") in headers
