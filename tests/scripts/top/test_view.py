"""`fixring top`: what is shown fits, what is wrong stands out, and a key does what its line says."""

from typing import Any

import pytest

from scripts.top.view import DOWN, ENTER, ERASE, ESCAPE, HELP, UP, Act, Look, Mode, Style, View, pressed, screen


def order(name: str, **other: Any) -> dict[str, Any]:
    return {
        "name": name, "account": "generic", "symbol": "BTCUSDT", "side": "buy", "leaves_qty": "1", "price": "60000",
        "status": "NEW", **other,
    }  # fmt: skip


STATUS = {
    "environment": "simulated",
    "restricted": [{"actor": "risk", "text": "halted: strategy maker"}],
    "actors": {
        "orders": {"state": "live", "restarts": 2, "unknown_orders": 1},
        "session@generic": {"state": "not running", "restarts": 0},
    },
    "sessions": {
        "session@generic": {"state": "connecting", "next_outbound": 7, "next_inbound": 9, "last_heard_ms": 1500},
        "session@binance": {"state": "ready", "last_heard_ms": None},
    },
}
LOOK = Look(
    "2027-01-15 08:00:00", STATUS, [order("maker/1"), order("maker/2", status="UNKNOWN"), order("taker/1")],
    [("maker", "1.00", "0.50", "0.10", "1.40", "1.40"), ("total", "-2.00", "0.00", "0.00", "-2.00", "-")], "USDT",
)  # fmt: skip


def texts(look: Look, view: View, width: int = 120, height: int = 40, age_s: float = 0) -> list[str]:
    return [line.text for line in screen(look, view, width, height, age_s)]


def test_what_is_wrong_stands_out() -> None:
    bad = {line.text for line in screen(LOOK, View(), 120, 40, 4.2) if line.style is Style.BAD}
    assert {
        "STALE: this is of 4 s ago", "RESTRICTED risk: halted: strategy maker", "session@generic is not running",
        "1 orders are UNKNOWN: fixring orders unknown",
    } < bad  # fmt: skip
    assert any(text.startswith("session@generic") and "connecting" in text for text in bad)
    assert any(text.startswith("maker/2") for text in bad) and any(text.startswith("total") for text in bad)
    assert "2 processes, 1 missing; restarts: orders 2" in texts(LOOK, View())


@pytest.mark.parametrize(("width", "height"), [(20, 5), (80, 24), (200, 60), (1, 1)])
def test_it_fits_every_terminal(width: int, height: int) -> None:
    for view in (View(), View(Mode.STORY, text=("x" * 300,) * 100), View(Mode.KILL), View(Mode.FILTER, "maker")):
        lines = texts(LOOK, view, width, height)
        assert len(lines) <= height and all(len(line) < max(width, 1) or not line for line in lines)


def test_before_the_first_answer_it_says_so_and_keys_do_no_harm() -> None:
    assert texts(Look(), View())[0] == "asking the stack ..."
    for key in (UP, DOWN, ENTER, "x"):
        assert pressed(Look(), View(), key) == (View(), None)


def test_an_order_is_chosen_and_its_story_asked_for_and_left() -> None:
    view, act = pressed(LOOK, View(), DOWN)
    assert (view.chosen, act) == (1, None)
    view, act = pressed(LOOK, view, ENTER)
    assert (view.mode, act) == (Mode.STORY, Act.STORY)
    view, _ = pressed(LOOK, view._replace(text=("a", "b")), DOWN)
    assert texts(LOOK, view)[1:] == ["b"]
    assert pressed(LOOK, view, ESCAPE) == (View(chosen=1), None)


def test_the_chosen_order_is_on_the_screen_however_many_there_are() -> None:
    many = LOOK._replace(orders=[order(f"maker/{number}") for number in range(1, 200)])
    lines = screen(many, View(chosen=150), 120, 30, 0)
    assert [line.text.split()[0] for line in lines if line.style is Style.CHOSEN] == ["maker/151"]


def test_a_filter_narrows_the_orders_as_it_is_typed() -> None:
    view, _ = pressed(LOOK, View(), "/")
    for key in "takex":
        view, _ = pressed(LOOK, view, key)
    view, _ = pressed(LOOK, view, ERASE)
    view, _ = pressed(LOOK, view, ENTER)
    assert view == View(filter="take")
    shown = "\n".join(texts(LOOK, view))
    assert "taker/1" in shown and "maker/1" not in shown and "filter: take" in shown
    assert pressed(LOOK, view, ESCAPE)[0].filter == ""


def test_a_kill_needs_its_y() -> None:
    asked, act = pressed(LOOK, View(), "k")
    assert asked.mode is Mode.KILL and act is None and "KILL" in texts(LOOK, asked)[-1]
    assert pressed(LOOK, asked, "n") == (View(), None)
    assert pressed(LOOK, asked, "y") == (View(), Act.KILL)
    assert texts(LOOK, View())[-1] == HELP


@pytest.mark.parametrize("view", [View(), View(Mode.STORY, text=("a",))])
def test_q_ends_it(view: View) -> None:
    assert pressed(LOOK, view, "q")[1] is Act.QUIT


def test_it_tells_how_long_a_venue_takes_and_which_rest_side_fails() -> None:
    accounts = {
        "binance": {"asked": 40, "failed": 3, "failing": "HTTP 503", "last_error": "HTTP 503"},
        "kraken": {"asked": 2, "failed": 1, "failing": "", "last_error": "timed out"},
    }
    told = {"generic": {"count": 9, "p50_ms": 1.5, "p99_ms": 20.0}}
    look = LOOK._replace(status={**STATUS, "accounts": accounts, "acknowledged": told})
    shown = {line.text: line.style for line in screen(look, View(), 120, 40, 0)}
    assert shown["REST: 42 questions, 4 failed"] is Style.PLAIN
    assert shown["REST of binance FAILS: HTTP 503"] is Style.BAD
    assert shown["REST of kraken: 1 failed, the last: timed out"] is Style.PLAIN
    assert any(text.startswith("session@generic") and text.split()[-2:] == ["1.5", "20.0"] for text in shown)
