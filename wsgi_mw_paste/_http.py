"""The words of HTTP and of the Fetch standard: methods, header names, tokens.

"Fetch" is https://fetch.spec.whatwg.org/; a text in quotes after it is a term defined there.
"""

from __future__ import annotations

import re
from typing import Final

#: RFC 9110, section 5.6.2: what methods and header names are made of.
is_token: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII).fullmatch

#: Fetch, "CORS-safelisted method".
SAFELISTED_METHODS: Final = ("GET", "HEAD", "POST")
#: Fetch, "normalize a method": browsers upper-case these, byte for byte, and no others.
NORMALIZED_METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"})
#: Fetch, "forbidden method".
_FORBIDDEN_METHODS: Final = frozenset({"CONNECT", "TRACE", "TRACK"})

#: Fetch, "forbidden request-header": scripts cannot set these, so listing them does nothing.
_FORBIDDEN_REQUEST_HEADERS: Final = frozenset(
    """accept-charset accept-encoding access-control-request-headers access-control-request-method
    access-control-request-private-network connection content-length cookie cookie2 date dnt expect
    host keep-alive origin referer set-cookie te trailer transfer-encoding upgrade via""".split()
)
#: Headers that servers, proxies and browsers act on, among them the fields of RFC 9110.
HEADERS_OF_HTTP: Final = _FORBIDDEN_REQUEST_HEADERS.union(
    """accept accept-language accept-ranges age allow authentication-info authorization
    cache-control clear-site-data etag expires forwarded from if-match if-modified-since
    if-none-match if-range if-unmodified-since last-modified link location max-forwards pragma range
    refresh retry-after server status strict-transport-security user-agent vary www-authenticate
    x-content-type-options x-frame-options x-real-ip""".split()
)
PREFIXES_OF_HTTP: Final = ("access-control-", "content-", "proxy-", "sec-", "x-forwarded-")
#: Fetch, "forbidden response-header name": never readable by scripts.
FORBIDDEN_RESPONSE_HEADERS: Final = frozenset({"set-cookie", "set-cookie2"})


def is_forbidden_request_header(name: str) -> bool:
    """Say whether browsers keep scripts from setting a header, whatever its value."""
    name = name.lower()
    return name in _FORBIDDEN_REQUEST_HEADERS or name.startswith(("proxy-", "sec-"))


def is_forbidden_method(word: str) -> bool:
    """Say whether browsers keep scripts from using a method, in upper or lower case."""
    return word.upper() in _FORBIDDEN_METHODS
