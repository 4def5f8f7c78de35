"""Reading entries of ``cors_allowed`` without an INI file around them."""

from __future__ import annotations

from wsgi_mw_paste.origins import Policy, Reading, compile_origins

OPEN = Policy(credentials=False, tolerate_insecure=False, tolerate_public_suffixes=False)
STRICT = OPEN._replace(credentials=True)

LABEL_63 = "a" * 63
HOST_251 = ".".join([LABEL_63] * 3 + ["a" * 59])
HOST_253 = ".".join([LABEL_63] * 3 + ["a" * 61])


def compiled(*entries: str, policy: Policy = OPEN) -> Reading:
    """Compile entries that are all accepted."""
    reading = compile_origins(entries, policy)
    assert reading.errors == []
    return reading
