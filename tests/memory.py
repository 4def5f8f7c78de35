"""What stays in memory after a request: nothing that keeps it alive, and nothing per client."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from _typeshed.wsgi import WSGIEnvironment

    Serve = Callable[[WSGIEnvironment], object]


class Tracked:
    """An object that allows weak references; a dict does not."""


@contextmanager
def without_collector() -> Iterator[None]:
    """Free objects by their reference counts alone during the ``with`` statement."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def is_freed(serve: Serve, environ: Mapping[str, Any]) -> bool:
    """Say whether the environ of a request is freed as soon as the request is over.

    :param serve: serves one request, and keeps nothing of it.
    :param environ: what the environ has; the request gets a copy.
    """
    tracked = Tracked()
    gone = weakref.ref(tracked)
    given = {**environ, "tests.tracked": tracked}
    del tracked
    with without_collector():
        serve(given)
        del given
        return gone() is None


def kept_bytes(serve: Callable[[int], object], count: int = 1000) -> int:
    """Return how many bytes are still allocated after many requests, beyond those of a few.

    :param serve: serves a request with the number it is given.
    """
    for number in range(100):
        serve(number)
    tracemalloc.start()
    try:
        # Once more with tracing: what a first request allocates is not growth.
        for number in range(100, 110):
            serve(number)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for number in range(1000, 1000 + count):
            serve(number)
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
