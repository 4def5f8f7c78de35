"""The documentation: Sphinx with MyST and furo. `make docs` builds it into docs/_build.

It needs no network: no intersphinx, no fonts, no scripts of others.
"""

import sys
from importlib.metadata import version as installed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "wsgi_mw_paste"
author = "The wsgi_mw_paste developers"
copyright = author  # noqa: A001 -- Sphinx's name
version = release = installed("wsgi_mw_paste")

extensions = ["myst_parser", "sphinx.ext.autodoc", "generated"]
exclude_patterns = ["_build"]

myst_heading_anchors = 4
myst_enable_extensions = ["deflist"]

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_preserve_defaults = True
# Of the standard library, whose documentation a build without a network cannot look into.
nitpick_ignore_regex = [(r"py:\w+", r"(dataclasses|logging|str|string|contextvars)\b.*")]
nitpick_ignore = [("py:meth", "setTarget")]

smartquotes_action = "D"  # dashes alone: messages of browsers are searched for as they are

html_theme = "furo"
html_title = "wsgi_mw_paste"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
