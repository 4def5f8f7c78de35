"""Logging set up by servers from the INI, and what only some servers do."""

from __future__ import annotations

import signal
from contextlib import closing
from http.client import HTTPConnection

import pytest

from tests.servers.client import (
    assert_every_id_in_its_place,
    assert_one_access_record_each,
    drive,
    records,
)
from tests.servers.servers import GUNICORN, SERVERS, Server, output, rows, running


@pytest.mark.parametrize("row", rows([name for name in SERVERS if "gunicorn" in name]))
def test_the_access_log_of_gunicorn_has_the_id_by_a_format(row: Server) -> None:
    """``%({x-request-id}o)s`` is the id, also for streamed, aborted and failed requests."""
    with running(row.command) as server:
        exchanges = drive(server, range(24))
    lines = [
        record.message for record in records("formatted") if record.logger == "gunicorn.access"
    ]
    assert sorted(lines) == sorted(
        f"{exchange.kind.method} /{exchange.kind.path}/{exchange.key} id={exchange.request_id}"
        for exchange in exchanges
    )


@pytest.mark.parametrize(
    "command",
    [pytest.param(GUNICORN, id="loaded-again"), pytest.param(f"{GUNICORN} --preload", id="kept")],
)
def test_ids_and_records_survive_a_reload_of_gunicorn(command: str) -> None:
    """After SIGHUP, which configures logging again, ids and records are as before."""
    with running(command) as server:
        exchanges = drive(server, range(24))
        server.process.send_signal(signal.SIGHUP)
        # Two workers of the start, two of the reload.
        server.wait_for(lambda: output().count("Booting worker") == 4)
        exchanges += drive(server, range(24, 72))
    assert_every_id_in_its_place(exchanges)
    assert_one_access_record_each(exchanges)
    assert "--- Logging error ---" not in output()


def test_waitress_keeps_connections_and_knows_lengths() -> None:
    """Waitress gives a list its Content-Length, and one connection serves many requests."""
    with (
        running(SERVERS["waitress"].command) as server,
        closing(HTTPConnection("127.0.0.1", server.port)) as connection,
    ):
        connection.connect()
        socket = connection.sock
        for method, kind, body in [
            ("GET", "plain", b"one\n"),
            ("HEAD", "head", b""),
            ("GET", "file", b"one\n"),
            ("GET", "plain", b"one\n"),
        ]:
            connection.request(method, f"/{kind}/0000", headers={"X-Request-Id": "one"})
            response = connection.getresponse()
            assert response.headers.get_all("Content-Length") == ["4"]
            assert response.headers.get_all("X-Request-Id") == ["one"]
            assert response.read() == body
            assert connection.sock is socket
