"""Origins: what may be listed in ``cors_allowed``, and whether a request's ``Origin`` is listed.

Use it for the ``Origin`` header of browsers and for nothing else; it does not parse URLs. Its
grammar is that of the Fetch standard ("serializing a request origin") and of the URL standard
(host serializing): lower case, no default port, no path, IPv6 compressed and in brackets. It is
deliberately narrower than what URLs allow: a host has letters, digits, ``-``, ``_`` and dots. What
the grammar does not cover never matches, so no trick with user information, backslashes or percent
signs reaches a comparison.

Entries that an operator writes are corrected where they can mean only one thing, and the correction
is reported. :func:`compile_origins` parses everything once. :class:`Origins` only looks up, and
takes as long with ten thousand entries as with one.
"""

from __future__ import annotations

import functools
import ipaddress
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from publicsuffixlist import PublicSuffixList

_T = TypeVar("_T")

#: Schemes with a default port, which an origin never shows (URL standard, "default port").
_DEFAULT_PORTS: Final = {"http": "80", "https": "443", "ws": "80", "wss": "443", "ftp": "21"}
#: URL standard, "special scheme": only their hosts are domains; others keep their case.
_SPECIAL_SCHEMES: Final = frozenset({*_DEFAULT_PORTS, "file"})
#: The schemes of entries whose host is a domain; a bare domain name has none yet.
_SCHEMES_OF_DOMAINS: Final = _SPECIAL_SCHEMES | {""}
#: Schemes whose origins anyone on the network can impersonate.
_INSECURE_SCHEMES: Final = frozenset({"http", "ws", "ftp"})
_MAX_SCHEME: Final = 64
#: RFC 1035, section 2.3.4.
_MAX_LABEL: Final = 63
#: RFC 1035, section 3.1, without the trailing dot.
_MAX_HOST: Final = 253
#: The longest origin there can be: scheme, "://", host with a trailing dot, ":" and port.
MAX_ORIGIN: Final = _MAX_SCHEME + 3 + _MAX_HOST + 1 + 6

_SCHEME: Final = re.compile(rf"[a-z][a-z0-9+.-]{{0,{_MAX_SCHEME - 1}}}", re.ASCII)
_LABELS: Final = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*", re.ASCII)
_LABELS_OF_ANY_CASE: Final = re.compile(_LABELS.pattern.replace("a-z", "A-Za-z"), re.ASCII)
_DOMAIN_OF_ANY_CASE: Final = re.compile(rf"{_LABELS_OF_ANY_CASE.pattern}\.?", re.ASCII)
#: A first label, where a pattern has a star inside it.
_STARRED_LABEL: Final = re.compile(rf"[a-z0-9-]{{1,{_MAX_LABEL}}}", re.ASCII)
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_ORIGIN: Final = re.compile(
    rf"({_SCHEME.pattern})://({_DOMAIN_OF_ANY_CASE.pattern}|\[[0-9a-f:]+\])"
    rf"(?::({_PORT.pattern}))?",
    re.ASCII,
)
#: A quick test that accepts most of the origins that :func:`parse_origin` parses, and no others.
#: Three labels are never too long together.
is_plain_origin: Final = re.compile(
    r"https?://[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){0,2}", re.ASCII
).fullmatch
_MAX_PORT: Final = 65535
#: Unicode categories of characters that no domain name has: control, private use, whitespace.
_NO_LETTERS: Final = frozenset({"Cc", "Co", "Cs", "Zl", "Zp", "Zs"})
#: The entry for every origin, the port for every port, and the label for all labels.
ANY: Final = "*"


class Pattern(NamedTuple):
    """An origin or a family of origins, as browsers would spell it.

    :ivar label: the first label if it has a star: ``*`` stands for one or more labels, ``a-*-b``
        for one label. Empty for a single host.
    :ivar host: the host, or what follows *label*; IPv6 in brackets. Empty for any host at all.
    :ivar port: digits, empty for the scheme's default, ``*`` for every port.
    """

    scheme: str
    label: str
    host: str
    port: str

    def __str__(self) -> str:
        dot = "." if self.label and self.host else ""
        return f"{self.scheme}://{self.label}{dot}{self.host}{self.port and ':'}{self.port}"


