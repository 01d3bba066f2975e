"""Invariants: no route answers a stranger, no viewer acts, no foreign page writes, and an act is done once a click."""

import asyncio
import csv
import io
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
from aiohttp import ClientResponse, ClientSession, web

from common.actor.logs import ActorLog
from common.config import Config
from scripts.bench.long_journal import write_long_journal
from services.desk.access import Access
from services.desk.acts import ActRefused, Once
from services.desk.pages import PAGES, Pages
from services.desk.routes import ROUTES, Route
from services.desk.server import HEADERS, STATIC, Server, make_secret
from services.desk.users import Role, User, write_users
from tests.services.desk.conftest import PASSWORD, PORT, scrypt_of

ConfigWith = Callable[..., Config]
HOST = {"Host": f"127.0.0.1:{PORT}"}
OWN = {**HOST, "Origin": f"http://127.0.0.1:{PORT}"}


class Browser:
    """Requests to a served desk, with a cookie or none."""

    def __init__(self, session: ClientSession, port: int) -> None:
        self._session = session
        self._port = port

    async def ask(
        self, method: str, path: str, headers: dict[str, str] = OWN, cookie: str = "", body: str = "{}"
    ) -> ClientResponse:
        cookies = {"Cookie": f"fixring_desk_{PORT}={cookie}"} if cookie else {}
        data = body if method == "POST" else None
        url = f"http://127.0.0.1:{self._port}{path}"
        sent = {**headers, **cookies}
        return await self._session.request(method, url, headers=sent, data=data, allow_redirects=False)

    async def sign_in(self, name: str) -> str:
        body = f'{{"name": "{name}", "password": "{PASSWORD}"}}'
        answer = await self.ask("POST", "/api/sign-in", body=body)
        assert answer.status == 200, await answer.text()
        return answer.cookies[f"fixring_desk_{PORT}"].value


