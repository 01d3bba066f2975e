"""The pages of docs/ that are made from the code: what a Struct or a class says of itself stands there once."""
