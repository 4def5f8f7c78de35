"""Facts that hold whatever the input: hypothesis makes inputs up, and shortens one that breaks one.

``make test`` tries the same two hundred inputs of each test every time, so that it fails for a
change and not by chance. ``HYPOTHESIS_PROFILE=long pytest tests/property`` tries thousands of new
ones.
"""

from __future__ import annotations

import os

from hypothesis import Phase, settings

#: Without the one that explains a failure: it would trace every line.
_PHASES = (Phase.explicit, Phase.generate, Phase.target, Phase.shrink)

settings.register_profile(
    "short", deadline=None, database=None, phases=_PHASES, max_examples=200, derandomize=True
)
settings.register_profile("long", deadline=None, database=None, phases=_PHASES, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))
