"""Kernels that start at once: one process imports what a study's notebooks import, and each kernel is forked from it.

    python -m depthseg_lib.commands.kernels serve DESCRIPTOR NOTEBOOK...   what `make figures` starts beside Snakemake
    python -m depthseg_lib.commands.kernels start CONNECTION_FILE          what a job starts in place of a kernel

To import PyTorch, Lightning and matplotlib takes a kernel longer than a short run takes to train. A study started so
also trains with the library as it was when the study was planned, whatever is edited meanwhile. Where there is no such
process (by hand, on a cluster, on a system that can't fork PyTorch), `start` becomes an ordinary kernel.
"""

import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

SOCKET = "DEPTHSEG_KERNELS"
"""Variable with the socket of the process that forks kernels."""


def command(connection_file: str) -> list[str]:
    """The call of a kernel for a connection file: of one that is forked, where `SOCKET` says by whom."""
    if os.environ.get(SOCKET):
        return [sys.executable, "-m", "depthseg_lib.commands.kernels", "start", connection_file]
    return [sys.executable, "-m", "ipykernel_launcher", *_arguments(connection_file)]


@contextmanager
def prepared(notebooks: Sequence[Path], environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """Run the process that forks kernels for these notebooks; yields `environment` with its socket for their jobs.

    It ends with the block, or with this process however that ends. Without notebooks there is none.
    """
    if not (sys.platform == "linux" and notebooks):  # elsewhere, systems' libraries may not work on once forked
        yield environment
        return
    with tempfile.TemporaryDirectory(prefix="depthseg-") as folder:  # which nobody else can read
        path = str(Path(folder, "kernels"))
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path)
            listening.listen(64)  # who calls before the imports are done waits for them
            number = listening.fileno()
            call = [sys.executable, "-m", "depthseg_lib.commands.kernels", "serve", str(number), *map(str, notebooks)]
            options = {"stdin": subprocess.PIPE, "pass_fds": (number,), "start_new_session": True}
            process = subprocess.Popen(call, env=environment, **options)
        try:
            yield environment | {SOCKET: path}
        finally:
            process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()
            process.wait()


def serve(descriptor: str, notebooks: Iterable[str]) -> None:
    """Import what the notebooks import, then fork a kernel for each call of `start`, until standard input ends.

    `descriptor` is the number of the socket that listens.
    """
    from depthseg_lib.commands.notebook import enter_headless_environment
    from depthseg_lib.fingerprint import modules

    enter_headless_environment()
    with socket.socket(fileno=int(descriptor)) as listening:
        importlib.import_module("ipykernel.kernelapp")
        os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"  # a kernel's, before matplotlib is there
        for name in sorted(set().union(*(modules(Path(notebook)) for notebook in notebooks))):
            with suppress(Exception):  # the cell that imports it says what is wrong
                importlib.import_module(name)
        # Python warns of a fork beside a thread that a library has left waiting
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        gc.freeze()  # what was imported stays in pages that all kernels share
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # kernels that have ended leave nothing behind
        while sys.stdin not in select.select([listening, sys.stdin], [], [])[0]:
            calling, _ = listening.accept()
            with calling:
                if os.fork() == 0:
                    listening.close()
                    _become_kernel(calling)


def _become_kernel(calling: socket.socket) -> None:
    """In a forked process: be the kernel that the other end of `calling` asks for, as long as that is there."""
    status = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        text, streams, *_ = socket.recv_fds(calling, 1 << 20, 3)
        while not text.endswith(b"\n"):
            text += calling.recv(1 << 20)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        asked = json.loads(text)
        os.chdir(asked["folder"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        calling.sendall(f"{os.getpid()}\n".encode())
        threading.Thread(target=lambda: (calling.recv(1), os._exit(1)), daemon=True).start()
        from ipykernel.kernelapp import IPKernelApp

        sys.argv = ["ipykernel_launcher", *_arguments(asked["connection_file"])]
        IPKernelApp.launch_instance()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(bool(end.code))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def start(connection_file: str) -> int:
    """Have a kernel forked and be there as long as it is, as its process: signals sent here reach it, and it ends with
    this process and with its parent."""
    parent = os.getppid()
    try:
        calling = socket.socket(socket.AF_UNIX)
        calling.connect(os.environ[SOCKET])
        asked = {"connection_file": connection_file, "folder": os.getcwd(), "environment": dict(os.environ)}
        text = json.dumps(asked).encode() + b"\n"
        calling.sendall(text[socket.send_fds(calling, [text], [0, 1, 2]) :])
        kernel = int(calling.makefile().readline())
    except (OSError, ValueError):  # that process has ended: an ordinary kernel says why, if there is a reason
        os.environ.pop(SOCKET)
        os.execv(sys.executable, command(connection_file))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: os.kill(kernel, number))
    while not select.select([calling], [], [], 1.0)[0]:  # the kernel says nothing more: what arrives is its end
        if os.getppid() != parent:
            return 1
    return 0


def _arguments(connection_file: str) -> list[str]:
    return ["-f", connection_file, "--log-level=CRITICAL"]


if __name__ == "__main__":
    task, first, *others = sys.argv[1:]
    sys.exit(start(first) if task == "start" else serve(first, others))
