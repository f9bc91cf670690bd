"""Real containers for a test: podman in a mount namespace of its own, and a registry on loopback.

Nothing is installed: the packages are unpacked into the cache and entered with
chroot, which root may do. Each host of a sandbox has its own storage.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox.apt import Unavailable
from sandbox.packages import Bundle, unpacked
from sandbox.ports import free_port
from sandbox.processes import wait_until

NAME = "registry.example.com/vaulteer"
BUNDLE = Bundle(
    name="containers",
    about="podman, skopeo and a registry (about 45 MB)",
    packages=(
        *("podman", "crun", "conmon", "golang-github-containers-common"),
        *("skopeo", "docker-registry", "busybox-static"),
    ),
    programs=("usr/bin/docker-registry", "usr/bin/skopeo"),
)
PODMAN = """\
#!/bin/sh
# podman as it is on a host: what it holds is in a folder of that host.
host=${{RUNBOOK_SANDBOX_HOST:-{folder}/builder}}
mkdir -p "$host/containers"
export host root={root}
exec unshare -m sh -c '
  umount /sys/fs/cgroup/unified 2>/dev/null
  mount --bind "$root" "$root"
  for place in /proc /sys /dev {top}; do
    mkdir -p "$root$place" && mount --rbind "$place" "$root$place" || exit 125
  done
  # podman takes no path of more than 50 characters for what it keeps while it runs.
  mkdir -p "$root/mnt" && mount --bind "$host/containers" "$root/mnt" || exit 125
  chroot=$(command -v chroot); cd / || exit 125
  exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/mnt TMPDIR=/mnt \\
    CONTAINERS_REGISTRIES_CONF={folder}/registries.conf CONTAINERS_CONF={folder}/containers.conf \\
    "$chroot" "$root" /usr/bin/podman --storage-driver vfs \\
    --root /mnt/root --runroot /mnt/run --tmpdir /mnt/tmp "$@"' podman "$@"
"""
SKOPEO = """\
#!/bin/sh
exec {skopeo} --registries-conf {folder}/registries.conf --policy {policy} "$@"
"""
SERVE = 'echo "serving as $PROCESS"; exec httpd -f -p "127.0.0.1:$PORT" -h /www'


@dataclass(frozen=True)
class Containers:
    """A registry with images of the application, and the hosts' podman and skopeo."""

    folder: Path
    root: Path
    port: int

    @property
    def programs(self) -> tuple[Path, ...]:
        """The programs that hosts get."""
        return (self.folder / "podman", self.folder / "skopeo")

    def push(self, tag: str, *, well: bool = True) -> str:
        """Make an image, well or not, push it as `tag`, and return its digest."""
        layer = self._layer(tag, well=well)
        changes = (f'CMD ["/bin/sh", "-c", {self._json(SERVE)}]', "STOPSIGNAL SIGKILL")
        words = [word for change in changes for word in ("--change", change)]
        self.podman("import", "--quiet", *words, str(layer), f"{NAME}:{tag}")
        to = f"docker://127.0.0.1:{self.port}/vaulteer:{tag}"
        self.podman("push", "--quiet", "--tls-verify=false", f"{NAME}:{tag}", to)
        found = self._run("skopeo", "inspect", "--no-tags", "--format", "{{.Digest}}",
                          f"docker://{NAME}:{tag}")  # fmt: skip
        return found.strip()

    def podman(self, *words: str, host: Path | None = None) -> str:
        """Run podman for a host, or for who builds the images, and return what it prints."""
        return self._run("podman", *words, host=host)

    def end(self, hosts: tuple[Path, ...]) -> None:
        """End what runs in containers."""
        for host in (*hosts, None):
            with contextlib.suppress(subprocess.CalledProcessError):
                self.podman("rm", "--all", "--force", "--time", "0", host=host)

    def _layer(self, tag: str, *, well: bool) -> Path:
        tree = self.folder / tag
        (tree / "bin").mkdir(parents=True)
        (tree / "www").mkdir()
        shutil.copy(self.root / "bin" / "busybox", tree / "bin" / "busybox")
        for name in ("sh", "httpd"):
            (tree / "bin" / name).symlink_to("busybox")
        (tree / "www" / ("health" if well else "sorry")).write_text(f"{tag}\n")
        layer = self.folder / f"{tag}.tar"
        with tarfile.open(layer, "w") as archive:
            archive.add(tree, arcname=".")
        return layer

    def _run(self, program: str, *words: str, host: Path | None = None) -> str:
        env = {**os.environ, **({"RUNBOOK_SANDBOX_HOST": str(host)} if host else {})}
        done = subprocess.run(
            [self.folder / program, *words], env=env, capture_output=True, text=True, check=True
        )
        return done.stdout

    @staticmethod
    def _json(text: str) -> str:
        return '"' + text.replace('"', '\\"') + '"'


@contextlib.contextmanager
def containers(folder: Path) -> Iterator[Containers]:
    """Serve a registry on loopback for the time of a `with` block.

    Raises `Unavailable` where containers cannot be had, and says why.
    """
    if os.getuid() != 0:
        raise Unavailable("containers: podman runs here as root only")
    made = unpacked(BUNDLE)
    folder.mkdir()
    port = free_port(folder)
    _write(folder, made, port)
    here = Containers(folder, made / "root", port)
    try:
        here.podman("info")
    except (OSError, subprocess.CalledProcessError) as error:
        said = error.stderr if isinstance(error, subprocess.CalledProcessError) else error
        raise Unavailable(f"containers: podman does not run here: {said}") from error
    with (folder / "registry.log").open("w") as log:
        server = subprocess.Popen(
            [made / "bin" / "docker-registry", "serve", folder / "registry.yml"],
            stdout=log,
            stderr=log,
        )
        try:
            assert wait_until(lambda: "listening on" in (folder / "registry.log").read_text(), 10)
            yield here
        finally:
            server.kill()
            server.wait()


def _write(folder: Path, made: Path, port: int) -> None:
    root, images = made / "root", folder / "images"
    policy = root / "etc" / "containers" / "policy.json"
    texts = {
        "podman": PODMAN.format(
            root=shlex.quote(str(root)), folder=folder, top=f"/{folder.parts[1]}"
        ),
        "skopeo": SKOPEO.format(
            skopeo=made / "bin" / "skopeo",
            folder=folder,
            policy=policy,
        ),
        "registries.conf": f'[[registry]]\nprefix = "{NAME.partition("/")[0]}"\n'
        f'location = "127.0.0.1:{port}"\ninsecure = true\n',
        "containers.conf": "[containers]\n"
        'default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n'
        '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n',
        "registry.yml": f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {images}}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    for name in ("podman", "skopeo"):
        (folder / name).chmod(0o755)
