"""From an INI section and everything below it to settings: all levels, all problems at once.

For the Paste factories and the command. The levels, highest first: the filter's own section,
PasteDeploy's global values (``set``, command line, ``[DEFAULT]``), the process's environment, a
``.env`` file in the working directory, the default.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, Final

from wsgi_mw_paste._environment import FILE_SUFFIX, VariableError, read_key_file
from wsgi_mw_paste.settings import (
    ConfigurationError,
    Environment,
    Hidden,
    Loaded,
    Option,
    Problem,
    Settings,
    assemble,
    options,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wsgi_mw_paste._ini import FilterSections, Source

#: What other packages call their options, and what they are called here. The documentation has a
#: longer list.
PEERS_NAMES: Final[Mapping[str, str]] = {
    # wsgicors
    "origin": "cors_allowed",
    "headers": "cors_allow_headers",
    "methods": "cors_allow_methods",
    "credentials": "cors_allow_credentials",
    "maxage": "cors_max_age",
    "expose_headers": "cors_expose_headers",
    "free_origin": "cors_allowed",
    "free_headers": "cors_allow_headers",
    "free_methods": "cors_allow_methods",
    "free_maxage": "cors_max_age",
    # oslo.middleware
    "allowed_origin": "cors_allowed",
    "allow_credentials": "cors_allow_credentials",
    "allow_headers": "cors_allow_headers",
    "allow_methods": "cors_allow_methods",
    "max_age": "cors_max_age",
    # flask-cors
    "origins": "cors_allowed",
    "supports_credentials": "cors_allow_credentials",
    "cors_origins": "cors_allowed",
    "cors_methods": "cors_allow_methods",
    "cors_headers": "cors_allow_headers",
    "cors_supports_credentials": "cors_allow_credentials",
    "cors_resources": "cors_paths",
    "resources": "cors_paths",
    # django-cors-headers
    "cors_allowed_origins": "cors_allowed",
    "cors_origin_whitelist": "cors_allowed",
    "cors_allowed_origin_regexes": "cors_allowed",
    "cors_origin_regex_whitelist": "cors_allowed",
    "cors_allow_all_origins": "cors_allowed",
    "cors_origin_allow_all": "cors_allowed",
    "cors_preflight_max_age": "cors_max_age",
    "cors_urls_regex": "cors_paths",
}


def load(
    classes: Sequence[type[Settings]],
    global_conf: Mapping[str, Any],
    local_conf: Mapping[str, Any],
    *,
    sections: FilterSections,
    elsewhere: Mapping[str, str],
) -> list[Loaded]:
    """Load the settings of one filter.

    :param classes: its settings classes.
    :param global_conf: PasteDeploy's global values.
    :param local_conf: the options of the filter's own section.
    :param sections: where its options are written.
    :param elsewhere: options of other filters, each with the filter's name, for messages.
    :return: for each class, in order, its settings, their sources and what global values hide.
    :raises ConfigurationError: anything is wrong, with all of it.
    """
    levels = _Levels(classes, global_conf, local_conf, sections)
    problems = [
        *levels.name_problems(elsewhere),
        *levels.swallowed_options(),
    ]
    hidden = list(levels.hidden())
    problems += [_hidden_problem(value) for value in hidden if value.by.level == "[DEFAULT]"]
    loaded = []
    for cls in classes:
        try:
            found = assemble(cls, levels.find, {})
        except ConfigurationError as error:
            problems += error.problems
        else:
            names = options(cls)
            loaded.append(found._replace(hidden=[h for h in hidden if h.option in names]))
    if problems:
        raise ConfigurationError(problems)
    return loaded


def _hidden_problem(value: Hidden) -> Problem:
    key = value.source.key
    reason = (
        f"PasteDeploy ignores this value because [DEFAULT] also sets {value.by.key};"
        f" write set {key} = … here or remove it from [DEFAULT]"
    )
    return Problem(value.option, value.text, value.source, reason)


class _Levels:
    """One filter's options at all levels: :meth:`find` returns the value that wins."""

    def __init__(
        self,
        classes: Sequence[type[Settings]],
        global_conf: Mapping[str, Any],
        local_conf: Mapping[str, Any],
        sections: FilterSections,
    ) -> None:
        self._known = {name: declared for cls in classes for name, declared in options(cls).items()}
        #: Every key that an INI file may have, in lower case, with the name of the option it sets.
        self._keys = {name: name for name in self._known}
        for name, declared in self._known.items():
            if declared.secret:
                self._keys[name + FILE_SUFFIX.lower()] = name
        self._global_conf = global_conf
        self._local_conf = local_conf
        self._sections = sections
        self._environment = Environment()

    def name_problems(self, elsewhere: Mapping[str, str]) -> Iterator[Problem]:
        """Yield unknown options, and options that are spelled in two ways or in mixed case."""
        for key, value in self._local_conf.items():
            if key.lower() not in self._keys and not re.fullmatch("__.*__", key):
                reason = self._unknown(key.lower(), value, elsewhere)
                yield Problem(key, None, self._local_source(key), reason)
        spelled: dict[str, list[tuple[str, Source]]] = {}
        for conf, source_of in self._conf_levels():
            for key in conf:
                if key.lower() in self._keys:
                    spelled.setdefault(key.lower(), []).append((key, source_of(key)))
        for name in self._keys:
            found = spelled.get(name, [])
            for key, source in found:
                if key not in (name, name.upper()):
                    reason = f"expected all lower or all upper case; write {name} or {name.upper()}"
                    yield Problem(name, None, source, reason)
            if len({key for key, _ in found}) > 1:
                first, *others = (source for _, source in found)
                reason = f"also set as {' and as '.join(map(str, others))}; keep only one"
                yield Problem(name, None, first, reason)

    def _unknown(self, name: str, value: object, elsewhere: Mapping[str, str]) -> str:
        filter_name = self._sections.filter_name
        if name in elsewhere:
            return (
                f"belongs to the filter {elsewhere[name]}, not {filter_name};"
                f" move it to that section (use = egg:wsgi_mw_paste#{elsewhere[name]})"
            )
        if re.fullmatch(r"[a-z][a-z0-9+.-]*", name) and str(value).startswith("//"):
            return "expected whitespace at the start of a line that continues the list above it"
        ours = PEERS_NAMES.get(name)
        if ours in self._known:
            return f"unknown option; here it is called {ours}"
        if near := difflib.get_close_matches(name, self._keys):
            return f"unknown option; did you mean {near[0]}?"
        return f"unknown option; {filter_name} takes {', '.join(self._known) or 'none'}"

    def swallowed_options(self) -> Iterator[Problem]:
        """Yield indented lines that look like options: they continue the value above them."""
        for conf, source_of in self._conf_levels():
            for key, value in conf.items():
                if key.lower() not in self._keys or not isinstance(value, str):
                    continue
                for word in self._swallowed(value):
                    # Without the text, which may be a secret.
                    reason = (
                        f"the line with {word} below it is indented, so it continues this value;"
                        f" remove the whitespace before {word}"
                    )
                    yield Problem(key.lower(), None, source_of(key), reason)

    def _swallowed(self, value: str) -> list[str]:
        matches = (re.match(r"\s*(\w+)\s*[=:]", line) for line in value.split("\n")[1:])
        return [match[1] for match in matches if match and match[1].lower() in self._keys]

    def hidden(self) -> Iterator[Hidden]:
        """Yield the sections' values that PasteDeploy drops for a global value of the same name."""
        for name, option_name in self._keys.items():
            declared = self._known[option_name]
            for key in (name, name.upper()):
                if key in self._local_conf or key not in self._global_conf:
                    continue
                by = self._global_source(key)
                for source, text in self._sections.texts_of(key):
                    yield Hidden(declared.name, declared.show(text), source, by)

    def find(self, option: Option) -> tuple[Any, Source] | None:
        """Return the value of an option and its source, from the highest level that has it.

        :raises VariableError: the file of a secret cannot be read, or a secret is set twice.
        """
        for conf, source_of in self._conf_levels():
            found = [(key, source_of(key)) for key in (option.name, option.variable) if key in conf]
            files = [
                (key, source_of(key))
                for key in (option.name + FILE_SUFFIX.lower(), option.variable + FILE_SUFFIX)
                if option.secret and key in conf
            ]
            if files:
                key, source = files[0]
                if found:
                    raise VariableError(source, f"also set as {found[0][1]}; keep only one")
                if not str(conf[key]).strip():
                    raise VariableError(source, "expected the path of a file")
                return read_key_file(str(conf[key]), source), source
            if found:
                key, source = found[0]
                value = conf[key]
                if isinstance(value, str) and (swallowed := self._swallowed(value)):
                    # Reported by swallowed_options(). What was swallowed is not shown as values.
                    value = re.split(rf"\n\s*{swallowed[0]}\s*[=:]", value)[0]
                return value, source
        return self._environment.find(option)

    def _conf_levels(self) -> Iterator[tuple[Mapping[str, Any], Any]]:
        """Yield PasteDeploy's two levels, each with the function that finds the source of a key."""
        yield self._local_conf, self._local_source
        yield self._global_conf, self._global_source

    def _local_source(self, key: str) -> Source:
        return self._sections.local_source(key, self._local_conf[key])

    def _global_source(self, key: str) -> Source:
        return self._sections.global_source(key, self._global_conf[key])
