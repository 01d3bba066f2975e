"""Imports run downwards only, cores import nothing that reads a clock or touches the world, and the tree stays tidy.

The floors, from the ground up: `common.fix` and `common.journal` know nothing above them; what else is in `common` is
what every process shares; a service never imports another (they meet in messages); scripts may import anything but
tests.
"""

import ast
import importlib
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from common.config import CHECKOUT
from common.fix.dictionary import Dictionary
from common.venues.registry import find_profile

PACKAGES = ("common", "services", "scripts")
WORLD = {
    "socket",
    "select",
    "selectors",
    "time",
    "os",
    "zmq",
    "random",
    "secrets",
    "threading",
    "subprocess",
    "asyncio",
}
# A seeded generator of one's own gives the same numbers for the same inputs; the module's functions do not.
HARMLESS = ("os.path", "random.Random")
# A venue's REST side blocks, in a worker thread: it paces itself by the clock.
BLOCKING = re.compile(r"common/venues/(families/)?\w+/rest\.py")
# Ports to the disk: their real implementations are the only places of their libraries that touch the system.
DISK_PORTS = ("common/journal/files.py", "common/orders/index_file.py")
# Named by a core for a type alone: what it does is done by whoever starts the core.
TYPES_ONLY = ("common/actor/process.py", "common/config.py")
PURE = (
    "common/fix",
    "common/journal",
    "common/instant.py",
    "common/messages.py",
    "common/restrictions.py",
    "common/orders",
    "common/exchange",
    "common/venues",
    "common/actor/core.py",
    "common/actor/links.py",
)
VENUES = sorted(file.parent.name for file in (CHECKOUT / "common/venues").glob("*/venue.py"))
FAMILIES = sorted(file.parent.name for file in (CHECKOUT / "common/venues/families").glob("*/__init__.py"))
SIMULATED = tuple(f"common/venues/{venue}/simulated/" for venue in VENUES)
# Measured, and worth their memory to one process each.
ONLY_IN = {
    "ccxt": (),  # a venue's rest.py enters it through common.venues.ccxt_parts, without running the whole of it
    "h11": (
        "common/exchange/", "services/alerts/page.py", "services/bridge/", *SIMULATED, "tests/",
        "scripts/simulation/rest.py",
    ),
    "wsproto": ("common/exchange/", "services/bridge/", "tests/"),
    "quickfix": ("scripts/cli/",),
}


class Import(NamedTuple):
    """One import statement's module, with where it stands."""

    file: str
    line: int
    module: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.module}"


def python_files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        path = CHECKOUT / folder
        yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def name_of(file: Path) -> str:
    return file.relative_to(CHECKOUT).as_posix()


