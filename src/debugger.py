"""Commands for the tasks, sockets and timers of async-io, in gdb and in lldb.

    info async [OPTIONS]    the tasks and what they wait for; the options of `ticks who` (lldb: async info)
    async bt N              task N: its state, what it waits for, and where
    async source FD         descriptor FD: what was seen of it, and who waits for it

The tool `ticks` reads the process or the core dump that is open here. It is found by $TICKS, or in PATH. Where it is
not, or cannot read what is open, this script follows the tables that async-io publishes, and tells less.
"""

import json
import os
import re
import shlex
import shutil
import struct
import subprocess

# The words of the tables, in their order: ticks_format::published.
REACTOR = 1
EXECUTOR = 2
WORDS = {
    REACTOR: """
        LATEST LATEST_FORKS LATEST_REACTOR FORKS MONOTONIC_NS UTC_NS REACTOR_NS TICK HOLDER ENTRIES HEAP SLOTS
        VEC_ELEMENTS VEC_LEN ENTRY_BYTES ENTRY_SOURCE ENTRY_GENERATION SHARED_SOURCE SOURCE_FD SOURCE_KEY SOURCE_TICKS
        DIRECTIONS DIRECTION_BYTES DIRECTION_UNCLAIMED DIRECTION_HUNG_UP DIRECTION_WAITS WAITS_FIRST_ID WAITS_SHARED
        WAITS_OTHERS WAITS_FIRST WAITS_MORE WAIT_BYTES WAIT_BEGUN WAIT_TICK_A WAIT_TICK_B WAIT_WAKER OTHER_BYTES
        OTHER_WAKER WAKER_DATA WAKER_TABLE HEAP_BYTES HEAP_DEADLINE_NS HEAP_SLOT SLOT_BYTES SLOT_ID SLOT_WAKER
    """.split(),
    EXECUTOR: """
        FIRST NEXT STATE SHARDS SHARD_COUNT SHARD_BYTES SHARD_WAKERS SHARD_SPAWNED SHARD_FINISHED RUNNERS RUNNER_NEXT
        RUNNER_SPAWNED RUNNER_FINISHED RUNNER_SIGNAL LOCAL_FIRST LOCAL_NEXT LOCAL_STATE LOCAL_WAKERS LOCAL_LIVE
        VEC_ELEMENTS VEC_LEN ELEMENT_BYTES ELEMENT_TASK ELEMENT_TABLE TASK_STATE TASK_NAME TASK_NAME_LEN
    """.split(),
}
VERSION = 1
MAGIC = b"ticks\x00\x1a\xf7" + struct.pack("<Q", 0x9D5C3BE16A07F24D)
# What is damaged or changing must not make this endless.
COUNT_MAX = 1 << 20
# Executors are numbered in steps of this, as `ticks` does.
TASK_NUMBERS = 100_000
TOOL_SECONDS = 120


class Failed(Exception):
    """What was asked cannot be told; the text says why."""


# ---- The tool ---------------------------------------------------------------------------------------


def ask(target, options):
    """What `ticks who` says of the process or the core dump: its output and its remarks."""
    tool = os.environ.get("TICKS") or shutil.which("ticks")
    if not tool:
        raise Failed("the tool ticks is not in PATH, and TICKS does not name it: cargo install --path crates/ticks")
    command = [tool, "who", *options, *target]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", errors="replace",
            timeout=TOOL_SECONDS, check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise Failed("%s: %s" % (tool, error)) from None
    if done.returncode not in (0, 1):
        what = done.stderr.strip()
        if "unexpected argument '--core'" in what or "unexpected argument '--sources'" in what:
            what = "%s is older than this script: install the ticks that is beside this async-io" % tool
        raise Failed(what or "%s ended with %d" % (tool, done.returncode))
    return done.stdout, done.stderr


def objects(debugger, options):
    """The tasks, waits and sources, each an object as `ticks who --json` has it; and what is to be said of them."""
    try:
        out, remarks = ask(debugger.target(), ["--json", *options])
        return [json.loads(line) for line in out.splitlines()], remarks
    except Failed as failed:
        return minimum(debugger, failed)


def minimum(debugger, failed):
    """The same without the tool, as far as the debugger can read it."""
    found = list(read(debugger))
    if not found:
        raise failed
    return found, "%s\nread by the debugger itself, without it: no stacks and no addresses\n" % failed


# ---- What is said -----------------------------------------------------------------------------------


def info_async(debugger, words):
    try:
        return "".join(ask(debugger.target(), words))
    except Failed as failed:
        found, remarks = minimum(debugger, failed)
    lines = [task_text(it, found) for it in found if it.get("kind") == "task"]
    lines += [source_text(it, found) for it in found if it.get("kind") == "source"]
    lines += ["timer %d, for %s" % (it["timer"], who(it, found)) for it in found if "timer" in it]
    return "\n".join(lines) + "\n" + remarks


