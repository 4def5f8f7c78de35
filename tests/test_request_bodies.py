"""Bodies that a server makes something of: it gets the object itself."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING, Any, NoReturn
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest

from tests.bodies import (
    ID,
    KINDS,
    Chunks,
    Closing,
    File,
    Probe,
    answers,
    as_generator,
    inbound,
    outcomes,
    with_ids,
)
from tests.wsgi import PLAIN, answering, assert_headers, between_validators, call
from wsgi_mw_paste import RequestIdMiddleware, RequestIdSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


@pytest.fixture(autouse=True)
def _at_info(caplog: pytest.LogCaptureFixture) -> None:
    """Have access records written."""
    caplog.set_level(logging.INFO, "wsgi_mw_paste.access")


@pytest.mark.parametrize("body", [[b"one", b"two"], (b"one",), []], ids=repr)
def test_lists_and_tuples_are_passed_through(body: Iterable[bytes]) -> None:
    """The server gets the application's own list or tuple, and can take its length."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        return body

    assert with_ids(app)(inbound(), lambda *_: lambda _: None) is body


@pytest.mark.parametrize(
    ("headers", "counted"),
    [
        pytest.param([("Content-Length", "11")], 11, id="with its length"),
        pytest.param([("content-length", "0")], 0, id="empty"),
        pytest.param([], None, id="of unknown length"),
        pytest.param([("Content-Length", "many")], None, id="of senseless length"),
        pytest.param([("Content-Length", "1"), ("Content-Length", "2")], None, id="of two lengths"),
    ],
)
def test_a_file_wrapper_is_passed_through_with_its_close_hooked(
    headers: list[tuple[str, str]], counted: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    """The server gets the wrapper itself; the request ends, and is recorded, when it closes it."""
    look = Probe()
    wrapper = FileWrapper(File(look))
    app = with_ids(answering(wrapper, headers=[*PLAIN, *headers]))
    body: Any = app(inbound(**{"wsgi.file_wrapper": FileWrapper}), lambda *_: lambda _: None)
    assert body is wrapper
    assert caplog.records == []
    assert b"".join(body) == b"onetwothree"
    body.close()
    body.close()
    assert look.count("close") == 1
    assert outcomes(caplog) == [(200, counted, "INFO", None)]
    assert f" 200 {'-' if counted is None else counted} " in caplog.messages[0]


def test_a_file_wrapper_without_close_gets_one(caplog: pytest.LogCaptureFixture) -> None:
    """The record of a wrapped file that cannot be closed is written when the server is done."""
    wrapper = FileWrapper(io.BytesIO(b"one"))
    del wrapper.__dict__["close"]
    app = with_ids(answering(wrapper))
    body: Any = app(inbound(**{"wsgi.file_wrapper": FileWrapper}), lambda *_: lambda _: None)
    assert body is wrapper
    body.close()
    assert outcomes(caplog) == [(200, None, "INFO", None)]


@pytest.mark.parametrize(
    ("headers", "counted"),
    [
        pytest.param([("Content-Length", "3")], 3, id="with its length"),
        pytest.param([], None, id="of unknown length"),
    ],
)
def test_a_failing_close_of_a_file_wrapper_gets_through(
    headers: list[tuple[str, str]], counted: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    """The exception reaches the server, and the record, which keeps the status that was sent."""
    wrapper = FileWrapper(io.BytesIO(b"one"))
    wrapper.__dict__["close"] = Closing(Probe(), (), in_close=KeyError("boom")).close
    app = with_ids(answering(wrapper, headers=[*PLAIN, *headers]))
    body: Any = app(inbound(**{"wsgi.file_wrapper": FileWrapper}), lambda *_: lambda _: None)
    with pytest.raises(KeyError):
        body.close()
    assert outcomes(caplog) == [(200, counted, "ERROR", "KeyError")]


def test_a_file_wrapper_without_a_response_is_passed_through(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An application that never calls start_response is the server's to refuse."""
    wrapper = FileWrapper(io.BytesIO(b"one"))
    body: Any = with_ids(lambda *_: wrapper)(
        inbound(**{"wsgi.file_wrapper": FileWrapper}), lambda *_: lambda _: None
    )
    assert body is wrapper
    body.close()
    assert outcomes(caplog) == [(None, None, "INFO", None)]


class SlottedWrapper:
    """A file wrapper whose ``close`` cannot be set."""

    __slots__ = ("file",)

    def __init__(self, file: io.BytesIO) -> None:
        self.file = file

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.file)

    def close(self) -> None:
        self.file.close()


def test_a_file_wrapper_that_cannot_be_hooked_is_left_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is passed through as it is, and recorded when the call returns."""
    file = io.BytesIO(b"one")
    wrapper = SlottedWrapper(file)
    app = with_ids(answering(wrapper, headers=[*PLAIN, ("Content-Length", "3")]))
    body: Any = app(inbound(**{"wsgi.file_wrapper": SlottedWrapper}), lambda *_: lambda _: None)
    assert body is wrapper
    assert outcomes(caplog) == [(200, 3, "INFO", None)]
    assert list(body) == [b"one"]
    body.close()
    assert file.closed


def test_a_file_wrapper_that_cannot_be_hooked_needs_no_record() -> None:
    """It is passed through where nothing is recorded, too."""
    wrapper = SlottedWrapper(io.BytesIO(b"one"))
    app: Any = RequestIdMiddleware(answering(wrapper), RequestIdSettings(log_requests=False))
    environ = inbound(**{"wsgi.file_wrapper": SlottedWrapper})
    assert app(environ, lambda *_: lambda _: None) is wrapper


class StubbornWrapper(FileWrapper):
    """A file wrapper that does not like to be changed."""

    def __setattr__(self, name: str, value: object) -> None:
        if name == "close" and "close" in vars(self):
            raise TypeError("frozen")
        super().__setattr__(name, value)


@pytest.mark.parametrize(
    ("wrapper", "length"),
    [
        pytest.param(StubbornWrapper, "3", id="hook"),
        pytest.param(FileWrapper, 3, id="length that is no text"),
    ],
)
def test_a_file_wrapper_that_fails_is_closed_and_recorded(
    wrapper: Any, length: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It is a body that no server will ever see."""
    file = io.BytesIO(b"one")
    app = with_ids(answering(wrapper(file), headers=[*PLAIN, ("Content-Length", length)]))
    with pytest.raises(TypeError):
        app(inbound(**{"wsgi.file_wrapper": wrapper}), lambda *_: lambda _: None)
    assert file.closed
    assert [outcome[2:] for outcome in outcomes(caplog)] == [("ERROR", "TypeError")]


def test_a_close_that_is_none_is_no_close() -> None:
    """Some classes take a method away like that."""

    class Body(Chunks):
        close = None

    body: Any = with_ids(answering(Body(Probe())))(inbound(), lambda *_: lambda _: None)
    list(body)
    body.close()


def test_a_body_that_hides_its_close_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """The exception of the look-up gets through, and is recorded."""

    class Body(Chunks):
        @property
        def close(self) -> NoReturn:
            raise LookupError

    app = with_ids(answering(Body(Probe())))
    with pytest.raises(LookupError):
        app(inbound(), lambda *_: lambda _: None)
    assert [outcome[2:] for outcome in outcomes(caplog)] == [("ERROR", "LookupError")]


class Rows:
    """An iterator that goes on and on, whatever has become of it."""

    def __init__(self, error: type[Exception] | None) -> None:
        self.error, self.asked = error, 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self.asked += 1
        if self.asked > 1 and self.error is not None:
            raise self.error
        return b"row"

    def close(self) -> None:
        """Close nothing."""


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        pytest.param(None, 1, id="closed"),
        pytest.param(StopIteration, 2, id="at its end"),
        pytest.param(LookupError, 2, id="failed"),
    ],
)
def test_a_body_is_left_alone_after_its_end(error: type[Exception] | None, asked: int) -> None:
    """A server that asks for more gets nothing, and the application is not asked."""
    rows = Rows(error)
    body: Any = with_ids(answering(rows))(inbound(), lambda *_: lambda _: None)
    assert next(body) == b"row"
    if error is not None:
        with pytest.raises(error):
            next(body)
        assert list(body) == []
    body.close()
    assert list(body) == []
    assert rows.asked == asked


