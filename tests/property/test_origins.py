"""An origin is allowed if an entry says so, by the plainest reading of the entries there is."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from tests.origins import compiled

LETTERS = "abcdefghijklmnopqrstuvwxyz"
DIGITS = "0123456789"
DEFAULT_PORTS = {"http": "80", "https": "443"}


class Entry(NamedTuple):
    """An entry of ``cors_allowed``, in parts; the scheme of a bare domain name is empty."""

    scheme: str
    label: str
    host: str
    port: str

    def __str__(self) -> str:
        before = f"{self.scheme}://" if self.scheme else ""
        dot = "." if self.label else ""
        return f"{before}{self.label}{dot}{self.host}{self.port and ':'}{self.port}"


def is_sent_by_browsers(scheme: str, host: str, port: str) -> bool:
    """Say whether these are parts of an origin in the form that the URL standard gives it."""
    if port and (
        not set(port) <= set(DIGITS)
        or port[0] == "0"
        or not 0 < int(port) < 2**16
        or port == DEFAULT_PORTS.get(scheme)
    ):
        return False
    allowed = LETTERS + DIGITS + "-_" + ("" if scheme in DEFAULT_PORTS else LETTERS.upper())
    labels = host.removesuffix(".").split(".")
    return len(host.removesuffix(".")) <= 253 and all(
        0 < len(label) < 64 and set(label) <= set(allowed) for label in labels
    )


def is_instance(host: str, pattern: str, below: str) -> bool:
    """Say whether a host is a label with a star, something in place of that, and what is below."""
    if pattern == "*":
        return host.endswith(f".{below}") and len(host) > len(f".{below}")
    label = host.partition(".")[0]
    before, _, after = pattern.partition("*")
    return (
        host == f"{label}.{below}"
        and set(label) <= set(LETTERS + DIGITS + "-")
        and label.startswith(before)
        and label.endswith(after)
        and len(label) > len(before) + len(after)
    )


def allows(entry: Entry, origin: str) -> bool:
    """Say whether an entry allows an origin, when no credentials are at stake."""
    scheme, separator, rest = origin.partition("://")
    host, colon, port = rest.partition(":")
    if not separator or (colon and not port) or not is_sent_by_browsers(scheme, host, port):
        return False
    schemes = [entry.scheme] if entry.scheme else ["https", "http"]
    if entry.port in ("80", "443") and not entry.scheme:
        schemes = ["http" if entry.port == "80" else "https"]
    if scheme not in schemes:
        return False
    default = DEFAULT_PORTS.get(scheme)
    if entry.port != "*" and port != ("" if entry.port == default else entry.port):
        return False
    if not entry.label:
        return host == entry.host
    return is_instance(host, entry.label, entry.host)


#: Few of everything, so that entries overlap.
HOSTS = st.sampled_from(
    "example.org app.example.org b.app.example.org a-b.example.org co.example xn--bcher-kva.example"
    " example.org. a_b.example.com".split()
)
PIECES = st.sampled_from(["a", "b", "a-b", "0", "-", "a--"])
STARRED = st.one_of(
    st.builds("{}-*".format, PIECES),
    st.builds("*-{}".format, PIECES),
    st.builds("{}-*-{}".format, PIECES, PIECES),
).filter(lambda label: any(char in LETTERS + DIGITS for char in label))
ENTRIES = st.builds(
    Entry,
    st.sampled_from(["https", "https", "http", "app", ""]),
    st.one_of(st.just(""), st.just("*"), STARRED),
    HOSTS,
    st.sampled_from(["", "", "", "8443", "80", "443", "*"]),
)
STAR = st.one_of(
    st.sampled_from(["a", "b", "a.b", "a-b", "-", "_", "A", "", "a..b", "x" * 63, "x" * 64]),
    st.text(LETTERS + DIGITS + "-._", max_size=8),
    st.lists(st.just("x" * 60), min_size=3, max_size=5).map(".".join),
)
ORIGINS = st.builds(
    lambda scheme, entry, star, port: (
        f"{scheme}://{entry.label.replace('*', star)}{entry.label and '.'}{entry.host}{port}"
    ),
    st.sampled_from(["https", "http", "app"]),
    ENTRIES,
    STAR,
    st.sampled_from(["", "", ":8443", ":80", ":443", ":1", ":65535", ":65536", ":08443", ":"]),
)
#: What attackers try, and what only looks like an origin.
ODD = st.sampled_from([*"\0\r\n\t /\\?#@%:*.\u017f\u212aé[]AZ", "https://", "..", "null"])
CHANGED = st.builds(
    lambda origin, place, odd, cut: (
        origin[: place % (len(origin) + 1)] + odd + origin[place % (len(origin) + 1) + cut :]
    ),
    ORIGINS,
    st.integers(0, 300),
    ODD,
    st.integers(0, 1),
)


@given(
    st.lists(ENTRIES, min_size=1, max_size=6), st.lists(st.one_of(ORIGINS, CHANGED), max_size=20)
)
def test_an_origin_is_allowed_if_an_entry_says_so(entries: list[Entry], origins: list[str]) -> None:
    """It equals an entry or is an instance of a pattern; and what is one is allowed."""
    allowed = compiled(*map(str, entries)).origins
    for origin in origins:
        assert (origin in allowed) == any(allows(entry, origin) for entry in entries), origin


@given(st.lists(ENTRIES, min_size=1, max_size=3), st.text(max_size=300))
def test_a_made_up_text_is_allowed_only_if_an_entry_says_so(
    entries: list[Entry], text: str
) -> None:
    """Whatever a client sends, also after the beginning of an entry's origin."""
    allowed = compiled(*map(str, entries)).origins
    for origin in (text, f"https://{text}", f"https://{text}.example.org"):
        assert (origin in allowed) == any(allows(entry, origin) for entry in entries), origin


@given(st.lists(ENTRIES, min_size=1, max_size=4), st.data())
def test_every_instance_of_an_entry_is_allowed(entries: list[Entry], data: st.DataObject) -> None:
    """A plain host, and a pattern with letters in the place of its star."""
    allowed = compiled(*map(str, entries)).origins
    for scheme, label, host, port in entries:
        filled = label.replace("*", data.draw(st.sampled_from(["x", "x-y", "0"])))
        number = data.draw(st.integers(1024, 65535)) if port == "*" else port
        meant = scheme or ("http" if port == "80" else "https")
        colon = "" if number in ("", DEFAULT_PORTS.get(meant)) else f":{number}"
        assert f"{meant}://{filled}{filled and '.'}{host}{colon}" in allowed