#: A tree of domain names: the last label leads to the one before it, and so on to the first. An
#: empty tree after the first label stands for everything below the name.
Tree: TypeAlias = "dict[str, Tree]"
#: The key, after the first label, of a name that has patterns with a star inside the next label.
#: It cannot be a label.
_STARRED: Final = "."


@dataclass(slots=True)
class _Pieces(Generic[_T]):
    """A tree of labels, piece by piece between their hyphens.

    :ivar found: what the pieces up to here stand for; a new place starts with that of the place
        above it.
    """

    found: _T
    following: dict[str, _Pieces[_T]] = field(default_factory=dict)

    def follow(self, pieces: Iterable[str]) -> _T:
        """Follow the pieces as far as the tree goes, and return what is found there."""
        here = self
        for piece in pieces:
            following = here.following.get(piece)
            if following is None:
                break
            here = following
        return here.found

    def extend(self, pieces: Iterable[str]) -> _Pieces[_T]:
        """Return the place that the pieces lead to, a new one if need be.

        Extend a tree by pieces before those that begin with them.
        """
        here = self
        for piece in pieces:
            here = here.following.setdefault(piece, _Pieces(here.found))
        return here


#: For labels with a star: the pieces before it, from the left, lead to a tree of the pieces after
#: it, from the right. These lead to the length of the shortest label that matches.
_Starred: TypeAlias = "_Pieces[_Pieces[int]]"
#: More characters than a label can have: the length at a place where no pattern ends.
_NO_LENGTH: Final = _MAX_LABEL + 1


def _compile_starred(labels: Iterable[str]) -> _Starred:
    """Compile labels such as ``a-*-b`` that stand before the same name.

    A label can begin as several patterns do, and end as several others do. Trying every pair would
    take quadratic time, so a longer beginning leads to the ends of the shorter ones, too.
    """
    ends: dict[str, set[str]] = {}
    for label in labels:
        before, _, after = label.partition(ANY)
        ends.setdefault(before, set()).add(after)
    compiled = _Pieces(_Pieces(_NO_LENGTH))
    # In this order, what a beginning begins with comes before it.
    for before in sorted(ends):
        # Of two beginnings with the same end the shorter one counts, and it comes last.
        shortest = {
            after: length + len(after) + 1
            for length in range(len(before), -1, -1)
            for after in ends.get(before[:length], ())
        }
        tree = _Pieces(_NO_LENGTH)
        for after in sorted(shortest, key=len):
            end = tree.extend(after.split("-")[:0:-1])
            end.found = min(end.found, shortest[after])
        compiled.extend(before.split("-")[:-1]).found = tree
    return compiled


def _find(tree: Tree, name: str) -> Tree | None:
    """Return the place of a domain name, maybe a new one; ``None`` if a name above covers it."""
    for label in reversed(name.split(".")):
        below = tree.get(label)
        if below is None:
            below = tree[label] = {}
        elif not below:
            return None
        tree = below
    return tree


def _is_too_long(host: str) -> bool:
    return len(host) > _MAX_HOST and len(host.removesuffix(".")) > _MAX_HOST


