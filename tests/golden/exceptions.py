"""Every difference that may be, with its reason. An entry that explains nothing is an error (see `compare.py`).

VOLATILE differs when the same program runs twice. CHANGED is what HEAD does otherwise on purpose: each entry stands in
CHANGELOG as well. RENAMED are files that HEAD calls otherwise, RESPELLED are keys; what they hold is still compared.
"""

from typing import Final

from tests.golden.compare import Allowed, Renamed, Respelled

VOLATILE: Final = (
    Allowed(reason="clock times, which stand in this file alone", files="*timings.json"),
    Allowed(
        reason="the share of the loop's time that went to waiting for data",
        files="printed/train_*.json",
        keys=("data_share",),
    ),
    Allowed(
        reason="the packing check of the base draws an adapter's first matrices unseeded; the difference is rounding",
        files="out/*lora/run.json",
        keys=("packing.largest_difference_nats.*",),
        is_chance=True,
    ),
)

_VIEWS: Final = {
    "mid": "deictic",
    "remove": "removed",
    "without_image": "removed",
    "swap": "swapped",
    "other_image": "swapped",
    "sight": "as_is",
}
"""The one set of names of views, by the names that stages gave them before."""

_PROTOCOLS: Final = "a protocol's hash no longer holds the wording of its parser's code; it holds the axis that is read"
_FINGERPRINT: Final = "the fingerprint of a trained model follows its tokenizer_config.json"
_TITLES: Final = "a model is shown as it is named, and the headline is about the last two"
_HASHES: Final = "the hash of data follows its column's name"
_SERVER: Final = "the keys of a chat server are one group"
_OTHER_IMAGES: Final = "another image is chosen in one way, and what the model says of it follows"
_OF_BLIND_RESPONSES: Final = ("cut", "*_share", "mean_tokens", "logp_per_token_with_image")
_OF_RESPONSES: Final = ("text", "cut", "harm", "engagement", "right")
_HASHED_ANEW: Final = ("mmsafe/cheating", "mmsafe/pairwise-prompted", "stored/harm", "stored/engagement")
_COUNTED: Final = (
    "measures.sensitivity_swapped.*",
    "measures.cheating_refusal.*",
    "responses.swapped.cut",
    "responses.safe_image.cut",
)

_TYPED: Final = "an option of transformers is a number or a truth value, whether a flag, a recipe or --set gave it"
_TRAINED: Final = ("bpo", "bpo_lora", "dpo", "dpo_lora", "separate")
_GIVEN: Final = (
    "learning_rate", "logging_steps", "max_steps", "per_device_train_batch_size", "save_steps", "seed", "use_cpu",
)  # fmt: skip
"""The options of transformers that the story's training gives as flags."""

