"""A person at the desk: he signs in, sends and cancels an order, goes back in time, sees what dies, and kills; and one
who may only look. In `.ci/run`, and with the proofs.
"""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from common.actor.control import ask
from common.config import SERVED_VENUES
from scripts.stack import PrivateStack
from services.desk.users import User, write_users
from tests.services.desk.browser import CHROMIUM, Tab, browser
from tests.services.desk.conftest import PASSWORD, scrypt_of

pytestmark = pytest.mark.torture

QUIET = {
    SERVED_VENUES: "generic",
    "FIXRING__STRATEGIES__MAKER__ENABLED": "false",
    "FIXRING__STRATEGIES__SIGNALS__ENABLED": "false",
    "FIXRING__DESK__USERS": "keys/desk-users.json",
}
USERS = {"alice": "operator", "victor": "viewer"}
ORDER_ROW = "[...document.querySelectorAll('tbody tr')].find((row) => row.dataset.key.startsWith('desk-'))"


def test_a_person_at_the_desk(tmp_path: Path) -> None:
    """One stack and one browser for all of it: each takes seconds to come up."""
    if not CHROMIUM:
        pytest.skip("no chromium is installed here: the desk's pages were not driven in a browser")
    stack = PrivateStack(tmp_path, QUIET)
    users = {name: User(role, scrypt_of(b"salt")) for name, role in USERS.items()}
    write_users(stack.config.paths.resolve(stack.config.stack.desk.users), users)
    with stack:

        async def work() -> None:
            async with browser() as tab:
                await be_faster_than_the_script(tab, stack)
                await sign_in(tab, stack, "alice")
                await tab.see_text("open for orders")
                await tab.see_text("all well", "#health")
                lsn = await send_and_cancel(tab)
                await go_back(tab, lsn)
                await look_at_the_market(tab)
                await look_by_phone(tab)
                await watch_one_stop(tab, stack)
                await cut_a_session(tab, stack)
                await log_out_and_on(tab)
                await kill(tab, stack)
                await be_refused(tab, stack)
                assert not tab.complaints, tab.complaints

        asyncio.run(work())


async def be_faster_than_the_script(tab: Tab, stack: PrivateStack) -> None:
    """On a slow link neither the button nor Enter sends a form whose script is still to come; the page says why."""
    async with tab.held("*/static/sign-in.js"):
        await fill_in(tab, stack, "alice")
        await tab.run("document.getElementById('form').addEventListener('submit', () => { window.sent = true; })")
        await tab.run("document.querySelector('form button').click()")
        await tab.run("document.getElementById('password').focus()")
        await tab.press("Enter", 13)
        assert not await tab.run("window.sent")
        await tab.see_text("still loading", "#said")
    await tab.see("document.querySelector('form button:enabled') && !document.getElementById('said').innerText")


async def fill_in(tab: Tab, stack: PrivateStack, name: str) -> None:
    await tab.open(f"http://127.0.0.1:{stack.config.stack.desk.port}/sign-in")
    await tab.see("document.getElementById('password') !== null")
    for field, text in (("name", name), ("password", PASSWORD)):
        await tab.run(f"document.getElementById({field!r}).value = {text!r}")


async def sign_in(tab: Tab, stack: PrivateStack, name: str) -> None:
    await fill_in(tab, stack, name)
    await tab.click("Sign in")
    await tab.see("location.pathname === '/' && document.querySelectorAll('#pages a').length === 8")
    await tab.see_text("SIMULATED", "#environment")
    await tab.see_text(name, "#user")


async def send_and_cancel(tab: Tab) -> int:
    """An order far below the market: risk is asked first. Returns the record up to which it was open."""
    await tab.run("location.hash = 'orders'")
    await tab.click("New order")
    await tab.type_into("Quantity", "0.01")
    await tab.type_into("Price", "1")
    await tab.click("Ask risk", "dialog")
    await tab.see_text("Refused: price 1 is outside", ".answer")
    await tab.type_into("Price", "63000")
    await tab.click("Ask risk", "dialog")
    await tab.see_text("Passes", ".answer")
    await tab.click("Send:", "dialog")
    await tab.click("Send the order", "dialog")
    await tab.see(f"{ORDER_ROW}?.innerText.includes('NEW')")
    lsn = int(await tab.run("document.getElementById('ages').innerText.match(/LSN (\\d+)/)[1]"))
    await tab.run(f"{ORDER_ROW}.click()")
    await tab.see_text("sent to generic", "dialog")
    await tab.click("Cancel the order", "dialog .acts")
    await tab.click("Cancel the order", "dialog form")
    await tab.see(f"!{ORDER_ROW}")
    return lsn


