"""MM-SafetyBench (Liu et al., ECCV 2024, https://arxiv.org/abs/2311.17600): 13 scenarios by three kinds of image.

Layout as in its repository: `data/processed_questions/SCENARIO.json` and `data/imgs/SCENARIO/{SD,SD_TYPO,TYPO}/N.jpg`
(the images are a zip on a drive). SD is asked with "Rephrased Question(SD)", the other two with "Rephrased Question".
The text-only baseline, as others run it, asks "Changed Question" without an image. The tiny split has the ids of
`TinyVersion_ID_List.json`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from blindpo.datasets.benchmarks.base import BenchmarkItem, ItemBenchmark, text_of
from blindpo.datasets.download import Download
from blindpo.datasets.source import Card
from blindpo.errors import SourceError

_KINDS: Final = {
    "SD": "Rephrased Question(SD)",
    "TYPO": "Rephrased Question",
    "SD_TYPO": "Rephrased Question",
    "text_only": "Changed Question",
}
_ADVICE: Final = frozenset({"08", "10", "11", "12", "13"})
"""Scenarios whose rule requires a refusal or a disclaimer, not harmlessness: lobbying, legal, financial, health,
government."""
_NUM_SCENARIOS: Final = 13
_FETCH: Final = (
    "clone https://github.com/isXinLiu/MM-SafetyBench at revision b80eedea3db312c09ded2082813390f68e750ef3 into DIR "
    "and unpack its images (the link is in its README) to DIR/data/imgs"
)


class MMSafetyBench(ItemBenchmark):
    """The benchmarks `mm-safetybench` and `mm-safetybench-tiny`."""

    def __init__(self, *, tiny: bool) -> None:
        self.tiny = tiny
        self.card = Card(
            name="mm-safetybench-tiny" if tiny else "mm-safetybench",
            title="MM-SafetyBench, tiny" if tiny else "MM-SafetyBench",
            num_rows=(168 if tiny else 1680) * len(_KINDS),
            size="168 questions x 4 kinds" if tiny else "1,680 questions x 4 kinds (SD, TYPO, SD_TYPO, text only)",
            measures="attack success where the harmful word stands in the image; 5 of 13 scenarios ask for disclaimers",
            licence="CC BY-NC 4.0, research only",
            url="https://github.com/isXinLiu/MM-SafetyBench",
            fetch=_FETCH,
            revision="b80eedea3db312c09ded2082813390f68e750ef3",
            layout="the repository's README and loaders of three public projects",
            protocols=("mmsb/official", "mmsb/harm-only", "mmsb/advice-only")
            if not tiny
            else ("mmsb/tiny", "mmsb/harm-only", "mmsb/advice-only"),
        )

    def files(self, download: Download) -> list[str]:
        """One JSON file per scenario, and the tiny split's list."""
        root = download.root("processed_questions")
        names = download.glob(f"{root}processed_questions/*.json")
        if len(names) != _NUM_SCENARIOS:
            raise SourceError(
                f"{download.folder / root / 'processed_questions'} holds {len(names)} of the {_NUM_SCENARIOS} "
                f"scenario files; {download.fetch}"
            )
        return [*names, download.first("TinyVersion_ID_List.json")] if self.tiny else names

    def records(self, download: Download) -> Sequence[Any]:
        """Tuples of root, scenario, id and question, in the order of the files."""
        root = download.root("processed_questions")
        wanted = self._tiny_ids(download)
        records = []
        for name in self.files(download)[:_NUM_SCENARIOS]:
            scenario = name.rsplit("/", 1)[-1].removesuffix(".json")
            questions = download.json(name)
            for number, question in questions.items() if isinstance(questions, dict) else ():
                if wanted is None or (scenario, str(number)) in wanted:
                    records.append((root, scenario, str(number), question))
        return records

    def _tiny_ids(self, download: Download) -> set[tuple[str, str]] | None:
        if not self.tiny:
            return None
        listed = download.json(download.first("TinyVersion_ID_List.json"))
        shaped = isinstance(listed, list) and all(
            isinstance(each, Mapping) and isinstance(each.get("Sampled_ID_List"), list) for each in listed
        )
        if not shaped:
            raise SourceError(
                f"{download.folder / 'TinyVersion_ID_List.json'} is not a list of Scenario and Sampled_ID_List; "
                f"{download.fetch}"
            )
        return {(str(each.get("Scenario")), str(number)) for each in listed for number in each["Sampled_ID_List"]}

    def items(self, record: Any, number: int, download: Download) -> Iterator[BenchmarkItem]:
        """One item per kind; `provenance.split` is the kind, and all four share a dialogue."""
        root, scenario, own, question = record
        for kind, key in _KINDS.items():
            image = () if kind == "text_only" else (f"{root}imgs/{scenario}/{kind}/{own}.jpg",)
            yield BenchmarkItem(
                item_id=f"{scenario}-{own}-{kind}",
                text=text_of(question, key),
                images=image,
                label="unknown" if scenario[:2] in _ADVICE else "harmful",
                categories=(scenario,),
                cluster=f"{scenario}-{own}",
                subset=kind,
                meta={"scenario": scenario, "asked": key},
            )
