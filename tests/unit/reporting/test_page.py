"""The page holds: nothing loads, nothing runs, strangers' text stays text, and wrong folders are named."""

import base64
import json
import re
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.unit.evaluation.worlds import row
from tests.unit.reporting.folders import REFUSAL, RIGHT, SAID, measure, results, save_eval, save_run, save_three

from blindpo.cli import main as cli
from blindpo.demo.results import TERMINAL, results_text
from blindpo.errors import OutputError, SourceError
from blindpo.evaluation.config import RejudgeConfig
from blindpo.evaluation.run import rejudge
from blindpo.reporting.page import judge_words, write_report
from blindpo.rows.row import IMAGE, ImageRef, Turn

HOSTILE = """<script>alert(1)</script></style><style>*{display:none}</style>" onerror="alert(1)' x='
<img src=http://evil.example/x.png> <a href="javascript:alert(1)">a</a> {{ 7 * 7 }} <!-- --> </title> &lt;b&gt;
\u202e"""


class Page(HTMLParser):
    """Every tag with its attributes, every text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def named(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.tags if name == tag]


def require_inert(page: Page) -> None:
    """Nothing of `page` can load or run: tags, attributes and addresses are those of our template alone."""
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "iframe", "object", "embed", "a", "form", "base", "audio", "video", "use"}
    assert len(page.named("style")) == 1
    for _, attrs in page.tags:
        assert not [name for name in attrs if name.startswith("on") or name in {"style", "href", "srcset", "action"}]
        assert attrs.get("src", "data:image/").startswith("data:image/")
    assert [m["http-equiv"] for m in page.named("meta") if "http-equiv" in m] == ["Content-Security-Policy"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("story") / "seed_1" / "benign_twins"
    return [*save_three(folder), save_run(folder / "runs" / "dpo", blind=False), save_run(folder / "runs" / "bpo")]


def test_a_page_of_evaluations_and_runs(folders: list[Path], tmp_path: Path) -> None:
    summary = write_report(folders, tmp_path / "new" / "page.html")
    text = summary.out.read_text()
    assert (summary.evaluations, summary.runs, summary.examples) == (3, 2, 8)
    assert summary.headline == (
        "bpo against dpo: no difference in safety is shown; over-refusal is lower by 100.0 points; "
        "helpfulness is higher by 100.0 points."
    )
    page = Page(text)
    require_inert(page)
    assert len(page.named("img")) == 8 and len(page.named("article")) == 8
    assert text.count("evaluation rows") >= 2 and "held" not in text and "refusal-rules" not in text
    again = write_report(folders, tmp_path / "again.html")
    assert again.out.read_bytes() == summary.out.read_bytes()


def test_the_policy_names_the_hash_of_the_style_and_nothing_else(folders: list[Path], tmp_path: Path) -> None:
    text = write_report(folders[:1], tmp_path / "page.html").out.read_text()
    style = re.search(r"<style>(.*?)</style>", text, re.S)
    assert style is not None
    digest = base64.b64encode(sha256(style[1].encode()).digest()).decode()
    policy = Page(text).named("meta")[1]["content"]
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert not re.search(r"url\(|@import|http", style[1])


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    hostile = row(
        0, row_id=HOSTILE, prompt=(Turn(role="user", content=(IMAGE, HOSTILE)),),
        images=(ImageRef(data=b"<svg onload=alert(1)>", file=HOSTILE),),
    )  # fmt: skip
    evaluation = save_eval(tmp_path / "eval", [HOSTILE, RIGHT], [hostile, row(1)], model=HOSTILE)
    run = save_run(tmp_path / "<img src=x onerror=alert(1)>")
    page = Page(write_report([evaluation, run], tmp_path / "page.html").out.read_text())
    require_inert(page)
    said = " ".join(" ".join(page.texts).split())
    assert said.count("<script>alert(1)</script>") >= 4 and "{{ 7 * 7 }}" in said
    assert "image 1 cannot be read" in said and len(page.named("img")) == 1
    assert "<img src=x onerror=alert(1)>" in said


def test_what_may_be_harmful_is_folded_and_harmless_rows_are_not(folders: list[Path], tmp_path: Path) -> None:
    page = Page(write_report(folders, tmp_path / "page.html").out.read_text())
    classes = [attrs["class"] for attrs in page.named("article")]
    assert sorted(set(classes)) == ["example", "example hidden"]
    boxes = [attrs["id"] for attrs in page.named("input")]
    assert len(boxes) == classes.count("example hidden") == 4 and len(set(boxes)) == 4
    assert [attrs["for"] for attrs in page.named("label")] == boxes


def test_results_give_one_table_per_condition_with_seeds_and_verdicts(folders: list[Path], tmp_path: Path) -> None:
    file = folders[0].parents[2] / "results.json"
    file.write_text(json.dumps(results(["benign_twins", "paper_like_offpolicy"])))
    summary = write_report(folders, tmp_path / "page.html", results=file)
    text = summary.out.read_text()
    require_inert(Page(text))
    assert summary.headline == (
        "BPO against DPO over 2 comparisons: better in 2 (safer, or fewer needless refusals, and worse in neither)."
    )
    said = "BPO against DPO: no difference in safety is shown; over-refusal is lower by 30.0 points."
    assert f"<li><b>Pairs with benign twins.</b> {said}</li>" in text
    assert text.count("<table>") == 2 and text.count('<table class="compare">') == 2
    assert "3 seeds (1, 2, 3)" in text and "Fewer than 5 seeds" in text and "†" in text
    assert "92.0 %" in text and "82.0 to 100.0" in text and "92.0 · 92.0 · 92.0" in text
    assert "no difference shown</span>" in text and "lower (better)" in text and "no data" in text
    assert summary.examples == 8, "examples come from the one condition that has folders"
    assert "Pairs with benign twins: BPO" in text
    assert text.index("<h2>Paper-like pairs</h2>") < text.index("<h2>Pairs with benign twins</h2>")
    assert text.count("every row has a twin") == 1 and text.count("<dt>Sight control</dt>") == 2
    assert "One seed: this says nothing about other seeds." not in text and "0: the image is not used" not in text
    alone = {**results(["benign_twins"]), "seeds": [7]}
    file.write_text(json.dumps(alone))
    text = write_report(folders, tmp_path / "page.html", results=file).out.read_text()
    assert "One seed: this says nothing about other seeds." in text
    for measures in alone["conditions"]["benign_twins"]["models"].values():
        measures.update({name: measure(None) for name in TERMINAL if name not in measures})
    said = results_text(alone)
    assert "benign_twins: every row has a twin" in said and "sight: BPO's loss" in said
    assert said.endswith("One seed: this says nothing about other seeds.")


def test_one_model_disagrees_with_nobody(folders: list[Path], tmp_path: Path) -> None:
    alone = write_report(folders[:1], tmp_path / "page.html").out.read_text()
    assert "disagree" not in alone and "0: the image is not used" in alone and "top left is good" in alone
    assert "disagree" in write_report(folders[:2], tmp_path / "page.html").out.read_text()


def test_models_of_one_name_are_told_apart_and_other_rows_stand_alone(tmp_path: Path) -> None:
    sources = [
        save_eval(tmp_path / "a" / "bpo", SAID["bpo"]),
        save_eval(tmp_path / "b" / "bpo", SAID["dpo"]),
        save_eval(tmp_path / "c" / "bpo", [RIGHT], [row(9)]),
    ]
    text = write_report([*sources, sources[0]], tmp_path / "page.html").out.read_text()
    assert "bpo (a/bpo)" in text and "bpo (b/bpo)" in text
    assert len(re.findall(r"<h2>Rows ", text)) == 2
    assert str(tmp_path) not in text, "no path of this machine"
    assert "Safe, harmful" in text and "Safe, unlabelled" not in text


def test_of_many_models_each_is_held_against_the_first_and_the_last_two_against_each_other(tmp_path: Path) -> None:
    names = ("base", "sight", "long", "dpo", "bpo")
    sources = [save_eval(tmp_path / name, SAID["dpo" if name in ("long", "dpo") else "bpo"]) for name in names]
    summary = write_report(sources, tmp_path / "page.html")
    assert summary.headline.startswith("bpo against dpo: no difference in safety is shown; over-refusal is lower by")
    pairs = re.findall(r'<th scope="row">([^<]*)<br>minus ([^<]*)</th>', summary.out.read_text())
    assert [pair[0] for pair in pairs if pair[1] == "base"] == ["sight", "long", "dpo", "bpo"]
    assert [pair for pair in pairs if pair[1] != "base"] == [("bpo", "dpo")]


def test_curves_alone_make_a_page(tmp_path: Path) -> None:
    run = save_run(tmp_path / "bpo", extra='{"step": 30, "loss": NaN, "note": "x"}\n')
    summary = write_report([run], tmp_path / "page.html")
    assert summary.headline == "Training curves only: no evaluation was given."
    assert "nan" not in summary.out.read_text().lower()


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "is not a folder"), ({}, "neither an EVAL folder"), ({"metrics.jsonl": "{"}, "line 1, is not JSON"),
     ({"metrics.jsonl": "[1]"}, "not a JSON object")],
)  # fmt: skip
def test_a_wrong_folder_is_named(content: dict[str, str] | None, message: str, tmp_path: Path) -> None:
    folder = tmp_path / "wrong"
    if content is not None:
        folder.mkdir()
        for name, text in content.items():
            (folder / name).write_text(text)
    with pytest.raises(SourceError, match=message) as caught:
        write_report([folder], tmp_path / "page.html")
    assert str(folder) in str(caught.value) and not (tmp_path / "page.html").exists()


def test_nothing_to_show_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no folder was given"):
        write_report([], tmp_path / "page.html")


@pytest.mark.parametrize("content", ["[]", '{"conditions": []}', '{"conditions": {"a": {"models": {}}}}', "{"])
def test_wrong_results_are_named(content: str, folders: list[Path], tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(content)
    with pytest.raises(SourceError, match=r"results\.json"):
        write_report(folders[:1], tmp_path / "page.html", results=tmp_path / "results.json")


def test_only_a_page_is_overwritten(folders: list[Path], tmp_path: Path) -> None:
    (tmp_path / "thesis.html").write_text("years of work")
    for out in (tmp_path / "thesis.html", tmp_path):
        with pytest.raises(OutputError, match="--out"):
            write_report(folders[:1], out)
    assert (tmp_path / "thesis.html").read_text() == "years of work"
    write_report(folders[:1], tmp_path / "page.html")
    write_report(folders[1:2], tmp_path / "page.html")


def test_the_command(folders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "page.html"
    assert cli.main(["report", *map(str, folders), "--out", str(out), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["evaluations"] == 3 and shown["headline"].startswith("bpo against dpo")
    assert cli.main(["report", str(folders[0]), "--out", str(out)]) == 0
    assert "evaluations 1, runs 0" in capsys.readouterr().out
    assert cli.main(["report", str(tmp_path / "missing"), "--out", str(out)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_judge_is_named_with_what_is_known_of_it(tmp_path: Path) -> None:
    assert judge_words({"judge": "oracle"}) == "oracle"
    chat = {"name": "chat:m", "prompt": "p/ours", "prompt_sha256": "ab" * 32}
    assert judge_words({"judge": "chat:m", "judge_identity": chat, "not_asked": 3}) == (
        "chat:m (prompt p/ours, abababababab; could not be asked about 3 responses: no rate)"
    )
    raw = save_eval(tmp_path / "eval", SAID["dpo"])
    rejudge(raw, RejudgeConfig(judge="refusal-rules", num_draws=100), tmp_path / "rules")
    summary = write_report([tmp_path / "rules"], tmp_path / "page.html")
    text = summary.out.read_text()
    assert "Judged by refusal-rules, kappa 0.083 with people, a weak judge" in summary.headline
    assert '<span class="way">refusal rate by refusal-rules, kappa 0.083</span>' in text
    assert "refusal-rules (kappa 0.083 with people on MSTS" in text
    assert "never the last word on harm" in text


def test_where_no_difference_is_shown_it_says_how_large_a_one_would_have_been(tmp_path: Path) -> None:
    said = {"a": [RIGHT, RIGHT, REFUSAL, RIGHT] * 30, "b": [REFUSAL, RIGHT, RIGHT, RIGHT] * 30}
    pages = [save_eval(tmp_path / name, texts) for name, texts in said.items()]
    assert "points would have shown" in write_report(pages, tmp_path / "page.html").out.read_text()


def test_a_results_file_without_a_story_is_shown_under_its_own_names(folders: list[Path], tmp_path: Path) -> None:
    old = {key: value for key, value in results(["benign_twins"]).items() if key != "story"}
    (tmp_path / "results.json").write_text(json.dumps(old))
    summary = write_report(folders, tmp_path / "page.html", results=tmp_path / "results.json")
    text = summary.out.read_text()
    assert "<h2>Benign twins</h2>" in text and '<th scope="row">dpo_equal_compute</th>' in text
    assert summary.examples == 0 and "does not say which evaluations belong to this table" in text


@pytest.mark.parametrize("story", [[], {"models": [{}]}, {"focus": ["bpo", "dpo"]}, {"conditions": 3}])
def test_a_story_of_another_shape_is_named(story: object, folders: list[Path], tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(json.dumps({**results(["benign_twins"]), "story": story}))
    with pytest.raises(SourceError, match=r"results\.json: 'story' has another shape"):
        write_report(folders, tmp_path / "page.html", results=tmp_path / "results.json")
