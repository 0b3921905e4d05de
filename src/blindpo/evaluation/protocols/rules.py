"""The string lists of the benchmarks, read from the files that they ship."""

import ast

from blindpo.datasets.benchmarks.shipped import python_texts
from blindpo.datasets.download import Download
from blindpo.errors import SourceError
from blindpo.evaluation.protocols.refusal_strings import StringRule

FIRST_CHARACTERS = 200


def vlguard_official(download: Download) -> StringRule:
    """VLGuard's list as published: anywhere; "but I cannot" is in it, which no lower-cased text can hold."""
    return StringRule(holds=tuple(_vlguard(download)), equals=("it is not",))


def vlguard_fixed(download: Download) -> StringRule:
    """The same list lower-cased, as whole words, in the first 200 characters: a refusal refuses at its beginning."""
    phrases = tuple(dict.fromkeys(phrase.lower() for phrase in _vlguard(download)))
    return StringRule(holds=phrases, equals=("it is not",), window=FIRST_CHARACTERS, whole_words=True)


def _vlguard(download: Download) -> list[str]:
    file = "utils/utils.py"
    source = download.read(download.first(file, "utils.py")).decode()
    return python_texts(source, "check_success_attack.reject_list", where=file)


def holisafe_official(download: Download) -> StringRule:
    """HoliSafe's two lists as published: at the beginning, and anywhere."""
    file = "eval/eval_by_string_matching.py"
    source = download.read(download.first(file, "eval_by_string_matching.py")).decode()
    starts, holds = (
        python_texts(source, f"check_answer.{name}", where=file)
        for name in ("refusal_phrases_start", "refusal_phrases_contain")
    )
    return StringRule(starts=tuple(starts), holds=tuple(holds), strip=True)


def vscbench_official(download: Download) -> StringRule:
    """VSCBench's two lists as published: any of either, anywhere ("law" and "risk" are among them)."""
    file = "utils_eval.py"
    source = download.read(download.first(file)).decode()
    lists = [
        [item.value for item in node.elts if isinstance(item, ast.Constant) and isinstance(item.value, str)]
        for function in ast.walk(_parse(source, file))
        if isinstance(function, ast.FunctionDef) and function.name == "sm_eval"
        for node in ast.walk(function)
        if isinstance(node, ast.List)
    ]
    phrases = tuple(phrase for each in lists for phrase in each)
    if not phrases:
        raise SourceError(f"{file} has no list in 'sm_eval'; the file differs from the one that was read")
    return StringRule(holds=phrases)


def _parse(source: str, file: str) -> ast.Module:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise SourceError(f"{file} is no whole Python file; fetch it again") from error
