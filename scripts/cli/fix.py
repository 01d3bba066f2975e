"""`fixring fix`: read FIX text and the journal, and answer any counterparty."""

import fnmatch
import signal
import socket
import ssl
from collections.abc import Callable
from typing import Any

import click
import orjson

from common.exit_status import ExitStatus
from common.fix.dictionary import Dictionary
from common.fix.errors import GarbledError
from common.fix.listener import allow_list
from common.fix.session_types import APPL_VER_IDS, SessionSettings
from common.fix.text import (
    HEARTBEAT_TYPES,
    ShownField,
    cut_text,
    dictionary_for,
    is_framed,
    pretty,
    pretty_lines,
    shown_fields,
    title,
    version_of,
    whole_fields,
)
from common.fix.validation import STRICT, Switches, Validator
from common.fix.wire import Message, cut, pairs, split
from common.fix_echo import EchoServer
from scripts.cli.errors import CommandError
from scripts.cli.fix_orders import lives, told
from scripts.cli.fix_source import Item, Source, open_source, source_options


@click.group()
def fix() -> None:
    """Read FIX from files, standard input or the journal; answer any counterparty.

    SOH, |, ^A, <SOH> or whatever else stands behind every field is taken for the separator; text before a message on
    its line is kept. Files may be gzip, UTF-16, or JSON lines with a message in a field. Secrets are masked. Where
    nothing is found, or something looks like a message and cannot be read, the exit status is 1.
    """


