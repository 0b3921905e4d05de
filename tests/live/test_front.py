"""The client before nginx, which limits rates and wants a name, in front of a real MediaWiki."""

import os
from pathlib import Path

import httpcore2
import pytest
from tests.live.wiki_server import local_wiki, why_not
from tests.live.wiki_world import write_world

from blindpo.images.base import Query
from blindpo.images.cache import LookupCache
from blindpo.images.fetch import Fetcher
from blindpo.images.fetch_config import FetchConfig
from blindpo.images.wikipedia import Wikipedia

pytestmark = pytest.mark.live


def test_a_client_that_is_too_fast_is_slowed_down_and_loses_nothing(tmp_path: Path) -> None:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    write_world(tmp_path / "content")
    folder = Path(os.environ.get("BLINDPO_WIKI_DIR") or tmp_path / "wiki")
    names = ["Aldermoor", "Brindle Tower", "Corvane", "Dalia Fenwick", "Ember Works", "Tinyland", "Nowhere"]
    with local_wiki(folder, tmp_path / "content", front=True) as base, LookupCache(tmp_path / "cache") as cache:
        with httpcore2.ConnectionPool() as pool:
            assert pool.request("GET", f"{base}/api.php", headers={"Host": base[7:]}).status == 403
        config = FetchConfig(contact="tester@example.org", hosts=(), requests_per_minute=100_000)
        fetcher = Fetcher(config, cache, bases=(base,))
        source = Wikipedia(fetcher, f"{base}/api.php")
        answers = list(source.look_up([Query(text=name) for name in names], lambda *_: None))
        assert [answer.candidate is not None for answer in answers] == [True] * 6 + [False]
        log = (folder / "nginx" / "access.log").read_text()
        assert '" 429 ' in log, "nginx was never asked too fast: the test shows nothing"
        assert fetcher.asked > 8, "two questions and six images, and some of them again"
