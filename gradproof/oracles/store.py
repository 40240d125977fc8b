"""A folder of blobs, a file a key: what is compiled once is kept for the next process.

A file is written whole or not at all; one that cannot be read is not there; the oldest go beyond a limit.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

# 10 kB to 1 MB each
_LIMIT = 4096


@dataclass(frozen=True)
class Store:
    """Blobs in a folder of this processor's."""

    folder: Path

    def read(self, key: str) -> bytes | None:
        """The blob of a key, or None."""
        try:
            return (self.folder / key).read_bytes()
        except OSError:
            return None

    def write(self, key: str, blob: bytes) -> None:
        """Keep a blob; where the disk will not have it, nothing is kept."""
        try:
            with tempfile.NamedTemporaryFile(dir=self.folder, delete=False) as file:
                file.write(blob)
            os.replace(file.name, self.folder / key)
        except OSError:
            pass  # full, or gone: it is made again the next time


def open_store(folder: Path) -> Store | None:
    """The store of this processor in `folder`, made where there is none; None where it cannot be written."""
    own = folder.with_name(f"{folder.name}-{_machine()}")
    try:
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=own):
            pass
    except OSError:
        return None
    _trim(own)
    return Store(own)


def default_folder() -> Path | None:
    """`gradproof/jax` in the platform's cache folder, or None where there is no home to have one in."""
    try:
        if sys.platform == "win32":
            base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        elif sys.platform == "darwin":
            base = Path.home() / "Library" / "Caches"
        else:
            base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        return None
    return base / "gradproof" / "jax"


def _trim(folder: Path) -> None:
    """Drop the oldest beyond the limit: free shapes would let the folder grow for ever."""
    try:
        files = [(entry.stat().st_mtime, entry.path) for entry in os.scandir(folder) if entry.is_file()]
        for _, path in sorted(files)[:-_LIMIT]:
            os.unlink(path)
    except OSError:
        pass  # another process trims the same folder


def _machine() -> str:
    """This processor: a program compiled for another one's instructions may end the process."""
    about = [platform.machine(), platform.processor()]
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        about += [line for line in lines if line.startswith(("flags", "Features", "model name"))][:2]
    except OSError:
        pass  # no Linux: the names above have to do
    return hashlib.sha256(repr(about).encode()).hexdigest()[:12]
