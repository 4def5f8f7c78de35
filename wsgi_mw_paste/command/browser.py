"""The browser's half of CORS: what a script may request, and what its browser makes of responses.

The rules and their names are those of the Fetch standard, https://fetch.spec.whatwg.org/. This
module sends nothing; :mod:`wsgi_mw_paste.command.explain` does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urldefrag, urljoin, urlsplit

from wsgi_mw_paste._http import (
    FORBIDDEN_RESPONSE_HEADERS,
    SAFELISTED_METHODS,
    is_forbidden_method,
    is_forbidden_request_header,
    is_token,
)
from wsgi_mw_paste.origins import ANY, is_loopback, parse_origin
from wsgi_mw_paste.values import method_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from webob import Response

#: "CORS-safelisted request-header": the names, each with the value that is assumed if none is
#: given. A question about Content-Type is hardly one about forms.
SAFELISTED_HEADERS: Final[Mapping[str, str]] = {
    "accept": "*/*",
    "accept-language": "en",
    "content-language": "en",
    "content-type": "application/json",
    "range": "bytes=0-",
}
#: The same: the longest value, in bytes, and which characters are allowed in it.
_MAX_VALUE: Final = 128
_UNSAFE: Final = re.compile(r'[\x00-\x08\x0a-\x1f"():<>?@\[\\\]{}\x7f]')
_LANGUAGE: Final = re.compile(r"[0-9A-Za-z *,.;=-]*", re.ASCII)
_RANGE: Final = re.compile(r"bytes=([0-9]{1,18})-([0-9]{1,18})?", re.ASCII)
_FORM_TYPES: Final = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
#: "forbidden request-header": headers that are forbidden for some of their values.
_METHOD_HEADERS: Final = ("x-http-method", "x-http-method-override", "x-method-override")
#: "CORS-safelisted response-header name".
_SAFELISTED_RESPONSE_HEADERS: Final = (
    "cache-control", "content-language", "content-length", "content-type", "expires",
    "last-modified", "pragma",
)  # fmt: skip
#: "ok status" and "redirect status".
_OK: Final = range(200, 300)
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_POST_TO_GET: Final = (301, 302)
_SEE_OTHER: Final = 303
#: "request-body-header name".
_BODY_HEADERS: Final = ("content-encoding", "content-language", "content-location", "content-type")


@dataclass(frozen=True)
class Fetch:
    """What a script asks its browser for.

    :ivar origin: the origin of the page, as browsers send it; ``null`` for an opaque origin.
    :ivar url: the whole URL.
    :ivar headers: the headers that the script sets, by their names in lower case; ``None`` for an
        unknown value.
    :ivar credentials: the credentials mode is ``include``.
    :ivar listener: an ``XMLHttpRequest`` listens to the progress of its upload.
    """

    origin: str
    url: str
    method: str = "GET"
    headers: Mapping[str, str | None] = field(default_factory=dict)
    credentials: bool = False
    listener: bool = False


def make_fetch(
    origin: str, url: str, method: str = "GET", headers: Sequence[str] = ()
) -> tuple[Fetch, list[str]]:
    """Return a fetch, made from the words of a command line.

    :param headers: each as ``NAME`` or ``NAME: VALUE``.
    :return: the fetch, and the names of the headers that browsers leave out.
    :raises ValueError: no script can ask for this. The message repeats no header, which may be a
        token.
    """
    if origin != "null" and parse_origin(origin) is None:
        raise ValueError(f"expected an origin, SCHEME://HOST[:PORT] or null{_advice(origin)}")
    if not is_token(method):
        raise ValueError("expected a method")
    given, forbidden = {}, []
    for header in headers:
        name, colon, value = (part.strip(" \t") for part in header.partition(":"))
        if not is_token(name) or not re.fullmatch(r"[\t\x20-\x7e\x80-\xff]*", value):
            raise ValueError("expected a header as NAME or as NAME: VALUE")
        if is_forbidden_request_header(name) or _overrides_method(name.lower(), value):
            forbidden.append(name)
        else:
            given[name.lower()] = value if colon else None
    return Fetch(origin, _encoded(url), method_name(method), given), forbidden


def _advice(text: str) -> str:
    """Return which origin may have been meant, as the end of a message."""
    if text.lower().startswith("file:"):
        return "; write null, the origin of a file"
    text = text.removeprefix("//")
    if "://" not in text:
        host = re.split("[:/]", text)[0]
        text = f"{'http' if is_loopback(host) else 'https'}://{text}"
    try:
        near = origin_of(text)
    except ValueError:
        return ""
    return f"; write {near}" if parse_origin(near) else ""


def _overrides_method(name: str, value: str) -> bool:
    """Say whether a header carries a forbidden method: "forbidden request-header", step 3."""
    words = (word.strip(" \t") for word in value.split(","))
    return name in _METHOD_HEADERS and any(map(is_forbidden_method, words))


def _encoded(url: str) -> str:
    """Return a URL as it is sent: in ASCII, and without a fragment."""
    return urldefrag(quote(url, safe="%/:=&?~#+!$,;'@()*[]"))[0]


def origin_of(url: str) -> str:
    """Return the origin of an ``http`` URL."""
    parts = urlsplit(url.lower())
    port = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].removesuffix(port)}"


def without_secrets(url: str) -> str:
    """Return a URL with ``***`` for user information, query and fragment, which may be secret.

    :param url: it may be relative.
    """
    url = re.sub(r"([?#]).+", r"\1***", url, flags=re.DOTALL)
    # Browsers take a backslash for a slash, and need no slashes before a host.
    return re.sub(r"(?<=[:/\\])[^/\\]+@", "***@", url)


def unsafe_names(fetch: Fetch) -> list[str]:
    """Return the names of the headers that need a preflight: "CORS-unsafe request-header names"."""
    return sorted(name for name, value in fetch.headers.items() if not _is_safelisted(name, value))


def _is_safelisted(name: str, value: str | None) -> bool:
    if name not in SAFELISTED_HEADERS:
        return False
    value = SAFELISTED_HEADERS[name] if value is None else value
    if len(value) > _MAX_VALUE:
        return False
    if name == "range":
        parts = _RANGE.fullmatch(value)
        return parts is not None and (parts[2] is None or int(parts[1]) <= int(parts[2]))
    if name.endswith("-language"):
        return bool(_LANGUAGE.fullmatch(value))
    if name == "content-type" and value.partition(";")[0].strip().lower() not in _FORM_TYPES:
        return False
    return not _UNSAFE.search(value)


def preflight_reasons(fetch: Fetch) -> list[str]:
    """Return why a preflight is needed; an empty list if it is not: "main fetch"."""
    why = []
    if fetch.method not in SAFELISTED_METHODS:
        why.append(f"the method {fetch.method} is not safelisted")
    if names := unsafe_names(fetch):
        plural = len(names) > 1
        what = f"the header{'s' * plural} {', '.join(names)} {'are' if plural else 'is'}"
        why.append(f"{what} not safelisted")
    if fetch.listener:
        why.append("a script listens to the progress of the upload")
    return why


def preflight_failure(fetch: Fetch, origin: str, response: Response) -> str:
    """Return what is wrong with a preflight's response, if anything is: "CORS-preflight fetch"."""
    if response.status_int not in _OK:
        return f"the status is {response.status}"
    if failure := cors_failure(fetch, origin, response):
        return failure
    methods = {*SAFELISTED_METHODS, *_items(response, "Access-Control-Allow-Methods")}
    if fetch.method not in methods and (fetch.credentials or ANY not in methods):
        return f"Access-Control-Allow-Methods does not list {fetch.method}"
    names = {name.lower() for name in _items(response, "Access-Control-Allow-Headers")}
    any_name = ANY in names and not fetch.credentials
    for name in unsafe_names(fetch):
        # "CORS non-wildcard request-header name".
        if name not in names and (not any_name or name == "authorization"):
            return f"Access-Control-Allow-Headers does not list {name}"
    return ""


