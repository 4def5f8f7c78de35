"""A pod of the kit from its start to its end, as a kubelet and its clients see it.

The server is started with the kit's command, INI files, environment and secret file; PostgreSQL is
a real one. What is not Kubernetes' here: no container, no preStop, and probes follow each other
without a pause.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import clean_environment
from tests.frameworks import needs
from tests.kit import SECRET, Pod
from tests.postgres import Postgres, postgres
from tests.serving import Server, serving, until
from tests.wsgi import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = needs("gunicorn", "pg8000", "sqlalchemy", "pythonjsonlogger")

ORIGIN = "https://shop.example.com"
TOKEN = "eyJhbGciOiJub25lIn0.c2VjcmV0.dG9rZW4"
#: How many requests are going on when the pod is told to stop.
LATE = 4


class Kubelet:
    """Sends the probes of a container, and draws the conclusions that a kubelet draws."""

    def __init__(self, port: int, container: dict[str, Any]) -> None:
        self._port = port
        self._container = container
        self._failures = Counter[str]()
        self.is_ready = False

    def probe(self, kind: str) -> bool:
        """Send one probe; return whether it succeeded."""
        probe = self._container[f"{kind}Probe"]
        limit = probe["timeoutSeconds"]
        succeeded = False
        with (
            closing(HTTPConnection("127.0.0.1", self._port, timeout=limit)) as connection,
            suppress(HTTPException, OSError),
        ):
            connection.request("GET", probe["httpGet"]["path"])
            succeeded = 200 <= connection.getresponse().status < 400
        self._failures[kind] = 0 if succeeded else self._failures[kind] + 1
        return succeeded

    def looks(self) -> bool:
        """Send both probes of a running container; return whether it is ready by now."""
        assert self.probe("liveness")
        threshold = self._container["readinessProbe"]["failureThreshold"]
        if self.probe("readiness"):
            self.is_ready = True
        elif self._failures["readiness"] >= threshold:
            self.is_ready = False
        return self.is_ready


@dataclass
class Life:
    """What was seen of a pod.

    :ivar answers: by the request's id.
    :ivar log: all that the server wrote to standard output.
    """

    pod: Pod
    answers: dict[str, Answer] = field(default_factory=dict)
    readiness: list[tuple[str, bool]] = field(default_factory=list)
    log: str = ""

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.splitlines()]

    def messages(self, logger: str) -> list[str]:
        """Return level and message of a logger's records, without the times."""
        found = [
            f"{record['levelname']} {record['message']}"
            for record in self.records
            if record["name"] == logger
        ]
        return [re.sub(r"\b\d+\.\d s", "N s", text) for text in found]


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """Let a pod live once, for all tests."""
    folder = tmp_path_factory.mktemp("kubelet")
    with (
        clean_environment(folder),
        pytest.MonkeyPatch.context() as patch,
        postgres() as database,
    ):
        secret = SECRET | {"database_url": database.url("pg8000")}
        pod = Pod(Path("pod").absolute(), "production", secret)
        for name, value in pod.environment().items():
            patch.setenv(name, value)
        found = Life(pod)
        name, *arguments = pod.command()
        with serving(name, *arguments, "--bind=127.0.0.1:0") as server:
            live(found, server, database)
            end(found, server)
        found.log = server.stdout
        yield found


def live(life: Life, server: Server, database: Postgres) -> None:
    """Send probes and requests, while the database goes and comes, and an operator interferes."""
    kubelet = Kubelet(server.port, life.pod.container)

    def get(path: str, request_id: str) -> None:
        headers = {"Origin": ORIGIN, "Authorization": f"Bearer {TOKEN}", "X-Request-Id": request_id}
        life.answers[request_id] = server.request("GET", path, headers)

    def after(event: str, *, ready: bool) -> None:
        until(lambda: kubelet.looks() is ready)
        life.readiness.append((event, kubelet.is_ready))

    down = life.pod.place("/tmp/down")  # noqa: S108 -- the pod's
    until(lambda: kubelet.probe("startup"))
    after("the start", ready=True)
    get("/json", "ready")
    database.stop()
    after("the database's end", ready=False)
    get("/json", "not-ready")
    get("/raise", "raises")
    database.start()
    after("the database's return", ready=True)
    down.touch()
    after("the operator's switch", ready=False)
    down.unlink()
    after("the switch's reset", ready=True)
    get("/json", "ready-again")


