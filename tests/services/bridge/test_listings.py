"""SecurityList(y) of a bridge, held against FIX 4.4."""

from decimal import Decimal as D

import pytest

from common.contracts import Contract, InstrumentKind
from common.exchange.requests import Request
from common.fix.session import Inbound
from common.fix.wire import encode, pairs
from services.bridge.listings import Listing, security_list
from tests.services.bridge.rig import fix44

SPOT = Listing("BTC-USDT", "USDT", D("0.1"), D("0.00001"), D("0.00001"), D(100))
SWAP = Listing(
    "BTC-USDT-SWAP", "USDT", D("0.1"), D("0.01"), D("0.01"), D(100),
    Contract(InstrumentKind.PERPETUAL, D("0.01"), settle="USDT"),
)  # fmt: skip


@pytest.mark.parametrize("strictly", [True, False])
def test_a_strict_client_takes_the_list_and_ours_has_fields_for_everything(strictly: bool) -> None:
    asked = Inbound(2, "x", b"35=x\x01320=q\x01559=4\x01", True, False, False)
    body = security_list(Request(asked), [SPOT, SWAP], "1-1", strictly=strictly)
    head = b"35=y\x0134=2\x0149=OKX\x0152=20260101-00:00:00.000\x0156=OTHER\x01"
    fields = pairs(encode(b"FIX.4.4", head + body))
    assert (fix44().check(b"y", fields) is None) is strictly
    told = dict(fields)
    assert told[b"762"] == b"PERPETUAL" and told[b"231"] == b"0.01"
    if strictly:
        texts = [value for tag, value in fields if tag == b"872"]
        assert texts[-2:] == [b"SettlCurrency(120)=USDT", b"QtyType(854)=1"]
    else:
        assert (told[b"120"], told[b"854"]) == (b"USDT", b"1")
