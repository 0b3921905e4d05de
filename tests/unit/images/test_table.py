"""Sources on the network as a recipe makes them: nothing is asked before the words are right."""

from pathlib import Path

import pytest
from tests.recorded_wiki import replaying

from blindpo.errors import ConfigError
from blindpo.images.base import Query, SourceConfig
from blindpo.images.table import make_sources


def config(folder: Path, **settings: object) -> SourceConfig:
    return SourceConfig(**{"lookup_cache": str(folder / "lookups.sqlite"), "requests_per_minute": 1e9, **settings})


@pytest.mark.parametrize("name", ["wikipedia", "knowledge-graph"])
def test_a_contact_is_required(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KNOWLEDGE_GRAPH_API_KEY", "not-a-real-key")
    with pytest.raises(ConfigError, match="contact"):
        make_sources([name], config(tmp_path))


def test_a_key_is_required_and_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KNOWLEDGE_GRAPH_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="environment variable KNOWLEDGE_GRAPH_API_KEY"):
        make_sources(["knowledge-graph"], config(tmp_path, contact="me@example.org"))


def test_the_cache_stands_in_the_users_own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert SourceConfig().cache_file == tmp_path / "blindpo" / "lookups.sqlite"


def test_a_recipes_source_asks_the_wiki_that_it_names(tmp_path: Path) -> None:
    with replaying() as server:
        settings = config(tmp_path, contact="me@example.org", wikipedia_api=f"{server.base}/api.php")
        (source,) = make_sources(["wikipedia"], settings)
        (answer,) = source.look_up([Query(text="Nowhere", type="LOC")], lambda *_: None)
    assert answer.reason == "the wiki has no page of this name"
    assert settings.cache_file.is_file()
    assert "me@example.org" not in str(source.identity())
