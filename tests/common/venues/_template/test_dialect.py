"""The template's dialect, text in and text out."""

from common.messages import MassCancelReported, RequestRejected
from common.venues._template.dialect import Template
from common.venues.credentials import Password
from common.venues.dialect import Identity
from tests.common.venues.samples import CANCEL, QUERY, WALL_NS, amend, new, raw, text

DIALECT = Template()
TIME = "60=20260101-00:00:00.000|"
TERMS = f"55=BTCUSDT|54=1|{TIME}38="


def test_commands_in_words() -> None:
    assert text(DIALECT.encode_new(new(), WALL_NS)) == f"35=D|11=5-1|{TERMS}0.50000|40=2|44=65000.10|59=1|"
    assert text(DIALECT.encode_amend(amend(), WALL_NS)) == f"35=G|11=5-2|41=5-1|{TERMS}0.5|40=2|44=65001|59=1|"
    assert text(DIALECT.encode_cancel(CANCEL, WALL_NS)) == f"35=F|11=5-3|41=5-1|55=BTCUSDT|54=1|{TIME}"
    assert text(DIALECT.encode_query(QUERY)) == "35=H|11=5-1|55=BTCUSDT|54=1|"
    assert text(DIALECT.encode_mass_cancel("K-1", "BTCUSDT", WALL_NS)) == f"35=q|11=K-1|530=1|55=BTCUSDT|{TIME}"


def test_a_logon_carries_name_and_password() -> None:
    settings = DIALECT.session_settings(Identity("DESK", "TEMPLATE", 10), Password("me", "hunter2"))
    assert settings.logon_fields is not None
    assert settings.logon_fields(1, b"") == b"553=me\x01554=hunter2\x01"


def test_refusals() -> None:
    assert DIALECT.decode("j", raw("35=j|45=13|372=D|380=3|58=no|")) == RequestRejected(13, None, "", 3, "no")
    refused = DIALECT.decode("r", raw("35=r|11=K-1|37=1|530=1|531=0|532=1|533=0|55=B|"))
    assert refused == MassCancelReported("K-1", "B", False, 0, 1)
