"""Chromium, driven by W3C WebDriver: https://www.w3.org/TR/webdriver2/.

The protocol is JSON over HTTP, so it needs only the standard library.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import tempfile
import time
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, Final

from tests.serving import program

if TYPE_CHECKING:
    from collections.abc import Iterator

#: How long a browser may take for anything, in seconds.
_PATIENCE: Final = 60
#: WebDriver, "Keyboard actions": the code points of keys that are not characters.
KEYS: Final = {"Tab": "\ue004", "Enter": "\ue007", "Space": " ", "Down": "\ue015"}
_OPTIONS: Final = {
    "args": [
        "--headless=new",
        "--no-sandbox",  # which needs more rights than containers have
        "--disable-background-networking",
        "--disable-component-update",
        # What still wants to call home finds no host.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
    ]
}


class Browser:
    """A session of a browser, with one window."""

    def __init__(self, port: int) -> None:
        self._port = port
        wanted = {"goog:chromeOptions": _OPTIONS, "goog:loggingPrefs": {"browser": "ALL"}}
        created = self._send("POST", "/session", capabilities={"alwaysMatch": wanted})
        self._path = f"/session/{created['sessionId']}"

    def _send(self, method: str, path: str, **values: Any) -> Any:
        with closing(HTTPConnection("127.0.0.1", self._port, timeout=_PATIENCE)) as connection:
            body = json.dumps(values) if method == "POST" else None
            connection.request(method, path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            value = json.loads(response.read())["value"]
            assert response.status == 200, value
            return value

    def open(self, url: str) -> None:
        """Open a page, and forget what the console has so far."""
        self.console()
        self._send("POST", f"{self._path}/url", url=url)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run the body of a JavaScript function, which gets ``arguments``; return its result."""
        return self._send("POST", f"{self._path}/execute/sync", script=script, args=[*arguments])

    def wait(self, expression: str) -> Any:
        """Wait until a JavaScript expression is true; return its value."""
        deadline = time.monotonic() + _PATIENCE
        while not (value := self.run(f"return {expression}")):
            assert time.monotonic() < deadline, f"{expression}\n{self.console()}"
            time.sleep(0.05)
        return value

    def press(self, *keys: str) -> None:
        """Press and release keys in turn. A key that is not in :data:`KEYS` is a character."""
        actions = [
            {"type": kind, "value": KEYS.get(key, key)}
            for key in keys
            for kind in ("keyDown", "keyUp")
        ]
        source = {"type": "key", "id": "keyboard", "actions": actions}
        self._send("POST", f"{self._path}/actions", actions=[source])

    def emulate(self, *, width: int = 1280, dark: bool = False) -> None:
        """Set the width of the window, in pixels, and the colour scheme."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._devtools("Emulation.setEmulatedMedia", features=[scheme])
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        self._devtools("Emulation.setDeviceMetricsOverride", **size)

    def _devtools(self, command: str, **values: Any) -> Any:
        path = f"{self._path}/goog/cdp/execute"
        return self._send("POST", path, cmd=command, params=values)

    def console(self) -> list[str]:
        """Return the console's new messages: errors, policy violations, failed loads."""
        entries = self._send("POST", f"{self._path}/se/log", type="browser")
        return [entry["message"] for entry in entries]

    def quit(self) -> None:
        self._send("DELETE", self._path)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser during the ``with`` statement. If none is installed, the test is skipped."""
    path = os.environ["PATH"]
    program("chromium", path)
    command = [program("chromedriver", path), "--port=0"]
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Nothing from the user's environment.
            env={"PATH": path, "HOME": home, "TMPDIR": home},
        ) as process,
    ):
        assert process.stdout is not None
        said = (re.search(r"on port ([1-9]\d*)", line) for line in process.stdout)
        port = next(int(match[1]) for match in said if match)
        try:
            browser = Browser(port)
            yield browser
            browser.quit()
        finally:
            process.terminate()
