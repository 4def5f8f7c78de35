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
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest

from tests.frameworks import needs
from tests.kit import Pod
from tests.postgres import postgres
from tests.serving import Server, serving, until
from tests.wsgi import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres import Postgres

ORIGIN = "https://shop.example.com"
TOKEN = "eyJhbGciOiJub25lIn0.c2VjcmV0.dG9rZW4"
#: How many requests are going on when the pod is told to stop.
LATE = 4


class Kubelet:
    """Sends the probes of a container, and draws the conclusions that a kubelet draws."""

    def __init__(self, port: int, container: dict[str, Any]) -> None:
        self._port = port
        self._container = container
        self._failures = dict.fromkeys(("startup", "liveness", "readiness"), 0)
        self.is_ready = False

    def probe(self, kind: str) -> bool:
        """Send one probe; return whether its threshold of failures is not reached."""
        probe = self._container[f"{kind}Probe"]
        limit = probe["timeoutSeconds"]
        with closing(HTTPConnection("127.0.0.1", self._port, timeout=limit)) as connection:
            try:
                connection.request("GET", probe["httpGet"]["path"])
                succeeded = 200 <= connection.getresponse().status < 400
            except (HTTPException, OSError):
                succeeded = False
        self._failures[kind] = 0 if succeeded else self._failures[kind] + 1
        return self._failures[kind] < probe["failureThreshold"]

    def looks(self) -> bool:
        """Send all probes of a running container; return whether it is ready."""
        assert self.probe("liveness"), "the container would be restarted"
        self.is_ready = self.probe("readiness") and (
            self.is_ready or not self._failures["readiness"]
        )
        return self.is_ready


@pytest.fixture
def database() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


def late_request(server: Server, number: int, begun: Barrier) -> Answer:
    """Ask for a stream; between its first chunk and the rest, wait for the others and the signal."""
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        connection.request("GET", "/stream", headers={"X-Request-Id": f"late-{number}"})
        response = connection.getresponse()
        first = response.readline()
        begun.wait()
        begun.wait()
        return Answer(str(response.status), response.getheaders(), [first, response.read()])


@needs("gunicorn", "pg8000", "sqlalchemy", "pythonjsonlogger")
def test_a_pod_lives_and_ends_without_losing_a_request(
    database: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readiness follows the database; SIGTERM ends no request; each has one record of JSON."""
    secret = {"log_tokens_key": "a-key\n", "database_url": database.url("pg8000")}
    pod = Pod(Path("pod").absolute(), "production", secret)
    for name, value in pod.environment().items():
        monkeypatch.setenv(name, value)
    name, *arguments = pod.command()
    codes = {}
    with serving(name, *arguments, "--bind=127.0.0.1:0") as server:
        kubelet = Kubelet(server.port, pod.container)
        headers = {"Origin": ORIGIN, "Authorization": f"Bearer {TOKEN}"}

        def get(path: str, request_id: str) -> Answer:
            answer = server.request("GET", path, {**headers, "X-Request-Id": request_id})
            codes[request_id] = answer.code
            return answer

        until(lambda: kubelet.probe("startup"))
        until(kubelet.looks)
        answer = get("/json", "at-first")
        assert answer.header("Access-Control-Allow-Origin") == ORIGIN
        assert answer.header("Access-Control-Allow-Credentials") == "true"

        database.stop()
        until(lambda: not kubelet.looks())
        get("/json", "without-database")
        get("/raise", "raises")
        database.start()
        until(kubelet.looks)

        down = pod.place("/tmp/down")  # noqa: S108 -- the pod's
        down.touch()
        until(lambda: not kubelet.looks())
        down.unlink()
        until(kubelet.looks)
        get("/json", "at-last")

        with ThreadPoolExecutor(LATE) as clients:
            begun = Barrier(LATE + 1)
            late = [clients.submit(late_request, server, n, begun) for n in range(LATE)]
            begun.wait()
            [master] = re.findall(r"Listening at: \S+ \((\d+)\)", server.stdout)
            os.kill(int(master), signal.SIGTERM)
            begun.wait()
            answers = [each.result() for each in late]
        until(lambda: "Shutting down: Master" in server.stdout)

    # Every request was answered, to its end.
    assert codes == {"at-first": 200, "without-database": 200, "raises": 500, "at-last": 200}
    for number, answer in enumerate(answers):
        assert answer.status == "200"
        assert re.findall(rb"chunk (\d) of 3", answer.body) == [b"1", b"2", b"3"]
        codes[f"late-{number}"] = 200

    # And every one is in the log, once; no probe is. All of it is JSON.
    assert server.stderr == ""
    records = [json.loads(line) for line in server.stdout.splitlines()]
    access = [record for record in records if record["name"] == "wsgi_mw_paste.access"]
    assert {record["request_id"]: record["status"] for record in access} == codes
    assert len(access) == len(codes)
    tokens = {record["token"] for record in access if record["token"]}
    assert len(tokens) == 1
    assert tokens.pop().startswith("hmac:")
    assert TOKEN not in server.stdout

    # The operator finds out why it was not ready, and since when it is again.
    turns = [
        (record["levelname"], record["message"].partition(" after ")[0])
        for record in records
        if record["name"] == "wsgi_mw_paste.health"
    ]
    assert turns == [
        ("WARNING", "not ready: health_checks:database raised InterfaceError"),
        ("INFO", "health_checks:database is good again,"),
        ("WARNING", f"not ready: {down} exists (health_disable_file)"),
        ("INFO", f"{down} is gone,"),
    ]
