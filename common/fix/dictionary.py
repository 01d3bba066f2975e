"""What a FIX version defines: fields with types and values, messages, groups; and what a venue adds.

The compact form is text, one fact a line:

version FIX.4.4 field 54 Side CHAR 1=BUY 2=SELL tag, name, type, values with their meanings component Parties 453( 448
447 452 802( 523 803 ) ) a group is its count field and its members in brackets message D NewOrderSingle app 11! 526
@Parties 55! `!` is required, `@` refers to a component

`header` and `trailer` lines list the standard header and trailer. FIX 5.0 SP2 has the header, the trailer and the
session messages of FIXT 1.1, which `load` puts together. Messages are expanded when first asked for.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple, Self

from common.fix.errors import DictionaryError
from common.fix.wire import GroupSpec

VERSIONS = ("FIX42", "FIX44", "FIX50SP2")
_TRANSPORT = {"FIX50SP2": "FIXT11"}
NO_VALUES: Mapping[str, str] = {}


class FieldSpec(NamedTuple):
    """A field: tag, name, FIX data type in capitals, and its values with their meanings (empty: any value)."""

    tag: int
    name: str
    type: str
    values: Mapping[str, str]


class MessageSpec(NamedTuple):
    """A message type. `members` holds the top-level tags of the body, count fields included; `groups` the groups by
    count field."""

    msg_type: str
    name: str
    admin: bool
    members: tuple[int, ...]
    required: frozenset[int]
    groups: Mapping[int, GroupSpec]


class _Items(NamedTuple):
    members: tuple[int, ...]
    required: frozenset[int]
    groups: dict[int, GroupSpec]


class _Line(NamedTuple):
    name: str
    admin: bool
    items: str


class Dictionary:
    """A FIX version, perhaps with a venue's additions. Immutable; `with_additions` gives a new one."""

    def __init__(self, text: str) -> None:
        """Read the compact form. Raises DictionaryError."""
        self.version = ""
        self._fields: dict[int, FieldSpec] = {}
        self._components: dict[str, str] = {}
        self._lines: dict[str, _Line] = {}
        self._header = self._trailer = ""
        self._transport_tags: frozenset[int] | None = None
        self._read(text)
        self._finish()

    def _read(self, text: str) -> None:
        for number, line in enumerate(text.splitlines(), 1):
            kind, _, rest = line.partition(" ")
            try:
                if kind == "field":
                    tag, name, type_, *values = rest.split(" ")
                    meanings = dict(value.rsplit("=", 1) for value in values)
                    self._fields[int(tag)] = FieldSpec(int(tag), name, type_, meanings)
                elif kind == "component":
                    name, _, self._components[name] = rest.partition(" ")
                elif kind == "message":
                    msg_type, name, category, *items = rest.split(" ", 3)
                    self._lines[msg_type] = _Line(name, category == "admin", "".join(items))
                elif kind == "header":
                    self._header = rest or self._header
                elif kind == "trailer":
                    self._trailer = rest or self._trailer
                elif kind == "version":
                    if self.version:
                        # What came before was the transport's: its messages know no field of the application.
                        self._transport_tags = frozenset(self._fields)
                    self.version = rest
                elif line and not line.startswith("#"):
                    raise ValueError(f"unknown fact {kind!r}")
            except ValueError as error:
                raise DictionaryError(f"line {number}: {error}: {line[:60]}") from error

    def _finish(self) -> None:
        self.header = self._expand(self._header)
        self.trailer = self._expand(self._trailer)
        self.header_tags = frozenset(self.header.members)
        self.trailer_tags = frozenset(self.trailer.members)
        self._tags = {spec.name: spec.tag for spec in self._fields.values()}
        self._messages: dict[str, MessageSpec] = {}

    @classmethod
    @lru_cache(maxsize=8)
    def load(cls, name: str) -> Self:
        """The dictionary of "FIX42", "FIX44" or "FIX50SP2" (with FIXT 1.1). Raises DictionaryError."""
        if name not in VERSIONS:
            raise DictionaryError(f"no dictionary {name!r}; there are {', '.join(VERSIONS)}")
        folder = resources.files("common.fix") / "dictionaries"
        parts = [_TRANSPORT[name], name] if name in _TRANSPORT else [name]
        return cls("".join((folder / f"{part}.txt").read_text(encoding="ascii") for part in parts))

    def with_additions(self, additions: Mapping[str, Any]) -> "Dictionary":
        """A new dictionary with a venue's additions on top:

        {"header": [25000], "fields": {"25000": {"name": "RecvWindow", "type": "FLOAT", "values": {"1": "ONE"}}},
        "messages": {"XLQ": {"name": "LimitQuery", "items": "6136!"}, "D": {"adds": "25001 25032( 25033! )"}}}

        Values are added to those of a known field; `items` replaces a message's fields and `adds` appends to them,
        both in the compact form. Raises DictionaryError.
        """
        layered = Dictionary.__new__(Dictionary)
        layered.version = self.version
        layered._fields = dict(self._fields)
        layered._components = self._components
        layered._lines = dict(self._lines)
        layered._header = " ".join([self._header, *[str(int(tag)) for tag in additions.get("header", ())]])
        layered._trailer = self._trailer
        layered._transport_tags = self._transport_tags
        if self._transport_tags is not None:
            layered._transport_tags = self._transport_tags.union(int(tag) for tag in additions.get("fields", {}))
        for tag, fact in additions.get("fields", {}).items():
            layered._add_field(int(tag), fact)
        for msg_type, fact in additions.get("messages", {}).items():
            layered._add_message(msg_type, fact)
        layered._finish()
        return layered

    def _add_field(self, tag: int, fact: Mapping[str, Any]) -> None:
        known = self._fields.get(tag)
        try:
            name = fact["name"] if known is None else fact.get("name", known.name)
            type_ = fact["type"] if known is None else fact.get("type", known.type)
        except KeyError as error:
            raise DictionaryError(f"the added field {tag} needs a {error}") from error
        values = {**(known.values if known else {}), **{str(k): str(v) for k, v in fact.get("values", {}).items()}}
        self._fields[tag] = FieldSpec(tag, name, type_, values)

    def _add_message(self, msg_type: str, fact: Mapping[str, Any]) -> None:
        known = self._lines.get(msg_type)
        if known is None and "name" not in fact:
            raise DictionaryError(f"the added message MsgType(35)={msg_type} needs a name")
        items = fact.get("items", known.items if known else "")
        name = fact.get("name", known.name if known else "")
        self._lines[msg_type] = _Line(name, known.admin if known else False, f"{items} {fact.get('adds', '')}".strip())

    # -- look-up -----------------------------------------------------------------------------------------------------

    def field(self, tag: int) -> FieldSpec | None:
        """What is known of a tag."""
        return self._fields.get(tag)

    def defines(self, tag: int, msg_type: str) -> bool:
        """Whether a tag exists in the part of the specification that `msg_type` belongs to: under FIXT 1.1 the
        session messages know the transport's fields only."""
        line = self._lines.get(msg_type)
        if self._transport_tags is not None and line is not None and line.admin:
            return tag in self._transport_tags
        return tag in self._fields

    def field_name(self, tag: int) -> str | None:
        """The name of a tag."""
        spec = self._fields.get(tag)
        return spec.name if spec else None

    def tag(self, name: str) -> int | None:
        """The tag of a name, exactly as FIX spells it."""
        return self._tags.get(name)

    def value_name(self, tag: int, value: str) -> str | None:
        """The meaning of a value, such as BUY for Side(54)=1."""
        spec = self._fields.get(tag)
        return spec.values.get(value) if spec else None

    def message_name(self, msg_type: str) -> str | None:
        """The name of MsgType(35), such as NewOrderSingle for D."""
        line = self._lines.get(msg_type)
        return line.name if line else None

    def message_types(self) -> Iterator[str]:
        """Every MsgType(35)."""
        return iter(self._lines)

    def message(self, msg_type: str) -> MessageSpec | None:
        """The layout of a message type, expanded."""
        spec = self._messages.get(msg_type)
        if spec is None and (line := self._lines.get(msg_type)) is not None:
            items = self._expand(line.items)
            spec = MessageSpec(msg_type, line.name, line.admin, items.members, items.required, items.groups)
            self._messages[msg_type] = spec
        return spec

    def group(self, msg_type: str, count_tag: int) -> GroupSpec | None:
        """The layout of a top-level group of a message or of the header."""
        spec = self.message(msg_type)
        found = spec.groups.get(count_tag) if spec else None
        return found or self.header.groups.get(count_tag)

    # -- the compact form --------------------------------------------------------------------------------------------

    def _expand(self, items: str) -> _Items:
        words = iter(items.split())
        return self._collect(words, ())

    def _collect(self, words: Iterator[str], inside: tuple[str, ...]) -> _Items:
        """The items up to the closing bracket or the end. `inside` names the components being expanded."""
        members: list[int] = []
        required: set[int] = set()
        groups: dict[int, GroupSpec] = {}
        for word in words:
            if word == ")":
                break
            opens = word.endswith("(")
            word = word.removesuffix("(")
            needed = word.endswith("!")
            word = word.removesuffix("!")
            if word.startswith("@"):
                part = self._component(word[1:], inside)
                members += part.members
                groups |= part.groups
                required |= part.required if needed else frozenset()
                continue
            if not word.isdigit() or int(word) not in self._fields:
                raise DictionaryError(f"{word!r} is no known field, in {' in '.join(inside) or 'a message'}")
            tag = int(word)
            members.append(tag)
            if needed:
                required.add(tag)
            if opens:
                entry = self._collect(words, inside)
                groups[tag] = GroupSpec(tag, entry.members, entry.required, entry.groups)
        return _Items(tuple(members), frozenset(required), groups)

    def _component(self, name: str, inside: tuple[str, ...]) -> _Items:
        items = self._components.get(name)
        if items is None or name in inside:
            raise DictionaryError(f"component {name} is {'unknown' if items is None else 'part of itself'}")
        return self._collect(iter(items.split()), (*inside, name))
