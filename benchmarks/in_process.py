"""Time the filters in one process, and check the goals: ``python -m benchmarks.in_process``.

Every figure is what something adds to the bare application of the same round, and every ratio the
median of the rounds' ratios. ``control/floor`` is the floor against itself: what it is off 1 is the
run's noise, and no other ratio is finer than that.
"""

from __future__ import annotations

import argparse
import logging
from typing import TYPE_CHECKING

from benchmarks import access, footprint, logs, page, plot
from benchmarks.driver import Request, measure, serving
from benchmarks.page import Goal, table
from benchmarks.scenarios import (
    ALLOWED,
    BESIDE_PROBES,
    LIST,
    LONG_LABEL,
    POLICIES,
    PREVIEW,
    REFUSED,
    cors_options,
    nested_patterns,
    preview_patterns,
    scenarios,
)
from wsgi_mw_paste import factories

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.driver import Times

_PACKAGES = (
    "WebOb", "oslo.middleware", "wsgicors", "wsgi_microservice_middleware", "Werkzeug", "Flask",
    "flask-cors", "Django", "django-cors-headers", "python-json-logger",
    "orjson", "Paste", "gunicorn",
)  # fmt: skip
_ROUNDS, _QUICK_ROUNDS = 31, 7
_MANY = 10_000
#: A peer that adds less than this, for each nanosecond of ours, is as good.
_AS_GOOD = 1.05
_COLUMNS = (
    "floor", "ours", "wsgicors", "2020 package", "oslo.middleware", "flask-cors",
    "django-cors-headers", "ProxyFix",
)  # fmt: skip


def main() -> None:
    """Measure, and put what was found into the page; with ``--quick`` only print it."""
    parser = argparse.ArgumentParser(prog="benchmarks.in_process")
    parser.add_argument("--quick", action="store_true", help="few rounds, and the page stays")
    quick = parser.parse_args().quick
    rounds = _QUICK_ROUNDS if quick else _ROUNDS
    # As on a server whose operator looks at warnings; the records are measured apart.
    logging.basicConfig(level=logging.WARNING, handlers=[logging.NullHandler()])
    found = {}
    for scenario in scenarios():
        works = {name: serving(app, scenario.request) for name, app in scenario.variants().items()}
        bases = {peer.name: peer.base for peer in scenario.wanted_peers}
        found[scenario.name] = measure(works, rounds, bases)
    section = "\n\n".join(_section(found, rounds))
    if quick:
        print(section)
    else:
        page.write("in process", section)
        plot.growth(found)


def _section(found: Mapping[str, Times], rounds: int) -> Iterator[str]:
    """Yield the parts of the page."""
    yield f"{page.conditions(*_PACKAGES)} {rounds} rounds."
    lines = access.measure_lines(rounds)
    off, chunks, records = logs.access_off(rounds), logs.per_chunk(rounds), logs.per_record(rounds)
    imports, kept = footprint.imports(rounds), footprint.memory(_MANY)
    package = imports["the package, over its dependencies"]
    yield "### Goals"
    yield page.goals_table(
        [
            *_against_the_floor(found, rounds),
            Goal("request id, each chunk", 100, max(chunks.values()), "ns"),
            Goal("access record, its logger off", 150, off, "ns"),
            *access.goals(lines),
            Goal("log filter, each record", 100, _filters(records), "ns"),
            *_against_the_peers(found),
            Goal(f"{_MANY:,} origins: memory / their strings'", 1.6, kept),
            Goal("importing the package", 5, package.milliseconds, "ms"),
            Goal("importing the package", 1024, package.kibibytes, "KiB"),
        ]
    )
    yield "### Where a peer is as good or better"
    yield _as_good(found)
    yield "### Nanoseconds added to the bare application"
    yield _scenarios_table(found)
    yield "### Logging"
    yield access.lines_table(lines)
    yield access.shares_table(rounds)
    rows = [["access record, its logger off", f"{off:,.0f}"]]
    rows += [[f"a record, {name}", f"{added:,.0f}"] for name, added in records.items()]
    rows += [[f"each chunk, {name} a record", f"{ns:,.0f}"] for name, ns in chunks.items()]
    yield table(["", "ns added"], rows)
    yield "### Imports and start"
    yield footprint.imports_table(imports)
    seconds = footprint.start(2 * _MANY)
    yield f"An INI file with {2 * _MANY:,} origins takes {seconds:.2f} s to load."


def _filters(records: Mapping[str, float]) -> float:
    """Return what our filter adds at the depth where it adds most."""
    return max(added for name, added in records.items() if name.startswith("filter, "))


def _worst(found: Mapping[str, Times], *parts: str, without: str = "\0") -> tuple[float, str]:
    """Return the highest ratio of ours to the floor among scenarios with one of these names."""
    return max(
        (times.ratio("ours", "floor"), name)
        for name, times in found.items()
        if name.startswith(parts) and without not in name
    )


