"""What goes wrong around a server, and costs no other request anything: disks, clients, signals."""

from __future__ import annotations

import os
import re
import signal
import socket
from contextlib import closing
from http.client import HTTPConnection, IncompleteRead
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.ini import ROOT, write_copy
from tests.serving import Server, in_child, program, serving, until
from tests.wsgi import call, hello
from wsgi_mw_paste import factories

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

GUNICORN = ("gunicorn", "--bind=127.0.0.1:0", "--graceful-timeout=60")
SYNC = (*GUNICORN, "--worker-class=sync", "--paste")
GTHREAD = (*GUNICORN, "--threads=4", "--paste")
GEVENT = (*GUNICORN, "--worker-class=gevent", "--paste")
SERVERS = {"waitress": ("pserve",), "gthread": GTHREAD, "gevent": GEVENT}
#: Where servers say their address, if not on stderr.
CONSOLE = "[handler_console]\nclass = StreamHandler\nargs = (sys.stdout,)"
#: The application of the load has long bodies, and says nothing of its own.
OURS = ("paste.app_factory = proof.app:make", "paste.app_factory = tests.test_faults_served:make")


def make(global_conf: dict[str, str], /) -> WSGIApplication:
    """Return an application that waits for a file in mid-body; a ``paste.app_factory``."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return chunks()

    def chunks() -> Iterator[bytes]:
        yield b"one"
        until(Path("go").exists)
        yield b"two"

    return app


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def write_ini(*changes: tuple[str, str]) -> Path:
    """Write the configuration of the load, with all filters."""
    return write_copy("proof/soak.ini", ("HEALTH", "health"), *changes)


def records(request_id: str) -> list[str]:
    """Return the access records of a request: status and error type."""
    lines = Path("access.log").read_text(encoding="utf-8").splitlines()
    return [line.split(" ", 1)[1] for line in lines if line.startswith(f"{request_id} ")]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("name", SERVERS)
def test_a_disk_that_is_full_stops_no_response(name: str) -> None:
    """Every response is whole, and stderr says for each what its record met."""
    ini = write_ini(('"access.log"', '"/dev/full"'))
    with serving(*SERVERS[name], ini) as server:
        paths = ["/plain", "/stream", "/large", "/raise", "/plain"]
        answers = [server.request("GET", path, {"X-Request-Id": "one"}) for path in paths]
        server.wait_for(lambda: server.stderr.count("--- Logging error ---") == len(paths))
    assert [answer.code for answer in answers] == [200, 200, 200, 500, 200]
    assert [len(answers[place].body) for place in (0, 1, 2)] == [3, 9, 64 * (65536 + 3)]
    assert server.stderr.count("No space left on device") >= len(paths)


@pytest.mark.parametrize("name", SERVERS)
def test_clients_that_stall_keep_no_other_waiting(name: str) -> None:
    """One in the middle of its request, one that reads no body; the record of that one is written.

    When it goes away: that is when a server knows.
    """
    with serving(*SERVERS[name], write_ini()) as server:
        with (
            closing(socket.create_connection(("127.0.0.1", server.port))) as slow,
            closing(socket.create_connection(("127.0.0.1", server.port))) as deaf,
        ):
            slow.sendall(b"GET /plain HTTP/1.1\r\nHost: a\r\nX-Request-Id: slow\r\nX-A: ")
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\nX-Request-Id: deaf\r\n\r\n")
            assert deaf.recv(1)
            for number in range(8):
                answer = server.request("GET", "/plain", {"X-Request-Id": f"id-{number}"})
                assert answer.body == f"id-{number}".encode()
        server.wait_for(lambda: len(records("deaf")) == 1)
        assert server.request("GET", "/plain").code == 200
    assert [records(f"id-{number}") for number in range(8)] == [["200 None"]] * 8
    assert records("deaf")[0].startswith("200 ")
    assert records("slow") == []


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM], ids=lambda value: value.name)
@pytest.mark.parametrize("command", [SYNC, GTHREAD, GEVENT], ids=["sync", "gthread", "gevent"])
def test_a_signal_in_mid_request_cuts_no_response_short(
    command: tuple[str, ...], number: signal.Signals
) -> None:
    """After a reload, or at the end of the server, what had begun is sent and recorded, once."""
    with serving(*command, write_ini(OURS)) as server:
        with closing(HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
            connection.request("GET", "/", headers={"X-Request-Id": "begun"})
            response = connection.getresponse()
            first = response.read(3)
            os.kill(server.pid, number)
            server.wait_for(lambda: said(server)(number))
            Path("go").touch()
            rest = response.read()
        server.wait_for(lambda: records("begun") != [])
        assert number is signal.SIGTERM or server.request("GET", "/").body == b"onetwo"
    assert (first, rest) == (b"one", b"two")
    assert response.headers.get_all("X-Request-Id") == ["begun"]
    assert records("begun") == ["200 None"]


def test_waitress_drops_what_it_is_doing_at_sigterm() -> None:
    """It ends at once: the client sees that its response is not whole, and no record is written."""
    with (
        serving("pserve", write_ini(OURS)) as server,
        closing(HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection,
    ):
        connection.request("GET", "/", headers={"X-Request-Id": "begun"})
        response = connection.getresponse()
        assert response.read(3) == b"one"
        os.kill(server.pid, signal.SIGTERM)
        with pytest.raises(IncompleteRead):
            response.read()
    assert records("begun") == []


#: Runs a server whose stderr takes nothing.
WITH_FULL_STDERR = """\
import os, sys
os.dup2(os.open("/dev/full", os.O_WRONLY), 2)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("name", SERVERS)
def test_a_stderr_that_is_full_stops_no_response(name: str) -> None:
    """Neither a record nor the report of its failure can be written, and every response is whole.

    What the servers say goes to stdout, or is not said.
    """
    ini = write_ini(
        ('FileHandler\nargs = ("access.log",)', "StreamHandler\nargs = (sys.stderr,)"),
        ("[handler_console]\nclass = StreamHandler\nargs = (sys.stderr,)", CONSOLE),
    )
    first, *rest = SERVERS[name]
    option = {"pserve": "--quiet", "gunicorn": "--error-logfile=/dev/stdout"}[first]
    command: list[str | Path] = [program(first), option, *rest, ini]
    with serving("python", "-c", WITH_FULL_STDERR, *command) as server:
        paths = ["/plain", "/stream", "/large", "/raise", "/plain"]
        answers = [server.request("GET", path, {"X-Request-Id": "one"}) for path in paths]
        assert server.stderr == ""
    assert [answer.code for answer in answers] == [200, 200, 200, 500, 200]
    assert [len(answers[place].body) for place in (0, 1, 2)] == [3, 9, 64 * (65536 + 3)]
    assert {answer.header("X-Request-Id") for answer in answers} == {"one"}


def said(server: Server) -> Callable[[signal.Signals], bool]:
    """Return whether the server has said that it has got a signal, and done what it asks for."""
    output = server.stdout + server.stderr
    lines = {
        signal.SIGHUP: len(re.findall("Booting worker", output)) == 2,
        signal.SIGTERM: "Handling signal: term" in output,
    }
    return lines.__getitem__


def test_a_child_that_is_forked_after_loading_makes_ids_of_its_own() -> None:
    """What was made of the settings serves in every process, and no two have the same ids."""
    app = factories.main({}, log_tokens="false")(hello)
    assert call(app).code == 200
    made = [in_child(lambda: call(app).header("X-Request-Id")) for _ in range(2)]
    made += [str(call(app).header("X-Request-Id")) for _ in range(2)]
    assert [len(request_id) for request_id in made] == [32] * 4
    assert len(set(made)) == 4
