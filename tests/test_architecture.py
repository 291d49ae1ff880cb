"""How the code is laid out: who imports whom, and what no module may do. See docs and design for the why."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import kernelway

ROOT = Path(kernelway.__file__).parent

FLOORS = {
    # What each part may import of the others. A new folder or module is to be put in its place here.
    "protocol": set[str](),
    "source": set[str](),
    "settings": {"protocol"},
    "logs": {"settings", "protocol"},
    "transport": {"protocol"},
    "host": {"protocol", "transport"},
    "client": {"protocol", "transport"},
    "gateway": {"protocol", "transport", "host", "client", "settings", "logs"},
    "bridge": {"protocol", "transport", "client", "settings", "logs"},
    "jupyter": {"protocol", "transport", "client", "settings", "logs"},
    "cli": {
        *("protocol", "transport", "host", "client", "gateway", "settings", "logs", "source"),
        *("bridge", "jupyter"),
    },
    "__main__": {"cli"},
    "__init__": set[str](),
}

THE_PACKAGE = "__version__"
"""Everybody may import the package itself: it holds the version, and nothing else."""

LONGEST_FILE = 500
LONGEST_FUNCTION = 60
MOST_METHODS = 25

ONLY_IN = {
    # Libraries that are the business of some parts alone.
    "zmq": {"transport", "host", "bridge"},
    "jupyter_client": {"host", "bridge", "jupyter"},
    "ipykernel": set[str](),
    "traitlets": {"jupyter"},
    "tornado": {"jupyter"},
    "jupyter_server": {"jupyter"},
    "jupyterlab": {"jupyter"},
    "pygls": set[str](),
    "aiohttp.web": {"gateway", "transport"},
    "uvloop": {"transport"},
    "argparse": {"cli"},
    "keyring": {"client"},
}

ADAPTERS = {
    # What has to do with jupyter_server and its libraries; the rest of jupyter/ is ordinary objects.
    *("enabling", "extension", "handler_socket", "http_errors", "kernels", "kernelspecs"),
    *("logos", "notifying", "sessions", "upstream", "upstream_websocket", "websocket"),
}

JUPYTERS = ("jupyter_server", "jupyter_client", "jupyter_core", "jupyter_events", "traitlets", "tornado")

IN_KERNELS = {"host/fork_server_process.py", "host/in_kernel.py"}
"""What runs in processes of the kernels' own, with their Python: it sees to their environment and modules."""

POSIX_ONLY = {
    "fcntl",
    "pwd",
    "grp",
    "termios",
    "tty",
    "pty",
    "resource",
    "syslog",
    "curses",
    "readline",
    "uvloop",
}

ON_WINDOWS = {"client", "protocol", "transport", "source", "settings"}

MUTABLE = {"list", "dict", "set", "bytearray", "deque", "defaultdict", "Counter", "OrderedDict", "WeakSet"}
MUTABLE |= {"WeakValueDictionary", "WeakKeyDictionary", "ContextVar", "Lock", "Event", "local", "count"}

CHANGING = {
    *("append", "extend", "insert", "remove", "pop", "popitem", "clear", "sort", "reverse", "add", "discard"),
    *("update", "setdefault", "appendleft", "popleft", "difference_update", "intersection_update"),
}


@dataclass(frozen=True)
class Import:
    """One import: the module's dotted name, and whether importing the importer needs it."""

    module: str
    line: int
    at_once: bool


@dataclass(frozen=True)
class Module:
    path: Path
    text: str

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def part(self) -> str:
        """The folder below the package, or the module's own name."""
        return self.path.relative_to(ROOT).parts[0].removesuffix(".py")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def imports(self) -> list[Import]:
        return list(_imports(self.tree, at_once=True))


