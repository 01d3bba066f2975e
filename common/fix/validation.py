"""Dictionary validation: the first thing wrong with a message, as SessionRejectReason(373) and RefTagID(371).

Order: MsgType(35) known; required fields there; then field by field as they stand: place (header, body, trailer),
number of appearances, known tag, value there, format, value in the list, tag belongs to this type, groups (count,
order of the members, required members). Each check can be switched off, as a venue's habits demand.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from common.fix.dictionary import Dictionary, FieldSpec
from common.fix.session_types import Problem
from common.fix.wire import GroupSpec

USER_DEFINED_FROM = 5000


@dataclass(frozen=True, kw_only=True, slots=True)
class Switches:
    """Which checks are made. Each name says what is refused when it is True."""

    unknown_types: bool = True
    unknown_tags: bool = True  # tags that no version defines
    user_defined_tags: bool = True  # tags from 5000 on that the dictionary does not know
    foreign_tags: bool = True  # known tags that the message type does not have
    missing_required: bool = True
    wrong_formats: bool = True
    wrong_values: bool = True  # not in the field's list of values
    empty_values: bool = True
    repeated_tags: bool = True
    wrong_place: bool = True  # header, body and trailer mixed
    group_counts: bool = True
    group_order: bool = True  # members of an entry in the dictionary's order


STRICT = Switches()

# SessionRejectReason(373)
INVALID_TAG, REQUIRED_MISSING, NOT_FOR_TYPE, EMPTY, BAD_VALUE, BAD_FORMAT, BAD_TYPE = 0, 1, 2, 4, 5, 6, 11
REPEATED, WRONG_PLACE, GROUP_ORDER, GROUP_COUNT = 13, 14, 15, 16
_TEXTS = {
    INVALID_TAG: "Invalid tag number",
    REQUIRED_MISSING: "Required tag missing",
    NOT_FOR_TYPE: "Tag not defined for this message type",
    EMPTY: "Tag specified without a value",
    BAD_VALUE: "Value is incorrect (out of range) for this tag",
    BAD_FORMAT: "Incorrect data format for value",
    BAD_TYPE: "Invalid MsgType",
    REPEATED: "Tag appears more than once",
    WRONG_PLACE: "Tag specified out of required order",
    GROUP_ORDER: "Repeating group fields out of order",
    GROUP_COUNT: "Incorrect NumInGroup count for repeating group",
}

_TIME = r"([01]\d|2[0-3]):[0-5]\d(:([0-5]\d|60)(\.\d{1,12})?)"
_ZONE = r"(Z|[+-]([01]\d|2[0-3])(:[0-5]\d)?)"
_DATE = r"\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"
_NUMBER = r"-?(\d+(\.\d*)?|\.\d+)"
_FORMATS = {
    "INT": r"-?\d+",
    "LENGTH": r"\d{1,9}",
    "SEQNUM": r"\d{1,18}",
    "NUMINGROUP": r"\d{1,9}",
    "TAGNUM": r"\d+",
    "DAYOFMONTH": r"0?[1-9]|[12]\d|3[01]",
    "FLOAT": _NUMBER,
    "QTY": _NUMBER,
    "PRICE": _NUMBER,
    "PRICEOFFSET": _NUMBER,
    "AMT": _NUMBER,
    "PERCENTAGE": _NUMBER,
    "CHAR": r"[^\x01]",
    "BOOLEAN": r"[YN]",
    "MULTIPLECHARVALUE": r"[^\x01 ]( [^\x01 ])*",
    "MONTHYEAR": r"\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01]|w[1-5])?",
    "UTCTIMESTAMP": rf"{_DATE}-{_TIME}",
    "UTCTIMEONLY": _TIME,
    "UTCDATEONLY": _DATE,
    "UTCDATE": _DATE,
    "LOCALMKTDATE": _DATE,
    "LOCALMKTTIME": _TIME,
    "TZTIMEONLY": rf"([01]\d|2[0-3]):[0-5]\d(:([0-5]\d|60)(\.\d{{1,12}})?)?{_ZONE}?",
    "TZTIMESTAMP": rf"{_DATE}-([01]\d|2[0-3]):[0-5]\d(:([0-5]\d|60)(\.\d{{1,12}})?)?{_ZONE}?",
}
_SEVERAL = frozenset({"MULTIPLEVALUESTRING", "MULTIPLECHARVALUE", "MULTIPLESTRINGVALUE"})

_HEADER, _BODY, _TRAILER = 0, 1, 2

Fields = list[tuple[bytes, bytes]]


class _Rule(NamedTuple):
    """What one top-level tag of one message type must be."""

    section: int
    match: Callable[[bytes], object] | None
    values: frozenset[bytes] | None
    several: bool
    group: GroupSpec | None


class _Plan(NamedTuple):
    required: tuple[bytes, ...]
    required_set: frozenset[bytes]
    rules: dict[bytes, _Rule]


class Validator:
    """Checks messages against a dictionary. One can serve many sessions."""

    def __init__(self, dictionary: Dictionary, switches: Switches = STRICT) -> None:
        self.dictionary = dictionary
        self.switches = switches
        self._plans: dict[bytes, _Plan | None] = {}
        self._rules: dict[bytes, _Rule] = {}  # of members of groups, and of tags met outside their place

    def check(self, msg_type: bytes, fields: Fields) -> Problem | None:
        """The first problem of a message whose fields are given in order, from BeginString(8) to CheckSum(10); or
        None."""
        plan = self._plan(msg_type)
        if plan is None:
            return _problem(BAD_TYPE, None) if self.switches.unknown_types else None
        present = {tag for tag, _ in fields}
        if not plan.required_set <= present:
            return _problem(REQUIRED_MISSING, next(tag for tag in plan.required if tag not in present))
        return self._walk(plan, msg_type, fields)

    def _walk(self, plan: _Plan, msg_type: bytes, fields: Fields) -> Problem | None:
        switches, rules = self.switches, plan.rules
        seen: set[bytes] = set()
        section = _HEADER
        at, size = 0, len(fields)
        while at < size:
            tag, value = fields[at]
            at += 1
            rule = rules.get(tag)
            if rule is None:
                problem = self._stray(tag, value, msg_type)
                if problem is not None:
                    return problem
                continue
            if rule.section < section and switches.wrong_place:
                return _problem(WRONG_PLACE, tag)
            section = rule.section
            if tag in seen and switches.repeated_tags:
                return _problem(REPEATED, tag)
            seen.add(tag)
            reason = self._value_reason(rule, value)
            if reason is not None:
                return _problem(reason, tag)
            if rule.group is not None and value.isdigit() and len(value) < 10:
                problem, at = self._entries(rule.group, int(value), fields, at, size)
                if problem is not None:
                    return problem
        return None

    def _stray(self, tag: bytes, value: bytes, msg_type: bytes) -> Problem | None:
        """A tag that this message type does not have."""
        number = int(tag)
        known = self.dictionary.defines(number, msg_type.decode("latin-1"))
        if not known:
            refused = self.switches.user_defined_tags if number >= USER_DEFINED_FROM else self.switches.unknown_tags
            if refused or number < 1:
                return _problem(INVALID_TAG, tag)
        if not value and self.switches.empty_values:
            return _problem(EMPTY, tag)
        if not known:
            return None
        reason = self._value_reason(self._rule_of(tag), value)
        if reason is not None:
            return _problem(reason, tag)
        return _problem(NOT_FOR_TYPE, tag) if self.switches.foreign_tags else None

    def _value_reason(self, rule: _Rule, value: bytes) -> int | None:
        switches = self.switches
        if not value:
            return EMPTY if switches.empty_values else None
        if rule.match is not None and switches.wrong_formats and rule.match(value) is None:
            return BAD_FORMAT
        if rule.values is not None and switches.wrong_values:
            good = rule.values.issuperset(value.split(b" ")) if rule.several else value in rule.values
            if not good:
                return BAD_VALUE
        return None

    # -- groups ------------------------------------------------------------------------------------------------------

    def _entries(self, group: GroupSpec, count: int, fields: Fields, at: int, limit: int) -> tuple[Problem | None, int]:
        """Check the entries of a group between `at` and `limit`; returns the first problem and where the group ends."""
        end = at
        while end < limit and int(fields[end][0]) in group.inside:
            end += 1
        first = b"%d" % group.first
        count_tag = b"%d" % group.count_tag
        starts = [place for place in range(at, end) if fields[place][0] == first]
        if self.switches.group_counts and len(starts) != count:
            out_of_order = end > at and fields[at][0] != first and len(starts) > 0
            return (_problem(GROUP_ORDER, fields[at][0]) if out_of_order else _problem(GROUP_COUNT, count_tag)), end
        if end > at and fields[at][0] != first and self.switches.group_order:
            return _problem(GROUP_ORDER, fields[at][0]), end
        for start, stop in zip(starts, [*starts[1:], end], strict=False):
            problem = self._entry(group, fields, start, stop)
            if problem is not None:
                return problem, end
        return None, end

    def _entry(self, group: GroupSpec, fields: Fields, at: int, end: int) -> Problem | None:
        seen: set[int] = set()
        place = -1
        while at < end:
            tag, value = fields[at]
            number = int(tag)
            at += 1
            if number not in group.order:
                # A member of a nested group without its count field.
                return _problem(GROUP_ORDER, tag) if self.switches.group_order else None
            if number in seen and self.switches.repeated_tags:
                return _problem(REPEATED, tag)
            seen.add(number)
            if self.switches.group_order and group.order[number] < place:
                return _problem(GROUP_ORDER, tag)
            place = group.order[number]
            reason = self._value_reason(self._rule_of(tag), value)
            if reason is not None:
                return _problem(reason, tag)
            nested = group.nested.get(number)
            if nested is not None and value.isdigit() and len(value) < 10:
                problem, at = self._entries(nested, int(value), fields, at, end)
                if problem is not None:
                    return problem
        missing = group.required - seen
        if missing and self.switches.missing_required:
            return _problem(REQUIRED_MISSING, b"%d" % min(missing))
        return None

    # -- plans -------------------------------------------------------------------------------------------------------

    def _plan(self, msg_type: bytes) -> _Plan | None:
        """The rules of a message type, made when it is first met."""
        if msg_type in self._plans:
            return self._plans[msg_type]
        dictionary = self.dictionary
        spec = dictionary.message(msg_type.decode("latin-1"))
        if spec is None:
            # Not remembered: a peer could fill the memory with types that it makes up.
            return None
        rules: dict[bytes, _Rule] = {}
        for section, members, groups in (
            (_BODY, spec.members, spec.groups),
            (_HEADER, dictionary.header.members, dictionary.header.groups),
            (_TRAILER, dictionary.trailer.members, dictionary.trailer.groups),
        ):
            for tag in members:
                rules[b"%d" % tag] = _rule(section, dictionary.field(tag), groups.get(tag))
        needed: tuple[int, ...] = ()
        if self.switches.missing_required:
            needed = (
                *(tag for tag in dictionary.header.members if tag in dictionary.header.required),
                *(tag for tag in spec.members if tag in spec.required),
                *(tag for tag in dictionary.trailer.members if tag in dictionary.trailer.required),
            )
        required = tuple([b"%d" % tag for tag in needed])
        plan = _Plan(required, frozenset(required), rules)
        self._plans[msg_type] = plan
        return plan

    def _rule_of(self, tag: bytes) -> _Rule:
        rule = self._rules.get(tag)
        if rule is None:
            rule = self._rules[tag] = _rule(_BODY, self.dictionary.field(int(tag)), None)
        return rule


def _rule(section: int, spec: FieldSpec | None, group: GroupSpec | None) -> _Rule:
    assert spec is not None, "a dictionary has no tag in a message that it does not define"
    form = _FORMATS.get(spec.type)
    match = re.compile(form.encode()).fullmatch if form else None
    several = spec.type in _SEVERAL
    values = frozenset(value.encode() for value in spec.values) or None
    if values is not None and spec.type in ("BOOLEAN", "CHAR") and all(len(value) == 1 for value in values):
        # The list is the stricter test, except that two characters are a wrong format rather than a wrong value.
        match = _ONE_CHARACTER
    return _Rule(section, match, values, several, group)


_ONE_CHARACTER = re.compile(rb"[^\x01]").fullmatch


def _problem(reason: int, tag: bytes | None) -> Problem:
    return Problem(reason, None if tag is None else int(tag), _TEXTS[reason])
