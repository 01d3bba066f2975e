"""A venue's file as its simulated exchange needs it."""

from decimal import Decimal

from common.config import ConfiguredAccount, FeeAsset, SimulatedConfig, SuperfluousTags, VenueConfig, accounts_of
from common.exchange.settings import ExchangeSettings, Instrument, Key, Party
from common.venues.registry import find_profile

ACCOUNT = "desk"
"""What the exchange calls the venue's first account."""


def called(account: ConfiguredAccount) -> str:
    """What the exchange calls the account: one that is not the venue's first is called as in the configuration."""
    return ACCOUNT if account.name == account.venue.name else account.name


_REFUSES = {SuperfluousTags.AS_VENUE: None, SuperfluousTags.REFUSED: True, SuperfluousTags.IGNORED: False}


def settings_of(venue: VenueConfig, simulated: SimulatedConfig, keys: tuple[Key, ...]) -> ExchangeSettings:
    """The settings of the exchange behind `venue`, whose API keys are `keys`."""
    by_key = find_profile(venue.dialect).comp_id_is_api_key
    md_sender = None if venue.market_data is None else venue.market_data.sender_comp_id
    ours = [key for key in keys if not key.listener]
    for_prices = [key for key in keys if key.listener == "market_data"] or ours
    md_senders = [key.api_key for key in for_prices] if by_key else [md_sender]
    further = {name: account.balances for name, account in venue.accounts.items() if name != venue.name}
    return ExchangeSettings(
        name=venue.name,
        dialect=venue.dialect,
        comp_id=venue.fix.target_comp_id,
        instruments=_instruments(venue, simulated),
        accounts={ACCOUNT: simulated.balances} | further,
        parties=tuple(Party(comp_id=key.api_key, account=key.account) for key in ours) if by_key else _parties(venue),
        market_data_parties=tuple(sender for sender in md_senders if sender),
        keys=keys,
        fee_rate_maker=simulated.fee_rate,
        fee_rate_taker=simulated.fee_rate,
        seed=simulated.seed,
        traders=simulated.traders,
        trader_orders_per_s=simulated.trader_orders_per_s,
        heart_bt_int_s=venue.fix.heart_bt_int_s,
        refuses_superfluous=_REFUSES[simulated.superfluous_tags],
        websocket_url="" if venue.bridge is None else venue.bridge.websocket,
        drop_copy_parties=() if by_key else _copies(venue),
        market_data_comp_id="" if venue.market_data is None else venue.market_data.target_comp_id,
    )


def _parties(venue: VenueConfig) -> tuple[Party, ...]:
    """Those who log on under a name of the configuration."""
    return tuple(
        Party(comp_id=session.fix.sender_comp_id, account=called(account))
        for account in accounts_of(venue)
        for session in account.sessions
        if session.fix.sender_comp_id
    )


def _copies(venue: VenueConfig) -> tuple[Party, ...]:
    """The drop copies that log on under a name of the configuration."""
    return tuple(
        Party(comp_id=copy.fix.sender_comp_id, account=called(account))
        for account in accounts_of(venue)
        for copy in account.drop_copies
        if copy.fix.sender_comp_id
    )


def _instruments(venue: VenueConfig, simulated: SimulatedConfig) -> tuple[Instrument, ...]:
    return tuple(
        Instrument(
            symbol=symbol,
            base=i.base,
            quote=i.quote,
            tick_size=i.tick_size,
            lot_size=i.lot_size,
            min_qty=i.min_qty,
            max_qty=i.max_qty,
            min_notional=i.min_notional,
            start_price=simulated.prices[symbol],
            fee_in_quote=simulated.fee_asset is FeeAsset.QUOTE,
            contract=i.contract,
            expiry_ns=i.expiry_ns,
            margin_rate=Decimal(0) if i.contract.is_spot else simulated.margin_rate,
            wallet="" if i.contract.is_spot else simulated.wallet,
        )
        for symbol, i in venue.instruments.items()
    )
