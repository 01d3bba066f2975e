"""Make the store anew, with the code at hand: `python -P -m tests.upgrade.make_store`, some minutes.

A real stack of both simulated venues trades under load while its exchanges do wrong, its processes die and people
interfere; at the end it is killed where it stands, with orders open, orders nobody knows the end of, and an emergency
file that nobody has handed over. Then everything is read once, and written beside this file: the archive, what was
read out of it, and what a client said and heard.

Only do this where an older store is not needed any more: a store made by newer code proves nothing about older stores.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import zmq

from common.actor.control import Refused
from common.config import CHECKOUT
from common.journal import OsFiles, Reader
from common.journal.frames import EPOCH
from common.messages import (
    PAYLOADS,
    POST_ONLY,
    AmendRequest,
    Append,
    Appended,
    CancelAllRequest,
    CancelRequest,
    EntryAnswer,
    EpochGranted,
    EpochRequest,
    Hello,
    Inbound,
    JournalAnswer,
    Kind,
    NewOrderRequest,
    OneEvent,
    QueryRequest,
    Terms,
    Welcome,
    encode,
)
from common.past.words import payload_of
from common.strategy.client import Client
from scripts.stack import PrivateStack
from scripts.torture.load import Load
from tests.upgrade.reading import number_text, read_log
from tests.upgrade.store import ARCHIVE, CLIENT, LEFT_OUT, QUIET, SETTINGS, pack_store, write_expected

RATE = 100.0
SEED = 12
PATIENCE_S = 40.0
LOAD_S = 5.0
FAULT_S = 0.8
MANY_ORDERS, AT_ONCE = 3200, 20
VENUES = ("generic", "binance")
VENUE_FAULTS: tuple[tuple[str, dict[str, object]], ...] = (
    ("reject", {"count": 4}),
    ("unknown", {"count": 3}),
    ("lost", {"count": 2}),
    ("late_fill", {"count": 3}),
    ("crossed", {"count": 2}),
    ("bare", {"count": 2}),
    ("unreadable", {"count": 2, "text": "F"}),
    ("gap", {"count": 3}),
    ("skip", {"count": 2}),
    ("duplicate", {"count": 5}),
    ("garble", {"count": 2}),
    ("reject_status", {"count": 2}),
    ("silent", {"count": 2}),
    ("self_trade", {"count": 50}),
    ("cut", {"count": 1}),
    ("maintenance", {"ms": 800}),
)
ACTORS = ("session@binance", "risk", "orders", "journal", "exchange@generic", "account@binance", "session@generic")
LATCHED = ("session@generic", "session@binance", "account@binance", "risk")
PASSIVE = {"BTCUSDT": ("63500", "66500"), "ETHUSDT": ("3430", "3570")}
"""Prices to buy and to sell at that a slow market does not reach."""


class Maker:
    """The deeds, one after another, on one stack."""

    def __init__(self, stack: PrivateStack) -> None:
        self._stack = stack

    # ---- what a deed is made of ----

    def fixring(self, *words: str, status: int = 0) -> str:
        """What an operator types. Raises RuntimeError where it ends otherwise than with `status`."""
        command = [sys.executable, "-P", "-m", "scripts.cli.main", *words]
        done = subprocess.run(
            command, cwd=CHECKOUT, env=self._stack.environ, capture_output=True, text=True, check=False
        )
        print("fixring", *words, "->", done.returncode, (done.stdout + done.stderr).strip()[-300:].replace("\n", " | "))
        if done.returncode != status:
            raise RuntimeError(f"fixring {' '.join(words)} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def status(self, actor: str) -> dict[str, Any]:
        """What the actor says of itself."""
        return dict(self._stack.ask(actor, "status"))

    def until(self, what: str, holds: Callable[[], object]) -> None:
        """Wait. Raises RuntimeError where it takes too long."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not holds():
            if time.monotonic() > deadline_s:
                raise RuntimeError(f"not within {PATIENCE_S:g} s: {what}")
            time.sleep(0.1)

    def ready(self) -> None:
        """Everybody is there again."""
        self._stack.wait_ready()

    # ---- the deeds ----

    def trade_under_faults(self) -> None:
        """The load, every fault that an exchange has, and the death of everybody once."""
        load = Load(self._stack.config, RATE, SEED)
        load.start()
        time.sleep(LOAD_S)
        for name, arguments in VENUE_FAULTS:
            for venue in VENUES:
                # A dialect refuses the faults that it has no words for.
                with contextlib.suppress(Refused):
                    self._stack.ask(f"exchange@{venue}", "fault", {"kind": name, "scope": "fix", **arguments})
            time.sleep(FAULT_S)
            for venue in VENUES:
                self._stack.ask(f"exchange@{venue}", "fault", {"kind": "clear"})
        self.ready()
        for venue in VENUES:
            self.fixring("signals", "send", venue, "ETHUSDT", "buy", "--strength", "0.5")
        load.flood(600)
        time.sleep(1)
        for actor in ACTORS:
            print("kill -9", actor)
            self._stack.kill(actor)
            time.sleep(FAULT_S)
            self.ready()
        # What it had not read when it died it never had, and it asks for it: orders among it are gap-filled.
        os.kill(self._stack.pid("exchange@generic"), signal.SIGSTOP)
        time.sleep(0.5)
        self._stack.kill("exchange@generic")
        time.sleep(FAULT_S)
        self.ready()
        journal = self._stack.pid("journal")
        os.kill(journal, signal.SIGSTOP)
        time.sleep(2.5)
        os.kill(journal, signal.SIGCONT)
        time.sleep(FAULT_S)
        if not load.quiet(PATIENCE_S):
            print("the load was not quiet:", list(load.book.unsettled())[:3])
        load.end()

    def fill_the_index(self) -> None:
        """So many orders that come to nothing that the first ones leave memory for the index."""
        with Client("many", config=self._stack.config) as client:
            for _ in range(MANY_ORDERS // AT_ONCE):
                price = PASSIVE["BTCUSDT"][0]
                numbers = [
                    client.new("generic", "BTCUSDT", "buy", "0.001", price, time_in_force="ioc") for _ in range(AT_ONCE)
                ]
                for number in numbers:
                    client.wait_closed(number)
                self._settle(client, 0.05)

    def answer_late(self) -> None:
        """An exchange answers so late that the order manager gives its question up, and answers in the end."""
        self._stack.ask("exchange@generic", "fault", {"kind": "silent", "scope": "fix", "count": 4})
        with Client("silence", config=self._stack.config) as client:
            number = client.new("generic", "BTCUSDT", "buy", "0.01", PASSIVE["BTCUSDT"][0])
            client.wait(number)
            self.until("silence/1 is NEW", lambda: client.orders.get(number) or client.poll(0.1))
            client.cancel(number)
            if not client.wait_closed(number, PATIENCE_S):
                raise RuntimeError("the silent cancel never came to an end")
        self._stack.ask("exchange@generic", "fault", {"kind": "clear"})

    def trade_by_hand(self) -> None:
        """Orders whose story is known: amended, filled in part, cancelled; and a verdict, before the venue's word."""
        for venue in VENUES:
            with Client(f"desk-{venue}", config=self._stack.config) as client:
                for symbol in PASSIVE:
                    buy, sell = PASSIVE[symbol]
                    quantity = Decimal("0.02") if symbol == "BTCUSDT" else Decimal("0.5")
                    filled = client.new(venue, symbol, "buy", quantity)
                    first = client.new(venue, symbol, "buy", quantity, buy, label="amended")
                    second = client.new(venue, symbol, "sell", quantity, sell, post_only=True)
                    for number in (filled, first, second):
                        client.wait(number)
                    self._settle(client)
                    client.wait(client.amend(first, quantity * 2, Decimal(buy) + 1))
                    self._settle(client)
                    client.wait(client.amend(first, quantity, Decimal(buy) - 1))
                    self._settle(client)
                    client.wait(client.cancel(first))
                    client.wait(client.new(venue, symbol, "buy", "0.000001", buy))
                    client.wait(client.new(venue, symbol, "buy", "4", "1"))
                    client.wait_closed(first)
                    client.wait(client.cancel_all(venue))
                    client.wait_closed(second)

    def _settle(self, client: Client, seconds: float = 0.4) -> None:
        for _ in client.events(seconds):
            pass

    def take_back(self) -> None:
        """The venue takes a fill back, and corrects another."""
        rows = self._trades("generic", "BTCUSDT")
        bust, correct = rows[-1], rows[-2]
        half = number_text((Decimal(correct["qty"]) / 2).quantize(Decimal("0.00001")))
        for row, terms in ((bust, {"qty": "0"}), (correct, {"qty": half, "px": "64999.50"})):
            asked: dict[str, object] = {"order_id": int(row["order_id"]), "trade_id": row["trade_id"]}
            asked |= terms
            told = self._stack.ask("exchange@generic", "correct", asked)
            print("correct", asked, "->", told)
        time.sleep(1)

    def _trades(self, venue: str, symbol: str) -> list[dict[str, Any]]:
        rows = self._stack.ask(f"exchange@{venue}", "trades", {"symbol": symbol, "limit": 20})["trades"]
        assert isinstance(rows, list)
        return rows

    def settle_by_word(self) -> None:
        """A person's verdict on an open order, and the venue's own word after it."""
        words = ["generic", "BTCUSDT", "buy", "0.01", "--price", PASSIVE["BTCUSDT"][0], "--name", "verdict"]
        self.fixring("orders", "new", *words)
        shown = msgspec.json.decode(self.fixring("orders", "show", "verdict/1", "--json"))
        self.fixring(
            "orders", "settle", "verdict/1", "--status", "canceled", "--text", "seen at the venue", "--known", "--yes"
        )
        self._stack.ask("exchange@generic", "cancel", {"cl_ord_id": find_text(shown, "cl_ord_id")})
        time.sleep(1)

    def meet_a_stranger(self) -> None:
        """Somebody else orders on our account, and takes it back."""
        for venue in VENUES:
            terms = {"symbol": "BTCUSDT", "side": "1", "qty": "0.01", "price": "63000"}
            self._stack.ask(f"exchange@{venue}", "place", {"cl_ord_id": "web-1", **terms})
        time.sleep(1)
        for venue in VENUES:
            self._stack.ask(f"exchange@{venue}", "cancel", {"cl_ord_id": "web-1"})

    def halt(self) -> None:
        """Risk is halted by hand, in two ways; one of them stays."""
        self.fixring("risk", "halt", "--symbol", "ETHUSDT")
        self.fixring("orders", "new", "generic", "ETHUSDT", "buy", "0.1", "--price", "3430", "--name", "no", status=6)
        self.fixring("risk", "unhalt", "--symbol", "ETHUSDT", "--yes")
        self.fixring("risk", "halt", "--strategy", "desk-generic")

    def skip_a_record(self) -> None:
        """A record that nobody can read stands in the log; what adds risk is refused until a person accepts it."""
        context = zmq.Context()
        journal = context.socket(zmq.DEALER)
        decode = msgspec.msgpack.Decoder(JournalAnswer).decode
        try:
            journal.connect(self._stack.config.endpoint("journal"))
            journal.send(encode(EpochRequest("stranger", 1)))
            granted = decode(journal.recv())
            assert isinstance(granted, EpochGranted)
            entry = (int(Kind.INBOUND), b"\x93\xa7inbound\xa7generic\xc1")
            journal.send(encode(Append("stranger", granted.epoch, 1, [entry])))
            appended = decode(journal.recv())
            assert isinstance(appended, Appended), appended
        finally:
            journal.close(linger=0)
            context.term()
        self.until("the record is left out", lambda: self.status("orders").get("left_out_lsns"))
        words = ["generic", "ETHUSDT", "buy", "0.1", "--price", "3430", "--name", "unread"]
        self.fixring("orders", "new", *words, status=6)
        self.fixring("journal", "skip", str(appended.lsn), "--yes")

    def pull_the_kill_switch(self) -> None:
        """With everything running; then a session's numbers are reset and set while it is logged out."""
        for venue in VENUES:
            words = [venue, "BTCUSDT", "buy", "0.01", "--price", PASSIVE["BTCUSDT"][0], "--name", f"killed-{venue}"]
            self.fixring("orders", "new", *words)
        self.fixring("kill")
        self.fixring("resume", "--yes")
        self.fixring("session", "logout", "generic", "--yes")
        self.until("logged out", lambda: self.status("session@generic")["state"] == "logged_out")
        self.fixring("session", "reset", "generic", "--yes")
        self.fixring("session", "logon", "generic", "--yes")
        self.ready()
        self.fixring("session", "logout", "generic", "--yes")
        self.until("logged out", lambda: self.status("session@generic")["state"] == "logged_out")
        self.fixring("session", "set-seq", "generic", "--out", "4000", "--yes")
        self.fixring("session", "logon", "generic", "--yes")
        self.ready()

    def kill_alone(self, sessions: tuple[str, ...]) -> None:
        """With the journal stopped: the emergency file is these sessions' journal."""
        os.kill(self._stack.pid("journal"), signal.SIGSTOP)
        time.sleep(0.6)
        for name in sessions:
            self._stack.ask(name, "kill", {})
        alone = [name for name in sessions if name.startswith("session@")]
        self.until("clear", lambda: all(self.status(name)["kill"] == "clear" for name in alone))
        print({name: self.status(name)["emergency"] for name in alone})

    def hand_over(self) -> None:
        """The journal goes on, is handed the emergency files, and trading is resumed."""
        os.kill(self._stack.pid("journal"), signal.SIGCONT)
        sessions = [name for name in LATCHED if name.startswith("session@")]
        self.until("handed over", lambda: not any(self.status(name)["emergency"] for name in sessions))
        time.sleep(1)
        self.fixring("resume", "--yes")
        self.ready()

    def record_a_client(self) -> None:
        """A client's session, byte by byte."""
        lines: list[str] = []
        context = zmq.Context()
        entry = context.socket(zmq.DEALER)
        decode = msgspec.msgpack.Decoder(EntryAnswer).decode

        def say(message: msgspec.Struct) -> None:
            lines.append(f"> {encode(message).hex()}")
            entry.send(encode(message))

        def hear(seconds: float) -> list[Any]:
            heard = []
            while entry.poll(int(seconds * 1000)):
                data = entry.recv()
                lines.append(f"< {data.hex()}")
                heard.append(decode(data))
            return heard

        try:
            entry.connect(self._stack.config.endpoint("entry"))
            say(Hello("old-client", "a1"))
            (epoch,) = [answer.epoch for answer in hear(0.5) if isinstance(answer, Welcome)]
            buy, sell = PASSIVE["BTCUSDT"]
            first = Terms("1", "2", Decimal("0.01"), Decimal(buy))
            say(NewOrderRequest(epoch, 1, "generic", "BTCUSDT", first, label="first"))
            resting = Terms("2", "2", Decimal("0.01"), Decimal(sell), instructions=POST_ONLY)
            say(NewOrderRequest(epoch, 2, "binance", "BTCUSDT", resting))
            say(NewOrderRequest(epoch, 3, "binance", "BTCUSDT", Terms("1", "1", Decimal("0.001"))))
            hear(1)
            say(AmendRequest(epoch, 4, 1, price=Decimal(buy) + 1))
            say(AmendRequest(epoch, 5, 2, Decimal("0.02")))
            hear(1)
            say(CancelRequest(epoch, 6, 1))
            hear(1)
            say(NewOrderRequest(epoch, 7, "nowhere", "BTCUSDT", Terms("1", "2", Decimal("0.01"), Decimal(buy))))
            say(QueryRequest("orders", "old-client", token=1))
            hear(0.5)
            say(CancelAllRequest(epoch, 8, "binance"))
            hear(1)
        finally:
            entry.close(linger=0)
            context.term()
        CLIENT.write_text("\n".join(lines) + "\n")

    def await_snapshots(self) -> None:
        """Those of the round that is due are there, and none is under way."""
        due_lsn = self.status("journal")["durable_lsn"] - int(SETTINGS["FIXRING__JOURNAL__SNAPSHOT_RECORDS"])
        self.until("snapshots", lambda: (told := self.status("snapshots"))["lsn"] >= due_lsn and not told["making"])

    def leave_orders_open(self) -> None:
        """What the end finds: orders that rest at both venues, one filled in part, one that nobody has answered."""
        for venue in VENUES:
            with Client(f"rests-{venue}", config=self._stack.config) as client:
                for symbol, (buy, sell) in PASSIVE.items():
                    quantity = "0.03" if symbol == "BTCUSDT" else "0.7"
                    numbers = [client.new(venue, symbol, "buy", quantity, buy, label="rests")]
                    numbers += [
                        client.new(venue, symbol, "sell", quantity, sell),
                        client.new(venue, symbol, "buy", "0.3"),
                    ]
                    for number in numbers:
                        client.wait(number)
                self._settle(client)
                client.wait(client.amend(1, "0.04"))
                self._settle(client)
        os.kill(self._stack.pid("exchange@binance"), signal.SIGSTOP)
        with Client("rests-binance", config=self._stack.config) as client:
            client.wait(client.new("binance", "BTCUSDT", "buy", "0.05", PASSIVE["BTCUSDT"][0]))
            client.wait(client.amend(2, "0.06"))
            client.wait(client.cancel(4))
        # The ticks that follow say that these records are durable.
        time.sleep(0.6)


def find_text(document: object, key: str) -> str:
    """The first value under `key`, however deep. Raises KeyError."""
    if isinstance(document, dict):
        if key in document:
            return str(document[key])
        for value in document.values():
            try:
                return find_text(value, key)
            except KeyError:
                continue
    raise KeyError(key)


def count_contents(folder: Path) -> Counter[str]:
    """How many records of each kind the log has, commands and venue's words by their own."""
    counts: Counter[str] = Counter()
    reader, lsn = Reader(folder, OsFiles()), 0
    last = reader.durable_lsn()
    while lsn < last:
        for record in reader.read(lsn + 1, last):
            lsn = record.lsn
            counts["epoch"] += record.kind == EPOCH
            payload = payload_of(record)
            if payload is not None:
                counts[type(payload).__name__] += 1
                for part in ("event", "command"):
                    if (its := getattr(payload, part, None)) is not None:
                        counts[f"{type(payload).__name__} {type(its).__name__}"] += 1
    return counts


def missing_contents(counts: Counter[str]) -> list[str]:
    """What a store should have and this one has not."""
    wanted = [kind.__name__ for kind in PAYLOADS.values()]
    wanted += [f"{Inbound.__name__} {event.__name__}" for event in OneEvent.__args__]
    return [name for name in wanted if not counts[name]]


def make_store(folder: Path) -> Counter[str]:
    """Make the store below `folder` and write what stands beside this file; returns what the log holds."""
    stack = PrivateStack(folder, SETTINGS)
    maker = Maker(stack)
    with stack:
        maker.trade_under_faults()
        maker.trade_by_hand()
    with PrivateStack(folder, {**SETTINGS, **QUIET}) as stack:
        maker = Maker(stack)
        maker.fill_the_index()
        maker.take_back()
        maker.answer_late()
        maker.settle_by_word()
        maker.meet_a_stranger()
        maker.halt()
        maker.skip_a_record()
        maker.pull_the_kill_switch()
        maker.kill_alone(LATCHED)
        maker.hand_over()
        maker.record_a_client()
        maker.until("reconciled", lambda: not maker.status("orders").get("unknown_orders"))
        maker.fixring("reconcile")
        maker.await_snapshots()
        maker.leave_orders_open()
        maker.kill_alone(("session@generic",))
        stack.kill_all()
    config = stack.config
    counts = count_contents(config.journal_folder)
    document = {"made_of": commit(), "counts": dict(sorted(counts.items())), **read_log(config)}
    write_expected(document)
    pack_store(folder / "var", ARCHIVE)
    return counts


def commit() -> str:
    """The commit of the code at hand."""
    command = ["git", "rev-parse", "HEAD"]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="fxr") as name:
        found = make_store(Path(name))
        print(*(f"{count:6} {what}" for what, count in sorted(found.items())), sep="\n")
        print("missing:", ", ".join(missing_contents(found)) or "nothing", "; left out:", ", ".join(LEFT_OUT))
