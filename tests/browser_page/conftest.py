"""One server and one browser for all tests that change neither."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.browser_page.chromium import Browser, chromium
from tests.browser_page.page import serving_copy
from tests.conftest import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.serving import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve development.ini."""
    with ExitStack() as stack:
        with clean_environment(tmp_path_factory.mktemp("pserve")):
            running = stack.enter_context(serving_copy())
        yield running


@pytest.fixture(scope="session")
def session() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def browser(session: Browser) -> Browser:
    """Return a browser in the state in which every test begins: wide, light, nothing loaded."""
    session.emulate()
    session.open("about:blank")
    return session
