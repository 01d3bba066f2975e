"""Invariant: each alert is told once when it begins, again with growing pauses, and once when it is over, also over the
restarts of the process and of a sink that takes nothing for a while.
"""

import msgspec
import pytest

from common.alerts import Severity, WatchKind
from common.instant import NS_PER_S
from services.alerts.core import Kept
from services.alerts.deliveries import MAX_WAITING
from tests.services.alerts.rig import Rig, rule


def down() -> dict[str, str]:
    return {"state": "waiting"}


SESSION = rule(WatchKind.SESSION_DOWN, for_s=0)


def rig(**changes: object) -> Rig:
    return Rig({"session@a": down, "session@b": down}, rules=(SESSION,), **changes)  # type: ignore[arg-type]


BOTH = ["session_down session@a", "session_down session@b"]


def test_what_begins_together_is_one_notice_and_so_is_what_ends_together() -> None:
    it = rig()
    it.wait(10)
    assert it.told() == [(BOTH, [])]
    it.processes.update(dict.fromkeys(("session@a", "session@b"), lambda: {"state": "ready"}))
    it.wait(30)
    assert it.told() == [(BOTH, []), ([], BOTH)]
    (alert, _) = it.delivered[1][1].resolved
    assert alert.told == 1 and alert.since_ns < it.delivered[1][1].made_ns


def test_what_still_fires_is_told_again_with_growing_pauses_up_to_a_longest() -> None:
    it = rig()
    told_s: list[int] = []
    for _ in range(4 * 3600):
        before = len(it.delivered)
        it.wait(1)
        told_s += [int((it.now.boot_ns - 7 * NS_PER_S) / NS_PER_S)] * (len(it.delivered) - before)
    pauses = [later - earlier for earlier, later in zip(told_s, told_s[1:], strict=False)]
    assert [round(pause / 60) for pause in pauses] == [10, 20, 40, 60, 60]


def test_what_flaps_is_told_once() -> None:
    it = rig()
    turns = iter(range(10_000))

    def flap() -> None:
        state = "ready" if next(turns) % 10 < 5 else "waiting"
        it.processes["session@a"] = it.processes["session@b"] = lambda: {"state": state}

    it.wait(120, flap)
    assert len(it.delivered) == 1


def test_a_restart_repeats_nothing_and_forgets_nothing() -> None:
    it = rig()
    it.wait(20)
    assert len(it.delivered) == 1
    later = it.restarted(rules=(SESSION,))
    later.silent = {"session@a", "session@b"}
    later.wait(200)
    assert not later.delivered and len(later.firing) == 2, "it is not over because nobody answers yet"
    later.silent = set()
    later.wait(450)
    assert later.told() == [(BOTH, [])], "ten minutes after it was told first"
    assert later.delivered[0][1].number == 2 and later.firing[0].told == 2
    last = later.restarted(rules=(SESSION,))
    last.processes.update(dict.fromkeys(("session@a", "session@b"), lambda: {"state": "ready"}))
    last.wait(20)
    assert last.told() == [([], BOTH)]


def test_what_was_not_told_when_the_process_died_is_told_by_the_next() -> None:
    it = rig(sinks=("pager", "chat"))
    it.errors = {"pager": "no", "chat": "no"}
    it.wait(20)
    assert not it.delivered
    later = it.restarted(rules=(SESSION,), sinks=("chat",))
    later.wait(3)
    assert later.told() == [(BOTH, [])], "of the sink that is no more nothing is left"


def test_a_rule_that_is_no_more_has_no_alert() -> None:
    it = rig()
    it.wait(20)
    assert not it.restarted(rules=()).firing


def test_a_sink_that_stands_still_keeps_a_bounded_number_of_notices_and_the_latest() -> None:
    it = rig(sinks=("pager",))
    it.worker_stands = True
    ready = iter(range(100_000))

    def toggle() -> None:
        state = "ready" if next(ready) // 60 % 2 else "waiting"
        it.processes["session@a"] = lambda: {"state": state}

    it.wait(60 * 120, toggle)
    (sink,) = it.core.standing(it.now).sinks
    assert sink.waiting == MAX_WAITING and sink.dropped > 0
    assert len(it.posts) == 1, "one call at a time"


def test_only_the_chosen_sinks_are_told() -> None:
    loud = rule(WatchKind.SESSION_DOWN, "loud", for_s=8, sinks=("pager",), severity=Severity.WARNING)
    it = Rig({"session@a": down}, rules=(SESSION, loud), sinks=("pager", "chat"))
    it.wait(30)
    assert [(sink, [a.rule for a in n.firing]) for sink, n in it.delivered] == [
        ("pager", ["session_down"]), ("chat", ["session_down"]), ("pager", ["loud"]),
    ]  # fmt: skip


def test_everything_is_in_the_log_with_what_to_do() -> None:
    it = rig(sinks=())
    it.wait(10)
    notes = [note for note in it.notes if note.event == "alert"]
    assert [(note.level, note.fields["subject"]) for note in notes] == [("error", "session@a"), ("error", "session@b")]
    assert "fixring session show" in str(notes[0].fields["mend"])


def test_the_heartbeat_goes_out_again_and_again_and_its_failure_is_told() -> None:
    it = Rig({"session@a": down}, rules=(rule(WatchKind.SINK_FAILING),), beat_s=60)
    it.wait(200)
    assert it.beats == 4
    it.errors["heartbeat"] = "hc.example: it answers 404"
    it.wait(80)
    assert it.fires(WatchKind.SINK_FAILING) == ["heartbeat"] and it.told() == [(["sink_failing heartbeat"], [])]


def test_a_test_goes_to_one_sink_and_who_asked_is_told_how_it_went() -> None:
    it = rig(sinks=("pager", "chat"))
    it.errors["chat"] = "api.example: it answers 403"
    it.control("test", sink="chat")
    assert it.answers[-1].ok and it.answers[-1].detail == b'{"sent":{"chat":"api.example: it answers 403"}}'
    it.control("test", sink="")
    assert [(sink, notice.is_test) for sink, notice in it.delivered] == [("pager", True)]
    it.control("test", sink="nobody")
    assert not it.answers[-1].ok and "there is log, pager, chat" in it.answers[-1].text
    it.control("dance")
    assert "alerts has no act 'dance'; it has ack, silence, status, test, unsilence" in it.answers[-1].text


def test_a_test_is_not_sent_by_a_later_life() -> None:
    it = rig(sinks=("pager",))
    it.worker_stands = True
    it.control("test", sink="pager")
    it.wait(10)
    kept = msgspec.json.decode(it.core._state(it.now), type=Kept)
    assert kept.letters and not any(letter.notice.is_test for letter in kept.letters)


def test_one_that_stands_still_is_not_asked_again_and_again() -> None:
    it = Rig({"session@a": lambda: {"state": "ready"}}, rules=())
    assert it.asked == ["session@a status"]
    it.asked.clear()
    it.answer = lambda name, request: it.asked.append(name)  # type: ignore[method-assign]
    it.wait(60)
    assert 5 <= len(it.asked) <= 7


@pytest.mark.parametrize("status", [{}, {"state": 3}, {"state": "ready", "clock_offset_ms": "x"}])
def test_an_answer_that_cannot_be_read_ends_nothing_and_is_told(status: dict[str, object]) -> None:
    it = Rig({"session@a": lambda: status, "risk": lambda: {"state": "live"}, "session@b": down})
    it.wait(25)
    assert any(subject.startswith("alerts ") for subject in it.fires(WatchKind.RESTRICTED))
    assert "fixring_actor_up" in it.core.metrics_text(it.now)
