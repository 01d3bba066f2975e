"""Seeds of trouble: nothing that a client is told may differ from the venue once it is quiet, and each bug that is
planted in the bridge is found by that."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from common.exchange.order import Order
from common.instant import Instant
from common.venues.backend import FillFact, OrderFact, Reply, Verdict
from services.bridge import reports
from services.bridge.book import BridgedOrder
from services.bridge.desk import Desk, Errand
from services.bridge.venue_side import VenueSide
from tests.services.bridge.powered import PoweredRig
from tests.services.bridge.rig import Rig
from tests.services.bridge.trial import Trial, assert_found_by_one_act

STEPS = 60


def run(seed: int, folder: Path, steps: int = STEPS) -> Trial:
    trial = Trial(seed, folder)
    trial.run(steps)
    trial.quiet()
    return trial


@pytest.mark.parametrize("seed", range(3))
def test_once_it_is_quiet_the_client_knows_what_the_venue_knows(tmp_path: Path, seed: int) -> None:
    assert run(seed, tmp_path).check() == []


def test_a_bridge_that_is_killed_over_requests_in_flight_finds_out_what_became_of_each(tmp_path: Path) -> None:
    kills, trial = 3, Trial(7, tmp_path)
    trial.die_over(10, kills)
    print(f"{trial.kills} kills with {sum(trial.in_flight)} requests in flight, at least {min(trial.in_flight)} each")
    print("\n".join(f"{count:6d}  {what}" for what, count in trial.outcomes.most_common()))
    assert trial.check() == [] and not trial.awaiting
    assert len(trial.in_flight) == kills and min(trial.in_flight) >= 10


@pytest.mark.parametrize("side", "12")
def test_what_a_trial_amends_is_amended_whichever_side_it_is_of(tmp_path: Path, side: str) -> None:
    trial = Trial(1, tmp_path)
    trial.place(side, 60_000)
    trial.amend()
    order = trial.rig.world.core.venue.find("desk", "", "", "d1")
    assert isinstance(order, Order) and order.order_qty == 9
    assert trial.check() == []


class PoweredTrial(Trial):
    """The bridge dies inside its calls to a disk that keeps only what was synced, and with the power of the host."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.powered: PoweredRig

        def make_rig(where: Path) -> Rig:
            self.powered = PoweredRig(where, seed)
            return self.powered

        super().__init__(seed, folder, make_rig)

    def _acts(self) -> list[tuple[Callable[[], None], int]]:
        return [*super()._acts(), (self.die_inside, 4)]

    def die_inside(self) -> None:
        """Within one of the calls that an order makes to the disk."""
        self.come()
        self.powered.die_within(self.random.randrange(1, 6))
        self.order()
        self.order()


@pytest.mark.parametrize("seed", range(4))
def test_a_bridge_whose_power_is_cut_within_a_write_has_lost_nothing_that_left(tmp_path: Path, seed: int) -> None:
    trial = PoweredTrial(seed, tmp_path)
    trial.run(STEPS)
    trial.powered.die_within(0)
    trial.quiet()
    print(f"seed {seed}: {trial.powered.deaths} deaths, {trial.powered.cuts} with the host's power")
    assert trial.check() == [] and trial.powered.cuts