def async_bt(debugger, words):
    number = number_of(words, "async bt N: N is the number of a task, as info async has it")
    found, remarks = objects(debugger, ["--stacks"])
    tasks = [it for it in found if it.get("kind") == "task" and it["task_id"] == number]
    if not tasks:
        raise Failed("there is no task %d; info async lists them" % number)
    return "\n".join(task_text(it, found) for it in tasks) + "\n" + remarks


def async_source(debugger, words):
    fd = number_of(words, "async source FD: FD is a descriptor, as info async has it")
    found, remarks = objects(debugger, ["--sources"])
    sources = [it for it in found if it.get("kind") == "source" and it["fd"] == fd]
    if not sources:
        raise Failed("no source of async-io has descriptor %d" % fd)
    return "\n".join(source_text(it, found) for it in sources) + "\n" + remarks


def number_of(words, usage):
    if len(words) == 1 and re.fullmatch("[0-9]+", words[0]):
        return int(words[0])
    raise Failed(usage)


def task_text(task, found):
    lines = ["task %d (%s), %s" % (task["task_id"], task["name"] or "without a name", task["task_state"])]
    if task.get("full_name") not in (None, task["name"]):
        lines.append("  its future is %s" % task["full_name"])
    if task.get("thread"):
        lines.append("  on thread %d" % task["thread"])
    waits = task.get("waits_for")
    if waits is None:
        own = [it for it in found if it.get("task_id") == task["task_id"] and it.get("kind") != "task"]
        texts = ["timer %d" % it["timer"] if "timer" in it else "%s fd %d" % (it["dir"], it["fd"]) for it in own]
        waits = [{"what": text} for text in texts]
    for wait in waits:
        lines.append("  %s" % wait["what"])
        calls = [call for call in wait.get("stack") or [] if not call["folded"]]
        for number, call in enumerate(calls):
            place = ", %s:%s" % (call["file"], call["line"]) if call["file"] else ""
            lines.append("    #%d %s%s" % (number, call["function"] or hex(call["address"]), place))
    if not waits and task["task_state"] == "waiting":
        lines.append("  no socket and no timer: a lock, a channel or another task")
    return "\n".join(lines)


def source_text(source, found):
    about = [source.get(name) for name in ("source_kind", "local", "peer")]
    lines = [" ".join(["fd %d" % source["fd"], *(text for text in about if text not in (None, "-"))])]
    for name in ("read", "write"):
        seen = source.get(name) or {}
        event = "the last event in round %d" % seen["tick"] if seen.get("tick") else "no event yet"
        if seen.get("tick") is None:
            event = "its events are in the recording"
        if seen.get("unasked"):
            event += ", for which nobody has asked"
        of_it = [it for it in found if it.get("fd") == source["fd"] and it.get("dir") == name]
        waits = [it for it in of_it if it["kind"] != "unasked"]
        waiting = ", ".join(who(it, found) for it in waits)
        lines.append("  %s: %s; %s" % (name, event, "for it waits " + waiting if waits else "nobody waits"))
    return "\n".join(lines)


def who(wait, found):
    """Whom an event will wake."""
    if wait.get("is_woken"):
        return "somebody who was woken and has not asked since"
    tasks = [it for it in found if it.get("kind") == "task" and it["task_id"] == wait.get("task_id")]
    if tasks:
        return "task %d (%s)" % (tasks[0]["task_id"], tasks[0]["name"])
    return "somebody with waker %#x" % wait["task"]


# ---- The memory, by the tables ----------------------------------------------------------------------


def read(memory):
    """The tasks, sources and waits of all copies of async-io."""
    tables = list(published(memory))
    tasks = [task for kind, at in tables if kind == EXECUTOR for task in executor(memory, at)]
    numbers = {task["task"]: task["task_id"] for task in tasks}
    for kind, at in tables:
        if kind != REACTOR or not memory.word(at["LATEST"]):
            continue
        for found in reactor(memory, at, memory.word(at["LATEST"]) + at["LATEST_REACTOR"]):
            if "dir" in found or "timer" in found:
                found["task_id"] = numbers.get(found["task"])
                found["is_woken"] = found["task"] == 0
            yield found
    yield from tasks


def published(memory):
    for address in memory.find(MAGIC):
        kind, version, width, count, complete = memory.words(address + len(MAGIC), 5)
        if kind in WORDS and (version, width, complete) == (VERSION, 8, 1) and count < 1000:
            yield kind, dict(zip(WORDS[kind], memory.words(address + len(MAGIC) + 5 * 8, count)))


