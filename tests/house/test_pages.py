"""What is committed is small, open and linked: no key, no private path, no link into the void."""

import re
from pathlib import Path

from tests.house.source import ROOT, name, tracked

PRIVATE = re.compile(
    r"(?<![\w.])/(?:work|farm|root|home)/|\b(?:10|192\.168)\.\d+\.\d+\.\d+\b|CUDA_VISIBLE_DEVICES\W+\d"
)
SECRET = re.compile(r"\b(?:hf_[A-Za-z0-9]{30,}|sk-[A-Za-z0-9]{20,}|AIza[0-9A-Za-z_-]{35}|AKIA[0-9A-Z]{16})\b")


def test_nothing_committed_is_large_private_or_secret() -> None:
    for path in tracked():
        assert path.stat().st_size <= 1_000_000, f"{name(path)} is large"
        if path.suffix in {".py", ".md", ".yaml", ".toml", ".sh", ".j2", ".json"} or path.name in {"Makefile", "run"}:
            text = path.read_text(errors="replace")
            assert not SECRET.search(text), f"{name(path)} holds a key"
            if path != Path(__file__).resolve():
                assert not PRIVATE.search(text), f"{name(path)} names a private path, host or GPU"


def links(page: Path) -> list[str]:
    """The relative links of a Markdown page, fenced code apart, without their fragments."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    targets = re.findall(r"\]\(<?([^)\s>]+)>?(?:\s[^)]*)?\)", text)
    return [link.partition("#")[0] for link in targets if not re.match(r"[a-z]+:|#", link)]


def test_every_relative_link_of_the_docs_and_every_page_that_is_named_exists() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    linked = [(page, page.parent / link) for page in pages for link in links(page)]
    sources = [path for path in (ROOT / "src").rglob("*") if path.suffix in {".py", ".j2", ".yaml"}]
    named = [(path, ROOT / page) for path in sources for page in re.findall(r"\bdocs/[\w./-]+\.md\b", path.read_text())]
    assert len(linked) > 20 and named, "the search finds nothing any more"
    assert not [f"{name(path)}: {name(target)}" for path, target in linked + named if not target.exists()]
