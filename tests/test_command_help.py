"""What ``--help`` prints: all options, the exit statuses, and an example that works."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.ini import write_ini
from wsgi_mw_paste.command.cli import main


@pytest.mark.parametrize(
    ("command", "usage", "text"),
    [
        pytest.param(
            [],
            "[--version] COMMAND ...",
            """\
Show which options are in effect, where each comes from, what is wrong with
them, and why a browser keeps a response from a script.

positional arguments:
  COMMAND
    check     list the options in effect and what is wrong with a file
    explain   simulate a browser request and explain the outcome
    options   list all options

options:
  -h, --help  show this help message and exit
  --version   show program's version number and exit
""",
            id="wsgi-mw-paste",
        ),
        pytest.param(
            ["check"],
            "[--name NAME] [--strict] [--missing-ok] [--json] INI [NAME=VALUE ...]",
            """\
List the options in effect and what is wrong with a file.

positional arguments:
  INI           the file: x.ini, x.ini#NAME or config:x.ini
  NAME=VALUE    a variable, as for pserve

options:
  -h, --help    show this help message and exit
  --name NAME   the application (default: main)
  --strict      exit with status 1 on warnings
  --missing-ok  report code that is not installed here as a note, not an error
  --json        print JSON

example:
  wsgi-mw-paste check production.ini --strict cors_max_age=60

exit status: 0 clean, 1 warnings with --strict, 2 errors

--json prints an object with file, pipeline and findings. Each finding has code,
level (error, warning or note), place (level, file, section, key, line), message
and value. wsgi_mw_paste.command.check.Report.as_json describes the rest.
""",
            id="check",
        ),
        pytest.param(
            ["explain"],
            "[--name NAME] --origin ORIGIN [--method METHOD] [--header NAME[: VALUE]]"
            " [--credentials] [--upload-listener] [--path PATH] [--route KEY] [--app]"
            " INI [NAME=VALUE ...]",
            """\
Simulate a browser request and explain the outcome.

positional arguments:
  INI                   the file: x.ini, x.ini#NAME or config:x.ini
  NAME=VALUE            a variable, as for pserve

options:
  -h, --help            show this help message and exit
  --name NAME           the application (default: main)
  --origin ORIGIN       the page's origin, or null
  --method METHOD       the method (default: GET)
  --header NAME[: VALUE]
                        a header that the script sets; may be repeated
  --credentials         fetch with credentials: "include"
  --upload-listener     the script listens to the progress of its upload
  --path PATH           the path (default: /)
  --route KEY           the key of the pipeline to take, if a composite has
                        several
  --app                 call the application itself, not a stand-in

example:
  wsgi-mw-paste explain production.ini --origin https://app.example.com \\
      --method PUT --header 'Content-Type: application/json' --path /orders/17

exit status: 0 allowed, 1 refused, 2 errors

The page and the application are assumed to have different origins. A header
given without a value may have any value, except Content-Type: that is assumed
to be application/json.
""",
            id="explain",
        ),
        pytest.param(
            ["options"],
            "[--markdown]",
            """\
List all options.

options:
  -h, --help  show this help message and exit
  --markdown  print a table in Markdown

example:
  wsgi-mw-paste options --markdown > options.md
""",
            id="options",
        ),
    ],
)
def test_help_says_what_there_is(
    command: list[str],
    usage: str,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Every word of the usage, whose lines Python's versions break differently, and the rest."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*command, "--help"]) == 0
    first, _, rest = capsys.readouterr().out.partition("\n\n")
    assert " ".join(first.split()) == " ".join(["usage: wsgi-mw-paste", *command, "[-h]", usage])
    assert rest == text


@pytest.mark.parametrize("command", ["check", "explain", "options"])
def test_help_shows_an_example_that_works(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The example in each ``--help`` is a command that runs."""
    assert main([command, "--help"]) == 0
    out = capsys.readouterr().out
    (example,) = re.findall(r"^  wsgi-mw-paste ((?:.*\\\n)*.*)$", out, re.MULTILINE)
    write_ini(
        """
        [pipeline:main]
        pipeline = cors hello

        [filter:cors]
        use = egg:wsgi_mw_paste#cors
        cors_allowed = https://app.example.com
        """,
        "production.ini",
    )
    words = shlex.split(example.replace("\\\n", "").partition(">")[0])
    assert words[0] == command
    assert main(words) == 0
