"""A browser, played against a pipeline: what it asks, what it makes of the answers, and why.

Use it to learn why a script gets no answer, without a browser and before anything is deployed. It
knows nothing of what a proxy adds, of caches and cookies, of mixed content, nor of the page's
Content-Security-Policy, each of which may stop a real request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from webob import Request

from wsgi_mw_paste.command.browser import (
    SAFELISTED_HEADERS,
    Fetch,
    cors_failure,
    origin_of,
    preflight_failure,
    preflight_reasons,
    redirected,
    sort_headers,
    unsafe_names,
)
from wsgi_mw_paste.command.exchange import Exchange, send
from wsgi_mw_paste.cors import (
    HEADERS_TOO_LONG,
    METHOD_MALFORMED,
    METHOD_NOT_LISTED,
    ORIGIN_OPAQUE,
    Preflights,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from _typeshed.wsgi import WSGIApplication

    from wsgi_mw_paste.command.findings import Place
    from wsgi_mw_paste.command.pipeline import Node

#: Fetch, "HTTP-redirect fetch".
_MAX_REDIRECTS: Final = 20


class Step(NamedTuple):
    """One request of the browser's.

    :ivar why: the reasons for a preflight; an actual request has none.
    :ivar failure: what is wrong with the answer, empty if the browser goes on.
    """

    why: Sequence[str]
    exchange: Exchange
    failure: str


class Refusal(NamedTuple):
    """Why a script gets no answer.

    :ivar reason: in the words of the 403 and the log, if it is one of theirs.
    :ivar advice: what to change.
    :ivar place: where; ``None`` if it is nowhere in the file.
    """

    reason: str
    advice: str
    place: Place | None = None


class Explanation(NamedTuple):
    """What a browser does with a :class:`~wsgi_mw_paste.command.browser.Fetch`.

    :ivar fetch: the last one, after redirects.
    :ivar readable: the names of the response headers that the script may read.
    :ivar hidden: the names of the others.
    :ivar refusal: ``None`` if the script gets the answer.
    """

    fetch: Fetch
    steps: Sequence[Step]
    readable: Sequence[str] = ()
    hidden: Sequence[str] = ()
    refusal: Refusal | None = None

    @property
    def verdict(self) -> str:
        """All of it in one sentence."""
        fetch, refusal = self.fetch, self.refusal
        if refusal is None:
            return (
                f"Allowed: a script of {fetch.origin} may read the answer to"
                f" {fetch.method} {fetch.url}."
            )
        place = f" ({refusal.place})" if refusal.place else ""
        return f"Refused, {refusal.reason}: {refusal.advice}{place}."


def explain(
    app: WSGIApplication, fetch: Fetch, served: Collection[str] | None = None
) -> Explanation:
    """Play a browser that fetches in the mode ``cors`` and has nothing in its caches.

    :param app: what :func:`~wsgi_mw_paste.command.pipeline.build` returns.
    :param served: the origins that *app* answers for; without it, the one of the URL.
    """
    served = [origin_of(fetch.url)] if served is None else served
    steps: list[Step] = []
    origin, cors = fetch.origin, False
    for _ in range(_MAX_REDIRECTS + 1):
        here = origin_of(fetch.url)
        if here not in served:
            advice = f"that server decides, asked with Origin: {origin}"
            refusal = Refusal(f"redirected to {here}", advice)
            return Explanation(fetch, steps, refusal=refusal)
        # Fetch, "main fetch": once an answer was another origin's, all that follow count as such.
        cors = cors or here != fetch.origin
        for step in _steps(app, fetch, origin, cors=cors):
            steps.append(step)
            if step.failure:
                return Explanation(fetch, steps, refusal=_refusal(fetch, origin, step))
        response = steps[-1].exchange.response
        try:
            following = redirected(fetch, response)
        except ValueError:
            refusal = Refusal("redirected to what is no URL", "mend the application's Location")
            return Explanation(fetch, steps, refusal=refusal)
        if following is None:
            return Explanation(fetch, steps, *sort_headers(fetch, response, cors=cors))
        if here not in (fetch.origin, origin_of(following.url)):
            # Fetch, "serializing a request origin": nobody can vouch for the page any more.
            origin = "null"
        fetch = following
    refusal = Refusal("too many redirects", "mend the application")
    return Explanation(fetch, steps, refusal=refusal)


def _steps(app: WSGIApplication, fetch: Fetch, origin: str, *, cors: bool) -> Iterator[Step]:
    """Yield the preflight, if there is one, and the actual request: Fetch, "HTTP fetch"."""
    if why := preflight_reasons(fetch) if cors else []:
        headers = {
            "Accept": "*/*",
            "Access-Control-Request-Method": fetch.method,
            "Access-Control-Request-Headers": ",".join(unsafe_names(fetch)),
            "Origin": origin,
        }
        headers = {name: value for name, value in headers.items() if value}
        exchange = send(app, Request.blank(fetch.url, method="OPTIONS", headers=headers))
        yield Step(why, exchange, preflight_failure(fetch, origin, exchange.response))
    headers = {
        name: SAFELISTED_HEADERS.get(name, "-") if value is None else value
        for name, value in fetch.headers.items()
    }
    if cors or fetch.method not in ("GET", "HEAD"):
        headers["Origin"] = origin
    exchange = send(app, Request.blank(fetch.url, method=fetch.method, headers=headers))
    yield Step([], exchange, cors_failure(fetch, origin, exchange.response) if cors else "")


def _refusal(fetch: Fetch, origin: str, step: Step) -> Refusal:
    """Return what stands behind a failure, and what to change."""
    exchange = step.exchange
    node = next((each for each in exchange.passed if each.cors is not None), None)
    if node is None or node.cors is None:
        return _without_cors(exchange)
    if not node.cors.origins:
        return _change(node, "cors_allowed", "CORS is off", origin)
    asked = (fetch.method, ",".join(unsafe_names(fetch))) if step.why else ("GET", "")
    reason, name, _ = Preflights(node.cors).judge(origin, *asked)
    if reason is ORIGIN_OPAQUE:
        advice = "give the page an origin of its own, only * would cover this one"
        return Refusal(reason.text, advice, _place(node, reason.option))
    if reason is METHOD_NOT_LISTED and name.upper() in node.cors.cors_allow_methods:
        advice = f"write {name.upper()} in the script, browsers send this method as it is"
        return Refusal(reason.text, advice, _place(node, reason.option))
    if reason in (METHOD_MALFORMED, HEADERS_TOO_LONG):
        return Refusal(reason.text, "send fewer or shorter names, no option allows these")
    if reason is not None:
        return _change(node, reason.option, reason.text, name or origin)
    if fetch.credentials and not node.cors.cors_allow_credentials:
        advice = "write cors_allow_credentials = true"
        if node.cors.origins.any:
            advice += " and list the origins in cors_allowed by name"
        place = _place(node, "cors_allow_credentials")
        return Refusal("credentials are not allowed", advice, place)
    if exchange.raised:
        advice = "put egg:wsgi_mw_paste#errors innermost, so that browsers get an answer"
        return Refusal(f"{exchange.raised} escaped", advice, node.mention)
    outside = " or ".join(each.name for each in exchange.passed[: exchange.passed.index(node)])
    advice = f"{node.name} allowed it; see what {outside} made of the answer"
    return Refusal(step.failure, advice, node.mention)


def _without_cors(exchange: Exchange) -> Refusal:
    """Return why no CORS filter had a say."""
    last = exchange.passed[-1]
    inside = [each for route in last.routes() for each in route if each.kind in ("main", "cors")]
    if inside:
        what = f"{last.name} answered for itself ({exchange.raised or exchange.response.status})"
        return Refusal(what, f"put {inside[0].name} in front of {last.name}", last.mention)
    advice = "put egg:wsgi_mw_paste#cors in front of the application"
    return Refusal(f"no CORS filter is on the way to {last.name}", advice, last.mention)


def _change(node: Node, option: str, reason: str, item: str) -> Refusal:
    """Return a refusal that one more item in a list would end."""
    if node.place_of(option).level != "default":
        return Refusal(reason, f"add {item} to {option}", node.place_of(option))
    # A line of its own takes the place of the default, so it has to repeat it.
    default = next(each.text for each in node.values() if each.option == option)
    text = f"{default}, {item}" if default else item
    return Refusal(reason, f"write {option} = {text}", node.place)


def _place(node: Node, option: str) -> Place:
    """Return the place of an option that somebody set, else the one to set it in."""
    place = node.place_of(option)
    return node.place if place.level == "default" else place
