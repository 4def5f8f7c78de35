"""Every test starts from an environment without our variables, in an empty working directory."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from wsgi_mw_paste.factories import FACTORIES
from wsgi_mw_paste.settings import options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VARIABLES = {
    each.variable
    for factory in FACTORIES.values()
    for cls in factory.settings
    for each in options(cls).values()
}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable and no ``.env`` of the developer's reaches a test."""
    for name in VARIABLES | {f"{name}_FILE" for name in VARIABLES}:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


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
