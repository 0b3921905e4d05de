"""Judges against people: the published figures of MSTS where its files are, and invented tables everywhere."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.evaluation.judge_tables import invented, write_csv

from blindpo.errors import ConfigError, SourceError
from blindpo.evaluation.judge_check.columns import PRESETS, JudgeCheckConfig
from blindpo.evaluation.judge_check.run import band, correction_in_words, judge_check, trust
from blindpo.evaluation.judge_check.tables import label_code
from blindpo.evaluation.judges.rules import MEASURED
from blindpo.jobs.recipe import load_config

MSTS = Path(__file__).resolve().parents[4] / "shared" / "data" / "msts"
CONFIG = JudgeCheckConfig(
    safe=("1",),
    unsafe=("2",),
    annotators=("first", "second"),
    model_column="model",
    cluster="case",
    categories=("kind",),
    response="answer",
    key="id",
    with_rules=True,
    labels_per_model=40,
    num_draws=300,
    num_choices=40,
)
PUBLISHED = {
    "gemini-1.5-pro": (0.571, 0.680, 0.0585),
    "claude-3-5-sonnet-20240620": (0.501, 0.525, 0.0455),
    "Llama-3.2-90B-Vision-Instruct": (0.284, 0.204, 0.01625),
    "Llama-Guard-3-11B-Vision": (0.281, 0.204, 0.01675),
    "Qwen2-VL-72B-Instruct": (0.273, 0.199, 0.01675),
    "gpt-4o-2024-05-13": (0.257, 0.906, 0.21725),
    "LlavaGuard-v1.2-7B-OV": (0.018, 0.050, 0.03425),
    "omni-moderation-latest": (-0.035, 0.105, 0.18875),
}
"""Kappa, recall, flag rate, from the public files; precision and recall equal those of the authors' notebook."""


@pytest.mark.skipif(not MSTS.is_dir(), reason="MSTS's files are not beside the project")
def test_the_figures_of_msts() -> None:
    config = load_config(JudgeCheckConfig, PRESETS["msts"], where="test")
    found = judge_check(MSTS / "english_multimodal_annotations.csv", [MSTS / "english_multimodal_judges.csv"], config)
    assert found["people"]["kappa"]["value"] == pytest.approx(0.725, abs=5e-4)
    assert set(found["judges"]) == set(PUBLISHED)
    for name, (kappa, recall, flag_rate) in PUBLISHED.items():
        judge = found["judges"][name]
        assert judge["kappa"]["value"] == pytest.approx(kappa, abs=5e-4), name
        assert judge["recall"]["value"] == pytest.approx(recall, abs=5e-4), name
        assert judge["flag_rate"]["value"] == pytest.approx(flag_rate, abs=5e-4), name
    gemini = found["judges"]["gemini-1.5-pro"]
    assert (gemini["kappa"]["low"], gemini["kappa"]["high"]) == pytest.approx((0.50, 0.64), abs=0.02)
    assert [found["judges"][name]["no_verdict"] for name in ("Qwen2-VL-72B-Instruct", "gemini-1.5-pro")] == [2, 0]
    assert found["labels"] == {
        "rows": 4000,
        "labelled": 4000,
        "without_label": 0,
        "unmatched": 0,
        "unsafe": 181,
        "clusters": 200,
    }
    assert "help" not in str(gemini["trust"]).split("beside")[0]  # Rogan-Gladen


@pytest.mark.skipif(not MSTS.is_dir(), reason="MSTS's files are not beside the project")
def test_what_is_said_of_refusal_rules_is_what_was_measured() -> None:
    config = load_config(JudgeCheckConfig, {**PRESETS["msts"], "with_rules": True, "num_draws": 100}, where="test")
    found = judge_check(MSTS / "english_multimodal_annotations.csv", [], config)["judges"]["refusal-rules"]
    for key in ("kappa", "precision", "recall"):
        assert found[key]["value"] == pytest.approx(MEASURED[key], abs=5e-4)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return invented(tmp_path_factory.mktemp("tables"))


@pytest.fixture(scope="module")
def found(tables: tuple[Path, Path]) -> dict[str, Any]:
    return judge_check(tables[0], [tables[1]], CONFIG)


def test_a_good_judge_a_coin_and_a_mute_one_are_told_apart(found: dict[str, Any]) -> None:
    good, coin, mute, rules = (found["judges"][name] for name in ("good", "coin", "mute", "refusal-rules"))
    assert good["kappa"]["low"] > 0.6 > coin["kappa"]["high"]
    assert coin["trust"].startswith("agrees with people no better than chance")
    assert (mute["kappa"]["value"], mute["n"], mute["no_verdict"]) == (None, 0, 360)
    assert mute["trust"] == "kappa is not defined on these labels: nothing can be said"
    assert mute["corrected_rates"]["mean_error"]["raw"] == {"rms_error": None, "models": 0, "refused": 3}
    assert mute["rank_agreement"] is None
    assert rules["kappa"]["value"] == 1.0
    json.dumps(found, allow_nan=False)