@dataclass(frozen=True)
class Origins:
    """An immutable set of origins.

    :ivar any: every origin is in it.
    """

    any: bool = False
    # A dict without values: half the size of a set of as many.
    _exact: Mapping[str, None] = field(default_factory=dict)
    # By scheme; a port is part of the last label. An empty tree stands for every host.
    _above: Mapping[str, Tree] = field(default_factory=dict)
    # By scheme and name, as in "https://dev.example.org:8443". The name is in its tree, too.
    _starred: Mapping[str, _Starred] = field(default_factory=dict)
    # Those whose port does not matter, without it.
    _any_port: Origins | None = None
    _longest: int = 0

    def __bool__(self) -> bool:
        """Say whether any origin at all is in it."""
        return self.any or bool(self._exact or self._above or self._any_port)

    def __contains__(self, origin: str) -> bool:
        """Say whether an ``Origin`` header's value is one of these, byte for byte."""
        if self.any:
            return True
        # The length first: hashing an 8 kB string costs more than all the rest.
        if len(origin) > self._longest:
            return False
        if origin in self._exact:
            return True
        if self._above:
            scheme, _, host = origin.partition("://")
            # A set of suffixes, probed at every dot, would take 24 µs on 250 bytes of dots. This
            # stops at the first label that no name has.
            tree, rest = self._above.get(scheme), host
            while tree:
                rest, _, label = rest.rpartition(".")
                tree = tree.get(label)
            # What was found is spelled as configured. The rest is spelled as the client likes.
            if tree is not None and (
                _LABELS.fullmatch(rest)
                or (scheme not in _SPECIAL_SCHEMES and _LABELS_OF_ANY_CASE.fullmatch(rest))
            ):
                return not _is_too_long(host.partition(":")[0])
            if not rest and self._starred and self._is_starred(scheme, host):
                return True
        if self._any_port is None or (parts := parse_origin(origin)) is None:
            return False
        scheme, host, _ = parts
        return f"{scheme}://{host}" in self._any_port

    def _is_starred(self, scheme: str, host: str) -> bool:
        """Say whether the first label of a host fits a pattern with a star inside it."""
        label, _, name = host.partition(".")
        starred = self._starred.get(f"{scheme}://{name}")
        if starred is None or not _STARRED_LABEL.fullmatch(label):
            return False
        pieces = label.split("-")
        shortest = starred.follow(pieces).follow(reversed(pieces))
        return len(label) >= shortest and not _is_too_long(host.partition(":")[0])


def parse_origin(origin: str) -> tuple[str, str, str] | None:
    """Return scheme, host and port of an origin as browsers send it, ``None`` if it is not one."""
    if len(origin) > MAX_ORIGIN or (match := _ORIGIN.fullmatch(origin)) is None:
        return None
    scheme, host, port = match.groups("")
    if _is_too_long(host) or (scheme in _SPECIAL_SCHEMES and host != host.lower()):
        return None
    if port and (int(port) > _MAX_PORT or port == _DEFAULT_PORTS.get(scheme)):
        return None
    return scheme, host, port


class Note(NamedTuple):
    """A sentence on an entry of ``cors_allowed``."""

    entry: str
    text: str


class Reading(NamedTuple):
    """What :func:`compile_origins` made of the entries.

    :ivar errors: entries that are refused, each with the reason and what to write instead.
    :ivar warnings: corrected spellings, and dangers that are tolerated.
    :ivar expansions: what bare domain names mean.
    """

    origins: Origins
    errors: list[Note]
    warnings: list[Note]
    expansions: list[Note]


class Policy(NamedTuple):
    """What decides which origins may be listed.

    :ivar credentials: scripts may read what only the user's cookies give access to. That rules out
        origins that a network attacker or a stranger's site can have.
    :ivar tolerate_insecure: accept plain ``http:`` together with credentials all the same.
    :ivar tolerate_public_suffixes: accept ``*.github.io`` and the like together with credentials.
    """

    credentials: bool
    tolerate_insecure: bool
    tolerate_public_suffixes: bool


class Entry(NamedTuple):
    """An entry of ``cors_allowed`` that is accepted.

    :ivar normalized: as it should be written.
    :ivar patterns: what it stands for; nothing for ``*`` alone.
    :ivar warnings: the dangers that are tolerated.
    """

    normalized: str
    patterns: Sequence[Pattern]
    warnings: Sequence[str]


