"""The deployment as an application, and requests sent to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from paste.deploy.loadwsgi import APP
from webob import Request, Response

from wsgi_mw_paste.command.findings import described
from wsgi_mw_paste.command.loader import STAND_IN, blaming
from wsgi_mw_paste.command.pipeline import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from wsgi_mw_paste._wsgi import Headers, Write
    from wsgi_mw_paste.command.loader import DeploymentError
    from wsgi_mw_paste.command.pipeline import Node

#: The environ key of a list: the nodes that a request has come to.
PASSED_KEY: Final = "wsgi_mw_paste.passed"
#: The environ key of a list: the CORS headers that the application itself sent.
_OWN_KEY: Final = "wsgi_mw_paste.own_cors_headers"


def build(
    node: Node, make_app: Callable[[Node], WSGIApplication] = lambda _: STAND_IN
) -> WSGIApplication:
    """Call the factories, innermost first.

    Everything that a request comes to adds its node to the list under :data:`PASSED_KEY`.

    :param make_app: returns the application at the end of a route.
    :raises DeploymentError: a factory raises.
    """
    if node.role == "application":
        app = _noting(make_app(node))
    elif node.role == "filter":
        app = build(node.inner[""], make_app)
        with blaming(node.place):
            app = node.context.create()(app)
    else:
        context, loader = node.context, _Applications(node, make_app)
        with blaming(node.place):
            app = context.object(loader, context.global_conf, **context.local_conf)

    def passed(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ.setdefault(PASSED_KEY, []).append(node)
        return app(environ, start_response)

    return passed


def _noting(app: WSGIApplication) -> WSGIApplication:
    """Return an application that leaves its CORS headers in the list under :data:`_OWN_KEY`."""

    def noting(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        own = environ.setdefault(_OWN_KEY, [])

        def start(status: str, headers: Headers, exc_info: OptExcInfo | None = None) -> Write:
            own[:] = [h for h in headers if str(h[0]).lower().startswith("access-control-")]
            more = () if exc_info is None else (exc_info,)
            return start_response(status, headers, *more)

        return app(environ, start)

    return noting


def make_real(node: Node) -> WSGIApplication:
    """Return the application of the file itself.

    :raises DeploymentError: its factory raises.
    """
    with blaming(node.place):
        app: WSGIApplication = node.context.create()
    return app


class Exchange(NamedTuple):
    """A request and its answer.

    :ivar request: the request as it was sent, before filters changed it.
    :ivar passed: the nodes that the request came to, in order.
    :ivar raised: the exception that nothing turned into a response, in one line; servers then send
        a bare 500, and *response* is one.
    :ivar exits: whether it was ``SystemExit``, which ends a server instead.
    :ivar replaced: the CORS headers that the application sent and the response does not have.
    """

    request: Request
    response: Response
    passed: Sequence[Node]
    raised: str = ""
    exits: bool = False
    replaced: Sequence[tuple[str, str]] = ()


def send(app: WSGIApplication, request: Request) -> Exchange:
    """Call an application as a server does. The body is closed unread, as it may have no end."""
    passed: list[Node] = []
    own: list[tuple[str, str]] = []
    sent = Request({**request.environ, PASSED_KEY: passed, _OWN_KEY: own})
    try:
        # catch_exc_info: let start_response take an answer that comes in place of an exception.
        response = sent.get_response(app, catch_exc_info=True)
        if hasattr(response.app_iter, "close"):
            response.app_iter.close()
        _check_headers(response)
    except (Exception, SystemExit) as error:  # noqa: BLE001 -- whatever foreign code does
        raised = described(error)
        exits = isinstance(error, SystemExit)
        return Exchange(request, Response(status=500), passed, raised, exits)
    replaced = [header for header in own if header not in response.headerlist]
    return Exchange(request, response, passed, replaced=replaced)


def _check_headers(response: Response) -> None:
    """Raise TypeError where servers do: PEP 3333 wants native strings."""
    for name, value in response.headerlist:
        for part in (name, value):
            if type(part) is not str:
                shown = name if isinstance(name, str) else repr(name)
                raise TypeError(f"the header {shown} is {type(part).__name__}, not str")


class _Applications:
    """The loader that a composite gets: it returns applications that :func:`build` made."""

    def __init__(self, node: Node, make_app: Callable[[Node], WSGIApplication]) -> None:
        self._node = node
        self._loader = node.context.loader
        self._make_app = make_app

    def get_app(self, name: str, global_conf: Mapping[str, str] | None = None) -> WSGIApplication:
        for key, inner in self._node.inner.items():
            if self._node.context.local_conf[key] == name:
                return build(inner, self._make_app)
        context = self._loader.get_context(APP, name, global_conf)
        return build(Reader(_raise).application(context, self._node.place), self._make_app)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


def _raise(error: DeploymentError) -> None:
    raise error
