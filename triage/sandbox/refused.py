"""What a child is refused by number (seccomp): Linux system calls, those of x86_64 and of aarch64; ``None``: has none.

Reading, writing to what is open, memory and the clock are left. A decoder needs no more.
"""

import ctypes
import os
import platform
import struct

REFUSED: dict[str, tuple[int | None, int | None]] = {
    # other machines and other processes
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "accept": (43, 202), "accept4": (288, 242),
    "bind": (49, 200), "listen": (50, 201), "sendto": (44, 206), "sendmsg": (46, 211), "sendmmsg": (307, 269),
    "recvfrom": (45, 207), "recvmsg": (47, 212), "recvmmsg": (299, 243),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "process_madvise": (440, 440),
    "kcmp": (312, 272), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240), "prlimit64": (302, 261), "setrlimit": (160, 164),
    "shmget": (29, 194), "shmat": (30, 196), "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
    # programs and processes of its own
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, None), "vfork": (58, None), "clone": (56, 220),
    "clone3": (435, 435), "unshare": (272, 97), "setns": (308, 268),
    # files
    "open": (2, None), "openat": (257, 56), "openat2": (437, 437), "creat": (85, None), "memfd_create": (319, 279),
    "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264), "truncate": (76, 45), "ftruncate": (77, 46),
    "fallocate": (285, 47), "unlink": (87, None), "unlinkat": (263, 35), "rename": (82, None), "renameat": (264, 38),
    "renameat2": (316, 276), "link": (86, None), "linkat": (265, 37), "symlink": (88, None), "symlinkat": (266, 36),
    "mkdir": (83, None), "mkdirat": (258, 34), "rmdir": (84, None), "mknod": (133, None), "mknodat": (259, 33),
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, None),
    "lchown": (94, None), "fchown": (93, 55), "fchownat": (260, 54), "utime": (132, None), "utimes": (235, None),
    "futimesat": (261, None), "utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    # the kernel itself, where the service runs as root
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "bpf": (321, 280),
    "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "reboot": (169, 142), "acct": (163, 89), "settimeofday": (164, 170), "clock_settime": (227, 112),
}  # fmt: skip
SIGNALS: dict[str, tuple[int | None, int | None]] = {"kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131)}
"""Allowed to itself only: ``abort`` needs them."""

_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column; AUDIT_ARCH of linux/audit.h
_X32 = 0x40000000  # x86_64 has a second set of numbers above this bit
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_JMP|JGE|K, BPF_RET|K
_NUMBER, _ARCH, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data; the low half of an argument comes first
_ALLOW, _ERRNO, _EPERM = 0x7FFF0000, 0x00050000, 1
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def is_known() -> bool:
    """Whether there is a table for this machine."""
    return platform.system() == "Linux" and platform.machine() in _MACHINES


def refuse(libc: ctypes.CDLL) -> bool:
    """Refuse the calls above to this process, with EPERM, for ever; ``False``: the kernel or the machine has no way to."""
    if not is_known():
        return False
    program = _assembled(os.getpid())
    held = ctypes.create_string_buffer(program, len(program))
    told = _Program(len(program) // 8, ctypes.cast(held, ctypes.c_void_p))
    return bool(libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(told), 0, 0) == 0)


def _assembled(own: int) -> bytes:
    """The filter: classic BPF, eight bytes an instruction; a jump counts the instructions it leaves out."""
    column, architecture = _MACHINES[platform.machine()]
    refused = [number for row in REFUSED.values() if (number := row[column]) is not None]
    signals = [number for row in SIGNALS.values() if (number := row[column]) is not None]
    head: list[tuple[int, int, str, str]] = [
        (_LOAD, _ARCH, "", ""),
        (_EQUAL, architecture, "", "refuse"),
        (_LOAD, _NUMBER, "", ""),
        (_AT_LEAST, _X32, "refuse", ""),
    ]
    body = [(_EQUAL, number, "own", "") for number in signals] + [(_EQUAL, number, "refuse", "") for number in refused]
    tail = [(_RETURN, _ALLOW, "", ""), (_LOAD, _FIRST_ARGUMENT, "", ""), (_EQUAL, own, "", "refuse"), (_RETURN, _ALLOW, "", "")]
    code = [*head, *body, *tail, (_RETURN, _ERRNO | _EPERM, "", "")]
    places = {"own": len(head) + len(body) + 1, "refuse": len(code) - 1}

    def leap(at: int, label: str) -> int:
        return places[label] - at - 1 if label else 0

    return b"".join(
        struct.pack("=HBBI", operation, leap(at, yes), leap(at, no), value)
        for at, (operation, value, yes, no) in enumerate(code)
    )
