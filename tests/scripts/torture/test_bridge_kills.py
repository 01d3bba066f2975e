"""What the kills of a bridge say that differs, in the end."""

import contextlib
from collections.abc import Iterator

import pytest

from scripts.torture.bridge_kills import LOOKS, BridgeKills


@pytest.mark.parametrize(
    ("differs_for", "told"), [(0, []), (1, []), (LOOKS - 1, []), (LOOKS, ["k2 differs"]), (99, ["k2 differs"])]
)  # fmt: skip
def test_what_the_venue_has_traded_between_two_looks_is_no_difference(
    monkeypatch: pytest.MonkeyPatch, differs_for: int, told: list[str]
) -> None:
    kills, looked = object.__new__(BridgeKills), list[str]()
    kills._placed = ["k1", "k2", "k3"]

    @contextlib.contextmanager
    def copied(self: BridgeKills) -> Iterator[None]:
        yield None

    def compare(self: BridgeKills, store: None, name: str) -> list[str]:
        looked.append(name)
        return ["k2 differs"] if name == "k2" and looked.count("k2") <= differs_for else []

    monkeypatch.setattr(BridgeKills, "_store", copied)
    monkeypatch.setattr(BridgeKills, "_compare", compare)
    assert kills._differences() == told
    assert looked.count("k1") == looked.count("k3") == 1, "what agrees is looked at once"
