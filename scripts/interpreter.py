"""Which Python runs this, and whether it was built to be fast: half of what an order costs is the interpreter.

Set-up runs this file with each Python that it finds, so it needs none of the project's packages.
"""

import importlib.util
import platform
import sys
import sysconfig


def is_optimised() -> bool:
    """Whether the interpreter was built with profile-guided optimisation, which makes it 1.1 to 1.5 times as fast.

    Python's documentation, "Configure Python", on `--enable-optimizations`. Debian's packages, known by their folder of
    wheels, call the build's own target `profile-opt` instead.
    """
    arguments = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    return "--enable-optimizations" in arguments or "--with-wheel-pkg-dir=/usr/share/python-wheels" in arguments


def interpreter() -> str:
    """The interpreter in a few words, for the head line of every benchmark."""
    built = "with" if is_optimised() else "without"
    return f"{platform.python_implementation()} {platform.python_version()}, built {built} PGO"


def fitness() -> str:
    """What set-up chooses by: "optimised", "plain", "bare" (cannot make a virtual environment), or "" for too old."""
    if sys.version_info < (3, 11):  # noqa: UP036 -- older ones are asked too, and say so
        return ""
    if importlib.util.find_spec("ensurepip") is None:
        return "bare"
    return "optimised" if is_optimised() else "plain"


if __name__ == "__main__":
    print(fitness())
