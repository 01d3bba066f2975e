"""What an exchange is told when it is built. `__main__` fills these from the configuration, tests write them down."""

from decimal import Decimal

import msgspec

from common.contracts import SPOT, Contract
from common.exchange.order import BUY


def in_wallet(asset: str, wallet: str) -> str:
    """What the balance of an asset in a wallet is called, such as `USDT/futures`; as the asset in the one of spot."""
    return f"{asset}/{wallet}" if wallet else asset


def asset_of(balance: str) -> str:
    """The asset of a balance, whatever wallet it is in."""
    return balance.partition("/")[0]


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol. Prices are multiples of `tick_size`, quantities of `lot_size`, notionals are in `quote`.

    Quantities are in `base`, or in contracts where `contract` is no spot market's; from `expiry_ns` on (Unix, 0 for
    never) nothing more trades. `start_price` is where the background traders begin. A limit price may be up to
    `price_multiplier_up` times the last traded price (the first one before any trade), and down to
    `price_multiplier_down` times it. `fee_in_quote`: the fee of a buy, too, is taken in `quote`;
    else each side's is taken of what it receives. That of contracts is in the asset that they are settled in, of which
    an account needs `margin_rate`, a share of what its contracts are worth, to hold them; 0 asks for none. They are
    settled in the `wallet` of that name, "" for the one of spot: no order of the one spends what is in the other.
    """

    symbol: str
    base: str
    quote: str
    tick_size: Decimal
    lot_size: Decimal
    min_qty: Decimal
    max_qty: Decimal
    min_notional: Decimal
    start_price: Decimal
    max_price: Decimal = Decimal(1_000_000)
    max_notional: Decimal = Decimal(9_000_000_000)
    price_multiplier_up: Decimal = Decimal(5)
    price_multiplier_down: Decimal = Decimal("0.2")
    fee_in_quote: bool = False
    contract: Contract = SPOT
    expiry_ns: int = 0
    margin_rate: Decimal = Decimal(0)
    wallet: str = ""

    @property
    def purse(self) -> str:
        """The balance that contracts are settled in, by the name of its asset, and of its wallet where it has one."""
        return in_wallet(self.contract.settle, self.wallet)

    def fee_asset(self, side: str) -> str:
        """What the fee of a fill on that side is taken in."""
        if not self.contract.is_spot:
            return self.contract.settle
        return self.base if side == BUY and not self.fee_in_quote else self.quote

    def fee_basis(self, side: str, px: Decimal, qty: Decimal) -> Decimal:
        """What a fee is a share of, in that asset."""
        is_in_base = self.contract.is_spot and self.fee_asset(side) == self.base
        return qty if is_in_base else self.contract.worth(px, qty)


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """One client: the SenderCompID(49) it logs on with and the account that its orders belong to."""

    comp_id: str
    account: str


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """An API key or a name (text), its account, and what its holder's proof is checked with: the public key of his
    signatures (32 raw bytes of Ed25519, PEM of RSA), or the secret or password that both sides know, with the
    passphrase where there is one. `account_id` is the venue's own name of the account, where requests have it.
    `listener`: the one listener that it is for, by name, and which takes no other kind of key then; "" for all of them.
    """

    api_key: str
    account: str
    public_key: bytes = b""
    secret: bytes = b""
    passphrase: str = ""
    account_id: str = ""
    listener: str = ""


class ExchangeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one exchange process needs to know.

    `dialect` names the venue's folder. `comp_id` is the exchange's own name in FIX, `market_data_comp_id` that of its
    market data where it has another. Where a venue knows its clients by CompID, `parties` may log on to order entry,
    `market_data_parties` to market data and `drop_copy_parties` to the drop copy; where by key or password, `keys` are
    theirs. `accounts` holds the first balances of each account by asset. `fee_rate_*` is a share of the received asset,
    or of what a fill of contracts is worth. `traders` send `trader_orders_per_s` orders each, drawn from `seed`.
    `feed_interval_ns` is how often changed prices are published and `depth_interval_ns` how often changed depth is.
    `refuses_superfluous`: whether a field that its message type does not have is refused, None where as the venue does.
    Limits, each enforced where the venue has it: `max_open_orders` per account and symbol, `unfilled_order_limit`
    per account and ten seconds, and `rest_weight_limit`, the weight of REST requests in a minute. A snapshot is
    made each time `snapshot_changes` changes happened: replaying so many takes well under a second. `websocket_url` is
    where its WebSocket is, for a venue that tells it over REST ("" where there is none).
    """

    name: str
    dialect: str
    comp_id: str
    instruments: tuple[Instrument, ...]
    accounts: dict[str, dict[str, Decimal]]
    parties: tuple[Party, ...] = ()
    market_data_parties: tuple[str, ...] = ()
    drop_copy_parties: tuple[Party, ...] = ()
    keys: tuple[Key, ...] = ()
    fee_rate_maker: Decimal = Decimal("0.001")
    fee_rate_taker: Decimal = Decimal("0.001")
    seed: int = 1
    traders: int = 0
    trader_orders_per_s: int = 10
    feed_interval_ns: int = 10_000_000
    depth_interval_ns: int = 100_000_000
    max_open_orders: int = 10_000
    unfilled_order_limit: int = 100_000
    rest_weight_limit: int = 6000
    heart_bt_int_s: int = 30
    snapshot_changes: int = 50_000
    market_data_comp_id: str = ""
    websocket_url: str = ""
    refuses_superfluous: bool | None = None

    def keys_for(self, listener: str) -> tuple[Key, ...]:
        """What is let in at that listener: the keys that are for it alone, or where there is none those of all."""
        own = tuple(key for key in self.keys if key.listener == listener)
        return own or tuple(key for key in self.keys if not key.listener)
