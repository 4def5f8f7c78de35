"""From text to values: one function for each kind of option, wherever the text comes from.

A parser takes the text of an INI file or of the environment, or a ready value from Python, and
returns the value or raises ``ValueError("expected …")``: what was expected, never where it was
written (:mod:`wsgi_mw_paste.settings` knows that) and never the text itself (it may be a secret).
Parsing a value that has been parsed gives the same value.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal

from wsgi_mw_paste._http import (
    FORBIDDEN_RESPONSE_HEADERS,
    HEADERS_OF_HTTP,
    NORMALIZED_METHODS,
    PREFIXES_OF_HTTP,
    is_forbidden_method,
    is_forbidden_request_header,
    is_token,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: PasteDeploy's words, the strict table: an unknown word is an error, never false.
_TRUE: Final = frozenset({"true", "yes", "on", "y", "t", "1"})
_FALSE: Final = frozenset({"false", "no", "off", "n", "f", "0"})


class InvalidItemsError(ValueError):
    """Some items of a list are wrong.

    :ivar problems: the wrong items, each with what was expected.
    :ivar valid: the other items, so that checks between options can go on.
    """

    def __init__(self, problems: Sequence[tuple[str, str]], valid: tuple[Any, ...]) -> None:
        super().__init__("; ".join(reason for _, reason in problems))
        self.problems = problems
        self.valid = valid


def words(value: object) -> tuple[str, ...]:
    """Split on commas and whitespace, and drop empty items; a ready list stays as it is."""
    if isinstance(value, str):
        found = tuple(word for word in re.split(r"[\s,]+", value) if word)
        # A header name may begin with #, but none in use does, and a comment would become names.
        if any(word.startswith((";", "#")) for word in found):
            raise ValueError("expected no ; or # comment after the value; put it on its own line")
        return found
    if isinstance(value, (list, tuple, set, frozenset)) and all(isinstance(v, str) for v in value):
        return tuple(sorted(value) if isinstance(value, (set, frozenset)) else value)
    raise ValueError("expected a list of words, separated by commas or whitespace")


def list_of(item: Callable[[str], str]) -> Callable[[object], tuple[str, ...]]:
    """Return a parser for a list whose items *item* checks; duplicates are dropped."""

    def parse(value: object) -> tuple[str, ...]:
        valid: dict[str, None] = {}
        problems: dict[str, str] = {}
        for word in words(value):
            try:
                valid[item(word)] = None
            except ValueError as error:
                problems[word] = str(error)
        if problems:
            raise InvalidItemsError(tuple(problems.items()), tuple(valid))
        return tuple(valid)

    return parse


def boolean(value: object) -> bool:
    """Return the value of true/yes/on/y/t/1 or false/no/off/n/f/0, in upper or lower case."""
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else ""
    if word not in _TRUE | _FALSE:
        raise ValueError("expected true or false")
    return word in _TRUE


def number(low: int, high: int, unit: str) -> Callable[[object], int]:
    """Return a parser for a whole number of *unit*, from *low* to *high*."""

    def parse(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,9}\s*", value, re.ASCII):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"expected a number of {unit} from {low} to {high}")
        return value

    return parse


def tokens_in_logs(value: object) -> bool | Literal["fingerprint"]:
    """Return what ``log_tokens`` may be: a boolean or the word fingerprint."""
    if isinstance(value, str) and value.strip().lower() == "fingerprint":
        return "fingerprint"
    try:
        return boolean(value)
    except ValueError:
        quotes = ", without quotes" if isinstance(value, str) and value[:1] in ("'", '"') else ""
        raise ValueError(f"expected true, fingerprint or false{quotes}") from None


def key_text(value: object) -> str:
    """Return a key without the whitespace around it; it may be empty."""
    if not isinstance(value, str) or re.search(r"\s[;#]", value):
        raise ValueError("expected a key as text, without a ; or # comment after it")
    return value.strip()


def path_pattern(word: str) -> str:
    """Return the whole path of a request, or a prefix of such paths, written ``/static/*``."""
    if not word.startswith("/"):
        raise ValueError("expected a path that starts with /")
    if "?" in word:
        raise ValueError("expected a path without ?; the query is not part of it")
    if "*" in word.removesuffix("/*"):
        raise ValueError("expected a * only at the end, after a slash, as in /static/*")
    return word


def path_prefix(word: str) -> str:
    """Return a path, which means itself and everything below it, without a slash at its end."""
    if not word.startswith("/"):
        raise ValueError("expected a path that starts with /")
    if re.search("[*?#]", word):
        raise ValueError("expected a path without * ? #; /api means /api and everything below it")
    prefix = word.rstrip("/")
    segments = prefix.split("/")[1:]
    if "" in segments:
        raise ValueError("expected a path without an empty segment")
    if {".", ".."}.intersection(segments):
        raise ValueError("expected a path without . and .. segments")
    return prefix or "/"


def path_or_nothing(value: object) -> str:
    """Return the whole path of a request; it may be empty."""
    if not isinstance(value, str) or not re.fullmatch(r"|/[\w/.~:@+-]*", value, re.ASCII):
        raise ValueError("expected a path that starts with /, or an empty value to switch it off")
    return value


def path_of_file(value: object) -> str:
    """Return the path of a file, as it is written; it may be empty."""
    if not isinstance(value, str) or re.search(r"\0|\s[;#]", value):
        raise ValueError("expected a path without a ; or # comment after it")
    return value


def list_of_checks(value: object) -> tuple[str | Callable[[], object], ...]:
    """Return names ``package.module:callable`` and, from Python, callables; each once, in order."""
    items = words(value) if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)) or not all(
        isinstance(i, str) or callable(i) for i in items
    ):
        raise ValueError("expected a list of names package.module:callable or of callables")
    valid: list[Any] = []
    problems = {}
    for item in items:
        if isinstance(item, str) and not _is_check_name(item):
            package, _, name = item.rpartition(".")
            likely = f"{package}:{name}"
            hint = f"; write {likely}" if _is_check_name(likely) else ""
            problems[item] = f"expected package.module:callable{hint}"
        elif item not in valid:
            valid.append(item)
    if problems:
        raise InvalidItemsError(tuple(problems.items()), tuple(valid))
    return tuple(valid)


def _is_check_name(word: str) -> bool:
    sides = word.split(":")
    return len(sides) == 2 and all(  # noqa: PLR2004 -- a module and its attribute
        part.isidentifier() for side in sides for part in side.split(".")
    )


def header_name(value: object) -> str:
    """Return one header name. RFC 9110 allows ``*`` in it; here that is always a mistake."""
    if not isinstance(value, str) or not is_token(value.strip()) or "*" in value:
        raise ValueError("expected a header name")
    return value.strip()


def id_header(value: object) -> str:
    """Return the name of a header for ids, one that HTTP and proxies do not use."""
    name = header_name(value)
    lower = name.lower()
    if lower in HEADERS_OF_HTTP or lower.startswith(PREFIXES_OF_HTTP):
        raise ValueError(
            "expected a header used only for ids; this one already has a meaning in HTTP"
        )
    return name


def request_header(word: str) -> str:
    """Return a header name that a script may send, or ``*`` alone."""
    if word == "*":
        return word
    name = header_name(word)
    if name.lower().startswith("access-control-"):
        raise ValueError("expected a request header of your own; those of CORS need not be listed")
    if is_forbidden_request_header(name):
        raise ValueError("expected a header that scripts can set; browsers forbid this one")
    return word


def response_header(word: str) -> str:
    """Return a header name that a script may be allowed to read, or ``*`` alone."""
    if word == "*":
        return word
    name = header_name(word).lower()
    if name in FORBIDDEN_RESPONSE_HEADERS:
        raise ValueError("expected a header that scripts can read; browsers hide this one")
    if name == "origin" or name.startswith("access-control-"):
        raise ValueError("expected a response header of your own; this one is part of CORS")
    return word


def method_name(word: str) -> str:
    """Return a method, normalized as browsers do, or ``*`` alone."""
    if word == "*":
        return word
    if not is_token(word) or "*" in word:
        raise ValueError("expected a method")
    if is_forbidden_method(word):
        raise ValueError("expected a method that scripts can send; browsers forbid this one")
    return word.upper() if word.upper() in NORMALIZED_METHODS else word
