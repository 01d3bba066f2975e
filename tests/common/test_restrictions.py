"""Invariant: what a person wants is not called silence or absence, and what nobody wants is named."""

from typing import Any

import pytest

from common.restrictions import not_to_run, restrictions

ROW = {"sign": "silent", "quiet_ms": 5000, "silent_after_ms": 5000, "on_exit": "cancel", "open_orders": 3}


def told(statuses: dict[str, dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(found.actor, found.reason, found.text) for found in restrictions(statuses)]


@pytest.mark.parametrize(("on_exit", "are"), [("cancel", "are being cancelled"), ("leave", "stay open")])
def test_a_silent_strategy_is_named_with_what_becomes_of_its_orders(on_exit: str, are: str) -> None:
    orders = {"strategies": {"maker": {**ROW, "on_exit": on_exit}, "signals": {**ROW, "sign": "alive"}}}
    text = f"STRATEGY maker SILENT: its 3 orders {are}"
    assert told({"orders": orders}) == [("orders", "strategy_silent", text)]


def test_one_that_a_person_has_stopped_is_said_to_be_stopped_and_not_silent() -> None:
    names = ["orders", "strategy@maker", "strategy@new", "strategy@signals"]
    children = {
        "strategy@maker": {"pid": 0, "stopped": "ann at noon"},
        "strategy@signals": {"pid": 7, "stopped": ""},
    }
    absent = not_to_run(names, children)
    assert {name: its["state"] for name, its in absent.items()} == {
        "strategy@maker": "stopped", "strategy@new": "not added",
    }  # fmt: skip
    found = told({"orders": {"strategies": {"maker": ROW}}, **absent})
    assert [(actor, reason) for actor, reason, _ in found] == [
        ("strategy@maker", "stopped"), ("strategy@new", "not_added"),
    ]  # fmt: skip
    assert "ann at noon" in found[0][2]


def test_a_link_to_another_host_that_is_cut_off_is_named_with_why() -> None:
    why = "tcp://10.0.0.5:9701 does not let the key of strategies in"
    found = told({"strategy@maker": {"state": "live", "cut_off": {"entry": why}}})
    assert found == [("strategy@maker", "link_cut_off", f"LINK CUT OFF: {why}")]


def test_one_that_is_being_stopped_still_answers_for_itself() -> None:
    assert not_to_run(["strategy@maker"], {"strategy@maker": {"pid": 7, "stopped": "ann"}}) == {}
