"""What must hold, each invariant with a name and a sentence, and the error that says that one does not."""

INVARIANTS = {
    "journal-first": "No new number leaves for an exchange before the log or an emergency file durably holds it.",
    "own-connection": "A message leaves only on the connection that it was numbered for.",
    "no-void-out": "What is stamped after its deadline, or was withdrawn, never leaves.",
    "no-number-twice": "Without PossDupFlag(43) no number repeats on the wire within a generation and direction.",
    "no-risk-resent": "NewOrderSingle(D) and its amendments are never sent again on a ResendRequest(2).",
    "once-at-exchange": "Each command reaches the exchange at most once.",
    "ack-is-durable": "The journal acknowledges, grants and publishes only what is on the disk.",
    "log-is-final": "A durable record never changes, stamps never decrease, a writer's numbers succeed each other.",
    "undamaged": "No crash, and no error of the disk, makes the journal refuse or misread its own log.",
    "told-after-journal": "Strategies are told only what the log holds.",
    "confirmed-is-logged": "What a person has done by hand is confirmed once the log has it, but for a kill.",
    "one-outcome": "Each command has one outcome, the one that the log decides, and no strategy is ever told another.",
    "closed-is-closed": "An order that a strategy was told is closed is not open at the exchange, and never will be.",
    "no-phantom-fill": "No strategy is told of more than the exchange has filled.",
    "cum-qty-rises": "No strategy is told of a smaller CumQty(14) than before, but for what the exchange took back.",
    "told-agrees": "At rest, the open orders that a strategy was told, their terms and fills, are the exchange's.",
    "fills-told-once": "No life of a strategy is told of one fill twice.",
    "request-waits": "Until what answers a request is in the log, no strategy is told that its order has none.",
    "outcome-is-logged": "Sent or refused is told only of a command that a record in the log says it of.",
    "risk-reserves": "What risk passes on is reserved from then on, until the log decides it.",
    "risk-agrees": "At rest, nothing is reserved, and risk counts what is open and held at the exchange.",
    "money-agrees": "At rest, each strategy's part of a position, its money and fees are those of its trades there.",
    "risk-at-worst": "What risk counts at worst is never less than what the exchange's book may come to.",
    "strangers-seen": "At rest, the open orders of somebody else on our account are shown, and no others.",
    "gate-first": "What adds risk leaves only on a connection whose gate orders has told to open.",
    "gate-reconciled": "The gate is told to open only when each order open or unknown was heard of on that connection.",
    "evidence-only": "An order whose fate is unknown is void only by evidence that its message never had an effect.",
    "resent-is-released": "With PossDupFlag(43) nothing is said of a number above the last that was written.",
    "outside-named": "What rests where the configuration knows nothing of it is named by orders and risk.",
    "outside-counted": "What is held where the configuration knows nothing of it counts against the limit.",
    "terms-as-asked": "An order at the exchange has the terms that its strategy asked for.",
    "order-in-bounds": "No order at the exchange is worth more than the limit of a single one.",
    "exposure": "The position at the exchange, with every open order at its worst, never passes the limit.",
    "wait-after-restart": "A restarted orders or risk sends nothing that adds risk before its former life is over.",
    "through-risk": "What adds risk carries risk's decision.",
    "no-new-under-latch": "Under the kill latch no new order leaves.",
    "prices-as-told": "A price is published only as the venue told it, and none while something could not be read.",
    "core-raised": "No core raises.",
    "books-agree": "At rest, open orders and positions equal the exchange's, and nothing is UNKNOWN.",
    "numbers-agree": "At rest, both sides of a session hold the same sequence numbers.",
    "state-rebuilds": "A state folded anew from the log equals the one that lived through it.",
    "alive-again": "When the faults stop, the system trades again within a bound.",
    "wish-stays": "An accepted cancel is carried out, whatever happens meanwhile.",
    "welcome-is-whole": "A welcome knows its own life's epoch record, no later one's, and the highest number used.",
    "told-is-booked": "A client of the SDK whose welcome is complete knows positions, its part of each and its orders.",
    "cancel-is-older": "No command to cancel touches an own order with a higher number, or one that came after it.",
    "gone-is-cancelled": "What rests of a strategy that is gone and wants that is cancelled within a bound.",
    "left-is-left": "In nobody's name only the orders of a strategy are cancelled that is gone and wants that.",
    "left-out-halts": "Where a record has no effect, nothing that adds risk is sent on until a person has skipped it.",
    "answered": "At rest, every command has been answered.",
    "kill-empties": "The kill switch leaves no order open.",
    "kill-at-once": "The kill switch's first message leaves at once, whatever else the session has sent.",
    "kill-hears": "The kill switch says that nothing is open a second after the venue's answer could be there.",
    "within-rate": "No connection carries more messages in a window than the venue allows.",
    "bridge-remembers": "What reached a venue through its bridge stands in the bridge's log, though power was cut.",
    "released-first": "With \"quorum\" the journal acknowledges, grants, publishes and refills what the copy holds.",
    "wire-is-released": "With \"quorum\" every new number on a wire is in the copy, or in an emergency file.",
    "one-content": "Each place in the copy, and of each (session, generation, number) on a wire, has one content.",
    "fenced-is-silent": "A host that has heard that it is fenced, or wakes or starts when it is, puts no byte out.",
    "fenced-by-a-term": "A host is fenced by a later term alone.",
    "fence-latches-nothing": "A fence latches nothing and cancels nothing.",
    "resumed-in-its-term": "A client resumes only from a place that the log of the present term has.",
    "one-event-a-name": "No client is told two events by one name.",
    "quorum-loses-nothing": "With \"quorum\" a takeover loses nothing that was told or acknowledged.",
    "lost-within-bound": "With \"async\" a takeover loses no order from when the copy was too far behind.",
    "lost-is-found": "What only the lost end of a log knew is named, can be killed, and comes back with its host.",
    "begins-reducing": "A host that takes over adds no risk until a person says so.",
    "kill-is-honest": "Under the kill latch, who says that nothing is open at its venue is right at that moment.",
}


class Violation(Exception):
    """An invariant does not hold."""

    def __init__(self, invariant: str, detail: str) -> None:
        """`invariant` is a key of INVARIANTS."""
        super().__init__(f"{invariant}: {INVARIANTS[invariant]} {detail}")
        self.invariant = invariant
        self.detail = detail

    def __reduce__(self) -> tuple[type["Violation"], tuple[str, str]]:
        """It comes home from another process as it was."""
        return Violation, (self.invariant, self.detail)
