"""What browsers make of our answers: a row per case, a column per engine.

The columns are nearly equal, so a row has the one that the standard asks for ("Fetch" is
https://fetch.spec.whatwg.org/), and names the engines that do something else, with the reason.
Paths are those of ``site.ini``; :class:`~tests.browser.site.Site` has the origins by their names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Fetch, "CORS-safelisted response-header name": those of them that our answers have.
SAFELISTED: Final = frozenset({"content-length", "content-type"})
UNCACHED: Final = SAFELISTED | {"cache-control"}
EXPOSED: Final = SAFELISTED | {"x-request-id", "x-shown"}
#: All that the server sends, but for CORS and Vary.
ALL: Final = EXPOSED | {"date", "server", "x-hidden"}
#: Fetch, "extracting header list values": ``*`` exposes all, CORS headers too; never Set-Cookie.
STAR: Final = ALL | {"access-control-allow-origin", "access-control-expose-headers"}


class Cell(NamedTuple):
    """What happens in one engine.

    :ivar sent: what reaches the server, in order: each with its method, the name of its origin
        (``-`` without an ``Origin``, or ``null``), and the noted headers that came along.
    :ivar status: what the script gets, for each of its requests; 0 for a network error.
    :ivar readable: the names of the response headers that it can read.
    """

    sent: str
    status: int = 200
    readable: frozenset[str] = SAFELISTED


def refused(sent: str) -> Cell:
    """Return the cell of a script that learns nothing."""
    return Cell(sent, 0, frozenset())


@dataclass(frozen=True)
class Row:
    """A case.

    :ivar steps: the requests, as ``fetch()`` takes them; one with ``upload`` is sent by an
        ``XMLHttpRequest`` with a progress listener.
    :ivar expected: what the standard asks for.
    :ivar but: the engines that do something else.
    :ivar frame: the origin of the frame that runs the row, or ``sandbox``; empty: the page does.
    """

    id: str
    steps: tuple[dict[str, Any], ...]
    expected: Cell
    but: Mapping[str, Cell] = field(default_factory=dict)
    frame: str = ""


def fetch(url: str, method: str = "GET", **init: Any) -> dict[str, Any]:
    return {"url": url, "method": method, **init}


ECHO: Final = "{api}/plain/echo"
COOKIES: Final = "{api}/cookies/echo"
ANY: Final = "{api}/any/echo"
STRICT: Final = "{api}/strict/echo"
PREVIEWS: Final = "{api}/previews/echo"
EVERY_TIME: Final = "{api}/uncached/echo"
LOGIN: Final = fetch("{api}/cookies/login", credentials="include")
JSON: Final = {"Content-Type": "application/json"}
BEARER: Final = {"Authorization": "Bearer token"}

ROWS: Final = [
    # Without CORS.
    Row(
        "same-origin-get",
        (fetch("{page}/plain/echo"),),
        Cell("GET -", readable=ALL | {"vary"}),
    ),
    Row(
        "same-origin-post",  # has an Origin, and one that is listed
        (fetch("{page}/plain/echo", "POST"),),
        Cell("POST page", readable=ALL | {"vary", "access-control-allow-origin"}),
    ),
    Row(
        "same-origin-post-unlisted",  # actual requests are never blocked
        (fetch("{other}/plain/echo", "POST"),),
        Cell("POST other", readable=ALL | {"vary"}),
        frame="{other}",
    ),
    Row("off", (fetch("{api}/off/echo"),), refused("GET page")),
    # Without a preflight: Fetch, "CORS-safelisted method" and "CORS-safelisted request-header".
    Row("get", (fetch(ECHO),), Cell("GET page")),
    Row("head", (fetch(ECHO, "HEAD"),), Cell("HEAD page")),
    Row("post", (fetch(ECHO, "POST", body="text"),), Cell("POST page")),
    # With one.
    Row(
        "post-json",
        (fetch(ECHO, "POST", body="{}", headers=JSON),),
        Cell("OPTIONS page, POST page"),
    ),
    Row(
        "put-json-custom-headers",
        (fetch(ECHO, "PUT", body="{}", headers=JSON | {"X-One": "1", "x-two": "2"}),),
        Cell("OPTIONS page, PUT page"),
    ),
    Row(
        "put-64-headers",
        (fetch(ECHO, "PUT", headers={f"X-{n}": "1" for n in range(64)}),),
        Cell("OPTIONS page, PUT page"),
    ),
    Row("patch", (fetch(ECHO, "PATCH"),), Cell("OPTIONS page, PATCH page")),
    Row("delete", (fetch(ECHO, "DELETE"),), Cell("OPTIONS page, DELETE page")),
    # Fetch, "normalize a method": put is sent as PUT, patch stays as it is and is not listed.
    Row("put-in-lower-case", (fetch(ECHO, "put"),), Cell("OPTIONS page, PUT page")),
    Row("patch-in-lower-case", (fetch(ECHO, "patch"),), refused("OPTIONS page")),
    # Fetch, "use-CORS-preflight flag": a safelisted method without headers.
    Row(
        "upload-with-progress",
        (fetch(ECHO, "POST", body="text", upload=True),),
        Cell("OPTIONS page, POST page"),
    ),
    # Any status.
    Row("not-found", (fetch("{api}/plain/missing"),), Cell("GET page", 404)),
    Row(
        "server-error",
        (fetch("{api}/cookies/fail"),),
        Cell("GET page", 500, UNCACHED | {"x-request-id"}),
    ),
    Row(
        "server-error-preflighted",
        (fetch("{api}/cookies/fail", "PUT"),),
        Cell("OPTIONS page, PUT page", 500, UNCACHED | {"x-request-id"}),
    ),
    Row(
        "not-modified",  # the script gets the stored response with the headers of the 304
        (fetch("{api}/plain/fresh"), fetch("{api}/plain/fresh")),
        Cell("GET page, GET page +If-None-Match", readable=UNCACHED),
    ),
    # What the policy does not list.
    Row("refused-origin", (fetch(ECHO),), refused("GET other"), frame="{other}"),
    Row("refused-origin-put", (fetch(ECHO, "PUT"),), refused("OPTIONS other"), frame="{other}"),
    Row("refused-method", (fetch(STRICT, "DELETE"),), refused("OPTIONS page")),
    Row(
        "refused-header",
        (fetch(STRICT, headers={"X-Listed": "1", "X-Other": "1"}),),
        refused("OPTIONS page"),
    ),
    Row(
        "refused-content-type",  # safelisted by name, but not with this value
        (fetch(STRICT, "POST", body="{}", headers=JSON),),
        refused("OPTIONS page"),
    ),
    Row(
        "listed-method-and-header",
        (fetch(STRICT, "PUT", headers={"x-LISTED": "1"}),),
        Cell("OPTIONS page, PUT page"),
    ),
    # A star inside the first label.
    Row("preview", (fetch(PREVIEWS),), Cell("GET preview"), frame="{preview}"),
    Row(
        "preview-put-with-credentials",
        (fetch(PREVIEWS, "PUT", credentials="include"),),
        Cell("OPTIONS preview, PUT preview"),
        frame="{preview}",
    ),
    Row("preview-of-a-stranger", (fetch(PREVIEWS),), refused("GET stranger"), frame="{stranger}"),
    Row(
        "preview-of-a-stranger-put",
        (fetch(PREVIEWS, "PUT"),),
        refused("OPTIONS stranger"),
        frame="{stranger}",
    ),
    # An opaque origin.
    Row("sandbox", (fetch(ECHO),), refused("GET null"), frame="sandbox"),
    Row("sandbox-put", (fetch(ECHO, "PUT"),), refused("OPTIONS null"), frame="sandbox"),
    Row(
        "sandbox-any",
        (fetch(ANY, "PUT"),),
        Cell("OPTIONS null, PUT null", readable=STAR),
        frame="sandbox",
    ),
    # Any origin, and all headers exposed.
    Row("any", (fetch(ANY),), Cell("GET page", readable=STAR)),
    Row(
        "any-other",
        (fetch(ANY, "PUT"),),
        Cell("OPTIONS other, PUT other", readable=STAR),
        frame="{other}",
    ),
    Row("any-set-cookie", (fetch("{api}/any/login"),), Cell("GET page", readable=STAR)),
    # Credentials. A preflight never has them.
    Row(
        "credentials",
        (LOGIN, fetch(COOKIES, credentials="include")),
        Cell("GET page, GET page +Cookie", readable=EXPOSED),
    ),
    Row(
        "credentials-preflighted",
        (LOGIN, fetch(COOKIES, "PUT", credentials="include")),
        Cell("GET page, OPTIONS page, PUT page +Cookie", readable=EXPOSED),
    ),
    Row(
        "credentials-not-asked-for",
        (LOGIN, fetch(COOKIES)),
        Cell("GET page, GET page", readable=EXPOSED),
    ),
    Row("credentials-not-allowed", (fetch(ECHO, credentials="include"),), refused("GET page")),
    Row("credentials-any", (fetch(ANY, credentials="include"),), refused("GET page")),
    Row(
        "credentials-refused-origin",
        (fetch(COOKIES, credentials="include"),),
        refused("GET other"),
        # The cookie is SameSite=Lax and from the rows above. WebKitGTK sends it from the frame.
        {"webkit": refused("GET other +Cookie")},
        frame="{other}",
    ),
    # Fetch, "CORS non-wildcard request-header name".
    Row(
        "authorization",
        (fetch(ECHO, headers=BEARER),),
        Cell("OPTIONS page, GET page +Authorization"),
    ),
    Row("authorization-under-a-star", (fetch(ANY, headers=BEARER),), refused("OPTIONS page")),
    # What we never send: with a literal * in the answer it would be the browser's to decide.
    Row(
        "literal-star",
        (fetch("{api}/star/", "PUT", headers={"X-One": "1"}),),
        Cell("OPTIONS page, PUT page"),
    ),
    Row(
        "literal-star-authorization",
        (fetch("{api}/star/", headers=BEARER),),
        refused("OPTIONS page"),
        # No engine has followed the standard yet: https://github.com/whatwg/fetch/issues/1919.
        dict.fromkeys(
            ("chromium", "firefox", "webkit"), Cell("OPTIONS page, GET page +Authorization")
        ),
    ),
    Row(
        "literal-star-credentials",
        (fetch("{api}/star/", "PUT", credentials="include"),),
        refused("OPTIONS page"),
    ),
    # Redirects. Fetch, "redirect-taint": once a foreign origin redirects elsewhere, it is null.
    Row(
        "redirect-from-home", (fetch("{page}/plain/redirect?to=" + ECHO),), Cell("GET -, GET page")
    ),
    Row("redirect-within", (fetch("{api}/plain/redirect?to=" + ECHO),), Cell("GET page, GET page")),
    Row(
        "redirect-within-preflighted",
        (fetch("{api}/plain/redirect?to=" + ECHO, "PUT"),),
        Cell("OPTIONS page, PUT page, OPTIONS page, PUT page"),
    ),
    Row("redirect-unreadable", (fetch("{api}/off/redirect?to=" + ECHO),), refused("GET page")),
    Row(
        "redirect-to-third",
        (fetch("{api}/plain/redirect?to={third}/plain/echo"),),
        refused("GET page, GET null"),
    ),
    Row(
        "redirect-to-third-any",
        (fetch("{api}/plain/redirect?to={third}/any/echo"),),
        Cell("GET page, GET null", readable=STAR),
    ),
    Row(
        "redirect-to-third-preflighted",
        (fetch("{api}/plain/redirect?to={third}/any/echo", "PUT"),),
        Cell("OPTIONS page, PUT page, OPTIONS null, PUT null", readable=STAR),
        # Firefox forgets in the preflight what the request itself remembers. Fetch,
        # "CORS-preflight fetch", step 1: the preflight has a clone of the request's URL list.
        {"firefox": Cell("OPTIONS page, PUT page, OPTIONS page, PUT null", readable=STAR)},
    ),
    Row(
        "redirect-back-home",
        (fetch("{api}/plain/redirect?to={page}/plain/echo"),),
        refused("GET page, GET null"),
    ),
    # Fetch, "CORS-preflight cache".
    Row(
        "cache", (fetch(ECHO, "PUT"), fetch(ECHO, "PUT")), Cell("OPTIONS page, PUT page, PUT page")
    ),
    Row(
        "cache-other-method",  # the answer lists all of them
        (fetch(ECHO, "PUT"), fetch(ECHO, "DELETE")),
        Cell("OPTIONS page, PUT page, DELETE page"),
    ),
    Row(
        "cache-other-header",  # the answer lists the requested ones
        (fetch(ECHO, "PUT"), fetch(ECHO, "PUT", headers=JSON), fetch(ECHO, "PUT", headers=JSON)),
        Cell("OPTIONS page, PUT page, OPTIONS page, PUT page, PUT page"),
    ),
    Row(
        "cache-upload",
        (
            fetch(ECHO, "POST", body="1", upload=True),
            fetch(ECHO, "POST", body="2", upload=True),
        ),
        Cell("OPTIONS page, POST page, POST page"),
    ),
    Row(
        "cache-max-age-0",
        (fetch(EVERY_TIME, "PUT"), fetch(EVERY_TIME, "PUT"), fetch(EVERY_TIME, "PUT")),
        Cell("OPTIONS page, PUT page, OPTIONS page, PUT page, OPTIONS page, PUT page"),
    ),
    Row(
        "cache-refused",  # nothing to keep
        (fetch(STRICT, "DELETE"), fetch(STRICT, "DELETE")),
        refused("OPTIONS page, OPTIONS page"),
    ),
    Row(
        "cache-without-then-with-credentials",
        (fetch(COOKIES, "PUT"), fetch(COOKIES, "PUT", credentials="include")),
        Cell("OPTIONS page, PUT page, OPTIONS page, PUT page +Cookie", readable=EXPOSED),
    ),
    Row(
        "cache-with-then-without-credentials",
        (fetch(COOKIES, "PUT", credentials="include"), fetch(COOKIES, "PUT")),
        Cell("OPTIONS page, PUT page +Cookie, PUT page", readable=EXPOSED),
        # Firefox looks for an entry of the same kind only. It may: entries "may be removed".
        {
            "firefox": Cell(
                "OPTIONS page, PUT page +Cookie, OPTIONS page, PUT page", readable=EXPOSED
            )
        },
    ),
]