def imports_of(file: Path) -> Iterator[Import]:
    """Every import of the file, in functions and TYPE_CHECKING blocks too."""
    for node in ast.walk(ast.parse(file.read_bytes(), str(file))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(name_of(file), node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(file)}:{node.lineno}: a relative import; write the module's whole name"
            assert node.module is not None
            for alias in node.names:
                yield Import(name_of(file), node.lineno, f"{node.module}.{alias.name}")


@pytest.fixture(scope="module")
def imports() -> list[Import]:
    """Every import of the project's own code."""
    return [found for file in python_files(*PACKAGES) for found in imports_of(file)]


def touches_the_world(i: Import) -> bool:
    return i.module.split(".")[0] in WORLD and not any(within(i.module, harmless) for harmless in HARMLESS)


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def test_common_imports_neither_services_nor_scripts(imports: list[Import]) -> None:
    found = [i for i in imports if i.file.startswith("common/") and i.module.split(".")[0] in ("services", "scripts")]
    assert not found, "\n".join(map(str, found))


@pytest.mark.parametrize("library", ["fix", "journal"])
def test_the_libraries_know_nothing_of_this_stack(imports: list[Import], library: str) -> None:
    allowed = (f"common.{library}", "common.instant")
    found = [
        i
        for i in imports
        if i.file.startswith(f"common/{library}/")
        and within(i.module, "common")
        and not any(within(i.module, a) for a in allowed)
    ]
    assert not found, "\n".join(map(str, found))


def test_a_service_never_imports_another_nor_a_script(imports: list[Import]) -> None:
    found = []
    for i in imports:
        if not i.file.startswith("services/"):
            continue
        own = i.file.split("/")[1].removesuffix(".py")
        parts = i.module.split(".")
        if parts[0] == "scripts" or (parts[0] == "services" and len(parts) > 1 and parts[1] != own):
            found.append(i)
    assert not found, "\n".join(map(str, found))


def test_no_code_imports_the_tests(imports: list[Import]) -> None:
    assert not [str(i) for i in imports if within(i.module, "tests")]


def test_cores_and_the_pure_parts_touch_nothing_of_the_world(imports: list[Import]) -> None:
    cores = {name_of(file) for file in python_files("services") if file.name == "core.py"}
    pure = cores | {name_of(file) for file in python_files(*PURE)}
    found = [
        i
        for i in imports
        if i.file in pure and i.file not in DISK_PORTS and not BLOCKING.fullmatch(i.file) and touches_the_world(i)
    ]
    assert not found, "\n".join(map(str, found))


def test_no_core_reaches_the_world_through_what_it_imports(imports: list[Import]) -> None:
    """What a core or a pure part imports of its own service and of all of `common` must be as pure as itself."""
    by_file: dict[str, list[Import]] = {}
    for i in imports:
        if i.line not in for_types_only(i.file):
            by_file.setdefault(i.file, []).append(i)
    cores = {name_of(file) for file in python_files("services") if file.name == "core.py"}
    for core in cores | {name_of(file) for file in python_files(*PURE)}:
        seen, todo = set(), [core]
        while todo:
            file = todo.pop()
            if file in seen or file in (*DISK_PORTS, *TYPES_ONLY) or BLOCKING.fullmatch(file):
                continue
            seen.add(file)
            for i in by_file.get(file, []):
                assert not touches_the_world(i), f"{core} reaches {i}"
                own = f"{Path(core).parent.as_posix()}/"
                todo += [f for f in files_of(i.module) if f.startswith((own, "common/"))]


@cache
def for_types_only(file: str) -> frozenset[int]:
    """The lines of a file that stand under `if TYPE_CHECKING`: nothing of them runs."""
    lines: set[int] = set()
    for node in ast.walk(ast.parse((CHECKOUT / file).read_bytes())):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            lines |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return frozenset(lines)


@cache
def files_of(module: str) -> list[str]:
    """The project's files that importing `module` (perhaps a name in one) runs."""
    parts = module.split(".")
    candidates = [Path(*parts[:n]) for n in range(1, len(parts) + 1)]
    names = [f"{c}.py" for c in candidates] + [f"{c}/__init__.py" for c in candidates]
    return [n for n in names if (CHECKOUT / n).is_file()]


@pytest.mark.parametrize("package", sorted(ONLY_IN))
def test_costly_packages_are_imported_only_where_they_earn_it(imports: list[Import], package: str) -> None:
    found = [i for i in imports if within(i.module, package) and not i.file.startswith(ONLY_IN[package])]
    assert not found, "\n".join(map(str, found))


# ---- a venue is its folder


def venue_of(name: str) -> str:
    """The venue whose folder a file or a module is in, "" for none."""
    parts = re.split(r"[./]", name)
    return parts[2] if parts[:2] == ["common", "venues"] and len(parts) > 2 and parts[2] in VENUES else ""


def family_of(name: str) -> str:
    """The family of venues whose folder a file or a module is in, "" for none."""
    parts = re.split(r"[./]", name)
    return parts[3] if parts[:3] == ["common", "venues", "families"] and len(parts) > 3 and parts[3] in FAMILIES else ""


def test_nobody_imports_a_venue_by_its_name_but_the_venue_itself(imports: list[Import]) -> None:
    """All others find what they need of it by the registry, which loads nothing else."""
    found = [
        i
        for i in imports
        if venue_of(i.module) and venue_of(i.module) != venue_of(i.file) and i.file not in PLAYS_A_VENUE
    ]
    assert not found, "\n".join(map(str, found))


def test_what_a_family_of_venues_has_in_common_is_imported_by_its_venues_alone(imports: list[Import]) -> None:
    """A family goes by the name that all of its venues begin with."""
    found = [
        i
        for i in imports
        if (family := family_of(i.module)) and family_of(i.file) != family and not venue_of(i.file).startswith(family)
    ]
    assert not found, "\n".join(map(str, found))


def test_a_family_s_folder_has_nothing_that_one_venue_alone_uses(imports: list[Import]) -> None:
    """That belongs into the venue's own folder."""
    folders = [CHECKOUT / "common/venues/families" / family for family in FAMILIES]
    for file in (file for folder in folders for file in folder.rglob("*.py") if file.name != "__init__.py"):
        users = {venue_of(i.file) for i in imports if venue_of(i.file) and name_of(file) in files_of(i.module)}
        inside = [i for i in imports if family_of(i.file) and name_of(file) in files_of(i.module)]
        assert len(users) > 1 or (inside and not users), f"{name_of(file)} is used by {sorted(users) or 'nobody'}"


PLAYS_A_VENUE = {"scripts/simulation/rest.py"}
"""It answers a REST side's calls from the fake network, as CCXT would."""

BRIDGED_REST = "common/venues/bridged_rest.py"
"""What the REST sides of venues behind a bridge are made of; they alone may use it."""


def test_the_two_readings_of_a_venue_s_document_know_nothing_of_each_other(imports: list[Import]) -> None:
    simulated = re.compile(r"common[./]venues[./](families[./])?\w+[./]simulated\b")
    ours = re.compile(r"common[./]venues[./](families[./])?\w+[./](backend|dialect|fields|rest)\b")
    found = [
        i
        for i in imports
        if (simulated.match(i.file) and ours.match(i.module)) or (ours.match(i.file) and simulated.match(i.module))
    ]
    assert not found, "\n".join(map(str, found))


def test_a_venue_s_profile_imports_no_part_of_it(imports: list[Import]) -> None:
    profile = re.compile(r"common/venues/\w+/venue\.py")
    found = [i for i in imports if profile.fullmatch(i.file) and (venue_of(i.module) or family_of(i.module))]
    assert not found, "\n".join(map(str, found))


def test_ccxt_is_entered_by_a_venue_s_rest_side_alone(imports: list[Import]) -> None:
    found = [
        i
        for i in imports
        if within(i.module, "common.venues.ccxt_parts")
        and not BLOCKING.fullmatch(i.file)
        and i.file not in PLAYS_A_VENUE
        and i.file != BRIDGED_REST
    ]
    assert not found, "\n".join(map(str, found))
    entered = [i for i in imports if within(i.module, "common.venues.bridged_rest") and not BLOCKING.fullmatch(i.file)]
    assert not entered, "\n".join(map(str, entered))


@pytest.mark.parametrize("library", ["orders", "exchange"])
def test_the_libraries_below_the_venues_import_no_venue_s_part(imports: list[Import], library: str) -> None:
    found = [i for i in imports if i.file.startswith(f"common/{library}/") and within(i.module, "common.venues")]
    assert not found, "\n".join(map(str, found))


NAMES_VENUES = re.compile(
    r"scripts/(bench|fuzz|simulation|torture)/.*|scripts/stack\.py|scripts/journal/bench\.py"
    r"|services/strategies/examples/.*|common/venues/registry\.py"
)
"""What runs the shipped stack, or shows how: there its venues have the names of their files in configs/. And the
registry's errors, which name what there is."""

OF_MANY_VENUES = {"scripts/cli/fix_orders.py", "common/older_records.py"}
"""The one reads the logs of any FIX engine, so it knows message types of several; the other has what was left out of
records that were written before a session said in them what its message does.
"""


def words_of_code(file: Path) -> Iterator[tuple[int, str]]:
    """Every name and every text of a file's code, with its line; docstrings and comments, which explain, are none."""
    tree = ast.parse(file.read_bytes())
    told = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in told and isinstance(node.value, str | bytes):
            text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
            yield node.lineno, text
        elif isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.Attribute):
            yield node.lineno, node.attr