def end(life: Life, server: Server) -> None:
    """Tell the server to stop while it answers, and read the answers to their end."""
    begun = Barrier(LATE + 1)

    def get(request_id: str) -> Answer:
        with closing(HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
            connection.request("GET", "/stream", headers={"X-Request-Id": request_id})
            response = connection.getresponse()
            first = response.readline()
            for _ in "begun", "told":
                begun.wait()
            status = f"{response.status} {response.reason}"
            return Answer(status, response.getheaders(), [first, response.read()])

    with ThreadPoolExecutor(LATE) as clients:
        late = {f"late-{number}": clients.submit(get, f"late-{number}") for number in range(LATE)}
        begun.wait()
        [master] = re.findall(r"Listening at: \S+ \((\d+)\)", server.stdout)
        os.kill(int(master), signal.SIGTERM)
        begun.wait()
        life.answers |= {request_id: answer.result() for request_id, answer in late.items()}
    until(lambda: "Shutting down: Master" in server.stdout)


def test_readiness_follows_the_database_and_the_switch(life: Life) -> None:
    """The pod is taken out and comes back; at no time would it have been restarted."""
    assert life.readiness == [
        ("the start", True),
        ("the database's end", False),
        ("the database's return", True),
        ("the operator's switch", False),
        ("the switch's reset", True),
    ]


def test_every_request_is_answered(life: Life) -> None:
    """Those that reach a pod that is not ready, too."""
    codes = {"ready": 200, "not-ready": 200, "raises": 500, "ready-again": 200}
    codes |= {f"late-{number}": 200 for number in range(LATE)}
    assert {request_id: answer.code for request_id, answer in life.answers.items()} == codes


def test_sigterm_cuts_no_answer_short(life: Life) -> None:
    """What had begun was sent to its end."""
    for number in range(LATE):
        body = life.answers[f"late-{number}"].body
        assert re.findall(rb"chunk (\d) of 3", body) == [b"1", b"2", b"3"]


def test_every_request_has_one_record_and_no_probe_has_any(life: Life) -> None:
    """All of the log is JSON; the record has the status that the client got."""
    access = [record for record in life.records if record["name"] == "wsgi_mw_paste.access"]
    assert Counter(record["request_id"] for record in access) == Counter(list(life.answers))
    for record in access:
        assert record["status"] == life.answers[record["request_id"]].code


def test_the_overlays_policy_is_in_effect(life: Life) -> None:
    """Its page may read the responses, with cookies; that of an exception as well."""
    for request_id in ("ready", "raises"):
        answer = life.answers[request_id]
        assert answer.header("Access-Control-Allow-Origin") == ORIGIN
        assert answer.header("Access-Control-Allow-Credentials") == "true"
        assert answer.header("X-Request-Id") == request_id


def test_the_secret_file_is_the_key_of_the_fingerprints(life: Life) -> None:
    """The log has the token's fingerprint, made with a key, and the token nowhere."""
    access = [record for record in life.records if record["name"] == "wsgi_mw_paste.access"]
    tokens = {record["token"] for record in access if record["request_id"] == "ready"}
    assert [token.partition(":")[0] for token in tokens] == ["hmac"]
    assert TOKEN not in life.log


def test_the_log_says_why_the_pod_was_not_ready(life: Life) -> None:
    """And when it was ready again; the traceback is there as well."""
    down = life.pod.place("/tmp/down")  # noqa: S108 -- the pod's
    assert life.messages("wsgi_mw_paste.health") == [
        "WARNING not ready: health_checks:database raised InterfaceError",
        "INFO health_checks:database is OK again, after N s",
        f"WARNING not ready: {down} exists (health_disable_file)",
        f"INFO {down} is gone, after N s",
    ]
    assert any("Traceback" in record.get("exc_info", "") for record in life.records)
