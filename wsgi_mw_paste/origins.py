"""Origins: what an operator may write, what a browser can send, and whether the two match.

The grammar of a browser's ``Origin`` is the one of the Fetch standard ("serializing a request
origin") and of the URL standard's host serializing: lower case, no default port, no path, IPv6
compressed and in brackets. It is deliberately narrower than what URLs allow (a host of letters,
digits, ``-``, ``_`` and dots): whatever it does not cover is no match, so no trick with user
information, backslashes or percent signs can reach a comparison.

What an operator writes is read more kindly where only one meaning is possible, and each such
reading is reported. Everything is parsed once, by :func:`compile_origins`; :class:`Origins` only
looks up, and takes the same time for one origin as for ten thousand.
"""

from __future__ import annotations

import functools
import ipaddress
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from publicsuffixlist import PublicSuffixList

#: The URL standard's "special schemes" that have a port, and so never show that port.
_DEFAULT_PORTS: Final = {"http": "80", "https": "443", "ws": "80", "wss": "443", "ftp": "21"}
_MAX_SCHEME: Final = 64
#: RFC 1035, section 3.1, without the trailing dot.
_MAX_HOST: Final = 253
#: The longest origin there can be: scheme, "://", host with a trailing dot, ":" and port.
MAX_ORIGIN: Final = _MAX_SCHEME + 3 + _MAX_HOST + 1 + 6

_SCHEME: Final = re.compile(rf"[a-z][a-z0-9+.-]{{0,{_MAX_SCHEME - 1}}}", re.ASCII)
_LABELS: Final = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*", re.ASCII)
_DOMAIN: Final = re.compile(rf"{_LABELS.pattern}\.?", re.ASCII)
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_ORIGIN: Final = re.compile(
    rf"({_SCHEME.pattern})://({_DOMAIN.pattern}|\[[0-9a-f:]+\])(?::({_PORT.pattern}))?", re.ASCII
)
#: A quick test for origins that :func:`parse_origin` would parse, which misses few of them. Three
#: labels are never too long together.
is_plain_origin: Final = re.compile(
    r"https?://[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){0,2}", re.ASCII
).fullmatch
_MAX_PORT: Final = 65535
#: Unicode's categories of what no domain name has: control characters, private use, blanks.
_NO_LETTERS: Final = frozenset({"Cc", "Co", "Cs", "Zl", "Zp", "Zs"})
#: The entry for every origin, and the port for every port.
ANY: Final = "*"


class Pattern(NamedTuple):
    """An origin or a family of origins, normalized.

    :ivar host: without a leading ``*.``; IPv6 in brackets.
    :ivar port: digits, empty for the scheme's default, ``*`` for any and none.
    :ivar subdomains: all hosts below *host*, not the host itself.
    """

    scheme: str
    host: str
    port: str
    subdomains: bool

    def __str__(self) -> str:
        star = "*." if self.subdomains else ""
        return f"{self.scheme}://{star}{self.host}{self.port and ':'}{self.port}"


#: Domain names, label by label from the last to the first, each label with what stands before it.
#: Nothing stands before the first label of a name: all that is below the name is meant.
Tree: TypeAlias = "dict[str, Tree]"


def _add(tree: Tree, name: str) -> None:
    """Add a domain name to a tree, and drop what is below it."""
    for label in reversed(name.split(".")):
        below = tree.get(label)
        if below is None:
            below = tree[label] = {}
        elif not below:
            return
        tree = below
    tree.clear()


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
    # By scheme; a port is part of the last label.
    _above: Mapping[str, Tree] = field(default_factory=dict)
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
            # Sets of suffixes, probed at every dot, lost: 24 µs on 250 bytes of dots. This stops at
            # the first label that no name has.
            tree, rest = self._above.get(scheme), host
            while tree:
                rest, _, label = rest.rpartition(".")
                tree = tree.get(label)
            # What was found is spelled as it was configured; what is left, a stranger spelled.
            if tree is not None and _LABELS.fullmatch(rest):
                return not _is_too_long(host.partition(":")[0])
        if self._any_port is None or (parts := parse_origin(origin)) is None:
            return False
        scheme, host, _ = parts
        return f"{scheme}://{host}" in self._any_port


