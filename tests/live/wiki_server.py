"""The local wiki as a context manager: built (or found built), seeded with a world, served on a free port."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SCRIPT: Final = Path(__file__).with_name("local_wiki.sh")


def why_not() -> str | None:
    """Why no local wiki can be built on this machine; None where it can."""
    for tool in ("apt-get", "dpkg-deb", "ldd"):
        if shutil.which(tool) is None:
            return f"the local wiki is built from Debian's packages, and '{tool}' is not here"
    release = Path("/etc/os-release")
    if not release.is_file() or "bookworm" not in release.read_text():
        return "the local wiki needs Debian 12: its packages and shared libraries are those"
    return None


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def local_wiki(folder: Path, content: Path, *, front: bool = False) -> Iterator[str]:
    """The base URL of a wiki with `content`; with `front`, that of nginx before it."""
    if not (folder / "www" / "LocalSettings.php").is_file():
        _run("build", str(folder), "0")
    _run("seed", str(folder), str(content))
    port, front_port = free_port(), free_port()
    with _served(["serve", str(folder), str(port)], port):
        if not front:
            yield f"http://127.0.0.1:{port}"
            return
        with _served(["front", str(folder), str(port), str(front_port)], front_port):
            yield f"http://127.0.0.1:{front_port}"


def _run(*words: str) -> None:
    done = subprocess.run(["bash", str(SCRIPT), *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"local_wiki.sh {words[0]} failed: {done.stderr.strip()[-500:]}")


@contextmanager
def _served(words: list[str], port: int) -> Iterator[None]:
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    # a session of its own: PHP's server has workers, and all of them must end
    process = subprocess.Popen(["bash", str(SCRIPT), *words], env=environment, start_new_session=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        else:
            raise RuntimeError(f"local_wiki.sh {words[0]} does not answer on port {port}")
        yield
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=20)
