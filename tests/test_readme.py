"""The README shows the generated tables; linked files and named make targets exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_shown_tables_are_the_generated_ones():
    shown = re.findall(r"<!-- (results/\S+\.md) -->\n(.*?)<!-- end -->", README, flags=re.DOTALL)
    assert len(shown) == 3
    for path, text in shown:
        assert text == (ROOT / path).read_text()


def test_linked_files_exist():
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link


@pytest.mark.parametrize("name", sorted(set(re.findall(r"make ([a-z]+)", README))))
def test_named_targets_exist(name):
    assert re.search(rf"^{name}: .*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE), name
