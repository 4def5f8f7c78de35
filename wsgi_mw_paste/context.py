"""The request id of the code that is running now, and how to pass it on.

Use it where there is no ``environ``: in a service layer, a log filter, a job, a call to another
service. Inside a view the id is also in ``environ["wsgi_mw_paste.request_id"]``.

The id lives in a context variable (:mod:`contextvars`), so it follows ``await`` and is separate for
each thread and greenlet. A new thread, pool or greenlet starts without it: pass the work on as
``copy_context().run, function`` or open a :func:`request_id_scope` there.

This module needs the standard library only, so a process that never speaks HTTP can use it.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    #: What the running code belongs to, one request or one :func:`request_id_scope`: the id, the
    #: name of its header, and the other headers to pass on. No NamedTuple, whose field names would
    #: cost every request 0.15 µs.
    Scope = tuple[str, str, Sequence[tuple[str, str]]]

#: The highest limit for the length of an id, in characters.
MAX_LENGTH: Final = 1024

# Every character common proxies put into an id (HAProxy ":", Apache "@", Kong "#", base64 "+/="),
# and none that could end a log line, a field, a shell word or a JSON string. Ids end up in file
# names, hence no leading "." or "/" and no ".."; "-" alone is our "no id", hence one alphanumeric.
_SAFE_ID: Final = re.compile(
    r"(?![./])(?!.*\.\.)(?=.*[A-Za-z0-9])[A-Za-z0-9._~:@#+/=-]+", re.ASCII
).fullmatch


#: The beginning of the note that an exception gets.
_NOTE: Final = "request_id: "

#: The current scope; ``None`` outside requests and scopes.
current_scope: Final[ContextVar[Scope | None]] = ContextVar("wsgi_mw_paste", default=None)


def is_safe_id(request_id: str, max_length: int = MAX_LENGTH) -> bool:
    """Say whether a request id may be accepted: at most *max_length* characters, all harmless."""
    # The length goes first: the pattern costs 11 µs on an 8 kB value, this comparison nothing.
    return len(request_id) <= max_length and _SAFE_ID(request_id) is not None


def plain_id_matcher(max_length: int) -> Callable[[str], object]:
    """Return a quick test for most of the ids that :func:`is_safe_id` allows, and for no others.

    Hexadecimal digits, UUIDs and base64 pass it. It takes half the time, without look-ahead.

    :param max_length: of an id, in characters; 1 at least.
    """
    rest = max_length - 1
    return re.compile(rf"[A-Za-z0-9][A-Za-z0-9_~:@#+/=-]{{0,{rest}}}", re.ASCII).fullmatch


def new_request_id() -> str:
    """Return 32 random hexadecimal digits: a valid W3C trace id, safe after ``fork``."""
    return os.urandom(16).hex()


def current_request_id() -> str | None:
    """Return the id of the current request or scope, ``None`` outside both."""
    scope = current_scope.get()
    return None if scope is None else scope[0]


def note_request_id(error: BaseException, request_id: str, *, only_replace: bool = False) -> None:
    """Add a request id to an exception as a note, which tracebacks show (Python 3.11 or newer).

    An exception that is kept and raised again, such as that of a ``Future``, may have the note of
    an earlier request. That one is replaced.

    :param only_replace: leave an exception without such a note as it is.
    """
    if sys.version_info >= (3, 11):
        # Some exceptions cannot be changed, such as frozen dataclasses.
        with suppress(Exception):
            notes = getattr(error, "__notes__", [])
            others = [note for note in notes if not str(note).startswith(_NOTE)]
            if only_replace and len(others) == len(notes):
                return
            notes[:] = others
            error.add_note(_NOTE + request_id)


@contextmanager
def request_id_scope(
    id: str | None = None,  # noqa: A002 -- the word users say; nothing here needs the builtin
    *,
    header: str = "X-Request-Id",
) -> Iterator[str]:
    """Give a job or a thread a request id, as a ``with`` statement or a decorator.

    It decorates plain functions: a coroutine or a generator runs after the call, so write ``with``
    inside it.

    :param id: the id to use, as a rule that of the request that started the job; without it, a new
        one is made.
    :param header: the name of the header that :func:`outgoing_headers` sends it in.
    :return: the id in effect, as the value of the ``with`` statement.
    :raises ValueError: the id is longer than 1024 characters or has characters that no inbound id
        may have. The message does not repeat the id.
    """
    if id is not None and not is_safe_id(id):
        raise ValueError("expected a request id of up to 1024 of A-Z a-z 0-9 . _ ~ : @ # + / = -")
    request_id = id or new_request_id()
    token = current_scope.set((request_id, header, ()))
    try:
        yield request_id
    finally:
        current_scope.reset(token)


def outgoing_headers() -> dict[str, str]:
    """Return the headers to merge into a call to another service of yours.

    These are the id header and the inbound headers named by ``request_id_forward_headers``, except
    values with control characters or beyond ASCII, and a ``tracestate`` without ``traceparent``.
    Empty outside requests and scopes. Send them to your own services only: strangers who know an
    id can write it into your logs (W3C Trace Context, section "Privacy of traceparent field").
    """
    scope = current_scope.get()
    if scope is None:
        return {}
    request_id, header, forwarded = scope
    headers = {
        name: value
        for name, value in forwarded
        # HTTP clients raise on other values, and strangers chose them. Tabs are allowed (RFC 9110,
        # section 5.5).
        if value.isascii() and value.replace("\t", " ").isprintable()
    }
    names = {name.lower(): name for name in headers}
    if "tracestate" in names and "traceparent" not in names:
        # It means nothing alone (W3C Trace Context, section 3.3).
        del headers[names["tracestate"]]
    headers[header] = request_id
    return headers
