"""CORS among strict servers and careless applications: PEP 3333 to the letter."""

from __future__ import annotations

import sys
from io import BytesIO
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from wsgiref.util import FileWrapper

import pytest

from tests.memory import kept_bytes
from tests.wsgi import (
    Answer,
    answering,
    assert_headers,
    between_validators,
    call,
    hello,
    make_environ,
)
from wsgi_mw_paste import CORSMiddleware, CORSSettings, ErrorsMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ORIGIN = "https://app.example.com"
STRANGER = "https://evil.net"
TEXT = ("Content-Type", "text/plain")


def cors(app: WSGIApplication, **options: Any) -> WSGIApplication:
    return CORSMiddleware(app, CORSSettings(**{"cors_allowed": ORIGIN} | options))


def strictly(app: WSGIApplication, **options: Any) -> WSGIApplication:
    """Wrap an application in the middleware and both in validators."""
    return between_validators(lambda inner: cors(inner, **options), app)


def asking(origin: str | None = ORIGIN, method: str = "GET", **more: Any) -> WSGIEnvironment:
    return make_environ(method, headers={} if origin is None else {"Origin": origin}, **more)


ALLOWED = {"Vary": "Origin", "Access-Control-Allow-Origin": ORIGIN}


def test_an_application_may_reuse_its_header_list() -> None:
    """A module-level header list is never changed, so no origin gets another one's headers."""
    shared = [TEXT, ("X-Own", "1")]
    own = dict(shared)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", shared)
        return [b"hello"]

    strict = strictly(app, cors_allowed=f"{ORIGIN}, https://*.example.org", cors_max_age=1)
    for _ in range(2):
        assert_headers(call(strict, asking()), own | ALLOWED)
        assert_headers(
            call(strict, asking("https://a.example.org")),
            own | ALLOWED | {"Access-Control-Allow-Origin": "https://a.example.org"},
        )
        assert_headers(call(strict, asking(STRANGER)), own | {"Vary": "Origin"})
        assert_headers(call(strict, asking(None)), own | {"Vary": "Origin"})
    assert shared == [TEXT, ("X-Own", "1")]


@pytest.mark.parametrize("allowed", [ORIGIN, "*"])
@pytest.mark.parametrize("origin", [ORIGIN, STRANGER, None])
def test_a_header_list_of_ours_is_the_servers_to_change(allowed: str, origin: str | None) -> None:
    """What a server appends to the headers it gets is gone on the next request."""
    app = cors(answering(), cors_allowed=allowed, cors_expose_headers="X-Own")
    sent: list[list[tuple[str, str]]] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: object = None, /
    ) -> Callable[[bytes], object]:
        sent.append(headers.copy())
        headers += [("Server", "scribbler"), ("Access-Control-Allow-Origin", STRANGER)]
        return bytes

    for _ in range(2):
        app(asking(origin), start_response)
    assert sent[0] == sent[1]


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        pytest.param("200 OK", [TEXT], [b"hello"], id="200"),
        pytest.param("201 Created", [TEXT, ("Location", "/1")], [b"hello"], id="201"),
        pytest.param("204 No Content", [], [], id="204"),
        pytest.param("206 Partial Content", [TEXT], [b"he"], id="206"),
        pytest.param("301 Moved Permanently", [TEXT, ("Location", "/a")], [b"there"], id="301"),
        pytest.param("303 See Other", [TEXT, ("Location", "//b.example")], [b"there"], id="303"),
        pytest.param("304 Not Modified", [("ETag", '"1"')], [], id="304"),
        pytest.param("401 Unauthorized", [TEXT, ("WWW-Authenticate", "Basic")], [b"no"], id="401"),
        pytest.param("404 Not Found", [TEXT], [b"no"], id="404"),
        pytest.param("500 Internal Server Error", [TEXT], [b"no"], id="500"),
        pytest.param("599 Whatever", [TEXT], [b"no"], id="599"),
    ],
)
def test_every_status_gets_the_headers(
    status: str, headers: list[tuple[str, str]], body: list[bytes]
) -> None:
    """Allowed, refused and other requests get their headers whatever the application answers."""
    app = strictly(answering(body, status, headers), cors_expose_headers="ETag, Location")
    for origin, ours in (
        (ORIGIN, ALLOWED | {"Access-Control-Expose-Headers": "ETag, Location"}),
        (STRANGER, {"Vary": "Origin"}),
        (None, {"Vary": "Origin"}),
    ):
        answer = call(app, asking(origin))
        assert (answer.status, answer.body) == (status, b"".join(body))
        assert_headers(answer, dict(headers) | ours)


