"""Invariant: what a person has acknowledged is not told again, and what he has silenced is not told at all; the end of
both is told, both outlive the process, and the journal has who it was and why.
"""

import msgspec
import pytest

from common.alerts import LONGEST_SILENCE_S, WatchKind
from common.instant import NS_PER_S
from services.alerts.by_hand import UNTOLD
from services.alerts.core import Kept
from services.alerts.silences import MAX_SILENCES
from services.alerts.wording import body, heading
from tests.services.alerts.rig import START_NS, Rig, rule

SESSION = rule(WatchKind.SESSION_DOWN, for_s=0)
A, B = "session_down session@a", "session_down session@b"


def state_of(rig: Rig, name: str, state: str) -> None:
    rig.processes[name] = lambda: {"state": state}


def rig() -> Rig:
    """Session a is down, session b up, and orders takes what is journaled."""
    names = ("session@a", "session@b", "orders")
    it = Rig(dict.fromkeys(names, lambda: {"state": "ready"}), rules=(SESSION,))
    state_of(it, "session@a", "waiting")
    it.wait(10)
    return it


def ack(it: Rig, **arguments: object) -> None:
    it.control("ack", **{"why": "I am on it", "rule": "session_down", **arguments})


def silence(it: Rig, **arguments: object) -> None:
    it.control("silence", **{"why": "the venue is being mended", "rule": "session_down", "for_s": 1200, **arguments})


# ---- acknowledged ----


def test_what_is_acknowledged_is_not_told_again_and_its_end_is() -> None:
    it = rig()
    assert it.told() == [([A], [])]
    ack(it)
    assert it.answers[-1].ok and it.answers[-1].text == f"acknowledged: {A}"
    it.wait(3000)
    assert len(it.delivered) == 1
    (alert,) = it.firing
    assert alert.acknowledged is not None and (alert.acknowledged.by, alert.acknowledged.why) == ("me", "I am on it")
    state_of(it, "session@a", "ready")
    it.wait(30)
    assert it.told() == [([A], []), ([], [A])]
    assert "acknowledged by me" in body(it.delivered[-1][1])
    state_of(it, "session@a", "waiting")
    it.wait(10)
    assert it.told()[2:] == [([A], [])], "what begins anew is another alert"


def test_an_acknowledgement_is_of_what_it_names() -> None:
    it = rig()
    state_of(it, "session@b", "waiting")
    it.wait(10)
    ack(it, subject="session@b")
    it.wait(700)
    assert it.told() == [([A], []), ([B], []), ([A], [])]
    ack(it, rule="")
    assert it.answers[-1].text == f"acknowledged: {A}, {B}"


def test_an_acknowledgement_outlives_the_process() -> None:
    it = rig()
    ack(it)
    later = it.restarted(rules=(SESSION,))
    later.wait(1500)
    assert not later.delivered and later.firing[0].acknowledged is not None
    state_of(later, "session@a", "ready")
    later.wait(30)
    assert later.told() == [([], [A])]


