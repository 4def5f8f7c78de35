"""Request ids under load, on every server."""

from __future__ import annotations

import pytest

from tests.servers.client import (
    LOGS,
    assert_every_id_in_its_place,
    assert_one_access_record_each,
    drive,
    records,
)
from tests.servers.servers import Server, output, rows, running


@pytest.mark.parametrize("row", rows())
def test_each_of_many_requests_keeps_its_id_and_gets_one_record(row: Server) -> None:
    """No id is in another request's response or log line, nor in one outside of any request."""
    with running(row.command) as server:
        exchanges = drive(server, range(200), row.clients, row.lacks)
    assert_every_id_in_its_place(exchanges)
    assert_one_access_record_each(exchanges)
    # Loaded, outside of our filter, in a thread of its own, inside: all of it was looked at.
    for log in LOGS:
        assert {f"matrix.{log}.{place}" for place in ("load", "probe", "bare", "app")} <= {
            record.logger for record in records(log)
        }
    assert "--- Logging error ---" not in output()
