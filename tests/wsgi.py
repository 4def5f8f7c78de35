"""Small WSGI applications, and a strict server that calls them and keeps what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    Middleware = Callable[[WSGIApplication], WSGIApplication]

#: The headers of the applications here.
PLAIN = [("Content-Type", "text/plain")]


@dataclass
class Answer:
    """What a server would have sent."""

    status: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def code(self) -> int:
        return int(self.status[:3])

    def values(self, name: str) -> list[str]:
        """Return every value of a header, in order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        """Return a header's only value, ``None`` if it is absent; two of a kind fail."""
        values = self.values(name)
        assert len(values) < 2, (name, values)
        return values[0] if values else None


def make_environ(
    method: str = "GET", path: str = "/", headers: Mapping[str, str] | None = None, **more: Any
) -> WSGIEnvironment:
    """Return an environ as ``wsgiref`` makes it, with these request headers."""
    environ: dict[str, Any] = {"REQUEST_METHOD": method, "PATH_INFO": path, "SCRIPT_NAME": ""}
    setup_testing_defaults(environ)
    environ["QUERY_STRING"] = ""
    for name, value in (headers or {}).items():
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    return environ | more


def call(app: WSGIApplication, environ: WSGIEnvironment | None = None) -> Answer:
    """Call an application as a server does: PEP 3333 to the letter, and close the body."""
    answer = Answer()
    sent = False

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None, /
    ) -> Callable[[bytes], object]:
        if exc_info is not None and sent:
            assert exc_info[1] is not None
            raise exc_info[1].with_traceback(exc_info[2])
        assert exc_info is not None or not answer.status, "start_response was called twice"
        answer.status, answer.headers = status, list(headers)
        return write

    def write(data: bytes) -> None:
        nonlocal sent
        sent = True
        answer.chunks.append(data)

    body = app(make_environ() if environ is None else environ, start_response)
    try:
        for chunk in body:
            assert answer.status, "a chunk came before start_response"
            write(chunk)
    finally:
        if hasattr(body, "close"):
            body.close()
    assert answer.status, "start_response was never called"
    return answer


def between_validators(middleware: Middleware, app: WSGIApplication) -> WSGIApplication:
    """Wrap *app* in *middleware*, with ``wsgiref.validate`` on both of its sides."""
    return validator(middleware(validator(app)))


def hello(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer 200, ``text/plain``, ``hello``."""
    start_response("200 OK", list(PLAIN))
    return [b"hello"]


def answering(
    body: Any = (b"hello",),
    status: Any = "200 OK",
    headers: Iterable[tuple[str, str]] = PLAIN,
) -> WSGIApplication:
    """Return an application that answers with this body, as it is; servers may refuse it."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, list(headers))
        return body  # type: ignore[no-any-return]

    return app


def assert_headers(answer: Answer, expected: Mapping[str, str | list[str]]) -> None:
    """Fail unless the answer has exactly these headers. A repeated one has a list of values."""
    found: dict[str, list[str]] = {}
    for name, value in answer.headers:
        found.setdefault(name.lower(), []).append(value)
    wanted = {
        name.lower(): value if isinstance(value, list) else [value]
        for name, value in expected.items()
    }
    assert found == wanted
