"""The desk's web server: who may is decided before a handler runs, by the one table of `services.desk.routes`."""

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import orjson
from aiohttp import web

from common.actor.control import NoAnswer, NotRunning, Refused, ask
from common.actor.logs import ActorLog
from common.actor.process import read_clocks
from common.config import Config
from common.csv_text import csv_text
from common.fix.dictionary import Dictionary
from common.venues.registry import find_dictionary
from services.desk import acts
from services.desk.access import Access, Login, SignInRefused
from services.desk.acts import ActRefused, Acts, NotYours, Once
from services.desk.pages import PAGES, Pages
from services.desk.routes import BY_PLACE, ROUTES, Route
from services.desk.rows import ORDER_TITLES, message_row, order_cell, record_row
from services.desk.users import BadUsers
from services.desk.work import WorkFailed

STATIC: Final = Path(__file__).parent / "static"
TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
RECHECK_S: Final = 30.0
MOST_BODY_BYTES: Final = 16 << 10
LOG_BYTES: Final = 128 << 10
SHOWN_LINES: Final = 300
DEPTH_LEVELS: Final = 15
DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

LOGIN: Final = web.RequestKey("login", Login)
T = TypeVar("T", bound=msgspec.Struct)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Wrong(Exception):
    """What was asked cannot be answered: a status of HTTP, and a text for a person."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Either a one-time token, or a name with its password."""

    token: str = ""
    name: str = ""
    password: str = ""


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An act: `token` names this click, `typed` is what a person typed to confirm, `body` says what."""

    token: str
    typed: str = ""
    body: msgspec.Raw = msgspec.Raw(b"{}")


class Search(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A search through the journal, in the words of `fixring journal`."""

    pattern: str = ""
    order: str = ""
    session: str = ""
    kind: str = ""
    start: str = ""
    end: str = ""


