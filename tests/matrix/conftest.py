"""The marker of the servers that ``make test`` does not install."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.matrix.client")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "slow_server: a server that make test-all installs; skipped where it is missing"
    )
