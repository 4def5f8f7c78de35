"""One small application per framework, wrapped as its users would, and one table of what is seen.

The applications do the same: ``/`` answers with the id, ``/stream`` does so chunk by chunk,
``/teapot`` raises what the framework's own mechanism answers, ``/error`` raises what nothing
answers, ``/broken-stream`` raises when its first chunk is asked for.

Unlike the middlewares, frameworks answer exceptions themselves as a rule. So what a user sees of
``/error`` depends on the framework, and on whether its users have it propagate exceptions:

========= =================== ============== ====================================================
framework answers             logs to        lets ``ErrorsMiddleware`` answer with
========= =================== ============== ====================================================
Pyramid   never               -              (always)
Flask     500, HTML           ``app.logger`` ``PROPAGATE_EXCEPTIONS = True``
Django    500, HTML           django.request ``DEBUG_PROPAGATE_EXCEPTIONS = True``
Bottle    500, HTML           wsgi.errors    ``app.config["catchall"] = False``
Falcon    500, JSON           wsgi.errors    ``app.add_error_handler(Exception, …)`` that re-raises
========= =================== ============== ====================================================

A framework's own 500 has all our headers, and a record at INFO with its status. A body that raises
while it is iterated escapes all of them but Bottle, which asks for the first chunk itself and, if
that fails, answers without a word in any log.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

import pytest


def needs(*modules: str) -> pytest.MarkDecorator:
    """Return the mark of what needs these packages: without them it skips, on CI it fails."""
    missing = [module for module in modules if find_spec(module) is None]
    return pytest.mark.skipif(
        bool(missing) and not os.environ.get("CI"),
        reason=f"not installed: {', '.join(missing)}",
    )
