"""The errors of the FIX library. Each says what, where and, where it helps, what to do.

Two families, so that a caller can tell whose fault it is: `LocalError` is ours (a call that the state does not
allow), `PeerError` is the counterparty's (bytes or values that break the protocol) and carries the answer to send
where there is one.
"""


class FixError(Exception):
    """Anything that the FIX library raises on purpose."""


class LocalError(FixError):
    """We asked for something that is not possible now."""


class NotLoggedOnError(LocalError):
    """An application message was given to a session that may not send one."""


class IllegalTransitionError(LocalError):
    """The transition table has no entry for this state and event; nothing was changed."""


class SettingsError(LocalError):
    """A setting contradicts another one or is out of range."""


class DictionaryError(LocalError):
    """A dictionary does not exist, or its text does not parse."""


class PeerError(FixError):
    """The counterparty broke the protocol."""


class GarbledError(PeerError):
    """The bytes are no FIX message: to be ignored, without taking a number."""


class UncutError(GarbledError):
    """The fields of a whole and verified message cannot all be told apart: it takes its number and is not believed.

    `reason` and `ref_tag` are SessionRejectReason(373) and RefTagID(371) of the answer, None where no tag is to blame.
    """

    def __init__(self, text: str, reason: int, ref_tag: int | None = None) -> None:
        super().__init__(text)
        self.reason = reason
        self.ref_tag = ref_tag


class FormatError(PeerError, ValueError):
    """A field's value is not in the form of its type."""


class MissingFieldError(PeerError, KeyError):
    """A field that must be there is not."""

    def __init__(self, tag: int, msg_type: str) -> None:
        super().__init__(f"field {tag} is missing in MsgType(35)={msg_type}")
        self.tag = tag
        self.msg_type = msg_type

    def __str__(self) -> str:
        return str(self.args[0])
