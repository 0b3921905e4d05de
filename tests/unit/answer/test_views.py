"""What each view shows, the measures that compare views, and judging again with the images that were shown."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.sample import write_sample
from tests.tiny_models import save_tiny_llava
from tests.unit.evaluation.verdicts import verdict
from tests.unit.evaluation.worlds import drawn_image, evaluate_local, row, save_rows

from blindpo.answer.response import Response
from blindpo.answer.views import drawn_scenes, has_view, images_for, read_safe_images, shown_row
from blindpo.datasets.importer import import_data
from blindpo.errors import ConfigError, RowError, SourceError
from blindpo.evaluation.config import EvaluateConfig, RejudgeConfig
from blindpo.evaluation.eval_folder import load_eval
from blindpo.evaluation.judges.oracle import Oracle
from blindpo.evaluation.judges.rules import RefusalRules
from blindpo.evaluation.measures import LEAST_LOGP, measure_items, repeats_itself, row_meta
from blindpo.evaluation.run import rejudge
from blindpo.images.decode import decode_image
from blindpo.models.vlm.source import resolve_model
from blindpo.rows.image_index import ImageIndex
from blindpo.rows.row import ImageRef
from blindpo.rows.shards import read_rows
from blindpo.rows.view_names import VIEWS, View
from blindpo.rows.views import OtherImages


def index(*images: ImageRef) -> ImageIndex:
    return ImageIndex({image.sha256: image for image in images})


IMAGES = OtherImages(of_data=index(drawn_image(1), drawn_image(2)), safe=(drawn_image(200),))
ALL = ("as_is", "text", "removed", "blank", "swapped", "safe_image")


def test_each_view_shows_what_it_says() -> None:
    own = row(1)
    assert shown_row(own, "as_is", IMAGES) is own
    assert shown_row(own, "text", IMAGES).prompt == own.text_prompt
    removed = shown_row(own, "removed", IMAGES)
    assert (removed.images, removed.prompt[0].num_images) == ((), 0)
    blank = decode_image(shown_row(own, "blank", IMAGES).images[0].data)
    assert len(blank.getcolors()) == 1
    assert shown_row(own, "swapped", IMAGES).images == (drawn_image(2),)
    assert shown_row(own, "safe_image", IMAGES).images == (drawn_image(200),)
    assert shown_row(own, "swapped", IMAGES) == shown_row(own, "swapped", replace(IMAGES, safe=()))


def test_a_view_that_cannot_be_shown_says_why() -> None:
    with pytest.raises(RowError, match="no other image"):
        shown_row(row(1), "swapped", OtherImages(of_data=index(drawn_image(1))))
    assert not has_view(row(0, images=(), prompt=row(0).text_prompt), "blank")
    assert not has_view(row(0), "deictic") and not has_view(row(0, text_prompt=None), "text")


def test_the_view_deictic_reads_the_released_middle_stage(tmp_path: Path) -> None:
    sample = write_sample(tmp_path / "sample")
    import_data("mmsafe-po", sample / "test.json", tmp_path / "data", images=sample / "images")
    rows = list(read_rows(tmp_path / "data"))
    for released, each in zip(json.loads((sample / "test.json").read_text()), rows, strict=True):
        shown = shown_row(each, "deictic", OtherImages())
        assert has_view(each, "deictic") and shown.images == each.images
        assert shown.prompt[-1].text in released["mid_prompt"]
    assert any(shown_row(each, "deictic", OtherImages()).prompt != each.prompt for each in rows)
    first = rows[0]
    broken = replace(first, extra=first.extra.replace("ASSISTANT:", "NOBODY:"))
    with pytest.raises(RowError):
        shown_row(broken, "deictic", OtherImages())


def response(number: int, view: str = "as_is", text: str = "x") -> Response:
    fields: dict[str, Any] = {"row_id": f"r{number}", "view": view, "text": text}
    return Response(**fields)


def test_measures_compare_views_row_by_row() -> None:
    metas = [row_meta(row(number)) for number in range(4)]
    said = [(0, "refuses", "refuses"), (1, "answers", "refuses"), (2, "refuses", "answers"), (3, "refuses", "refuses")]
    verdicts = [verdict(n, "safe", own) for n, own, _ in said]
    verdicts += [verdict(n, "safe", other, view=view) for n, _, other in said for view in ("blank", "safe_image")]
    responses = [response(n, view) for n in range(4) for view in ("as_is", "blank", "safe_image")]
    found = measure_items(metas, responses, verdicts)
    assert found["sensitivity_blank"].value.tolist() == [0, 1, 1, 0]
    assert len(found["sensitivity_removed"]) == 0 == found["sensitivity_removed"].missing
    assert (found["cheating_refusal"].key, found["cheating_refusal"].value.tolist()) == (("r0", "r2"), [1, 0])


def test_the_middle_stage_has_a_safety_and_a_gap() -> None:
    metas = [row_meta(row(0)), row_meta(row(2))]
    verdicts = [verdict(0, "unsafe", "answers"), verdict(0, "safe", "refuses", view="deictic"),
                verdict(2, "safe", "refuses"), verdict(2, "none", "none", view="deictic")]  # fmt: skip
    found = measure_items(metas, [response(0, "deictic"), response(2, "deictic")], verdicts)
    assert (found["safety_mid"].mean, found["safety_mid"].missing) == (1.0, 1)
    assert found["mid_gap"].value.tolist() == [1.0]


def test_off_topic_and_repetition_are_shares_of_responses() -> None:
    metas = [row_meta(row(number)) for number in range(3)]
    verdicts = [verdict(0, "safe", "off_topic"), verdict(1, "safe", "answers"), verdict(2, "none", "none")]
    found = measure_items(metas, [response(0, text="la la la la " * 9), response(1)], verdicts)
    assert (found["off_topic"].mean, found["off_topic"].missing) == (0.5, 1)
    assert found["repetition"].value.tolist() == [1, 0]
    assert not repeats_itself("one two three four five six seven eight nine ten")
    once = "I can not help with that. "
    assert not repeats_itself(once + " ".join(f"word{number}" for number in range(30)) + " " + once)
    assert repeats_itself(once * 6)


def test_the_mean_log_probability_of_a_right_answer_has_a_floor() -> None:
    meta = row_meta(row(1))
    low = Response(row_id="r1", view="as_is", text="x", chosen_logp_per_token=-1000.0, rejected_logp_per_token=-1.0)
    assert measure_items([meta], [low], [])["chosen_logp"].value.tolist() == [LEAST_LOGP]


@pytest.mark.parametrize(
    ("view", "harm"),
    [("deictic", "unsafe"), ("safe_image", "safe"), ("removed", "none"), ("blank", "none"), ("swapped", "none")],
)
def test_the_oracle_knows_what_a_view_makes_of_a_request(view: View, harm: str) -> None:
    found = Oracle().verdict(row(0), view, "a ball")
    assert (found.harm, found.engagement) == (harm, "answers")


def test_the_rules_take_a_safe_image_for_harmless() -> None:
    assert RefusalRules().verdict(row(0), "safe_image", "Take a hammer.").harm == "safe"
    assert RefusalRules().verdict(row(0), "blank", "Take a hammer.").harm == "unsafe"


def test_all_views_are_asked_stored_and_judged_again(tmp_path: Path) -> None:
    source = resolve_model(save_tiny_llava(tmp_path / "model"))
    data = save_rows(tmp_path / "data", [row(0), row(1), row(2, text_prompt=None)])
    safe = tmp_path / "safe"
    safe.mkdir()
    (safe / "a.png").write_bytes(drawn_image(90).data)
    (safe / "notes.txt").write_text("no picture")
    config = EvaluateConfig(
        judge="oracle",
        max_new_tokens=3,
        num_draws=100,
        views=(*ALL, "deictic"),
        safe_images=str(safe),
        likelihoods=False,
    )
    found = evaluate_local(config, data, source, tmp_path / "eval")
    stored = load_eval(tmp_path / "eval")
    assert len(stored.responses) == 3 * 5 + 2
    assert list(found.results["responses"]) == ["as_is", "text", "removed", "blank", "swapped", "safe_image"]
    assert found.measures["sensitivity_swapped"]["n"] + found.measures["sensitivity_swapped"].get("missing", 0) == 3
    again = rejudge(tmp_path / "eval", RejudgeConfig(judge="oracle", num_draws=100), tmp_path / "again")
    assert again.results == found.results
    assert [path.name for path in (tmp_path / "again/safe_images").iterdir()] == ["a.png"]


def test_images_come_from_the_rows_a_folder_or_are_drawn(tmp_path: Path) -> None:
    data = save_rows(tmp_path / "data", [row(0), row(1), row(1, row_id="same picture")])
    assert len(images_for(data, VIEWS).of_data) == 2
    none = images_for(data, ("as_is",))
    assert (len(none.of_data), none.safe) == (0, ())
    assert len({image.sha256 for image in drawn_scenes()}) == 8
    with pytest.raises(SourceError, match="is not a folder"):
        read_safe_images(tmp_path / "nowhere")
    with pytest.raises(SourceError, match="no image that can be read"):
        read_safe_images(data)


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"views": ("text",)}, "as_is"), ({"views": ("as_is", "upside")}, "upside"), ({"safe_images": "x"}, "no effect")],
)
def test_views_that_make_no_sense_are_refused(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        EvaluateConfig(judge="oracle", **changes)
