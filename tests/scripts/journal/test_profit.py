"""Profit over a time is what the fold and the rules of money give at each moment, wherever the folding began."""

from decimal import Decimal
from pathlib import Path

import orjson
import pytest

from common.actor.order_books import account_facts
from common.actor.snapshots import make_snapshot
from common.config import Config, load
from common.instant import NS_PER_MS
from common.journal import OsFiles, Reader, iterate
from common.orders.blotter import Blotter
from common.orders.books import Books
from common.orders.facts import facts_of
from common.orders.fold import Fold
from common.orders.money import Price, held_by, net_by_strategy, rates_in, told_lines
from scripts.bench.long_journal import write_long_journal
from scripts.cli.main import run
from scripts.journal.profit import Sample, profit_history
from services.risk.make_snapshot import newest_state
from services.risk.state import WRITER

RECORDS = 600
EVERY_NS = NS_PER_MS // 2


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("FIXRING_VAR", str(tmp_path))
    config = load()
    write_long_journal(config.journal_folder, RECORDS, 1_790_000_000_000_000_000)
    return config


def history(
    config: Config, from_lsn: int = 1, upto_lsn: int | None = None, every_ns: int = EVERY_NS
) -> list[Sample]:
    reader = Reader(config.journal_folder, OsFiles())
    return list(profit_history(config, reader, from_lsn, upto_lsn, every_ns))


def at_end(config: Config, upto_lsn: int) -> dict[str, Decimal]:
    """The same by the rules alone, at the prices of the last fills, which the blotter has."""
    blotter, prices = Blotter(fold := Fold(Books(account_facts(config)))), dict[tuple[str, str], Price]()
    for record in iterate(config.journal_folder, OsFiles(), 1, upto_lsn):
        prices |= {(line.account, line.symbol): Price(line.px) for line in blotter.take_record(record)}
    money = config.stack.money
    accounts = {name: facts_of(account.venue, 0) for name, account in config.accounts.items()}
    rates = rates_in(money.currency, money.fixed_rates, accounts, prices)
    return net_by_strategy(told_lines(held_by(fold.books), prices, rates))


def test_samples_come_once_each_time_and_the_last_is_the_end(config: Config) -> None:
    samples = history(config)
    times = [sample.time_ms for sample in samples]
    assert times == sorted(times) and len(samples) > 5
    assert len(history(config, every_ns=2 * EVERY_NS)) < len(samples)
    assert set(samples[-1].net) == {"maker", "signals", "grid", "total"}
    for sample in samples:
        parts = [net for name, net in sample.net.items() if name != "total"]
        # Each is worked out to 28 digits, in an order of its own.
        assert abs(sum(parts, Decimal(0)) - sample.net["total"]) < Decimal("1e-20")


def test_a_range_from_a_snapshot_is_the_same_as_from_the_beginning(config: Config) -> None:
    whole = history(config)
    make_snapshot(config, WRITER, newest_state(config), RECORDS // 2)
    assert whole[-1].net == at_end(config, RECORDS * 2) and whole[-1].net["total"]
    part = history(config, RECORDS // 2 + 1)
    assert part[-1].net == whole[-1].net
    assert history(config, 1, 400)[-1].net == history(config, RECORDS // 2 + 1, 400)[-1].net


def test_the_command_tells_it_in_the_currency(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["profit-history", "--json"]) == 0
    told = orjson.loads(capsys.readouterr().out)
    assert told["currency"] == config.stack.money.currency and "total" in told["samples"][-1]
    assert run(["profit-history"]) == 0
    assert "total" in capsys.readouterr().out
