"""The fuzz is repeatable, its inputs are what they say, and what it finds is named with the fewest inputs."""

from decimal import Decimal
from random import Random
from typing import get_args

import msgspec
import pytest

from common.fix.wire import Framer, encode, pairs, split
from common.messages import EntryRequest, NewOrderRequest, Terms
from scripts.fuzz import run as fuzz_run
from scripts.fuzz.planted import FAULTS
from scripts.fuzz.reports import KEPT, mangled
from scripts.fuzz.run import LEAST_SHARE, TARGETS, Job, find_fault, run_round, shrink
from scripts.fuzz.target import Tally
from scripts.fuzz.values import Maker

ORDER = NewOrderRequest(5, 1, "generic", "BTCUSDT", Terms("1", "2", Decimal("0.5"), Decimal(65_000)))
FILL = (
    b"35=8\x0134=9\x0149=EX\x0156=US\x0152=20260101-00:00:00\x0111=a-1\x0137=7\x0117=3\x01150=F\x0139=1\x0155=BTCUSDT\x01"
    b"54=1\x0132=0.4\x0131=64900\x0114=0.4\x01151=0.6\x0160=20260101-00:00:00\x01"
)


def _messages(seed: int) -> list[msgspec.Struct]:
    maker = Maker(Random(seed))
    maker.show(ORDER)
    return [maker.message(get_args(EntryRequest)) for _ in range(200)]


def test_the_same_dice_make_the_same_messages() -> None:
    assert repr(_messages(3)) == repr(_messages(3)) != repr(_messages(4))


def test_most_made_messages_decode_and_few_are_as_they_were() -> None:
    decoder, tally = msgspec.msgpack.Decoder(EntryRequest), Tally()
    made = _messages(5)
    for message in made:
        try:
            decoder.decode(msgspec.msgpack.encode(message))
        except msgspec.DecodeError:
            tally.count("entry", decoded=False)
        else:
            tally.count("entry", decoded=True)
    assert 0.5 < tally.share < 1.0 and sum(message == ORDER for message in made) < 20


@pytest.mark.parametrize("seed", range(50))
def test_a_mangled_report_is_framed_and_says_whose_fill_it_is(seed: int) -> None:
    whole = encode(b"FIX.4.4", FILL)
    odd = mangled(pairs(whole), Random(seed))
    assert Framer().feed(odd) == [odd]
    kept, told = split(odd), split(whole)
    assert {tag: kept[tag] for tag in KEPT & told.keys() - {b"9", b"10"}} == {
        tag: told[tag] for tag in KEPT & told.keys() - {b"9", b"10"}
    }


def test_a_round_is_the_same_round_again() -> None:
    first, again = run_round(Job("links", 4)), run_round(Job("links", 4))
    assert (first.tally.inputs, first.tally.decoded, first.finding) == (
        again.tally.inputs, again.tally.decoded, again.finding,
    )  # fmt: skip
    assert first.tally.inputs.total() > 50


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # No round of these takes more than a few seconds but the one that would never end.
    monkeypatch.setattr(fuzz_run, "BLOCKED_S", 15.0)
    result = find_fault(name)
    assert result.finding, f"{FAULTS[name].sentence} No round up to {result.job.seed} shows it."


def test_what_was_found_is_shown_with_few_inputs() -> None:
    result = find_fault("undecodable-ends-orders")
    smaller = shrink(result, patience_s=20.0)
    assert smaller.finding and smaller.job.only is not None
    assert len(smaller.job.only) < TARGETS[smaller.job.target].size // 20
    assert smaller.job.command.startswith("fixring fuzz --target folds --seed")
    assert run_round(smaller.job).finding == smaller.finding


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_round_of_each_target_holds(target: str, seed: int) -> None:
    result = run_round(Job(target, seed))
    assert not result.finding, f"{result.finding}; repeat it with {result.job.command}"
    assert result.tally.share >= LEAST_SHARE and result.tally.inputs.total() >= TARGETS[target].size // 10
