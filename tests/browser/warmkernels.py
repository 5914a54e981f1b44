"""A process that has imported what kernels import, and forks a kernel for each request.

A new Python needs seconds for torch and transformers; a fork of this process has them at once.
`forkedkernels.py` starts the process with a Unix socket as its stdin. Each request is a JSON object
(the kernel's arguments, environment and folder) and comes with a socket of its own: the kernel
writes its process id there and keeps the socket open until it ends. The process ends when the
other end of its stdin is closed.
"""

from __future__ import annotations

import gc
import json
import os
import random
import select
import signal
import socket
import sys
from contextlib import suppress
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

# The names that a notebook imports before it shows a widget. A kernel registers the comms of
# ipywidgets when it imports one of them, and a kernel that imports none has no such comm.
WIDGETS = ("ipywidgets", "anywidget", "attnwidget.widget.widget")
LIGHT = (
    "ipykernel.kernelapp",
    "ipykernel.debugger",
    "attnwidget.lessons",
    "attnwidget.export.figure",
    *WIDGETS,
)
# Imported one after the other while no request waits, because the tests begin with no model.
HEAVY = (
    "torch",
    "torch._dynamo",
    "transformers",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.align",
    "transformers.models.bert.modeling_bert",
    "transformers.models.bert.tokenization_bert",
    "transformers.models.gpt2.modeling_gpt2",
    "transformers.models.t5.modeling_t5",
    "attnwidget.capture.source",
    "attnwidget.capture.generate",
    "attnwidget.capture.unwrap",
    "bertviz",
)


class Kernel:
    """What a request asks for."""

    def __init__(self, text: bytes, alive: socket.socket) -> None:
        request = json.loads(text)
        self.arguments: list[str] = request["arguments"]
        self.environment: dict[str, str] = request["environment"]
        self.folder: str = request["folder"]
        self.alive = alive


class WhenImported:
    """Hand out modules that are loaded; the first import of one registers ipywidgets' comms."""

    def __init__(self, modules: dict[str, ModuleType]) -> None:
        self._modules = modules
        self._register = modules["ipywidgets"]._handle_ipython

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name in self._modules else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self._modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        sys.modules.update(self._modules)
        self._register()


def serve(requests: socket.socket) -> Kernel | None:
    """Fork a kernel for each request. Return it in the kernel; return None at the end."""
    heavy = list(HEAVY)
    while True:
        wait = 0 if heavy else None
        if not select.select([requests], [], [], wait)[0]:
            preload(heavy.pop(0))
            continue
        text, handles, _, _ = socket.recv_fds(requests, 1 << 20, 1)
        if not text:
            return None
        alive = socket.socket(fileno=handles[0])
        gc.freeze()
        if os.fork() == 0:
            return Kernel(text, alive)
        alive.close()


def preload(name: str) -> None:
    """Import a module that kernels use, where it is installed."""
    with suppress(ImportError):
        import_module(name)


def run(kernel: Kernel, own: dict[str, str]) -> None:
    """Be this kernel in a new session, as if Python had started it.

    `own` is the environment of this process before it imported anything.
    """
    import numpy as np

    os.setsid()
    launcher = find_spec("ipykernel_launcher")
    sys.argv = [str(launcher and launcher.origin), *kernel.arguments]
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(kernel.folder)
    # What modules set in the environment when they were imported, they set in a kernel too.
    imported = {name: text for name, text in os.environ.items() if own.get(name) != text}
    os.environ.clear()
    os.environ.update(kernel.environment | imported)
    # No two kernels draw the same numbers, as no two processes do.
    random.seed()
    np.random.seed()
    # A module that cannot be imported fails in the notebook, as in any kernel.
    loaded = [name for name in WIDGETS if name in sys.modules]
    sys.meta_path.insert(0, WhenImported({name: sys.modules.pop(name) for name in loaded}))
    # Detached, the handle is open until the operating system has ended the process.
    os.write(kernel.alive.detach(), str(os.getpid()).encode())
    from ipykernel.kernelapp import launch_new_instance

    # The kernel ends with this process's parent; ipykernel has read JPY_PARENT_PID long ago.
    launch_new_instance(argv=[*kernel.arguments, f"--IPKernelApp.parent_handle={os.getppid()}"])


def main() -> None:
    # As `ipykernel_launcher` does: the folder of this file is nothing that kernels know.
    del sys.path[0]
    own = dict(os.environ)
    requests = socket.socket(fileno=os.dup(0))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for name in LIGHT:
        preload(name)
    kernel = serve(requests)
    requests.close()
    if kernel:
        run(kernel, own)


if __name__ == "__main__":
    main()
