"""Reading a journal for people: records in words, selections, an order's story, replay, figures."""
