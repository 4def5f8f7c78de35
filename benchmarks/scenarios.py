"""What is measured: requests, applications, and the filters and peers around them.

A scenario has one request and one application, and several ways to wrap it: the bare one, the
floor, the floor once more as a control (what it differs by is the run's noise), our filter as
the Paste factory builds it, and the peers that are installed.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple
from wsgiref.util import FileWrapper

from benchmarks import floor, peers
from benchmarks.driver import Request
from wsgi_mw_paste import factories

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_TWO = [("Content-Type", "application/json"), ("Content-Length", "5")]
_TWELVE = [
    *_TWO,
    ("Cache-Control", "private, max-age=60"),
    ("Content-Language", "en"),
    ("Content-Security-Policy", "default-src 'self'"),
    ("ETag", '"33a64df551425fcc55e4d42a148795d9f25f89d4"'),
    ("Last-Modified", "Wed, 25 Nov 2026 07:28:00 GMT"),
    ("Referrer-Policy", "same-origin"),
    ("Server-Timing", "db;dur=53"),
    ("Strict-Transport-Security", "max-age=31536000"),
    ("Vary", "Accept-Encoding"),
    ("X-Content-Type-Options", "nosniff"),
]
CHUNKS = 1000


def _app(
    headers: list[tuple[str, str]], make_body: Callable[[], Iterable[bytes]]
) -> WSGIApplication:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # A list of its own for every request: some peers append to it.
        start_response("200 OK", headers.copy())
        return make_body()

    return app


def _generator() -> Iterable[bytes]:
    yield b"hello"


def _chunks() -> Iterable[bytes]:
    for _ in range(CHUNKS):
        yield b"hello"


LIST = _app(_TWO, lambda: [b"hello"])
LIST_12 = _app(_TWELVE, lambda: [b"hello"])
GENERATOR = _app(_TWO, _generator)
STREAM = _app(_TWO[:1], _chunks)


def file(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with the server's file wrapper."""
    start_response("200 OK", _TWO.copy())
    body: Iterable[bytes] = environ["wsgi.file_wrapper"](io.BytesIO(b"hello"))
    return body


def nothing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer nothing at all: what stands behind answers that are measured as a whole."""
    return ()


_WITH_FILES = {"wsgi.file_wrapper": FileWrapper}


class Scenario(NamedTuple):
    """One request to one application, wrapped in several ways.

    :ivar goal: what ours may add at most for each nanosecond that the floor adds.
    """

    name: str
    request: Request
    app: WSGIApplication
    build: Callable[[WSGIApplication], Mapping[str, WSGIApplication]]
    goal: float = 0
    wanted_peers: Sequence[peers.Peer] = ()
    origins: Sequence[str] = ()

    def variants(
        self, *, with_peers: bool = True, frameworks: bool = True
    ) -> dict[str, WSGIApplication]:
        """Build everything that is compared, the bare application first."""
        found = {"bare": self.app, **self.build(self.app)}
        for peer in self.wanted_peers if with_peers else ():
            if peer.is_installed() and (frameworks or peer.base == "bare"):
                if peer.base != "bare":
                    found[peer.base] = peers.FRAMEWORKS[peer.base]()
                found[peer.name] = peer.wrap(self.app, self.origins)
        return found


def exact_origins(count: int) -> list[str]:
    """Return *count* origins; the first is ``https://app0.example.com``."""
    return [f"https://app{n}.example.com" for n in range(count)]


def patterns(count: int) -> list[str]:
    """Return *count* patterns; the first is ``https://*.shop0.example.org``."""
    return [f"https://*.shop{n}.example.org" for n in range(count)]


def preview_patterns(count: int) -> list[str]:
    """Return *count* patterns; the first is ``https://pr-*--shop0.preview.example.org``."""
    return [f"https://pr-*--shop{n}.preview.example.org" for n in range(count)]


def nested_patterns() -> list[str]:
    """Return 900 patterns that all begin and end as others do, such as ``https://a--*-b.…``."""
    return [
        f"https://a{before * '-'}*{after * '-'}b.preview.example.org"
        for before in range(1, 31)
        for after in range(1, 31)
    ]


#: Those that know patterns; the others would refuse the origins they stand for.
_WITH_PATTERNS = [
    peer for peer in peers.CORS_PEERS if peer.name not in ("2020 package", "oslo.middleware")
]
ALLOWED = b"https://app0.example.com"
MATCHING = b"https://eu.shop0.example.org"
PREVIEW = b"https://pr-42--shop0.preview.example.org"
NEAR_MISS = b"https://pr-42--shop.preview.example.org"
#: The label that takes longest with the nested patterns.
LONG_LABEL = b"https://a" + b"-" * 61 + b"c.preview.example.org"
REFUSED = b"https://app0.example.net"
HOSTILE = b"https://" + b"a." * 4096 + b"example.com"
#: More of them than any cache of a peer holds.
CHANGING = [b"https://app%d.example.net" % n for n in range(5000)]


def cors_options(origins: Sequence[str]) -> dict[str, str]:
    """Return the options of our filter for the policy that is measured."""
    return {"cors_allowed": " ".join(origins), "cors_expose_headers": "X-Request-Id"}


def _cors(origins: Sequence[str]) -> Callable[[WSGIApplication], Mapping[str, WSGIApplication]]:
    return lambda app: {
        "floor": floor.cors(app, origins),
        "control": floor.cors(app, origins),
        "ours": factories.cors({}, **cors_options(origins))(app),
    }


