"""Comparisons in the module of the clients explain themselves as in a test."""

import pytest

pytest.register_assert_rewrite("tests.servers.client")
