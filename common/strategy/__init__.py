"""The strategies' side of the order entry link: its protocol without I/O, a plain client, and a class to
derive from.
"""
