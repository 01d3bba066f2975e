"""What the parts of a session that act on its connection have in common."""

from typing import NamedTuple

from common.actor.core import Core
from common.venues.dialect import Dialect
from services.session.outbox import Outbox
from services.session.records import Records
from services.session.settings import SessionConfig


class Shared(NamedTuple):
    """`core` takes effects and notes, `config` and `dialect` say how this venue is spoken to; what is to last goes to
    `records`, and what is to leave to `outbox`, which holds the live connection.
    """

    core: Core
    config: SessionConfig
    dialect: Dialect
    records: Records
    outbox: Outbox
