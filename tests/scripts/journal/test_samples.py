"""Frames of a journal become samples that belong together, mean what they meant, and show nobody's name or secret."""

import datetime
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from common.fix.secret_fields import blanked
from common.fix.wire import Framer, encode, split
from common.instant import Instant
from common.messages import Inbound, Outbound
from common.venues.registry import find_dictionary
from scripts.journal.samples import Anonymiser, NotAnonymous, Sample, document, other_name, recorded
from tests.common.venues.both_sides import NAME, BothSides

DAY = datetime.date(2026, 12, 1)


class Recorded:
    """What a desk of that venue has in its journal of an order that is placed, filled in part and cancelled."""

    def __init__(self, dialect: str, folder: Path) -> None:
        self.sides = BothSides(dialect, folder)
        self.sent: list[bytes] = []
        core = self.sides.world.core
        to_core = core.data

        def data(connection: int, data: bytes, now: Instant) -> None:
            self.sent += Framer().feed(data)
            to_core(connection, data, now)

        core.data = data  # type: ignore[method-assign]
        self.desk = self.sides.desk()
        price = self.sides.price
        self.order, _ = self.desk.new(price=price)
        self.sides.stranger("2", self.sides.qty / 4, price)
        self.desk.cancel(self.order)
        self.desk.cancel(self.order)

    def messages(self) -> Iterator[Inbound | Outbound]:
        """Blanked as the journal has them."""
        for raw in self.sent:
            kept = blanked(raw, self.sides.profile.key_tags) if split(raw)[b"35"] == b"A" else raw
            yield Outbound(NAME, 1, 1, 1, split(raw)[b"35"].decode(), kept)
        for raw in self.desk.client.raw:
            yield Inbound(NAME, 1, 1, 1, split(raw)[b"35"].decode(), raw)

    def anonymiser(self) -> Anonymiser:
        """One that keeps the venue's names."""
        assert self.sides.credentials is not None
        secrets = [v if isinstance(v, bytes) else v.encode() for v in msgspec.structs.astuple(self.sides.credentials)]
        kept = [self.sides.venue.fix.target_comp_id, *self.sides.venue.instruments, "BTC", "USD", "USDT", "USDC"]
        dialect = self.sides.venue.dialect
        return Anonymiser(find_dictionary(dialect), kept, secrets, self.sides.profile.key_tags)

    def found(self, most: int = 1) -> list[Sample | str]:
        """The samples."""
        return list(recorded(self.messages(), self.sides.dialect, self.anonymiser(), most))