def reading(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the shared options and hands it the Source that they choose."""

    def run(
        files: tuple[str, ...],
        from_journal: bool,
        journal_folder: str | None,
        session: str | None,
        version: str | None,
        additions: str | None,
        **own: Any,
    ) -> Any:
        source = open_source(files, from_journal, journal_folder, session, version, additions)
        status = command(source, **own)
        source.see_that_all_was_read()
        return status

    run.__doc__ = command.__doc__
    run.__name__ = command.__name__
    run.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    return source_options(run)


FIX_5_0_SP2 = "9"  # in ApplVerID(1128)

LINES = click.option("-l", "--lines", is_flag=True, help="One field a line, aligned, groups indented.")
NO_HEARTBEATS = click.option("--no-heartbeats", is_flag=True, help="Hide Heartbeat(0) and TestRequest(1).")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")


@fix.command()
@reading
@LINES
@NO_HEARTBEATS
@AS_JSON
def cat(source: Source, lines: bool, no_heartbeats: bool, as_json: bool) -> None:
    """Show messages with names and meanings."""
    for item in source.items():
        if not (no_heartbeats and _msg_type(item.raw) in HEARTBEAT_TYPES):
            _show(item, source, lines, as_json)


@fix.command()
@click.argument("expression")
@reading
@LINES
@NO_HEARTBEATS
@AS_JSON
def grep(source: Source, expression: str, lines: bool, no_heartbeats: bool, as_json: bool) -> int:
    """Show the messages that match every word of EXPRESSION.

    A word is a message type or name (D, NewOrderSingle), or a field and its value or meaning, by tag or name, with
    * and ? (54=1, Side=Buy, ClOrdID=A*); ! before a word turns it round. Exit status 1 if nothing matches.
    """
    words = expression.split()
    matched = False
    for item in source.items():
        if no_heartbeats and _msg_type(item.raw) in HEARTBEAT_TYPES:
            continue
        try:
            message = Message(whole_fields(item.raw))
        except GarbledError:
            continue
        dictionary = source.dictionary(message.get(8) or "")
        fields = shown_fields(message, dictionary)
        if all(_matches(word, message, fields, dictionary) for word in words):
            matched = True
            _show(item, source, lines, as_json)
    return ExitStatus.OK if matched else ExitStatus.FAILURE


@fix.command()
@click.option("--id", "wanted", help="Only the order with this ClOrdID(11) or OrderID(37).")
@reading
def orders(source: Source, wanted: str | None) -> int:
    """Tell the life of each order over its chain of ClOrdIDs. Exit status 1 if there is none."""
    found = lives(source.items())
    if wanted is not None:
        found = [life for life in found if wanted in life.cl_ord_ids or wanted in life.order_ids]
    for life in found:
        for line in told(life, source.dictionary(life.steps[0].message.require(8))):
            click.echo(line)
    return ExitStatus.OK if found else ExitStatus.FAILURE


@fix.command()
@click.option(
    "--lenient",
    is_flag=True,
    help="Allow what venues do: unknown tags, tags of other message types, fields without a value.",
)
@reading
def validate(source: Source, lenient: bool) -> int:
    """Check framing and dictionary. Exit status 1 if anything is wrong.

    There are dictionaries of FIX.4.2, FIX.4.4 and FIX.5.0SP2; where another version is judged by one of them, the last
    lines say by which.
    """
    strict = not lenient
    switches = Switches(unknown_tags=strict, user_defined_tags=strict, foreign_tags=strict, empty_values=strict)
    validators: dict[Dictionary, Validator] = {}
    judged: dict[str, str] = {}
    count = wrong = 0
    for item in source.items():
        count += 1
        text = _fault(item.raw, source, validators, switches)
        judged |= _judged_by_another(item.raw, source)
        if text is not None:
            wrong += 1
            click.echo(f"{count}: {text}: {pretty(whole_fields(item.raw))}")
    click.echo(f"{count} messages, {wrong} wrong")
    for version, dictionary in judged.items():
        click.echo(f"{version} is judged by the dictionary of {dictionary}")
    return ExitStatus.FAILURE if wrong else ExitStatus.OK


def _judged_by_another(raw: bytes, source: Source) -> dict[str, str]:
    """The message's version and the one whose dictionary it is judged by, where these differ."""
    fields = dict(cut(raw)[0])
    begin = fields.get(b"8", b"").decode("latin-1")
    dictionary = source.dictionary(begin).version
    for tag, name in ((b"1128", "ApplVerID(1128)"), (b"1137", "DefaultApplVerID(1137)")):
        appl_ver_id = fields.get(tag, b"").decode("latin-1")
        if begin == "FIXT.1.1" and appl_ver_id not in ("", FIX_5_0_SP2):
            return {f"{begin} with {name}={appl_ver_id}": dictionary}
    return {} if dictionary == version_of(begin) else {begin: dictionary}


def _fault(raw: bytes, source: Source, validators: dict[Dictionary, Validator], switches: Switches) -> str | None:
    """What is wrong with a message, or None."""
    if text := cut_text(raw):
        return text
    try:
        fields = pairs(raw)
        begin = dict(fields)[b"8"].decode("latin-1")
        msg_type = dict(fields)[b"35"]
    except (GarbledError, KeyError) as error:
        return f"garbled ({error})"
    dictionary = source.dictionary(begin)
    validator = validators.setdefault(dictionary, Validator(dictionary, switches))
    fixt = begin.startswith("FIX.5.0")
    problem = validator.check(msg_type, [(b"8", b"FIXT.1.1"), *fields[1:]] if fixt else fields)
    if problem is not None:
        tag = problem.ref_tag
        where = "" if tag is None else f", {dictionary.field_name(tag) or 'tag'}({tag})"
        return f"{problem.text}{where}, SessionRejectReason(373)={problem.reason}"
    if not is_framed(raw):
        return "BodyLength(9) or CheckSum(10) is wrong"
    return "BeginString(8) of FIX 5.0 is FIXT.1.1" if fixt and switches == STRICT else None


def _show(item: Item, source: Source, lines: bool, as_json: bool) -> None:
    dictionary = source.dictionary(_begin_string(item.raw))
    if as_json:
        click.echo(orjson.dumps(_as_json(item, dictionary)))
        return
    raw, cut_how = whole_fields(item.raw), cut_text(item.raw)
    prefix = f"{item.prefix} " if item.prefix else ""
    mark = f" [{cut_how}]" if cut_how else ""
    if lines:
        head, *rest = pretty_lines(raw, dictionary)
        click.echo("\n".join([f"{prefix}{head}{mark}", *rest]))
    else:
        click.echo(f"{prefix}{pretty(raw, dictionary)}{mark}")


def _as_json(item: Item, dictionary: Dictionary) -> dict[str, Any]:
    try:
        message = Message(whole_fields(item.raw))
    except GarbledError as error:
        return {"prefix": item.prefix, "garbled": str(error)}
    fields = [
        {"tag": field.tag, "name": field.name, "value": field.value, "meaning": field.meaning, "depth": field.depth}
        for field in shown_fields(message, dictionary)
    ]
    return {
        "prefix": item.prefix,
        "message": title(message.msg_type, dictionary),
        "fields": fields,
        "cut": cut_text(item.raw),
    }


def _begin_string(raw: bytes) -> str:
    try:
        return split(raw).get(b"8", b"").decode("latin-1")
    except GarbledError:
        return ""


def _msg_type(raw: bytes) -> str:
    try:
        return split(raw).get(b"35", b"").decode("latin-1")
    except GarbledError:
        return ""


def _matches(word: str, message: Message, fields: list[ShownField], dictionary: Dictionary) -> bool:
    if word.startswith("!"):
        return not _matches(word[1:], message, fields, dictionary)
    name, equals, pattern = word.partition("=")
    if not equals:
        names = (message.msg_type, dictionary.message_name(message.msg_type) or "")
        return any(fnmatch.fnmatchcase(candidate, word) for candidate in names)
    wanted = [field for field in fields if name in (str(field.tag), field.name)]
    return any(
        fnmatch.fnmatchcase(text.lower(), pattern.lower()) for field in wanted for text in (field.value, field.meaning)
    )


@fix.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=int, required=True, help="Port to listen on; 0 takes a free one and says which.")
@click.option("--begin-string", default="FIX.4.4", show_default=True, help="FIX.4.2, FIX.4.4 or FIXT.1.1.")
@click.option("--default-appl-ver-id", help="DefaultApplVerID(1137), for FIXT.1.1; 9 is FIX 5.0 SP2.")
@click.option("--sender", default="ISLD", show_default=True, help="Our SenderCompID(49).")
@click.option("--target", default="TW44", show_default=True, help="The counterparty's SenderCompID(49).")
@click.option("--no-validation", is_flag=True, help="No checks against the dictionary.")
@click.option("--allow", multiple=True, help="A network that may connect, such as 10.0.0.0/8. May be repeated.")
@click.option("--tls-certificate", type=click.Path(exists=True, dir_okay=False), help="PEM chain; switches TLS on.")
@click.option("--tls-key", type=click.Path(exists=True, dir_okay=False), help="PEM key of the certificate.")
@click.option("--tls-client-ca", type=click.Path(exists=True, dir_okay=False), help="Ask for client certificates.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but the port.")
def echo(
    host: str,
    port: int,
    begin_string: str,
    default_appl_ver_id: str | None,
    sender: str,
    target: str,
    no_validation: bool,
    allow: tuple[str, ...],
    tls_certificate: str | None,
    tls_key: str | None,
    tls_client_ca: str | None,
    quiet: bool,
) -> None:
    """An acceptor for testing any counterparty.

    Every Logon(A) starts at 1. NewOrderSingle(D) and SecurityDefinition(d) come back as received, anything else of the
    application is answered with BusinessMessageReject(j). Ends on SIGTERM or SIGINT.
    """
    settings = _echo_settings(begin_string, default_appl_ver_id, sender, target, not no_validation)
    tls = _server_tls(tls_certificate, tls_key, tls_client_ca)
    try:
        allows = allow_list(allow)
        listener = socket.create_server((host, port))
    except ValueError as error:
        raise CommandError(f"--allow: {error}", ExitStatus.USAGE) from error
    except OSError as error:
        raise CommandError(f"cannot listen on {host}:{port}: {error}; choose another --port") from error
    server = EchoServer(settings, listener, (lambda _: None) if quiet else click.echo, tls, allows)
    click.echo(f"listening on {host}:{server.port}")
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _: stopped.append(got))
    server.run(lambda: bool(stopped))


