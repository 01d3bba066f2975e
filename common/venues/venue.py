"""What a venue is, in one struct: its facts, the kinds of credentials that it takes, what it lacks, and where its parts
are. Each venue's folder has a `venue.py` with one `PROFILE`, which names the parts as text and imports none of them.
"""

from enum import StrEnum

import msgspec

from common.instant import NS_PER_S
from common.messages import (
    MAX_TIME_TO_LIVE_NS,
    OFFSET_PRICE,
    SIDE_BUY,
    AmendOrder,
    NewOrder,
    QueryOrder,
    Terms,
)
from common.orders.names import ClOrdIdForm


class CredentialKind(StrEnum):
    """What a Logon(A) is signed or entered with. Each kind has files of its own, `CREDENTIAL_FILES`."""

    ED25519 = "ed25519"
    RSA = "rsa"
    HMAC = "hmac"
    HMAC_PASSPHRASE = "hmac_passphrase"
    HMAC_ACCOUNT = "hmac_account"
    PASSWORD = "password"
    PASSWORD_HMAC = "password_hmac"
    ED25519_ACCOUNT = "ed25519_account"


CREDENTIAL_FILES: dict[CredentialKind, tuple[str, ...]] = {
    CredentialKind.ED25519: ("api_key_file", "private_key_file"),
    CredentialKind.RSA: ("api_key_file", "private_key_file"),
    CredentialKind.HMAC: ("api_key_file", "secret_file"),
    CredentialKind.HMAC_PASSPHRASE: ("api_key_file", "secret_file", "passphrase_file"),
    CredentialKind.HMAC_ACCOUNT: ("api_key_file", "secret_file", "account_file"),
    CredentialKind.PASSWORD: ("username_file", "password_file"),
    CredentialKind.ED25519_ACCOUNT: ("api_key_file", "private_key_file", "account_file"),
    CredentialKind.PASSWORD_HMAC: ("username_file", "password_file", "account_file", "api_key_file", "secret_file"),
}
"""The keys of the table [credentials] by kind: each is the path of a file that holds the value and nothing else."""


class Feature(StrEnum):
    """What a venue may lack. A command that needs it is refused before it takes a number."""

    AMEND = "amend"
    AMEND_STOP = "amend_stop"
    """Changes of a stop or take-profit order that sleeps."""
    POST_ONLY = "post_only"
    REDUCE_ONLY = "reduce_only"
    MARKET_ORDER = "market_order"
    MARKET_BUY_OF_QUANTITY = "market_buy_of_quantity"
    """Market orders to buy a quantity of the base asset."""
    IMMEDIATE_OR_CANCEL = "immediate_or_cancel"
    FILL_OR_KILL = "fill_or_kill"
    GOOD_TILL_DATE = "good_till_date"
    STOP_ORDER = "stop_order"
    """Stop orders: they sleep at the venue until a trade is at StopPx(99) or beyond it, and are market orders then."""
    STOP_LIMIT_ORDER = "stop_limit_order"
    """The same with a limit."""
    NEAR_LIMIT = "near_limit"
    """Stop-limit orders whose limit comes before their stop price: below it for a buy, above it for a sale."""
    TAKE_PROFIT_ORDER = "take_profit_order"
    """Orders that sleep until a trade is at StopPx(99) or better for them, and are market orders then."""
    TAKE_PROFIT_LIMIT_ORDER = "take_profit_limit_order"
    """The same with a limit."""
    TRAILING_STOP = "trailing_stop"
    """Stop orders whose stop price follows the market by so many basis points, without and with a limit."""
    TRAILING_STOP_BY_PRICE = "trailing_stop_by_price"
    """The same where the distance is one in the quote asset."""
    PEGGED_ORDER = "pegged_order"
    """Orders that have their price from the book, once, as they are placed."""
    ICEBERG = "iceberg"
    """Orders of which no more than DisplayQty(1138) is seen in the book at once."""
    CASH_QUANTITY = "cash_quantity"
    """Market orders for an amount of the quote asset, CashOrderQty(152)."""
    CASH_SALE = "cash_sale"
    """The same to sell."""
    ORDER_LIST = "order_list"
    """Orders of which one cancels or triggers another, sent in one message."""
    PAID_ORDER = "paid_order"
    """Orders of a list that sell what its first one has bought, whose quantity the venue counts."""
    STATUS_QUERY = "status_query"
    MASS_CANCEL = "mass_cancel"
    MASS_CANCEL_REPORT = "mass_cancel_report"
    """A mass cancel is answered as a whole, not by the reports of the orders that it closed alone."""
    FILL_FEES = "fill_fees"
    """The report of a fill tells what it cost."""
    LIQUIDITY = "liquidity"
    """The report of a fill tells whether the order made or took."""
    TRIGGER_REPORT = "trigger_report"
    """A report says that the price was reached that a stop order waited for; else its first fill shows it."""
    ANNOUNCEMENT = "announcement"
    """The venue says so before it ends a connection."""
    LIMIT_QUERY = "limit_query"
    MARKET_DATA = "market_data"
    """Prices over FIX. Where it is lacking, the REST side is asked for them again and again."""

    UNKNOWN_OUTCOME = "unknown_outcome"
    """The venue answers that it does not know what became of a request: such an order's fate is found out."""


