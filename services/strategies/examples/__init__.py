"""Small strategies to begin with, each with one idea, in the order in which to read them.

Each runs as it is: `fixring trial` tries one without the stack, and docs/strategies.md says how to have the stack run
it.
"""
