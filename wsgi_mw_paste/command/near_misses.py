"""Entries of ``cors_allowed`` that nearly cover an origin, and why they do not.

Use it to explain a refusal. It looks at one entry after the other, which is much too slow for
requests.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from wsgi_mw_paste.origins import ANY, is_loopback, parse_origin, read_entry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wsgi_mw_paste.origins import Pattern, Policy


class NearMiss(NamedTuple):
    """An entry that differs from an origin in one respect, or only in scheme and port.

    :ivar entry: the entry as it is written.
    :ivar reason: how it differs: the rest of a sentence that begins with the entry.
    """

    entry: str
    reason: str


def near_misses(origin: str, entries: Iterable[str], policy: Policy) -> list[NearMiss]:
    """Return the entries that nearly cover an origin, in the order of the entries.

    :param origin: as browsers send it; anything else has no near misses.
    :param entries: those of ``cors_allowed``; invalid ones are ignored.
    :param policy: what bare domain names mean depends on it.
    """
    parts = parse_origin(origin)
    if parts is None:
        return []
    found = []
    for entry in entries:
        try:
            patterns = read_entry(entry, policy).patterns
        except ValueError:
            continue
        compared = [_differences(pattern, *parts) for pattern in patterns]
        near = [differences for differences in compared if differences is not None]
        if near and all(near):
            fewest = min(near, key=len)
            found.append(NearMiss(entry, ", and ".join(fewest)))
    return found


def _differences(pattern: Pattern, scheme: str, host: str, port: str) -> list[str] | None:
    """Return the differences: none if the pattern covers it, ``None`` if there are too many."""
    of_hosts = _difference_of_hosts(pattern, host)
    if of_hosts is None:
        return None
    found = []
    if scheme != pattern.scheme:
        found.append(f"allows {pattern.scheme}, not {scheme}")
    if pattern.port not in (port, ANY):
        found.append(f"allows {_name(pattern.port)}, not {_name(port)}")
    if of_hosts:
        return None if found else [of_hosts]
    # A pattern for any host is near only to origins of extensions.
    is_alike = pattern.host or scheme.endswith("-extension")
    return found if is_alike else None


def _name(port: str) -> str:
    return f"port {port}" if port else "the default port"


def _difference_of_hosts(pattern: Pattern, host: str) -> str | None:
    """Return the difference: empty if there is none, ``None`` if the hosts are unrelated."""
    wanted = pattern.host
    if wanted and wanted.endswith(".") != host.endswith("."):
        stripped = pattern._replace(host=wanted.rstrip("."))
        same = _difference_of_hosts(stripped, host.rstrip(".")) == ""
        return f"allows {wanted}, and the dot at the end makes a different host" if same else None
    if not pattern.label:
        return _difference_of_names(wanted, host)
    if not wanted:
        return ""
    if host == wanted:
        return f"allows the hosts below {wanted}, not {wanted} itself"
    below = host.removesuffix(f".{wanted}")
    if below == host:
        return None
    return "" if pattern.label == ANY else _difference_of_labels(pattern, below)


def _difference_of_names(wanted: str, host: str) -> str | None:
    if host == wanted:
        return ""
    if host.lower() == wanted.lower():
        return f"allows {wanted}, in upper and lower case as written"
    if is_loopback(host) and is_loopback(wanted):
        return f"allows {wanted}; to browsers {host} is a different host"
    if host.endswith(f".{wanted}"):
        return f"allows {wanted}, not the hosts below it"
    if "." in host and wanted.partition(".")[2] == host:
        return f"allows {wanted}, not {host}"
    return None


def _difference_of_labels(pattern: Pattern, below: str) -> str | None:
    """Compare a label with a star inside it to what a host has in its place."""
    before, _, after = pattern.label.partition(ANY)
    last = below.rpartition(".")[2]
    begins, ends = below.startswith(before), below.endswith(after)
    if last != below:
        near = (begins and ends) or (last.startswith(before) and last.endswith(after))
        return f"allows a single label before {pattern.host}, not {below}" if near else None
    if not begins:
        return f"allows a label that begins with {before}, not {below}" if after and ends else None
    if not ends:
        return f"allows a label that ends in {after}, not {below}" if before else None
    in_place = below[len(before) : len(below) - len(after)]
    if not in_place or len(below) < len(before) + len(after):
        return "needs at least one character in place of the *"
    is_covered = re.fullmatch("[a-z0-9-]+", in_place)
    return "" if is_covered else f"allows a-z, 0-9 and - in place of the *, not {in_place}"
