"""The whole system in one process under a seeded adversary: what it is made of is told in docs/proof.md."""
