"""The tables of docs/venues.md: what each venue of the tree is, by its profile, and the kinds of credentials."""

import tomllib

from common.venues.registry import find_profile, folder_of, venue_names
from common.venues.venue import CREDENTIAL_FILES, CredentialKind
from scripts.docs.structs import table

KINDS = {
    CredentialKind.ED25519: "An API key, and an Ed25519 private key as unencrypted PEM.",
    CredentialKind.ED25519_ACCOUNT: "An API key, an Ed25519 private key as unencrypted PEM, and the account's name.",
    CredentialKind.RSA: "An API key, and an RSA private key as unencrypted PEM.",
    CredentialKind.HMAC: "An API key, and the secret that the venue gave with it.",
    CredentialKind.HMAC_PASSPHRASE: "An API key, its secret, and the passphrase that goes with them.",
    CredentialKind.HMAC_ACCOUNT: "An API key, its secret, and the account's name.",
    CredentialKind.PASSWORD: "A name and a password.",
    CredentialKind.PASSWORD_HMAC: "A name, a password and the account's name; for REST, an API key and its secret.",
}
NUMBERS = {
    "reset": "begin at 1 with each logon",
    "resend": "persist, and are resent",
    "gap_fill_only": "persist, and are gap-filled",
}


def venues() -> str:
    """A row for each folder of common/venues that has a venue in it."""
    return table(
        ("`dialect`", "venue", "wire", "credentials", "numbers", "REST side", "lacks"), [_row(n) for n in venue_names()]
    )


def _row(name: str) -> tuple[str, ...]:
    profile = find_profile(name)
    own = tomllib.loads((folder_of(name) / "venue.toml").read_text("utf-8"))
    kinds = " or ".join(f"`{kind}`" for kind in profile.credentials) or "none"
    lacks = ", ".join(sorted(feature.value.replace("_", " ") for feature in profile.lacks)) or "nothing"
    readme = f"[{profile.title}](../common/venues/{name}/README.md)"
    numbers, rest = NUMBERS[own["fix"]["sequence_policy"]], "yes" if profile.rest else "no"
    return f"`{name}`", readme, profile.confidence.value, kinds, numbers, rest, lacks


def credentials() -> str:
    """A row for each kind of credentials."""
    rows = [
        (f"`{kind}`", ", ".join(f"`{key}`" for key in CREDENTIAL_FILES[kind]), KINDS[kind]) for kind in CredentialKind
    ]
    return table(("`kind`", "keys of `[credentials]`", "what the files hold"), rows)
