"""Local vision-language models inside Inspect: `--model blindpo/FOLDER`, images shown.

Inspect's own `hf` provider raises on images. Generation is ours (`models/vlm/generate.py`): greedy unless Inspect's
config says otherwise, and a sampled answer depends on its seed and conversation alone, not on what ran beside it.
Calls that arrive together are answered in one batch.
"""

import asyncio
import base64
import binascii
import re
from hashlib import sha256
from typing import Any
from weakref import WeakKeyDictionary

from inspect_ai.model import ChatMessage, ContentImage, ContentText, GenerateConfig, ModelAPI, ModelOutput, modelapi
from inspect_ai.tool import ToolChoice, ToolInfo

from blindpo.errors import ModelError, RowError
from blindpo.models.vlm.generate import Answer, Request, generate
from blindpo.models.vlm.generation_config import GenerationConfig
from blindpo.models.vlm.load import load_vlm
from blindpo.models.vlm.source import resolve_model
from blindpo.rows.row import IMAGE, ImageRef, Part, Role, Turn

DATA_URI = re.compile(r"data:image/[\w.+-]+;base64,(.*)", re.DOTALL)
GATHER_SECONDS = 0.05
DEFAULT_NEW_TOKENS = 256


@modelapi(name="blindpo")
def blindpo() -> type[ModelAPI]:
    """The provider, registered under the name `blindpo` (a decorated class could not be subclassed)."""
    return BlindpoAPI


class BlindpoAPI(ModelAPI):
    """A local model; `-M dtype=bfloat16` and `-M batch_size=8` are its options."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 (Inspect's own signature)
        **model_args: Any,
    ) -> None:
        super().__init__(model_name=model_name, base_url=base_url, api_key=api_key, config=config)
        dtype = str(model_args.pop("dtype", "float32"))
        self.batch_size = int(model_args.pop("batch_size", 16))
        if model_args:
            raise ModelError(f"model option '{next(iter(model_args))}' is unknown; allowed: dtype, batch_size")
        self.vlm = load_vlm(resolve_model(model_name), dtype=dtype)
        self._waiting: list[tuple[Request, GenerationConfig, asyncio.Future[Answer | None]]] = []
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    def max_connections(self) -> int:
        """The number of calls at a time: as many as fit a batch."""
        return self.batch_size

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """One answer. Raises ModelError for tools, which these models are not given."""
        if tools:
            raise ModelError("blindpo models take no tools; run tasks without them")
        turns, images = turns_of(input)
        settings = self._settings(config)
        request = Request(row_id=conversation_id(turns, images), turns=turns, images=images)
        try:
            answer = await self._answered(request, settings)
        except RowError as error:
            return ModelOutput.from_content(self.model_name, "", error=error.reason)
        if answer is None:
            return ModelOutput.from_content(self.model_name, "")
        reason = "max_tokens" if answer.cut else "stop"
        return ModelOutput.from_content(self.model_name, answer.text, stop_reason=reason)

    def _settings(self, config: GenerateConfig) -> GenerationConfig:
        temperature = config.temperature or 0.0
        return GenerationConfig(
            max_new_tokens=config.max_tokens or DEFAULT_NEW_TOKENS,
            temperature=temperature,
            top_p=config.top_p if config.top_p is not None and temperature else 1.0,
            top_k=config.top_k if config.top_k is not None and temperature else 0,
            seed=config.seed if config.seed is not None else 42,
            batch_size=self.batch_size,
        )

    async def _answered(self, request: Request, settings: GenerationConfig) -> Answer | None:
        """Wait a moment for others, then answer all that wait with the same settings in one batch."""
        loop = asyncio.get_running_loop()  # Inspect keeps a model for the next run, which has a loop of its own
        future: asyncio.Future[Answer | None] = loop.create_future()
        self._waiting.append((request, settings, future))
        await asyncio.sleep(GATHER_SECONDS)
        async with self._locks.setdefault(loop, asyncio.Lock()):
            if not future.done():
                batch = [each for each in self._waiting if each[1] == settings][: self.batch_size]
                if all(each[2] is not future for each in batch):
                    batch[-1] = next(each for each in self._waiting if each[2] is future)
                self._waiting = [each for each in self._waiting if all(each is not taken for taken in batch)]
                await self._run(batch, settings)
        return await future

    async def _run(self, batch: list[Any], settings: GenerationConfig) -> None:
        try:
            answers = await asyncio.to_thread(generate, self.vlm, [each[0] for each in batch], settings)
        except RowError as error:
            if len(batch) == 1:
                batch[0][2].set_exception(error)
                return
            for each in batch:  # one bad prompt must not cost the others their answer
                await self._run([each], settings)
            return
        for (_, _, future), answer in zip(batch, answers, strict=True):
            future.set_result(answer)


def turns_of(messages: list[ChatMessage]) -> tuple[tuple[Turn, ...], tuple[ImageRef, ...]]:
    """Inspect's messages as our turns. Raises ModelError for content that is neither text nor an inline image."""
    images: list[ImageRef] = []
    turns = []
    for message in messages:
        if message.role == "tool":
            raise ModelError("blindpo models take no tool messages")
        role: Role = message.role
        content = [ContentText(text=message.content)] if isinstance(message.content, str) else message.content
        parts: list[Part] = []
        for part in content:
            if isinstance(part, ContentText):
                parts.append(part.text)
            elif isinstance(part, ContentImage):
                images.append(image_of(part.image))
                parts.append(IMAGE)
            else:
                raise ModelError(f"blindpo models take text and images, not {part.type}")
        turns.append(Turn(role=role, content=tuple(parts)))
    return tuple(turns), tuple(images)


def image_of(uri: str) -> ImageRef:
    """The image of a data URI; Inspect makes one of every path before it calls a provider. Raises ModelError."""
    match = DATA_URI.fullmatch(uri)
    if match is None:
        raise ModelError("an image is no data URI (was the log written with log_images=false?)")
    try:
        return ImageRef(data=base64.b64decode(match.group(1), validate=True))
    except binascii.Error as error:
        raise ModelError("an image's data URI is no base64") from error


def conversation_id(turns: tuple[Turn, ...], images: tuple[ImageRef, ...]) -> str:
    """A hash of the conversation, on which a sampled answer depends besides the seed."""
    parts = [f"{turn.role}\x1f{turn.text}" for turn in turns]
    return sha256("\x1e".join([*parts, *(image.sha256 for image in images)]).encode()).hexdigest()[:16]
