"""At which seed each planted bug was last found: the search begins there, and looks within the whole bound if need be.

The table is made by `fixring simulate --planted all --write`.
"""

from pathlib import Path
from typing import Final

MODULE = Path(__file__)

KNOWN_SEEDS: Final[dict[str, int]] = {
    "absent-at-once": 2,
    "ack-before-sync": 0,
    "ack-from-page-cache": 0,
    "amend-unreserved": 7,
    "amount-is-a-quantity": 29,
    "amounts-uncounted": 29,
    "asked-again-is-absent": 90,
    "believe-all": 3,
    "believed-is-worst": 30,
    "beyond-bounds-untold": 11,
    "booked-is-added": 4,
    "bust-as-a-fill": 7,
    "cancel-once": 5,
    "cancel-what-comes": 0,
    "chain-per-writer": 2,
    "closings-untold": 1,
    "configuration-is-all": 5,
    "count-fills-again": 0,
    "delete-what-is-gap-filled": 11,
    "done-for-day-is-over": 1,
    "drop-on-replay": 0,
    "expire-early": 3,
    "fees-left-behind": 1173,
    "fees-untaken": 1,
    "fills-told-twice": 0,
    "fills-untold": 1,
    "follow-gaps": 1,
    "forget-in-flight": 0,
    "forget-latch": 0,
    "forget-late-answers": 8,
    "forgotten-is-new": 33,
    "gate-at-once": 0,
    "gone-is-marked": 4,
    "gone-takes-all": 4,
    "ignore-withdrawn": 194,
    "inverse-is-linear": 31,
    "keep-expired": 4,
    "keep-price": 125,
    "kill-without-budget": 8,
    "labels-without-bounds": 11,
    "leave-is-not-heard": 6,
    "misread-price-stays": 1,
    "missing-unasked": 3886,
    "multiplier-left-out": 31,
    "named-is-answered": 3,
    "never-settled": 2,
    "newest-clock-alone": 643,
    "no-wait-orders": 0,
    "no-wait-risk": 5,
    "notional-without-multiplier": 31,
    "odd-field-drops-fill": 17,
    "one-fill-a-trade": 0,
    "open-at-once": 0,
    "our-end-is-theirs": 1287,
    "outside-uncounted": 235,
    "poison-halts-nothing": 1,
    "poison-raises": 1,
    "positions-under-one-name": 0,
    "reduce-only-forgotten": 31,
    "reduce-only-is-free": 31,
    "refused-told-sent": 7,
    "release-to-newer-connection": 6,
    "release-unacknowledged": 0,
    "replacement-is-no-leg": 10,
    "resend-at-once": 4,
    "resend-orders": 2,
    "rest-lowers-cum-qty": 23,
    "resume-repeats-nothing": 5,
    "reuse-number": 0,
    "send-before-journal": 0,
    "send-past-a-hole": 117,
    "silence-for-ever": 50,
    "strangers-linger": 14,
    "strangers-unasked": 17,
    "strangers-uncounted": 24,
    "sweep-nothing": 16,
    "tell-before-journal": 0,
    "timeout-is-reject": 2,
    "uncut-is-garbled": 4,
    "unheard-is-nothing": 3,
    "unread-is-open": 73,
    "unreadable-unasked": 17,
    "verified-at-once": 0,
    "void-leaves": 35,
    "welcome-in-mid-replay": 4,
}


def write_seed(name: str, seed: int) -> None:
    """Put where the bug was found into this file, at once: a search takes long, and may be ended."""
    KNOWN_SEEDS[name] = seed
    before, begin, rest = MODULE.read_text("utf-8").partition("Final[dict[str, int]] = {\n")
    _, end, after = rest.partition("}\n")
    rows = "".join(f'    "{known}": {found},\n' for known, found in sorted(KNOWN_SEEDS.items()))
    MODULE.write_text(f"{before}{begin}{rows}{end}{after}", "utf-8")