def parse_origin(origin: str) -> tuple[str, str, str] | None:
    """Return scheme, host and port of an origin as browsers send it, ``None`` if it is not one."""
    if len(origin) > MAX_ORIGIN or (match := _ORIGIN.fullmatch(origin)) is None:
        return None
    scheme, host, port = match.groups("")
    if _is_too_long(host):
        return None
    if port and (int(port) > _MAX_PORT or port == _DEFAULT_PORTS.get(scheme)):
        return None
    return scheme, host, port


class Reading(NamedTuple):
    """What :func:`compile_origins` made of the entries.

    :ivar errors: entries that are refused, each with the reason and what to write instead.
    :ivar warnings: sentences on entries that were read kindly, and on tolerated dangers.
    :ivar expansions: sentences on what bare domain names mean.
    """

    origins: Origins
    errors: list[tuple[str, str]]
    warnings: list[str]
    expansions: list[str]


class Policy(NamedTuple):
    """What decides which origins may be listed.

    :ivar credentials: scripts may read what only the user's cookies give access to, which rules
        out origins that a network attacker or a stranger's site can take on.
    :ivar tolerate_insecure: plain ``http:`` together with credentials all the same.
    :ivar tolerate_public_suffixes: ``*.github.io`` and the like together with credentials.
    """

    credentials: bool
    tolerate_insecure: bool
    tolerate_public_suffixes: bool


def compile_origins(entries: Iterable[str], policy: Policy) -> Reading:
    """Parse the entries of ``cors_allowed`` into one matcher, and report on each of them."""
    errors: list[tuple[str, str]] = []
    warnings: list[str] = []
    expansions: list[str] = []
    patterns: dict[Pattern, None] = {}
    entries = tuple(dict.fromkeys(entries))
    for entry in entries:
        try:
            for pattern in _patterns(entry, policy, warnings, expansions):
                _check(pattern, policy, warnings)
                patterns[pattern] = None
        except ValueError as error:
            errors.append((entry, str(error)))
    if ANY in entries and len(entries) > 1:
        warnings.append("* allows every origin; the other entries change nothing")
    origins = _compile(patterns, {entry: entry for entry in entries}, any_origin=ANY in entries)
    return Reading(origins, errors, warnings, expansions)


def _compile(
    patterns: Iterable[Pattern], given: Mapping[str, str], *, any_origin: bool = False
) -> Origins:
    """Make the matcher.

    :param given: the entries by themselves: an origin that is spelled like one is kept once.
    """
    exact: dict[str, None] = {}
    above: dict[str, Tree] = {}
    any_port = []
    for pattern in patterns:
        if pattern.port == ANY:
            any_port.append(pattern._replace(port=""))
        elif pattern.subdomains:
            host = f"{pattern.host}{pattern.port and ':'}{pattern.port}"
            _add(above.setdefault(pattern.scheme, {}), host)
        else:
            origin = str(pattern)
            exact[given.get(origin, origin)] = None
    return Origins(
        any_origin,
        exact,
        above,
        _compile(any_port, given) if any_port else None,
        MAX_ORIGIN if above or any_port else max(map(len, exact), default=0),
    )


def _patterns(
    entry: str, policy: Policy, warnings: list[str], expansions: list[str]
) -> list[Pattern]:
    """Return what one entry stands for."""
    if entry == ANY:
        if policy.credentials:
            raise ValueError(
                "expected origins by name: with cors_allow_credentials, * would let every site act"
                " as its visitor"
            )
        return []
    pattern = _read(entry)
    if not pattern.scheme:
        for scheme in ("http", "https"):
            if pattern.port == _DEFAULT_PORTS[scheme]:
                # A port that only one scheme has by default says which one is meant.
                pattern = _with_scheme(pattern, scheme)
    normalized = str(pattern).removeprefix("://")
    if normalized != entry:
        warnings.append(f"{entry} is read as {normalized}, as browsers send it; write it so")
    if pattern.scheme:
        return [pattern]
    found = [_with_scheme(pattern, "https")]
    if not policy.credentials or policy.tolerate_insecure or _is_loopback(pattern.host):
        found.append(_with_scheme(pattern, "http"))
    expansions.append(f"{entry} means {' and '.join(map(str, found))}")
    return found


