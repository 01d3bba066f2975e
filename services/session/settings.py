"""What a session is told once, from the venue's file."""

from collections.abc import Mapping

import msgspec

from common.contracts import Contract
from common.fix.schedule import Schedule
from common.fix.session_types import SequencePolicy
from common.messages import name_as_before
from common.venues.credentials import Credentials
from common.venues.key_in_use import ReadAgain


class SessionConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One order entry session, `session`, of the `account` at the `venue`; a name that is "" is the venue's. Times as
    their names say; `symbols` are those that the kill switch clears.

    Either `sender_comp_id` is set, or `comp_id_prefix`: then each connection takes the next of `COMP_IDS` ids
    (`common.venues.connector`). `messages` in any `window_ms` is the venue's limit of our messages, `amends`
    that of the amendments among them (0 for none of their own), `connects` in any `connects_window_ms` that of our
    connection attempts. `cancel_reserve_ratio` of the messages is kept for what adds
    no risk. `hosts` counts those that are tried in turn. `jitter_seed` spreads the reconnections of sessions that lost
    their venue together. `emergency_folder` holds the latch and the emergency files.

    Without `schedule` the session is open at all times; with `reset_numbers` the first logon of each period starts
    persistent numbers at 1. `assets`: the base and quote asset of each symbol, for whoever folds the log; `contracts`:
    what a quantity is of each that is no spot market.
    `cancel_on_stop`: what rests at an orderly stop, since nobody was left to cancel it, is cancelled by the session.
    `read_credentials` gives the credentials as they are now, for each logon; without it they stay as they are.
    `place`: which of the account's sessions it is, from 0 on. `gives_way`: another host may go on in this one's place,
    so that a connection which cannot be used for a HeartBtInt(108) is given up.
    """

    venue: str
    target_comp_id: str
    sequence_policy: SequencePolicy
    symbols: tuple[str, ...]
    messages: int
    window_ms: int
    connects: int
    connects_window_ms: int
    emergency_folder: str
    sender_comp_id: str = ""
    comp_id_prefix: str = ""
    heart_bt_int_s: int = 30
    reconnect_min_ms: int = 50
    reconnect_max_ms: int = 5000
    hosts: int = 1
    cancel_reserve_ratio: float = 0.2
    jitter_seed: int = 0
    emergency_bytes: int = 16 << 20
    schedule: Schedule | None = None
    reset_numbers: bool = False
    credentials: Credentials | None = None
    read_credentials: ReadAgain | None = None
    assets: Mapping[str, tuple[str, str]] = {}
    contracts: Mapping[str, Contract] = {}
    cancel_on_stop: bool = False
    session: str = ""
    account: str = ""
    place: int = 0
    amends: int = 0
    gives_way: bool = False

    def __post_init__(self) -> None:
        name_as_before(self, self.venue)

    @property
    def resets(self) -> bool:
        """Whether numbers start at 1 with each connection."""
        return self.sequence_policy is SequencePolicy.RESET
