"""Whom the kill switch is told to, and so who is told to resume."""

from collections.abc import Iterable

from common.config import ConfiguredAccount


def actors_to_kill(accounts: Iterable[ConfiguredAccount], *, with_risk: bool) -> list[str]:
    """Sessions and accounts first: they cancel. Risk only refuses earlier than they would, and whatever account."""
    told = list(accounts)
    sessions = [f"session@{session.name}" for account in told for session in account.sessions]
    over_rest = [f"account@{account.name}" for account in told if account.venue.rest is not None]
    bridges = [f"bridge@{account.venue.name}" for account in told if account.venue.bridge is not None]
    return [*sessions, *over_rest, *bridges, *(["risk"] if with_risk else [])]
