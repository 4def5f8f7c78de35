"""Memory and time at start: of a policy with many origins, and of importing the package.

Each figure comes from a process of its own, so that nothing is there before it is measured.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from typing import NamedTuple

from benchmarks.page import table

#: Whatever the package imports, of others and of the standard library.
_DEPENDENCIES = """
import configparser, contextvars, dataclasses, difflib, functools, hashlib, hmac, ipaddress, json
import logging.handlers, pathlib, typing, unicodedata, urllib.parse
import environs, webob.acceptparse, paste.deploy
"""
_IMPORT = """
{before}
import json, sys, time
def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() / 1024
try:
    import resource
    memory = resident()
except (ImportError, OSError):
    resident, memory = (lambda: 0), 0
start = time.perf_counter()
{statement}
milliseconds = (time.perf_counter() - start) * 1000
loaded = [name for name in ("webob", "environs", "paste.deploy") if name in sys.modules]
print(json.dumps([milliseconds, resident() - memory, loaded]))
"""
_MEMORY = """
import gc, json, logging, sys, tracemalloc
from wsgi_mw_paste import factories
logging.disable()
count = {count}
text = " ".join("https://app%d.example.com" % n for n in range(count))
# What is made once in a process is no part of an instance.
factories.cors(dict(), cors_allowed="https://app.example.com")(lambda environ, start: [])
gc.collect()
tracemalloc.start()
filter = factories.cors(dict(), cors_allowed=text)
app = filter(lambda environ, start: [])
gc.collect()
kept = tracemalloc.get_traced_memory()[0]
strings = sum(map(sys.getsizeof, text.split()))
print(json.dumps([kept, strings]))
"""
_START = """
import json, logging, pathlib, tempfile, time
from paste.deploy import loadapp
logging.disable()
with tempfile.TemporaryDirectory() as directory:
    ini = pathlib.Path(directory, "many.ini")
    origins = "\\n    ".join("https://app%d.example.com" % n for n in range({count}))
    ini.write_text(
        "[pipeline:main]\\npipeline = cors app\\n"
        "[app:app]\\npaste.app_factory = benchmarks.footprint:make_app\\n"
        "[filter:cors]\\nuse = egg:wsgi_mw_paste#cors\\ncors_allowed =\\n    " + origins
    )
    start = time.perf_counter()
    loadapp("config:" + str(ini))
    print(json.dumps([time.perf_counter() - start]))
"""


def make_app(global_conf: dict[str, str], /, **local_conf: str) -> object:
    """Return something to put a filter in front of; a ``paste.app_factory``."""
    return lambda environ, start_response: []


class Import(NamedTuple):
    """What it takes to import something.

    :ivar loaded: those of our dependencies that were loaded with it, or before.
    """

    milliseconds: float
    kibibytes: float
    loaded: list[str]


def imports(runs: int) -> dict[str, Import]:
    """Return the medians of importing the package, and all of it, by what was there before."""
    everything = "import wsgi_mw_paste.factories"
    cases = {
        "the package, over its dependencies": (_DEPENDENCIES, "import wsgi_mw_paste"),
        "the package, over nothing": ("", "import wsgi_mw_paste"),
        "`current_request_id`, over nothing": ("", "from wsgi_mw_paste import current_request_id"),
        "all filters, over its dependencies": (_DEPENDENCIES, everything),
        "all filters, over nothing": ("", everything),
    }
    found = {}
    for name, (before, statement) in cases.items():
        code = _IMPORT.format(before=before, statement=statement)
        results = [_run(code) for _ in range(runs)]
        times, sizes, loaded = zip(*results, strict=True)
        found[name] = Import(statistics.median(times), statistics.median(sizes), loaded[0])
    return found


def memory(count: int) -> float:
    """Return the memory that a filter with *count* origins keeps, for each byte of their strings.

    Whatever the filter keeps is counted: the application around it, the settings, and the strings.
    """
    kept, strings = _run(_MEMORY.format(count=count))
    return float(kept / strings)


def start(count: int) -> float:
    """Return the seconds it takes to load an INI file with *count* origins."""
    (seconds,) = _run(_START.format(count=count))
    return float(seconds)


def _run(code: str) -> list[float]:
    """Run a program; return what it prints."""
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, capture_output=True, check=True, text=True)
    printed: list[float] = json.loads(ran.stdout)
    return printed


def imports_table(found: dict[str, Import]) -> str:
    """Return the table of imports."""
    rows = [
        [name, f"{cost.milliseconds:.1f}", f"{cost.kibibytes:,.0f}", ", ".join(cost.loaded) or "-"]
        for name, cost in found.items()
    ]
    return table(["importing", "ms", "KiB resident", "dependencies loaded by then"], rows)
