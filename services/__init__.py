"""One folder per actor of the ring; they meet in `common.messages` and never import one another."""

import gc
import sys

# While `python -m services.X` looks for X: a process of the stack that starts. All that it loads it keeps, so to
# collect finds nothing and takes a tenth of the time; collection begins with the process's own work.
if sys.argv[0] == "-m":
    gc.disable()
