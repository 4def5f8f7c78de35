"""Every test starts from an environment without our variables, in an empty working directory."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from wsgi_mw_paste.factories import FACTORIES
from wsgi_mw_paste.settings import options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VARIABLES = {
    option.variable
    for factory in FACTORIES.values()
    for cls in factory.settings
    for option in options(cls).values()
}


@contextmanager
def clean_environment(folder: Path) -> Iterator[None]:
    """Work in a folder, without our variables, during the ``with`` statement."""
    with pytest.MonkeyPatch.context() as patch:
        for name in VARIABLES | {f"{name}_FILE" for name in VARIABLES}:
            patch.delenv(name, raising=False)
        patch.chdir(folder)
        yield


@pytest.fixture(autouse=True)
def _clean_environment(tmp_path: Path) -> Iterator[None]:
    """Keep the developer's variables and ``.env`` file away from every test."""
    with clean_environment(tmp_path):
        yield


@pytest.fixture
def restored_logging() -> Iterator[None]:
    """Undo what a test's ``fileConfig`` or ``dictConfig`` did to the process's loggers."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    state = {
        name: (logger.level, logger.handlers[:], logger.propagate, logger.disabled)
        for name, logger in logging.root.manager.loggerDict.items()
        if isinstance(logger, logging.Logger)
    }
    yield
    # Close every file. The list holds those that only another handler knows until it is closed.
    existing = [reference() for reference in logging._handlerList]  # type: ignore[attr-defined]
    logging.shutdown()
    del existing
    root.setLevel(level)
    root.handlers[:] = handlers
    for name, logger in logging.root.manager.loggerDict.items():
        if isinstance(logger, logging.Logger):
            level, handlers, propagate, disabled = state.get(
                name, (logging.NOTSET, [], True, False)
            )
            logger.setLevel(level)
            logger.handlers[:] = handlers
            logger.propagate, logger.disabled = propagate, disabled
