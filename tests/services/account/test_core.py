"""The account's promises: one question at a time and one cancel, every answer into the journal, and nothing left open
under the latch.
"""

from typing import Any

import msgspec
import orjson

from common.actor.core import Call, Effect, Send
from common.instant import NS_PER_MS, Instant
from common.journal.files import OsFiles
from common.latch import Latch
from common.messages import (
    Answer,
    Ask,
    ControlAnswer,
    ControlRequest,
    OperatorAct,
    RestOrder,
)
from common.orders.numbers import ZERO
from common.venues.rest import Listed, Listing, Unlisted
from services.account.core import AccountCore, AccountSettings
from tests.journals import Journal, carry_out

WINDOW_MS = 11_000
LEFT = RestOrder("BTCUSDT", "1", "x", "1", "0", ZERO, None, ZERO)


class Bench:
    """The core with a journal in memory and a worker that the test answers for."""

    def __init__(self, folder: Any, *, journal: bool = True, window_ms: int = 0, lists_orders: int = 0) -> None:
        self.latch = Latch(str(folder), "account@binance.latch", OsFiles())
        settings = AccountSettings("binance", ("BTCUSDT", "ETHUSDT"), window_ms * NS_PER_MS, "", lists_orders)
        self.core = AccountCore(settings, self.latch)
        self.boot_ns = 1
        self.journal = Journal()
        self.journal.dead = not journal
        self.calls: list[Call] = []
        self._finished: set[int] = set()
        self.answers: list[ControlAnswer] = []
        self.core.started(self.now)
        self.settle()

    @property
    def now(self) -> Instant:
        return Instant(self.boot_ns, self.boot_ns)

    def settle(self) -> None:
        carry_out(lambda: self.core, self.perform, lambda: self.now)

    def perform(self, effect: Effect) -> None:
        match effect:
            case Call():
                self.calls.append(effect)
            case Send("control", ControlAnswer() as answer):
                self.answers.append(answer)
            case Send("journal", message):
                for told in self.journal.take(message):
                    self.core.received("journal", b"", told, self.now)

    @property
    def logged(self) -> list[Any]:
        return self.journal.payloads()

    def ask(self, number: int, what: str, **fields: Any) -> None:
        self.core.received("asks", b"", Ask("binance", number, what, "BTCUSDT", **fields), self.now)
        self.settle()

    def finish(self, **fields: Any) -> Ask:
        """The worker of the last call that has no answer yet is done with it."""
        call = next(each for each in reversed(self.calls) if each.number not in self._finished)
        self._finished.add(call.number)
        asked = call.argument.ask if isinstance(call.argument, Unlisted) else call.argument
        assert isinstance(asked, Ask)
        answer = Answer("binance", asked, **{"failed": False, **fields})
        self.core.call_finished(call.number, answer, self.now)
        self.settle()
        return asked

    def finish_listing(self, *names: str, failed: bool = False) -> list[str]:
        """The worker has looked for orders in the venue's lists, which have those; the names that it looked for."""
        call = self.calls[-1]
        self._finished.add(call.number)
        assert isinstance(call.argument, Listing)
        asks = call.argument.asks
        found = tuple(Answer("binance", ask, False, order=LEFT) for ask in asks if ask.cl_ord_id in names)
        self.core.call_finished(call.number, Listed(found, failed), self.now)
        self.settle()
        return [ask.cl_ord_id for ask in asks]

    @property
    def is_unlisted(self) -> bool:
        """Whether the last call is about an order that the lists were without."""
        return isinstance(self.calls[-1].argument, Unlisted)

    def control(self, act: str, **arguments: Any) -> ControlAnswer:
        self.core.received("control", b"p", ControlRequest(act, orjson.dumps(arguments), "me"), self.now)
        self.settle()
        return self.answers[-1]

    def pass_time(self, ms: int) -> None:
        self.boot_ns += ms * NS_PER_MS
        self.core.timer(self.now)
        self.settle()

    def finish_sweep(self) -> None:
        """The worker finds no order at all."""
        for _ in range(5):
            self.finish()

    def acts(self) -> list[str]:
        """What the log says of the kill switch."""
        return [act.text for act in self.logged if isinstance(act, OperatorAct)]

    def asked(self) -> list[tuple[str, str]]:
        return [(c.argument.what, c.argument.symbol) for c in self.calls if isinstance(c.argument, Ask)]


