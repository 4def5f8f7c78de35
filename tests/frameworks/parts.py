"""What the applications have in common: their logging, and what their views say."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from wsgi_mw_paste import current_request_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: For ``dictConfig``: one JSON object per record on stdout, with the id in each.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "wsgi_mw_paste.RequestIdFilter"}},
    "formatters": {
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "format": "%(levelname)s %(name)s %(request_id)s %(message)s",
        }
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stdout",
            "filters": ["request_id"],
            "formatter": "json",
        }
    },
    "root": {"handlers": ["console"], "level": "INFO"},
}


class TeapotError(Exception):
    """What the frameworks' own mechanisms answer."""


def ids(environ: Mapping[str, Any]) -> str:
    """Return the id as a view can learn it: from the context and from the environ."""
    return f"{current_request_id()} {environ['wsgi_mw_paste.request_id']}"


def stream() -> Iterator[bytes]:
    """Yield three chunks, each with the current id, and log a line for each."""
    for _ in range(3):
        logging.getLogger(__name__).info("chunk")
        yield f"{current_request_id()}\n".encode()


def broken_stream() -> Iterator[bytes]:
    """Return a body that fails when its first chunk is asked for."""
    return map(bytes.fromhex, ["no hex"])
