"""The dialect "bullish": Bullish's order entry over its FIX 4.4.

Source: bullish-exchange/api-docs, FIX Protocol Specification v1.0.13; README.md beside this file. What it means for us:
Logon(A) has a password and neither name nor signature; SenderSubID(50) is the trader and Account(1) the trading
account, in each request; numbers persist and are resent; a post-only order is an order type of its own; a cancel is
told twice, as pending and as done; a refused amendment says that the order is rejected, and it is not.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from msgspec import structs

from common.fix.session_types import SessionSettings
from common.fix.wire import utc_timestamp
from common.messages import AmendOrder, CancelOrder, CancelRejected, NewOrder
from common.venues.bullish.venue import PROFILE
from common.venues.credentials import Credentials, PasswordHmac
from common.venues.dialect import Body, Identity, plain
from common.venues.reading import Fields, text
from common.venues.standard import (
    STANDARD_READERS,
    Reader,
    ReportForm,
    StandardDialect,
    cancel_rejected,
    execution_report,
    needed_credentials,
    settings_that_persist,
)

ALL_OF_THE_ACCOUNT = "7"
POST_ONLY_TYPE = "p"
"""OrdType(40) of a limit order that may not take."""

FORM = ReportForm(maker_tag=b"1057", maker=b"N")


class Bullish(StandardDialect):
    """See the module."""

    profile = PROFILE
    readers: ClassVar[Mapping[str, Reader]] = {
        **{kind: STANDARD_READERS[kind] for kind in "3r"},
        "8": lambda f, raw: execution_report(f, raw, FORM),
        "9": lambda f, raw: _cancel_rejected(f, raw),
    }
    resends = True

    def session_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """See `Dialect`. What is open in the account is cancelled once the connection is lost: there is no choice."""
        ours = needed_credentials(credentials, PasswordHmac, "Bullish wants a trader, a password and an account")
        settings = settings_that_persist(identity, lambda number, time: f"554={ours.password}\x01".encode())
        return replace(
            settings,
            says_no_reset=True,
            header_fields=f"50={ours.username}\x01".encode(),
            application_fields=f"1={ours.account}\x01".encode(),
        )

    def encode_new(self, command: NewOrder, wall_ns: int) -> Body:
        """NewOrderSingle(D)."""
        c = command
        price = "" if c.price is None else f"44={plain(c.price)}\x01"
        kind = POST_ONLY_TYPE if c.terms.is_post_only else c.ord_type
        head = f"11={c.cl_ord_id}\x0138={plain(c.order_qty)}\x0140={kind}\x01{price}54={c.side}\x01"
        return Body("D", f"{head}{_tail(c.symbol, wall_ns)}59={c.terms.time_in_force}\x01".encode())

    def encode_amend(self, command: AmendOrder, wall_ns: int) -> Body:
        """OrderCancelReplaceRequest(G): of an order without fills alone, so that OrderQty(38) is the total."""
        c = command
        assert c.price is not None
        kind = POST_ONLY_TYPE if c.terms.is_post_only else c.ord_type
        names = _names(c.cl_ord_id, c.order_id, c.orig_cl_ord_id)
        terms = f"38={plain(c.order_qty)}\x0140={kind}\x0144={plain(c.price)}\x01"
        return Body("G", f"{names}{terms}{_tail(c.symbol, wall_ns)}".encode())

    def encode_cancel(self, command: CancelOrder, wall_ns: int) -> Body:
        """OrderCancelRequest(F)."""
        c = command
        names = _names(c.cl_ord_id, c.order_id, c.orig_cl_ord_id)
        return Body("F", f"{names}{_tail(c.symbol, wall_ns)}".encode())

    def encode_mass_cancel(self, cl_ord_id: str, symbol: str, wall_ns: int) -> Body | None:
        """OrderMassCancelRequest(q) of the trading account's orders in a symbol."""
        return Body("q", f"11={cl_ord_id}\x01{_tail(symbol, wall_ns)}530={ALL_OF_THE_ACCOUNT}\x01".encode())


def _names(cl_ord_id: str, order_id: str, orig_cl_ord_id: str) -> str:
    told = f"37={order_id}\x01" if order_id else ""
    return f"11={cl_ord_id}\x01{told}41={orig_cl_ord_id}\x01"


def _tail(symbol: str, wall_ns: int) -> str:
    return f"55={symbol}\x0160={utc_timestamp(wall_ns).decode()}\x01"


def _cancel_rejected(f: Fields, raw: bytes) -> CancelRejected:
    """OrdStatus(39)=8 of a refused amendment says nothing of the order, which lives on; RejectText(1328) says why."""
    told = cancel_rejected(f, raw)
    status = "" if told.ord_status == "8" else told.ord_status
    return structs.replace(told, ord_status=status, text=text(f, b"1328") or told.text)
