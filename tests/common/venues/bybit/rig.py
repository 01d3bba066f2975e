"""Bybit's simulated exchange in memory, and clients that write to it by hand."""

import base64
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from common.exchange.settings import Key
from common.fix.wire import encode, utc_timestamp
from tests.common.exchange.harness import GENERIC, World
from tests.common.venues.bybit.keys import PEM, PUBLIC_PEM

SERVER = "BYBIT_FIX_SERVER"
API_KEY = "k" * 32
KEY = Key(api_key=API_KEY, public_key=PUBLIC_PEM, account="desk")
BYBIT = msgspec.structs.replace(
    GENERIC, name="bybit", dialect="bybit", comp_id=SERVER, parties=(), market_data_parties=(), keys=(KEY,)
)
SPOT = "30010=spot|55=BTCUSDT|"


def exchange(folder: Path) -> World:
    """The exchange, with an account of ours; BTCUSDT began at 1000."""
    return World(folder, BYBIT)


def signature(text: str) -> str:
    """The desk's RSA signature."""
    private = load_pem_private_key(PEM, None)
    assert isinstance(private, RSAPrivateKey)
    return base64.b64encode(private.sign(text.encode(), PKCS1v15(), SHA256())).decode()


class Hand:
    """A connection whose messages are written by hand, `|` for SOH; what comes back likewise, a line a message."""

    def __init__(self, world: World, name: str = "HAND") -> None:
        self.world = world
        self.name = name
        self.sent = 0
        world.connections += 1
        self.number = world.connections
        self.wire = b""
        world.raw_clients[self.number] = self
        world.core.accepted(self.number, "fix", world.now)

    def say(self, msg_type: str, body: str = "", number: int = 0) -> list[str]:
        """Send it under the next number, or another one; what came back."""
        self.sent = number or self.sent + 1
        stamp = utc_timestamp(self.world.now.wall_ns).decode()
        head = f"35={msg_type}|34={self.sent}|49={self.name}|52={stamp}|56={SERVER}|"
        self.heard()
        self.world.core.data(
            self.number, encode(b"FIX.4.4", (head + body).replace("|", "\x01").encode("latin-1")), self.world.now
        )
        self.world.pump()
        return self.heard()

    def heard(self) -> list[str]:
        """What came since the last call, without what is the same in every message."""
        wire, self.wire = self.wire.decode("latin-1").replace("\x01", "|"), b""
        return ["35=" + part.partition("|35=")[2].rpartition("10=")[0] for part in wire.split("8=FIX.4.4|")[1:]]

    def log_on(self, **changes: str) -> list[str]:
        """A good Logon(A), but for `changes` of its fields (`t30023` is another Expires(30023) than is signed)."""
        expires = changes.get("t30023", str(self.world.now.wall_ns // 10**6 + 5000))
        signed = changes.get("signed", f"GET/realtime{expires}")
        name = signature(signed)
        fields = {
            "98": "0",
            "108": "30",
            "553": API_KEY,
            "95": str(len(name)),
            "96": name,
            "30023": expires,
            "141": "Y",
        }
        fields |= {tag[1:]: value for tag, value in changes.items() if tag.startswith("t")}
        return self.say("A", "".join(f"{tag}={value}|" for tag, value in fields.items() if value))

    @property
    def is_in(self) -> bool:
        """Whether the server still has it."""
        return self.world.core.venue.lines.line(self.number) is not None

    def drop(self) -> None:
        """Break the connection without Logout(5)."""
        self.world.core.closed(self.number, "dropped", self.world.now)

    def order(
        self, name: str, side: str = "1", qty: str = "0.01", price: str = "1000", more: str = "59=1|"
    ) -> list[str]:
        """A limit order."""
        return self.say("D", f"{SPOT}54={side}|40=2|38={qty}|44={price}|{more}11={name}|30006={name}|")


def inside(world: World, name: str = "HAND") -> Hand:
    """A connection that is logged on."""
    hand = Hand(world, name)
    (answer,) = hand.log_on()
    assert answer.startswith("35=A|")
    return hand


def field(line: str, tag: int) -> str:
    """A field of a message, "" where it is absent."""
    return next((part.partition("=")[2] for part in line.split("|") if part.startswith(f"{tag}=")), "")


def fields(line: str, *tags: int) -> tuple[str, ...]:
    """Several of them."""
    return tuple(field(line, tag) for tag in tags)