def _imports(node: ast.AST, *, at_once: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Import(names=names):
                yield from (Import(alias.name, child.lineno, at_once) for alias in names)
            case ast.ImportFrom(module=module, names=names):
                # A module may be imported from its package; the name of an object does no harm here.
                yield from (Import(f"{module}.{alias.name}", child.lineno, at_once) for alias in names)
            case ast.If(body=body, orelse=otherwise, test=test):
                runs = _runs_on_windows(test)
                for statements, here in ((body, runs is not False), (otherwise, runs is not True)):
                    yield from _imports(ast.Module(statements, []), at_once=at_once and here)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                yield from _imports(child, at_once=False)
            case ast.Try(handlers=handlers) if any(_catches_import_error(each) for each in handlers):
                yield from _imports(child, at_once=False)
            case _:
                yield from _imports(child, at_once=at_once)


def _runs_on_windows(test: ast.expr) -> bool | None:
    """Whether what this decides over runs there; None where it may or may not."""
    known = {"TYPE_CHECKING": False, "sys.platform == 'win32'": True, "sys.platform != 'win32'": False}
    return known.get(ast.unparse(test))


def _catches_import_error(handler: ast.ExceptHandler) -> bool:
    return handler.type is not None and ast.unparse(handler.type) in ("ImportError", "ModuleNotFoundError")


MODULES = [Module(path, path.read_text(encoding="utf-8")) for path in sorted(ROOT.rglob("*.py"))]


def belongs(whole: str, part: str) -> bool:
    return whole == part or whole.startswith(part + ".")


def test_every_part_has_its_floor() -> None:
    assert {module.part for module in MODULES} <= FLOORS.keys()


def test_no_two_parts_import_each_other() -> None:
    both_ways = [(one, other) for one in FLOORS for other in FLOORS[one] if one in FLOORS[other]]
    assert both_ways == []


def test_imports_go_one_way() -> None:
    faults = []
    for module in MODULES:
        allowed = {*FLOORS[module.part], module.part, "__version__"}
        for each in module.imports:
            inside = [*each.module.split("."), THE_PACKAGE][1]
            if each.module.startswith("None.") or (
                belongs(each.module, "kernelway") and inside not in allowed
            ):
                faults.append(f"{module.name}:{each.line} imports {each.module}")
    assert faults == []


def test_a_library_is_imported_only_by_those_whose_business_it_is() -> None:
    faults = [
        f"{module.name}:{each.line} imports {each.module}"
        for module in MODULES
        for each in module.imports
        for library, parts in ONLY_IN.items()
        if belongs(each.module, library) and module.part not in parts and module.name not in IN_KERNELS
    ]
    assert faults == []


def test_what_is_remote_knows_no_notebook_server() -> None:
    own = {f"kernelway.jupyter.{name}" for name in ADAPTERS}
    faults = [
        f"{module.name}:{each.line} imports {each.module}"
        for module in MODULES
        if module.part == "jupyter" and module.path.stem not in {*ADAPTERS, "__init__"}
        for each in module.imports
        if any(belongs(each.module, library) for library in (*JUPYTERS, *own))
    ]
    assert faults == []


def test_the_environment_is_read_by_the_settings_alone() -> None:
    faults = [
        f"{module.name}:{node.lineno} reads the environment"
        for module in MODULES
        if module.part != "settings" and module.name not in IN_KERNELS
        for node in ast.walk(module.tree)
        if _reads_environment(node)
    ]
    assert faults == []


def _reads_environment(node: ast.AST) -> bool:
    readers = ("environ", "environb", "getenv", "getenvb", "putenv", "unsetenv", "expandvars")
    match node:
        case ast.Attribute(value=ast.Name(id="os"), attr=attribute):
            return attribute in readers
        case ast.Attribute(attr="expandvars"):
            return True
        case ast.ImportFrom(module="os" | "os.path", names=names):
            return any(alias.name in readers for alias in names)
    return False


def test_what_clients_need_can_be_imported_on_windows() -> None:
    faults = [
        f"{module.name}:{each.line} imports {each.module}"
        for module in MODULES
        if module.part in ON_WINDOWS
        for each in module.imports
        if each.at_once and each.module.split(".")[0] in POSIX_ONLY
    ]
    assert faults == []


def test_deadlines_hold_in_cleanups_too() -> None:
    """See transport/deadlines.py; ``host/kernel.py`` has the one deadline that is moved."""
    allowed = {"transport/deadlines.py", "host/kernel.py", *IN_KERNELS}
    assert [
        module.name for module in MODULES if "asyncio.timeout(" in module.text and module.name not in allowed
    ] == []


def test_no_module_holds_state() -> None:
    """A mutable constant is in capitals, never empty, and nobody changes it; there are no globals."""
    assert [fault for module in MODULES for fault in _state_in(module)] == []


def _state_in(module: Module) -> Iterator[str]:
    constants = set()
    for node in module.tree.body:
        for name, value in _assigned(node):
            constants.add(name)
            if _is_mutable(value) and not (name.isupper() and _is_filled(value)) and name != "__all__":
                # What is empty at first is there to be filled later.
                yield f"{module.name}:{node.lineno}: {name} is no constant"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Global):
            yield f"{module.name}:{node.lineno} changes a global"
        elif node not in module.tree.body:
            # At the top level a constant may be made in more steps than one.
            yield from (f"{module.name}:{node.lineno} changes {name}" for name in _changed(node) & constants)


