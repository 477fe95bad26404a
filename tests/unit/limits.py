"""Limits for a process that a test starts, as ``preexec_fn``: of Linux, and real ones."""

import ctypes
import os

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1


def rights_count():
    """The rights of files and folders hold for root too, as in a checkout that is read-only."""
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)  # others cannot, need not


def files_end_at(size: int):
    """No file grows beyond ``size`` bytes: what stands in for a full disk, without mounting one."""

    def limit():
        import resource  # not on Windows

        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def one_core_and(memory: int):
    """One core, and so many bytes of memory: to ask for more is an error of the allocator."""

    def limit():
        import resource

        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))

    return limit
