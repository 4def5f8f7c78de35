"""Bytes that no client library would send, to every server: what gets through to us does no harm.

A server refuses much of it by itself. What it does not refuse is answered in order, with one
response each, and has its lines in the logs, none of which a client has written.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.servers import Server, Wire, rows, running
from tests.servers.test_responses import THEIRS
from tests.servers.wire import EVIL, NEW, Attack, Response, attacks, parse, request, send

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tests.servers.servers import Running

#: What follows each attack, on a connection of its own.
PLAIN = Attack(request(b"X-Request-Id: plain", b"Connection: close"), ("plain",))
#: The ids that a request may have: no others are valid, or they are not sent as an id.
ID = f"{NEW}|own|cut|one|two|under|before|after|plain"
TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
#: The headers of responses and what may be in them.
HEADERS = dict.fromkeys(THEIRS | {"allow"}, r"[ -~]+") | {
    "x-request-id": ID,
    "vary": "Origin(, ?Access-Control-Request-Method, ?Access-Control-Request-Headers)?",
    "content-type": r"application/(problem\+)?json|text/(plain|html)(; ?charset=[-\w]+)?",
    "cache-control": "no-store",
    "access-control-allow-origin": r"https://app\.example\.com",
    "access-control-allow-methods": TOKEN,
    "access-control-allow-headers": f"{TOKEN}(,{TOKEN})*",
    "access-control-max-age": "600",
}
#: The fields of records in the JSON log: all others; those with a traceback; the access records.
FIELDS = frozenset({"levelname", "message", "name", "request_id"})
ACCESS_FIELDS = FIELDS.union(
    "request_id_source host method path status bytes duration_ms remote_addr user_agent protocol"
    " token error_type".split()
)
#: Not where a client has written it into another line.
ACCESS_LINES = re.compile(r"^@@ \S+ \S+ wsgi_mw_paste\.access ", re.MULTILINE).findall
KINDS_OF_FIELDS = {FIELDS, FIELDS | {"exc_info"}, ACCESS_FIELDS}


@pytest.mark.parametrize("row", rows())
def test_hostile_bytes_split_no_response_and_forge_no_line(row: Server) -> None:
    """Whatever a server lets through, the answers are ours, and so are the lines of the logs."""
    facts = row.wire
    table = {
        name: attack
        for name, attack in attacks(facts.underscored).items()
        if not matches(name, facts.hangs)
    }
    with running(row.command, "hostile.ini") as server:
        # At once, because some servers take a while to close a connection.
        with ThreadPoolExecutor(row.clients) as pool:
            answers = dict(
                zip(
                    table,
                    pool.map(lambda attack: exchange(server, attack, facts), table.values()),
                    strict=True,
                )
            )
        ids = Counter(
            response.request_id for responses in answers.values() for response in ours(responses)
        )
        ids["plain"] += len(table)
        server.wait_for(lambda: len(ACCESS_LINES(log("text"))) >= ids.total())
    assert {
        name: responses
        for name, responses in answers.items()
        if not is_right(name, table[name], responses, facts)
    } == {}
    assert_logged(ids)


def matches(name: str, words: str) -> bool:
    """Say whether the last of the words that match, as in ``.gitignore``, is one without ``!``."""
    found = [word for word in words.split() if fnmatchcase(name, word.removeprefix("!"))]
    return bool(found) and not found[-1].startswith("!")


def exchange(server: Running, attack: Attack, facts: Wire) -> list[Response]:
    """Send an attack, and a plain request after it, which has to be answered as ever."""
    responses = parse(send(server.port, attack), facts)
    after = parse(send(server.port, PLAIN), facts)
    assert [(response.status, response.request_id) for response in after] == [(200, "plain")]
    return responses


def ours(responses: Iterable[Response]) -> list[Response]:
    return [response for response in responses if response.request_id is not None]


def theirs(responses: Iterable[Response]) -> list[Response]:
    """Return what the server has answered by itself."""
    return [response for response in responses if response.request_id is None]


def statuses(responses: Iterable[Response]) -> list[int]:
    return [response.status for response in responses]


def is_right(name: str, attack: Attack, responses: Sequence[Response], facts: Wire) -> bool:
    """Say whether these are all the responses that there should be, and nothing else."""
    may_be_missing = not attack.ends or matches(name, facts.refuses)
    # What a server may do with the requests of one connection: answer all, or the first.
    answered = [attack.ids] * (facts.keeps is not False) + [attack.ids[:1]] * (not facts.keeps)
    return (
        (may_be_missing or any(is_answered(responses, ids) for ids in answered))
        and are_in_order(responses, attack.ids)
        and set(statuses(ours(responses))) <= {0, 200, *attack.statuses}
        and (500 not in statuses(theirs(responses)) or matches(name, facts.fails))
        and all(map(is_clean, responses))
    )


def is_answered(responses: Sequence[Response], ids: Sequence[str]) -> bool:
    """Say whether each request has got a response, with an id that it may have."""
    return len(responses) == len(ids) == len(ours(responses)) and are_in_order(responses, ids)


def are_in_order(responses: Iterable[Response], ids: Iterable[str]) -> bool:
    """Say whether the ids of our responses are among those, in the same order."""
    left = iter(ids)
    return all(
        any(re.fullmatch(pattern, str(response.request_id)) for pattern in left)
        for response in ours(responses)
    )


def is_clean(response: Response) -> bool:
    """Say whether each header is there once and has a value that no client has made up.

    The application has put three things into its body: the id, the id again, and what it would
    pass on.
    """
    names = [name for name, _ in response.headers]
    if response.request_id is not None and response.body.startswith(b"["):
        *ids, passed_on = json.loads(response.body)
        assert ids == [response.request_id] * 2
        passed_on = "".join(passed_on.values()).replace("\t", "")
        assert passed_on.isprintable()
        assert passed_on.isascii()
    return (
        len(set(names)) == len(names)
        and all(re.fullmatch(HEADERS.get(name, "!"), value) for name, value in response.headers)
        and not (response.request_id and EVIL in response.body)
    )


def log(kind: str) -> str:
    return Path(f"hostile.{kind}").read_bytes().decode()


def assert_logged(ids: Counter[str | None]) -> None:
    """Fail unless the logs have one access record for each id, and no line that is not of ours."""
    text = log("text").split("\n")[:-1]
    records = [json.loads(line) for line in log("json").split("\n")[:-1]]
    assert [line for line in text if not line.isprintable()] == []
    assert [record for record in records if frozenset(record) not in KINDS_OF_FIELDS] == []
    assert [record for record in records if not is_one_line(record)] == []
    # So the text log has these lines and no others.
    assert Counter(text) == Counter(line for record in records for line in lines_of(record))
    assert EVIL.decode() not in log("text") + log("json")
    logged = Counter(
        record["request_id"] for record in records if record["name"] == "wsgi_mw_paste.access"
    )
    assert ids["cut"] <= logged["cut"]
    assert {**ids, "cut": 0} == {**logged, "cut": 0}


def is_one_line(record: Mapping[str, Any]) -> bool:
    """Say whether a record is a line of the text log, and its traceback begins no other one."""
    head, *traceback = lines_of(record)
    return (
        head.isprintable()
        and re.fullmatch(
            rf"@@ ({ID}|-) (INFO|ERROR) (wsgi_mw_paste\.(access|cors|errors)|hostile) .*", head
        )
        is not None
        and not any(line.startswith("@@") for line in traceback)
    )


def lines_of(record: Mapping[str, Any]) -> Iterator[str]:
    yield "@@ {request_id} {levelname} {name} {message}".format_map(record)
    yield from record.get("exc_info", "").splitlines()
