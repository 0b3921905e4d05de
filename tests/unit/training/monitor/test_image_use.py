"""Does the model look? Probes of the tiny model: views, what they leave behind, and what is said of them."""

import pytest
import torch
from tests.tiny_models import save_tiny_llava
from tests.training_rows import row

from blindpo.models.vlm.load import Vlm, load_vlm
from blindpo.models.vlm.source import resolve_model
from blindpo.training.monitor.image_use import PROBE_VIEWS, probe, probe_rows, usable_rows, verdict


@pytest.fixture(scope="module")
def vlm(tmp_path_factory: pytest.TempPathFactory) -> Vlm:
    return load_vlm(resolve_model(save_tiny_llava(tmp_path_factory.mktemp("models") / "base")), device="cpu")


def test_probe_rows_are_the_same_whatever_the_order_and_have_their_views() -> None:
    rows = [row(n) for n in range(6)] + [row(9, images=(), prompt=row(0).prompt[:0])]
    kept, again = probe_rows(rows, 3), probe_rows(rows[::-1], 3)
    assert [each.row.row_id for each in kept] == [each.row.row_id for each in again]
    for each in kept:
        assert set(each.views) == set(PROBE_VIEWS)
        assert each.views["removed"].images == ()
        assert each.views["swapped"].images[0] != each.row.images[0]
    (alone,) = probe_rows(rows[:1], 3)
    assert set(alone.views) == {"as_is", "removed"}
    assert probe_rows(rows[-1:], 3) == []


def test_a_probe_scores_and_answers_and_leaves_all_as_it_was(vlm: Vlm) -> None:
    rows = usable_rows(vlm, probe_rows([row(n) for n in range(6)], 5))
    torch.manual_seed(5)
    state = torch.get_rng_state()
    vlm.model.train()
    vlm.model.config.use_cache = False
    found = probe(vlm, rows)
    assert vlm.model.training and vlm.model.config.use_cache is False
    assert torch.equal(torch.get_rng_state(), state)
    vlm.model.eval()
    assert set(found.means) == {
        "probe/chosen_as_is", "probe/chosen_removed", "probe/chosen_swapped",
        "probe/changed_removed", "probe/changed_swapped",
    }  # fmt: skip
    assert len(found.answers) == 5 and set(found.answers[0]) == {"row_id", *PROBE_VIEWS}
    assert found.means["probe/chosen_as_is"] != found.means["probe/chosen_removed"]
    again = probe(vlm, rows)
    assert again == found
    record = found.to_json(7)
    assert record["step"] == 7 and record["answers"] == found.answers


def test_what_a_probe_says() -> None:
    seen = {"probe/chosen_as_is": -1.0, "probe/chosen_removed": -2.0}
    changed = {"probe/changed_removed": 0.5, "probe/changed_swapped": 0.0}
    assert verdict({**seen, **changed}) is None
    assert "does not look" in (verdict({**seen, "probe/changed_removed": 0.0}) or "")
    assert "does not help" in (verdict({**changed, **seen, "probe/chosen_as_is": -2.0}) or "")
    assert verdict({}) is None
