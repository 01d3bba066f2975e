"""FIX as a library: wire, dictionary, validation, session, schedule, text. It knows nothing of the stack that uses
it."""