@pytest.fixture(params=["binance", "coinbase", "coinbaseintl", "kraken"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Recorded:
    return Recorded(request.param, tmp_path)


def samples_of(journal: Recorded) -> list[dict[str, Any]]:
    found = journal.found()
    assert not [each for each in found if isinstance(each, str)], found
    table = tomllib.loads(document((each for each in found if isinstance(each, Sample)), "A venue", DAY))
    assert table["source"] == "recorded by a desk, 2026-12-01; names replaced"
    frames: list[dict[str, Any]] = table["frame"]
    return frames


def test_each_sample_is_sound_and_means_what_its_event_says(journal: Recorded) -> None:
    frames = samples_of(journal)
    assert {frame["from"] for frame in frames} == {"us", "venue"} and len(frames) >= 7
    told = [frame["event"] for frame in frames if "event" in frame]
    assert {event.get("exec_type") for event in told if event["type"] == "report"} >= {"0", "F", "4"}
    for frame in frames:
        raw = frame["text"].replace("|", "\x01").encode("latin-1")
        body = raw[raw.index(b"\x0135=") + 1 : raw.rindex(b"\x0110=") + 1]
        assert encode(split(raw)[b"8"], body) == raw, frame["what"]
        if "event" in frame:
            event = journal.sides.dialect.decode(split(raw)[b"35"].decode(), raw)
            wanted = {name: value for name, value in frame["event"].items() if name != "type"}
            assert {name: str(getattr(event, name)) for name in wanted} == {n: str(v) for n, v in wanted.items()}


def test_no_name_and_no_secret_is_left_and_what_belonged_together_does(journal: Recorded) -> None:
    frames = samples_of(journal)
    whole = "\n".join(frame["text"] for frame in frames)
    ours = journal.sides.credentials
    assert ours is not None
    for value in msgspec.structs.astuple(ours):
        assert (value if isinstance(value, str) else value.decode("latin-1")) not in whole
    assert journal.order.cl_ord_id not in whole
    new, accepted = (next(f for f in frames if kind in f["what"]) for kind in ("MsgType(35)=D", "ExecType(150)=0"))
    fields = [split(frame["text"].replace("|", "\x01").encode()) for frame in (new, accepted)]
    assert fields[0][b"11"] == fields[1][b"11"], "the name is the same one in both"
    price = f"|44={journal.sides.price:f}".rstrip("0").rstrip(".")
    assert price in new["text"], "what it is a sample for stays"


def test_of_each_kind_so_many(journal: Recorded) -> None:
    kinds = [each.what for each in journal.found(2) if isinstance(each, Sample)]
    assert max(map(kinds.count, kinds)) == 2 and len(set(kinds)) == len(journal.found(1))


def frame(body: str) -> bytes:
    return encode(b"FIX.4.4", body.replace("|", "\x01").encode())


def plain(secrets: tuple[bytes, ...] = (), key_tags: tuple[int, ...] = ()) -> Anonymiser:
    return Anonymiser(find_dictionary("generic"), ["VENUE"], secrets, key_tags)


HEAD = "35=8|34=1|49=VENUE|52=20260101-00:00:00.000|56=OURS|"


def test_a_secret_that_the_journal_has_not_blanked_is_refused() -> None:
    with pytest.raises(NotAnonymous, match="field 554 holds a secret"):
        plain().frame(frame("35=A|34=1|49=OURS|52=20260101-00:00:00.000|56=VENUE|554=hunter2|"))
    with pytest.raises(NotAnonymous, match="field 9407"):
        plain(key_tags=(9407,)).frame(frame("35=A|34=1|49=OURS|52=20260101-00:00:00.000|56=VENUE|9407=key|"))


def test_a_secret_in_a_field_that_is_no_secret_s_is_refused() -> None:
    with pytest.raises(NotAnonymous, match="a value of the credentials"):
        plain(secrets=(b"hunter2",)).frame(frame(f"{HEAD}58=your password hunter2 is wrong|"))


def test_names_are_replaced_in_texts_too() -> None:
    kept = plain().frame(frame(f"{HEAD}11=order-17|58=order-17 of account 8812345 is late|1=8812345|"))
    fields = split(kept)
    assert fields[b"11"].decode() in fields[b"58"].decode() and fields[b"1"].decode() in fields[b"58"].decode()
    assert b"order-17" not in kept and b"8812345" not in kept and fields[b"58"].endswith(b"is late")
    assert len(kept) == len(frame(f"{HEAD}11=order-17|58=order-17 of account 8812345 is late|1=8812345|"))


def test_a_field_that_nobody_knows_names_somebody() -> None:
    assert b"secret-club" not in plain().frame(frame(f"{HEAD}20001=secret-club|"))
    assert b"20001=secret-club" not in plain().frame(frame(f"{HEAD}58=x|20001=secret-club|"))


@pytest.mark.parametrize(
    ("name", "other"),
    [
        (b"2wx7c0rh-1-0", b"1aa0a0aa-0-7"),
        (b"1985ca2d-61ef-49f1-bfce-6c39d8462914", b"00000000-0000-4000-b000-000000000007"),
        (b"423089454719172609", b"100000000000000007"),
        (b"DESK", b"AAA7"),
    ],
)
def test_another_name_has_the_form_of_the_one_it_stands_for(name: bytes, other: bytes) -> None:
    assert other_name(name, 7) == other
    assert other_name(name, 8) != other and len(other) == len(name)
