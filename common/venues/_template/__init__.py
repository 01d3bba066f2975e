"""The least venue that passes the conformance suite: what a new one is copied from. docs/venues.md has the steps."""
