"""Two checks for readiness: a database through SQLAlchemy, and another service by HTTP.

    [filter:health]
    use = egg:wsgi_mw_paste#health
    health_checks = health_checks:database, health_checks:inventory

Nothing can stop a check from outside, so each has limits of its own, in seconds. What the checks of
one process may take together has to be less than the probe's own limit (timeoutSeconds).

Nothing is read, and nothing connects, when this module is imported: so the INI file can be checked
where there is no database, and no connection is shared by the processes that a server forks.
"""

import functools
import os
from contextlib import closing
from http.client import HTTPConnection

import sqlalchemy

#: What makes a driver give up. pg8000 does so whenever the server is silent for so long. psycopg
#: knows three limits: for connecting, for a statement (kept by the server), and for a network that
#: swallows everything. A server that is connected and does not answer is none of the three.
LIMITS = {
    "pg8000": {"timeout": 2},
    "psycopg": {
        "connect_timeout": 2,
        "options": "-c statement_timeout=2000",
        "tcp_user_timeout": 2000,
    },
}


@functools.cache
def engine() -> sqlalchemy.Engine:
    """Return the engine. An application that has one uses that: its pool may be exhausted, too."""
    url = sqlalchemy.make_url(os.environ["DATABASE_URL"])
    return sqlalchemy.create_engine(url, pool_timeout=1, connect_args=LIMITS[url.get_driver_name()])


def database() -> None:
    """Raise unless the database answers.

    When it is back after a restart, the first attempt may meet a connection from before. That fails
    once, and makes SQLAlchemy drop all such connections.
    """
    with engine().connect() as connection:
        try:
            connection.execute(sqlalchemy.text("SELECT 1"))
        except Exception:
            # SQLAlchemy does not know every driver's time-out, and would use the connection again.
            connection.invalidate()
            raise


def inventory() -> None:
    """Raise unless the service answers 200.

    Check a service only if no request can be answered without it. Ask for its liveness: where each
    of two services waits for the other to be ready, neither ever is.
    """
    with closing(HTTPConnection(os.environ["INVENTORY_HOST"], timeout=2)) as connection:
        connection.request("GET", "/livez")
        response = connection.getresponse()
        if response.status != 200:
            raise RuntimeError(f"inventory answered {response.status} {response.reason}")
