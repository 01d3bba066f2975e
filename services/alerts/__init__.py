"""The actor `alerts`: it asks every process how it is, serves that as metrics, and tells people what is wrong."""