class _InvalidEntryError(ValueError):
    """An entry has none of the allowed forms, or is too dangerous.

    :ivar candidates: what may have been meant, the likeliest first; the first valid one is
        suggested.
    :ivar otherwise: what else to do.
    """

    def __init__(self, reason: str, *candidates: str, otherwise: str = "") -> None:
        super().__init__(reason)
        self.candidates = candidates
        self.otherwise = otherwise

    def advise(self, policy: Policy) -> str:
        """Return the reason and what to write instead."""
        valid = (suggest(candidate, policy) for candidate in self.candidates)
        suggestion = next((f"write {text}" for text in valid if text), "")
        advice = ", or ".join(filter(None, (suggestion, self.otherwise)))
        return f"{self}; {advice}" if advice else str(self)


def suggest(text: str, policy: Policy) -> str:
    """Return entries as they should be written, or an empty string.

    The string is empty if an entry would be refused, or covers everything below a public suffix.

    :param text: one or more entries, separated by ``, ``.
    """
    try:
        found = [_read_entry(entry, policy) for entry in text.split(", ")]
    except _InvalidEntryError:
        return ""
    patterns = (pattern for entry in found for pattern in entry.patterns if pattern.label == ANY)
    if any(_public_suffix(pattern) for pattern in patterns):
        return ""
    return ", ".join(entry.normalized for entry in found)


def read_entry(entry: str, policy: Policy) -> Entry:
    """Parse an entry of ``cors_allowed``.

    :raises ValueError: the entry is refused; the message says why, and what to write instead.
    """
    try:
        return _read_entry(entry, policy)
    except _InvalidEntryError as error:
        raise ValueError(error.advise(policy)) from None


def compile_origins(entries: Iterable[str], policy: Policy) -> Reading:
    """Compile the entries of ``cors_allowed`` into a matcher, and say what is wrong with them."""
    errors: list[Note] = []
    warnings: list[Note] = []
    expansions: list[Note] = []
    patterns: dict[Pattern, None] = {}
    entries = tuple(dict.fromkeys(entries))
    for entry in entries:
        try:
            read = read_entry(entry, policy)
        except ValueError as error:
            errors.append(Note(entry, str(error)))
            continue
        patterns.update(dict.fromkeys(read.patterns))
        if read.normalized != entry:
            text = f"{entry} is read as {read.normalized}, as browsers spell it"
            warnings.append(Note(entry, f"{text}; write it that way"))
        warnings += (Note(entry, text) for text in read.warnings)
        if read.patterns and "://" not in read.normalized:
            meant = " and ".join(map(str, read.patterns))
            expansions.append(Note(entry, f"{entry} means {meant}"))
    if ANY in entries and len(entries) > 1:
        warnings.append(Note(ANY, "* allows every origin; the other entries have no effect"))
    origins = _compile(patterns, {entry: entry for entry in entries}, any_origin=ANY in entries)
    return Reading(origins, errors, warnings, expansions)


def _compile(
    patterns: Iterable[Pattern], given: Mapping[str, str], *, any_origin: bool = False
) -> Origins:
    """Make the matcher.

    :param given: the entries, each by itself, so that an equal origin is not kept a second time.
    """
    exact: dict[str, None] = {}
    above: dict[str, Tree] = {}
    starred: dict[str, list[str]] = {}
    any_port = []
    any_host: dict[str, Tree] = {}
    for pattern in patterns:
        if pattern.port == ANY:
            any_port.append(pattern._replace(port=""))
        elif not pattern.label:
            origin = str(pattern)
            exact[given.get(origin, origin)] = None
        elif not pattern.host:
            any_host[pattern.scheme] = {}
        else:
            name = f"{pattern.host}{pattern.port and ':'}{pattern.port}"
            place = _find(above.setdefault(pattern.scheme, {}), name)
            if place is None:
                continue
            if pattern.label == ANY:
                place.clear()
            else:
                place[_STARRED] = {}
                starred.setdefault(f"{pattern.scheme}://{name}", []).append(pattern.label)
    above |= any_host
    return Origins(
        any_origin,
        exact,
        above,
        {name: _compile_starred(labels) for name, labels in starred.items()},
        _compile(any_port, given) if any_port else None,
        MAX_ORIGIN if above or any_port else max(map(len, exact), default=0),
    )


