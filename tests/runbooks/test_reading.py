"""Runbooks from files: what is understood of them, and what is left out and named."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.runbooks.shelves import CERTIFICATE, FILESYSTEM, OOM, written
from tools.runbooks.document import Part, Runbook, parse
from tools.runbooks.folder import LARGEST_FILE, Folder, read, state


def said(runbook: Runbook, part: Part) -> str:
    return "\n".join(each.text for each in runbook.passages if each.part is part)


def left_out(folder: Path) -> dict[str, str]:
    return {each.path: each.why for each in read([Folder(path=folder)]).broken}


def test_front_matter_names_title_and_address_and_sections_are_told_apart() -> None:
    runbook = parse(OOM, id="containers/ContainerOOM.md")
    assert runbook.titles == ("Container out of memory", "ContainerOOM")
    assert runbook.url == "https://wiki.example/oom"
    assert runbook.shelves == ("containers",)
    assert "its limit is reached" in said(runbook, Part.SYMPTOMS)
    assert "kubectl describe" in said(runbook, Part.STEPS)
    assert "Raise the memory limit" in said(runbook, Part.STEPS)


def test_a_heading_may_be_the_link_and_what_stands_before_the_first_section_are_symptoms() -> None:
    runbook = parse(CERTIFICATE, id="tls.md", base_url="https://git.example/main")
    assert runbook.titles[0] == "TLS certificate expires"
    assert runbook.url == "https://wiki.example/tls"
    assert "about to expire" in said(runbook, Part.SYMPTOMS)


def test_a_folder_that_is_published_makes_the_links_of_what_names_none() -> None:
    assert parse(FILESYSTEM, id="node/a b.md", base_url="https://git.example/main/").url == (
        "https://git.example/main/node/a%20b.md"
    )
    assert parse(FILESYSTEM, id="node/filesystem-full.md").url == ""


@pytest.mark.parametrize("front", ["title: [", "- a\n- b", "date: 2024-13-45", "title: 12", ""])
def test_front_matter_that_is_none_costs_only_itself(front: str) -> None:
    runbook = parse(f"---\n{front}\n---\n# Cart is slow\n\nSlow.", id="cart.md")
    assert runbook.titles == ("Cart is slow", "cart")


def test_a_runbook_without_any_name_is_called_by_its_first_sentence() -> None:
    assert parse("Workers starve. Look at the pool.", id="17.md").titles == ("Workers starve.",)


@settings(max_examples=50, deadline=None)
@given(text=st.text(alphabet=st.sampled_from("#-=>*`[]()<>|:!&%\n ab1\"'{}é\u202e"), max_size=200))
def test_no_text_is_too_odd_to_be_read(text: str) -> None:
    assert parse(text, id="x.md").titles


def test_deep_nesting_is_read_and_not_followed_for_ever() -> None:
    assert parse("> " * 5_000 + "deep", id="x.md").titles == ("x",)


def test_broken_files_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    written(tmp_path, {"good.md": CERTIFICATE, "blank.md": " \n", "large.md": "x" * (LARGEST_FILE + 1)})
    (tmp_path / "latin.md").write_bytes(b"# Gr\xfc\xdfe")
    (tmp_path / "binary.md").write_bytes(b"# a\0b")
    (tmp_path / "notes.txt").write_text("no runbook")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.md").write_text("# hidden")
    shelf = read([Folder(path=tmp_path)])
    assert [each.id for each in shelf.pages] == ["good.md"]
    assert {each.path: each.why for each in shelf.broken} == {
        "blank.md": "empty",
        "large.md": "larger than 512 KiB",
        "latin.md": "not UTF-8 at byte 4",
        "binary.md": "binary",
    }
    assert shelf.unread == ()


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("# password")
    folder = tmp_path / "runbooks"
    folder.mkdir()
    (folder / "a.md").symlink_to(tmp_path / "secret.md")
    assert left_out(folder) == {"a.md": "it links to a file outside the folder"}


def test_a_folder_that_is_not_there_is_unread_and_not_empty(tmp_path: Path) -> None:
    shelf = read([Folder(path=tmp_path / "nowhere")])
    assert [each.why for each in shelf.unread] == ["No such file or directory"]


def test_the_same_path_in_two_folders_is_two_runbooks(tmp_path: Path) -> None:
    folders = [Folder(path=written(tmp_path / name, {"a.md": f"# {name}"})) for name in ("ops", "shop")]
    assert [each.id for each in read(folders).pages] == ["a.md", "shop/a.md"]


def test_the_state_changes_with_a_file_and_only_then(tmp_path: Path) -> None:
    folders = [Folder(path=written(tmp_path))]
    before = state(folders)
    assert state(folders) == before
    (tmp_path / "tls.md").write_text(CERTIFICATE + "\nMore.")
    assert state(folders) != before