def elements(memory, at, address, size):
    begin, count = memory.word(address + at["VEC_ELEMENTS"]), memory.word(address + at["VEC_LEN"])
    return [begin + index * size for index in range(min(count, COUNT_MAX))]


def reactor(memory, at, base):
    def waker(address):
        return memory.word(address + at["WAKER_DATA"]) if memory.word(address + at["WAKER_TABLE"]) else 0

    for entry in elements(memory, at, base + at["ENTRIES"], at["ENTRY_BYTES"]):
        shared = memory.word(entry + at["ENTRY_SOURCE"])
        if not shared:
            continue
        source = shared + at["SHARED_SOURCE"]
        found = {"kind": "source", "fd": memory.number(source + at["SOURCE_FD"], "<i")}
        for index, name in enumerate(("read", "write")):
            direction = source + at["DIRECTIONS"] + index * at["DIRECTION_BYTES"]
            found[name] = {"tick": memory.word(source + at["SOURCE_TICKS"] + index * 8)}
            waits = memory.word(direction + at["DIRECTION_WAITS"])
            if not waits:
                continue
            more = elements(memory, at, waits + at["WAITS_MORE"], at["WAIT_BYTES"])
            places = [waits + at["WAITS_SHARED"], waits + at["WAITS_FIRST"], *more]
            begun = [place for place in places if memory.number(place + at["WAIT_BEGUN"], "<B") <= 1]
            wakers = [place + at["WAIT_WAKER"] for place in begun]
            others = elements(memory, at, waits + at["WAITS_OTHERS"], at["OTHER_BYTES"])
            wakers += [place + at["OTHER_WAKER"] for place in others]
            for place in wakers:
                yield {"kind": "wait", "fd": found["fd"], "dir": name, "task": waker(place)}
        yield found
    slots = elements(memory, at, base + at["SLOTS"], at["SLOT_BYTES"])
    for entry in elements(memory, at, base + at["HEAP"], at["HEAP_BYTES"]):
        slot = memory.number(entry + at["HEAP_SLOT"], "<I")
        if slot < len(slots):
            yield {"timer": memory.word(slots[slot] + at["SLOT_ID"]), "task": waker(slots[slot] + at["SLOT_WAKER"])}


def executor(memory, at):
    number = 0
    for state in links(memory, at, "FIRST", "NEXT", "STATE"):
        count = at["SHARD_COUNT"]
        for index in range(count):
            shard = state + at["SHARDS"] + index * at["SHARD_BYTES"] + at["SHARD_WAKERS"]
            for place, entry in enumerate(elements(memory, at, shard, at["ELEMENT_BYTES"])):
                yield from task_of(memory, at, entry, number + place * count + index + 1)
        number += TASK_NUMBERS
    for state in links(memory, at, "LOCAL_FIRST", "LOCAL_NEXT", "LOCAL_STATE"):
        for place, entry in enumerate(elements(memory, at, state + at["LOCAL_WAKERS"], at["ELEMENT_BYTES"])):
            yield from task_of(memory, at, entry, number + place + 1)
        number += TASK_NUMBERS


def links(memory, at, first, following, value):
    link, found = memory.word(at[first]), []
    while link and len(found) < COUNT_MAX:
        found.append(link + at[value])
        link = memory.word(link + at[following])
    return reversed(found)


def task_of(memory, at, entry, number):
    """The task of an element, if it has one. Its state has the bits of async-task."""
    if not memory.word(entry + at["ELEMENT_TABLE"]):
        return
    task = memory.word(entry + at["ELEMENT_TASK"])
    state = memory.word(task + at["TASK_STATE"])
    if state & 4:
        return
    does = "running" if state & 2 else "scheduled" if state & 9 else "waiting" if state >> 9 else "forgotten"
    length = min(memory.word(task + at["TASK_NAME_LEN"]), 1 << 16)
    try:
        name = memory.read(memory.word(task + at["TASK_NAME"]), length).decode("utf-8", "replace")
    except Failed:
        name = None  # A core dump without its program's file has no constants.
    yield {"kind": "task", "task_id": number, "task": task, "name": name, "task_state": does}


class Memory:
    """What both debuggers do alike."""

    def words(self, address, count):
        return struct.unpack("<%dQ" % count, self.read(address, 8 * count))

    def word(self, address):
        return self.words(address, 1)[0]

    def number(self, address, form):
        return struct.unpack(form, self.read(address, struct.calcsize(form)))[0]


# ---- gdb --------------------------------------------------------------------------------------------