def _read_entry(entry: str, policy: Policy) -> Entry:
    if entry == ANY:
        if policy.credentials:
            raise _InvalidEntryError(
                "expected a list of origins: with cors_allow_credentials, * would let every site"
                " act as its visitor"
            )
        return Entry(ANY, (), ())
    pattern = _parse(entry)
    for scheme in ("http", "https"):
        if not pattern.scheme and pattern.port == _DEFAULT_PORTS[scheme]:
            # A port that only one scheme has by default says which one is meant.
            pattern = _with_scheme(pattern, scheme)
    patterns = [pattern]
    if not pattern.scheme:
        patterns = [_with_scheme(pattern, "https")]
        if not policy.credentials or policy.tolerate_insecure or is_loopback(pattern.host):
            patterns.append(_with_scheme(pattern, "http"))
    warnings = [text for meant in patterns for text in _tolerated(meant, policy)]
    return Entry(str(pattern).removeprefix("://"), patterns, warnings)


def _with_scheme(pattern: Pattern, scheme: str) -> Pattern:
    port = "" if pattern.port == _DEFAULT_PORTS[scheme] else pattern.port
    return pattern._replace(scheme=scheme, port=port)


def _parse(entry: str) -> Pattern:
    """Parse an entry other than ``*``. A bare domain name has an empty scheme."""
    scheme, rest = _split(entry)
    before = f"{scheme}://" if scheme else ""
    if extra := re.search(r"[/?#@\\]", rest):
        what = {"?": "a query", "#": "a fragment", "@": "user information"}.get(extra[0], "a path")
        raise _InvalidEntryError(f"expected an origin without {what}", before + _host_in(rest))
    if rest.startswith("."):
        raise _InvalidEntryError("expected no dot before the host", f"{before}*{rest}")
    host, port = _read_port(rest, scheme)
    if host == ANY:
        if not scheme.endswith("-extension"):
            raise _InvalidEntryError(
                "expected a host: * alone allows every origin", ANY, otherwise="list the origins"
            )
        if port:
            raise _InvalidEntryError(f"expected no port after {before}*", f"{before}*")
        return Pattern(scheme, ANY, "", "")
    try:
        label, host = _read_star(host, scheme)
        host = _read_host(host, scheme, label)
    except _InvalidEntryError as error:
        after = port and f":{port}"
        candidates = [f"{before}{candidate}{after}" for candidate in error.candidates]
        raise _InvalidEntryError(str(error), *candidates, otherwise=error.otherwise) from None
    if not (scheme or label or "." in host or host == "localhost" or host.startswith("[")):
        raise _InvalidEntryError("expected a scheme or a domain name with a dot", f"https://{rest}")
    return Pattern(scheme, label, host, port)


def _split(entry: str) -> tuple[str, str]:
    """Split an entry into its scheme, which may be empty, and what follows."""
    if _ODD.search(entry):
        _refuse_habits(entry)
    if reason := _REFUSED_WORDS.get(entry.lower()):
        raise _InvalidEntryError(reason)
    scheme, separator, rest = entry.partition("://")
    if not separator:
        if near := re.fullmatch(r"(?i)(?:(https?)(?::/?|//)|//)([^/].*)", entry):
            schemes = near[1] or "https", "https"
            candidates = [f"{scheme}://{_host_in(near[2])}" for scheme in schemes]
            raise _InvalidEntryError("expected :// after a scheme", *candidates)
        return "", entry.removesuffix("/")
    scheme = scheme.lower()
    if scheme == "file":
        raise _InvalidEntryError(
            "file: cannot be listed: browsers send null for pages from files, and the apps that"
            " send file:// send it for every file; serve the page over http, or from a scheme of"
            " your own such as app://localhost"
        )
    if not _SCHEME.fullmatch(scheme):
        raise _InvalidEntryError(
            "expected a scheme of ASCII letters, digits, +, - and . before the ://"
        )
    return scheme, rest.removesuffix("/")