@pytest.mark.parametrize(
    ("origin", "allowed", "ours"),
    [
        pytest.param(ORIGIN, ORIGIN, ALLOWED, id="allowed"),
        pytest.param(STRANGER, ORIGIN, {"Vary": "Origin"}, id="refused"),
        pytest.param(None, ORIGIN, {"Vary": "Origin"}, id="no origin"),
        pytest.param(ORIGIN, "*", {"Access-Control-Allow-Origin": "*"}, id="every origin"),
        pytest.param(None, "*", {"Access-Control-Allow-Origin": "*"}, id="every origin, no origin"),
    ],
)
def test_the_applications_own_cors_headers_are_replaced(
    origin: str | None, allowed: str, ours: Mapping[str, str]
) -> None:
    """CORS headers of the application, in any spelling and number, give way to ours.

    Without an Origin they do, too: a cache that ignores ``Vary`` could serve them to any page.
    """
    theirs = [
        ("Access-Control-Allow-Origin", STRANGER),
        ("access-control-allow-origin", "*"),
        ("ACCESS-CONTROL-ALLOW-CREDENTIALS", "true"),
        ("Access-control-Allow-METHODS", "*"),
        ("access-control-Allow-Headers", "*"),
        ("Access-Control-Max-Age", "9"),
        ("ACCESS-Control-Expose-Headers", "*"),
    ]
    kept = [TEXT, ("Access-Control-Allow-Originality", "kept"), ("Strict-Transport-Security", "1")]
    answer = call(strictly(answering(headers=theirs + kept), cors_allowed=allowed), asking(origin))
    assert_headers(answer, dict(kept) | dict(ours))


@pytest.mark.parametrize("origin", [None, ORIGIN, "https://evil.example"])
def test_headers_from_an_iterator_arrive(origin: str | None) -> None:
    """PEP 3333 wants a list; what is none is taken apart once, and nothing of it is lost."""

    def app(environ: WSGIEnvironment, start_response: Any) -> Iterable[bytes]:
        start_response(
            "200 OK",
            iter(
                [("Content-Type", "text/plain"), ("access-control-max-age", "1"), ("X-Last", "1")]
            ),
        )
        return [b"hello"]

    middleware = CORSMiddleware(app, CORSSettings(cors_allowed=[ORIGIN]))
    headers = call(middleware, make_environ(headers={"Origin": origin} if origin else {})).headers
    allowed = [("Access-Control-Allow-Origin", ORIGIN)] if origin == ORIGIN else []
    assert sorted(headers) == sorted(
        [("Content-Type", "text/plain"), ("X-Last", "1"), *allowed, ("Vary", "Origin")]
    )


@pytest.mark.parametrize("origin", [ORIGIN, STRANGER, None])
def test_vary_lines_of_the_application_stay(origin: str | None) -> None:
    """Several ``Vary`` lines stay as they are, and ours comes behind them."""
    theirs = [("Vary", "Accept"), TEXT, ("vary", "Cookie, origin"), ("VARY", "*")]
    answer = call(strictly(answering(headers=theirs)), asking(origin))
    assert answer.values("Vary") == ["Accept", "Cookie, origin", "*", "Origin"]
    assert answer.headers[:4] == theirs


@pytest.mark.parametrize("origin", [ORIGIN, None])
def test_every_origin_means_no_vary(origin: str | None) -> None:
    """With ``cors_allowed = *`` the application's ``Vary`` is all there is."""
    answer = call(
        strictly(answering(headers=[TEXT, ("Vary", "Accept")]), cors_allowed="*"), asking(origin)
    )
    assert answer.headers == [TEXT, ("Vary", "Accept"), ("Access-Control-Allow-Origin", "*")]


def test_head_gets_the_headers_of_get() -> None:
    """A ``HEAD`` has the headers of a ``GET``, Content-Length included."""
    app = strictly(answering(headers=[TEXT, ("Content-Length", "5")], body=[]))
    assert_headers(
        call(app, asking(method="HEAD")),
        {"Content-Type": "text/plain", "Content-Length": "5"} | ALLOWED,
    )