class At(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A moment of the past: an LSN or a time."""

    at: str


class Server:
    """The handlers, by the names that the table of routes has."""

    def __init__(self, config: Config, access: Access, pages: Pages, log: ActorLog) -> None:
        """Serves nothing until its `application` runs."""
        self._config = config
        self._access = access
        self.pages = pages
        self._log = log
        self._acts = Acts(config)
        self._once = Once()
        self._static = {file.name: file.read_bytes() for file in STATIC.iterdir() if file.suffix in TYPES}
        self._one_password = asyncio.Semaphore(1)
        self._per_user: dict[str, asyncio.Lock] = {}

    def application(self) -> web.Application:
        """An application with every route of the table, and no other."""
        application = web.Application(middlewares=[self._guard], client_max_size=MOST_BODY_BYTES)
        for route in ROUTES:
            application.router.add_route(route.method, route.path, getattr(self, route.handler))
        return application

    # ---- who may ----

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Host, origin, route, login and role, in this order; then the handler. Nothing is answered without them."""
        try:
            self._admit(request)
            response = await handler(request)
        except Wrong as error:
            response = _json({"error": str(error)}, error.status)
        except web.HTTPException as error:
            response = _json({"error": error.reason}, error.status)
        except Exception as error:
            self._note("error", "failed", path=request.path, why=repr(error))
            response = _json({"error": "the desk failed at this; its log says how"}, 500)
        if not response.prepared:
            response.headers.update(HEADERS)
        return response

    def _admit(self, request: web.Request) -> None:
        if not self._access.is_host(request.headers.get("Host", "")):
            raise Wrong(421, "this is not a name of the desk")
        if request.method != "GET" and not self._access.is_own_origin(request.headers.get("Origin", "")):
            raise Wrong(403, "this was not asked by a page of the desk")
        resource = request.match_info.route.resource
        route = BY_PLACE.get((request.method, "" if resource is None else resource.canonical))
        if route is None:
            raise Wrong(404, "there is no such page")
        if route.role is None:
            return
        login = self._login(request)
        if login is None and route.handler == "page":
            raise web.HTTPSeeOther("/sign-in")
        if login is None:
            raise Wrong(401, "sign in first")
        if login.role < route.role:
            self._note("warning", "not allowed", user=login.user, role=login.role.name.lower(), path=request.path)
            raise Wrong(403, f"a {login.role.name.lower()} may not do this: it needs a {route.role.name.lower()}")
        request[LOGIN] = login

    def _login(self, request: web.Request) -> Login | None:
        return self._access.find(request.cookies.get(self._access.cookie_name, ""), time.time())

    def _note(self, level: str, event: str, **fields: object) -> None:
        self._log.write(level, event, fields, read_clocks())

    # ---- signing in and out ----

    async def sign_in_page(self, _request: web.Request) -> web.StreamResponse:
        return self._file("sign-in.html")

    async def sign_in(self, request: web.Request) -> web.StreamResponse:
        wanted, peer = _decode(await request.read(), SignIn), request.remote or ""
        try:
            if wanted.token:
                secret = self._access.take_token(wanted.token, time.time())
            elif self._access.takes_names:
                async with self._one_password:
                    secret = await asyncio.to_thread(
                        self._access.take_password, wanted.name, wanted.password, peer, time.time()
                    )
            else:
                raise SignInRefused("open the address that the start printed, or that `fixring desk` tells")
        except (SignInRefused, BadUsers) as error:
            self._note("warning", "sign-in refused", user=wanted.name, peer=peer, why=str(error))
            raise Wrong(403, str(error)) from None
        self._note("info", "signed in", user=wanted.name, peer=peer)
        response = _json({"ok": True})
        response.set_cookie(
            self._access.cookie_name, secret, httponly=True, samesite="Strict", path="/",
            secure=self._access.scheme == "https",
        )  # fmt: skip
        return response

    async def sign_out(self, request: web.Request) -> web.StreamResponse:
        self._access.sign_out(request.cookies.get(self._access.cookie_name, ""))
        self._note("info", "signed out", user=request[LOGIN].user)
        response = _json({"ok": True})
        response.del_cookie(self._access.cookie_name, path="/")
        return response

    # ---- pages ----

    async def page(self, _request: web.Request) -> web.StreamResponse:
        return self._file("index.html")

    async def static(self, request: web.Request) -> web.StreamResponse:
        return self._file(request.match_info["name"])

    def _file(self, name: str) -> web.Response:
        data = self._static.get(name)
        if data is None:
            raise Wrong(404, "there is no such page")
        return web.Response(body=data, content_type=TYPES[Path(name).suffix], charset="utf-8")

    async def me(self, request: web.Request) -> web.StreamResponse:
        login = request[LOGIN]
        acts = {route.act: route.typed for route in ROUTES if route.act and route.role and login.role >= route.role}
        venues = {
            name: {"symbols": sorted(venue.instruments),
                   "accounts": [each.name for each in self._config.accounts.values() if each.venue.name == name]}
            for name, venue in self._config.venues.items()
        }  # fmt: skip
        return _json(
            {"user": login.user, "role": login.role.name.lower(), "strategy": login.strategy, "acts": acts,
             "environment": self._config.environment.value, "venues": venues, "pages": list(PAGES)}
        )  # fmt: skip

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """The page as it is, then whatever changes, a JSON document a line, for as long as the login holds."""
        page, login = request.match_info["page"], request[LOGIN]
        if page not in PAGES:
            raise Wrong(404, f"there is no page {page}; there is {', '.join(PAGES)}")
        response = web.StreamResponse(headers={**HEADERS, "Content-Type": "application/x-ndjson"})
        looker = self.pages.hub.join(page)
        try:
            await response.prepare(request)
            checked_s = time.monotonic()
            while True:
                try:
                    line = await asyncio.wait_for(looker.queue.get(), RECHECK_S)
                except TimeoutError:
                    line = b"{}\n"
                if time.monotonic() - checked_s >= RECHECK_S:
                    checked_s = time.monotonic()
                    if self._login(request) != login:
                        await response.write(b'{"ended":"the login does not hold any more"}\n')
                        break
                await response.write(line)
        except ConnectionError:
            pass
        finally:
            self.pages.hub.leave(looker)
        return response

    async def messages(self, request: web.Request) -> web.StreamResponse:
        """The last messages of a session, decoded by its venue's dictionary."""
        session, view = request.query.get("session", ""), self.pages.tail.view
        kept = [] if view is None else list(view.messages.get(session, ()))
        dictionary = self._dictionary(session.partition("@")[2])
        rows = [row for record in kept if (row := message_row(record, dictionary)) is not None]
        return _json({"session": session, "rows": rows[::-1]})

    async def depth(self, request: web.Request) -> web.StreamResponse:
        """The best prices of both sides of one book, as the venue's market data actor has them or asks for them."""
        venue, symbol = request.query.get("venue", ""), request.query.get("symbol", "")
        configured = self._config.venues.get(venue)
        if configured is None or symbol not in configured.instruments:
            raise Wrong(404, f"{symbol} at {venue} is not configured")
        wanted: dict[str, object] = {"symbol": symbol, "levels": DEPTH_LEVELS}
        try:
            told = await asyncio.to_thread(ask, self._config.reach, f"marketdata@{venue}", "depth", wanted)
        except (NotRunning, NoAnswer, Refused) as error:
            raise Wrong(422, str(error)) from None
        return _json({"venue": venue, "symbol": symbol, **told})

    async def journal(self, request: web.Request) -> web.StreamResponse:
        """What the log has gained behind `after`, of the last records that are kept in memory."""
        after, view = request.query.get("after", "0"), self.pages.tail.view
        if not after.isdigit():
            raise Wrong(400, f"after={after} is no LSN")
        kept = [] if view is None else [record for record in view.records if record.lsn > int(after)]
        return _json({"rows": [record_row(record, self._dictionary) for record in kept[-SHOWN_LINES:]]})

    def _dictionary(self, session: str) -> Dictionary | None:
        """Of the venue whose session it is; None, the standard's, of a session that is not configured."""
        configured = self._config.sessions.get(session) or self._config.drop_copies.get(session)
        if configured is None:
            return None
        return find_dictionary(self._config.accounts[configured.account].venue.dialect)

    async def logs(self, request: web.Request) -> web.StreamResponse:
        """The end of one process's own log."""
        actor = request.query.get("actor", "")
        names = [each.name for each in self._config.actors()]
        if actor and actor not in names:
            raise Wrong(404, f"{actor}: no such process; there is {', '.join(names)}")
        lines = await asyncio.to_thread(_last_lines, self._config.paths.log / f"{actor}.jsonl") if actor else []
        return _json({"names": names, "actor": actor, "lines": lines})

    async def orders_csv(self, _request: web.Request) -> web.StreamResponse:
        """The blotter as the page has it."""
        rows = self.pages.document("orders")["rows"]
        text = csv_text(ORDER_TITLES, ([order_cell(row, title) for title in ORDER_TITLES] for row in rows))
        return _download("orders.csv", text.encode())

    # ---- what takes long ----

    async def trades_csv(self, request: web.Request) -> web.StreamResponse:
        """What moved positions on a day, of today where none is named, by `fixring trades`."""
        day = request.query.get("day", "")
        told = await self._work(["trades", "--csv", *([f"--day={day}"] if day else [])])
        return _download(f"trades{'-' + day if DAY.fullmatch(day) else ''}.csv", told)

    async def story(self, request: web.Request) -> web.StreamResponse:
        wanted = _decode(await request.read(), acts.One)
        _need_plain(wanted.order)
        told = await self._work(["journal", "explain", "--json", "--", wanted.order])
        return web.Response(body=told, content_type="application/json")

    async def search(self, request: web.Request) -> web.StreamResponse:
        wanted = _decode(await request.read(), Search)
        options = [("--order", wanted.order), ("--session", wanted.session), ("--kind", wanted.kind),
                   ("--from", wanted.start), ("--to", wanted.end)]  # fmt: skip
        named = [f"{option}={value}" for option, value in options if value]
        if wanted.pattern:
            told = await self._work(["journal", "grep", *named, "--", wanted.pattern], empty_ok=True)
        else:
            told = await self._work(["journal", "tail", "-n", str(SHOWN_LINES), *named])
        lines = told.decode("utf-8", "replace").splitlines()
        return _json({"lines": lines[-SHOWN_LINES:], "found": len(lines)})

    async def past(self, request: web.Request) -> web.StreamResponse:
        wanted, began_s = _decode(await request.read(), At), time.monotonic()
        told = await self._work(["journal", "state", f"--at={wanted.at}", "--json"])
        document = {**orjson.loads(told), "took_s": round(time.monotonic() - began_s, 2)}
        return _json(document)

    async def _work(self, arguments: list[str], *, empty_ok: bool = False) -> bytes:
        try:
            return await self.pages.workers.run(arguments, empty_ok=empty_ok)
        except WorkFailed as error:
            raise Wrong(422, str(error)) from None

    # ---- acts ----

    async def check(self, request: web.Request) -> web.StreamResponse:
        ticket = _decode(await request.read(), acts.Ticket)
        return await _answered(asyncio.to_thread(self._acts.check, request[LOGIN], ticket))

    async def act_new(self, request: web.Request) -> web.StreamResponse:
        return await self._do(request, acts.Ticket, self._acts.new)

    async def act_amend(self, request: web.Request) -> web.StreamResponse:
        return await self._do(request, acts.Amendment, self._acts.amend)

    async def act_cancel(self, request: web.Request) -> web.StreamResponse:
        return await self._do(request, acts.One, self._acts.cancel)

    async def act_cancel_all(self, request: web.Request) -> web.StreamResponse:
        return await self._do(request, acts.Many, self._acts.cancel_all)

    async def act_kill(self, request: web.Request) -> web.StreamResponse:
        return await self._do(request, acts.Nothing, lambda login, _: self._acts.kill(login))

    async def act_resume(self, request: web.Request) -> web.StreamResponse:
        return await self._do(request, acts.Nothing, lambda login, _: self._acts.resume(login))

    async def act_halt(self, request: web.Request) -> web.StreamResponse:
        return await self._do(request, acts.Scope, self._acts.halt)

    async def act_unhalt(self, request: web.Request) -> web.StreamResponse:
        return await self._do(request, acts.Scope, self._acts.unhalt)

    async def act_logon(self, request: web.Request) -> web.StreamResponse:
        return await self._do(request, acts.OneSession, lambda login, it: self._acts.session(login, "logon", it))

    async def act_logout(self, request: web.Request) -> web.StreamResponse:
        return await self._do(request, acts.OneSession, lambda login, it: self._acts.session(login, "logout", it))

    async def _do(
        self, request: web.Request, kind: type[T], act: Callable[[Login, T], dict[str, Any]]
    ) -> web.StreamResponse:
        """Carry out an act, once for each token; of one user one after the other."""
        asked, login, route = _decode(await request.read(), Asked), request[LOGIN], _route_of(request)
        if not 8 <= len(asked.token) <= 64:
            raise Wrong(400, "an act needs the token of its click")
        if asked.typed != route.typed:
            raise Wrong(428, f"type the word {route.typed} to confirm")
        wanted = _decode(bytes(asked.body), kind)
        self._note("warning", route.act, user=login.user, by=login.by, what=msgspec.structs.asdict(wanted))

        async def work() -> dict[str, Any]:
            async with self._per_user.setdefault(login.user, asyncio.Lock()):
                return await asyncio.to_thread(act, login, wanted)

        answer = await _answered(self._once.do(login.user, asked.token, work))
        self.pages.ask_soon()
        return answer


async def _answered(work: Awaitable[dict[str, Any]]) -> web.StreamResponse:
    try:
        return _json(await work)
    except NotYours as error:
        raise Wrong(403, str(error)) from None
    except ActRefused as error:
        raise Wrong(409, str(error)) from None


def _route_of(request: web.Request) -> Route:
    resource = request.match_info.route.resource
    assert resource is not None
    return BY_PLACE[request.method, resource.canonical]


def _json(document: Mapping[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(document), status=status, content_type="application/json")


def _download(name: str, data: bytes) -> web.Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return web.Response(body=data, content_type="text/csv", charset="utf-8", headers=headers)


def _decode(data: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Wrong(400, f"this is no such request: {error}") from None


def _need_plain(text: str) -> None:
    if not text or len(text) > 64 or not text.isprintable():
        raise Wrong(400, "an order is named strategy/number, or by its ClOrdID(11)")


def _last_lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - LOG_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []
    return lines[-SHOWN_LINES:]


def make_secret() -> str:
    """A secret that nobody can guess."""
    return secrets.token_urlsafe(32)