class Confidence(StrEnum):
    """How much of its wire the venue has shown: what is below the first is said wherever the venue is named."""

    DOCUMENTED = "documented"
    """Its documents describe the messages field by field, or show them."""
    ASSUMED = "assumed"
    """Its documents show few frames or none, and leave much to be assumed."""
    UNVERIFIED = "unverified"
    """What there is was told by others, and none of it could be compared with the venue's own word."""


FURTHER_TERMS = frozenset(
    {
        Feature.REDUCE_ONLY,
        Feature.GOOD_TILL_DATE,
        Feature.STOP_ORDER,
        Feature.STOP_LIMIT_ORDER,
        Feature.TAKE_PROFIT_ORDER,
        Feature.TAKE_PROFIT_LIMIT_ORDER,
        Feature.TRAILING_STOP,
        Feature.TRAILING_STOP_BY_PRICE,
        Feature.PEGGED_ORDER,
        Feature.ORDER_LIST,
        Feature.PAID_ORDER,
        Feature.ICEBERG,
        Feature.CASH_QUANTITY,
    }
)
"""Terms beyond those of limit and market orders. A folder lacks each of them that it does not say it spells."""


class MarketDataKey(StrEnum):
    """Whose key a market data session logs on with: none, the account's unless it is given one of its own, or no other
    than its own."""

    NONE = "none"
    ACCOUNT = "account"
    OWN = "own"


LACKED_BEHIND_A_BRIDGE = frozenset(
    {
        Feature.STATUS_QUERY,
        Feature.MASS_CANCEL,
        Feature.MASS_CANCEL_REPORT,
        Feature.LIMIT_QUERY,
        Feature.UNKNOWN_OUTCOME,
        Feature.ANNOUNCEMENT,
    }
)
"""What no bridge speaks, whichever venue is behind it."""

BRIDGED_WINDOW_NS = MAX_TIME_TO_LIVE_NS + 10 * NS_PER_S
"""How long after an order's last moment a bridge and its venue together may still be at it: assumed, and generous."""