CHANGED: Final[tuple[Allowed, ...]] = (
    *(
        Allowed(reason=_TYPED, files=f"out/{run}/{file}", keys=tuple(f"{above}.{name}" for name in _GIVEN))
        for run in _TRAINED
        for file, above in (("run.json", "arguments"), ("manifest.json", "identity"))
    ),
    *(
        Allowed(
            reason=_TYPED,
            files=f"out/{run}/README.md",
            words=rf"(?m)^({'|'.join(_GIVEN)}): ('[\w.-]+'|5e-4|0\.0005|\d+|true)$",
        )
        for run in _TRAINED
    ),
    Allowed(reason="a manifest says which names it holds", files="*manifest.json", keys=("schema_version",)),
    Allowed(
        reason=_HASHES,
        files="*manifest.json",
        keys=("identity.data", "identity.eval", "identity.source.rows"),
    ),
    Allowed(
        reason="an import says which keys it did not use",
        files="out/*/manifest.json",
        keys=("not_used", "not_used.*"),
    ),
    Allowed(
        reason="an import says which keys it did not use",
        files="printed/import_*.json",
        keys=("not_used", "not_used.*"),
    ),
    Allowed(
        reason="a benchmark's import counts its rows as every import does",
        files="out/[mx]st*/manifest.json",
        keys=("read", "kept"),
    ),
    Allowed(
        reason="a benchmark's import counts its rows as every import does",
        files="printed/import_[mx]st*.json",
        keys=("read", "kept"),
    ),
    Allowed(
        reason="blind counts thoughts, and rows that have no response",
        files="out/blind*/manifest.json",
        keys=("summary.thoughts", "summary.missing", "summary.missing.*"),
    ),
    Allowed(
        reason="blind counts thoughts, and rows that have no response",
        files="printed/blind*.json",
        keys=("thoughts", "missing", "missing.*"),
    ),
    Allowed(
        reason="PIL is asked of the image processor alone, so a saved tokenizer no longer says it",
        files="out/*/tokenizer_config.json",
        keys=("backend",),
        becomes={"pil": "tokenizers"},
    ),
    *(
        Allowed(reason=_FINGERPRINT, files=files, keys=(key,))
        for files, key in (
            ("out/*/manifest.json", "identity.model.fingerprint"),
            ("out/*scores/*.json", "model.fingerprint"),
            ("printed/protocols.json", "model.fingerprint"),
        )
    ),
    Allowed(
        reason="an image is called image",
        files="out/built*/manifest.json",
        keys=("identity.config.twin_pictures", "identity.config.twin_images"),
    ),
    Allowed(reason="an image is called image", files="out/built*/recipe.yaml", words="twin_(pictures|images)"),
    Allowed(
        reason=_SERVER,
        files="out/built*/manifest.json",
        keys=("identity.config.chat_url", "identity.config.rewriter_server.*"),
    ),
    Allowed(
        reason=_SERVER,
        files="out/built*/recipe.yaml",
        words=r"(?m)^(chat_(url|concurrency|budget_tokens): .*\n|rewriter_server:\n(  .*\n)+)",
    ),
    Allowed(reason="an image is called image", files="out/built*/README.md", words=r"\b([Pp]icture|[Ii]mage)s?\b"),
    Allowed(reason="an image is called image", files="printed/benchmarks.json", keys=("benchmarks.*.fetch",)),
    *(
        Allowed(reason="an image is called image", files=files, keys=(f"{part}.mmsafe/cheating.notes.*",))
        for files, part in (
            ("out/scores/scores.json", "scores"),
            ("printed/protocols.json", "scores"),
            ("printed/protocols_list.json", "protocols"),
        )
    ),
    Allowed(reason=_HASHES, files="out/*/README.md", words=r"rows \| `[0-9a-f]{64}` \|"),
    Allowed(
        reason=_OTHER_IMAGES,
        files="out/blind_swap/manifest.json",
        keys=tuple(f"summary.{key}" for key in _OF_BLIND_RESPONSES),
    ),
    Allowed(reason=_OTHER_IMAGES, files="printed/blind_swap.json", keys=_OF_BLIND_RESPONSES),
    Allowed(
        reason=_OTHER_IMAGES,
        files="out/blind_swap/rows-*.parquet",
        keys=("rows.*.blind.*.text", "rows.*.blind.*.cut"),
    ),
    Allowed(reason=_OTHER_IMAGES, files="out/bpo/probes.jsonl", keys=("*.answers.*.swapped", "*.probe/*_swapped")),
    Allowed(reason=_OTHER_IMAGES, files="out/bpo/manifest.json", keys=("final.probe/*_swapped",)),
    Allowed(reason=_OTHER_IMAGES, files="printed/train_bpo.json", keys=("final.probe/*_swapped",)),
    Allowed(
        reason=_OTHER_IMAGES,
        files="out/*/*s.jsonl",
        keys=tuple(f"* {view}.{key}" for view in ("swapped", "safe_image") for key in _OF_RESPONSES),
    ),
    *(Allowed(reason=_OTHER_IMAGES, files=files, keys=_COUNTED) for files in ("out/*eval_*/m*.json", "printed/*.json")),
    *(
        Allowed(reason="the hash of responses follows those to other images", files=files, keys=("identity.responses",))
        for files in ("out/eval_merged/manifest.json", "out/eval_rejudged/manifest.json", "out/scores/manifest.json")
    ),
    *(
        Allowed(reason=_PROTOCOLS, files=files, keys=tuple(f"{start}{name}{end}" for name in _HASHED_ANEW))
        for files, start, end in (
            ("out/*scores*/manifest.json", "identity.protocols.", ""),
            ("out/*scores*/scores.json", "scores.", ".hash"),
            ("printed/protocols*.json", "scores.", ".hash"),
        )
    ),
    Allowed(
        reason="a decision is a verdict of the one record",
        files="out/*/decisions-*.jsonl",
        keys=tuple(f"*.{key}" for key in ("view", "harm", "engagement", "right", "judge")),
    ),
    Allowed(
        reason="the prompt of evaluate is a protocol, and asked by .../ours",
        files="printed/protocols_list.json",
        keys=("protocols.blindpo-judge-1/ours.*", "protocols.*/ours.source"),
    ),
    Allowed(
        reason="a hint spells a command as it is today",
        files="out/suite/scores/*/scores.json",
        keys=("skipped.mmsafe/cheating",),
    ),
    Allowed(reason=_TITLES, files="printed/report*.json", keys=("headline",)),
    Allowed(reason=_TITLES, files="out/report*.html", words=r"\w+ against \w+(?= over|:)"),
    Allowed(reason=_TITLES, files="out/report*.html", words=r"(?i)(?<![-\w])[bd]po(?![-\w])"),
    Allowed(
        reason="an image is called image, in names of styles too",
        files="out/report*.html",
        words=r"(?<=[.\"])(pictures|images)\b|'sha256-[^']+'|&#39;sha256-\S+&#39;",
    ),
    Allowed(reason=_FINGERPRINT, files="out/report*.html", words=r"(?<=: <code>)[0-9a-f]{64}(?=</code></li>)"),
    Allowed(reason=_HASHES, files="out/report.html", words=r"\bRows [0-9a-f]{8}\b"),
    Allowed(reason=_PROTOCOLS, files="out/report*.html", words=r"<code>[0-9a-f]{12}</code>"),
    Allowed(
        reason=_OTHER_IMAGES,
        files="out/report.html",
        words=r'(?s)<div [^>]* aria-label="[^"]*: The same request with another image, or none">.*?</table>',
    ),
    Allowed(
        reason="the names of an adapter's layers are sorted, so that two runs write the same",
        files="out/*_lora/adapter_config.json",
        keys=("target_modules.*",),
    ),
    Allowed(
        reason="the probe names its views as everything else does, as its file shows value by value",
        files="out/bpo/README.md",
        words=r"(?m)^\| probe/\w+ \| \S+ \|\n",
    ),
    *(
        Allowed(
            reason="plainer English in a warning",
            files=files,
            words=r"tell what was learned by heart|show what was memorised",
        )
        for files in ("out/bpo/README.md", "out/report*.html")
    ),
    Allowed(reason="plainer English in a warning", files="out/bpo/manifest.json", keys=("warnings.0",)),
    Allowed(reason="plainer English in a warning", files="printed/train_bpo.json", keys=("warnings.0",)),
    *(
        Allowed(
            reason=_SERVER,
            files="out/*/manifest.json",
            keys=tuple(f"identity.config.{side}_{key}" for key in ("base_url", "limit_field", "server.*")),
        )
        for side in ("judge", "model")
    ),
    *(
        Allowed(reason="the view of the deictic question is called after it", files=files, keys=keys, becomes=_VIEWS)
        for files, keys in (
            ("out/eval_rules/manifest.json", ("identity.config.views.*",)),
            ("out/eval_rules/*.jsonl", ("* deictic.view",)),
        )
    ),
)

