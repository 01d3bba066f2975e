"""Fields that a message type does not have, for an exchange that is told to refuse them whatever its venue does."""

from collections.abc import Iterable

from common.exchange.requests import BadField
from common.fix.dictionary import Dictionary

INVALID_TAG = 0
NOT_FOR_TYPE = 2


class TagCheck:
    """What `dictionary` has, a venue's additions to `standard`: the fields of a message type there, and the venue's own
    in any."""

    def __init__(self, dictionary: Dictionary, standard: Dictionary) -> None:
        self._dictionary = dictionary
        self._standard = standard
        self._known: dict[str, frozenset[int]] = {}

    def check(self, msg_type: str, tags: Iterable[bytes]) -> None:
        """Look at a message, unless the standard has not its type. Raises BadField for the first tag that the type does
        not have.
        """
        known = self._tags(msg_type)
        for tag in map(int, tags):
            if not known or tag in known:
                continue
            if not self._dictionary.defines(tag, msg_type):
                raise BadField(INVALID_TAG, tag, "Invalid tag number")
            if self._standard.defines(tag, msg_type):
                raise BadField(NOT_FOR_TYPE, tag, "Tag not defined for this message type")

    def _tags(self, msg_type: str) -> frozenset[int]:
        """Empty for a type that the standard has not."""
        spec = self._dictionary.message(msg_type)
        if spec is None or self._standard.message(msg_type) is None:
            return frozenset()
        if msg_type not in self._known:
            inside = [tag for group in spec.groups.values() for tag in group.inside]
            ends = self._dictionary.header_tags | self._dictionary.trailer_tags
            self._known[msg_type] = ends | frozenset(spec.members) | frozenset(inside)
        return self._known[msg_type]