def test_one_call_at_a_time_and_its_answer_is_journaled(tmp_path: Any) -> None:
    bench = Bench(tmp_path)
    bench.ask(1, "balances")
    bench.ask(2, "balances")
    assert len(bench.calls) == 1
    bench.finish()
    assert [answer.ask.number for answer in bench.logged] == [1]
    assert len(bench.calls) == 2


def test_a_question_about_an_order_that_is_asked_again_meanwhile_is_answered_once(tmp_path: Any) -> None:
    """At Kraken's pace an answer took longer than who asks waits, and every order was asked about twice."""
    bench = Bench(tmp_path)
    for number in (1, 2):
        bench.ask(number, "order", cl_ord_id="a")
    bench.ask(3, "order", cl_ord_id="b")
    assert [bench.finish().cl_ord_id for _ in range(2)] == ["a", "b"]
    assert len(bench.calls) == 2
    bench.ask(4, "order", cl_ord_id="a")
    assert bench.finish().number == 4
    for number in (5, 6):
        bench.ask(number, "cancel_all")
    assert [bench.finish().number for _ in range(2)] == [5, 6], "what came after the first is cancelled by the second"


def test_a_question_that_is_asked_again_keeps_its_place(tmp_path: Any) -> None:
    """It went to the end, and where others came in between it was never answered (seed 2654)."""
    bench = Bench(tmp_path)
    for number, name in enumerate(("a", "b", "c", "d", "b"), 1):
        bench.ask(number, "order", cl_ord_id=name)
    assert [(asked.cl_ord_id, asked.number) for asked in (bench.finish() for _ in range(4))] == [
        ("a", 1), ("b", 5), ("c", 3), ("d", 4),
    ]  # fmt: skip


def test_bulk_goes_before_single_orders(tmp_path: Any) -> None:
    bench = Bench(tmp_path)
    bench.ask(1, "order", cl_ord_id="a")
    bench.ask(2, "order", cl_ord_id="b")
    bench.ask(3, "open_orders")
    order = [bench.finish().number for _ in range(3)]
    assert order == [1, 3, 2]


def test_a_single_order_has_its_turn_where_the_next_in_bulk_is_always_due(tmp_path: Any) -> None:
    """At a venue that allows a request a second, trades that are asked for every few seconds took all of them."""
    bench = Bench(tmp_path)
    bench.ask(1, "trades")
    bench.ask(2, "order", cl_ord_id="a")
    bench.ask(3, "order", cl_ord_id="b")
    answered: list[str] = []
    for number in range(4, 8):
        bench.ask(number, "trades")
        answered.append(bench.finish().what)
    assert answered == ["trades", "order", "trades", "order"]


def test_what_is_asked_again_waits_once(tmp_path: Any) -> None:
    bench = Bench(tmp_path)
    bench.ask(1, "balances")
    bench.ask(2, "trades", from_trade_key="7")
    bench.ask(3, "open_orders")
    bench.ask(4, "trades", from_trade_key="7")
    assert bench.core.status(bench.now)["waiting"] == 2
    assert [bench.finish().number for _ in range(3)] == [1, 4, 3], "what is asked again keeps its place"


def test_answers_are_kept_while_the_journal_is_away(tmp_path: Any) -> None:
    bench = Bench(tmp_path, journal=False)
    bench.ask(1, "balances")
    bench.finish()
    assert bench.logged == []
    bench.journal.dead = False
    bench.pass_time(200)
    assert [answer.ask.number for answer in bench.logged] == [1]


def test_kill_cancels_and_asks_until_nothing_is_open(tmp_path: Any) -> None:
    bench = Bench(tmp_path)
    assert bench.control("kill").ok
    assert bench.latch.set
    for _ in range(2):
        bench.finish(cancelled=1)
    bench.finish(orders=(LEFT,))
    bench.finish()
    sweep = [
        ("cancel_all", "BTCUSDT"),
        ("cancel_all", "ETHUSDT"),
        ("open_orders", "BTCUSDT"),
        ("open_orders", "ETHUSDT"),
    ]
    assert bench.asked() == sweep
    assert not bench.core.status(bench.now)["nothing_open"]
    bench.pass_time(200)
    bench.finish_sweep()
    assert bench.asked() == [*sweep, *sweep, ("open_orders", "")]
    assert bench.core.status(bench.now)["nothing_open"]
    acts = [(act.act, act.by) for act in bench.logged if isinstance(act, OperatorAct)]
    assert acts == [("kill", "me"), ("kill", "me")]


