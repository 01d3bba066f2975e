"""The dialect "coinbaseintl": Coinbase International's order entry over FIX 5.0 SP2.

Source: docs.cdp.coinbase.com/international-exchange/fix-api; README.md beside this file. What it means for us: the
signature of Logon(A) is its Text(58); numbers start at 1 with each connection, and what was missed is asked for over
REST; a fill is ExecType(150)=1 or 2, although this is FIX 5.0; an order is named by its ClOrdID(11) alone; the drop
copy has a name of its own.
"""

import base64
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import ClassVar

from msgspec import structs

from common.fix.session_types import SessionSettings
from common.fix.wire import utc_timestamp
from common.messages import AmendOrder, CancelOrder, ExecutionReport, NewOrder
from common.venues.coinbaseintl.venue import PROFILE
from common.venues.credentials import Credentials, HmacPassphrase
from common.venues.dialect import BadReport, Body, Identity, plain
from common.venues.reading import Fields
from common.venues.signers import base64_secret, hmac_sha256
from common.venues.standard import (
    STANDARD_READERS,
    Reader,
    ReportForm,
    StandardDialect,
    execution_report,
    needed_credentials,
    settings_from_one,
)

DROP_COPY = "CBINTLDC"
"""TargetCompID(56) of a drop copy, whatever that of order entry is."""

_HAPPENED = b"0"  # ExecTransType(20)
_FILLS = "12"  # ExecType(150)
_POST_ONLY, _CLOSE_ONLY = "6", "E"  # ExecInst(18)
_FORM = ReportForm(trades=_FILLS)


@lru_cache(maxsize=1024)
def _terms(symbol: str, side: str, ord_type: str, time_in_force: str, exec_inst: str) -> str:
    """The part of an order that few orders differ in."""
    instructions = f"18={exec_inst}\x01" if exec_inst else ""
    return f"{instructions}40={ord_type}\x0154={side}\x0155={symbol}\x0159={time_in_force}\x01"


def logon_signature(credentials: HmacPassphrase, target_comp_id: str, sending_time: bytes) -> bytes:
    """Text(58) of Logon(A): base64 of the HMAC-SHA-256, by the secret's own bytes, over SendingTime(52), the API key,
    TargetCompID(56) and the passphrase, with nothing in between.

    Source: the page on administrative messages. Raises BadKey.
    """
    who = f"{credentials.api_key}{target_comp_id}{credentials.passphrase}"
    return base64.b64encode(hmac_sha256(base64_secret(credentials.secret), sending_time + who.encode()))


def _report(f: Fields, raw: bytes) -> ExecutionReport:
    """A fill or a change. One that takes a fill back or corrects it is announced and not described: it is believed for
    nothing, and the order is asked about. Raises BadReport."""
    if f.get(b"20", _HAPPENED) != _HAPPENED:
        raise BadReport(f"ExecTransType(20)={f[b'20'].decode('latin-1')} takes a fill back or corrects it")
    report = execution_report(f, raw, _FORM)
    return structs.replace(report, exec_type="F") if report.exec_type in _FILLS else report


class CoinbaseInternational(StandardDialect):
    """Coinbase International's side of the wire, as the module says."""

    profile = PROFILE
    readers: ClassVar[Mapping[str, Reader]] = {
        "8": _report, **{msg_type: STANDARD_READERS[msg_type] for msg_type in ("9", "3", "j", "r")},
    }  # fmt: skip

    def session_settings(self, identity: Identity, credentials: Credentials | None) -> SessionSettings:
        """CancelOrdersOnDisconnect(8013)=Y: what this session has open goes with its connection."""
        why = "Logon(A) is signed with a key's secret and passphrase"
        signer = needed_credentials(credentials, HmacPassphrase, why)
        base64_secret(signer.secret)
        target = DROP_COPY if identity.drop_copy else identity.target_comp_id
        extra = "" if identity.drop_copy else "8013=Y\x01"

        def logon_fields(msg_seq_num: int, sending_time: bytes) -> bytes:
            who = f"553={signer.api_key}\x01554={signer.passphrase}\x01{extra}".encode()
            return b"%b58=%b\x01" % (who, logon_signature(signer, target, sending_time))

        return replace(
            settings_from_one(identity, logon_fields),
            target_comp_id=target,
            begin_string="FIXT.1.1",
            default_appl_ver_id="9",
            expects_reset_echo=False,
            # Any other number of digits is a wrong signature.
            timestamp_digits=3,
        )

    def encode_new(self, command: NewOrder, wall_ns: int) -> Body:
        """NewOrderSingle(D)."""
        c = command
        exec_inst = (_POST_ONLY if c.terms.is_post_only else "") + (_CLOSE_ONLY if c.terms.is_reduce_only else "")
        price = "" if c.price is None else f"44={plain(c.price)}\x01"
        stop = "" if c.terms.stop_px is None else f"99={plain(c.terms.stop_px)}\x01"
        expires = f"126={utc_timestamp(c.terms.expire_ns).decode()}\x01" if c.terms.expire_ns else ""
        terms = _terms(c.symbol, c.side, c.ord_type, c.terms.time_in_force, " ".join(exec_inst))
        return Body("D", f"11={c.cl_ord_id}\x0138={plain(c.order_qty)}\x01{price}{terms}{stop}{expires}".encode())

    def encode_amend(self, command: AmendOrder, wall_ns: int) -> Body:
        """OrderCancelReplaceRequest(G): quantity with the filled part included, and price; StopPx(99) as it was."""
        c = command
        price = "" if c.price is None else f"44={plain(c.price)}\x01"
        stop = "" if c.terms.stop_px is None else f"99={plain(c.terms.stop_px)}\x01"
        names = f"11={c.cl_ord_id}\x0138={plain(c.order_qty)}\x0141={c.orig_cl_ord_id}\x01"
        return Body("G", f"{names}{price}55={c.symbol}\x01{stop}".encode())

    def encode_cancel(self, command: CancelOrder, wall_ns: int) -> Body:
        """OrderCancelRequest(F)."""
        c = command
        return Body("F", f"11={c.cl_ord_id}\x0141={c.orig_cl_ord_id}\x0155={c.symbol}\x01".encode())

    def encode_mass_cancel(self, cl_ord_id: str, symbol: str, wall_ns: int) -> Body | None:
        """OrderMassCancelRequest(q) for a symbol: there is no MassCancelRequestType(530)."""
        return Body("q", f"11={cl_ord_id}\x0155={symbol}\x01".encode())
