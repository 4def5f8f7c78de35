"""The tests of this folder run where the reader's application is installed."""

from __future__ import annotations

import os

import pytest

from tests.docs.pages import INSTALLED


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ``egg:myapp`` known, to this process and to those it starts."""
    monkeypatch.syspath_prepend(str(INSTALLED))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(INSTALLED)]))