def test_an_order_in_a_symbol_that_is_not_configured_is_found_and_cancelled(tmp_path: Any) -> None:
    bench = Bench(tmp_path)
    bench.control("kill")
    for _ in range(4):
        bench.finish()
    assert not bench.core.status(bench.now)["nothing_open"]
    bench.finish(orders=(msgspec.structs.replace(LEFT, symbol="DOGEUSDT"),))
    assert not bench.core.status(bench.now)["nothing_open"]
    bench.pass_time(200)
    for _ in range(7):
        bench.finish()
    assert ("cancel_all", "DOGEUSDT") in bench.asked()
    assert bench.core.status(bench.now)["verified"]


def test_kill_needs_no_journal_and_outlives_the_process(tmp_path: Any) -> None:
    bench = Bench(tmp_path, journal=False)
    bench.control("kill")
    assert bench.asked() == [("cancel_all", "BTCUSDT")]
    again = Bench(tmp_path, journal=False)
    assert again.core.status(again.now)["latched"]
    assert again.asked() == [("cancel_all", "BTCUSDT")]


def test_a_rest_side_is_called_failing_until_it_answers(tmp_path: Any) -> None:
    bench = Bench(tmp_path)
    told: tuple[tuple[dict[str, Any], str], ...] = (({"failed": True, "text": "no route"}, "no route"), ({}, ""))
    for fields, failing in told:
        bench.ask(1, "time")
        bench.finish(**fields)
        assert bench.core.status(bench.now)["failing"] == failing


def test_a_failed_sweep_is_no_proof(tmp_path: Any) -> None:
    bench = Bench(tmp_path)
    bench.control("kill")
    for _ in range(4):
        bench.finish(failed=True, error_code=-1003)
    assert not bench.core.status(bench.now)["nothing_open"]
    bench.pass_time(200)
    assert len(bench.calls) == 5


def test_resume_needs_a_confirmation(tmp_path: Any) -> None:
    bench = Bench(tmp_path)
    bench.control("kill")
    assert not bench.control("resume").ok and bench.latch.set
    assert bench.control("resume", confirm=True).ok and not bench.latch.set


def test_the_sweep_goes_before_questions(tmp_path: Any) -> None:
    bench = Bench(tmp_path)
    bench.ask(1, "order", cl_ord_id="a")
    bench.ask(2, "cancel_all")
    bench.control("kill")
    bench.finish()
    assert bench.asked()[-1] == ("cancel_all", "BTCUSDT") and bench.calls[-1].argument.number == 0  # type: ignore[attr-defined]


def test_questions_beyond_the_bound_are_dropped_and_counted(tmp_path: Any) -> None:
    bench = Bench(tmp_path)
    for number in range(2_010):
        bench.ask(number, "order", cl_ord_id=str(number))
    assert bench.core.status(bench.now)["dropped"] == 9


def test_what_an_account_cannot_do_is_answered_with_why(tmp_path: Any) -> None:
    bench = Bench(tmp_path / "folder")
    assert "it has kill, resume, status" in bench.control("dance").text
    assert bench.control("kill").ok
    (tmp_path / "folder").rename(tmp_path / "gone")
    answer = bench.control("resume", confirm=True)
    assert not answer.ok and "the latch stays" in answer.text
    assert bench.latch.set


def test_the_answer_to_another_call_is_not_taken(tmp_path: Any) -> None:
    bench = Bench(tmp_path)
    bench.ask(1, "balances")
    call = bench.calls[-1]
    assert isinstance(call.argument, Ask)
    bench.core.call_finished(call.number + 1, Answer("binance", call.argument, False), bench.now)
    bench.settle()
    assert bench.logged == []
    bench.finish()
    assert len(bench.logged) == 1


def test_a_call_under_way_when_trading_resumes_is_no_part_of_the_next_sweep(tmp_path: Any) -> None:
    bench = Bench(tmp_path)
    bench.control("kill")
    bench.control("resume", confirm=True)
    bench.control("kill")
    bench.finish()
    assert bench.asked() == [("cancel_all", "BTCUSDT")] * 2
    for _ in range(5):
        assert not bench.core.status(bench.now)["nothing_open"]
        bench.finish()
    assert bench.core.status(bench.now)["nothing_open"] and len(bench.calls) == 6


