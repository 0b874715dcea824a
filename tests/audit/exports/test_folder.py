"""The folder that is handed over is whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.audit.exports.folder import draft_folder
from service.errors import ConfigurationError, InvalidInput


def fail_after(out: Path, error: BaseException) -> None:
    with draft_folder(out) as draft:
        (draft / "a.txt").write_text("a")
        raise error


def fill_while_drafting(out: Path) -> None:
    with draft_folder(out):
        out.mkdir()
        (out / "other.txt").write_text("other")


def write_where_nothing_is(out: Path) -> None:
    with draft_folder(out) as draft:
        (draft / "no folder" / "a.txt").write_text("a")


def test_the_draft_takes_the_name_when_all_is_written(tmp_path: Path) -> None:
    out = tmp_path / "audit"
    with draft_folder(out) as draft:
        (draft / "deep").mkdir()
        (draft / "deep" / "a.txt").write_text("a")
        assert not out.exists()
    assert (out / "deep" / "a.txt").read_text() == "a"
    assert list(tmp_path.iterdir()) == [out]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    out = tmp_path / "audit"
    out.mkdir()
    with draft_folder(out) as draft:
        (draft / "a.txt").write_text("a")
    assert [path.name for path in out.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("error", [InvalidInput("no"), KeyError("bug"), KeyboardInterrupt()])
def test_nothing_is_left_of_what_was_not_finished(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)):
        fail_after(tmp_path / "audit", error)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_refused_and_stays(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("kept")
    with pytest.raises(InvalidInput, match="has something in it"), draft_folder(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_a_folder_that_was_filled_meanwhile_is_refused_and_stays(tmp_path: Path) -> None:
    out = tmp_path / "audit"
    with pytest.raises(InvalidInput, match="has something in it"):
        fill_while_drafting(out)
    assert list(tmp_path.iterdir()) == [out]
    assert (out / "other.txt").read_text() == "other"


def test_a_file_a_link_and_a_folder_that_is_not_there_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name, words in (
        ("file", "is no folder"),
        ("link", "is no folder"),
        ("missing/audit", "No such file or directory"),
        ("file/audit", "Not a directory"),
    ):
        with pytest.raises(InvalidInput, match=words), draft_folder(tmp_path / name):
            pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]


def test_what_cannot_be_written_is_an_error_that_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"audit was not written.*a\.txt"):
        write_where_nothing_is(tmp_path / "audit")
    assert list(tmp_path.iterdir()) == []