def own_message_types() -> set[str]:
    """The message types that no version of FIX has, of all venues."""
    found: set[str] = set()
    dictionary = Dictionary.load("FIX50SP2")
    for venue in VENUES:
        text = find_profile(venue).fields
        if text:
            module, _, name = text.partition(":")
            found |= set(getattr(importlib.import_module(module), name).get("messages", {}))
    return {msg_type for msg_type in found if dictionary.message_name(msg_type) is None}


def is_shared(file: Path) -> bool:
    """Whether it is the code of all venues, not that of one or of a family."""
    return not venue_of(name_of(file)) and not family_of(name_of(file))


def outside_of_venues() -> Iterator[Path]:
    """The code that is no venue's."""
    return (file for file in python_files(*PACKAGES) if is_shared(file))


def test_shared_code_names_no_venue() -> None:
    names = re.compile(rf"(?i)(?<![a-z])({'|'.join(venue for venue in VENUES if not venue.startswith('_'))})(?![a-z])")
    found = [
        f"{name_of(file)}:{line}: {text[:80]!r}"
        for file in outside_of_venues()
        if not NAMES_VENUES.fullmatch(name_of(file))
        for line, text in words_of_code(file)
        if names.search(text)
    ]
    assert not found, "\n".join(found)


def test_shared_code_has_no_message_type_of_a_venue() -> None:
    own = own_message_types()
    found = [
        f"{name_of(file)}:{line}: {text}"
        for file in outside_of_venues()
        if name_of(file) not in OF_MANY_VENUES and not name_of(file).startswith("scripts/simulation/")
        for line, text in words_of_code(file)
        if text in own
    ]
    assert not found, "\n".join(found)