async def go_back(tab: Tab, lsn: int) -> None:
    """The order is open again, and nothing can be done to it."""
    await tab.run("location.hash = 'journal'")
    await tab.see("document.querySelectorAll('.lines div').length > 3")
    await tab.type_into("Moment", str(lsn))
    await tab.click("Go there")
    await tab.see_text(f"THE PAST: record {lsn}", ".past-frame")
    assert await tab.run(f"{ORDER_ROW}.innerText.includes('63000')")
    await tab.run(f"{ORDER_ROW}.click()")
    assert not await tab.run("document.getElementById('dialog').open")


async def look_at_the_market(tab: Tab) -> None:
    """The depth of the first symbol, which nobody is told unasked."""
    await tab.run("location.hash = 'market'")
    await tab.see("document.querySelectorAll('.columns meter').length > 4")


async def look_by_phone(tab: Tab) -> None:
    """How old all of it is stands on a narrow page as well, and nothing is wider than that."""
    await tab.do("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=1, mobile=True)
    for page in ("overview", "orders", "positions", "market"):
        await tab.run(f"location.hash = {page!r}")
        await tab.see("document.getElementById('ages').getBoundingClientRect().height > 0")
        await tab.see("document.documentElement.scrollWidth <= 390")
    await tab.do("Emulation.clearDeviceMetricsOverride")


async def watch_one_stop(tab: Tab, stack: PrivateStack) -> None:
    """An actor that does not answer is shown so, and again when it does."""
    await tab.run("location.hash = 'overview'")
    process = stack.pid("snapshots")
    os.kill(process, signal.SIGSTOP)
    try:
        await tab.see_text("snapshots not answering", ".troubles")
    finally:
        os.kill(process, signal.SIGCONT)
    await tab.see("!document.querySelector('.troubles')")


async def cut_a_session(tab: Tab, stack: PrivateStack) -> None:
    """The venue cuts the connection: the logon after it is counted."""
    row = "[...document.querySelectorAll('tbody tr')].find((row) => row.dataset.key === 'session@generic')"
    logons = f"Number({row}?.querySelector('[data-title=Logons]')?.innerText)"
    before = await tab.run(logons)
    ask(stack.run_folder, "exchange@generic", "fault", {"kind": "cut"})
    await tab.see(f"{logons} > {before}")


async def log_out_and_on(tab: Tab) -> None:
    """By hand; the way back is typed."""
    await tab.run("location.hash = 'sessions'")
    await tab.click("Log out", "td")
    await tab.click("Log out", "dialog form")
    await tab.see_text("logged out by hand", "tbody")
    await tab.click("Log on ...", "td")
    await tab.type_into("Type logon", "logon")
    await tab.click("Log on", "dialog form")
    await tab.see_text("open for orders", "tbody")
    await tab.run("location.hash = 'overview'")


async def kill(tab: Tab, stack: PrivateStack) -> None:
    """Two clicks and no typing; then the way back, which is typed."""
    await tab.run("document.getElementById('kill').click()")
    await tab.click("Kill now", "dialog")
    await tab.see_text("KILL SWITCH LATCHED", "#banner")
    assert stack.ask("session@generic", "status")["latched"] is True
    await tab.click("Resume ...", ".tile")
    await tab.click("Resume trading", "dialog form")
    assert stack.ask("session@generic", "status")["latched"] is True
    await tab.type_into("Type resume", "resume")
    await tab.click("Resume trading", "dialog form")
    await tab.see("document.getElementById('banner').hidden")
    assert stack.ask("session@generic", "status")["latched"] is False


async def be_refused(tab: Tab, stack: PrivateStack) -> None:
    """A viewer has no button to act with, and is refused where he asks without one."""
    await tab.click("Sign out")
    await sign_in(tab, stack, "victor")
    await tab.see_text("open for orders")
    await tab.run("location.hash = 'orders'")
    await tab.see("document.getElementById('filter') !== null")
    assert await tab.run("document.getElementById('kill').hidden")
    assert not await tab.run("document.body.innerText.includes('New order')")
    body = '{"token": "0123456789", "body": {}}'
    post = f"fetch('/api/act/kill', {{method: 'POST', body: {body!r}}}).then((answer) => answer.status)"
    assert await tab.run(post) == 403
    assert stack.ask("session@generic", "status")["latched"] is False
    # The browser notes an answer of 403 in its console, which is what this has asked for.
    tab.complaints = [each for each in tab.complaints if "status of 403" not in each]
