"""Every seed that ever failed, with a sentence on the bug that it showed. Each must pass for ever."""

from typing import NamedTuple

from scripts.simulation.run import Case


class Regression(NamedTuple):
    """A case, the invariant that it violated, and what the bug was and how it was mended."""

    case: Case
    invariant: str
    sentence: str


REGRESSIONS = (
    Regression(
        Case(6, 1500, version=1), "core-raised",
        "orders counted cancels that were due among its deadlines while the journal was away and did nothing about"
        " them: it spun. What can be done only when live counts only then.",
    ),
    Regression(
        Case(24, 1500, version=1), "one-outcome",
        "A command that orders itself had refused, its record not yet read back, was told expired on a repeat. Nothing"
        " is told while the log has yet to decide.",
    ),
    Regression(
        Case(20, 1500, version=1), "one-outcome",
        "A number below the highest and never seen was told expired with nothing in the log; after a restart of orders"
        " it was taken as new. An expiry is logged, and told when its record is read.",
    ),
    Regression(
        Case(9, 1500, version=1), "one-outcome",
        "A cancel of everything was told accepted, then sent, then refused for one of its orders that had never been"
        " sent. It has one answer.",
    ),
    Regression(
        Case(219, 2000, version=1), "books-agree",
        "An exchange whose clock was set back sent reports again with OrigSendingTime(122) later than SendingTime(52);"
        " the session rejected them and the fills were lost. No report is refused for a clock.",
    ),
    Regression(
        Case(344, 2000, version=1), "one-outcome",
        "A restarted orders told a repeat of its former life's number expired before the wait was over.",
    ),
    Regression(
        Case(187, 2000, version=1), "once-at-exchange",
        "Cancels of the kill switch were named by the session's epoch, and an epoch taken while the journal was away"
        " was granted again to the next life. They are named by the connection.",
    ),
    Regression(
        Case(14, 2000, version=1), "alive-again",
        "The emergency file withdrew the TestRequest(1) whose answer proves both sides in step; the session waited for"
        " it for ever. It is asked again.",
    ),
    Regression(
        Case(1, 2000, version=1), "books-agree",
        "An order that REST did not know before the venue's window had closed was asked about again at once, until"
        " the venue's request limit was used up for a minute. An answer ends the round.",
    ),
    Regression(
        Case(160, 2000, version=1), "core-raised",
        "The answer to the TestRequest(1) came after our own Logout(5), and the session asked for its limits then.",
    ),
    Regression(
        Case(353, 2000, version=1), "books-agree",
        "A fill was missed between two connections and a later one filled the order while orders was starting: closed"
        " orders that miss fills were not asked about.",
    ),
    Regression(
        Case(138, 2000, version=1), "wish-stays",
        "A cancel was accepted from memory and forgotten by a restart of orders. It is accepted when the log holds it.",
    ),
    Regression(
        Case(115, 2000, version=1), "one-outcome",
        "A cancel was told sent, and then refused for an order that had closed meanwhile: the refusal had crossed it in"
        " the log. The first answer stands.",
    ),
    Regression(
        Case(60276, 6000, version=1), "kill-empties",
        "A power loss that was to strike at the journal's next death struck after all was well, between operator and"
        " the kill switch: the adversary's bug. What is under way ends with the faults.",
    ),
    Regression(
        Case(2407, 2000, version=1), "books-agree",
        "The kill switch had cancelled an order of which the venue never told, and was then told that there is no such"
        " order; orders made nothing of an answer to a cancel that was not its own. It asks about that order.",
    ),
    Regression(
        Case(7300, 2000, version=1), "kill-empties",
        "The emergency file could not be made on a full disk and was not tried again: later, with room and the journal"
        " stopped, the kill switch had no file to work with.",
    ),
    Regression(
        Case(9027, 2000, version=1), "log-is-final",
        "The witness took a segment's records for durable before its name was: the checker's bug.",
    ),
    Regression(
        Case(3215, 2000, version=2), "cum-qty-rises",
        "A dead life's request for an epoch, repeated while the journal stood still, was granted behind the living"
        " one's: orders went on under an epoch that was no longer the last, its names were not remembered, and the next"
        " life sent an order again.",
    ),
    Regression(
        Case(4539, 2000, version=2), "core-raised",
        "An exchange whose answer was slow, and then stalled, looked at it all the time: the simulated exchange's bug.",
    ),
    Regression(
        Case(6921, 2000, version=2), "ack-is-durable",
        "The witness forgot, with a power loss, what stood synced in a segment whose name was not durable yet: the"
        " checker's bug.",
    ),
    Regression(
        Case(8483, 2000, version=2), "gate-reconciled",
        "A session's step that an emergency file handed over a second time was taken for a new one: the checker's bug.",
    ),
    Regression(
        Case(406103, 2000, version=2), "alive-again",
        "The probe bought, since the position was short, though open orders to buy filled the position limit to its"
        " last unit; risk refused rightly: the checker's bug.",
    ),
    Regression(
        Case(259, 2000, version=3), "evidence-only",
        "An order that the exchange had accepted was told VOID: the report could not be read, the connection ended, and"
        " the exchange, in step already, asked again for what it had received. Our gap fill is no evidence then.",
    ),
    Regression(
        Case(696, 2000, version=3), "told-agrees",
        "The end of a replaced order's first leg could not be read; REST told it, and the strategy was not told, since"
        " the order's status stayed the same. Whatever REST changes of what a strategy is told is told.",
    ),
    Regression(
        Case(4024, 2000, version=3), "kill-hears",
        "A session that had been dead was resumed after the faults had stopped, in the middle of the kill that is"
        " checked: the adversary's bug.",
    ),
    Regression(
        Case(750, 2000, version=3), "told-agrees",
        "One answer of REST had the prices of older fills and a new fill: each price was told, before the fill, with a"
        " CumQty(14) that had it already. Fills of one record are told first.",
    ),
    Regression(
        Case(827, 2000, version=3), "evidence-only",
        "The exchange asked again, before it was in step, for an order that it had received, and its report came a"
        " moment later. A gap fill names its orders once the venue is in step.",
    ),
    Regression(
        Case(3748, 2000, version=3), "evidence-only",
        "As 827: what the exchange asked for before it was in step was taken for never received, and an order that it"
        " had accepted was told VOID.",
    ),
    Regression(
        Case(2796, 2000, version=3), "strangers-seen",
        "The order of somebody else was shown for ever: the journal stood still, and an answer that was asked for"
        " before the order had ended was recorded behind the question whose answer lacked it. An answer counts as of"
        " its question.",
    ),
    Regression(
        Case(5004, 2000, version=3), "welcome-is-whole",
        "The journal stood still and granted, behind the epoch of the living orders, those that dead lives had asked"
        " for; orders read of them before it heard of its own, and went on. Its names were not remembered, and a repeat"
        " of an order that had been sent was told expired. What was read before the grant counts at the grant.",
    ),
    Regression(
        Case(5607, 2000, version=3), "books-agree",
        "A correction without Side(54) of a fill whose order had left memory was not counted, and the next one, which"
        " corrected it, counted as one more fill. A correction has the side of the fill that it corrects.",
    ),
    Regression(
        Case(5653, 2000, version=3), "strangers-seen",
        "A fill that was told after the cancel of somebody else's order, with the OrdStatus(39) of before, had that"
        " order open for ever. One that is over stays so, whatever is told of it late.",
    ),
    Regression(
        Case(6395, 2000, version=3), "strangers-seen",
        "The question for what is open failed, for a clock, and orders died: the next life asked again for the trades"
        " that were missed, and not for what is open. Both are asked for until they are told.",
    ),
    Regression(
        Case(6705, 2000, version=3), "risk-agrees",
        "The bust of a trade that was held back came before the trade, whose CumQty(14), of before the bust, stood for"
        " fills that were missing. A fill that was taken back before it was told tells no CumQty(14).",
    ),
    Regression(
        Case(6783, 2000, version=3), "no-phantom-fill",
        "A fill was told again, under another name, after orders had died: in the record that bore it commands had"
        " expired, of which only the life that had waited for them knew, and they had an index before it. What the log"
        " does not give has none.",
    ),
    Regression(
        Case(20860, 2000, version=3), "no-phantom-fill",
        "A closed order with a fill that a person had booked went on from a snapshot as one that may leave memory, left"
        " it, and the trade that was told later was added to what had been booked for it. A snapshot's fills are"
        " taken up before its orders.",
    ),
    Regression(
        Case(20457, 2000, version=3), "risk-at-worst",
        "The same in risk: what a person had booked and the trade that was told later both counted.",
    ),
    Regression(
        Case(21120, 2000, version=3), "books-agree",
        "A fill that a person had booked, at his price and without its fee, was never asked about again at a venue that"
        " tells trades over REST: the position was more by the fee, for ever. It is asked for until it is told.",
    ),
    Regression(
        Case(20496, 2000, version=3), "alive-again",
        "The probe's own: resting orders took up the position limit on both sides, to the last lot, and its order was"
        " rightly refused for ever. It makes room first, where the exchange's book leaves none.",
    ),
    Regression(
        Case(21754, 2000, version=3), "books-agree",
        "Numbers were set by hand while the journal was away. The emergency file's first record bore the new numbers,"
        " not that they go on, and the next life took them for a new beginning: trades that the venue repeated later"
        " had another identity and counted again. That record says since when the numbers run.",
    ),
    Regression(
        Case(22572, 2000, version=3), "one-outcome",
        "A strategy gave a cancel and, before the log had it, an order under the same number: the order was told"
        " expired, the cancel was carried out, and later told sent. A number of a cancel that was taken is no other"
        " command's, whatever the log has of it.",
    ),
    Regression(
        Case(40804, 2000, version=4), "welcome-is-whole",
        "The checker's own: a journal that stood still granted, behind the epoch of the living orders, the one that a"
        " dead life had asked for, and a welcome as of the living one's record was held against the dead one's. It is"
        " held against its own life's, and may know nothing of a later one.",
    ),
    Regression(
        Case(44070, 2000, version=4), "no-phantom-fill",
        "A correction was told again, with its CumQty(14) of then: what a person had booked since was taken back as if"
        " the venue had just lowered it, and the trade that came later was told as one more fill. Only a word that is"
        " new takes back what was booked.",
    ),
    Regression(
        Case(45957, 2000, version=4), "books-agree",
        "A connection was half open: a stranger's trade was missed, and REST then told a later one of an order of ours."
        " All trades were asked for from that one on. The trades of one order say nothing of others before them.",
    ),
    Regression(
        Case(45687, 2000, version=4), "books-agree",
        "The checker's own: commands of a strategy that had died reached orders half a second later, after the last"
        " cancel of all, and their order stayed, as it should. It waits until nothing of the dead is under way.",
    ),
    Regression(
        Case(47884, 2000, version=4), "books-agree",
        "Of a cancel-and-new only the new half was told, once it was filled, and the old half's end came in an answer"
        " too late to count: nobody asked again, and it was open for ever. What precedes a leg that the venue took in"
        " is asked about until its end is told.",
    ),
    Regression(
        Case(69937, 2000, version=4), "risk-agrees",
        "REST was asked for an order while it was open, and answered when it had been filled and had left memory: it"
        " was taken for somebody else's, open for ever, and risk counted it. Of what leaves memory it is known since"
        " when it is over.",
    ),
    Regression(
        Case(81016, 2000, version=4), "gate-reconciled",
        "The journal was away when a connection ended and the next one began; the emergency file's first record bore"
        " the new one's number, and orders took what it knew of the old one for the new one's: caught up. What another"
        " connection has reached says nothing of it.",
    ),
    Regression(
        Case(81606, 2000, version=4), "one-outcome",
        "A cancel of all had been refused, since not all could be cancelled, and its cancels insisted: the refusal had"
        " left memory, and the next of them was told sent. The wish of an order says that its cancel was answered.",
    ),
    Regression(
        Case(82784, 2000, version=4), "alive-again",
        "The harness: a clock an hour ahead had sent some twenty orders into nothing. They rightly stay UNKNOWN and"
        " count until the venue's clock has come to there, and the probe had no room before clocks were put forward.",
    ),
    Regression(
        Case(90023, 2000, version=6), "money-agrees",
        "The checker: a correction without a price, of an order that had left memory, counts as free and is shown as"
        " unpriced. The money of such a part is not compared.",
    ),
    Regression(
        Case(90026, 2000, version=6), "prices-as-told",
        "The checker: it forgot what a connection had told whose end was announced when the next one's logon was"
        " refused. What was told stays until the successor tells better.",
    ),
    Regression(
        Case(110241, 2000, version=6), "money-agrees",
        "The checker: a price that AvgPx(6) alone told is rounded to eight decimals, and with it a strategy's cash.",
    ),
    Regression(
        Case(31, 2000, version=7), "money-agrees",
        "Somebody else's fills at Deribit, whose reports tell no fees: REST is asked for those of our own orders"
        " alone, and the checker compared all. That nobody asks is open.",
    ),
    Regression(
        Case(138, 2000, version=7), "alive-again",
        "A clock that was an hour ahead for a moment kept Kraken's session out for an hour: the Logon(A) of that moment"
        " was refused, and each later one bore a number above its own. What was refused does not count.",
    ),
    Regression(
        Case(66, 1500, ("asks-again", "clock-drift", "latch-death", "lossy-stream", "twin"), version=7), "books-agree",
        "Deribit's clock had run three seconds ahead when a trade was made that nobody heard of, and was right again"
        " when its trades were asked for up to a second from then: none, and the gap was closed. A question that has to"
        " have an end has it hours ahead of the venue's clock.",
    ),
    Regression(
        Case(369, 2000, version=7), "risk-agrees",
        "Deribit tells of somebody else's open order under ExecType(150)=I alone, which showed nobody's order: risk"
        " counted nothing of it until REST was asked.",
    ),
    Regression(
        Case(349, 2000, version=7),
        "strangers-seen",
        "Bybit's answer to a cancel has no Symbol(55): of somebody else's order it showed a second one, which never"
        " ended. What an answer leaves out is as it was known.",
    ),
    Regression(
        Case(643, 1500, ("kill-in-effects", "twice-in-one"), frozenset((*range(1, 8), *range(20, 28))), version=7),
        "risk-agrees",
        "An amendment whose outcome Bybit did not know stayed pending: the order and its symbol's trades were always"
        " asked for at once, so that the venue's clock, which the trades tell, was too late for each. The clocks of the"
        " last answers are kept.",
    ),
    Regression(
        Case(670, 859, ("beyond-bounds", "clock-jump", "silence"), frozenset((2, 4, 7, 8, 10)), version=7),
        "outside-counted",
        "The checker: it counted a reduce-only order in full.",
    ),
    Regression(
        Case(1287, 737, ("halt", "kill-in-effects", "odd-fields", "twin"), frozenset((3, 8, 9, 13)), version=7),
        "closed-is-closed",
        "Deribit, which has no window, read an order from a stalled connection whose other end had died, after REST had"
        " denied it and it was told as never received. There only the session's next logon ends what it carried.",
    ),
    Regression(
        Case(1193, 2000, version=7), "money-agrees",
        "An order at Deribit was filled and left memory before REST had told its fees, and nobody asked for them any"
        " more.",
    ),
    Regression(
        Case(2654, 2000, ("pause", "twice-in-one"), frozenset((0, 2, 3, 7, 8, 9, 10)), version=7), "books-agree",
        "Whose a fill at Bybit was held back every proof of absence, and was never answered: each time it was asked"
        " again it went to the end of the account's questions, behind those that were new.",
    ),
    Regression(
        Case(3115, 2000, version=7), "alive-again",
        "Kraken's REST answers about one order in more than the 3 s after which orders asks again: each was asked about"
        " twice, and what was asked again lost its place.",
    ),
    Regression(
        Case(3886, 1800, ("kill-strategy",), version=7), "books-agree",
        "An order at Bybit was cancelled over REST while nobody was logged on, and the one question about it after the"
        " next logon failed: it was shown as open for ever. What is not among all open orders is asked about.",
    ),
    Regression(
        Case(5045, 2000, version=7), "one-outcome",
        "A cancel was on its way when its order was closed, was refused when it was repeated, and told as sent when it"
        " left at last, long after: the refusal had left memory. What may have been told and forgotten is not told.",
    ),
    Regression(
        Case(6347, 2000, version=8), "within-rate",
        "The kill switch might use all that the venue allows: the Logout(5) for a wrong MsgSeqNum(34) was one message"
        " too many. One is left for it.",
    ),
    Regression(
        Case(5775, 2000, version=8), "left-is-left",
        "The checker's: the exchange held a kill's cancels up until long after the resume, and then read them.",
    ),
    Regression(
        Case(7098, 2000, version=8), "alive-again",
        "The clock was an hour ahead when Deribit let market data in, and right for the next life of that process,"
        " whose Logons(A) bore lower numbers and were refused for an hour: it had kept none.",
    ),
    Regression(
        Case(7920, 2000, version=8), "alive-again",
        "Kraken let in a Logon(A) of a clock that was an hour ahead, as its own was then; with both right it wanted"
        " a number that is of now and above that one. It forgets such a one, and the time alone is tried too.",
    ),
    Regression(
        Case(8150, 2000, version=8), "risk-agrees",
        "What is open was asked for after a logon, in vain, and the trades were told: somebody else's order that had"
        " ended counted for ever. A gap stays open until both are told.",
    ),
    Regression(
        Case(8606, 2000, version=8), "alive-again",
        "Deribit's rate was used up when 13 orders were asked about after a logon: each was asked about again a hundred"
        " times a second, risk counted all of it, and no order passed for half a minute. A refused query waits.",
    ),
    Regression(
        Case(12842, 2000, version=8), "books-agree",
        "The report of an amendment could not be read, and Kraken's REST told the order under the amendment's"
        " ClOrdID(11) and with its terms: it was taken for not carried out, and the order kept its former name.",
    ),
    Regression(
        Case(14278, 2000, version=8), "evidence-only",
        "The checker's: at Deribit, which has no window, it waited for the SendingTime(52) of a clock of"
        " ours that was ahead.",
    ),
    Regression(
        Case(22527, 2000, version=8), "alive-again",
        "The end of a halt was confirmed, and risk died before its record was durable: the next life held on to it,"
        " and nobody asked again. What a person has done is confirmed once the log has it.",
    ),
    Regression(
        Case(24113, 2000, version=8), "confirmed-is-logged",
        "The emergency file stood in for the journal and failed: what a person had done at that session was confirmed"
        " before the file had it, and after its failure too. It is confirmed once the file has it, and refused then.",
    ),
    Regression(
        Case(11, 2000, version=9), "books-agree",
        "The simulated exchange's: an order of a list that was cancelled before it was placed was shown over REST as"
        " pending for ever. In the same run the checker told a trailing stop from a trailing take-profit order where"
        " nothing on the wire does.",
    ),
    Regression(
        Case(201, 1000, takeover=True), "one-outcome",
        "An emergency file told the log a second time that an order was refused, when the first word had left memory:"
        " the strategy was told that it had expired.",
    ),
    Regression(
        Case(322, 2000, bridge="gateiofutures"), "money-agrees",
        "The checker: what 266 fills of contracts brought was rounded to eight decimals each, nearly always the same"
        " way, and came to more than it allowed for all of them together. It allows for each.",
    ),
    Regression(
        Case(316, 2000, bridge="bitget"), "kill-empties",
        "With a session dead its account cancelled one order after the other, at the pace of all its questions: two in"
        " a second. It cancels all of a symbol with one request, which waits for none of them. And the kill was not"
        " told to the bridge, as `fixring kill` does.",
    ),
    Regression(
        Case(26527, 2000, version=9), "left-is-left",
        "The checker's: of two bodies under one number, one a stop order and one that takes profit, Bybit had taken the"
        " first for the other, and it was cancelled in nobody's name.",
    ),
    Regression(
        Case(26327, 2000, version=9), "alive-again",
        "The harness's: a dead connection was noticed when it had counted already what Kraken had to be asked about.",
    ),
    Regression(
        Case(160, 1000, takeover=True), "no-void-out",
        "The checker's: what a journal had not confirmed when an emergency file began became durable behind it, and its"
        " withdrawals were held against the numbers that the file had taken anew.",
    ),
    Regression(
        Case(67, 1000, takeover=True), "told-is-booked",
        "A connection took the end of an order along, and the order manager died before that could be counted: it"
        " stayed open with its strategy. The next life tells what is open.",
    ),
    Regression(
        Case(33462, 2000, version=9), "books-agree",
        "A cancel of one order of a list was answered by an error that says nothing, and had ended all three: only the"
        " one was asked about, and the others stayed open with us.",
    ),
    Regression(
        Case(541, 2000, takeover=True), "told-is-booked",
        "A connection took an event along, and when the next one had ended as well orders had forgotten how many"
        " messages there were: the strategy never missed it. The count outlives connections.",
    ),
    Regression(
        Case(554, 2000, takeover=True), "fenced-is-silent",
        "The checker's: under a person's kill a fenced host answered the venue's ResendRequest(2) on the connection"
        " that the kill had opened, as it may.",
    ),
    Regression(
        Case(526, 2000, takeover=True), "money-agrees",
        "Whoever read the log again had an order of a lost end for long known where its record brought it back, since"
        " it had left memory later: its fills stayed nobody's. It is known behind that record.",
    ),
)