def test_shared_code_has_no_error_code_of_a_venue() -> None:
    """FIX's own reasons are small; the codes of venues are not, and mean something at one of them only."""
    code = re.compile(r"(?<![\w)\]])(?<!PRAGMA cache_size = )-[1-9][0-9]{3}\b")
    found = [
        f"{name_of(file)}:{number}: {line.strip()[:80]}"
        for file in outside_of_venues()
        if not name_of(file).startswith("scripts/")
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        if code.search(line)
    ]
    assert not found, "\n".join(found)


EXAMPLES = {"common/venues/registry.py", "common/strategy/client.py", "common/strategy/signals.py"}
"""Where a sentence shows how to call it, with a venue of the shipped stack."""


def test_what_is_said_in_common_is_said_of_every_venue() -> None:
    """In comments and docstrings too, but for a venue whose name is an English word."""
    names = re.compile(rf"(?i)\b({'|'.join(venue for venue in VENUES if venue not in ('generic', '_template'))})\b")
    found = [
        f"{name_of(file)}: {match[0]}"
        for file in python_files("common")
        if is_shared(file) and name_of(file) not in EXAMPLES
        for match in names.finditer(file.read_text("utf-8"))
    ]
    assert not found, "\n".join(found)


DECIDE_BY_WORDS = (
    "common/orders/", "common/venues/", "common/exchange/", "services/bridge/", "scripts/simulation/", "scripts/fuzz/",
    "scripts/torture/", "scripts/bench/", "scripts/docs/",
)  # fmt: skip
"""Who may compare ExecType(150) or OrdStatus(39) with a literal: the fold, whoever reads or writes a venue's FIX (a
bridge is a venue's side of it), the checkers, which are a second opinion, and what makes journals and pages of all
words."""

