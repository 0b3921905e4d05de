"""A build from end to end: rows, funnel, card; the same bytes on any engine; bad rows cost themselves alone."""

import csv
import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.folder_bytes import contents
from tests.tiny_models import save_tiny_llava
from tests.unit.building.worlds import DIALOGUES, dialogue, image, write_catalogue, write_lines

from blindpo.cli.main import main
from blindpo.rows.row import IMAGE
from blindpo.rows.shards import read_rows

ROOT = Path(__file__).parents[3]


@pytest.fixture
def world(tmp_path: Path) -> Path:
    write_catalogue(tmp_path / "cat")
    write_lines(tmp_path / "hh" / "train.jsonl", DIALOGUES)
    return tmp_path


def build(world: Path, out: str, *words: str, source: str = "hh/train.jsonl") -> int:
    base = ["build", str(world / source), "--catalogue", str(world / "cat"), "--out", str(world / out)]
    return main([*base, "--workers", "1", *words])


def require_sums(funnel: list[dict[str, Any]]) -> None:
    for stage in funnel:
        assert stage["in"] == stage["kept"] + sum(stage["rejected"].values())
    for before, after in itertools.pairwise(funnel):
        assert after["in"] == before["out"]


def test_dialogues_become_rows_with_images(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build(world, "data") == 0
    assert "3 rows with 3 distinct images" in capsys.readouterr().out
    eldoria, foundation, mira = read_rows(world / "data")
    assert eldoria.row_id == "hh-rlhf-train-1-3" and eldoria.prompt[-1].content[0] is IMAGE
    assert eldoria.images[0].data == image("Eldoria") and eldoria.images[0].licence == "CC0"
    assert eldoria.entity.text == "Eldoria" and eldoria.entity.type == "LOC"
    assert eldoria.prompt[-1].text == f"Is {eldoria.entity.replacement} pretty?"
    assert eldoria.text_prompt[-1].text == "Is Eldoria pretty?"
    assert (eldoria.provenance.source, eldoria.provenance.split) == ("build/hh-rlhf", "train")
    assert foundation.entity.type == "ORG" and "the Brightwell" not in foundation.prompt[-1].text
    assert [turn.num_images for turn in mira.prompt] == [1, 0, 0]
    assert not any("Vance" in turn.text for turn in mira.prompt)
    funnel = json.loads((world / "data" / "funnel.json").read_text())["funnel"]
    require_sums(funnel)
    reasons = {stage["stage"]: stage["rejected"] for stage in funnel}
    assert reasons["entities"] == {"no-entity": 1}
    assert reasons["match"] == {"no-image": 2}
    assert reasons["filter"] == {"duplicate-dialogue": 1, "one-row-per-dialogue": 1, "role-marker": 1}


def test_what_a_data_folder_says_of_itself(world: Path) -> None:
    assert build(world, "data") == 0
    rejects = [json.loads(line) for line in (world / "data" / "rejects.jsonl").read_text().splitlines()]
    assert Counter(reject["stage"] for reject in rejects) == {"entities": 1, "match": 2, "filter": 3}
    assert all(reject["reason"] and reject["field"] and reject["row_id"] for reject in rejects)
    card = (world / "data" / "README.md").read_text()
    assert "Content warning" in card and "| CC0 | 3 | 3 |" in card and "42537 to 5392" in card
    assert "pretty" not in card and str(world) not in card
    images = list(csv.DictReader((world / "data" / "attributions.csv").read_text().splitlines()))
    assert {one["author"] for one in images} == {"A. Nobody"} and len(images) == 3
    assert main(["check", str(world / "data"), "--strict"]) == 0
    recipe = str(world / "data" / "recipe.yaml")
    base = ["build", str(world / "hh/train.jsonl"), "--out", str(world / "again"), "--workers", "1"]
    assert main([*base, "--recipe", recipe]) == 0
    assert contents(world / "again") == contents(world / "data")


def test_the_papers_recipe_keeps_what_ours_rejects_and_marks_it(world: Path) -> None:
    assert build(world, "data", "--recipe", str(ROOT / "recipes" / "build_paper.yaml")) == 0
    rows = {row.row_id: row for row in read_rows(world / "data")}
    assert len(rows) == 7
    mira = rows["hh-rlhf-train-3-11"]
    assert [turn.num_images for turn in mira.prompt] == [0, 0, 1]
    assert mira.prompt[0].text == "Who is Mira Vance?"
    assert json.loads(mira.extra)["build"]["flags"] == ["leak-history", "leak-part"]
    assert json.loads(rows["hh-rlhf-train-7-3"].extra)["build"]["flags"] == ["duplicate-dialogue"]


def test_processes_and_shards_of_any_size_give_the_same_rows(world: Path) -> None:
    assert build(world, "one", "--set", "shard_dialogues=2") == 0
    assert build(world, "two", "--set", "shard_dialogues=2", "--workers", "2") == 0
    assert contents(world / "one") == contents(world / "two")
    assert build(world, "big") == 0
    assert list(read_rows(world / "big")) == list(read_rows(world / "one"))


def test_one_bad_row_in_a_hundred_costs_no_good_one(world: Path) -> None:
    good = [dialogue(f"Is Eldoria pretty, number {n}?") for n in range(300)]
    bad: list[object] = ["{", json.dumps({"chosen": "\n\nHuman: half \ud800"}), dialogue("see <image> Eldoria")]
    mixed = [item for n, one in enumerate(good) for item in ([bad[n // 100], one] if n % 100 == 50 else [one])]
    write_lines(world / "hh" / "train.jsonl", mixed)
    assert build(world, "data", "--set", "shard_dialogues=64") == 0
    rows = list(read_rows(world / "data"))
    assert [row.text_prompt[-1].text for row in rows] == [f"Is Eldoria pretty, number {n}?" for n in range(300)]
    rejects = [json.loads(line) for line in (world / "data" / "rejects.jsonl").read_text().splitlines()]
    assert [(r["stage"], r["row_id"], r["reason"].partition(":")[0]) for r in rejects] == [
        ("read", "hh-rlhf-train-51", "not-json"),
        ("read", "hh-rlhf-train-152", "the text holds half of a surrogate pair, which is no character"),
        ("read", "hh-rlhf-train-253", "image-tag"),
    ]


MONSTERS = {
    "lines": "\n" * 200_000 + "Eldoria",
    "letters": "a" * 200_000 + " Eldoria",
    "one name": "the Eldoria " * 40_000,
    "names": " ".join(f"Vance{n} Port Quill Lumen" for n in range(20_000)),
}


@pytest.mark.parametrize("name", MONSTERS)
@pytest.mark.parametrize("recipe", ["default", "paper"])
def test_a_monstrous_dialogue_neither_hangs_nor_floods(world: Path, name: str, recipe: str) -> None:
    write_lines(world / "hh" / "train.jsonl", [dialogue(MONSTERS[name]), dialogue("Is Eldoria pretty?")])
    words = ["--recipe", str(ROOT / "recipes" / f"build_{recipe}.yaml"), "--set", "recognizers=catalogue,capitalised"]
    assert build(world, "data", *words) == 0
    assert any(row.text_prompt[-1].text == "Is Eldoria pretty?" for row in read_rows(world / "data"))
    assert (world / "data" / "rejects.jsonl").stat().st_size < 10_000


def test_splits_get_folders_and_no_dialogue_is_in_two(world: Path) -> None:
    write_lines(world / "hh" / "test.jsonl", DIALOGUES[:2])
    assert build(world, "data", source="hh") == 0
    assert [row.provenance.split for row in read_rows(world / "data" / "test")] == ["test", "test"]
    trained = list(read_rows(world / "data" / "train"))
    assert [row.row_id for row in trained] == ["hh-rlhf-train-3-11"]
    assert len(list(read_rows(world / "data"))) == 3
    assert main(["check", str(world / "data" / "train"), "--strict"]) == 0
    (world / "hh" / "test.jsonl").unlink()
    (world / "hh" / "train.jsonl").rename(world / "hh" / "pairs.jsonl")
    assert build(world, "halved", "--set", "test_share=0.5", source="hh/pairs.jsonl") == 0
    parts = [{row.row_id for row in read_rows(world / "halved" / name)} for name in ("train", "test")]
    assert all(parts) and not parts[0] & parts[1] and len(parts[0] | parts[1]) == 3


def test_rows_of_any_import_are_a_source(world: Path) -> None:
    assert main(["import", "hh-rlhf", str(world / "hh"), "--out", str(world / "rows")]) == 0
    assert build(world, "data", source="rows") == 0
    first = [(row.prompt, row.images, row.chosen) for row in read_rows(world / "data")]
    assert build(world, "direct") == 0
    assert [(row.prompt, row.images, row.chosen) for row in read_rows(world / "direct")] == first
    assert build(world, "all", "--recipe", str(ROOT / "recipes" / "build_paper.yaml"), source="rows") == 0
    assert build(world, "once", source="all") == 0  # rows of one dialogue, one for each entity, are one dialogue again
    assert [row.text_prompt for row in read_rows(world / "once")] == [r.text_prompt for r in read_rows(world / "data")]
    assert build(world, "twice", source="data") == 0
    assert [row.text_prompt for row in read_rows(world / "twice")] == [r.text_prompt for r in read_rows(world / "data")]


def test_a_built_folder_is_data_as_any_other(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build(world, "data") == 0
    model = save_tiny_llava(world / "model")
    words = ["blind", str(world / "data"), "--model", str(model), "--out", str(world / "blinded")]
    assert main([*words, "--set", "max_new_tokens=4"]) == 0
    assert all(len(row.blind) == 1 for row in read_rows(world / "blinded"))
    for name, out in (("mmsafe-po", "o.json"), ("llava", "l.json"), ("trl", "o")):
        words = ["export", name, str(world / "data"), "--out", str(world / out)]
        assert main([*words, "--images", str(world / f"images-{name}")]) == 0
    capsys.readouterr()
    assert main(["export", "hh-rlhf", str(world / "data"), "--out", str(world / "h.jsonl")]) == 1
    assert "text alone" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "filters=leak-questions"], "unknown rule 'leak-questions'"),
        (["--set", "flags=unsound"], "among the filters"),
        (["--set", "rephrase=gpt"], "allowed: template, chat:MODEL"),
        (["--set", "categorise=chat"], "allowed: none, rules"),
        (["--set", "recognizers=spacy"], "allowed: catalogue, capitalised, hf:MODEL"),
        (["--set", "sources=wiki"], "unknown image source"),
        (["--set", "test_share=2"], "from 0 to 1"),
        (["--workers", "0"], "1 or more"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_made(
    world: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build(world, "data", *words) == 2
    assert said in capsys.readouterr().err and not (world / "data").exists()


def test_nothing_kept_is_said_with_the_commonest_reason(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_lines(world / "hh" / "train.jsonl", [dialogue("Is it pretty?")])
    assert build(world, "data") == 1
    assert "no row could be built; most often: no-entity" in capsys.readouterr().err
