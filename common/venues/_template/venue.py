"""The template: its facts, and where its parts are. README.md beside this file has the sources and the oddities."""

from common.venues.venue import CredentialKind, Feature, VenueProfile

PROFILE = VenueProfile(
    title="Template",
    dialect="common.venues._template.dialect:Template",
    simulated="common.venues._template.simulated:open_side",
    fields="common.venues._template.fields:ADDITIONS",
    credentials=(CredentialKind.PASSWORD,),
    lacks=frozenset({Feature.POST_ONLY, Feature.FILL_OR_KILL, Feature.LIMIT_QUERY, Feature.UNKNOWN_OUTCOME}),
    key_tags=frozenset({553}),
    trade_keys_are_exec_ids=True,
)