def test_headers_from_an_iterator_arrive() -> None:
    """PEP 3333 wants a list; what is none is taken apart once, and nothing of it is lost."""

    def app(environ: WSGIEnvironment, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", iter([*PLAIN, ("x-request-ID", "theirs"), ("X-Last", "1")]))
        return [b"hello"]

    assert_headers(
        call(with_ids(app), inbound()),
        {"Content-Type": "text/plain", "X-Last": "1", "X-Request-Id": ID},
    )


def return_file(file: Any, block_size: int = 8192) -> Any:
    """Return the file, as uWSGI's ``wsgi.file_wrapper`` does; it looks at the object later."""
    return file


def test_a_file_is_passed_through_where_the_wrapper_is_a_function(
    caplog: pytest.LogCaptureFixture, pytestconfig: pytest.Config
) -> None:
    """Where ``wsgi.file_wrapper`` returns the file itself, the server gets that file, hooked."""
    with (pytestconfig.rootpath / "LICENSE").open("rb") as file:
        app = with_ids(answering(return_file(file), headers=[*PLAIN, ("Content-Length", "9")]))
        body: Any = app(inbound(**{"wsgi.file_wrapper": return_file}), lambda *_: lambda _: None)
        assert body is file
        assert caplog.records == []
        body.close()
        assert file.closed
    assert outcomes(caplog) == [(200, 9, "INFO", None)]


def test_bodies_are_passed_through_when_nothing_is_recorded() -> None:
    """With ``log_requests = false`` lists stay lists, and file wrappers are hooked all the same."""
    settings = RequestIdSettings(log_requests=False)
    whole = [b"one"]
    app: Any = RequestIdMiddleware(answering(whole), settings)
    assert app(inbound(), lambda *_: lambda _: None) is whole
    look = Probe()
    wrapper = FileWrapper(File(look))
    app = RequestIdMiddleware(answering(wrapper), settings)
    assert app(inbound(**{"wsgi.file_wrapper": FileWrapper}), lambda *_: lambda _: None) is wrapper
    wrapper.close()
    assert look.count("close") == 1


def test_other_bodies_are_followed_where_the_file_wrapper_is_a_function(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """On uWSGI, too, a body that is no file is produced in the request's context."""
    look = Probe()

    environ = inbound(**{"wsgi.file_wrapper": return_file})
    app = between_validators(with_ids, answers(as_generator, look))
    assert call(app, environ).body == b"onetwothree"
    assert look.count("next") == 4
    assert outcomes(caplog) == [(200, 11, "INFO", None)]


def test_a_file_that_was_not_wrapped_is_followed(caplog: pytest.LogCaptureFixture) -> None:
    """A plain file is a body like others where ``wsgi.file_wrapper`` is a class, or missing."""
    for more in ({"wsgi.file_wrapper": FileWrapper}, {}):
        look = Probe()
        body: Any = with_ids(answering(File(look)))(inbound(**more), lambda *_: lambda _: None)
        assert b"".join(body) == b"onetwothree"
        body.close()
        assert look.count("close") == 1
    assert outcomes(caplog) == [(200, 11, "INFO", None)] * 2


def test_the_header_is_on_the_response_whatever_the_body() -> None:
    """Each kind of body goes with the id header, once."""
    for kind in KINDS.values():
        answer = call(validator(with_ids(answers(kind.make, Probe()))), inbound())
        assert_headers(answer, {"Content-Type": "text/plain", "X-Request-Id": ID})
        assert answer.body == b"onetwothree"


@pytest.mark.parametrize("recording", [True, False], ids=["recorded", "not recorded"])
def test_bytes_are_passed_through(*, recording: bool, caplog: pytest.LogCaptureFixture) -> None:
    """A body that is one ``bytes`` object stays one: uWSGI sends it, others refuse its items."""
    whole = b"one"
    settings = RequestIdSettings(log_tokens=False, log_requests=recording)
    app: Any = RequestIdMiddleware(answering(whole), settings)
    assert app(inbound(), lambda *_: lambda _: None) is whole
    assert [vars(record)["bytes"] for record in caplog.records] == [3] * recording


@pytest.mark.parametrize("body", [[None], (1, b"one"), "text", [b"one", object()]], ids=repr)
def test_a_body_of_other_things_is_the_servers_to_refuse(
    body: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The server gets what there is, nothing here raises, and the request is recorded."""
    response: Any = with_ids(answering(body))(inbound(), lambda *_: lambda _: None)
    assert list(response) == list(body)
    getattr(response, "close", list)()
    (record,) = caplog.records
    assert (record.levelname, vars(record)["status"]) == ("INFO", 200)


def test_chunks_of_other_things_are_the_servers_to_refuse(caplog: pytest.LogCaptureFixture) -> None:
    """What is no bytes object has no length that counts."""
    body: Any = with_ids(answering(iter([b"one", None, 5])))(inbound(), lambda *_: lambda _: None)
    assert list(body) == [b"one", None, 5]
    body.close()
    assert outcomes(caplog) == [(200, 3, "INFO", None)]