def _request_id(app: WSGIApplication) -> Mapping[str, WSGIApplication]:
    return {
        "floor": floor.request_id(app),
        "control": floor.request_id(app),
        "ours": factories.request_id({}, log_requests="false", log_tokens="false")(app),
    }


def _errors(app: WSGIApplication) -> Mapping[str, WSGIApplication]:
    return {
        "floor": floor.errors(app),
        "control": floor.errors(app),
        "ours": factories.errors({})(app),
    }


def _health(app: WSGIApplication) -> Mapping[str, WSGIApplication]:
    return {
        "floor": floor.health(app),
        "control": floor.health(app),
        "ours": factories.health({})(app),
    }


def _main(origins: Sequence[str]) -> Callable[[WSGIApplication], Mapping[str, WSGIApplication]]:
    options = {"log_requests": "false", "log_tokens": "false", **cors_options(origins)}
    return lambda app: {
        "floor": floor.stack(app, origins),
        "control": floor.stack(app, origins),
        "ours": factories.main({}, **options)(app),
    }


def _preflight(origin: bytes) -> Request:
    return Request(
        "OPTIONS",
        {
            "Origin": [origin],
            "Access-Control-Request-Method": [b"PUT"],
            "Access-Control-Request-Headers": [b"content-type,x-requested-with"],
        },
    )


_CORS_REQUESTS: dict[str, tuple[Request, float]] = {
    "no Origin": (Request(), 1.25),
    "allowed": (Request(headers={"Origin": [ALLOWED]}), 1.25),
    "refused": (Request(headers={"Origin": [REFUSED]}), 1.25),
    "preflight accepted": (_preflight(ALLOWED), 1.5),
    "preflight refused": (_preflight(REFUSED), 4),
}
IDS = {
    "inbound": Request(headers={"X-Request-Id": [b"4bf92f3577b34da6a3ce929d0e0e4736"]}),
    "generated": Request(),
}
TEN = exact_origins(10)
#: The scenario in which a filter does nothing but find that out.
BESIDE_PROBES = "health, any other request"
#: The policies whose size grows, by what stands in the tables.
POLICIES: dict[str, tuple[Sequence[str], bytes]] = {
    "1 origin": (exact_origins(1), ALLOWED),
    "10 origins": (TEN, ALLOWED),
    "100 origins": (exact_origins(100), ALLOWED),
    "1,000 origins": (exact_origins(1000), ALLOWED),
    "10,000 origins": (exact_origins(10_000), ALLOWED),
    "1,000 patterns": (patterns(1000), MATCHING),
    "1,000 preview patterns": (preview_patterns(1000), PREVIEW),
}


def scenarios() -> list[Scenario]:
    """Return all scenarios that compare filters with a floor, in the order of the page."""
    found = [
        Scenario(f"CORS, {name}", request, LIST, _cors(TEN), goal, peers.CORS_PEERS, TEN)
        for name, (request, goal) in _CORS_REQUESTS.items()
    ]
    found += [
        Scenario(
            f"CORS, {name}, 12 headers", request, LIST_12, _cors(TEN), goal, peers.CORS_PEERS, TEN
        )
        for name, (request, goal) in list(_CORS_REQUESTS.items())[:3]
    ]
    for name, (origins, origin) in POLICIES.items():
        measured = _WITH_PATTERNS if "patterns" in name else peers.CORS_PEERS
        headers = {"allowed": [origin], "refused": [REFUSED]}
        if origin is PREVIEW:
            headers["nearly allowed"] = [NEAR_MISS]
        # The frameworks are left out where they would take minutes.
        hostile = {"8 kB Origin": [HOSTILE], "changing Origin": CHANGING}
        for verdict, values in (headers | hostile).items():
            request = Request(headers={"Origin": values})
            wanted = [peer for peer in measured if verdict in headers or peer.base == "bare"]
            found.append(
                Scenario(
                    f"CORS, {name}, {verdict}", request, LIST, _cors(origins), 1.25, wanted, origins
                )
            )
    bodies: dict[str, tuple[WSGIApplication, Mapping[str, Any]]] = {
        "list": (LIST, {}),
        "generator": (GENERATOR, {}),
        "file": (file, _WITH_FILES),
    }
    for kind, request in IDS.items():
        for body, (app, environ) in bodies.items():
            found.append(
                Scenario(
                    f"request id, {kind}, {body}",
                    request._replace(environ=environ),
                    app, _request_id, 1.3, peers.REQUEST_ID_PEERS,
                )
            )  # fmt: skip
    found += [
        Scenario(f"errors, {body}", Request(environ=environ), app, _errors, 1.25)
        for body, (app, environ) in bodies.items()
    ]
    found += [
        Scenario(f"main, {name}", request, LIST, _main(TEN), 0)
        for name, (request, _) in _CORS_REQUESTS.items()
    ]
    live = Request(environ={"PATH_INFO": "/livez"})
    found += [
        Scenario("health, liveness", live, nothing, _health, 1.5),
        Scenario(BESIDE_PROBES, Request(), LIST, _health),
    ]
    request, _ = _CORS_REQUESTS["allowed"]
    found.append(Scenario("main, allowed, generator", request, GENERATOR, _main(TEN), 0))
    return found