def _against_the_floor(found: Mapping[str, Times], rounds: int) -> Iterator[Goal]:
    bounds = {scenario.name: scenario.goal for scenario in scenarios()}
    exact = tuple(name for name in found if name.startswith("CORS") and "preflight" not in name)
    ratio, where = _worst(found, *exact, without="patterns")
    yield Goal("CORS, no Origin, allowed, refused / floor", bounds[where], ratio, where=where)
    for name in "CORS, preflight accepted", "CORS, preflight refused":
        yield Goal(f"{name} / floor", bounds[name], found[name].ratio("ours", "floor"))
    ratio, where = max(_growth(rounds))
    yield Goal(f"CORS, {_MANY:,} origins / 1 origin", 1.05, ratio, where=where)
    ratio, where = _worst(found, "CORS, 1,000 patterns")
    yield Goal("CORS, 1,000 patterns / floor", bounds[where], ratio, where=where)
    ratio, where = _worst(found, "CORS, 1,000 preview patterns")
    yield Goal("CORS, 1,000 preview patterns / floor", bounds[where], ratio, where=where)
    yield Goal("CORS, 1,000 preview patterns / 1 preview pattern", 1.05, _preview_growth(rounds))
    yield Goal("CORS, any label of 63 characters", 25_000, _long_label(rounds), "ns")
    added, where = max(
        (times.median("ours"), name)
        for name, times in found.items()
        if name.endswith(("8 kB Origin", "changing Origin"))
    )
    yield Goal("CORS, any Origin", 2000, added, "ns", where=where)
    for what in "request id", "errors":
        for body in "list", "generator", "file":
            names = tuple(name for name in found if name.startswith(what) and body in name)
            ratio, where = _worst(found, *names)
            yield Goal(f"{what}, {body} / floor", bounds[where], ratio, where=where)
    ratio = found["health, liveness"].ratio("ours", "floor")
    yield Goal("health, liveness / floor", bounds["health, liveness"], ratio)
    yield Goal(BESIDE_PROBES, 120, found[BESIDE_PROBES].median("ours"), "ns")


def _growth(rounds: int) -> Iterator[tuple[float, str]]:
    """Yield what a request costs with many origins, for each nanosecond with one; and where."""
    for verdict, origin in ("allowed", ALLOWED), ("refused", REFUSED):
        request = Request(headers={"Origin": [origin]})
        works = {"bare": serving(LIST, request)}
        for name in "1 origin", "10,000 origins":
            app = factories.cors({}, **cors_options(POLICIES[name][0]))(LIST)
            works[name] = serving(app, request)
        # The bound is finer than the noise of so many rounds.
        yield measure(works, 4 * rounds).ratio("10,000 origins", "1 origin"), verdict


def _preview_growth(rounds: int) -> float:
    """Return what a preview costs with many patterns, for each nanosecond with one."""
    request = Request(headers={"Origin": [PREVIEW]})
    works = {"bare": serving(LIST, request)}
    for count in 1, 1000:
        app = factories.cors({}, **cors_options(preview_patterns(count)))(LIST)
        works[f"{count}"] = serving(app, request)
    return measure(works, 4 * rounds).ratio("1000", "1")


def _long_label(rounds: int) -> float:
    """Return the nanoseconds that the worst label of the worst policy costs."""
    request = Request(headers={"Origin": [LONG_LABEL]})
    app = factories.cors({}, **cors_options(nested_patterns()))(LIST)
    works = {"bare": serving(LIST, request), "ours": serving(app, request)}
    return measure(works, rounds).median("ours")


def _against_the_peers(found: Mapping[str, Times]) -> Iterator[Goal]:
    """Yield the goals for peers that are installed: what they add for each nanosecond of ours."""
    goals = (
        ("oslo.middleware", "CORS", 30.0),
        ("oslo.middleware", "request id, inbound, list", 12.0),
        ("oslo.middleware", "request id", 12.0),
        ("2020 package", "CORS", 2.0),
        ("2020 package", "request id, inbound, list", 1.5),
        ("2020 package", "request id", 1.5),
        ("wsgicors", "CORS", 1.0),
        ("wsgicors", "CORS, 10,000 origins, changing Origin", 1000.0),
    )
    for peer, part, bound in goals:
        cells = [
            (times.ratio(peer, "ours"), name)
            for name, times in found.items()
            if name.startswith(part) and peer in times.rounds
        ]
        if cells:
            ratio, where = min(cells)
            yield Goal(
                f"{peer} / ours, {part}", bound, ratio, most=False,
                where=where if where != part else "",
            )  # fmt: skip


def _as_good(found: Mapping[str, Times]) -> str:
    rows = [
        [name, peer, f"{ratio:.2f}"]
        for name, times in found.items()
        for peer in _COLUMNS[2:]
        if peer in times.rounds and (ratio := times.ratio(peer, "ours")) < _AS_GOOD
    ]
    return table(["scenario", "peer", "peer / ours"], rows) if rows else "Nowhere."


def _scenarios_table(found: Mapping[str, Times]) -> str:
    rows = [
        [
            name,
            *(
                f"{times.median(column):,.0f}" if column in times.rounds else ""
                for column in _COLUMNS
            ),
            f"{times.ratio('ours', 'floor'):.2f}",
            f"{times.ratio('control', 'floor'):.2f}",
        ]
        for name, times in found.items()
    ]
    return table(["", *_COLUMNS, "ours/floor", "control/floor"], rows)


if __name__ == "__main__":
    main()
