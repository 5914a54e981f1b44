"""Kernels of the test server: forks of a process that has imported what they import."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

WARM = Path(__file__).with_name("warmkernels.py")


class ForkedKernel:
    """A forked process, with the methods of `subprocess.Popen` that Jupyter calls."""

    stdin = stdout = stderr = None

    def __init__(self, requests: socket.socket, request: dict[str, Any]) -> None:
        self._alive, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(requests, [json.dumps(request).encode()], [theirs.fileno()])
        answer = self._alive.recv(32)
        if not answer:
            raise RuntimeError("the process that forks kernels has ended: see the server's log")
        self.pid = int(answer)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return 0 when the process has ended: how it ended is not known."""
        return self._receive(socket.MSG_DONTWAIT)

    def wait(self) -> int | None:
        return self._receive(0)

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _receive(self, flags: int) -> int | None:
        if self.returncode is None:
            try:
                self._alive.recv(1, flags)
            except BlockingIOError:
                return None
            # The kernel sends nothing more, so the process has ended.
            self._alive.close()
            self.returncode = 0
        return self.returncode


class ForkingProvisioner(LocalProvisioner):
    """Starts a kernel by a fork; all else is as with any kernel of this machine."""

    requests: socket.socket

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        request = {
            # Without the interpreter, -m and the name of the module.
            "arguments": cmd[3:],
            "environment": kwargs["env"] | {"JPY_PARENT_PID": str(os.getpid())},
            "folder": str(kwargs.get("cwd") or Path.cwd()),
        }
        self.process = await asyncio.to_thread(ForkedKernel, self.requests, request)
        self.pid = self.pgid = self.process.pid
        self.cwd = Path(request["folder"])
        return self.connection_info


def fork_kernels() -> None:
    """Start the process to fork, which ends with this one; kernels come from there by default."""
    ForkingProvisioner.requests, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    with theirs:
        subprocess.Popen([sys.executable, str(WARM)], stdin=theirs)
    factory = KernelProvisionerFactory
    factory.provisioners["forking"] = EntryPoint(
        "forking", f"{__name__}:ForkingProvisioner", factory.GROUP_NAME
    )
    os.environ[factory.default_provisioner_name_env] = "forking"
