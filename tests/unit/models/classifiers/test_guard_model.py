"""The architectures that guards are published in, tiny and random: saved, loaded by our code, and asked.

Mllama is Llama Guard 3 Vision's, Llama that of 3-8B, Qwen3 Qwen3Guard's, Mistral MD-Judge v0.1's. Llama 4 and
LLaVA-OneVision need torchvision for their processors, and InternLM2 (MD-Judge v0.2) code from its own repository, which
we do not run: serve those and take `served:`.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.unit.evaluation.judge_worlds import case
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    MllamaConfig,
    MllamaForConditionalGeneration,
    MllamaImageProcessorPil,
    MllamaProcessor,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
)
from transformers.models.mllama.configuration_mllama import MllamaTextConfig, MllamaVisionConfig

from blindpo.evaluation.judges.judge import verdicts_of
from blindpo.evaluation.judges.options import JudgeOptions
from blindpo.evaluation.judges.table import find_judge

SPECIAL = ["<pad>", "<s>", "</s>", "<|image|>"]
TEXT_TEMPLATE = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\\n' }}{% endfor %}judge:"
SEEING_TEMPLATE = (
    "{% for m in messages %}{{ m['role'] + ':' }}{% for p in m['content'] %}"
    "{% if p['type'] == 'image' %}<|image|>{% else %}{{ p['text'] }}{% endif %}{% endfor %}{{ '\\n' }}"
    "{% endfor %}judge:"
)
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def tokenizer() -> PreTrainedTokenizerFast:
    """Bytes, with Llama's image token."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE(vocab={token: n for n, token in enumerate([*SPECIAL, *alphabet])}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(SPECIAL)
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", bos_token="<s>", eos_token="</s>",
                                   additional_special_tokens=["<|image|>"], chat_template=TEXT_TEMPLATE)  # fmt: skip


def save_text(folder: Path, kind: tuple[Any, Any]) -> Path:
    torch.manual_seed(0)
    words = tokenizer()
    extra = {"head_dim": 8} if kind[0] is Qwen3Config else {}
    kind[1](kind[0](vocab_size=len(words), **SIZES, **extra)).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def save_mllama(folder: Path) -> Path:
    torch.manual_seed(0)
    words = tokenizer()
    vision = MllamaVisionConfig(hidden_size=16, num_hidden_layers=2, num_global_layers=1, attention_heads=2,
                                intermediate_size=32, vision_output_dim=48, image_size=28, patch_size=14,
                                intermediate_layers_indices=[0, 1], max_num_tiles=1,
                                supported_aspect_ratios=[[1, 1]])  # fmt: skip
    text = MllamaTextConfig(vocab_size=len(words), cross_attention_layers=[1], **SIZES)
    config = MllamaConfig(vision_config=vision, text_config=text, image_token_index=3)
    model = MllamaForConditionalGeneration(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "gate" in name:
                parameter.fill_(1.0)  # a new model's gates are shut: the image would not matter
    model.save_pretrained(folder)
    images = MllamaImageProcessorPil(size={"height": 28, "width": 28}, max_image_tiles=1)
    MllamaProcessor(image_processor=images, tokenizer=words, chat_template=SEEING_TEMPLATE).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("family", "kind"),
    [
        ("llama-guard-3", (LlamaConfig, LlamaForCausalLM)),
        ("qwen3guard", (Qwen3Config, Qwen3ForCausalLM)),
        ("md-judge", (MistralConfig, MistralForCausalLM)),
    ],
)
def test_a_text_guards_architecture_is_loaded_and_asked(family: str, kind: tuple[Any, Any], tmp_path: Path) -> None:
    judge = find_judge(f"hf:{family}:{save_text(tmp_path / 'guard', kind)}", JudgeOptions(judge_batch_size=2))
    found = list(verdicts_of(judge, [case("a ball"), case("sorry , no", 2), case("a ball", view="text")], tmp_path))
    assert [verdict.harm for verdict in found] == ["none"] * 3
    assert all(verdict.raw for verdict in found)


def test_llama_guard_3_visions_architecture_sees_the_image(tmp_path: Path) -> None:
    judge = find_judge(f"hf:llama-guard-3-vision:{save_mllama(tmp_path / 'guard')}", JudgeOptions())
    cases = [case("a ball"), case("a ball", 200), case("a <|image|> ball", view="text")]
    found = list(verdicts_of(judge, cases, tmp_path))
    assert all(verdict.raw for verdict in found)
    assert found[0].raw != found[1].raw  # the same words, another image
