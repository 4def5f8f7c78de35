"""What all filters here have in common as WSGI middlewares."""

from __future__ import annotations

from wsgi_mw_paste import _wsgi


def test_foreign_spellings_are_known_in_both_spellings() -> None:
    """Title case, as most frameworks write them, and lower case, as some do."""
    usual = _wsgi.foreign_spellings(())
    assert {"Content-Type", "content-type", "X-Request-Id", "x-request-id", "ETag"} <= usual
    assert "CONTENT-TYPE" not in usual


def test_foreign_spellings_leave_out_what_a_middleware_replaces() -> None:
    """However it is spelled: what is found there is not looked at again."""
    usual = _wsgi.foreign_spellings({"x-request-id", "vary"})
    assert {name for name in usual if name.lower() in {"x-request-id", "vary"}} == set()
    assert _wsgi.foreign_spellings(()) - usual == {
        "X-Request-Id",
        "x-request-id",
        "Vary",
        "vary",
    }
