"""`fixring top`: the overview in the terminal, asked anew every second.

It is drawn with the standard library's curses: nothing to install, and it is there at once. The stack is asked, the
journal read and the kill switch pulled by a thread each, so that keys are answered meanwhile.
"""

import curses
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

import click
import msgspec

from common.config import Config, load
from common.exit_status import ExitStatus
from common.journal import JournalError
from common.orders.money import Held, prices_told
from common.past.select import OrderTrail, open_reader
from common.past.story import story
from common.strategy.client import Client, NotRunning
from scripts.cli.colour import no_color
from scripts.cli.errors import CommandError
from scripts.cli.journal import dictionaries
from scripts.cli.journal_parts import own_journal
from scripts.cli.money import profit_rows
from scripts.cli.orders import QUERY_S, order_document, own_name
from scripts.cli.status import ask_everybody
from scripts.top.view import DOWN, ENTER, ERASE, ESCAPE, UP, Act, Look, Mode, Style, View, chosen_order, pressed, screen

EVERY_S: Final = 1.0
KEY_MS: Final = 100
KEYS: Final = {
    curses.KEY_UP: UP, curses.KEY_DOWN: DOWN, curses.KEY_ENTER: ENTER, 10: ENTER, 13: ENTER, 27: ESCAPE,
    curses.KEY_BACKSPACE: ERASE, 127: ERASE, 8: ERASE,
}  # fmt: skip


@click.command()
def top() -> None:
    """The overview, live: sessions, processes, profit and open orders. Keys: an order's story, a filter, kill, quit."""
    config = load()
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CommandError("top needs a terminal; fixring status tells the same once", ExitStatus.USAGE)
    curses.wrapper(lambda window: _Top(config, window).run())


class _Top:
    """The terminal, and what its threads have found."""

    def __init__(self, config: Config, window: "curses.window") -> None:
        self._config = config
        self._window = window
        self._look = Look()
        self._view = View()
        self._asked_s = time.monotonic()
        self._ended = threading.Event()
        self._styles = _styles()

    def run(self) -> None:
        """Until a person ends it."""
        curses.curs_set(0)
        self._window.timeout(KEY_MS)
        self._begin(self._ask_on)
        try:
            while not self._ended.is_set():
                self._draw()
                self._take(self._window.getch())
        except KeyboardInterrupt:
            pass
        finally:
            self._ended.set()

    def _begin(self, work: Callable[[], None]) -> None:
        threading.Thread(target=work, daemon=True).start()

    def _take(self, code: int) -> None:
        key = KEYS.get(code, chr(code) if 32 <= code < 127 else "")
        if not key:
            return
        name = chosen_order(self._look, self._view)
        self._view, act = pressed(self._look, self._view, key)
        if act is Act.QUIT:
            self._ended.set()
        elif act is Act.STORY:
            self._begin(lambda: self._show(_story(self._config, name)))
        elif act is Act.KILL:
            self._view = View(Mode.STORY, text=("killing ...",))
            self._begin(lambda: self._show(_kill()))

    def _show(self, text: list[str]) -> None:
        if self._view.mode is Mode.STORY:
            self._view = self._view._replace(text=text, scrolled=0)

    def _draw(self) -> None:
        height, width = self._window.getmaxyx()
        self._window.erase()
        age_s = time.monotonic() - self._asked_s
        for row, line in enumerate(screen(self._look, self._view, width, height, age_s)):
            self._window.addstr(row, 0, line.text, self._styles[line.style])
        self._window.refresh()

    def _ask_on(self) -> None:
        client: Client | None = None
        while not self._ended.is_set():
            status = ask_everybody(self._config)
            look = Look(datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"), status, silent=("orders",))
            try:
                if client is None:
                    client = Client(own_name(), config=self._config, connect_timeout_s=QUERY_S)
                look = _with_books(self._config, client, look)
            except NotRunning:
                client = None
            self._look, self._asked_s = look, time.monotonic()
            self._ended.wait(EVERY_S)


def _with_books(config: Config, client: Client, look: Look) -> Look:
    orders = client.query("orders", timeout_s=QUERY_S).orders
    held = msgspec.json.decode(client.query("money", timeout_s=QUERY_S).detail, type=Held)
    rows = sorted(map(order_document, orders), key=lambda order: str(order["name"]))
    prices = prices_told(look.status["risk"].get("exposures", ()))
    return look._replace(
        orders=rows, profit=profit_rows(config, held, prices), currency=config.stack.money.currency, silent=()
    )


def _story(config: Config, name: str) -> list[str]:
    try:
        reader = open_reader(str(own_journal(config)))
        names = dictionaries()
        return [line for step in story(reader, OrderTrail.of(name, reader)) for line in step.text(names).split("\n")]
    except (JournalError, CommandError, OSError) as error:
        return [str(error)]


def _kill() -> list[str]:
    """The same command as by hand, in a process of its own."""
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "scripts.cli.main", "kill"], capture_output=True, text=True, check=False
    )
    return [*ended.stdout.splitlines(), *ended.stderr.splitlines(), f"exit status {ended.returncode}"]


def _styles() -> Mapping[Style, int]:
    plain = {Style.PLAIN: curses.A_NORMAL, Style.TITLE: curses.A_BOLD, Style.CHOSEN: curses.A_REVERSE}
    if not curses.has_colors() or no_color():
        return {**plain, Style.GOOD: curses.A_NORMAL, Style.BAD: curses.A_BOLD}
    curses.use_default_colors()
    curses.init_pair(1, curses.COLOR_GREEN, -1)
    curses.init_pair(2, curses.COLOR_RED, -1)
    return {**plain, Style.GOOD: curses.color_pair(1), Style.BAD: curses.color_pair(2) | curses.A_BOLD}
