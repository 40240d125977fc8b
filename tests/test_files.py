"""A file is written whole or not at all, and only a file is put in another's place."""

import os
import threading

import pytest

from gradproof.cli import run
from gradproof.errors import InputError
from gradproof.reporting.files import WholeFile
from gradproof.reporting.formats import Formats


def test_a_named_pipe_is_written_to_and_stays_one(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text(encoding="utf-8")))
    reader.start()
    with WholeFile(pipe) as file:
        file.write("whole")
    reader.join(10)
    assert read == ["whole"]
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_stream_that_was_redirected_to_a_file_is_added_to(tmp_path, monkeypatch):
    monkeypatch.setattr("gradproof.reporting.files.STREAMS", (tmp_path,))
    (tmp_path / "stdout").write_text("the report\n", encoding="utf-8")
    with WholeFile(tmp_path / "stdout") as file:
        file.write("{}\n")
    assert (tmp_path / "stdout").read_text(encoding="utf-8") == "the report\n{}\n"


@pytest.fixture
def full(tmp_path):
    """A disk without room; behind a link, which is all that could be lost."""
    (tmp_path / "full").symlink_to("/dev/full")
    return tmp_path / "full"


def test_a_full_disk_is_one_line(full):
    with WholeFile(full) as file, pytest.raises(InputError, match="full cannot be written: No space left on device"):
        file.write("text")
    assert full.is_char_device()


def test_behind_a_link_the_file_that_it_names_is_written(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "r.json").write_text("old", encoding="utf-8")
    (tmp_path / "r.json").symlink_to(tmp_path / "kept" / "r.json")
    with WholeFile(tmp_path / "r.json") as file:
        file.write("new")
    assert (tmp_path / "r.json").is_symlink()
    assert (tmp_path / "kept" / "r.json").read_text(encoding="utf-8") == "new"


def test_an_empty_path_is_told(capsys):
    assert run(["report", "--json", ""]) == 2
    assert capsys.readouterr().err == (
        "gradproof: an empty path, or '.', is no file to write; name one, such as report.json\n"
    )


def test_a_file_that_cannot_be_written_keeps_none_of_the_others_from_it(tmp_path, full, monkeypatch):
    monkeypatch.setattr("gradproof.reporting.formats._render", lambda name: lambda outcome: f"{name} of {outcome}")
    formats = Formats({"json": full, "markdown": tmp_path / "r.md"})
    with formats, pytest.raises(InputError, match="full cannot be written"):
        formats.write("a run")
    assert (tmp_path / "r.md").read_text(encoding="utf-8") == "markdown of a run"