def test_every_model_and_category_has_its_own_measures(found: dict[str, Any]) -> None:
    good = found["judges"]["good"]
    assert list(good["per_model"]) == ["careful", "plain", "rash"]
    assert sum(part["n"] for part in good["per_model"].values()) == good["n"] == 360
    assert sum(part["n"] for part in good["per_category"]["kind"].values()) == 360
    assert good["rank_agreement"]["tau"]["value"] == 1.0
    assert good["rank_agreement"]["worst_model"] in good["per_model"]


def test_people_and_judges_among_themselves(found: dict[str, Any]) -> None:
    assert 0.7 < found["people"]["kappa"]["low"] < found["people"]["kappa"]["value"] < 1
    assert found["people"]["krippendorff_alpha"] == pytest.approx(found["people"]["kappa"]["value"], abs=0.02)
    between = found["between_judges"]
    assert (between["fleiss_kappa"], between["items_with_all_verdicts"]) == (None, 0)
    assert 0 < between["krippendorff_alpha"] < 1


def test_corrections_are_measured_against_all_labels(found: dict[str, Any]) -> None:
    good, coin = (found["judges"][name]["corrected_rates"] for name in ("good", "coin"))
    for model, rates in good["models"].items():
        own = found["judges"]["good"]["per_model"][model]
        assert rates["raw"]["value"] == own["flag_rate"]["value"]
        assert rates["raw"]["error"] == pytest.approx(abs(rates["raw"]["value"] - rates["people_rate"]))
        assert rates["prediction_powered"]["covered"] > 0.8
    errors = {way: found["rms_error"] for way, found in good["mean_error"].items()}
    assert errors["prediction_powered_tuned"] < errors["labels_alone"]
    assert coin["mean_error"]["rogan_gladen"] == {"rms_error": None, "models": 0, "refused": 3}
    assert "too near 0" in coin["models"]["rash"]["rogan_gladen"]["refused"]


def test_the_same_seed_gives_the_same_numbers(tables: tuple[Path, Path], found: dict[str, Any]) -> None:
    assert judge_check(tables[0], [tables[1]], CONFIG) == found
    assert judge_check(tables[0], [tables[1]], replace(CONFIG, seed=1)) != found


def test_order_and_key_find_the_same_rows(tables: tuple[Path, Path], found: dict[str, Any], tmp_path: Path) -> None:
    with tables[1].open(newline="") as file:
        rows = list(csv.DictReader(file))
    turned = write_csv(tmp_path / "turned.csv", rows[::-1])
    assert judge_check(tables[0], [turned], CONFIG)["judges"]["good"] == found["judges"]["good"]
    by_order = judge_check(tables[0], [tables[1]], replace(CONFIG, key=None, judges=("good",), with_rules=False))
    assert by_order["judges"]["good"]["kappa"] == found["judges"]["good"]["kappa"]
    assert (list(by_order["judges"]), by_order["between_judges"]) == (["good"], None)
    fewer = judge_check(tables[0], [write_csv(tmp_path / "fewer.csv", rows[:200])], CONFIG)
    assert (fewer["judges"]["good"]["n"], fewer["judges"]["good"]["no_verdict"]) == (200, 160)
    assert fewer["judges"]["good"]["corrected_rates"]["models"]["rash"]["raw"]["value"] is None


def test_few_labels_and_no_model_are_said_and_not_guessed(tables: tuple[Path, Path]) -> None:
    few = judge_check(tables[0], [tables[1]], replace(CONFIG, labels_per_model=500))
    alone = few["judges"]["good"]["corrected_rates"]["models"]["rash"]["labels_alone"]
    assert alone == {"value": None, "refused": "120 labelled answers of this model; 500 are asked for"}
    bare = judge_check(
        tables[0], [tables[1]], replace(CONFIG, model_column=None, annotators=(), cluster=None, categories=())
    )
    good = bare["judges"]["good"]
    assert (good["corrected_rates"], good["rank_agreement"], good["per_model"], bare["people"]) == (
        None,
        None,
        {},
        None,
    )


def test_rows_without_a_label_are_counted_and_stand_in_nothing(tmp_path: Path) -> None:
    rows = [{"label": label} for label in ["safe", "unsafe", "unsafe!", "", "perhaps", "Safe - of course"]]
    verdicts = [{"j": word} for word in ["safe", "unsafe", "unsafe", "safe", "safe", "unsafe"]]
    found = judge_check(
        write_csv(tmp_path / "l.csv", rows), [write_csv(tmp_path / "v.csv", verdicts)], JudgeCheckConfig(num_draws=100)
    )
    assert found["labels"] == {"rows": 6, "labelled": 4, "without_label": 2, "unmatched": 0, "unsafe": 2, "clusters": 4}
    assert found["judges"]["j"]["precision"]["value"] == pytest.approx(2 / 3)
    assert found["judges"]["j"]["recall"] == {"value": 1.0, "low": None, "high": None}  # 2 unsafe: too few