def cors_failure(fetch: Fetch, origin: str, response: Response) -> str:
    """Return what is wrong with a response, if anything is: "CORS check".

    :param origin: the value of ``Origin`` that was sent.
    """
    allowed = response.headers.getall("Access-Control-Allow-Origin")
    if not allowed:
        return "Access-Control-Allow-Origin is missing"
    if allowed == [ANY] and not fetch.credentials:
        return ""
    if allowed != [origin]:
        return f"Access-Control-Allow-Origin is {', '.join(allowed)}, not {origin}"
    credentials = response.headers.getall("Access-Control-Allow-Credentials")
    if fetch.credentials and credentials != ["true"]:
        return "Access-Control-Allow-Credentials is not true"
    return ""


def sort_headers(fetch: Fetch, response: Response, *, cors: bool) -> tuple[list[str], list[str]]:
    """Return the names of the headers that a script may read, and the names of the others.

    :param cors: the response comes from another origin than the page.
    """
    exposed = {name.lower() for name in _items(response, "Access-Control-Expose-Headers")}
    every = not cors or (ANY in exposed and not fetch.credentials)
    exposed.update(_SAFELISTED_RESPONSE_HEADERS)
    readable = [
        name
        for name in dict.fromkeys(response.headers)
        if (every or name.lower() in exposed) and name.lower() not in FORBIDDEN_RESPONSE_HEADERS
    ]
    return readable, [name for name in dict.fromkeys(response.headers) if name not in readable]


def redirected(fetch: Fetch, response: Response) -> Fetch | None:
    """Return what is fetched instead, ``None`` for no redirect: "HTTP-redirect fetch".

    :raises ValueError: the response's ``Location`` is not a URL.
    """
    status, name = response.status_int, fetch.method
    if status not in _REDIRECTS or "Location" not in response.headers:
        return None
    url = _encoded(urljoin(fetch.url, response.headers["Location"]))
    dropped = set()
    if origin_of(url) != origin_of(fetch.url):
        dropped.add("authorization")
    if (name == "POST" and status in _POST_TO_GET) or (
        name not in ("GET", "HEAD") and status == _SEE_OTHER
    ):
        name = "GET"
        dropped.update(_BODY_HEADERS)
    headers = {key: value for key, value in fetch.headers.items() if key not in dropped}
    return replace(fetch, url=url, method=name, headers=headers)


def redirect_failure(fetch: Fetch, *, cors: bool) -> str:
    """Return why a browser does not follow a redirect, empty if it does: "HTTP-redirect fetch".

    :param fetch: what would be fetched instead.
    :param cors: a response of the chain so far came from another origin than the page.
    """
    url = urlsplit(fetch.url)
    if url.scheme not in ("http", "https"):
        return "redirected to a URL that is not http: or https:"
    if (url.username or url.password) and (cors or origin_of(fetch.url) != fetch.origin):
        return "redirected to a URL with a user name or password"
    return ""


def _items(response: Response, header: str) -> list[str]:
    """Return the items of a list in a header; none if any of them is malformed."""
    items = [item.strip(" \t") for item in ",".join(response.headers.getall(header)).split(",")]
    items = [item for item in items if item]
    return items if all(map(is_token, items)) else []