def served(config: Config, work: Callable[[Browser, Server], Awaitable[None]]) -> None:
    """Run `work` against a desk of these users."""

    async def run() -> None:
        users = config.paths.resolve(config.stack.desk.users)
        access = Access(config.stack.desk, users, config.paths.run, "alice", make_secret)
        server = Server(config, access, Pages(config), ActorLog(config.paths.log, "desk"))
        # A stream that nobody tells any more looks up after half a minute only.
        runner = web.AppRunner(server.application(), shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        async with ClientSession() as session:
            await work(Browser(session, port), server)
        await runner.cleanup()

    asyncio.run(run())


@pytest.fixture
def config(config_with: ConfigWith) -> Config:
    config = config_with(users="keys/desk-users.json")
    users = {role.name.lower(): User(role.name.lower(), scrypt_of(b"salt")) for role in Role}
    write_users(config.paths.resolve(config.stack.desk.users), users)
    return config


def path_of(route: Route) -> str:
    return route.path.replace("{page}", "overview").replace("{name}", "desk.css")


def routes_of(server: Server) -> list[Route]:
    """The routes from the application itself: each has its row in the table."""
    by_place = {(route.method, route.path): route for route in ROUTES}
    found = []
    for each in server.application().router.routes():
        assert each.resource is not None
        if each.method != "HEAD":
            found.append(by_place[each.method, each.resource.canonical])
    assert len(found) == len(ROUTES)
    return found


def test_a_stranger_reads_and_writes_nothing_on_any_route(config: Config) -> None:
    async def work(browser: Browser, server: Server) -> None:
        for route in routes_of(server):
            for cookie in ("", "x" * 43):
                answer = await browser.ask(route.method, path_of(route), cookie=cookie)
                if route.role is not None:
                    assert answer.status == (303 if route.path == "/" else 401), route
            foreign = await browser.ask(route.method, path_of(route), headers={"Host": "evil.example"})
            assert foreign.status == 421, route
        assert (await browser.ask("GET", "/api/nothing")).status == 404
        assert (await browser.ask("DELETE", "/")).status in (404, 405)
        assert (await browser.ask("HEAD", "/api/me")).status in (401, 404)

    served(config, work)


def test_each_role_does_what_the_table_gives_it_and_no_more(config: Config) -> None:
    async def work(browser: Browser, server: Server) -> None:
        for role in Role:
            cookie = await browser.sign_in(role.name.lower())
            me = await (await browser.ask("GET", "/api/me", cookie=cookie)).json()
            assert set(me["acts"]) == {r.act for r in ROUTES if r.act and r.role is not None and r.role <= role}
            for route in routes_of(server):
                if route.role is not None and route.role > role:
                    assert (await browser.ask(route.method, path_of(route), cookie=cookie)).status == 403, route
        assert not [route for route in ROUTES if route.act and (route.role or Role.VIEWER) < Role.TRADER]

    served(config, work)


@pytest.mark.parametrize("origin", ["", "null", "http://evil.example", f"https://127.0.0.1:{PORT}"])
def test_what_writes_or_streams_is_asked_by_our_own_page_alone(config: Config, origin: str) -> None:
    headers = {**HOST, **({"Origin": origin} if origin else {})}

    async def work(browser: Browser, server: Server) -> None:
        cookie = await browser.sign_in("operator")
        for route in routes_of(server):
            if route.method == "POST":
                answer = await browser.ask("POST", path_of(route), headers=headers, cookie=cookie)
                assert answer.status == 403, route

    served(config, work)


def test_what_raises_risk_needs_its_word_and_every_act_its_token(config: Config) -> None:
    async def work(browser: Browser, _server: Server) -> None:
        cookie = await browser.sign_in("operator")
        for route in ROUTES:
            if route.act:
                place = f"/api/act/{route.act}"
                assert (await browser.ask("POST", place, cookie=cookie, body='{"token": ""}')).status == 400
                body = '{"token": "0123456789", "typed": "yes"}'
                assert (await browser.ask("POST", place, cookie=cookie, body=body)).status == 428
        assert {route.act for route in ROUTES if route.typed} == {"resume", "unhalt", "logon"}

    served(config, work)


def test_an_act_that_nobody_answers_says_so(config: Config) -> None:
    async def work(browser: Browser, _server: Server) -> None:
        cookie = await browser.sign_in("trader")
        answer = await browser.ask("POST", "/api/act/kill", cookie=cookie, body='{"token": "0123456789"}')
        assert answer.status == 409 and "not running" in (await answer.json())["error"]
        other = '{"token": "0123456780", "body": {"order": "maker/1"}}'
        answer = await browser.ask("POST", "/api/act/cancel", cookie=cookie, body=other)
        assert answer.status == 403 and "desk-trader" in (await answer.json())["error"]

    served(config, work)


def test_every_page_streams_what_is_known_with_nothing_beside_it(config: Config) -> None:
    async def work(browser: Browser, server: Server) -> None:
        cookie = await browser.sign_in("viewer")
        pages = asyncio.create_task(server.pages.run())
        for page in PAGES:
            answer = await browser.ask("POST", f"/api/stream/{page}", cookie=cookie)
            first = await answer.content.readline()
            assert b'"log_stale":true' in first and f'"page":"{page}"'.encode() in first
            answer.close()
        pages.cancel()

    served(config, work)


def test_the_blotter_and_the_trades_come_as_csv_without_a_formula(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIXRING_VAR", str(config.paths.run.parent))
    write_long_journal(config.journal_folder, 300, 1_790_000_000_000_000_000)

    async def work(browser: Browser, server: Server) -> None:
        cookie = await browser.sign_in("viewer")
        while server.pages.tail.read_on():
            pass
        view = server.pages.tail.view
        assert view is not None
        name, order = next(iter(view.books.orders.items()))
        order.label = "=1+1"
        order.list_number = name[1]
        answer = await browser.ask("GET", "/api/orders.csv", cookie=cookie)
        assert answer.headers["Content-Disposition"] == 'attachment; filename="orders.csv"'
        assert answer.content_type == "text/csv"
        rows = {row["name"]: row for row in csv.DictReader(io.StringIO(await answer.text()))}
        row = rows[f"{name[0]}/{name[1]}"]
        assert row["list"] == row["name"] and [each["list"] for each in rows.values()].count("") == len(rows) - 1
        assert row["label"] == "'=1+1" and row["qty"] == "0.01" and len(rows) == len(view.books.orders)
        trades = await browser.ask("GET", "/api/trades.csv?day=2026-09-21", cookie=cookie)
        assert "trades-2026-09-21.csv" in trades.headers["Content-Disposition"]
        assert (await trades.text()).splitlines()[1].split(",")[2] == "fill"
        assert (await browser.ask("GET", "/api/trades.csv?day=never", cookie=cookie)).status == 422

    served(config, work)


def test_the_chart_has_what_was_before_the_desk_began(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIXRING_VAR", str(config.paths.run.parent))
    write_long_journal(config.journal_folder, 300, time.time_ns())

    async def work(browser: Browser, server: Server) -> None:
        cookie = await browser.sign_in("viewer")
        pages = asyncio.create_task(server.pages.run())
        answer = await browser.ask("POST", "/api/stream/positions", cookie=cookie)
        told: dict[str, Any] = {"before": 0}
        while not told["before"]:
            told = orjson.loads(await answer.content.readline())
            assert not told["before_text"], told
        first = told["samples"][0]
        assert first["time_ms"] < told["began_ms"] and {"maker", "total"} <= first.keys()
        answer.close()
        pages.cancel()

    served(config, work)


def test_depth_is_told_of_what_is_configured_and_of_who_runs(config: Config) -> None:
    async def work(browser: Browser, _server: Server) -> None:
        cookie = await browser.sign_in("viewer")
        answer = await browser.ask("GET", "/api/depth?venue=generic&symbol=NONE", cookie=cookie)
        assert answer.status == 404
        answer = await browser.ask("GET", "/api/depth?venue=generic&symbol=BTCUSDT", cookie=cookie)
        assert answer.status == 422 and "not running" in (await answer.json())["error"]

    served(config, work)


def test_every_answer_has_the_headers_and_no_page_has_code_in_it(config: Config) -> None:
    async def work(browser: Browser, _server: Server) -> None:
        cookie = await browser.sign_in("viewer")
        for path in ("/", "/sign-in", "/static/main.js", "/api/me", "/api/none"):
            answer = await browser.ask("GET", path, cookie=cookie)
            assert {name: answer.headers[name] for name in HEADERS} == HEADERS

    served(config, work)
    assert "unsafe" not in HEADERS["Content-Security-Policy"]
    for page in STATIC.glob("*.html"):
        text = page.read_text("utf-8")
        assert not re.search(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=|https?://", text), page
    for code in STATIC.glob("*.js"):
        if not code.name.startswith("uPlot"):
            assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b", code.read_text()), code


def test_no_button_can_be_pressed_before_the_script_that_acts_on_it_has_come() -> None:
    """A KILL that nobody hears is worse than one that shows that it cannot be pressed yet."""
    for page, count in (("sign-in.html", 1), ("index.html", 3)):
        buttons = re.findall(r"<button[^>]*>", (STATIC / page).read_text("utf-8"))
        assert len(buttons) == count and all(" disabled" in button for button in buttons), (page, buttons)


def test_one_token_is_one_act_however_often_it_is_clicked() -> None:
    async def run() -> list[Any]:
        once, done = Once(), []

        async def work() -> dict[str, Any]:
            done.append(1)
            await asyncio.sleep(0)
            if len(done) == 2:
                raise ActRefused("no")
            return {"nth": len(done)}

        both = await asyncio.gather(once.do("bob", "a", work), once.do("bob", "a", work))
        with pytest.raises(ActRefused):
            await once.do("carol", "a", work)
        with pytest.raises(ActRefused):
            await once.do("carol", "a", work)
        return [*both, len(done)]

    assert asyncio.run(run()) == [{"nth": 1}, {"nth": 1}, 2]
