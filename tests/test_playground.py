"""The playground's endpoints: no request does harm, and only an INI file starts them."""

from __future__ import annotations

import io
import json
import re
import socket
from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

import pytest

from tests.ini import load_ini
from tests.wsgi import Answer, call, make_environ
from wsgi_mw_paste import playground
from wsgi_mw_paste.playground import main
from wsgi_mw_paste.playground.page import TRIED

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

INI = """
    [app:main]
    use = egg:wsgi_mw_paste#playground
"""


@pytest.fixture
def app() -> WSGIApplication:
    return validator(load_ini(INI))


def send(app: WSGIApplication, method: str, path: str, body: bytes = b"", **more: Any) -> Answer:
    """Call the application with a body."""
    more |= {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
    return call(app, make_environ(method, path, **more))


def test_it_starts_only_from_an_ini_file() -> None:
    """Called without an INI file, the factory refuses and says what to write."""
    with pytest.raises(ValueError, match=r"demonstration.*use = egg:wsgi_mw_paste#playground"):
        main({})


def test_the_page_names_every_endpoint(app: WSGIApplication) -> None:
    """Every endpoint has a button, and every button an endpoint."""
    html = send(app, "GET", "/").body.decode()
    buttons = re.findall(r'data-endpoint="(\w+)"', html)
    assert sorted(buttons) == sorted(playground._ENDPOINTS)


def test_the_page_offers_what_can_be_tried(app: WSGIApplication) -> None:
    """The form offers the endpoints that have a path of their own for each try."""
    html = send(app, "GET", "/").body.decode()
    assert tuple(re.findall(r'<option value="(\w+)">/\1,', html)) == TRIED
    assert send(app, "GET", "/json/0123abcd").code == 200
    assert send(app, "GET", "/json/0123abcde").code == 404


def test_a_path_that_is_not_text_is_refused(app: WSGIApplication) -> None:
    """A path that is not UTF-8 gets a 400 with the reason."""
    answer = send(app, "GET", "/\xff")
    assert answer.code == 400
    assert json.loads(answer.body)["error"] == "expected a path in UTF-8"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_json_is_returned(app: WSGIApplication, method: str) -> None:
    """The response has what was sent, whatever the method, so that every preflight can be tried."""
    answer = send(app, method, "/json", '{"name": "Zoë", "sizes": [1, 2.5, null]}'.encode())
    assert answer.status == "200 OK"
    assert json.loads(answer.body) == {
        "request_id": None,
        "method": method,
        "received": {"name": "Zoë", "sizes": [1, 2.5, None]},
    }


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b'"' + 1022 * b"x" + b'"', 200, id="1024 bytes"),
        pytest.param(b'"' + 1023 * b"x" + b'"', 413, id="1025 bytes"),
        pytest.param(b"name=Zoe", 400, id="a form"),
        pytest.param(b"\xff", 400, id="not UTF-8"),
        pytest.param(b"NaN", 400, id="a number that JSON does not have"),
        pytest.param(b"1e999", 400, id="an infinite number"),
        pytest.param(1024 * b"[", 400, id="1024 nested lists"),
    ],
)
def test_other_bodies_are_refused(app: WSGIApplication, body: bytes, status: int) -> None:
    """A body that is too long or not JSON gets an error in JSON."""
    answer = send(app, "PUT", "/json", body)
    assert answer.code == status
    assert ("error" in json.loads(answer.body)) == (status != 200)


@pytest.mark.parametrize(
    "port", [pytest.param(None, id="refused"), pytest.param("unix", id="not a port")]
)
def test_a_failed_call_to_itself_is_reported(app: WSGIApplication, port: str | None) -> None:
    """If the server does not answer itself, the endpoint says so and does not raise."""
    with socket.socket() as unused:
        # Bound, but not listening.
        unused.bind(("127.0.0.1", 0))
        answer = send(app, "GET", "/call", SERVER_PORT=port or str(unused.getsockname()[1]))
    assert answer.code == 502
    assert "two threads" in json.loads(answer.body)["error"]