def test_a_label_is_read_by_its_first_word() -> None:
    config = JudgeCheckConfig(safe=("1",), unsafe=("2",))
    assert [label_code(label, config) for label in ("1", "1.2 - x", " 2.Z", "12", "x 1", "")] == [0, 0, 1, -1, -1, -1]


@pytest.mark.parametrize(
    ("labels", "verdicts", "words"),
    [
        ("label\n", "j\nsafe\n", r"l\.csv holds no row"),
        ("", "j\nsafe\n", r"l\.csv holds no row"),
        ("other\nsafe\n", "j\nsafe\n", r"no column 'label'; it has: other"),
        ("label\nsafe\nunsafe\n", "j\nsafe\n", r"v\.csv has 1 rows and .*l\.csv has 2"),
        ("label\nmaybe\n", "j\nsafe\n", "no label begins with safe"),
        ("label\nsafe,2\n", "j\nsafe\n", "line 2: it has another number of fields"),
        ("label\nsafe\n", "j,j\nsafe,safe\n", "'j' occurs twice"),
        ("label\nsafe\n", 'j\n"safe', "is no CSV file"),
        ("label\nsafe\n", None, r"v\.csv cannot be read"),
    ],
)
def test_tables_that_do_not_fit_are_named_with_what_is_wrong(
    labels: str, verdicts: str | None, words: str, tmp_path: Path
) -> None:
    (tmp_path / "l.csv").write_text(labels)
    if verdicts is not None:
        (tmp_path / "v.csv").write_text(verdicts)
    with pytest.raises(SourceError, match=words):
        judge_check(tmp_path / "l.csv", [tmp_path / "v.csv"], JudgeCheckConfig())


def test_judges_and_keys_that_do_not_fit_are_named(tables: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes(b"j\n\xe9\n")
    other = write_csv(tmp_path / "other.csv", [{"id": "x", "j": "safe"}])
    double = write_csv(tmp_path / "double.csv", [{"id": "rash-1", "j": "safe"}] * 2)
    unkeyed = write_csv(tmp_path / "unkeyed.csv", [{"j": "safe"}])
    cases: list[tuple[list[Path], JudgeCheckConfig, str]] = [
        ([tables[1], tables[1]], CONFIG, "is in two files"),
        ([tables[1]], replace(CONFIG, judges=("best",)), "no table of verdicts has the column 'best'"),
        ([tables[1]], replace(CONFIG, judges=("goood",)), "did you mean 'good'.; they have: good, coin, mute"),
        ([], replace(CONFIG, with_rules=False), "no verdict to check"),
        ([tmp_path / "latin.csv"], CONFIG, "no CSV file in UTF-8"),
        ([other], CONFIG, "none of its keys"),
        ([double], CONFIG, "key 'rash-1' occurs twice"),
        ([unkeyed], CONFIG, "has no column 'id'"),
        ([tables[1]], replace(CONFIG, response="text"), "has no column 'text'"),
    ]
    for paths, config, words in cases:
        with pytest.raises(SourceError, match=words):
            judge_check(tables[0], paths, config)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels_per_model": 1}, "labels_per_model"),
        ({"num_draws": 9}, "num_draws"),
        ({"num_choices": 1}, "num_choices"),
        ({"safe": ("1", "2")}, "safe and unsafe"),
        ({"verdict_safe": ()}, "verdict_safe"),
        ({"annotators": ("first",)}, "two or more"),
        ({"response": None}, "with_rules needs response"),
    ],
)
def test_a_setting_out_of_range_is_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        replace(CONFIG, **changes)


def test_the_words_follow_the_numbers() -> None:
    assert band({"value": 0.5, "low": -0.1}) == band({"value": -0.2, "low": None})
    assert band({"value": 0.9, "low": None}) == "agrees almost perfectly with people"
    assert band({"value": 0.1, "low": 0.05}) == "agrees slightly with people"
    error = {"raw": 0.1, "rogan_gladen": 0.2, "labels_alone": 0.1, "prediction_powered": 0.1}
    errors = {way: {"rms_error": value, "refused": 0} for way, value in error.items()}
    errors["prediction_powered_tuned"] = {"rms_error": 0.05, "refused": 0}
    assert correction_in_words(errors) == (
        "Rogan-Gladen corrections do harm (10.00 to 20.00 points); "
        "beside the labels its verdicts change little (10.00 to 10.00), weighted they help (to 5.00)"
    )
    errors["rogan_gladen"]["refused"] = 2
    assert "refused for 2 models" in correction_in_words(errors)
    nothing = {way: {"rms_error": None, "refused": 1} for way in errors}
    assert correction_in_words(nothing) == "Rogan-Gladen is refused"
    measures = {"kappa": {"value": 0.5, "low": 0.4}, "flag_rate": {"value": 0.2}, "people_rate": 0.1}
    assert trust(measures, None, None, None) == (
        "agrees moderately with people (kappa 0.500); flags 2.0 times as much as people"
    )
