"""What a former host had beyond the copy goes into the log once, and moves nothing."""

from typing import Any

import orjson

from common.messages import ControlRequest, Discrepancy, Kind
from services.orders.evidence import EVIDENCE_OF, MOST_ROWS
from tests.services.orders.harness import Ring, accepted
from tests.services.orders.test_operator import control


def row(number: int) -> dict[str, Any]:
    return {
        "frame": f"host a, record {number} (0000abcd)", "account": "generic", "subject": "s/1", "ours": "no such order",
        "theirs": "sent as X",
    }  # fmt: skip


def brought_in(ring: Ring) -> list[str]:
    told = ring.journal.payloads(Kind.DISCREPANCY)
    return [each.action.removeprefix(EVIDENCE_OF) for each in told if isinstance(each, Discrepancy)]


def test_evidence_is_written_down_and_changes_nothing(ring: Ring) -> None:
    order = accepted(ring, 1)
    held = ring.core.books.orders["s", 1]
    before = (held.status, held.cum_qty, dict(ring.core.books.positions))
    assert control(ring, "evidence", read_lsn=ring.journal.lsn, rows=[row(7), row(8)]).ok
    assert brought_in(ring) == [row(7)["frame"], row(8)["frame"]]
    (told, _) = ring.journal.payloads(Kind.DISCREPANCY)
    assert isinstance(told, Discrepancy) and (told.venue, told.account, told.ours) == ("generic", "generic",
                                                                                       "no such order")  # fmt: skip
    assert (held.status, held.cum_qty, dict(ring.core.books.positions)) == before
    assert order.cl_ord_id in ring.core.books.by_id


def test_who_has_not_read_what_is_in_is_refused_in_this_life_and_in_the_next(ring: Ring) -> None:
    read = ring.journal.lsn
    ring.journal.held = True
    arguments = orjson.dumps({"read_lsn": read, "rows": [row(7)]})
    ring.core.received("control", b"me", ControlRequest("evidence", arguments, "tester"), ring.now)
    ring.settle()
    assert "read on" in control(ring, "evidence", read_lsn=1 << 40, rows=[row(7)]).text, "one is under way"
    for message in ring.journal.release():
        ring.core.received("journal", b"", message, ring.now)
    ring.pass_time(200)
    assert [answer.ok for answer in ring.told_by_hand] == [False, True]
    assert brought_in(ring) == [row(7)["frame"]]
    assert "read on" in control(ring, "evidence", read_lsn=read, rows=[row(7)]).text
    assert control(ring, "evidence", read_lsn=ring.journal.lsn, rows=[row(8)]).ok
    ring.start()
    ring.go_live()
    assert "read on" in control(ring, "evidence", read_lsn=read, rows=[row(8)]).text
    assert control(ring, "evidence", read_lsn=ring.journal.lsn, rows=[row(9)]).ok
    assert brought_in(ring) == [row(number)["frame"] for number in (7, 8, 9)]


def test_as_much_as_fits_is_taken_at_once_and_no_more(ring: Ring) -> None:
    rows = [row(number) for number in range(MOST_ROWS + 1)]
    assert not control(ring, "evidence", read_lsn=ring.journal.lsn, rows=rows).ok
    assert not control(ring, "evidence", read_lsn=ring.journal.lsn, rows=[]).ok
    assert control(ring, "evidence", read_lsn=ring.journal.lsn, rows=rows[:-1]).ok
    assert len(brought_in(ring)) == MOST_ROWS
