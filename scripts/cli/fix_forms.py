"""The forms that a log of FIX messages comes in: text, gzip, UTF-16, and JSON lines with a message in a field."""

import base64
import binascii
import codecs
import zlib
from collections.abc import Callable, Iterator
from itertools import chain

import orjson

from common.fix.text import Finder, Found

_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib's word for the gzip format
_BASE64_HEAD = "OD1GSV"  # 8=FI
_LONGEST_LINE_BYTES = 1 << 21


def unzipped(chunks: Iterator[bytes], damaged: Callable[[str], None]) -> Iterator[bytes]:
    """The bytes, unpacked if they are gzip, in one part or several. Damage and a missing end are told to `damaged`,
    behind all that could be read."""
    head, chunks = _begun(chunks, lambda head: len(head) >= len(_GZIP))
    if not head.startswith(_GZIP):
        yield from chunks
        return
    unpack = zlib.decompressobj(_GZIP_WINDOW)
    try:
        for chunk in chunks:
            while chunk:
                if unpack.eof:
                    unpack = zlib.decompressobj(_GZIP_WINDOW)
                yield unpack.decompress(chunk)
                chunk = unpack.unused_data.lstrip(b"\0")
    except zlib.error as error:
        damaged(f"the gzip data is damaged: {error}")
        return
    if not unpack.eof:
        damaged("the gzip data ends too early")


def as_utf8(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The bytes, in UTF-8 if they are UTF-16 (told by a byte-order mark, or by zeros beside its first letters)."""
    head, chunks = _begun(chunks, lambda head: len(head) >= 4)
    encoding = _utf16(head[:4])
    if encoding is None:
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for chunk in chunks:
        yield decoder.decode(chunk).encode()
    yield decoder.decode(b"", True).encode()


def messages_in(chunks: Iterator[bytes], unread: Callable[[int], None]) -> Iterator[Found]:
    """The messages in text or JSON lines as they come; `unread` is told the places that no form was found for."""
    head, chunks = _begun(chunks, lambda head: not _may_be_json(head) or b"\n" in head.lstrip())
    if _may_be_json(head) and _is_json(head.lstrip().partition(b"\n")[0]):
        yield from _in_lines(chunks, unread)
        return
    finder = Finder()
    for chunk in chunks:
        yield from finder.feed(chunk)
    yield from finder.close()
    unread(finder.unread)


def _begun(chunks: Iterator[bytes], enough: Callable[[bytes], bool]) -> tuple[bytes, Iterator[bytes]]:
    """As much of the beginning as is `enough`, where there is so much, and all chunks, the beginning included."""
    head = b""
    for chunk in chunks:
        head += chunk
        if enough(head):
            break
    return head, chain([head], chunks)


def _may_be_json(head: bytes) -> bool:
    return head.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in (b"", b"{") and len(head) < _LONGEST_LINE_BYTES


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line.removeprefix(codecs.BOM_UTF8)), dict)
    except orjson.JSONDecodeError:
        return False


def _utf16(head: bytes) -> str | None:
    if head.startswith(codecs.BOM_UTF16_LE) or (len(head) == 4 and not any(head[1::2]) and all(head[::2])):
        return "utf-16-le"
    if head.startswith(codecs.BOM_UTF16_BE) or (len(head) == 4 and not any(head[::2]) and all(head[1::2])):
        return "utf-16-be"
    return None


def _in_lines(chunks: Iterator[bytes], unread: Callable[[int], None]) -> Iterator[Found]:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield from _in_line(line, unread)
        if len(rest) > _LONGEST_LINE_BYTES:
            rest = b""
            unread(1)
    yield from _in_line(rest, unread)


def _in_line(line: bytes, unread: Callable[[int], None]) -> Iterator[Found]:
    """The messages in the strings of a JSON object, each behind what else the object says; or in a line of text."""
    texts: list[bytes] = []
    try:
        row = orjson.loads(line.removeprefix(codecs.BOM_UTF8))
        others = _without_messages(row, texts)
        prefix = orjson.dumps(others).decode() if others else ""
    except orjson.JSONDecodeError:
        texts, prefix = [line], ""
    for text in texts:
        finder = Finder()
        for found in (*finder.feed(text), *finder.close()):
            yield Found(" ".join(filter(None, (prefix, found.prefix))), found.raw)
        unread(finder.unread)


def _without_messages(value: object, texts: list[bytes]) -> object:
    """A JSON value without the strings that hold a message, which go into `texts`, and without what is empty then."""
    match value:
        case dict():
            kept = {name: _without_messages(each, texts) for name, each in value.items()}
            return {name: each for name, each in kept.items() if each is not None}
        case list():
            return [each for each in (_without_messages(each, texts) for each in value) if each is not None] or None
        case str() if (text := _message_text(value)) is not None:
            texts.append(text)
            return None
    return value


def _message_text(value: str) -> bytes | None:
    """The text of a string that holds a message, as it is or in Base64."""
    if "8=FIX" in value:
        return value.encode()
    if value.startswith(_BASE64_HEAD):
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error:
            return None
    return None