#: Words that are no host, each with the reason to refuse it.
_REFUSED_WORDS: Final = {
    "null": (
        "null cannot be listed: every sandboxed page has that origin; serve the page from an origin"
        " of its own"
    ),
    **dict.fromkeys(
        ("true", "yes", "on", "false", "no", "off", "none"),
        "expected a list of origins: * allows every origin, and an empty list switches CORS off",
    ),
}
_IN_QUOTES: Final = re.compile(r"""["']|^\[.*://|^[^\[]*\]$""")
_VARIABLE: Final = re.compile(r"[$%][{(]|\$\w|\{\{")
_REGULAR_EXPRESSION: Final = re.compile(r"^re:|^\^|\$$|\\[.dw/-]|[()]|\[\^|\[a-z|//\.[*+]")
#: A quick test for entries that :func:`_refuse_habits` may refuse.
_ODD: Final = re.compile(r"""["'$%^\\;|(){\[\]]|^re:|//\.""")


def _refuse_habits(entry: str) -> None:
    """Refuse what would be right in JSON, in a shell, or in a package that takes expressions."""
    if _IN_QUOTES.search(entry):
        bare = entry.strip("\"'")
        raise _InvalidEntryError(
            "expected origins without quotes or brackets around them", bare, bare.strip("[]\"'")
        )
    if _VARIABLE.search(entry):
        raise _InvalidEntryError("expected an origin, not a variable that has not been replaced")
    if _REGULAR_EXPRESSION.search(entry):
        text = entry.removeprefix("re:").strip("^$").replace("s?://", "s://")
        text = re.sub(r"\(?(?:\.|\\w|\\d|\[[^\]]*\])[*+]\)?", ANY, text)
        raise _InvalidEntryError(
            "expected an origin or a pattern with *, not a regular expression",
            text.replace("\\", ""),
        )
    if re.search("[;|]", entry):
        raise _InvalidEntryError(
            "expected commas or spaces between origins",
            ", ".join(filter(None, re.split("[;|]", entry))),
        )


def _host_in(text: str) -> str:
    """Return the host and port from what follows the scheme of a URL; they need not be valid."""
    return re.split(r"[/?#\\]", text.lstrip("/"))[0].rpartition("@")[2]


def _read_port(rest: str, scheme: str) -> tuple[str, str]:
    """Split host and port; the scheme's default port becomes empty."""
    before = f"{scheme}://" if scheme else ""
    parts = re.fullmatch(r"((?:\*\.)?\[[^\]]*\]|[^:\[\]]*)(?::([^:]*))?", rest)
    if parts is None:
        raise _InvalidEntryError(
            "expected HOST or HOST:PORT, with an IPv6 address in brackets, such as [::1]:8000",
            f"{before}[{rest}]",
        )
    host, port = parts.groups()
    if port is None or port == _DEFAULT_PORTS.get(scheme):
        return host, ""
    if port != ANY and (not _PORT.fullmatch(port) or int(port) > _MAX_PORT):
        raise _InvalidEntryError(
            f"expected a port from 1 to {_MAX_PORT}, or * for every port, after the colon",
            f"{before}{host}:{port.lstrip('0')}".removesuffix(":"),
        )
    return host, port


def _read_star(text: str, scheme: str) -> tuple[str, str]:
    """Split a host into its first label, empty if that has no star, and what follows.

    The candidates of its errors, and of those of :func:`_read_host`, are hosts.
    """
    if ANY not in text:
        return "", text
    label, _, name = text.partition(".")
    before, _, after = label.partition(ANY)
    if ANY in after or ANY in name:
        below = name.rpartition(ANY)[2].partition(".")[2]
        raise _InvalidEntryError(
            "expected a single *, in the first label of the host",
            f"*.{below}" if ANY in name else f"{before}*{after.rpartition(ANY)[2]}.{name}",
            otherwise="list the hosts",
        )
    if label == ANY:
        return ANY, name
    if "." not in name.removesuffix("."):
        raise _InvalidEntryError(
            "expected at least two labels after the one with the *, since anyone could register a"
            " name that matches",
            "" if before else f"*.{after.lstrip('-')}.{name}",
            otherwise="list the hosts",
        )
    if label.isascii() and scheme in _SCHEMES_OF_DOMAINS:
        label = label.lower()
    _check_starred_label(label, name)
    return label, name


