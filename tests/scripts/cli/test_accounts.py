"""Invariant: at one venue each account has its own orders, fills, positions and balances, whichever of its sessions
carries a command; what a person asks names accounts and sessions by their own names."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

from common.exit_status import ExitStatus
from common.messages import OrderEvent
from common.strategy.client import Client
from scripts.cli.main import run
from scripts.stack import PrivateStack

PATIENCE_S = 20.0
WITH_ACCOUNTS = {
    **{f"FIXRING__STRATEGIES__{name}__ENABLED": "false" for name in ("MAKER", "SIGNALS")},
    "FIXRING__BINANCE__ACCOUNTS__BINANCE__SESSIONS__BINANCE2__COMP_ID_PREFIX": "FXS",
    "FIXRING__BINANCE__ACCOUNTS__ARB__SESSION__COMP_ID_PREFIX": "FXA",
    "FIXRING__BINANCE__ACCOUNTS__ARB__CREDENTIALS__API_KEY_FILE": "keys/arb/api_key",
    "FIXRING__BINANCE__ACCOUNTS__ARB__CREDENTIALS__PRIVATE_KEY_FILE": "keys/arb/private_key.pem",
    "FIXRING__BINANCE__ACCOUNTS__ARB__BALANCES": '{ BTC = "10", USDT = "1000000" }',
}
FAR_BELOW = "62000.00"


@pytest.fixture(scope="module")
def stack() -> Iterator[PrivateStack]:
    """One venue with two accounts, of which the first has two sessions; and one as it comes."""
    with tempfile.TemporaryDirectory(prefix="fxr") as folder, PrivateStack(Path(folder), WITH_ACCOUNTS) as stack:
        yield stack


@pytest.fixture(autouse=True)
def _environment(stack: PrivateStack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("FIXRING")]:
        monkeypatch.delenv(name)
    for name, value in stack.environ.items():
        if name.startswith("FIXRING"):
            monkeypatch.setenv(name, value)


def until(is_so: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < give_up_s
        time.sleep(0.02)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    """What the command prints as JSON."""
    assert run([*arguments, "--json"]) == ExitStatus.OK
    found: dict[str, object] = orjson.loads(capsys.readouterr().out)
    return found


def rests(client: Client, account: str) -> int:
    """An order of the account that stays in the book; its number."""
    number = client.new("binance", "BTCUSDT", "buy", "0.01", FAR_BELOW, account=account)
    assert client.wait(number, PATIENCE_S).outcome == "sent"
    while True:
        event = client.poll(PATIENCE_S)
        assert event is not None
        if isinstance(event, OrderEvent) and event.number == number and event.event == "new":
            assert event.account == account
            return number


def sent_by(stack: PrivateStack, session: str) -> int:
    return int(str(stack.ask(f"session@{session}", "status")["next_outbound"]))


def test_each_account_has_its_own_fills_and_positions(
    stack: PrivateStack, capsys: pytest.CaptureFixture[str]
) -> None:
    with Client("buyer", config=stack.config) as client:
        number = client.new("binance", "BTCUSDT", "buy", "0.02", account="arb")
        assert client.wait(number, PATIENCE_S).outcome == "sent" and client.wait_closed(number, PATIENCE_S)
        until(lambda: ("arb", "BTCUSDT") in client.positions or client.poll(0.1) is None and False)
    positions = told(capsys, "positions")["positions"]
    held = {each["account"]: (each["venue"], Decimal(each["quantity"])) for each in positions}  # type: ignore[attr-defined]
    assert held["arb"][0] == "binance" and Decimal("0.019") < held["arb"][1] <= Decimal("0.02")
    assert "binance" not in held
    accounts = told(capsys, "accounts")["accounts"]
    assert Decimal(accounts["arb"]["balances"]["BTC"][0]) > 10  # type: ignore[index]
    assert Decimal(accounts["binance"]["balances"]["BTC"][0]) == 1000  # type: ignore[index]


def test_an_order_that_names_none_of_several_accounts_is_refused(stack: PrivateStack) -> None:
    with Client("careless", config=stack.config) as client:
        for account, text in (("", "name one of binance, arb"), ("generic", "no account generic")):
            number = client.new("binance", "BTCUSDT", "buy", "0.01", FAR_BELOW, account=account)
            outcome = client.wait(number, PATIENCE_S)
            assert (outcome.outcome, outcome.reason.value) == ("refused", "unknown_account") and text in outcome.text


def test_the_second_session_carries_what_the_first_one_cannot(stack: PrivateStack) -> None:
    with Client("mover", config=stack.config) as client:
        first = rests(client, "binance")
        before = sent_by(stack, "binance2")
        stack.ask("session@binance", "logout", {})
        until(lambda: stack.ask("session@binance", "status")["state"] == "logged_out")
        second = rests(client, "binance")
        for number in (first, second):
            client.cancel(number)
            assert client.wait_closed(number, PATIENCE_S)
        assert sent_by(stack, "binance2") >= before + 3
        stack.ask("session@binance", "logon", {})
        stack.wait_ready()


def test_both_accounts_agree_with_the_venue(stack: PrivateStack, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "reconcile")
    assert found["equal"] is True and set(found["accounts"]) == {"binance", "arb", "generic"}  # type: ignore[call-overload]


def test_a_cancel_of_all_and_a_halt_keep_to_the_account_that_they_name(
    stack: PrivateStack, capsys: pytest.CaptureFixture[str]
) -> None:
    with Client("rester", config=stack.config) as client:
        ours, arbs = rests(client, "binance"), rests(client, "arb")
        client.cancel_all(account="arb")
        assert client.wait_closed(arbs, PATIENCE_S) and ours in client.orders
        assert run(["risk", "halt", "--account", "arb"]) == ExitStatus.OK
        until(lambda: "account arb" in stack.ask("risk", "status")["halts"])  # type: ignore[operator]
        refused = client.wait(client.new("binance", "BTCUSDT", "buy", "0.01", FAR_BELOW, account="arb"), PATIENCE_S)
        assert refused.reason.value == "halted"
        client.cancel(rests(client, "binance"))
        assert run(["risk", "unhalt", "--account", "arb", "--yes"]) == ExitStatus.OK
        client.cancel(ours)
        assert client.wait_closed(ours, PATIENCE_S)
    capsys.readouterr()


def test_the_kill_switch_of_one_account_leaves_the_others_trading(
    stack: PrivateStack, capsys: pytest.CaptureFixture[str]
) -> None:
    with Client("spared", config=stack.config) as client:
        ours, arbs = rests(client, "binance"), rests(client, "arb")
        accounts = told(capsys, "kill", "--account", "arb", "--wait", "20")["accounts"]
        assert {name: its["clear"] for name, its in accounts.items()} == {"arb": True}  # type: ignore[attr-defined]
        assert client.wait_closed(arbs, PATIENCE_S) and ours in client.orders
        refused = client.wait(client.new("binance", "BTCUSDT", "buy", "0.01", FAR_BELOW, account="arb"), PATIENCE_S)
        assert refused.reason.value == "killed"
        for number in (ours, rests(client, "binance")):
            client.cancel(number)
            assert client.wait_closed(number, PATIENCE_S)
    assert run(["resume", "--account", "arb", "--yes"]) == ExitStatus.OK
    assert run(["kill", "--account", "kraken"]) == ExitStatus.USAGE
    capsys.readouterr()
    stack.wait_ready()


def test_the_kill_switch_vouches_for_each_account_by_all_of_its_sessions(
    stack: PrivateStack, capsys: pytest.CaptureFixture[str]
) -> None:
    with Client("killed", config=stack.config) as client:
        numbers = [rests(client, account) for account in ("binance", "arb")]
        accounts = told(capsys, "kill", "--wait", "20")["accounts"]
        assert {name: (its["latched"], its["clear"]) for name, its in accounts.items()} == dict.fromkeys(  # type: ignore[attr-defined]
            ("binance", "arb", "generic"), (True, True)
        )
        assert all(client.wait_closed(number, PATIENCE_S) for number in numbers)
    assert run(["resume", "--yes"]) == ExitStatus.OK
    stack.wait_ready()
