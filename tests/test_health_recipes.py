"""The checks in ``examples/health_checks.py``, against what they check: going, gone, and silent."""

from __future__ import annotations

import gc
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.frameworks import needs
from tests.health import probe, states
from tests.ini import ROOT, load_ini
from tests.postgres import Postgres, postgres
from tests.serving import free_port, served_by_wsgiref, until
from tests.wsgi import PLAIN, answering

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from _typeshed.wsgi import WSGIApplication

# pg8000 does not close the socket of a connection that comes to nothing.
pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed <socket:ResourceWarning",
    "ignore:Exception ignored in. <_io.BufferedRWPair:pytest.PytestUnraisableExceptionWarning",
)

DRIVERS = [pytest.param(name, marks=needs("sqlalchemy", name)) for name in ("pg8000", "psycopg")]


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    """Run one server for all tests; each of them finds it going."""
    with postgres() as server:
        yield server


@pytest.fixture(autouse=True)
def _examples(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Let the module be imported as in a deployment, and again each time: it keeps its engine."""
    monkeypatch.syspath_prepend(ROOT / "examples")
    yield
    module = sys.modules.pop("health_checks")
    if module.engine.cache_info().currsize:
        module.engine().dispose()
    # What is left of failed connections hangs from tracebacks, which pytest keeps with the records.
    # It has to go as long as its warnings are expected.
    for record in caplog.get_records("call"):
        record.exc_info = None
    del module
    gc.collect()


def load(check: str) -> WSGIApplication:
    """Return an application with this check and no cache."""
    return load_ini(f"""
        [pipeline:main]
        pipeline = health hello
        [filter:health]
        use = egg:wsgi_mw_paste#health
        health_checks = health_checks:{check}
        health_cache = 0
    """)


def test_the_module_reads_nothing_when_it_is_imported() -> None:
    """An INI file that names its checks loads without a database and without its variables."""
    load("database health_checks:inventory")


# The database.


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_database_is_stopped_and_started_under_the_probe(
    driver: str,
    database: Postgres,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Readiness follows, with connections from before and without any; the log has the turns."""
    caplog.set_level("INFO", "wsgi_mw_paste.health")
    monkeypatch.setenv("DATABASE_URL", database.url(driver))
    app = load("database")
    assert probe(app)[0] == 200
    for _ in range(2):
        database.stop()
        try:
            assert [probe(app)[0] for _ in range(3)] == [503] * 3
        finally:
            database.start()
        until(lambda: probe(app)[0] == 200)
    # SQLAlchemy has its own records of the connections that it drops.
    records = [record for record in caplog.records if record.name == "wsgi_mw_paste.health"]
    turns = [(record.levelname, bool(record.exc_info)) for record in records]
    assert turns == [("WARNING", True), ("INFO", False)] * 2


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_database_that_is_not_there_is_no_reason_not_to_start(
    driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is asked before the first probe."""
    url = f"postgresql+{driver}://127.0.0.1:{free_port()}/shop"
    monkeypatch.setenv("DATABASE_URL", url)
    assert probe(load("database"))[0] == 503


@needs("sqlalchemy", "psycopg")
def test_a_pool_that_is_exhausted_fails_the_check(
    database: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool has a limit of its own, which ends the wait."""
    monkeypatch.setenv("DATABASE_URL", database.url("psycopg"))
    app = load("database")
    engine = sys.modules["health_checks"].engine()
    connections = [engine.connect() for _ in range(15)]
    code, document = probe(app)
    for connection in connections:
        connection.close()
    assert (code, states(document)) == (503, ["failed"])
    assert probe(app)[0] == 200


@pytest.mark.parametrize("pooled", [True, False], ids=["connected before", "not yet connected"])
@needs("sqlalchemy", "pg8000")
def test_with_pg8000_a_database_that_is_silent_fails_the_check(
    *, pooled: bool, database: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is there, accepts connections, and answers nothing: the driver gives up."""
    monkeypatch.setenv("DATABASE_URL", database.url("pg8000"))
    app = load("database")
    if pooled:
        assert probe(app)[0] == 200
    with database.frozen():
        code, document = probe(app)
    assert (code, states(document)) == (503, ["failed"])
    until(lambda: probe(app)[0] == 200)


@needs("sqlalchemy", "psycopg")
def test_with_psycopg_a_database_that_is_silent_holds_the_check(
    database: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of its limits is for that: the run hangs, and costs one thread and the readiness."""
    monkeypatch.setenv("DATABASE_URL", database.url("psycopg"))
    app = load("database")
    assert probe(app)[0] == 200
    with ThreadPoolExecutor(1) as pool:
        with database.frozen():
            held = pool.submit(probe, app)
            until(lambda: probe(app)[0] == 503)
            assert probe(app)[1]["status"] == "running"
            assert not held.done()
        until(lambda: probe(app)[0] == 200)


# Another service.


def service(status: str) -> AbstractContextManager[int]:
    """Serve this answer to anything during the ``with`` statement; return the port."""
    return served_by_wsgiref(answering(status=status, headers=[*PLAIN, ("Location", "/login")]))


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("200 OK", 200),
        ("302 Found", 503),
        ("404 Not Found", 503),
        ("503 Service Unavailable", 503),
    ],
)
def test_a_service_is_good_if_it_answers_200(
    status: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A redirect to a login page is no answer."""
    with service(status) as port:
        monkeypatch.setenv("INVENTORY_HOST", f"127.0.0.1:{port}")
        assert probe(load("inventory"))[0] == code


def test_a_service_comes_and_goes_under_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each probe asks again."""
    with service("200 OK") as port:
        monkeypatch.setenv("INVENTORY_HOST", f"127.0.0.1:{port}")
        app = load("inventory")
        assert probe(app)[0] == 200
    assert probe(app)[0] == 503


def test_a_service_that_is_silent_fails_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit of the connection ends the wait."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        monkeypatch.setenv("INVENTORY_HOST", f"127.0.0.1:{silent.getsockname()[1]}")
        assert probe(load("inventory"))[0] == 503
