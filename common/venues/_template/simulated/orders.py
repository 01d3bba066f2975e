"""The template's simulated order entry: which requests it takes, and how an order is written."""

from collections.abc import Mapping

from common.exchange.fix_gateway import Client, Handler
from common.exchange.fix_orders import ResendingFixOrders
from common.exchange.order import FILL_OR_KILL, LIMIT, Terms
from common.exchange.requests import MISSING, OUT_OF_RANGE, BadField, Request
from common.venues._template.simulated.door import why_refused


class TemplateOrders(ResendingFixOrders):
    """The order entry listener."""

    def _handlers(self) -> Mapping[str, Handler]:
        return {
            "D": self._new_order,
            "F": self._cancel,
            "G": self._replace,
            "q": self._mass_cancel,
            "H": self._status,
        }

    def _admit(self, raw: bytes) -> Client | str:
        return why_refused(self._venue, self._scope, raw) or super()._admit(raw)

    def _terms(self, client: Client, request: Request) -> Terms:
        ord_type, has_price, time_in_force = request.text(40), request.has(44), request.text(59)
        if ord_type == LIMIT and not has_price:
            raise BadField(MISSING, 44, "Required tag missing")
        if request.has(18) or time_in_force == FILL_OR_KILL:
            raise BadField(OUT_OF_RANGE, 18 if request.has(18) else 59, "Not offered here")
        return Terms(
            client.party.account, client.party.comp_id, request.text(11), request.text(55), request.text(54), ord_type,
            request.decimal(38), request.decimal(44) if has_price else None, time_in_force,
        )  # fmt: skip