RENAMED: Final = (
    Renamed(
        reason="a part's responses lie in shards",
        old=r"^out/part_1/responses\.jsonl$",
        new="out/part_1/shards/responses-00000.jsonl",
    ),
    Renamed(
        reason="a part's responses lie in shards",
        old=r"^out/part_2/responses\.jsonl$",
        new="out/part_2/shards/responses-00001.jsonl",
    ),
)

RESPELLED: Final[tuple[Respelled, ...]] = (
    Respelled(
        reason="a blind response names its view as everything else does",
        files="*.parquet",
        old=r"\bblind\.(\d+|feature)\.mode\b",
        new=r"blind.\1.view",
        becomes=_VIEWS,
    ),
    Respelled(
        reason="a blind response names its view as everything else does",
        files="printed/stats_blind.json",
        old=r"^blind_mode\.swap$",
        new="blind_mode.swapped",
    ),
    Respelled(
        reason="a blind response names its view as everything else does",
        files="out/blind*/manifest.json",
        old=r"^identity\.config\.mode$",
        new="identity.config.view",
        becomes=_VIEWS,
    ),
    *(
        Respelled(reason="the probe names its views as everything else does", files=files, old=old, new=new)
        for files in ("out/bpo/probes.jsonl", "out/bpo/manifest.json", "printed/train_bpo.json")
        for old, new in (
            (r"\b(\w+_|answers\.\d+\.)with_image$", r"\1as_is"),
            (r"\b(\w+_|answers\.\d+\.)without_image$", r"\1removed"),
            (r"\b(\w+_|answers\.\d+\.)other_image$", r"\1swapped"),
        )
    ),
)

DEMO_CHANGED: Final = (
    Allowed(
        reason="results say how a report is to call models and conditions",
        files="*/results.json",
        keys=("story.*",),
    ),
    Allowed(
        reason="results say how a report is to call models and conditions",
        files="printed/demo.json",
        keys=("story.*",),
    ),
    Allowed(
        reason="a demo's arms name their view as everything else does",
        files="out/demo/manifest.json",
        keys=("identity.config.variants.*.second",),
        becomes=_VIEWS,
    ),
    Allowed(
        reason="an image is called image, in names of styles too",
        files="out/demo/report.html",
        words=r"(?<=[.\"])(pictures|images)\b|(?<=harmless )(picture|image)\b|&#39;sha256-\S+&#39;",
    ),
    Allowed(
        reason="blind counts thoughts, and rows that have no response",
        files="*/pairs_*/manifest.json",
        keys=("summary.thoughts", "summary.missing", "summary.missing.*"),
    ),
)
"""What `demo` alone shows: used with --demo."""

DEMO_RENAMED: Final = tuple(
    Renamed(reason="a folder is called after the view", old=rf"/pairs_{old}/", new=f"/pairs_{new}/")
    for old, new in (("remove", "removed"), ("sight", "as_is"))
)

DEMO_RESPELLED: Final = (
    Respelled(
        reason="a blind response names its view as everything else does",
        files="*/pairs_*/manifest.json",
        old=r"^identity\.config\.mode$",
        new="identity.config.view",
        becomes=_VIEWS,
    ),
    Respelled(
        reason="an image is called image",
        files="out/demo/manifest.json",
        old=r"\bnum_pictures$",
        new="num_images",
    ),
)
