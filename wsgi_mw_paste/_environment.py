"""Variables, the ``.env`` file and key files: the text of an option, and where it was written.

It knows the names of variables and no options; :mod:`wsgi_mw_paste.settings` makes values of the
text.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wsgi_mw_paste._ini import Source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from environs import Env

#: The file with variables in the working directory.
DOTENV: Final = ".env"
#: What is appended to the name of a secret for the path of a file that has its text.
FILE_SUFFIX: Final = "_FILE"
#: What a message shows in place of a secret.
MASK: Final = "***"
#: The longest key file that is read, in bytes; /dev/zero has no end.
_MAX_KEY_FILE: Final = 65536


class VariableError(ValueError):
    """The text of an option cannot be read; the message never contains it.

    :ivar source: where it should come from.
    :ivar reason: what was expected, and what to write instead.
    :ivar text: ``***`` if the text that is wrong may be a secret, else ``None``.
    """

    def __init__(self, source: Source, reason: str, text: str | None = None) -> None:
        super().__init__(reason)
        self.source = source
        self.reason = reason
        self.text = text


class Variables:
    """One level of the environment: the process's own variables, or those of a ``.env`` file.

    environs itself prefers ``os.environ`` to the file, so ask the file's level only for variables
    that the process does not have. Nothing is read before the first call of :meth:`find`.

    :param path: the ``.env`` file; without it, the process's variables are meant.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._env: Env | None = None

    def find(self, name: str, *, secret: bool, may_be_empty: bool) -> tuple[str, Source] | None:
        """Return the text of a variable and its source, ``None`` if it is not set.

        :param secret: a variable ``NAME_FILE`` may name a file that has the text.
        :param may_be_empty: an empty variable is a value; otherwise it is not set, since container
            tools produce ``NAME=`` for everything that is undefined.
        :raises VariableError: the ``.env`` file or the secret's file cannot be read, the line of
            ``.env`` has no value, or the secret is set twice.
        """
        text = self._get(name)
        if text is not None and not text.strip() and not may_be_empty:
            text = None
        path = self._get(name + FILE_SUFFIX) if secret else None
        if not path:
            return None if text is None else (text, self._source(name))
        source = self._source(name + FILE_SUFFIX)
        if text is not None:
            raise VariableError(source, f"also set as {self._source(name)}; keep only one")
        return read_key_file(path, source), source

    def _get(self, name: str) -> str | None:
        text: str | None = self._variables().str(name, None)
        if text is None and self._path and (line := self._valueless.get(name)):
            reason = f"expected {name}=VALUE in line {line}"
            raise VariableError(self._source(name), reason)
        return text

    def _source(self, name: str) -> Source:
        if self._path is None:
            return Source("environment", key=name)
        return Source(".env", str(self._path.absolute()), key=name)

    def _variables(self) -> Env:
        if self._env is None:
            # Not at the top: settings made in Python need no environment.
            from environs import Env  # noqa: PLC0415

            self._env = Env()
            self._valueless: dict[str, int] = {}
            # A directory of that name is usually a virtual environment.
            if self._path and os.path.isfile(self._path):  # noqa: PTH113 -- it raises nothing
                try:
                    # A path and no recursion: environs would start at this file and walk up.
                    self._env.read_env(self._path, recurse=False)
                    text = self._path.read_bytes().decode()
                except (OSError, ValueError) as error:
                    place = Source(".env", str(self._path.absolute()))
                    reason = f"expected a readable text file in UTF-8 ({error})"
                    raise VariableError(place, reason) from None
                self._valueless = _valueless_lines(text.splitlines())
        return self._env


def _valueless_lines(lines: Iterable[str]) -> dict[str, int]:
    """Return the names that a ``.env`` file has without a value, with their line numbers.

    python-dotenv skips such lines, or only logs that it did.
    """
    matches = (
        (number, re.fullmatch(r"\s*(?:export\s+)?(\w+)\s*(?::.*)?", line))
        for number, line in enumerate(lines, 1)
    )
    return {match[1]: number for number, match in matches if match}


def read_key_file(path: str, source: Source) -> str:
    """Return the text in a file, without whitespace at its ends.

    :param path: relative to the working directory.
    :param source: where the path is written, for messages.
    :raises VariableError: it is not a regular file (symbolic links are followed) in UTF-8 with 1 to
        65536 bytes. The message names the deepest folder of the path that exists and not what
        follows it: that may be the secret itself, put there by mistake.
    """
    reason = "expected a readable regular file"
    try:
        # A FIFO would wait for a writer, a device may have no end.
        if Path(path).is_file():
            with Path(path).open("rb") as file:
                content = file.read(_MAX_KEY_FILE + 1)
            text = content.decode("utf-8").strip()
            if text and len(content) <= _MAX_KEY_FILE:
                return text
            reason = (
                "expected a file of at most 65536 bytes"
                if text
                else "expected a file that is not empty"
            )
        elif not os.path.exists(path):  # noqa: PTH110 -- it raises nothing
            reason = "no such file"
    except UnicodeDecodeError:
        reason = "expected a text file in UTF-8"
    except (OSError, ValueError):
        pass
    raise VariableError(source, f"{reason} in {_deepest_folder(path)}", MASK) from None


def _deepest_folder(path: str) -> str:
    # os.path and not pathlib, which raises if a path is too long for the file system.
    while path and not os.path.isdir(path):  # noqa: PTH112
        path = os.path.dirname(path)  # noqa: PTH120
    return path or "the working directory"