def _with_scheme(pattern: Pattern, scheme: str) -> Pattern:
    port = "" if pattern.port == _DEFAULT_PORTS[scheme] else pattern.port
    return pattern._replace(scheme=scheme, port=port)


def _read(entry: str) -> Pattern:
    """Parse one entry; the scheme is empty for a bare domain name.

    :raises ValueError: it is none of the forms, with what to write instead.
    """
    if entry[:1] in ("'", '"'):
        raise ValueError("expected no quotes, they are part of the value; write it without them")
    if ";" in entry:
        raise ValueError("expected commas or blanks between origins, not semicolons")
    if re.search(r"[$%][{(]", entry):
        raise ValueError("expected an origin, not a variable that nothing has filled in")
    if entry.lower() == "null":
        raise ValueError(
            "expected an origin by name: null is every sandboxed page of every site; give the page"
            " an origin of its own"
        )
    scheme, separator, rest = entry.partition("://")
    if separator:
        scheme = _read_scheme(scheme)
    else:
        scheme, rest = "", entry
        if near := re.fullmatch(r"(?i)(?:(https?)(?::/?|//)|//)([^/].*)", entry):
            near_scheme = (near[1] or "https").lower()
            raise ValueError(f"expected a scheme and ://; write {near_scheme}://{near[2]}")
    rest = rest.removesuffix("/")
    if extra := re.search(r"[/?#@\\]", rest):
        what = {"?": "query", "#": "fragment", "@": "user information"}.get(extra[0], "path")
        bare = re.split(r"[/?#\\]", rest.lstrip("/"))[0].rpartition("@")[2]
        instead = f"; write {scheme}{separator}{bare}" if bare else ""
        raise ValueError(f"expected an origin without {what}{instead}")
    host, port = _read_port(rest, scheme)
    subdomains = host.startswith("*.")
    host = _read_host(host.removeprefix("*."), subdomains)
    if not (scheme or subdomains or "." in host or host == "localhost" or host.startswith("[")):
        raise ValueError(f"expected a scheme or a domain name with a dot; write https://{rest}")
    return Pattern(scheme, host, port, subdomains)


def _read_scheme(text: str) -> str:
    scheme = text.lower()
    if scheme == "file":
        raise ValueError("expected no file: origin, browsers send null; serve the page over http")
    if not _SCHEME.fullmatch(scheme):
        raise ValueError("expected a scheme of letters, digits, + - and . before the ://")
    return scheme


def _read_port(rest: str, scheme: str) -> tuple[str, str]:
    """Split host and port; the scheme's default port becomes empty."""
    parts = re.fullmatch(r"((?:\*\.)?\[[^\]]*\]|[^:\[\]]*)(?::([^:]*))?", rest)
    if parts is None:
        raise ValueError("expected host or host:port, an IPv6 address in brackets: [::1]:8000")
    host, port = parts.groups()
    if port is None or port == _DEFAULT_PORTS.get(scheme):
        return host, ""
    if port != ANY and (not _PORT.fullmatch(port) or int(port) > _MAX_PORT):
        raise ValueError(f"expected a port from 1 to {_MAX_PORT}, or * for any, after the colon")
    return host, port


