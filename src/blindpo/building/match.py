"""Stage 3, match: give every distinct entity of the data one image, from the first source that has a fitting one.

Look-ups are one global step between the two passes over the shards, since servers limit a person, not a process.
Sources are asked in the recipe's order, each for what those before it did not find (the paper: Wikipedia, then the
Knowledge Graph). Images are stored by the hash of their bytes, and `matches.jsonl` maps entities to them: shards read
both. Within a source, the first candidate that passes every check of `accept.py` is taken; the others are noted.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from blindpo.building.draft import Draft, Outcome
from blindpo.images.base import Accept, Candidate, ImageSource, LookupAnswer, Query, Refused
from blindpo.images.names import name_key
from blindpo.jobs.manifest import read_json, write_json, write_text
from blindpo.jobs.progress import progress
from blindpo.jobs.shards import Reject
from blindpo.rows.row import ImageRef

MATCHES: Final = "matches.jsonl"
IMAGE_FOLDER: Final = "images"


@dataclass(frozen=True, slots=True)
class MatchTotals:
    """Numbers of distinct entities: in all, found, missed, and unanswered."""

    entities: int
    found: int
    missed: int
    unanswered: int


def query_key(text: str, kind: str | None) -> str:
    """Return the key that equal queries share: the folded name, and the type if known."""
    return f"{name_key(text)}\t{kind or ''}"


def distinct(queries: Iterator[Query]) -> list[Query]:
    """Return one query for each name and type, in order of first appearance."""
    by_key: dict[str, Query] = {}
    for query in queries:
        by_key.setdefault(query_key(query.text, query.type), query)
    return list(by_key.values())


def match_all(
    queries: Sequence[Query], sources: Sequence[ImageSource], accept: Accept, work: Path, *, drop: bool = False
) -> MatchTotals:
    """Ask all sources, and write images and `matches.jsonl` below `work`. A finished match is not repeated.

    A match with unanswered entities is finished only if `drop` allows to do without them.
    """
    done = work / "matched.json"
    if done.is_file():
        return MatchTotals(**read_json(done))
    (work / IMAGE_FOLDER).mkdir(parents=True, exist_ok=True)
    answers: dict[int, LookupAnswer] = {}
    for source in sources:
        open_places = [n for n in range(len(queries)) if n not in answers or answers[n].candidate is None]
        answered = source.look_up([queries[n] for n in open_places], accept)
        with progress(len(open_places), f"entities at {source.name}") as bar:
            for number, answer in zip(open_places, answered, strict=True):
                answers[number] = _joined(answers.get(number), _stored(answer, work / IMAGE_FOLDER))
                bar.update(1)
    write_text(work / MATCHES, "".join(json.dumps(_line(answers[number])) + "\n" for number in range(len(queries))))
    num_matched = sum(answer.candidate is not None for answer in answers.values())
    unanswered = sum(answer.unanswered for answer in answers.values())
    totals = MatchTotals(len(queries), num_matched, len(queries) - num_matched - unanswered, unanswered)
    if drop or not unanswered:
        write_json(done, asdict(totals))
    return totals


def why_unanswered(work: Path) -> str:
    """Return the most frequent reason of the unanswered entities of a match, in the source's words."""
    with (work / MATCHES).open(encoding="utf-8") as file:
        reasons = Counter(line["reason"] for line in map(json.loads, file) if line["unanswered"])
    return str(reasons.most_common(1)[0][0])


def _stored(answer: LookupAnswer, folder: Path) -> LookupAnswer:
    """Store the answer's image on disk, and return the answer with the image's hash in place of its bytes."""
    if answer.candidate is None:
        return answer
    image = answer.candidate.image
    path = folder / image.sha256
    if not path.is_file():
        partial = path.with_name(f".{path.name}.partial")
        partial.write_bytes(image.data)
        partial.replace(path)
    light = replace(image, data=image.sha256.encode())
    return replace(answer, candidate=replace(answer.candidate, image=light))


def _joined(before: LookupAnswer | None, after: LookupAnswer) -> LookupAnswer:
    """Join the answers of two sources, the first asked in front; a miss counts only if neither source was down."""
    if before is None:
        return after
    unanswered = after.candidate is None and (before.unanswered or after.unanswered)
    reason = before.reason if before.unanswered and not after.unanswered else after.reason
    return replace(after, refused=(*before.refused, *after.refused), unanswered=unanswered, reason=reason)


def _line(answer: LookupAnswer) -> dict[str, Any]:
    candidate = answer.candidate
    record = None
    if candidate is not None:
        image = {key: getattr(candidate.image, key) for key in ("file", "title", "page", "licence", "author")}
        image["sha256"] = candidate.image.data.decode()
        record = {**asdict(replace(candidate, image=ImageRef(data=b""))), "image": image}
    return {
        "key": query_key(answer.query.text, answer.query.type),
        "candidate": record,
        "refused": [asdict(refused) for refused in answer.refused],
        "reason": answer.reason,
        "unanswered": answer.unanswered,
    }


class StoredImages:
    """The results of the look-ups, read back by name and type; image bytes on demand."""

    def __init__(self, work: Path) -> None:
        with (work / MATCHES).open(encoding="utf-8") as file:
            self.lines = {line["key"]: line for line in map(json.loads, file)}
        self._folder = work / IMAGE_FOLDER

    def of_type(self, kind: str | None) -> list[dict[str, Any]]:
        """Return the lines with an image whose entity has type `kind`, by the query or by its source."""
        return [line for line in self.lines.values() if line["candidate"] is not None and kind == _type_of(line)]

    def candidate(self, line: dict[str, Any]) -> Candidate | None:
        """Return the candidate of one line of `matches.jsonl` with its bytes, or None for a miss."""
        record = line["candidate"]
        if record is None:
            return None
        image = {key: value for key, value in record["image"].items() if key != "sha256"}
        data = (self._folder / record["image"]["sha256"]).read_bytes()
        return Candidate(**{**record, "image": ImageRef(data=data, **image)})


def _type_of(line: dict[str, Any]) -> str | None:
    stated: str | None = line["candidate"]["entity_type"]
    return line["key"].partition("\t")[2] or stated


class Match:
    """The stage: give every draft its image; a draft without one is rejected with the sources' reason."""

    name = "match"

    def __init__(self, images: StoredImages) -> None:
        self._images = images

    def __call__(self, drafts: Sequence[Draft]) -> Outcome:
        """Return the drafts whose entity has an image."""
        kept: list[Draft] = []
        rejects: list[Reject] = []
        loaded: dict[str, Candidate | None] = {}
        for draft in drafts:
            key = query_key(draft.mention.text, draft.mention.type)
            line = self._images.lines[key]
            if key not in loaded:
                loaded[key] = self._images.candidate(line)
            candidate = loaded[key]
            if candidate is None:
                code = "image-unanswered" if line["unanswered"] else "no-image"
                rejects.append(draft.reject(self.name, f"{code}: {line['reason']}", "images"))
            else:
                kept.append(_matched(draft, candidate, [Refused(**refused) for refused in line["refused"]]))
        return Outcome(kept, rejects)


def _matched(draft: Draft, candidate: Candidate, refused: Sequence[Refused]) -> Draft:
    notes = {
        "source": candidate.source,
        "free": candidate.free,
        "score": candidate.score,
        "refused": [asdict(one) for one in refused],
        **candidate.details,
    }
    return replace(draft, candidate=candidate).noted(image={key: value for key, value in notes.items() if value})