class VenueProfile(msgspec.Struct, frozen=True, kw_only=True):
    """One venue. `title` is its name for people.

    `dialect`, `simulated`, `rest` and `fields` are "package.module:name": a `Dialect` class, an `OpenSide` for the
    simulated exchange, an `OpenRest` ("" where there is no REST side), and the venue's additions to its version of FIX,
    `fix_version`, as `Dictionary.with_additions` takes them ("" for none).
    `backend` is an `OpenBackend` ("" where the venue speaks FIX itself): a bridge speaks FIX for it.
    `further`: which of FURTHER_TERMS the folder spells; `lacks` has the others by itself.
    `window_ns`: how long after a connection's death one of its requests may still take effect, by the venue's clock.
    `key_tags`: fields of Logon(A) that hold a key or the signature here, beside those that are secret everywhere.
    `trade_keys_are_exec_ids`: a report's trade keys are ExecID(17) and ExecRefID(19), which may begin anew where the
    session's numbers do.
    `cancels_on_disconnect`: the venue cancels what a session has open once its connection is lost without Logout(5).
    `cancels_own_session_only`: it finds the order of a cancel among those of the session that asks alone, so that its
    "no such order" says nothing of what another one placed. A session is all that goes by one row of numbers.
    `tells_states`: a report tells the state that the order is in, whatever led to it, as one that answers a question
    does: so is a new order acknowledged, and an amendment, by its terms.
    `amends_where_placed`: an amendment goes through the connection that placed the order, and is refused on any other.
    `comp_id_is_api_key`: the API key is SenderCompID(49), in every message.
    `comp_id_is_assigned`: the venue gives each connection its SenderCompID(49), by which, and by the address that it
    comes from, it is known: Logon(A) holds no credentials, and those that there are are for the REST side.
    `market_data_key`: whose key a market data session over FIX logs on with.
    `numbers_books`: each message on a symbol's book has the next RptSeq(83), and the book is told order by order.
    `book_sum` is "package.module:name" of a `BookSum`, by which a book is held against the venue's ("" for none).
    `names`: what the venue takes as ClOrdID(11).
    `has_drop_copy`: a session may hear the reports of all of an account's orders: `Identity.drop_copy`.
    `nonces_grow`: each Logon(A) bears a number above those before it, of whichever process.
    `ends_announced`: News(B) says that it will end the connection it comes on, and another of the account may log on
    before.
    `lists_instruments`: asked for them on the market data session, it lists its instruments.
    `finds_sleeping_apart`: a cancel finds a stop order that sleeps only where it says that it means one, and then no
    other: "no such order" is said of the one kind that was asked for.
    `stops_by_market`: what a stop order waits for follows from where the market is as it comes, so that one whose stop
    price is reached by then waits for the other direction.
    `lists_orders`: so many orders its REST side looks for at once, where that takes fewer requests than to ask about
    each; 0 where it looks for one at a time.
    `rest_calls_per_s`: so many requests its REST side allows in the long run, where that is so few that questions about
    orders wait for one another; 0 where it is not.
    `tells_funding`: its REST side tells what holding contracts has cost and brought.
    `confidence`: how much of all this the venue itself has shown.
    """

    title: str
    dialect: str
    simulated: str
    rest: str = ""
    backend: str = ""
    fields: str = ""
    credentials: tuple[CredentialKind, ...] = ()
    lacks: frozenset[Feature] = frozenset()
    further: frozenset[Feature] = frozenset()
    window_ns: int = 0
    key_tags: frozenset[int] = frozenset()
    trade_keys_are_exec_ids: bool = False
    fix_version: str = "FIX44"
    cancels_on_disconnect: bool = False
    cancels_own_session_only: bool = False
    tells_states: bool = False
    amends_where_placed: bool = False
    comp_id_is_api_key: bool = False
    comp_id_is_assigned: bool = False
    market_data_key: MarketDataKey = MarketDataKey.ACCOUNT
    numbers_books: bool = False
    book_sum: str = ""
    names: ClOrdIdForm = ClOrdIdForm.TEXT
    has_drop_copy: bool = False
    ends_announced: bool = False
    nonces_grow: bool = False
    lists_instruments: bool = False
    finds_sleeping_apart: bool = False
    stops_by_market: bool = False
    tells_funding: bool = False
    lists_orders: int = 0
    rest_calls_per_s: float = 0.0
    confidence: Confidence = Confidence.DOCUMENTED

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "lacks", self.lacks | (FURTHER_TERMS - self.further))
        if self.has_drop_copy and self.trade_keys_are_exec_ids:
            raise ValueError("a fill that is told on two sessions needs a trade key that is the same on both")

    @property
    def caveat(self) -> str:
        """The word to say with the venue's name, "" where there is none to say."""
        return "" if self.confidence is Confidence.DOCUMENTED else self.confidence.value

    def has(self, feature: Feature) -> bool:
        """Whether the venue has it."""
        return feature not in self.lacks