@pytest.mark.parametrize("origin", [ORIGIN, STRANGER, None])
@pytest.mark.parametrize("allowed", [ORIGIN, "*"])
def test_a_second_start_response_with_exc_info_replaces_the_first(
    origin: str | None, allowed: str
) -> None:
    """An application that fails before its first chunk may answer again, with CORS headers."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [TEXT, ("X-First", "1")])
        try:
            raise LookupError("late")  # noqa: TRY301 -- what the handler is for
        except LookupError:
            start_response("500 Internal Server Error", [TEXT], sys.exc_info())
        return [b"sorry"]

    plain = call(strictly(hello, cors_allowed=allowed), asking(origin))
    answer = call(strictly(app, cors_allowed=allowed), asking(origin))
    assert (answer.code, answer.body) == (500, b"sorry")
    assert answer.headers == plain.headers


@pytest.mark.parametrize("origin", [ORIGIN, STRANGER, None])
@pytest.mark.parametrize("allowed", [ORIGIN, "*"])
@pytest.mark.parametrize("how", ["positional", "keyword"])
def test_exc_info_is_passed_on_as_it_is(how: str, origin: str | None, allowed: str) -> None:
    """By position, as PEP 3333 has it, or by keyword, as some libraries do: the server gets it."""
    passed: list[object] = []

    def app(environ: WSGIEnvironment, start_response: Any) -> Iterable[bytes]:
        exc_info = (None, None, None)
        if how == "keyword":
            start_response("200 OK", [TEXT], exc_info=exc_info)
        else:
            start_response("200 OK", [TEXT], exc_info)
        start_response("200 OK", [TEXT], exc_info=None)
        passed.append(exc_info)
        return [b"hello"]

    def start_response(*args: object) -> Callable[[bytes], object]:
        passed.append(args[2:])
        return bytes

    cors(app, cors_allowed=allowed)(asking(origin), start_response)
    first, second, exc_info = passed
    assert first == (exc_info,)
    assert second == ()


@pytest.mark.parametrize("origin", [ORIGIN, None])
def test_exc_info_after_the_headers_are_sent_raises_in_the_server(origin: str | None) -> None:
    """``exc_info`` reaches the server, which raises it again once headers are out."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [TEXT])
        yield b"begun"
        try:
            raise LookupError("too late")  # noqa: TRY301
        except LookupError:
            start_response("500 Internal Server Error", [TEXT], sys.exc_info())

    with pytest.raises(LookupError, match="too late"):
        call(strictly(app), asking(origin))


@pytest.mark.parametrize("origin", [ORIGIN, STRANGER, None])
@pytest.mark.parametrize("allowed", [ORIGIN, "*"])
def test_write_is_the_servers(origin: str | None, allowed: str) -> None:
    """The ``write`` that ``start_response`` returns writes, before what is iterated."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        write = start_response("200 OK", [TEXT])
        write(b"first ")
        return [b"second"]

    answer = call(strictly(app, cors_allowed=allowed), asking(origin))
    assert answer.chunks == [b"first ", b"second"]


@pytest.mark.parametrize("origin", [ORIGIN, STRANGER, None])
@pytest.mark.parametrize("allowed", [ORIGIN, "*"])
def test_a_generator_may_start_its_response_with_the_first_chunk(
    origin: str | None, allowed: str
) -> None:
    """``start_response`` called while iterating still gets the headers."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [TEXT])
        yield b"hel"
        yield b"lo"

    plain = call(strictly(hello, cors_allowed=allowed), asking(origin))
    answer = call(strictly(app, cors_allowed=allowed), asking(origin))
    assert answer.chunks == [b"hel", b"lo"]
    assert answer.headers == plain.headers


def noting(notes: list[str]) -> FileWrapper:
    """Return a body of three chunks that notes what is done with it."""
    chunks = iter([b"a", b"b", b"c", b""])

    def read(size: int) -> bytes:
        chunk = next(chunks)
        notes.append(f"read {chunk.decode()}")
        return chunk

    file: Any = SimpleNamespace(read=read, close=lambda: notes.append("closed"))
    return FileWrapper(file)


def test_a_body_is_streamed_and_closed_once() -> None:
    """Nothing is read ahead of the server, and ``close()`` reaches the application's body once."""
    notes: list[str] = []
    answer = call(strictly(answering(body=noting(notes))), asking())
    assert answer.chunks == [b"a", b"b", b"c"]
    assert notes == ["read a", "read b", "read c", "read ", "closed"]


def test_an_abandoned_body_is_closed() -> None:
    """A server that stops half-way and closes reaches the application's ``close()``."""
    notes: list[str] = []
    body: Any = strictly(answering(body=noting(notes)))(asking(), lambda *args: print)
    assert (next(iter(body)), notes) == (b"a", ["read a"])
    body.close()
    assert notes == ["read a", "closed"]


@pytest.mark.parametrize("origin", [ORIGIN, STRANGER, None])
@pytest.mark.parametrize("allowed", [ORIGIN, "*", ""])
@pytest.mark.parametrize(
    "body",
    [
        pytest.param([b"hello"], id="list"),
        pytest.param((b"hello",), id="tuple"),
        pytest.param(FileWrapper(BytesIO(b"hello")), id="wsgi.file_wrapper"),
        pytest.param(map(bytes, [b"hello"]), id="iterable"),
        pytest.param(iter([b"hello"]), id="iterator"),
    ],
)
def test_the_servers_body_is_the_applications_own(
    origin: str | None, allowed: str, body: Iterable[bytes]
) -> None:
    """Bodies pass by identity, so a server can set Content-Length or use sendfile."""
    app = cors(answering(body=body), cors_allowed=allowed)
    environ = asking(origin) | {"wsgi.file_wrapper": FileWrapper}
    returned = app(environ, lambda *args: print)
    assert returned is body


