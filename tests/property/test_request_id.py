"""Whatever bytes arrive as an id, the id in effect is harmless and the same everywhere."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from hypothesis import example, given
from hypothesis import strategies as st

from tests.wsgi import call, make_environ
from wsgi_mw_paste import RequestIdMiddleware, RequestIdSettings, current_request_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

LETTERS_AND_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
HARMLESS = LETTERS_AND_DIGITS + "._~:@#+/=-"
HEADER, FALLBACK = "HTTP_X_REQUEST_ID", "HTTP_X_CORRELATION_ID"


def is_harmless(text: str, longest: int) -> bool:
    """Say what the design says of an inbound id, step by step."""
    return (
        0 < len(text) <= longest
        and all(char in HARMLESS for char in text)
        and text[0] not in "./"
        and ".." not in text
        and any(char in LETTERS_AND_DIGITS for char in text)
    )


class Records(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append(record)


#: Values as a server puts them into the environ, bytes as they come; most of them nearly ids.
VALUES = st.one_of(
    st.none(),
    st.binary(max_size=60).map(lambda data: data.decode("latin-1")),
    st.text(HARMLESS, max_size=40),
    st.builds("{}{}{}".format, st.text(HARMLESS, max_size=9), st.characters(max_codepoint=255),
              st.text(HARMLESS, max_size=9)),
    st.text(HARMLESS, min_size=1, max_size=9).map(lambda text: f" \t{text}\t"),
    st.text(HARMLESS, min_size=1, max_size=3).map(lambda text: text * 3000),
)  # fmt: skip


@given(inbound=VALUES, fallback=VALUES, longest=st.integers(1, 50), trust=st.booleans())
@example(inbound="a" * 8191 + " ", fallback=None, longest=50, trust=True)
def test_the_id_in_effect_is_harmless_and_the_same_everywhere(
    *, inbound: str | None, fallback: str | None, longest: int, trust: bool
) -> None:
    """It is the first harmless value that was sent, or else generated; any other value is gone."""
    seen: list[str | None] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        seen.extend([environ[HEADER], environ["wsgi_mw_paste.request_id"], current_request_id()])
        seen.append(environ.get(FALLBACK))
        start_response("200 OK", [("Content-Type", "text/plain"), ("x-request-id", "another")])
        return [b"hello"]

    settings = RequestIdSettings(
        request_id_max_length=longest,
        request_id_trust=trust,
        request_id_fallback_headers=["X-Correlation-Id"],
        log_tokens=False,
    )
    sent = {HEADER: inbound, FALLBACK: fallback}
    environ = make_environ() | {key: value for key, value in sent.items() if value is not None}
    logger, records = logging.getLogger("wsgi_mw_paste.access"), Records()
    level = logger.level
    logger.addHandler(records)
    logger.setLevel(logging.INFO)
    try:
        answer = call(RequestIdMiddleware(app, settings), environ)
    finally:
        logger.removeHandler(records)
        logger.setLevel(level)

    stripped = [(value or "").strip(" \t") for value in (inbound, fallback)]
    # A value of more than 8192 characters is not even stripped.
    found = [
        text
        for text, value in zip(stripped, (inbound, fallback), strict=True)
        if trust and is_harmless(text, longest) and len(value or "") <= 8192
    ]
    *effective, other = seen
    request_id = str(effective[0])
    assert set(effective) == {request_id}
    assert answer.header("X-Request-Id") == request_id
    (record,) = records.kept
    fields = vars(record)
    assert fields["request_id"] == request_id
    if found:
        assert (request_id, fields["request_id_source"]) == (found[0], "inbound")
    else:
        assert len(request_id) == 32
        assert set(request_id) <= set("0123456789abcdef")
        was_sent = trust and any(stripped)
        assert fields["request_id_source"] == ("replaced" if was_sent else "generated")
        if was_sent:
            assert other is None or not other.strip(" \t")
    shown = "".join([*sum(answer.headers, ()), record.getMessage(), *map(str, fields.values())])
    # Other texts are in there by chance, or for a good reason.
    refused = [text for text in stripped if not (text.isascii() and text.isprintable())]
    assert not any(text in shown for text in refused)