def _echo_settings(begin: str, appl_ver_id: str | None, sender: str, target: str, validate: bool) -> SessionSettings:
    if begin == "FIXT.1.1" and appl_ver_id is None:
        raise click.UsageError("FIXT.1.1 needs --default-appl-ver-id; 9 is FIX 5.0 SP2")
    if appl_ver_id is not None and appl_ver_id not in APPL_VER_IDS:
        raise click.UsageError(f"--default-appl-ver-id {appl_ver_id}: there are {', '.join(APPL_VER_IDS)}")
    if begin not in ("FIX.4.2", "FIX.4.4", "FIXT.1.1"):
        raise click.UsageError(f"--begin-string {begin}: there are FIX.4.2, FIX.4.4 and FIXT.1.1")
    return SessionSettings(
        sender_comp_id=sender,
        target_comp_id=target,
        initiator=False,
        begin_string=begin,
        default_appl_ver_id=appl_ver_id,
        reset_on_logon=True,
        validate=Validator(dictionary_for(begin)) if validate else None,
    )


def _server_tls(certificate: str | None, key: str | None, client_ca: str | None) -> ssl.SSLContext | None:
    if certificate is None:
        if key or client_ca:
            raise click.UsageError("--tls-key and --tls-client-ca need --tls-certificate")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
        if client_ca is not None:
            context.load_verify_locations(client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise CommandError(f"TLS: {error}; certificate, key and CA are PEM files that belong together") from error
    return context