def test_a_sweep_under_way_when_trading_resumes_ends_without_a_word(tmp_path: Any) -> None:
    bench = Bench(tmp_path)
    bench.control("kill")
    assert bench.control("resume", confirm=True).ok
    bench.finish()
    acts = [payload.act for payload in bench.logged if isinstance(payload, OperatorAct)]
    assert acts == ["kill", "resume"] and len(bench.calls) == 1


def killed_with_a_window(folder: Any) -> Bench:
    """The first sweep after the kill has found nothing."""
    bench = Bench(folder, window_ms=WINDOW_MS)
    bench.control("kill")
    bench.finish_sweep()
    return bench


def test_what_is_under_way_at_the_kill_is_watched_for_until_it_can_take_effect_no_more(tmp_path: Any) -> None:
    bench = killed_with_a_window(tmp_path)
    status = bench.core.status(bench.now)
    assert (status["nothing_open"], status["verified"]) == (True, False)
    assert (status["kill"], status["watching_until_ns"]) == ("watching", 1 + WINDOW_MS * NS_PER_MS)
    sweeps = 1
    while not bench.core.status(bench.now)["verified"]:
        assert bench.acts() == ["latched"] and bench.boot_ns <= 1 + WINDOW_MS * NS_PER_MS
        bench.pass_time(500)
        if len(bench.calls) > 5 * sweeps:
            sweeps += 1
            bench.finish_sweep()
    assert sweeps == 12, "one a second, and the last as the window is over"
    assert bench.acts() == ["latched", "verified over REST: no order is open"]
    status = bench.core.status(bench.now)
    assert (status["kill"], status["watching_until_ns"]) == ("clear", 0)
    assert bench.core.next_deadline_ns() is None


def test_an_order_that_arrives_after_an_empty_sweep_is_cancelled_and_shown(tmp_path: Any) -> None:
    bench = killed_with_a_window(tmp_path)
    bench.pass_time(1000)
    assert bench.asked()[-1] == ("cancel_all", "BTCUSDT")
    bench.finish()
    bench.finish()
    bench.finish(orders=(LEFT,))
    status = bench.core.status(bench.now)
    assert (status["kill"], status["nothing_open"]) == ("cancelling", False)
    bench.finish()
    bench.pass_time(200)
    bench.finish_sweep()
    assert bench.core.status(bench.now)["nothing_open"] and not bench.core.status(bench.now)["verified"]


def test_a_sweep_that_began_within_the_window_is_not_the_last(tmp_path: Any) -> None:
    bench = killed_with_a_window(tmp_path)
    bench.pass_time(1000)
    for _ in range(4):
        bench.finish()
    bench.pass_time(WINDOW_MS)
    bench.finish()
    assert not bench.core.status(bench.now)["verified"] and len(bench.calls) == 10
    bench.pass_time(0)
    bench.finish_sweep()
    assert bench.core.status(bench.now)["verified"]


def test_a_restart_under_the_latch_watches_for_the_whole_window_again(tmp_path: Any) -> None:
    killed_with_a_window(tmp_path)
    again = Bench(tmp_path, window_ms=WINDOW_MS)
    again.finish_sweep()
    status = again.core.status(again.now)
    assert (status["nothing_open"], status["verified"]) == (True, False)


# ---- a venue that lists orders


def test_orders_are_looked_for_together_and_those_that_no_list_has_alone(tmp_path: Any) -> None:
    bench = Bench(tmp_path, lists_orders=3)
    for number, name in enumerate(("first", "a", "b", "c", "d"), 1):
        bench.ask(number, "order", cl_ord_id=name)
    bench.finish()
    assert bench.finish_listing("b") == ["a", "b", "c"]
    assert [answer.ask.cl_ord_id for answer in bench.logged] == ["first", "b"]
    assert bench.is_unlisted and bench.finish(not_found=True).cl_ord_id == "a"
    assert bench.is_unlisted and bench.finish(not_found=True).cl_ord_id == "c"
    assert not bench.is_unlisted and bench.finish().cl_ord_id == "d", "one is asked about as it always was"
    assert [answer.ask.number for answer in bench.logged] == [1, 3, 2, 4, 5]