def _assigned(node: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    match node:
        case ast.Assign(targets=targets, value=value):
            yield from ((target.id, value) for target in targets if isinstance(target, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            yield name, value


def _is_mutable(value: ast.expr) -> bool:
    match value:
        case ast.List() | ast.Dict() | ast.Set() | ast.ListComp() | ast.DictComp() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in MUTABLE
    return False


def _is_filled(value: ast.expr) -> bool:
    match value:
        case ast.List(elts=items) | ast.Set(elts=items) | ast.Dict(values=items) | ast.Call(args=items):
            return bool(items)
    return True


def _changed(node: ast.AST) -> set[str]:
    """The names whose values a statement or call changes in place."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)) if method in CHANGING:
            return {name}
        case ast.AugAssign(target=ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name))):
            return {name}
        case ast.Assign(targets=targets) | ast.Delete(targets=targets):
            return {
                target.value.id
                for target in targets
                if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name)
            }
    return set()


def test_nothing_is_cached_for_the_whole_process() -> None:
    faults = [
        f"{module.name}:{decorator.lineno} keeps what it was asked"
        for module in MODULES
        for node in ast.walk(module.tree)
        for decorator in getattr(node, "decorator_list", ())
        if ast.unparse(decorator).split("(")[0].split(".")[-1] in ("cache", "lru_cache")
    ]
    assert faults == []


def test_files_and_functions_are_short() -> None:
    faults = []
    for module in MODULES:
        if len(module.text.splitlines()) > LONGEST_FILE:
            faults.append(module.name)
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    faults.append(f"{module.name}:{node.lineno} {node.name}: {length} lines")
    assert faults == []


def test_classes_have_few_methods() -> None:
    faults = []
    for module in MODULES:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                methods = [
                    each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
                ]
                if len(methods) > MOST_METHODS:
                    faults.append(f"{module.name}:{node.lineno} {node.name}: {len(methods)} methods")
    assert faults == []


SERVERS_OWN = ("zmq", "jupyter_client", "IPython", "tornado", "uvloop", "aiohttp.web_app", "kernelway.host")


def test_a_client_loads_nothing_of_a_server() -> None:
    code = (
        "import sys, kernelway.client, kernelway.source, kernelway.settings, kernelway.transport.folders;"
        f"print(*[name for name in {SERVERS_OWN} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == []


# The rules above find what they are there to find.

BROKEN = """
import os, zmq, functools
import kernelway.gateway.access
from kernelway.host import host
if sys.platform == "win32":
    import msvcrt
else:
    import fcntl
import pwd
def later():
    import termios
    global count
    KNOWN.append(os.environ["X"])
registry = {}
EMPTY = []
KNOWN = [1]
KNOWN += [2]
@functools.lru_cache(maxsize=None)
def kept(): ...
"""


def test_the_rules_find_what_they_are_for() -> None:
    broken = Module(ROOT / "client" / "broken.py", BROKEN)
    at_once = {each.module for each in broken.imports if each.at_once}
    assert {"msvcrt", "pwd", "zmq", "kernelway.host.host", "kernelway.gateway.access"} <= at_once
    assert not {"fcntl", "termios"} & at_once
    assert {"fcntl", "termios"} <= {each.module for each in broken.imports}
    assert list(_state_in(broken)) == [
        "client/broken.py:14: registry is no constant",
        "client/broken.py:15: EMPTY is no constant",
        "client/broken.py:12 changes a global",
        "client/broken.py:13 changes KNOWN",
    ]
    assert sum(_reads_environment(node) for node in ast.walk(broken.tree)) == 1
