"""A venue's file as its simulated exchange needs it."""

from common.config import SimulatedConfig, VenueConfig
from common.exchange.settings import ExchangeSettings, Instrument, Key, Party

ACCOUNT = "desk"


def settings_of(venue: VenueConfig, simulated: SimulatedConfig, keys: tuple[Key, ...]) -> ExchangeSettings:
    """The settings of the exchange behind `venue`, whose API keys are `keys`."""
    sender, md_sender = venue.fix.sender_comp_id, venue.market_data.sender_comp_id
    return ExchangeSettings(
        name=venue.name,
        dialect=venue.dialect,
        comp_id=venue.fix.target_comp_id,
        instruments=_instruments(venue, simulated),
        accounts={ACCOUNT: simulated.balances},
        parties=(Party(comp_id=sender, account=ACCOUNT),) if sender else (),
        market_data_parties=(md_sender,) if md_sender else (),
        keys=keys,
        fee_rate_maker=simulated.fee_rate,
        fee_rate_taker=simulated.fee_rate,
        seed=simulated.seed,
        traders=simulated.traders,
        trader_orders_per_s=simulated.trader_orders_per_s,
        heart_bt_int_s=venue.fix.heart_bt_int_s,
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
        )
        for symbol, i in venue.instruments.items()
    )
