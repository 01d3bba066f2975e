"""How a bridge reads the answers of a venue where each is an object of code, msg and data, whatever was asked.

The code decides before the data is looked at. What says that nobody knows what became of a request is the same for all
of them, so that no venue's own part can take it for a refusal.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import msgspec

from common.venues.backend import NO_CALL, HttpCall, Reply, Verdict
from common.venues.rest import OF_ANOTHER_FORM

ACTS = frozenset({"new", "cancel"})
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class EnvelopedAnswers(ABC):
    """The `read` of a `Backend`. `ok` is the code of what was done, and `undecided` are those that say that nobody
    knows: a status of 500 or more says so too, whatever the code."""

    ok: ClassVar[str]
    undecided: ClassVar[frozenset[str]]

    # ---- what each venue has of its own

    @abstractmethod
    def acted(self, what: str, code: str, text: str, data: Any) -> Reply:
        """What was answered to an order or a cancel. Raises what reading raises where it has another form."""

    @abstractmethod
    def is_no_order(self, code: str, text: str, data: Any) -> bool:
        """Whether the answer to `ask_order` says that there is none."""

    @abstractmethod
    def told(self, what: str, data: Any, call: HttpCall) -> Reply:
        """What was told of what was asked. Raises likewise."""

    def refused(self, what: str, status: int, code: str, text: str) -> Reply | None:
        """What is to be made of a code other than `ok`; None where it is no answer to the question."""
        return None

    # ---- the same for all

    def read(self, what: str, status: int, body: bytes, call: HttpCall = NO_CALL) -> Reply:
        """See `Backend`."""
        try:
            answer = _decode(body)
            code, text, data = str(answer["code"]), str(answer.get("msg") or ""), answer.get("data")
            if status >= 500 or code in self.undecided:
                return Reply(Verdict.UNKNOWN, code, text)
            if what in ACTS:
                return self.acted(what, code, text, data)
            if what == "ask_order" and self.is_no_order(code, text, data):
                return Reply(Verdict.ABSENT, code, text or "none is told")
            if status != 200 or code != self.ok:
                return self.refused(what, status, code, text) or Reply(Verdict.UNKNOWN, code, text)
            return self.told(what, data, call)
        except (msgspec.DecodeError, *OF_ANOTHER_FORM) as error:
            return Reply(Verdict.UNKNOWN, str(status), f"{type(error).__name__}: {error}"[:200])
