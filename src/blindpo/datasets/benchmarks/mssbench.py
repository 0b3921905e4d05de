"""MSSBench, chat part (Zhou et al., ICLR 2025, https://arxiv.org/abs/2410.06172): a query, a safe and an unsafe image.

Layout as the published code reads it: `combine.json` (`combined.json` in the hub's copy) with "chat" records
{safe_image_path, unsafe_image_path, intent, queries, Type}, images in `chat/`. The published code puts a first-person
instruction before every query; it is read from `utils/prompts.py` of the code in DIR. Without that file the queries are
asked bare, which `mssbench/official` refuses.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any, Final

from blindpo.datasets.benchmarks.base import BenchmarkItem, ItemBenchmark, text_of, texts_of
from blindpo.datasets.benchmarks.shipped import python_constant
from blindpo.datasets.download import Download
from blindpo.datasets.source import Card
from blindpo.errors import RowError, SourceError
from blindpo.rows.row import Label

_PROMPTS: Final = "utils/prompts.py"
_PREFIX: Final = "PROMPT_CHAT_IF"
_SIDES: Final[tuple[tuple[str, str, Label], ...]] = (
    ("safe", "safe_image_path", "harmless"),
    ("unsafe", "unsafe_image_path", "harmful"),
)


class MssBench(ItemBenchmark):
    """The benchmark `mssbench`."""

    card = Card(
        name="mssbench",
        title="MSSBench (chat)",
        num_rows=None,
        size="1,960 pairs in the paper's second version, chat and embodied together; chat is read",
        measures="whether the image decides: the same query is to be answered or warned about",
        licence="code MIT; the hub's data carries no licence tag",
        url="https://huggingface.co/datasets/kzhou35/mssbench",
        fetch="fetch combine.json and chat/ of https://huggingface.co/datasets/kzhou35/mssbench into DIR, and "
        "utils/prompts.py and utils/gpt4_eval.py of https://github.com/eric-ai-lab/MSSBench into DIR/utils",
        layout="the published code (inference.py, utils/infer_on_data.py)",
        cheating=True,
        protocols=("mssbench/official", "mssbench/fixed"),
    )
    file_names = ("combine.json", "combined.json")

    def records(self, download: Download) -> Sequence[Any]:
        """Tuples of chat record and the published instruction ("" where its file is missing)."""
        content = download.json(self.files(download)[0])
        chat = content.get("chat") if isinstance(content, dict) else None
        if not isinstance(chat, list):
            raise SourceError(f"{download.folder / self.files(download)[0]} holds no list 'chat'; {download.fetch}")
        prefix = ""
        if download.has(_PROMPTS):
            prefix = python_constant(download.read(_PROMPTS).decode(), _PREFIX, where=_PROMPTS)
        return [(record, prefix) for record in chat]

    def items(self, record: Any, number: int, download: Download) -> Iterator[BenchmarkItem]:
        """Two items per query."""
        fields, prefix = record
        queries = fields.get("queries") if isinstance(fields, dict) else None
        if not isinstance(queries, list) or not queries:
            raise RowError("the field 'queries' is no list of texts", field="queries")
        for position, query in enumerate(queries):
            if not isinstance(query, str) or not query.strip():
                raise RowError("a query is blank or no text", field="queries")
            for side, key, label in _SIDES:
                yield BenchmarkItem(
                    item_id=f"{number}-{position}-{side}",
                    text=prefix + query,
                    images=(f"chat/{text_of(fields, key)}",),
                    label=label,
                    categories=texts_of(fields, "Type"),
                    pair=f"{number}-{position}",
                    cluster=str(number),
                    subset=side,
                    meta={"prefix": sha256(prefix.encode()).hexdigest() if prefix else None},
                )