def _check_starred_label(label: str, name: str) -> None:
    """Check a label that has a star and something beside it."""
    before, _, after = label.partition(ANY)
    before_hyphen = before and f"{before.removesuffix('-')}-"
    after_hyphen = after and f"-{after.removeprefix('-')}"
    if (before, after) != (before_hyphen, after_hyphen):
        raise _InvalidEntryError(
            "expected a hyphen between the * and the text beside it",
            f"{before_hyphen}*{after_hyphen}.{name}",
        )
    if label.startswith("xn--"):
        raise _InvalidEntryError("expected no Punycode beside the *", otherwise="list the hosts")
    if not _STARRED_LABEL.fullmatch(label.replace(ANY, "a")):
        raise _InvalidEntryError(
            f"expected a-z, 0-9 and - beside the *, and at most {_MAX_LABEL} characters up to the"
            " dot"
        )
    if not re.search("[a-z0-9]", label):
        raise _InvalidEntryError("expected a letter or a digit beside the *", f"*.{name}")


def _read_host(text: str, scheme: str, label: str) -> str:
    """Return a host as browsers spell it.

    :param label: the label with a star that stands before it, empty if there is none.
    """
    if text.startswith("["):
        return _read_ipv6(text, label)
    host, is_domain = text, scheme in _SCHEMES_OF_DOMAINS
    if is_domain:
        host = text.lower() if text.isascii() else _to_ascii(text)
    if not _DOMAIN_OF_ANY_CASE.fullmatch(host):
        raise _InvalidEntryError(
            "expected a host of ASCII letters, digits, - and _, with 1 to 63 of them between dots"
        )
    if len(host.removesuffix(".")) + len(label and f"{label}.") > _MAX_HOST:
        raise _InvalidEntryError(f"expected a host of at most {_MAX_HOST} characters")
    if not is_domain:
        return host
    for part in host.split("."):
        if part.startswith("xn--"):
            _check_punycode(part)
    # URL standard, "ends in a number checker": browsers take such a host for an IPv4 address.
    if re.fullmatch(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?", host):
        _check_ipv4(host, label)
    return host


def _read_ipv6(text: str, label: str) -> str:
    try:
        address = ipaddress.IPv6Address(text[1:-1])
    except ValueError:
        raise _InvalidEntryError(
            "expected an IPv6 address in the brackets, such as [::1]"
        ) from None
    if address.scope_id:
        raise _InvalidEntryError("expected an IPv6 address without a zone")
    if address.ipv4_mapped:
        raise _InvalidEntryError(
            "expected an IPv4 address in its own notation", str(address.ipv4_mapped)
        )
    if label:
        raise _InvalidEntryError(
            "expected a domain name after the *, since an IP address has no subdomains", text
        )
    return f"[{address.compressed}]"


def _check_ipv4(host: str, label: str) -> None:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        raise _InvalidEntryError(
            "expected an IPv4 address, or a host whose last label is not a number",
            host.removesuffix("."),
        ) from None
    if label:
        raise _InvalidEntryError(
            "expected a domain name after the *, since an IP address has no subdomains", host
        )


def _check_punycode(label: str) -> None:
    # Not idna.ulabel: IDNA 2008 refuses names, such as those with emoji, that browsers resolve.
    encoded = label.removeprefix("xn--").encode("ascii")
    try:
        text = encoded.decode("punycode")
    except UnicodeError:
        text = ""
    # UTS #46, "Validity Criteria", as far as the standard library knows them.
    if (
        text.isascii()
        or text.encode("punycode") != encoded
        or text != unicodedata.normalize("NFC", text.lower())
        or any(unicodedata.category(c) in _NO_LETTERS for c in text)
    ):
        raise _InvalidEntryError(f"expected Punycode after the xn-- in {label}")


def _to_ascii(host: str) -> str:
    """Return the ``xn--`` form of a host that has letters beyond ASCII."""
    try:
        import idna  # noqa: PLC0415 -- an extra
    except ImportError:
        raise _InvalidEntryError(
            "expected the xn-- form of the host; wsgi_mw_paste[origins] converts other forms"
        ) from None
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except UnicodeError:
        raise _InvalidEntryError("expected a host that IDNA allows, or its xn-- form") from None


def _tolerated(pattern: Pattern, policy: Policy) -> Iterator[str]:
    """Refuse what must not be combined with credentials; yield a warning if it is tolerated."""
    if not policy.credentials:
        return
    if not pattern.host:
        raise _InvalidEntryError(
            "expected a single extension with cors_allow_credentials, since * matches every"
            " extension",
            otherwise=f"list {pattern.scheme}://ID, or set cors_allow_credentials = false",
        )
    insecure = pattern.scheme in _INSECURE_SCHEMES and not is_loopback(pattern.host)
    if insecure:
        if not policy.tolerate_insecure:
            raise _InvalidEntryError(
                "expected https with cors_allow_credentials, since anyone on the network can"
                " impersonate an insecure origin",
                *([str(_with_scheme(pattern, "https"))] if pattern.scheme == "http" else []),
                otherwise="allow it with cors_tolerate_insecure_origins = true",
            )
        yield f"{pattern} is insecure, and is allowed with credentials"
    if suffix := _public_suffix(pattern, insecure=insecure):
        if not policy.tolerate_public_suffixes:
            raise _InvalidEntryError(
                "expected a domain of your own with cors_allow_credentials, since anyone can"
                f" register a name below the public suffix {suffix}",
                otherwise="list the hosts, or allow it with cors_tolerate_public_suffixes = true",
            )
        yield (
            f"{pattern} covers names below the public suffix {suffix}, which anyone can register,"
            " and is allowed with credentials"
        )


def is_loopback(host: str) -> bool:
    """Say whether a host is the machine that the browser runs on."""
    name = host.removesuffix(".")
    if name == "localhost" or name.endswith(".localhost") or host == "[::1]":
        return True
    return bool(re.fullmatch(r"127(?:\.[0-9]+){3}", host))


def _public_suffix(pattern: Pattern, *, insecure: bool = False) -> str | None:
    """Return a public suffix below which strangers can get names that the pattern covers.

    Without the package publicsuffixlist, only single labels are known to be public suffixes.
    """
    name = pattern.host.removesuffix(".")
    if not pattern.label or not name or is_loopback(name):
        return None
    try:
        suffixes = public_suffixes()
    except ImportError:
        return None if "." in name else name
    # Names in a top-level domain that is not listed cannot be registered, but anyone on the network
    # can pretend to have one. Where insecure origins are tolerated, that risk is already accepted.
    if suffixes.publicsuffix(name, accept_unknown=not insecure) == name:
        return name
    # A star inside a label covers names right below the host, and none below those.
    return _above_public_suffixes().get(name) if pattern.label == ANY else None


@functools.cache
def public_suffixes() -> PublicSuffixList:
    """Return the public suffix list, both its ICANN and its private part.

    :raises ImportError: the extra ``origins`` is not installed.
    """
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415 -- an extra

    return PublicSuffixList()


@functools.cache
def _above_public_suffixes() -> dict[str, str]:
    """Return the domains above public suffixes, each with one of those.

    ``amazonaws.com`` is no public suffix, but ``s3.amazonaws.com`` is.
    """
    from publicsuffixlist import PSLFILE  # noqa: PLC0415 -- an extra

    above: dict[str, str] = {}
    for line in Path(PSLFILE).read_bytes().decode().splitlines():
        if rule := re.match(r"(?!//)\S+", line):
            suffix = domain = rule[0].encode("idna").decode("ascii")
            while domain := domain.partition(".")[2]:
                above[domain] = suffix
    return above
