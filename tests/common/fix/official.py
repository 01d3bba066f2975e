"""The cases of a FIX session, and which test plays which. `docs/fix.md` carries the table; a test keeps it whole."""

from collections.abc import Callable
from typing import TypeVar

F = TypeVar("F", bound=Callable[..., None])

OFFICIAL = {
    # FIX session-layer test cases (FIX Trading Community 2020, ISO 3531-3), by their own numbers.
    "1B.a": "initiator: the connection is made",
    "1B.b": "initiator: Logon(A) is sent first",
    "1B.c": "initiator: a valid Logon(A) answers",
    "1B.d": "initiator: an invalid Logon(A) answers",
    "1B.e": "initiator: something else than Logon(A) answers",
    "1S.a": "acceptor: valid Logon(A)",
    "1S.b": "acceptor: this session is connected already",
    "1S.c": "acceptor: unknown identity",
    "1S.d": "acceptor: invalid Logon(A)",
    "2S": "acceptor: the first message is not a Logon(A)",
    "2.a": "MsgSeqNum(34) as expected",
    "2.b": "MsgSeqNum(34) too high",
    "2.c": "MsgSeqNum(34) too low, no PossDupFlag(43)",
    "2.d": "garbled message",
    "2.e": "PossDupFlag(43)=Y, received before or not",
    "2.f": "PossDupFlag(43)=Y, OrigSendingTime(122) later than SendingTime(52)",
    "2.g": "PossDupFlag(43)=Y, no OrigSendingTime(122)",
    "2.h": "BeginString(8) as expected",
    "2.i": "BeginString(8) differs",
    "2.j": "CompIDs as expected",
    "2.k": "CompIDs differ",
    "2.l": "BodyLength(9) right",
    "2.m": "BodyLength(9) wrong",
    "2.n": "SendingTime(52) near our clock",
    "2.o": "SendingTime(52) off",
    "2.p": "MsgType(35) valid",
    "2.q": "MsgType(35) unknown",
    "2.r": "MsgType(35) valid but not supported",
    "2.s": "BeginString(8), BodyLength(9), MsgType(35) come first",
    "2.t": "BeginString(8), BodyLength(9), MsgType(35) do not come first",
    "3.a": "CheckSum(10) right",
    "3.b": "CheckSum(10) wrong",
    "3.c": "CheckSum(10) malformed",
    "3.d": "CheckSum(10) last, three digits, closed by SOH",
    "3.e": "CheckSum(10) not last, not three digits, not closed by SOH",
    "4.a": "nothing sent for HeartBtInt(108)",
    "4.b": "TestRequest(1) received",
    "5": "Heartbeat(0) received",
    "6": "nothing received for longer than HeartBtInt(108)",
    "7": "Reject(3) received",
    "8.a": "ResendRequest(2): application messages come again",
    "8.b": "ResendRequest(2): session messages are gap-filled",
    "9": "SequenceReset(4) in reset mode after an application failure",
    "10.a": "gap fill, MsgSeqNum(34) too high",
    "10.b": "gap fill, MsgSeqNum(34) as expected",
    "10.c": "gap fill, MsgSeqNum(34) too low with PossDupFlag(43)",
    "10.d": "gap fill, MsgSeqNum(34) too low",
    "10.e": "gap fill, NewSeqNo(36) not above MsgSeqNum(34)",
    "11.a": "reset, NewSeqNo(36) above the expected number",
    "11.b": "reset, NewSeqNo(36) equal to the expected number",
    "11.c": "reset, NewSeqNo(36) below the expected number",
    "12": "we log out",
    "13.a": "the peer's Logout(5) answers ours",
    "13.b": "the peer logs out",
    "14.a": "tag not in the specification",
    "14.b": "required field missing",
    "14.c": "tag not of this message type",
    "14.d": "tag without value",
    "14.e": "value not in the list",
    "14.f": "wrong format",
    "14.g": "header, body and trailer mixed",
    "14.h": "tag twice",
    "14.i": "group count wrong",
    "14.j": "group members out of order",
    "14.k": "required member of a group's entry missing",
    "15": "fields in another order",
    "16.a": "message to send while disconnected",
    "16.b": "reconnect after that",
    "18": "third-party addressing",
    "19.a": "PossResend(97)=Y, seen before",
    "19.b": "PossResend(97)=Y, not seen before",
    "20": "both sides ask for a resend at once",
    # What the cases above leave open, and what engines were found to get wrong.
    "logon.seq": "Logon(A) too high, too low",
    "logon.141": "ResetSeqNumFlag(141) at logon and inside a session",
    "logon.789": "NextExpectedMsgSeqNum(789)",
    "logon.time": "no Logon(A) in time",
    "logon.108": "HeartBtInt(108): echoed, 0, not a number",
    "logon.464": "TestMessageIndicator(464) differs",
    "logon.1137": "FIXT.1.1: DefaultApplVerID(1137)",
    "logon.again": "Logon(A) inside a session",
    "no.34": "no MsgSeqNum(34)",
    "resend.chunk": "ResendRequest(2) in chunks",
    "resend.pace": "answers to ResendRequest(2) in parts, paced",
    "resend.loop": "the same range asked for again and again, both ways",
    "resend.bad": "ResendRequest(2) for what was never sent",
    "resend.dup": "a ResendRequest(2) with PossDupFlag(43)=Y is not acted on",
    "resend.released": "nothing is answered beyond what the host has released",
    "gap.bounded": "the queue behind a gap is bounded",
    "gap.off": "a venue without ResendRequest(2)",
    "gap.lost": "a gap is forgotten with its connection and asked for again after the next logon",
    "logout.high": "Logout(5) too high",
    "logout.time": "Logout(5) not answered, or not followed by a close",
    "admin.dup": "resent session messages count for the numbers only",
    "connection.generation": "nothing of an old connection reaches a new one",
    "fix42.373": "FIX.4.2: SessionRejectReason(373) up to 11 only",
}
NOT_APPLICABLE = {"17": "encryption is done by TLS; EncryptMethod(98) other than 0 is refused at logon"}

PLAYED: dict[str, list[str]] = {}


def case(*cases: str) -> Callable[[F], F]:
    """Marks a test as playing official cases."""

    def mark(test: F) -> F:
        for one in cases:
            assert one in OFFICIAL, f"{one} is no case"
            PLAYED.setdefault(one, []).append(f"{test.__module__.rpartition('.')[2]}.{test.__name__}")
        return test

    return mark
