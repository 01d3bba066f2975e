"""A person at the desk: he signs in, sends and cancels an order, goes back in time, sees what dies, and kills."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from common.actor.control import ask
from common.config import SERVED_VENUES
from scripts.stack import PrivateStack
from tests.services.desk.browser import CHROMIUM, Tab, browser

pytestmark = pytest.mark.torture

QUIET = {
    SERVED_VENUES: "generic",
    "FIXRING__STRATEGIES__MAKER__ENABLED": "false",
    "FIXRING__STRATEGIES__SIGNALS__ENABLED": "false",
}
ORDER_ROW = "[...document.querySelectorAll('tbody tr')].find((row) => row.dataset.key.startsWith('desk-'))"


def test_a_person_at_the_desk(tmp_path: Path) -> None:
    """One stack and one browser for all of it: each takes seconds to come up."""
    if not CHROMIUM:
        pytest.skip("no chromium is installed here: the desk's pages were not driven in a browser")
    with PrivateStack(tmp_path, QUIET) as stack:

        async def work() -> None:
            async with browser() as tab:
                await sign_in(tab, stack)
                lsn = await send_and_cancel(tab)
                await go_back(tab, lsn)
                await watch_one_stop(tab, stack)
                await cut_a_session(tab, stack)
                await log_out_and_on(tab)
                await kill(tab, stack)
                assert not tab.complaints, tab.complaints

        asyncio.run(work())


async def sign_in(tab: Tab, stack: PrivateStack) -> None:
    token = (stack.run_folder / "desk.token").read_text()
    await tab.open(f"http://127.0.0.1:{stack.config.stack.desk.port}/sign-in#{token}")
    await tab.see("location.pathname === '/' && document.querySelectorAll('#pages a').length === 8")
    await tab.see_text("SIMULATED", "#environment")
    await tab.see_text("open for orders")
    await tab.see_text("all well", "#health")


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
