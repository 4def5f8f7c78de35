"""The README tells the truth: its blocks are run, its table is the declarations'."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from logging.config import fileConfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.ini import ROOT, load_ini, write_ini
from tests.servers.servers import SERVERS
from tests.serving import Server, program, serving
from tests.wsgi import call, make_environ
from wsgi_mw_paste import CORSSettings, RequestIdSettings
from wsgi_mw_paste.settings import reference

if TYPE_CHECKING:
    from collections.abc import Iterator

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = [(match[1], match[2]) for match in re.finditer(r"```(\w+)\n(.*?)```", README, re.DOTALL)]

INI, FORMATTER, ATTACH, BROKEN = (text for language, text in BLOCKS if language == "ini")
FLASK, DJANGO = (text for language, text in BLOCKS if language == "python")
CONSOLE = [text for language, text in BLOCKS if language == "console"]
CURL = [text for text in CONSOLE if text.startswith("$ curl ")]

#: What the excerpts of logging sections leave out.
LOGGING = """
[loggers]
keys = root

[formatters]
keys = generic

[logger_root]
level = INFO
handlers = console

[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = generic
"""


#: What the broken INI leaves out.
AROUND = """
[pipeline:main]
pipeline = web myapp

[app:myapp]
use = egg:wsgi_mw_paste#playground

[server:main]
use = egg:waitress#main
port = 0
"""


def output_of(block: str) -> str:
    """Return what a console block shows below its command."""
    return block.partition("\n")[2]


def varying_hidden(text: str) -> str:
    """Return a transcript without what is another each time."""
    text = re.sub(r"\b[0-9a-f]{32}\b", "ID", text.replace("\r\n", "\n"))
    return re.sub(r"^Date: .*$", "Date: DATE", text, flags=re.MULTILINE)


@pytest.fixture
def playground() -> Iterator[Server]:
    """Serve ``development.ini``, on a free port in place of 6543."""
    text = (ROOT / "development.ini").read_text(encoding="utf-8")
    copy = Path("development.ini")
    copy.write_text(text.replace("port = 6543", "port = 0"), encoding="utf-8")
    with serving("pserve", copy) as server:
        yield server


def test_the_options_table_is_generated_from_the_declarations() -> None:
    """The table between the markers is ``reference()`` of the two settings classes."""
    table = README.partition("by a test -->\n")[2].partition("<!-- /options -->")[0]

    assert table.strip() == reference([CORSSettings, RequestIdSettings])


def test_the_prose_has_fewer_than_900_words() -> None:
    """Blocks and tables apart, the README can be read in a few minutes."""
    prose = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    lines = [line for line in prose.splitlines() if not line.startswith(("|", "<!--"))]

    assert len(" ".join(lines).split()) < 900


def test_eight_lines_switch_all_of_it_on() -> None:
    """The first INI block has eight lines, and an application behind it has CORS and an id."""
    app = load_ini(INI.replace("web myapp", "web hello"))

    answer = call(app, make_environ(headers={"Origin": "https://www.example.org"}))

    assert len([line for line in INI.splitlines() if line]) == 8
    assert answer.header("Access-Control-Allow-Origin") == "https://www.example.org"
    assert answer.header("Access-Control-Expose-Headers") == "X-Request-Id"
    assert answer.header("X-Request-Id")


@pytest.mark.usefixtures("restored_logging")
def test_the_formatter_block_puts_the_id_into_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    """The formatter works in a ``fileConfig`` file; outside of a request the id is a dash."""
    fileConfig(write_ini(LOGGING + "[handlers]\nkeys = console\n" + FORMATTER))

    logging.getLogger("formatted").info("said")

    assert capfd.readouterr().err.endswith("INFO  [formatted] [-] said\n")


@pytest.mark.usefixtures("restored_logging")
def test_the_attach_block_puts_the_id_into_any_format(capfd: pytest.CaptureFixture[str]) -> None:
    """With the filter attached to the handler, a plain formatter may use the id."""
    plain = "[formatter_generic]\nformat = [%(request_id)s] %(message)s\n"
    fileConfig(write_ini(LOGGING + ATTACH + plain))

    logging.getLogger("attached").info("said")

    assert capfd.readouterr().err == "[-] said\n"


def test_pserve_shows_the_mistakes_as_the_readme_does() -> None:
    """The broken INI stops ``pserve``, and its last lines are those of the README."""
    block = next(text for text in CONSOLE if "pserve broken.ini" in text)
    path = Path("broken.ini").absolute()
    path.write_text(AROUND + BROKEN, encoding="utf-8")

    done = subprocess.run(
        [program("pserve"), path.name], capture_output=True, text=True, check=False
    )

    shown = done.stderr.replace(f"{path.parent}{os.sep}", "/app/")
    assert shown.endswith(f"\n{output_of(block)}")
    assert done.returncode == 1


def test_make_serve_serves_development_ini() -> None:
    """``make serve`` is ``pserve development.ini``, and no other command stands in the block."""
    assert "$ make serve\n" in CONSOLE

    done = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "serve"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.rstrip().endswith("pserve development.ini")


@pytest.mark.parametrize("block", CURL, ids=["accepted", "refused"])
def test_curl_shows_what_the_readme_shows(block: str, playground: Server) -> None:
    """A ``curl`` command as it stands gets the answer that stands below it."""
    command = block.partition("\n")[0].removeprefix("$ ")
    command = command.replace("http://127.0.0.1:6543", playground.url).replace("curl", "curl -s", 1)

    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)

    assert varying_hidden(done.stdout).rstrip() == varying_hidden(output_of(block)).rstrip()


def test_explain_says_what_the_readme_says() -> None:
    """The command in the README prints what stands below it."""
    [block] = [text for text in CONSOLE if text.startswith("$ wsgi-mw-paste ")]
    command = block.partition("\n")[0].removeprefix("$ wsgi-mw-paste ").split()

    done = subprocess.run(
        [program("wsgi-mw-paste"), *command], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.stdout == output_of(block)
    assert done.returncode == 1


def test_every_console_block_is_run() -> None:
    """There is no console block that no test of this module knows."""
    commands = sorted(" ".join(text.split()[:3]) for text in CONSOLE)

    assert commands == [
        "$ curl -i",
        "$ curl -i",
        "$ make serve",
        "$ pserve broken.ini",
        "$ wsgi-mw-paste explain",
    ]


def test_the_table_of_servers_is_the_matrix() -> None:
    """Each server of the matrix has its row, which says what runs it."""
    rows = re.findall(r"^\| ([\w-]+)[^|]* \| [\d.]+ \| `make ([\w-]+)` \|$", README, re.MULTILINE)

    assert dict(rows) == {
        name: "test-all" if server.slow else "test" for name, server in SERVERS.items()
    }


@pytest.mark.parametrize(
    ("before", "block", "name"),
    [
        pytest.param("", FLASK, "app.wsgi_app", id="flask"),
        pytest.param(
            "import django.conf; django.conf.settings.configure(ROOT_URLCONF='wsgiref')\n",
            DJANGO,
            "application",
            id="django",
        ),
    ],
)
def test_the_python_blocks_run(before: str, block: str, name: str) -> None:
    """Each framework's block makes an application whose answers have CORS headers and an id."""
    after = (
        "\nfrom tests.wsgi import call, make_environ\n"
        f"answer = call({name}, make_environ(headers={{'Origin': 'https://app.example.com'}}))\n"
        "print(answer.header('Access-Control-Allow-Origin'), len(answer.header('X-Request-Id')))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", before + block + after],
        env=os.environ | {"PYTHONPATH": str(ROOT), "CORS_ALLOWED": "https://app.example.com"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "https://app.example.com 32\n"
