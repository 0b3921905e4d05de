"""MMSafe-PO's own protocols: pairs shown in both orders, the cheating test, and the three views on real rows."""

from pathlib import Path

import pytest
from tests.sample import REAL, write_sample
from tests.unit.datasets.benchmarks.scoring import ANSWER, REFUSAL, said, store

from blindpo.answer.response import Response
from blindpo.answer.views import deictic_turns, has_view
from blindpo.cli.main import main
from blindpo.datasets.importer import import_data
from blindpo.errors import NothingKeptError
from blindpo.evaluation.protocols.parsers import which_letter
from blindpo.evaluation.protocols.run import run_protocols
from blindpo.evaluation.suite.pairwise_rows import pairwise_rows, write_pairwise_rows
from blindpo.rows.shards import read_rows, shard_name, write_shard

PROTOCOL = "mmsafe/pairwise-prompted"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    sample = write_sample(tmp_path / "sample")
    import_data("mmsafe-po", sample / "test.json", tmp_path / "data", images=sample / "images")
    return tmp_path / "data"


def test_each_pair_is_asked_in_both_orders(data: Path, tmp_path: Path) -> None:
    assert write_pairwise_rows(data, tmp_path / "pairs") == (24, 0) == write_pairwise_rows(data, tmp_path / "pairs")
    first, second = list(read_rows(tmp_path / "pairs"))[:2]
    own = next(iter(read_rows(data)))
    for row, order in ((first, (own.chosen, own.rejected)), (second, (own.rejected, own.chosen))):
        text = row.prompt[-1].text
        places = [text.index(each.strip()) for each in order]
        assert places == sorted(places) and row.images == own.images and row.chosen is None
    assert first.provenance.dialogue_id == second.provenance.dialogue_id


@pytest.mark.parametrize(("letter", "accuracy"), [("A", (0.5, 1.0, 0.0)), ("B", (0.5, 0.0, 1.0))])
def test_a_model_that_likes_one_letter_is_at_chance(
    letter: str, accuracy: tuple[float, ...], data: Path, tmp_path: Path
) -> None:
    write_pairwise_rows(data, tmp_path / "pairs")
    rows = list(read_rows(tmp_path / "pairs"))
    stored = store(tmp_path / "eval", rows, said(rows, lambda _: f"{letter}."))
    rates = run_protocols(stored, [PROTOCOL], tmp_path / "s", num_draws=100)["scores"][PROTOCOL]["rates"]
    assert tuple(rates[name]["value"] for name in rates) == accuracy


def test_an_answer_that_names_no_letter_is_missing_and_not_wrong(data: Path, tmp_path: Path) -> None:
    write_pairwise_rows(data, tmp_path / "pairs")
    rows = list(read_rows(tmp_path / "pairs"))
    stored = store(tmp_path / "eval", rows, said(rows, lambda _: "Both A and B look fine."))
    found = run_protocols(stored, [PROTOCOL], tmp_path / "s", num_draws=100)["scores"][PROTOCOL]
    assert found["rates"]["pairwise_accuracy"]["value"] is None and found["without_decision"] == {"unparsed": 24}
    assert [which_letter(text) for text in ("b", "(B)", "Response B is the safe one", "A banana")] == [
        None,
        "b",
        "b",
        "a",
    ]


def test_pairwise_rows_need_pairs(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pairwise-rows", str(data), "--out", str(tmp_path / "pairs")]) == 0
    assert "24 rows, two a pair" in capsys.readouterr().out
    with pytest.raises(NothingKeptError, match="pair of responses"):
        write_pairwise_rows(tmp_path / "pairs", tmp_path / "again")
    with pytest.raises(ValueError, match="no pair"):
        list(pairwise_rows(next(iter(read_rows(tmp_path / "pairs")))))


def test_the_cheating_test_is_over_what_was_refused(data: Path, tmp_path: Path) -> None:
    rows = list(read_rows(data))
    own = said(rows, lambda row: REFUSAL if row in rows[:4] else ANSWER)
    twins = [
        Response(row_id=row.row_id, view="safe_image", text=REFUSAL if place == 0 else ANSWER)
        for place, row in enumerate(rows)
    ]
    stored = store(tmp_path / "eval", rows, [*own, *twins])
    found = run_protocols(stored, ["mmsafe/cheating"], tmp_path / "s", num_draws=100)["scores"]["mmsafe/cheating"]
    assert (found["items"], found["rates"]["answers_the_safe_twin"]["value"]) == (4, 0.75)
    assert found["printed_elsewhere"][0]["note"] == "protocol differs"


def test_pairwise_rows_and_views_run_on_the_real_rows(tmp_path: Path) -> None:
    """The released rows where they lie beside the checkout, else the sample: the same code either way."""
    source = REAL if REAL.is_dir() else write_sample(tmp_path / "sample")
    import_data("mmsafe-po", source / "test.json", tmp_path / "data", images=source / "images")
    rows = list(read_rows(tmp_path / "data"))
    assert all(has_view(row, view) for row in rows for view in ("text", "deictic"))
    assert all(deictic_turns(row) for row in rows)
    (tmp_path / "some").mkdir()
    write_shard(tmp_path / "some" / shard_name(0), rows[:5])
    assert write_pairwise_rows(tmp_path / "some", tmp_path / "pairs") == (10, 0)
