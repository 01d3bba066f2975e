"""Every route of the desk with the role that it needs and the act that it is: what is not here is not served."""

from typing import Final, NamedTuple

from services.desk.users import Role


class Route(NamedTuple):
    """`role` None lets in anybody; `act` "" changes nothing; `typed` is the word that a person types to confirm."""

    method: str
    path: str
    role: Role | None
    handler: str
    act: str = ""
    typed: str = ""


def _act(role: Role, act: str, typed: str = "") -> Route:
    return Route("POST", f"/api/act/{act}", role, f"act_{act.replace('-', '_')}", act, typed)


ROUTES: Final = (
    Route("GET", "/sign-in", None, "sign_in_page"),
    Route("GET", "/static/{name}", None, "static"),
    Route("POST", "/api/sign-in", None, "sign_in"),
    Route("POST", "/api/sign-out", Role.VIEWER, "sign_out"),
    Route("GET", "/", Role.VIEWER, "page"),
    Route("GET", "/api/me", Role.VIEWER, "me"),
    Route("POST", "/api/stream/{page}", Role.VIEWER, "stream"),
    Route("GET", "/api/messages", Role.VIEWER, "messages"),
    Route("GET", "/api/depth", Role.VIEWER, "depth"),
    Route("GET", "/api/journal", Role.VIEWER, "journal"),
    Route("GET", "/api/logs", Role.VIEWER, "logs"),
    Route("GET", "/api/orders.csv", Role.VIEWER, "orders_csv"),
    Route("GET", "/api/trades.csv", Role.VIEWER, "trades_csv"),
    Route("POST", "/api/story", Role.VIEWER, "story"),
    Route("POST", "/api/search", Role.VIEWER, "search"),
    Route("POST", "/api/past", Role.VIEWER, "past"),
    Route("POST", "/api/check", Role.TRADER, "check"),
    _act(Role.TRADER, "kill"),
    _act(Role.TRADER, "halt"),
    _act(Role.TRADER, "new"),
    _act(Role.TRADER, "amend"),
    _act(Role.TRADER, "cancel"),
    _act(Role.TRADER, "cancel-all"),
    _act(Role.OPERATOR, "resume", "resume"),
    _act(Role.OPERATOR, "unhalt", "unhalt"),
    _act(Role.OPERATOR, "logon", "logon"),
    _act(Role.OPERATOR, "logout"),
)
"""What lowers risk needs no typing, what raises it does."""

BY_PLACE: Final = {(route.method, route.path): route for route in ROUTES}
