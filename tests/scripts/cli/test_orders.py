"""`fixring orders`: names, text, and exit statuses that need no running stack."""

import re
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path

import click
import pytest

from common.decimals import rounded, short
from common.exit_status import ExitStatus
from common.messages import STRATEGY_NAME, CommandOutcome, OrderEvent, OrderStatus, Terms
from common.strategy.client import terms_in_words
from common.strategy.terms import paid_orders
from scripts.cli.errors import CommandError
from scripts.cli.main import run
from scripts.cli.orders import _expire_ns, _list_terms, _usage, order_name, own_name
from scripts.cli.tables import table


def test_names() -> None:
    assert order_name("cli-1/7") == ("cli-1", 7)
    for text in ("7", "a/", "/7", "a/b", "a/\u00b2", "a/" + "9" * 5000):
        with pytest.raises(click.UsageError):
            order_name(text)


@pytest.mark.parametrize(
    ("value", "text"), [("0.01000000", "0.01"), ("100", "100"), ("1E+2", "100"), ("0E-8", "0"), ("-0.000000001", "0")]
)
def test_quantities_as_people_write_them(value: str, text: str) -> None:
    assert short(Decimal(value)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("65009.44805099634236760108537", "65009.4480509963"), ("100", "100"), ("0", "0"), ("-0.10", "-0.1"),
        ("0.0000123456789012345678", "0.0000123456789012346"), ("0E-8", "0"), ("1E+2", "100"),
    ],
)  # fmt: skip
def test_a_quotient_has_the_digits_of_a_price(value: str, text: str) -> None:
    assert rounded(Decimal(value)) == text