_MARKET = "1"
_TIMES_IN_FORCE = {"3": Feature.IMMEDIATE_OR_CANCEL, "4": Feature.FILL_OR_KILL, "6": Feature.GOOD_TILL_DATE}

_STOPS = {"3": Feature.STOP_ORDER, "4": Feature.STOP_LIMIT_ORDER}
_TAKE_PROFITS = {"3": Feature.TAKE_PROFIT_ORDER, "4": Feature.TAKE_PROFIT_LIMIT_ORDER}


def _trailing(terms: Terms) -> Feature:
    by_price = terms.peg_offset_type == OFFSET_PRICE
    return Feature.TRAILING_STOP_BY_PRICE if by_price else Feature.TRAILING_STOP


def missing_feature(profile: VenueProfile, command: object) -> Feature | None:
    """The first feature that the command needs and the venue lacks; None where it lacks none."""
    needed: list[Feature] = []
    if isinstance(command, NewOrder):
        needed += [Feature.ORDER_LIST] if command.further else []
        for order in command.orders:
            needed += _needed_by(order.terms)
    elif isinstance(command, AmendOrder):
        needed += [Feature.AMEND, *([Feature.AMEND_STOP] if command.terms.is_stop else []), *_needed_by(command.terms)]
    elif isinstance(command, QueryOrder):
        needed.append(Feature.STATUS_QUERY)
    return next((feature for feature in needed if feature in profile.lacks), None)


def _needed_by(terms: Terms) -> list[Feature]:
    """What a venue has to have for an order of these terms."""
    needed = [Feature.POST_ONLY] if terms.is_post_only else []
    needed += [Feature.REDUCE_ONLY] if terms.is_reduce_only else []
    needed += _needed_by_market_order(terms) if terms.ord_type == _MARKET or terms.cash_order_qty is not None else []
    needed += [_trailing(terms)] if terms.is_trailing else []
    stops = _TAKE_PROFITS if terms.take_profit else _STOPS
    needed += [stops[t] for t in (terms.ord_type,) if t in stops]
    needed += [Feature.NEAR_LIMIT] if _has_near_limit(terms) else []
    needed += [Feature.PEGGED_ORDER] if terms.is_pegged else []
    needed += [Feature.ICEBERG] if terms.display_qty is not None else []
    needed += [Feature.PAID_ORDER] if terms.paid else []
    return needed + [_TIMES_IN_FORCE[t] for t in (terms.time_in_force,) if t in _TIMES_IN_FORCE]


def _needed_by_market_order(terms: Terms) -> list[Feature]:
    """By what its size is told in, and which way it trades."""
    buys, needed = terms.side == SIDE_BUY, [Feature.MARKET_ORDER] if terms.ord_type == _MARKET else []
    if terms.cash_order_qty is not None:
        return [Feature.CASH_QUANTITY, *needed, *([] if buys else [Feature.CASH_SALE])]
    return [*needed, *([Feature.MARKET_BUY_OF_QUANTITY] if buys else [])]


def _has_near_limit(terms: Terms) -> bool:
    price, stop_px = terms.price, terms.stop_px
    if price is None or stop_px is None:
        return False
    return price < stop_px if terms.side == SIDE_BUY else price > stop_px
