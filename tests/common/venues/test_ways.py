"""A cancel waits for no slow answer: the two ways of an account, within one limit and with one row of numbers."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from common import rest_worker
from common.key_files import request_nonces
from common.messages import Answer, Ask
from common.venues.nonces import TRIES, CancelUnderWay, GrowingNonce
from common.venues.pace import MINUTE_S, RESERVE_SHARE, Pace
from common.venues.registry import find_rest
from common.venues.rest import RestSettings
from common.venues.ways import both_ways
from tests.common.venues.both_sides import BothSides
from tests.common.venues.served import Served

PER_S, BURST = 4.0, 8.0


def test_questions_leave_room_for_a_cancel_in_the_user_s_limit() -> None:
    questions, cancels = both_ways()
    pace = questions.shared.pace("", Pace(PER_S, BURST))
    assert cancels.shared.pace("", Pace(PER_S, BURST)) is pace, "it is one limit"
    free = int(BURST * (1 - RESERVE_SHARE))
    assert [questions.delay_s(pace, 1, 100.0) for _ in range(free)] == [0.0] * free
    assert questions.delay_s(pace, 1, 100.0) == 1 / PER_S, "the next one waits"
    assert cancels.delay_s(pace, 1, 100.0) == 0.0, "and a cancel does not"


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 5), st.sampled_from([1.0, 4.0]), st.booleans()), max_size=300))
def test_both_ways_together_have_no_more_than_the_limit(asked: list[tuple[float, float, bool]]) -> None:
    ways = both_ways()
    pace, now_s, free_s, made = Pace(PER_S), 1000.0, [0.0, 0.0], list[tuple[float, float]]()
    for pause_s, cost, is_first in asked:
        now_s = max(now_s + pause_s, free_s[is_first])
        free_s[is_first] = now_s + ways[is_first].delay_s(pace, cost, now_s)
        made.append((free_s[is_first], cost))
    for began_s, _ in made:
        assert sum(cost for at_s, cost in made if began_s <= at_s < began_s + MINUTE_S) <= PER_S * MINUTE_S + 8


# ---- numbers that have to grow


def numbers(waited: Callable[[float], None]) -> tuple[GrowingNonce, GrowingNonce]:
    """Of questions and of cancels, while the clock stands still."""
    questions, cancels = both_ways()
    return GrowingNonce(lambda: 1000, None, waited, questions), GrowingNonce(lambda: 1000, None, waited, cancels)


def test_a_cancel_has_a_number_above_that_of_a_question_that_is_under_way() -> None:
    questions, cancels = numbers(lambda seconds: None)
    assert (questions(), cancels()) == (1000, 1001)


def test_a_question_has_no_number_before_the_cancel_is_answered() -> None:
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            cancels.answered()

    questions, cancels = numbers(wait)
    assert (cancels(), questions()) == (1000, 1001) and len(waited) == 3


def test_how_long_a_question_waits_for_a_number_is_bounded() -> None:
    waited: list[float] = []
    questions, cancels = numbers(waited.append)
    cancels()
    with pytest.raises(CancelUnderWay, match="ask again"):
        questions()
    assert len(waited) == TRIES
    assert cancels() == 1001, "a cancel waits for nobody"


def test_a_question_whose_number_was_taken_as_a_cancel_took_its_own_drops_it() -> None:
    """Else it might be the higher one, and arrive first."""
    questions, cancels = both_ways()
    taken: list[int] = []

    def read_ms() -> int:
        if not taken:
            taken.append(of_cancels())
        return 1000

    of_cancels = GrowingNonce(lambda: 1000, None, lambda seconds: None, cancels)
    of_questions = GrowingNonce(read_ms, None, lambda seconds: of_cancels.answered(), questions)
    assert of_questions() == 1002 and taken == [1000]


@pytest.mark.parametrize("dialect", ["kraken", "gemini"])
def test_at_the_venue_a_cancel_is_not_refused_for_a_question_and_a_question_is_asked_again(
    dialect: str, tmp_path: Path
) -> None:
    sides = BothSides(dialect, tmp_path)
    assert sides.credentials is not None
    with Served(sides.world) as served:
        url, kept = f"http://127.0.0.1:{served.port('rest')}", request_nonces(sides.config)
        ours = [
            RestSettings("x", url, sides.credentials, 5000, nonces=kept, way=way) for way in both_ways(threading.Lock())
        ]
        questions, cancels = (_opened(sides.venue.dialect, each) for each in ours)
        numbered, may_leave, told = threading.Event(), threading.Event(), list[Answer]()
        fetch = questions.api.fetch

        def fetch_late(*request: object) -> object:
            if not may_leave.is_set() and request[1] == "POST":
                numbered.set()
                assert may_leave.wait(10)
            return fetch(*request)

        questions.api.fetch = fetch_late
        asking = threading.Thread(target=lambda: told.append(questions.ask(Ask("x", 1, "balances"))))
        asking.start()
        assert numbered.wait(10)
        assert cancels.ask(Ask("x", 2, "cancel_all", sides.symbol)).text == "", "it waits for nobody, and is in order"
        may_leave.set()
        asking.join(10)
        assert "once" in told[0].text, "the question came with the lower number"
        assert questions.ask(Ask("x", 3, "balances")).text == ""
        for rest in (questions, cancels):
            rest.api.close()


def _opened(dialect: str, settings: RestSettings) -> Any:
    rest: Any = find_rest(dialect)(settings)
    rest.api.throttle = lambda cost=None: None
    return rest


# ---- the workers of an account


def test_a_kill_s_first_cancel_leaves_while_the_venue_owes_the_answer_to_a_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It left when that answer was there, or its timeout over."""
    monkeypatch.setattr(rest_worker, "why_not_dialled", lambda venue, config: None)
    sides = BothSides("okx", tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as venue:
        url = f"http://127.0.0.1:{venue.getsockname()[1]}"
        assert sides.venue.rest is not None
        there = structs.replace(sides.venue, rest=structs.replace(sides.venue.rest, url=url))
        venue.settimeout(10)
        workers = rest_worker.rest_workers(there, there.credentials, sides.config)
        told = list[Any]()
        asks = (Ask("x", 1, "balances"), Ask("x", 2, "cancel_all", sides.symbol))
        threads = [
            threading.Thread(target=lambda work=work, ask=ask: told.append(work(ask)))
            for work, ask in zip(workers, asks, strict=True)
        ]
        threads[0].start()
        question, _ = venue.accept()
        assert question.recv(4096).startswith(b"GET /api/v5/account/balance")
        threads[1].start()
        cancel, _ = venue.accept()
        assert b"/api/v5/trade/" in cancel.recv(4096), "and the question is still without an answer"
        for connection in (question, cancel):
            connection.close()
        for thread in threads:
            thread.join(10)
        assert [answer.failed for answer in told] == [True, True]