def begin_in_gdb(gdb):
    class Gdb(Memory):
        def __init__(self):
            self.inferior = gdb.selected_inferior()
            self.files = gdb.execute("info files", to_string=True)

        def target(self):
            core = re.search("core dump file:\\s+[`'‘](.*)['’], file type", self.files)
            program = gdb.current_progspace().filename
            if core:
                return ["--core", core.group(1), *(["--exe", program] if program else [])]
            if not self.inferior.pid:
                raise Failed("no program runs here, and no core dump is open")
            connection = getattr(self.inferior, "connection", None)
            if connection and connection.type != "native":
                what = "the process is behind a %s connection, and ticks reads those of this machine"
                raise Failed(what % connection.type)
            return [str(self.inferior.pid)]

        def read(self, address, count):
            try:
                return bytes(self.inferior.read_memory(address, count)) if count else b""
            except gdb.error as error:
                raise Failed(str(error)) from None

        def find(self, wanted):
            parts = re.findall(r"(0x[0-9a-f]+) - (0x[0-9a-f]+) is (\.data\b(?!\.)|load\d+)", self.files)
            # Of a core dump without its program there are no sections, but parts of the memory.
            for begin, end, _ in [it for it in parts if it[2] == ".data"] or parts:
                begin, end = int(begin, 16), int(end, 16)
                try:
                    at = self.inferior.search_memory(begin, end - begin, wanted)
                    while at is not None:
                        yield at
                        at = self.inferior.search_memory(at + 8, end - at - 8, wanted)
                except (gdb.error, gdb.MemoryError):
                    continue

    class Command(gdb.Command):
        def __init__(self, name, action, about, is_prefix=False):
            self.__doc__ = about
            self.action = action
            super().__init__(name, gdb.COMMAND_STATUS, gdb.COMPLETE_NONE, is_prefix)

        def invoke(self, text, from_tty):
            try:
                gdb.write(self.action(Gdb(), gdb.string_to_argv(text)))
            except Failed as failed:
                raise gdb.GdbError(str(failed)) from None

    Command("async", lambda debugger, words: __doc__, "Tasks, sockets and timers of async-io.", True)
    for name, (action, about) in COMMANDS.items():
        Command("async " + name, action, about)
    Command("info async", *COMMANDS["info"])


COMMANDS = {
    "info": (info_async, "The tasks of async-io, and what they wait for. The options of `ticks who` may follow."),
    "bt": (async_bt, "async bt N: task N, what it waits for, and by which calls."),
    "source": (async_source, "async source FD: what was seen of a descriptor, and who waits for it."),
}

# ---- lldb -------------------------------------------------------------------------------------------

# The core dump that is open, where lldb does not tell (before 18): `async core FILE`.
named_core = []


def lldb_memory(lldb, process, target):
    class Lldb(Memory):
        def target(self):
            if not process.IsValid():
                raise Failed("no program runs here, and no core dump is open")
            if "core" not in (process.GetPluginName() or ""):
                if target.GetPlatform().GetName() != "host":
                    raise Failed("the process is on another machine, and ticks reads those of this one")
                return [str(process.GetProcessID())]
            tells = getattr(process, "GetCoreFile", None)
            core = tells().fullpath if tells else None
            if not core and not named_core:
                raise Failed("this lldb does not tell which core dump is open; name it with: async core FILE")
            program = target.GetExecutable().fullpath
            return ["--core", core or named_core[0], *(["--exe", program] if program else [])]

        def read(self, address, count):
            error = lldb.SBError()
            found = process.ReadMemory(address, count, error) if count else b""
            if error.Fail():
                raise Failed(error.GetCString() or "nothing can be read at %#x" % address)
            return bytes(found)

        def find(self, wanted):
            sections = [part for module in target.module_iter() for part in module.section_iter()]
            sections += [part for section in sections for part in section]
            for section in sections:
                begin = section.GetLoadAddress(target)
                if section.GetName() != ".data" or begin == lldb.LLDB_INVALID_ADDRESS:
                    continue
                try:
                    held = self.read(begin, section.GetByteSize())
                except Failed:
                    continue
                yield from (begin + at.start() for at in re.finditer(re.escape(wanted), held))

    return Lldb()


def lldb_async(debugger, text, context, result, _):
    import lldb

    name, *words = shlex.split(text) or [""]
    if name == "core" and len(words) == 1:
        named_core[:] = words
        return
    if name not in COMMANDS:
        result.SetError("\n".join(["async core FILE", *(about for _, about in COMMANDS.values())]))
        return
    try:
        result.AppendMessage(COMMANDS[name][0](lldb_memory(lldb, context.process, context.target), words))
    except Failed as failed:
        result.SetError(str(failed))


def __lldb_init_module(debugger, _):
    debugger.HandleCommand("command script add -f %s.lldb_async async" % __name__)


try:
    import gdb
except ImportError:
    pass  # lldb calls its function.
else:
    begin_in_gdb(gdb)