WORDS_OF_ORDERS = frozenset({"exec_type", "ord_status"})


def literal_decisions(tree: ast.Module) -> Iterator[int]:
    """The lines at which ExecType(150) or OrdStatus(39) is compared with a text, or with a name that stands for texts
    of this very file."""
    texts = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        if any(isinstance(part, ast.Constant) and isinstance(part.value, str) for part in ast.walk(node.value))
        for target in ast.walk(node)
        if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Store)
    }
    for node in ast.walk(tree):
        others: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            subject, others = node.left, [*node.comparators]
        elif isinstance(node, ast.Match):
            subject, others = node.subject, [case.pattern for case in node.cases]
        else:
            continue
        name = getattr(subject, "attr", getattr(subject, "id", ""))
        parts = [part for other in others for part in ast.walk(other)]
        if name in WORDS_OF_ORDERS and any(
            (isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value)
            or (isinstance(part, ast.Name) and part.id in texts)
            for part in parts
        ):
            yield subject.lineno


def test_what_a_report_s_words_mean_is_decided_in_one_place() -> None:
    """`common.orders.words` answers it for all others."""
    found = [
        f"{name_of(file)}:{line}"
        for file in python_files("common", "services", "scripts")
        if not name_of(file).startswith(DECIDE_BY_WORDS)
        for line in literal_decisions(ast.parse(file.read_bytes(), str(file)))
    ]
    assert not found, "\n".join(found)
    assert list(literal_decisions(ast.parse('ENDS = "4C"\nif report.exec_type in ENDS or a.ord_status == "8": pass')))


def test_no_floats_for_money() -> None:
    """`float(` on anything is money's enemy in what folds, decides or encodes orders."""
    for file in python_files("common", "services/risk", "services/orders"):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float":
                pytest.fail(f"{name_of(file)}:{node.lineno}: float(): prices and quantities are Decimal")


def test_every_module_says_what_it_is() -> None:
    silent = [
        name_of(f)
        for f in python_files(*PACKAGES, "tests")
        if f.read_bytes().strip() and ast.get_docstring(ast.parse(f.read_bytes())) is None
    ]
    assert not silent


def test_nothing_is_left_open_and_no_machine_is_named() -> None:
    """No open end and no path or registry of a developer's machine in what git keeps."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.fail("this is no git checkout: the test needs the list of the project's files")
    # Spelt in pieces, so that this file does not find itself.
    open_ends = re.compile(
        "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "NotImplemented" + "Error", r"mark\.skip", r"mark\.xfail"])
    )
    machine = re.compile(r"(^|[^A-Za-z0-9_./-])/(wo" + "rk|fa" + r"rm|ro" + r"ot)/|py" + "pi.org|find-" + "links =")
    found = []
    for name in filter(None, listed.stdout.decode().split("\0")):
        path = CHECKOUT / name
        if not path.is_file() or name.endswith(".lock"):
            continue
        text = path.read_bytes().decode("utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if machine.search(line) or (name.endswith(".py") and open_ends.search(line)):
                found.append(f"{name}:{number}: {line.strip()[:100]}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-test.lock"])
def test_the_locks_hold_names_versions_and_hashes_only(lock: str) -> None:
    for line in (CHECKOUT / lock).read_text().splitlines():
        assert re.fullmatch(r"[a-z0-9.-]+==\S+( ;.*)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?", line), line


def test_a_class_has_a_name_of_its_own_among_the_books_of_orders_and_the_processes_of_the_ring() -> None:
    places: dict[str, list[str]] = {}
    rooms = ("common/messages.py", "common/orders", "services/orders", "services/risk", "services/session")
    for file in python_files(*rooms):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(f"{name_of(file)}:{node.lineno}")
    assert not {name: where for name, where in places.items() if len(where) > 1}