@pytest.mark.parametrize(
    ("act", "arguments", "why_not"),
    [
        ("ack", {"rule": "no_such"}, "no_such: no such rule; there is session_down"),
        ("ack", {"subject": "session@c"}, "session_down session@c: nothing fires of that; what fires is " + A),
        ("ack", {"why": ""}, "do not decode"),
        ("silence", {"rule": "no_such"}, "no_such: no such rule"),
        ("silence", {"why": ""}, "do not decode"),
        ("silence", {"for_s": 0}, "do not decode"),
        ("silence", {"for_s": LONGEST_SILENCE_S + 1}, "do not decode"),
        ("unsilence", {"rule": "session_down"}, "no silence of session_down (every subject); there is none"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_journaled(
    act: str, arguments: dict[str, object], why_not: str
) -> None:
    it = rig()
    plain: dict[str, object] = {"rule": "session_down", "why": "x", "for_s": 60}
    takes = {"ack": ("rule", "why"), "silence": ("rule", "why", "for_s"), "unsilence": ()}[act]
    it.control(act, **{**{key: plain[key] for key in takes}, **arguments})
    assert not it.answers[-1].ok and why_not in it.answers[-1].text
    it.wait(4)
    assert not it.journaled and it.firing[0].acknowledged is None and not it.core.standing(it.now).silences


# ---- silenced ----


def test_nothing_is_told_of_what_is_silenced_until_it_ends_by_itself_and_says_so() -> None:
    it = rig()
    silence(it)
    assert it.answers[-1].text == "silenced until 2027-01-15 08:20:10 UTC: 1 of what fires now"
    state_of(it, "session@b", "waiting")
    it.wait(1190)
    assert it.told() == [([A], [])]
    assert [each.silenced is not None for each in it.firing] == [True, True]
    assert [n.fields["subject"] for n in it.notes if n.event == "alert"] == ["session@a", "session@b"]
    it.wait(20)
    assert it.told()[1:] == [([A, B], [])]
    notice = it.delivered[-1][1]
    assert [each.subject for each in notice.silences_ended] == [""]
    assert "SILENCE OVER session_down (every subject) until " in body(notice)
    assert heading(notice).endswith("2 firing, 1 silence over")
    it.wait(700)
    assert it.told()[2:] == [([B], [])]
    it.wait(600)
    assert it.told()[3:] == [([A], [])], "each with its own pauses from then on"


def test_the_end_of_a_silence_is_told_though_nothing_fires() -> None:
    it = rig()
    silence(it, subject="session@b", for_s=60)
    it.wait(80)
    assert it.told() == [([A], []), ([], [])] and it.delivered[-1][1].silences_ended


def test_of_what_ends_while_it_is_silenced_is_told_what_was_told_to_begin() -> None:
    it = rig()
    silence(it)
    state_of(it, "session@b", "waiting")
    it.wait(20)
    state_of(it, "session@a", "ready")
    state_of(it, "session@b", "ready")
    it.wait(30)
    assert it.told() == [([A], []), ([], [A])]
    assert [n.fields["subject"] for n in it.notes if n.event == "resolved"] == ["session@a", "session@b"]


def test_a_silence_outlives_the_process_and_one_that_ended_meanwhile_says_so() -> None:
    it = rig()
    silence(it, for_s=100)
    later = it.restarted(rules=(SESSION,))
    later.wait(60)
    assert not later.delivered
    (held,) = later.core.standing(later.now).silences
    assert held.until_ns == it.core.standing(it.now).silences[0].until_ns
    last = later.restarted(rules=(SESSION,))
    last.wait(60)
    assert last.told() == [([A], [])] and last.delivered[0][1].silences_ended


def test_a_clock_that_is_set_back_makes_no_silence_longer() -> None:
    it = rig()
    silence(it, for_s=100)
    kept = msgspec.json.decode(it.state, type=Kept)
    later = Rig(it.processes, rules=(SESSION,), kept=kept, wall_ns=START_NS - 3600 * NS_PER_S)
    later.wait(120)
    assert later.delivered and later.delivered[0][1].silences_ended


def test_a_silence_of_a_rule_that_is_no_more_is_none() -> None:
    it = rig()
    silence(it)
    assert not it.restarted(rules=()).core.standing(it.now).silences


def test_a_person_ends_a_silence() -> None:
    it = rig()
    silence(it)
    state_of(it, "session@b", "waiting")
    it.wait(20)
    it.control("unsilence", rule="session_down")
    it.wait(20)
    assert it.answers[-1].ok and it.told() == [([A], []), ([B], [])]
    assert [done.act for done in it.journaled] == ["silence", "unsilence"]


def test_the_later_end_counts_and_the_same_again_takes_the_place() -> None:
    it = rig()
    silence(it, for_s=1000)
    silence(it, for_s=50, subject="session@a")
    silence(it, for_s=40, subject="session@a")
    assert [each.subject for each in it.core.standing(it.now).silences] == ["session@a", ""]
    it.wait(100)
    assert it.told()[1:] == [([], [])], "what of it fires is silenced by the other"


def test_silences_are_bounded() -> None:
    it = rig()
    for nth in range(MAX_SILENCES):
        silence(it, subject=f"s{nth}")
    silence(it, subject="one more")
    assert not it.answers[-1].ok and f"{MAX_SILENCES} silences hold" in it.answers[-1].text


def test_only_the_rule_s_sinks_are_told_that_a_silence_is_over() -> None:
    loud = rule(WatchKind.SESSION_DOWN, "loud", for_s=0, sinks=("pager",))
    it = Rig({"session@a": lambda: {"state": "ready"}}, rules=(loud,), sinks=("pager", "chat"))
    silence(it, rule="loud", for_s=10)
    it.wait(20)
    assert [sink for sink, _ in it.delivered] == ["pager"]


# ---- what is promised is kept, and journaled ----


def test_a_person_is_answered_once_it_is_written_down() -> None:
    it = rig()
    it.worker_stands = True
    silence(it)
    assert not it.answers and it.core.standing(it.now).silences, "it holds already"
    it.work(len(it.posts), it.posts[-1])
    it.settle()
    assert it.answers[-1].ok and msgspec.json.decode(it.state, type=Kept).silences


def test_what_cannot_be_written_down_is_said() -> None:
    it = rig()
    it.state_error = "var/alerts/state.json: No space left on device"
    silence(it)
    assert it.answers[-1].ok and "a restart of alerts would forget it: var/alerts" in it.answers[-1].text


def test_the_journal_has_who_it_was_and_why() -> None:
    it = rig()
    ack(it, subject="session@a")
    silence(it, subject="session@a", for_s=3600)
    assert [(done.actor, done.act, done.by) for done in it.journaled] == [
        ("alerts", "ack", "me"), ("alerts", "silence", "me"),
    ]  # fmt: skip
    assert it.journaled[0].text == f"{A}: I am on it"
    assert it.journaled[1].text == f"{A} until 2027-01-15 09:00:10 UTC: the venue is being mended"
    it.wait(60)
    assert len(it.journaled) == 2


def test_what_orders_does_not_take_is_told_it_again_over_a_restart_too_under_the_same_token() -> None:
    it = rig()
    it.orders_takes_acts = False
    ack(it)
    silence(it)
    it.wait(10)
    (token,) = {done.token for done in it.journaled}
    assert len(it.journaled) > 2
    later = it.restarted(rules=(SESSION,))
    later.wait(10)
    assert [done.act for done in later.journaled] == ["ack", "silence"] and later.journaled[0].token == token
    assert not msgspec.json.decode(later.state, type=Kept).acts


def test_acts_that_wait_for_the_journal_are_bounded() -> None:
    it = rig()
    it.silent = {"orders"}
    for nth in range(UNTOLD + 10):
        ack(it, why=f"{nth}")
    it.silent = set()
    it.wait(10)
    assert len(it.journaled) == UNTOLD and it.journaled[0].text.endswith(": 10")
