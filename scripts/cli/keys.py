"""`fixring keys`: the keys of links between hosts. Those of venues are files of their own (docs/live.md)."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import orjson

from common.config import Config, ConfigError, load
from common.exit_status import ExitStatus
from common.link_keys import (
    BadLinkKeys,
    LinkKeys,
    make_link_keys,
    pack_link_keys,
    roles_of,
    roles_on,
    unpack_link_keys,
    what_differs,
)
from common.link_roles import acts_in_words, links_of
from scripts.cli.errors import CommandError
from scripts.cli.names import known_name
from scripts.cli.tables import table

AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document instead of lines.")
DEFAULT_FOLDER = "keys/links"
"""Where keys are made before the configuration says where they are."""


@click.group()
def keys() -> None:
    """Make, show, hand out and check the keys of links between hosts."""


@keys.command()
@AS_JSON
def make(as_json: bool) -> None:
    """Make the key pair of each role that has none yet, on one host of the stack.

    A pair that is there is never replaced: to renew one, remove its two files, make it, and hand the set out again.
    """
    config = load()
    folder = folder_of(config)
    made = make_link_keys(folder, roles_of(config))
    told = {"folder": str(folder), "made": made, "fingerprint": LinkKeys(folder).fingerprint}
    if as_json:
        click.echo(orjson.dumps(told))
        return
    click.echo(f"{folder}: made {', '.join(made) or 'nothing, every role has its pair'}")
    click.echo(f"fingerprint of the set: {told['fingerprint']}")
    if not config.stack.endpoints.curve_folder:
        click.echo(f'Not used yet: set curve_folder = "{DEFAULT_FOLDER}" in [endpoints] of fixring.toml.')


@keys.command()
@AS_JSON
def show(as_json: bool) -> None:
    """Show each role with its public key, whether this host plays it, and what the key opens. No secret is shown."""
    config = load()
    held = LinkKeys(folder_of(config))
    rows = [
        {
            "role": role, "public": held.public[role].decode(), "here": held.has_secret(role),
            "serves": links_of(role)[0], "joins": links_of(role)[1], "may_ask": acts_in_words(role),
        }
        for role in sorted(held.public)
    ]  # fmt: skip
    admitted = {key.decode(): role for key, role in sorted(held.admitted.items()) if key not in held.public.values()}
    if as_json:
        told = {"folder": str(held.folder), "fingerprint": held.fingerprint, "roles": rows, "admitted": admitted}
        click.echo(orjson.dumps(told))
        return
    click.echo(f"{held.folder}, fingerprint {held.fingerprint}")
    lines = [
        [row["role"], row["public"], "here" if row["here"] else "", _links(row["serves"]), _links(row["joins"])]
        for row in rows
    ]
    table(["role", "public key", "secret", "serves", "joins"], lines)
    for key, role in admitted.items():
        click.echo(f"also let in as {role}: {key}")


def _links(names: object) -> str:
    return ", ".join(names) if isinstance(names, list) else ""


@keys.command("hand-out")
@click.argument("host")
@click.argument("to", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--without-operator", is_flag=True, help="Leave the command line's key out: nobody acts from that host.")
def hand_out(host: str, to: Path, without_operator: bool) -> None:
    """Pack what HOST of [hosts] needs into the tar file TO: every public key, and the secret ones of what it runs.

    TO is a secret, made readable by its owner alone. Bring it there over a channel that you trust, then `fixring keys
    take-in TO`, and remove it.
    """
    config = load()
    known_name("host", host, config.stack.hosts)
    if to.exists():
        raise CommandError(f"{to}: is there already, and nothing is written over it", ExitStatus.REFUSED)
    roles = [role for role in roles_on(config, host) if not (without_operator and role == "operator")]
    packed = pack_link_keys(folder_of(config), roles, to)
    click.echo(f"{to}: {len(packed)} keys, the secret ones of {', '.join(roles)}; for {host} alone")


@keys.command("take-in")
@click.argument("packed", type=click.Path(path_type=Path, dir_okay=False))
def take_in(packed: Path) -> None:
    """Put the keys that `hand-out` has packed for this host into its folder. Processes take them up at their start."""
    config = load()
    taken = unpack_link_keys(packed, folder_of(config))
    click.echo(f"{folder_of(config)}: {len(taken)} keys, fingerprint {LinkKeys(folder_of(config)).fingerprint}")


@keys.command()
@click.argument("other", required=False, type=click.Path(path_type=Path))
@AS_JSON
def check(other: Path | None, as_json: bool) -> None:
    """Check this host's keys, and with OTHER whether another host's set fits: its folder, or what `hand-out` packed.

    Without files the sets of two hosts are compared by their fingerprints, which must be the same. Exit status 3 when
    something is wrong.
    """
    config = load()
    folder = folder_of(config)
    found = list(wrong_keys(config))
    try:
        ours = LinkKeys(folder)
        fingerprint = ours.fingerprint
        if other is not None:
            found += _differences(ours, other)
    except BadLinkKeys:
        # It is among what was found.
        fingerprint = ""
    if as_json:
        click.echo(orjson.dumps({"folder": str(folder), "fingerprint": fingerprint, "wrong": found}))
    else:
        click.echo(f"{folder}, fingerprint {fingerprint or 'none'}")
        for line in found:
            click.echo(f"WRONG {line}")
    if found:
        raise CommandError(f"{len(found)} wrong", ExitStatus.CONFIGURATION)


def _differences(ours: LinkKeys, other: Path) -> list[str]:
    if other.is_dir():
        return what_differs(ours, LinkKeys(other))
    with tempfile.TemporaryDirectory() as folder:
        unpack_link_keys(other, Path(folder))
        return [line.replace(folder, str(other)) for line in what_differs(ours, LinkKeys(Path(folder)))]


def folder_of(config: Config) -> Path:
    """The folder of the keys, whether the configuration names it already or not."""
    return config.paths.resolve(config.stack.endpoints.curve_folder or DEFAULT_FOLDER)


def wrong_keys(config: Config) -> Iterator[str]:
    """What is wrong with this host's keys, a line each: missing, unfit, readable by others, or too many."""
    try:
        held = LinkKeys(folder_of(config))
    except BadLinkKeys as error:
        yield str(error)
        return
    host = config.host
    needed = roles_on(config, host) if host else roles_of(config)
    for role in roles_of(config):
        try:
            held.public_of(role)
            if held.has_secret(role) or (role in needed and role != "operator"):
                held.secret(role)
        except ConfigError as error:
            yield str(error)
    # The host on which the keys were made has them all; elsewhere a secret too many opens what is another host's.
    makes = all(held.has_secret(role) for role in held.public)
    for role in held.public:
        if not makes and held.has_secret(role) and role not in needed:
            yield f"{held.secret_file(role)}: {host} does not run {role}; remove the file"