def test_an_exception_of_the_application_passes() -> None:
    """An exception is the server's, or that of ``errors``, and is not touched."""
    error = LookupError("broken")

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise error

    with pytest.raises(LookupError) as caught:
        call(strictly(app), asking())
    assert caught.value is error


def test_the_answer_of_errors_can_be_read_by_the_page() -> None:
    """Around ``errors`` an exception becomes a 500 with CORS headers."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise LookupError("broken")

    answer = call(strictly(ErrorsMiddleware(app)), asking())
    assert answer.code == 500
    assert answer.header("Access-Control-Allow-Origin") == ORIGIN
    assert answer.values("Vary") == ["Origin"]


def test_switching_protocols_gets_the_headers() -> None:
    """A 101, which no validator knows, passes like any other answer."""
    answer = call(
        cors(
            answering([], "101 Switching Protocols", [("Sec-WebSocket-Accept", "x")]),
        ),
        asking(HTTP_CONNECTION="Upgrade", HTTP_UPGRADE="websocket"),
    )
    assert answer.status == "101 Switching Protocols"
    assert_headers(answer, {"Sec-WebSocket-Accept": "x"} | ALLOWED)


@pytest.mark.parametrize("allowed", [ORIGIN, "https://*.example.com", "*"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_huge_request_headers_are_answered(allowed: str, method: str) -> None:
    """64 kB of Origin or of requested headers neither raise nor come back."""
    big = "https://" + "a." * 32768 + "example.com"
    app = strictly(hello, cors_allowed=allowed)
    for name in ("HTTP_ORIGIN", "HTTP_ACCESS_CONTROL_REQUEST_HEADERS"):
        environ = asking(
            method=method,
            HTTP_ACCESS_CONTROL_REQUEST_METHOD="PUT",
            HTTP_ACCESS_CONTROL_REQUEST_HEADERS="x-a",
        )
        answer = call(app, environ | {name: big})
        assert answer.code in (200, 403)
        assert len(str(answer.headers)) + len(answer.body) < 1000


@pytest.mark.parametrize("origin", [ORIGIN, None])
def test_a_middleware_that_is_off_changes_nothing(origin: str | None) -> None:
    """Without origins the application gets the server's own ``start_response``."""
    seen: list[object] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        seen.append(start_response)
        return hello(environ, start_response)

    def start_response(*args: object) -> Callable[[bytes], object]:
        return bytes

    cors(app, cors_allowed="")(asking(origin), start_response)
    assert seen == [start_response]
    assert_headers(
        call(strictly(hello, cors_allowed=""), asking(origin)), {"Content-Type": "text/plain"}
    )


def test_the_environ_is_not_changed() -> None:
    """The application sees the server's environ, untouched."""
    environ = asking()
    before = environ.copy()
    seen: list[WSGIEnvironment] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        seen.append(environ)
        return hello(environ, start_response)

    call(cors(app), environ)
    assert seen[0] is environ
    assert environ == before


def test_two_policies_around_two_applications_know_nothing_of_each_other() -> None:
    """Middlewares share no state: each answers by its own settings."""
    first = strictly(hello, cors_allowed=ORIGIN, cors_allow_credentials=True)
    second = strictly(hello, cors_allowed=STRANGER)
    answers: list[Answer] = [call(app, asking()) for app in (first, second, first)]
    assert_headers(
        answers[0],
        {"Content-Type": "text/plain", "Access-Control-Allow-Credentials": "true"} | ALLOWED,
    )
    assert_headers(answers[1], {"Content-Type": "text/plain", "Vary": "Origin"})
    assert answers[2].headers == answers[0].headers


@pytest.mark.parametrize("kind", ["refused", "allowed by a pattern", "too long"])
def test_nothing_is_kept_of_the_origins_that_come_by(kind: str) -> None:
    """However many a client thinks of: a cache that it could fill would be its to fill."""
    origins = {
        "refused": "https://evil{}.example",
        "allowed by a pattern": "https://app{}.example.org",
        "too long": "https://" + "a." * 4096 + "evil{}.example",
    }
    settings = CORSSettings(cors_allowed=["https://*.example.org"])
    app = between_validators(lambda app: CORSMiddleware(app, settings), hello)

    def serve(number: int) -> None:
        call(app, make_environ(headers={"Origin": origins[kind].format(number)}))

    # Less than the smallest string for each of them would take.
    assert kept_bytes(serve, 1000) < 1000 * sys.getsizeof("")
