"""The wiki of the unit tests: its recorded answers, and under the mark `live` the real one.

`BLINDPO_RECORD=1 pytest tests/unit -m live` records the answers anew; BLINDPO_WIKI_DIR names a folder where the built
wiki stays, so that it is built once.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fake_server import FakeServer
from tests.live.wiki_server import local_wiki, why_not
from tests.live.wiki_world import write_world
from tests.recorded_wiki import RECORDING, recording, replaying


@pytest.fixture(scope="session", params=["recorded", pytest.param("live", marks=pytest.mark.live)])
def wiki_answers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeServer]:
    """The server for the whole session."""
    if request.param == "recorded":
        with replaying() as server:
            yield server
        return
    reason = why_not()
    if reason:
        pytest.skip(reason)
    content = tmp_path_factory.mktemp("content")
    write_world(content)
    folder = Path(os.environ.get("BLINDPO_WIKI_DIR") or tmp_path_factory.mktemp("wiki"))
    notes: dict[str, object] = {}
    with local_wiki(folder, content) as url, recording(url, notes) as server:
        yield server
    if os.environ.get("BLINDPO_RECORD"):
        RECORDING.write_text(json.dumps(notes, indent=0, sort_keys=True, ensure_ascii=True) + "\n")


@pytest.fixture
def wiki(wiki_answers: FakeServer) -> Iterator[FakeServer]:
    """The wiki's answers; `asked` lists what was asked of it in this test, `on` makes a path misbehave."""
    wiki_answers.asked.clear()
    yield wiki_answers
    wiki_answers.replies.clear()
