"""One kernel for many notebooks: to start one and to import PyTorch takes it longer than a tiny run."""

from contextlib import contextmanager
from pathlib import Path

import papermill
from jupyter_core.utils import run_sync

from depthseg_lib.commands.notebook import OwnKernelManager


@contextmanager
def shared_kernel(folder: Path, monkeypatch):
    """Within, `depthseg_lib.commands.notebook.execute` runs every notebook on one kernel, which works in `folder`.

    Its names are cleared before each notebook; modules stay imported, with what they keep. That notebooks run each on
    a kernel of its own is for the test of the smoke profile.
    """
    manager, clients = OwnKernelManager(), []
    monkeypatch.setenv("DEPTHSEG_HEADLESS", "1")  # as `commands.notebook` has it
    run_sync(manager.start_kernel)(cwd=str(folder))
    alone, new_client = papermill.execute_notebook, manager.client
    monkeypatch.setattr(manager, "client", lambda **options: clients.append(new_client(**options)) or clients[-1])

    def execute_notebook(*notebook, **options):
        try:
            return alone(*notebook, **options, km=manager)
        finally:
            clients.pop().stop_channels()
            _clear(manager)

    try:
        with monkeypatch.context() as patched:
            patched.setattr(papermill, "execute_notebook", execute_notebook)
            yield
    finally:
        run_sync(manager.shutdown_kernel)(now=True)


def _clear(manager) -> None:
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=120)
        assert client.execute("%reset -f", reply=True, timeout=60)["content"]["status"] == "ok"
    finally:
        client.stop_channels()