@pytest.mark.parametrize(
    "words",
    [
        "orders list", "orders new generic BTCUSDT buy 1", "orders settle s/1 --status canceled --text seen",
        "orders audit", "positions", "accounts",
    ],
)  # fmt: skip
def test_without_a_stack_nothing_is_running(
    words: str, short_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIXRING_VAR", str(short_folder))
    monkeypatch.setattr("scripts.cli.orders.CONNECT_S", 0.05)
    assert run(words.split()) == ExitStatus.NOT_RUNNING
    assert "fixring:" in capsys.readouterr().err


def test_a_name_of_the_command_line_is_a_strategys_name() -> None:
    assert re.fullmatch(STRATEGY_NAME, own_name())


@pytest.mark.parametrize(
    ("second", "status"),
    [("sell 1 stop=9", ExitStatus.NOT_RUNNING), ("sell 1 stopp=9", ExitStatus.USAGE), ("sell", ExitStatus.USAGE)],
)
def test_a_list_is_read_before_anybody_is_asked(
    second: str, status: ExitStatus, short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIXRING_VAR", str(short_folder))
    monkeypatch.setattr("scripts.cli.orders.CONNECT_S", 0.05)
    assert run(["orders", "new-list", "binance", "BTCUSDT", "oco", "sell 1 price=11 post-only", second]) == status


@pytest.mark.parametrize(
    ("kind", "second", "status"),
    [
        ("opo", "sell all price=11", ExitStatus.NOT_RUNNING), ("opo", "sell 1 price=11", ExitStatus.USAGE),
        ("oto", "sell all price=11", ExitStatus.USAGE), ("opo", "sell", ExitStatus.USAGE),
    ],
)  # fmt: skip
def test_what_another_order_pays_is_all_of_it(
    kind: str, second: str, status: ExitStatus, short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIXRING_VAR", str(short_folder))
    monkeypatch.setattr("scripts.cli.orders.CONNECT_S", 0.05)
    assert run(["orders", "new-list", "binance", "BTCUSDT", kind, "buy 1 price=9", second]) == status


def test_all_is_the_first_one_s_quantity_at_most() -> None:
    typed = ["buy 1.50 price=9", "sell all price=11 post-only", "sell all stop=8"]
    first, *others = paid_orders(_list_terms("opo", typed))
    assert not first.paid and [(each.order_qty, each.paid) for each in others] == [(Decimal("1.50"), True)] * 2


class Told:
    """A client that is told these events of its list, in this order."""

    def __init__(self, *told: tuple[int, str, OrderStatus]) -> None:
        self.events = [
            OrderEvent(
                9, index, "me", number, event, status, "binance", "BTCUSDT",
                Terms("2", "3", Decimal(1), stop_px=Decimal(9)), Decimal(0), Decimal(1), Decimal(0), f"a-{number}",
                "", list_number=1, text="no such price",
            )
            for index, (number, event, status) in enumerate(told)
        ]  # fmt: skip

    def new_list(self, *_: object, **__: object) -> int:
        return 1

    def wait(self, number: int, _: float) -> CommandOutcome:
        return CommandOutcome(8, 0, "me", number, "sent")

    def poll(self, _: float) -> OrderEvent | None:
        return self.events.pop(0) if self.events else None


PENDING, NEW, REJECTED = OrderStatus.PENDING_NEW, OrderStatus.NEW, OrderStatus.REJECTED


@pytest.mark.parametrize(
    ("told", "status", "said", "wrong"),
    [
        ([(1, "pending_new", PENDING), (2, "new", NEW), (1, "new", NEW)], ExitStatus.OK, {"me/1", "me/2"}, ""),
        (
            [(1, "rejected", REJECTED), (2, "new", NEW)], ExitStatus.REFUSED, {"me/1", "me/2"},
            "me/1 rejected by binance: no such price",
        ),
        ([(2, "new", NEW)], ExitStatus.TIMEOUT, {"me/2"}, "me/1 was sent; the venue has not answered yet"),
        ([], ExitStatus.TIMEOUT, set(), "me/1, me/2 were sent; the venue has not answered yet"),
    ],
)  # fmt: skip
def test_each_order_of_a_list_is_reported_whichever_is_told_of_first(
    told: list[tuple[int, str, OrderStatus]], status: ExitStatus, said: set[str], wrong: str, short_folder: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("FIXRING_VAR", str(short_folder))
    monkeypatch.setattr("scripts.cli.orders.connected", lambda *_: nullcontext(Told(*told)))
    words = ["orders", "new-list", "binance", "BTCUSDT", "oco", "sell 1 price=11 post-only", "sell 1 stop=9"]
    assert run([*words, "--wait", "0.01"]) == status
    out, err = capsys.readouterr()
    assert set(re.findall(r"^(me/.) (?:NEW|REJECTED):", out, re.MULTILINE)) == said and wrong in err
    assert ("at market stop 9 on" in out) is bool(said)


def test_terms_that_do_not_go_together_are_wrong_usage() -> None:
    with pytest.raises(click.UsageError, match="pegged order"), _usage():
        terms_in_words("buy", "1", "9", peg="primary")


@pytest.mark.parametrize("name", ["maker", "maker/17"])
def test_the_name_of_a_configured_strategy_is_taken_over_only_by_an_explicit_word(
    name: str, short_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIXRING_VAR", str(short_folder))
    monkeypatch.setattr("scripts.cli.orders.CONNECT_S", 0.05)
    words = ["orders", "new", "generic", "BTCUSDT", "buy", "1", "--name", name]
    assert run(words) == ExitStatus.USAGE
    assert "maker is a configured strategy" in capsys.readouterr().err
    assert run([*words, "--take-over"]) == ExitStatus.NOT_RUNNING


def test_what_others_wrote_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    table(("label",), [("\x1b[2J",)])
    assert capsys.readouterr().out == "label\n\\x1b[2J\n"
    assert str(CommandError("said \x9b31m")) == "said \\x9b31m"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("orders new genric BTCUSDT buy 1", "genric: no such venue; there is binance, generic"),
        ("orders new generic BTCUSD buy 1", "BTCUSD: no such symbol; there is BTCUSDT, ETHUSDT"),
        ("signals send kraken BTCUSDT buy", "no such venue"),
        ("accounts --venue kraken", "no such venue"),
        ("reconcile --venue kraken", "no such venue"),
        ("exchange orders generic --symbol BTCUSD", "BTCUSD: no such symbol; there is BTCUSDT, ETHUSDT"),
        ("exchange fault generic nonsense", "nonsense: no such fault; there is "),
        ("exchange book kraken", "no simulated venue is called 'kraken'"),
    ],
)
def test_a_name_that_there_is_not_is_usage_and_nothing_is_asked(
    words: str, told: str, short_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIXRING_VAR", str(short_folder))
    assert run(words.split()) == ExitStatus.USAGE
    assert told in capsys.readouterr().err


def test_wrong_words_are_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["orders", "amend", "s/1"]) == ExitStatus.USAGE
    assert run(["orders", "cancel", "nonsense"]) == ExitStatus.USAGE
    assert run(["orders", "settle", "s/1", "--status", "new", "--text", "why"]) == ExitStatus.USAGE
    assert run(["orders", "settle", "s/1", "--status", "canceled"]) == ExitStatus.USAGE


def test_a_time_is_typed_in_utc_or_with_its_zone() -> None:
    assert _expire_ns(None) == 0
    assert _expire_ns("2026-01-01T00:00") == _expire_ns("2026-01-01T01:00+01:00") == 1_767_225_600_000_000_000
    with pytest.raises(ValueError, match="--expire tomorrow is no time"):
        _expire_ns("tomorrow")