def answers_before_it_syncs(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("scripts.simulation.disk.DiskFiles.sync", lambda self, handle: None)


def test_a_log_that_is_not_synced_is_found_by_the_power_cuts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers_before_it_syncs(monkeypatch)
    for seed in range(4):
        (tmp_path / str(seed)).mkdir()
        trial = PoweredTrial(seed, tmp_path / str(seed))
        trial.run(STEPS)
        if trial.powered.exit is not None:
            return
        trial.powered.die_within(0)
        trial.quiet()
        if trial.check():
            return
    raise AssertionError("nothing was found")


# ---- planted


def lost_answer_is_a_reject(patch: pytest.MonkeyPatch) -> None:
    answered = Desk.answered

    def wrong(self: Desk, errand: Errand, reply: Reply, now: Instant) -> None:
        refused = reply._replace(verdict=Verdict.REFUSED) if reply.verdict is Verdict.UNKNOWN else reply
        answered(self, errand, refused, now)

    patch.setattr(Desk, "answered", wrong)


def pushes_are_merged(patch: pytest.MonkeyPatch) -> None:
    see, fill = Desk._see, Desk._fill

    def merged(self: Desk, order: BridgedOrder, fact: OrderFact, now: Instant) -> None:
        if fact.cum_qty > order.cum_qty:
            whole = FillFact(
                fact.venue_id, fact.order_id, fact.symbol, f"m{fact.cum_qty}", fact.price or Decimal(0),
                fact.cum_qty - order.cum_qty, Decimal(0), "", False, fact.updated_ns,
            )  # fmt: skip
            fill(self, order, whole, now)
        see(self, order, fact, now)

    patch.setattr(Desk, "_see", merged)


def new_order_is_sent_again(patch: pytest.MonkeyPatch) -> None:
    answered = Desk.answered

    def again(self: Desk, errand: Errand, reply: Reply, now: Instant) -> None:
        answered(self, errand, reply, now)
        if errand.kind == "D" and reply.verdict is Verdict.UNKNOWN:
            self.errands.append(errand)

    patch.setattr(Desk, "answered", again)


def not_found_is_believed_at_once(patch: pytest.MonkeyPatch) -> None:
    def believed(self: VenueSide, order: BridgedOrder, asked_venue_ns: int, now: Instant) -> None:
        self._desk.absent(order, now)

    patch.setattr(VenueSide, "_missed", believed)


def reconnects_without_reading(patch: pytest.MonkeyPatch) -> None:
    def unread(self: VenueSide, now: Instant) -> None:
        self._round_boot_ns, self.is_live = now.boot_ns + 10**12, True

    patch.setattr(VenueSide, "_begin_round", unread)


def undecided_is_unknown(patch: pytest.MonkeyPatch) -> None:
    def status(order: BridgedOrder, exec_id: str, stamp_ns: int, extra: str = "") -> bytes:
        t = order.terms
        if order.is_undecided:
            return reports.unknown(order.cl_ord_id, t.symbol, t.side, exec_id, extra, stamp_ns)
        return reports.report(order, exec_id, "I", stamp_ns, extra=extra)

    patch.setattr("services.bridge.desk.reports.status", status)


def one_name_for_both_sides_of_a_trade(patch: pytest.MonkeyPatch) -> None:
    fill = reports.fill

    def named(order: BridgedOrder, filled: Any, *, strictly: bool) -> bytes:
        body = fill(order, filled, strictly=strictly)
        return body.replace(f"/{filled.trade_id}/{order.order_id}\x01".encode(), f"/{filled.trade_id}\x01".encode())

    patch.setattr("services.bridge.desk.reports.fill", named)


PLANTED = [
    (lost_answer_is_a_reject, 1),
    (pushes_are_merged, 1),
    (new_order_is_sent_again, 1),
    (not_found_is_believed_at_once, 7),
]
"""Each bug, and a seed that finds it."""


@pytest.mark.parametrize(("plant", "seed"), PLANTED, ids=[plant.__name__ for plant, _ in PLANTED])
def test_a_planted_bug_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plant: Any, seed: int) -> None:
    plant(monkeypatch)
    assert run(seed, tmp_path).check()


def asks_about_what_is_in_flight(trial: Trial) -> None:
    trial.rig.deaf = trial.rig.hush = True
    trial.order()
    trial.ask()


def trades_with_itself(trial: Trial) -> None:
    trial.rig.world.ask("fault", kind="self_trade", scope="fix", count=0)
    trial.place("1", 60_000)
    trial.place("2", 60_000)


def is_filled_while_nobody_listens(trial: Trial) -> None:
    trial.place("1", 60_000)
    trial.rig.cut("websocket")
    trial.rig.stranger("2", "9", "60000")


@pytest.mark.parametrize(
    ("plant", "act"),
    [
        (undecided_is_unknown, asks_about_what_is_in_flight),
        (one_name_for_both_sides_of_a_trade, trades_with_itself),
        (reconnects_without_reading, is_filled_while_nobody_listens),
    ],
)
def test_a_planted_bug_is_found_by_one_act(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plant: Any, act: Any
) -> None:
    assert_found_by_one_act(partial(Trial, 0), tmp_path, lambda: plant(monkeypatch), act)
