"""A simulated browser that sends a request through a pipeline, and explains the outcome.

Use it to find out why a script gets no response, without a browser, and before you deploy.
It knows nothing of proxies, caches, cookies, mixed content or the page's Content-Security-Policy,
any of which may stop a real request.
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
    redirect_failure,
    redirected,
    sort_headers,
    unsafe_names,
    without_secrets,
)
from wsgi_mw_paste.command.exchange import Exchange, send
from wsgi_mw_paste.command.near_misses import near_misses
from wsgi_mw_paste.cors import (
    HEADERS_TOO_LONG,
    METHOD_MALFORMED,
    METHOD_NOT_LISTED,
    ORIGIN_NOT_LISTED,
    ORIGIN_OPAQUE,
    Preflights,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from _typeshed.wsgi import WSGIApplication

    from wsgi_mw_paste.command.findings import Place
    from wsgi_mw_paste.command.near_misses import NearMiss
    from wsgi_mw_paste.command.pipeline import Node
    from wsgi_mw_paste.cors import CORSSettings

#: Fetch, "HTTP-redirect fetch".
_MAX_REDIRECTS: Final = 20
#: How many near misses a verdict names.
_MAX_NEAR: Final = 3
#: The failure if the process ends.
_PROCESS_ENDS: Final = "no response, because the process ends"


class Step(NamedTuple):
    """A request that the browser sends.

    :ivar why: the reasons for a preflight; an actual request has none.
    :ivar failure: what is wrong with the response, empty if the browser continues.
    """

    why: Sequence[str]
    exchange: Exchange
    failure: str


class Refusal(NamedTuple):
    """Why a script gets no response.

    :ivar reason: the reason, where possible in the words of the 403 and the log.
    :ivar advice: what to change.
    :ivar place: where to change it; ``None`` if that is not in the file.
    :ivar near: the entries of ``cors_allowed`` that nearly cover the origin.
    """

    reason: str
    advice: str
    place: Place | None = None
    near: Sequence[NearMiss] = ()


class Explanation(NamedTuple):
    """What a browser does with a :class:`~wsgi_mw_paste.command.browser.Fetch`.

    :ivar asked: the fetch itself.
    :ivar fetch: the last one, after redirects.
    :ivar readable: the names of the response headers that the script may read.
    :ivar hidden: the names of the others.
    :ivar refusal: ``None`` if the script gets the response.
    """

    asked: Fetch
    fetch: Fetch
    steps: Sequence[Step]
    readable: Sequence[str] = ()
    hidden: Sequence[str] = ()
    refusal: Refusal | None = None

    @property
    def verdict(self) -> str:
        """The outcome in a sentence, and a sentence on each near miss."""
        fetch, refusal = self.fetch, self.refusal
        if refusal is None:
            url = fetch.url if fetch.url == self.asked.url else without_secrets(fetch.url)
            return (
                f"Allowed: a script of {fetch.origin} may read the response to"
                f" {fetch.method} {url}."
            )
        place = f" ({refusal.place})" if refusal.place else ""
        near = [f"{entry} {reason}." for entry, reason in refusal.near[:_MAX_NEAR]]
        return " ".join([f"Refused, {refusal.reason}: {refusal.advice}{place}.", *near])


def explain(
    app: WSGIApplication, fetch: Fetch, served: Collection[str] | None = None
) -> Explanation:
    """Simulate a browser that fetches in the mode ``cors`` and has nothing in its caches.

    :param app: what :func:`~wsgi_mw_paste.command.exchange.build` returns.
    :param served: the origins that *app* answers for; by default the one of the URL.
    """
    asked = fetch
    served = [origin_of(fetch.url)] if served is None else served
    steps: list[Step] = []
    origin, cors = fetch.origin, False

    def refused(refusal: Refusal) -> Explanation:
        return Explanation(asked, fetch, steps, refusal=refusal)

    for _ in range(_MAX_REDIRECTS + 1):
        here = origin_of(fetch.url)
        if here not in served:
            advice = f"that server decides, asked with Origin: {origin}"
            return refused(Refusal(f"redirected to {here}", advice))
        # Fetch, "main fetch": after a response of another origin, all that follow count as such.
        cors = cors or here != fetch.origin
        for step in _steps(app, fetch, origin, cors=cors):
            steps.append(step)
            if step.failure:
                return refused(_refusal(fetch, origin, step))
        response = steps[-1].exchange.response
        try:
            following = redirected(fetch, response)
        except ValueError:
            reason = "redirected to something that is not a URL"
            return refused(Refusal(reason, "fix the application's Location"))
        if following is None:
            return Explanation(asked, fetch, steps, *sort_headers(fetch, response, cors=cors))
        if failure := redirect_failure(following, cors=cors):
            return refused(Refusal(failure, "fix the application's Location"))
        if here not in (fetch.origin, origin_of(following.url)):
            # Fetch, "serializing a request origin": the server of another origin chose the URL.
            origin = "null"
        fetch = following
    return refused(Refusal("too many redirects", "fix the application"))


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
        failure = _PROCESS_ENDS * exchange.exits or preflight_failure(
            fetch, origin, exchange.response
        )
        yield Step(why, exchange, failure)
    headers = {
        name: SAFELISTED_HEADERS.get(name, "-") if value is None else value
        for name, value in fetch.headers.items()
    }
    if cors or fetch.method not in ("GET", "HEAD"):
        headers["Origin"] = origin
    exchange = send(app, Request.blank(fetch.url, method=fetch.method, headers=headers))
    failure = cors_failure(fetch, origin, exchange.response) if cors else ""
    yield Step([], exchange, _PROCESS_ENDS * exchange.exits or failure)


def _refusal(fetch: Fetch, origin: str, step: Step) -> Refusal:
    """Return the cause of a failure, and what to change."""
    exchange = step.exchange
    if exchange.exits:
        reason = f"the application ends the process ({exchange.raised})"
        return Refusal(reason, "remove sys.exit() from what it runs for this request")
    node = next((node for node in exchange.passed if _speaks_for(node, exchange)), None)
    if node is None or node.cors is None:
        return _without_cors(exchange)
    asked = (fetch.method, ",".join(unsafe_names(fetch))) if step.why else ("GET", "")
    if refusal := _refused_by(node, node.cors, origin, *asked):
        return refusal
    if fetch.credentials and not node.cors.cors_allow_credentials:
        advice = "write cors_allow_credentials = true"
        if node.cors.origins.any:
            advice += " and list the origins in cors_allowed by name"
        place = _place(node, "cors_allow_credentials")
        return Refusal("credentials are not allowed", advice, place)
    if exchange.raised:
        advice = (
            "list egg:wsgi_mw_paste#errors directly before the application, so that browsers get a"
            " response"
        )
        return Refusal(f"{exchange.raised} escaped", advice, node.mention)
    outside = exchange.passed[: exchange.passed.index(node)]
    names = " or ".join(node.name for node in outside)
    advice = f"{node.name} allowed it; see what {names} made of the response"
    return Refusal(step.failure, advice, node.mention)


def _refused_by(
    node: Node, settings: CORSSettings, origin: str, method: str, requested: str
) -> Refusal | None:
    """Return why a CORS filter refuses, ``None`` if it does not."""
    if not settings.origins:
        return _change(node, "cors_allowed", "CORS is off", origin)
    reason, name, _ = Preflights(settings).judge(origin, method, requested)
    if reason is None:
        return None
    if reason is ORIGIN_NOT_LISTED:
        near = near_misses(origin, settings.cors_allowed, settings.policy)
        return _change(node, reason.option, reason.text, origin)._replace(near=near)
    if reason is ORIGIN_OPAQUE:
        advice = "serve the page from an origin of its own; only * would cover this one"
        return Refusal(reason.text, advice, _place(node, reason.option))
    if reason is METHOD_NOT_LISTED and name.upper() in settings.cors_allow_methods:
        advice = f"write {name.upper()} in the script; browsers send this method as it is written"
        return Refusal(reason.text, advice, _place(node, reason.option))
    if reason in (METHOD_MALFORMED, HEADERS_TOO_LONG):
        return Refusal(reason.text, "send fewer or shorter names; no option allows these")
    return _change(node, reason.option, reason.text, name)


def _speaks_for(node: Node, exchange: Exchange) -> bool:
    """Say whether a node is a CORS filter whose ``cors_paths`` cover the request."""
    if node.cors is None:
        return False
    return node.cors.paths.match(exchange.request.environ)


def _without_cors(exchange: Exchange) -> Refusal:
    """Return why no CORS filter took part."""
    silent = next((node for node in exchange.passed if node.cors is not None), None)
    if silent is not None:
        reason = f"{exchange.request.path} is outside cors_paths"
        return Refusal(reason, "add it, or a prefix of it", silent.place_of("cors_paths"))
    last = exchange.passed[-1]
    inside = [node for route in last.routes() for node in route if node.kind in ("main", "cors")]
    if inside:
        status = exchange.raised or exchange.response.status
        what = f"{last.name} answered the request itself ({status})"
        return Refusal(what, f"list {inside[0].name} before {last.name}", last.mention)
    advice = "list egg:wsgi_mw_paste#cors before the application"
    return Refusal(f"no CORS filter is in front of {last.name}", advice, last.mention)


def _change(node: Node, option: str, reason: str, item: str) -> Refusal:
    """Return a refusal that advises to add an item to a list."""
    if node.place_of(option).level != "default":
        return Refusal(reason, f"add {item} to {option}", node.place_of(option))
    # A value that is written replaces the default, so it has to repeat it.
    default = next(value.text for value in node.values() if value.option == option)
    text = f"{default}, {item}" if default else item
    return Refusal(reason, f"write {option} = {text}", node.place)


def _place(node: Node, option: str) -> Place:
    """Return the place of an option, or the place to write it where it is not set."""
    place = node.place_of(option)
    return node.place if place.level == "default" else place
