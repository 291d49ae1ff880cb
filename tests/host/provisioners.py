"""A kernel provisioner as somebody else would write one: installed into a folder, with its entry point."""

from __future__ import annotations

from pathlib import Path

NAME = "foreign-provisioner"

MODULE = '''
import asyncio, json, os, secrets, socket, subprocess
from pathlib import Path

from jupyter_client.provisioning import KernelProvisionerBase, LocalProvisioner
from traitlets import Integer, Unicode


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Foreign(KernelProvisionerBase):
    """Has the kernel somewhere else: its key, its addresses and its process ids are not this machine's."""

    folder = Unicode().tag(config=True)
    trouble = Unicode().tag(config=True)
    pid = Integer().tag(config=True)
    pgid = Integer().tag(config=True)
    child = None

    @property
    def has_process(self):
        return self.child is not None

    async def poll(self):
        return self.child.poll() if self.child else 0

    async def wait(self):
        if self.trouble == "wait":
            raise RuntimeError("the batch system is away")
        while self.child.poll() is None:
            await asyncio.sleep(0.02)
        return self.child.wait()

    async def send_signal(self, signum):
        self.child.send_signal(signum)

    async def kill(self, restart=False):
        self.child.kill()
        if self.trouble == "kill":
            raise RuntimeError("the batch system does not answer")

    async def terminate(self, restart=False):
        if self.trouble == "terminate":
            await asyncio.Event().wait()
        self.child.terminate()

    async def pre_launch(self, **kwargs):
        return await super().pre_launch(cmd=self.kernel_spec.argv, **kwargs)

    async def launch_kernel(self, cmd, **kwargs):
        assert set(kwargs) == {"env", "cwd"}, kwargs
        if self.trouble == "launch":
            await asyncio.Event().wait()
        if self.trouble == "refusal":
            raise RuntimeError("the batch system has no room")
        names = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
        info = dict(zip(names, free_ports(5)), ip="127.0.0.1", transport="tcp")
        info |= {"key": secrets.token_hex(), "signature_scheme": "hmac-sha256"}
        path = Path(self.folder) / f"{self.kernel_id}.json"
        path.write_text(json.dumps(info))
        argv = [part.format(connection_file=path) for part in cmd]
        self.child = subprocess.Popen(argv, env=kwargs["env"], cwd=kwargs["cwd"], start_new_session=True)
        return info | {"key": info["key"].encode()}

    async def cleanup(self, restart=False):
        if self.child:
            self.child.wait()
        if self.trouble == "cleanup":
            raise RuntimeError("the batch system lost the job")


class Wrapping(LocalProvisioner):
    """Starts a local process after all."""

    async def launch_kernel(self, cmd, **kwargs):
        kwargs["env"]["WRAPPED"] = "yes"
        return await super().launch_kernel(cmd, **kwargs)
'''

ENTRY_POINTS = """
[jupyter_client.kernel_provisioners]
foreign-provisioner = foreign_provisioner:Foreign
wrapping-provisioner = foreign_provisioner:Wrapping
"""


def install(folder: Path) -> None:
    """What ``pip install`` would leave in a folder of ``sys.path``."""
    metadata = folder / "foreign_provisioner-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / "foreign_provisioner.py").write_text(MODULE)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign-provisioner\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
