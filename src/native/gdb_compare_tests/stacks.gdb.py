# What gdb knows about every frame of every thread, one line each, for the comparison with pydbg.
import gdb

REGISTERS = ("rsp", "rbp", "rbx", "r12", "r13", "r14", "r15")


def value(frame, register):
    try:
        return "%x" % (int(frame.read_register(register)) & 0xFFFFFFFFFFFFFFFF)
    except (gdb.error, ValueError, OverflowError):
        return "?"


def location(frame):
    sal = frame.find_sal()
    return "%s:%d" % (sal.symtab.filename, sal.line) if sal.symtab else "-"


KINDS = {
    gdb.NORMAL_FRAME: "normal",
    gdb.INLINE_FRAME: "inline",
    gdb.SIGTRAMP_FRAME: "signal",
    gdb.TAILCALL_FRAME: "tail",
}

gdb.execute("set backtrace past-main on")
gdb.execute("set backtrace past-entry on")
for thread in gdb.selected_inferior().threads():
    thread.switch()
    print("@thread\t%d\t%d" % (thread.num, thread.ptid[1]))
    frame = gdb.newest_frame()
    while frame is not None:
        kind = KINDS.get(frame.type(), "other")
        registers = "\t".join(value(frame, name) for name in REGISTERS)
        print("@frame\t%s\t%x\t%s\t%s\t%s" % (kind, frame.pc(), frame.name() or "-", location(frame), registers))
        try:
            frame = frame.older()
        except gdb.error as error:
            print("@error\t%s" % error)
            break
    else:
        frame = None
