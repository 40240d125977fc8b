"""A file is written whole or not at all: beside its place first, and put there in one step."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from gradproof.errors import InputError

# what stands here is a stream, though it looks like a file where that was redirected to one
STREAMS = (Path("/dev"), Path("/dev/fd"), Path("/proc/self/fd"))


class WholeFile:
    """A text file to be written at `path`: made sure of at once, so that a long run does not end in nothing.

    Behind a link it is what the link names that is written. What is no file, such as /dev/stdout or a named pipe, is
    written to as it is.

    Raises InputError, in one line, where `path` is a folder or its folder is missing or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._part: Path | None = None
        if path == Path():
            raise InputError("an empty path, or '.', is no file to write; name one, such as report.json")
        if path.is_dir():
            raise InputError(
                f"{path} is a folder, expected a file; name one in it, such as {path / 'report.json'}"
            )
        if not path.parent.is_dir():
            raise InputError(f"{path} cannot be written: there is no folder {path.parent}; make it first")
        if path.exists() and not os.access(path, os.W_OK):
            raise InputError(f"{path} cannot be written: it is read-only; name another file")
        if path.exists() and (not path.is_file() or path.parent in STREAMS):
            return
        self._place = path.resolve()
        try:
            handle, name = tempfile.mkstemp(dir=self._place.parent, prefix=f".{path.name}.", suffix=".part")
        except OSError as error:
            raise InputError(
                f"{path} cannot be written: {error.strerror}; name a file in a folder that can"
            ) from None
        os.close(handle)
        self._part = Path(name)

    def write(self, text: str) -> None:
        """Put `text` in the file's place, in one step."""
        try:
            if self._part is None:
                with self.path.open("a", encoding="utf-8") as stream:
                    stream.write(text)
                return
            self._part.write_text(text, encoding="utf-8")
            self._part.chmod(0o666 & ~_umask())
            self._part.replace(self._place)
        except OSError as error:
            self.close()
            raise InputError(f"{self.path} cannot be written: {error.strerror}; it is as it was") from None

    def close(self) -> None:
        """Leave nothing behind of a file that was not written."""
        if self._part is not None:
            with suppress(OSError):
                self._part.unlink()

    def __enter__(self) -> "WholeFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
