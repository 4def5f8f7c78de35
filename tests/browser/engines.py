"""The browsers, and what starts each of them without a screen and without a past.

Nothing drives them: the page makes the requests and reports to its own origin, so a browser has to
be given an address and to be ended, and that is all. No WebDriver and no debugging protocol has to
fit its version, and the three start in the same way.

- Chromium and Firefox have a mode without a screen (Debian's ``chromium`` and ``firefox-esr``).
- WebKit is the ``MiniBrowser`` that comes with WebKitGTK (``webkit2gtk-driver``). It wants a
  screen: Xvfb's (``xvfb`` and ``xauth``).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: How long a browser's processes have to end before they are killed. Seconds.
GRACE: Final = 1


@dataclass(frozen=True)
class Engine:
    """A browser.

    :ivar programs: what has to be there.
    :ivar command: what starts it, but for the address; ``{profile}`` is an empty directory.
    :ivar files: what is written into that directory before.
    """

    programs: tuple[str, ...]
    command: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)


ENGINES: Final = {
    "chromium": Engine(
        programs=("chromium",),
        command=(
            "chromium",
            "--headless",
            "--no-sandbox",  # which needs more rights than containers have
            "--disable-dev-shm-usage",  # of which they have too little
            "--disable-gpu",
            "--disable-quic",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            # What would call home all the same does not find it.
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE *localhost, EXCLUDE 127.0.0.1",
            "--user-data-dir={profile}",
        ),
        # As if it had been started before.
        files={"First Run": ""},
    ),
    "firefox": Engine(
        programs=("firefox-esr",),
        command=("firefox-esr", "--headless", "--no-remote", "--profile", "{profile}"),
        # What would call home finds this machine, whatever the name, and no page is shown but ours.
        files={
            "user.js": """
                user_pref("network.dns.native-is-localhost", true);
                user_pref("network.dns.native_https_query", false);
                user_pref("datareporting.policy.dataSubmissionEnabled", false);
                user_pref("browser.aboutwelcome.enabled", false);
            """
        },
    ),
    "webkit": Engine(
        programs=("xvfb-run", "xauth", "MiniBrowser"),
        command=("xvfb-run", "--auto-servernum", "MiniBrowser"),
    ),
}


def search_path() -> str:
    """Return ``PATH``, and where Debian keeps WebKit's MiniBrowser."""
    webkit = Path("/usr/lib").glob("*/webkit2gtk-4.*")
    return os.pathsep.join([os.environ["PATH"], *map(str, webkit)])


@contextlib.contextmanager
def browse(engine: Engine, url: str) -> Iterator[Path]:
    """Run a browser at an address; yield the file of what it prints."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for name, text in engine.files.items():
            Path(profile, name).write_text(text, encoding="utf-8")
        printed = Path(profile, "printed.txt")
        command = [word.replace("{profile}", profile) for word in engine.command]
        with (
            printed.open("wb") as output,
            subprocess.Popen(
                [*command, url],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Nothing of the user's: no settings, no session, no screen.
                env={"PATH": search_path(), "HOME": profile, "TMPDIR": profile},
                # Its processes are a group of their own, and end together.
                start_new_session=True,
            ) as process,
        ):
            try:
                yield printed
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
                    # Whichever is the last of them: Xvfb has a lock to remove.
                    time.sleep(GRACE)
                    os.killpg(process.pid, signal.SIGKILL)
