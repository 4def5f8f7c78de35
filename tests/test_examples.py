"""The INI files that we ship: they load, their logging works, and their output has no token."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys

import pytest

from tests.ini import ROOT, write_copy
from tests.serving import serving
from wsgi_mw_paste import CORSSettings, RequestIdSettings
from wsgi_mw_paste.settings import options

#: Every INI file of ours.
SHIPPED = ("development.ini", "examples/production.ini")
GUNICORN = ("gunicorn", "--bind=127.0.0.1:0", "--threads=4", "--paste")
TOKEN = "eyJhbGciOiJub25lIn0.c2VjcmV0.dG9rZW4"


def test_the_list_is_complete() -> None:
    """It names every INI file of the project except tox's and the deployment kit's.

    Those of the kit need its other files; a test that plays the kubelet runs them.
    """
    found = [*ROOT.glob("*.ini"), *(ROOT / "examples").glob("*.ini")]
    assert {str(path.relative_to(ROOT)) for path in found} - {"tox.ini"} == set(SHIPPED)


def test_production_leaves_the_options_to_the_environment() -> None:
    """The file sets only ``log_tokens``, because what it sets overrides the environment."""
    text = (ROOT / "examples/production.ini").read_text(encoding="utf-8")
    names = {*options(CORSSettings), *options(RequestIdSettings)}
    lines = re.findall(r"(?m)^(?:set )?(\w+) *= *(.*)", text)
    assert [line for line in lines if line[0].lower() in names] == [("log_tokens", "fingerprint")]


@pytest.mark.parametrize("name", SHIPPED)
def test_logging_works(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """``fileConfig`` with its defaults reads the file, and every line of a request has its id."""
    monkeypatch.setenv("CORS_ALLOWED", "https://app.example.com")
    program = """
import logging.config, sys, paste.deploy, webob
logging.config.fileConfig(sys.argv[1])
app = paste.deploy.loadapp("config:" + sys.argv[1])
for path in "/json", "/stream", "/raise":
    request = webob.Request.blank(path, headers={"X-Request-Id": "abc-123"})
    request.get_response(app, catch_exc_info=True).body
"""
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, ROOT / name],
        capture_output=True,
        check=True,
        text=True,
    )
    # The lines of a traceback belong to the record above them.
    records = re.split(r"\n(?=\d{4}-|\{)", (ran.stdout + ran.stderr).strip())
    assert len(records) == 9
    assert [record for record in records if "abc-123" not in record] == []


@pytest.mark.parametrize("name", ["production.ini", "kubernetes/base/application.ini"])
def test_no_record_is_lost_in_json(name: str) -> None:
    """Numbers and text arrive as they are; what orjson refuses is on stderr, with all it says."""
    program = r"""
import logging, logging.config, sys
logging.config.fileConfig(sys.argv[1])
logger = logging.getLogger("shop")
logger.warning("caf\xe9 %s", "\u65e5\U0001f600", extra={"count": 7, "rate": 0.5})
logger.warning("name %s", "half \ud83d")
try:
    raise ValueError("a byte \udce9")
except ValueError:
    logger.exception("failed")
"""
    ran = subprocess.run(
        [sys.executable, "-c", program, ROOT / "examples" / name],
        capture_output=True, check=True, encoding="utf-8",
    )  # fmt: skip
    (line,) = ran.stdout.splitlines()
    found = json.loads(line)
    assert found["message"] == "caf\xe9 \u65e5\U0001f600"
    assert (found["count"], found["rate"], found["request_id"]) == (7, 0.5, "-")
    assert ran.stderr.count("--- Logging error ---") == 2
    assert "Message: 'name %s'\nArguments: ('half \\ud83d',)\n" in ran.stderr
    assert "ValueError: a byte \\udce9\n" in ran.stderr
    assert "Message: 'failed'\n" in ran.stderr


@pytest.mark.parametrize(
    ("name", "command"),
    [
        pytest.param("development.ini", ("pserve",), id="development, pserve"),
        pytest.param("development.ini", GUNICORN, id="development, gunicorn"),
        pytest.param("examples/production.ini", GUNICORN, id="production, gunicorn"),
    ],
)
def test_no_token_gets_out(
    name: str, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Bearer token is in no output and in no response of any endpoint."""
    monkeypatch.setenv("CORS_ALLOWED", "http://localhost:6543")
    headers = {
        "Origin": "http://localhost:6543",
        "Authorization": f"Bearer {TOKEN}",
        "Content-Type": "application/json",
    }
    preflight = {**headers, "Access-Control-Request-Method": "PUT"}
    with serving(*command, write_copy(name)) as server:
        answers = [
            server.request("GET", path, headers)
            for path in ("/", "/json", "/stream", "/raise", "/call", "/none")
        ]
        answers.append(server.request("PUT", "/json", headers, b"{}"))
        answers.append(server.request("OPTIONS", "/json", preflight))
    assert [answer.code for answer in answers] == [200, 200, 200, 500, 200, 404, 200, 200]
    assert [answer for answer in answers if TOKEN in f"{answer.headers}{answer.body!r}"] == []
    output = server.stdout + server.stderr
    assert "GET /call HTTP/1.1 200" in output
    assert TOKEN not in output
    # JSON shows every field, including the token's fingerprint.
    shown = f'"sha256:{hashlib.sha256(TOKEN.encode()).hexdigest()[:16]}"'
    assert (shown in output) == ("OrjsonFormatter" in (ROOT / name).read_text(encoding="utf-8"))