def _read_host(text: str, subdomains: bool) -> str:  # noqa: FBT001
    """Return a host as browsers spell it."""
    if "*" in text:
        raise ValueError("expected * alone, as *. before the host, or as the port, nowhere else")
    if text.startswith("["):
        return _read_ipv6(text, subdomains)
    host = text.lower() if text.isascii() else _to_ascii(text)
    if not _DOMAIN.fullmatch(host):
        raise ValueError("expected a host of letters, digits, - and _ in labels of 1 to 63")
    if len(host.rstrip(".")) + 2 * subdomains > _MAX_HOST:
        raise ValueError(f"expected a host of at most {_MAX_HOST} characters")
    for label in host.split("."):
        if label.startswith("xn--"):
            _check_punycode(label)
    # The URL standard's "ends in a number": browsers take such a host for an IPv4 address.
    if re.fullmatch(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?", host):
        _check_ipv4(host, subdomains)
    return host


def _read_ipv6(text: str, subdomains: bool) -> str:  # noqa: FBT001
    try:
        address = ipaddress.IPv6Address(text[1:-1])
    except ValueError:
        raise ValueError("expected an IPv6 address in brackets, such as [::1]") from None
    if address.scope_id or address.ipv4_mapped:
        raise ValueError("expected an IPv6 address without a zone, and IPv4 written as IPv4")
    if subdomains:
        raise ValueError("expected a domain name after *., an IP address has no subdomains")
    return f"[{address.compressed}]"


def _check_ipv4(host: str, subdomains: bool) -> None:  # noqa: FBT001
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        raise ValueError(
            "expected four numbers from 0 to 255, or a name not ending in one"
        ) from None
    if subdomains:
        raise ValueError("expected a domain name after *., an IP address has no subdomains")


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
        raise ValueError(f"expected Punycode after xn-- in the label {label}")


def _to_ascii(host: str) -> str:
    """Return the ``xn--`` form of a host in other letters than ASCII's."""
    try:
        import idna  # noqa: PLC0415 -- an extra
    except ImportError:
        raise ValueError(
            "expected the xn-- form of the host, or the extra wsgi_mw_paste[origins] to convert it"
        ) from None
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except UnicodeError:
        raise ValueError("expected a host that IDNA allows; write its xn-- form") from None


def _check(pattern: Pattern, policy: Policy, warnings: list[str]) -> None:
    """Refuse, or report as tolerated, what must not be combined with credentials."""
    if not policy.credentials:
        return
    insecure = pattern.scheme != "https" and not _is_loopback(pattern.host)
    if insecure:
        if not policy.tolerate_insecure:
            is_http = pattern.scheme == "http"
            instead = f"write {_with_scheme(pattern, 'https')}, or " if is_http else ""
            raise ValueError(
                "expected https with cors_allow_credentials: anybody on the network can pose as an"
                f" insecure origin; {instead}tolerate it by cors_tolerate_insecure_origins = true"
            )
        warnings.append(f"{pattern} is not secure, yet allowed with credentials")
    if pattern.subdomains and (suffix := _public_suffix(pattern.host, insecure)):
        if not policy.tolerate_public_suffixes:
            raise ValueError(
                "expected a domain of yours with cors_allow_credentials: anybody can get a name"
                f" below the public suffix {suffix}; list the hosts, or tolerate it by"
                " cors_tolerate_public_suffixes = true"
            )
        warnings.append(f"{pattern} is everybody's domain, yet allowed with credentials")


def _is_loopback(host: str) -> bool:
    name = host.rstrip(".")
    if name == "localhost" or name.endswith(".localhost") or host == "[::1]":
        return True
    return bool(re.fullmatch(r"127(?:\.[0-9]+){3}", host))


def _public_suffix(host: str, insecure: bool) -> str | None:  # noqa: FBT001
    """Return a public suffix below which strangers can get names, and ``*.host`` covers them.

    Without the package publicsuffixlist only single labels are known to be such.
    """
    name = host.rstrip(".")
    if _is_loopback(name):
        return None
    try:
        suffixes = public_suffixes()
    except ImportError:
        return None if "." in name else name
    # In a top-level domain that is not listed nobody can get a name, but anybody on the network can
    # pretend to have one; where that is tolerated, for insecure origins, there is no more to fear.
    if suffixes.publicsuffix(name, accept_unknown=not insecure) == name:
        return name
    return _above_public_suffixes().get(name)


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
    for line in Path(PSLFILE).read_text("utf-8").splitlines():
        if rule := re.match(r"(?!//)\S+", line):
            suffix = domain = rule[0].encode("idna").decode("ascii")
            while domain := domain.partition(".")[2]:
                above[domain] = suffix
    return above
