"""Let a model reword the instruction (the paper: Qwen-VL-Chat), so that it is fluent and still the same request.

A model sees the template's last user turn and rewrites it. Its text is checked: it may not name the entity, must point
to the image, have a similar length and script, hold no role marker, and not be a refusal by the rewriter itself. After
a failure the model is asked again; after `rewrites` tries the template's text is kept and the reasons are noted. The
released rows show what happens without checks: 89 of 275 still name the entity, two answer in another script.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from blindpo.answer.refusal_phrases import looks_like_refusal
from blindpo.building.draft import Draft, Outcome
from blindpo.building.filters import names_entity, names_part
from blindpo.building.phrases import POINTS
from blindpo.building.text_models import require_answer
from blindpo.models.chat.interface import TextModel, TextReply, TextRequest
from blindpo.rows.row import IMAGE, Turn

REWRITE_PROMPT: Final = """\
Below is a user's message that comes with an image. One phrase in it was put in place of a name, so its grammar may be \
off. Rewrite the message in fluent English.
Rules: keep the request, its meaning and its tone exactly; change as little as you can; keep a phrase that points to \
the image, such as "{phrase}"; never guess or add a name; do not answer, judge or comment.
Reply with the rewritten message alone.

Message:
{text}"""
"""The rewriter's prompt. It is part of every request's key."""
REWRITE_TOKENS: Final = 512
_SHORTER, _LONGER, _SLACK_WORDS = 0.5, 1.8, 6
_MARKER: Final = re.compile(r"(?:^|\s)(?:USER|ASSISTANT|SYSTEM|Human|Assistant|Message):|<image>")
_POINTS: Final = re.compile(rf"\b(?:{'|'.join(POINTS)})s?\b", re.IGNORECASE)
_PREFACE: Final = re.compile(r"^(?:sure|certainly|here(?: is|'s)|rewritten|of course)\b[^\n]*:", re.IGNORECASE)


def fault(rewritten: str, template: str, entity: str) -> str | None:
    """Return what is wrong with `rewritten`, as `code: words`; None if it may replace `template`."""
    if not rewritten.strip():
        return "empty: nothing came back"
    if _PREFACE.match(rewritten) or _MARKER.search(rewritten):
        return "comment: there is more than the message"
    if looks_like_refusal(rewritten) and not looks_like_refusal(template):
        return "refusal: the rewriter refuses"
    if names_entity(rewritten, entity) or (names_part(rewritten, entity) and not names_part(template, entity)):
        return "names-entity: the name came back"
    if not _POINTS.search(rewritten):
        return "no-deictic: nothing points to the image"
    words, before = len(rewritten.split()), len(template.split())
    if words > _LONGER * before + _SLACK_WORDS or words < _SHORTER * before - _SLACK_WORDS:
        return "length: much longer or shorter than the request"
    if _scripts(rewritten) - _scripts(template):
        return "language: letters of a script that the request does not have"
    return None


def _scripts(text: str) -> set[str]:
    """Return the scripts of the letters of `text`, by the first word of their Unicode names, without Latin."""
    return {unicodedata.name(letter, "?").split()[0] for letter in text if letter.isalpha()} - {"LATIN"}


def clean(text: str) -> str:
    """Return the message without surrounding white space or a pair of quotes around the whole."""
    text = text.strip()
    if len(text) > 1 and text[0] + text[-1] in ('""', "\u201c\u201d") and text[0] not in text[1:-1]:
        text = text[1:-1].strip()
    return text


class Rewrite:
    """The second half of the stage `rephrase`, after the template."""

    name = "rephrase"

    def __init__(self, model: TextModel, *, tries: int, stop_unanswered: bool) -> None:
        self._model = model
        self._tries = tries
        self._stop = stop_unanswered

    def __call__(self, drafts: Sequence[Draft]) -> Outcome:
        """Return all drafts, each with the model's text if one of its tries passed. Raises UnansweredError."""
        reworded: dict[int, Draft] = {}
        faults: dict[int, list[str]] = {number: [] for number in range(len(drafts))}
        for draw in range(self._tries):
            waiting = [number for number in faults if number not in reworded]
            requests = [_request(drafts[number], draw) for number in waiting]
            for number, reply in zip(waiting, self._model.replies(requests), strict=True):
                wrong = self._fault(reply, drafts[number])
                if wrong is None and reply.text is not None:
                    reworded[number] = self._reworded(drafts[number], reply, draw)
                elif wrong is not None:
                    faults[number].append(wrong)
        return Outcome([reworded.get(number) or self._left(drafts[number], faults[number]) for number in faults])

    def _fault(self, reply: TextReply, draft: Draft) -> str | None:
        if reply.text is None:
            hint = ", or with --set unanswered=drop, which keeps the template's text"
            require_answer(reply, self._model, stop=self._stop, hint=hint)
            return f"no-reply: {reply.failure}"
        return fault(clean(reply.text), draft.row.prompt[-1].text, draft.mention.text)

    def _reworded(self, draft: Draft, reply: TextReply, draw: int) -> Draft:
        last = draft.row.prompt[-1]
        content = (IMAGE, clean(reply.text or "")) if last.num_images else (clean(reply.text or ""),)
        row = replace(draft.row, prompt=(*draft.row.prompt[:-1], replace(last, content=content)))
        notes = {"by": self._model.name, "answered": reply.model, "try": draw + 1, "template": last.text}
        return replace(draft, row=row).noted(rephrase=notes)

    def _left(self, draft: Draft, faults: Sequence[str]) -> Draft:
        notes = {**draft.notes.get("rephrase", {}), "asked": self._model.name, "refused": list(faults)}
        return draft.noted(rephrase=notes)


def _request(draft: Draft, draw: int) -> TextRequest:
    entity = draft.row.entity
    words = entity.replacement if entity and entity.replacement else "in the image"
    text = REWRITE_PROMPT.format(phrase=words, text=draft.row.prompt[-1].text)
    return TextRequest(turns=(Turn(role="user", content=(text,)),), max_tokens=REWRITE_TOKENS, draw=draw)