def test_lists_that_were_not_told_say_nothing_of_any_order(tmp_path: Any) -> None:
    bench = Bench(tmp_path, lists_orders=3)
    for number, name in enumerate(("first", "a", "b"), 1):
        bench.ask(number, "order", cl_ord_id=name)
    bench.finish()
    bench.finish_listing(failed=True)
    for name in ("a", "b"):
        assert not bench.is_unlisted and bench.finish().cl_ord_id == name


def test_a_question_about_an_order_that_no_list_has_waits_for_the_sweep(tmp_path: Any) -> None:
    bench = Bench(tmp_path, lists_orders=3)
    for number, name in enumerate(("first", "a", "b", "c"), 1):
        bench.ask(number, "order", cl_ord_id=name)
    bench.finish()
    bench.finish_listing()
    assert bench.finish(not_found=True).cl_ord_id == "a"
    bench.control("kill")
    assert bench.asked()[-1] == ("cancel_all", "BTCUSDT")
    bench.finish_sweep()
    assert bench.finish(not_found=True).cl_ord_id == "b", "it was under way at the kill"
    assert bench.is_unlisted and bench.finish(not_found=True).cl_ord_id == "c"


def test_what_is_asked_again_of_an_order_that_no_list_has_keeps_its_place(tmp_path: Any) -> None:
    bench = Bench(tmp_path, lists_orders=3)
    for number, name in enumerate(("first", "a", "b"), 1):
        bench.ask(number, "order", cl_ord_id=name)
    bench.finish()
    bench.ask(4, "order", cl_ord_id="b")
    bench.finish_listing()
    bench.ask(5, "order", cl_ord_id="b")
    assert bench.finish(not_found=True).number == 2
    assert bench.is_unlisted and bench.finish(not_found=True).number == 5
    assert len(bench.calls) == 4


def test_questions_of_another_kind_are_not_overtaken(tmp_path: Any) -> None:
    bench = Bench(tmp_path, lists_orders=9)
    bench.ask(1, "order", cl_ord_id="first")
    for number, name in enumerate(("a", "b"), 2):
        bench.ask(number, "order", cl_ord_id=name)
    bench.ask(4, "trades", order_id="7")
    for number, name in enumerate(("c", "d"), 5):
        bench.ask(number, "order", cl_ord_id=name)
    bench.finish()
    assert bench.finish_listing("a", "b") == ["a", "b"]
    assert bench.finish().what == "trades"
    assert bench.finish_listing("c", "d") == ["c", "d"]


# ---- cancels have a worker of their own


def test_the_kill_switch_waits_for_no_question_that_is_under_way(tmp_path: Any) -> None:
    """The cancels of a kill left once the venue had answered the question before them, or its timeout was over."""
    bench = Bench(tmp_path)
    bench.ask(1, "trades")
    (slow,) = bench.calls
    bench.control("kill")
    assert bench.asked()[-1] == ("cancel_all", "BTCUSDT"), "it leaves at once"
    assert bench.calls[-1].worker != slow.worker
    bench.finish_sweep()
    assert bench.core.status(bench.now)["nothing_open"], "and the sweep needs no answer to it either"
    assert isinstance(slow.argument, Ask)
    bench.core.call_finished(slow.number, Answer("binance", slow.argument, False), bench.now)
    bench.settle()
    assert [answer.ask.what for answer in bench.logged if isinstance(answer, Answer)][-1] == "trades"


def test_no_question_begins_while_a_sweep_goes_on(tmp_path: Any) -> None:
    bench = Bench(tmp_path)
    bench.control("kill")
    bench.ask(1, "trades")
    assert bench.asked() == [("cancel_all", "BTCUSDT")]
    bench.finish_sweep()
    assert bench.asked()[-1] == ("trades", "BTCUSDT")


def test_a_cancel_that_orders_wants_waits_for_no_question_either(tmp_path: Any) -> None:
    bench = Bench(tmp_path)
    bench.ask(1, "trades")
    bench.ask(2, "cancel", order_id="7")
    bench.ask(3, "cancel", order_id="8")
    assert [what for what, _ in bench.asked()] == ["trades", "cancel"], "one at a time on each way"
