"""Names say the thing: no file of odds and ends, no local called `found`, one word for one thing, one thing a name."""

import re
from collections import Counter, defaultdict
from typing import Final

from tests.house.source import MODULES, PACKAGE, TESTS, bound_names, name, public_names, room, tree

BANNED_FILES = re.compile(r"(^|/)(utils?|common|helpers?|misc|tools?)(\.py|/)")
EMPTY_WORDS: Final = frozenset({"found", "told", "said", "made", "asked"})
"""Locals that say that something was found, and not what."""

PICTURE_TEXTS: Final = {
    "building/phrases.py": "phrases of the paper",
    "demo/dialogue.py": "questions and answers of the drawn world",
    "demo/tiny_vlm.py": "text that the tokenizer learns from",
    "evaluation/judges/guards/llava_guard.py": "the prompt that the guard is asked by",
    "evaluation/protocols/ours.py": "a note that is stored with every score",
    "jobs/settings.py": "the old name of an option",
}
"""Files whose data says `picture`."""


def test_no_file_is_called_after_odds_and_ends() -> None:
    assert not [name(path) for path in MODULES + TESTS if BANNED_FILES.search(name(path))]


def test_no_local_is_called_found_told_said_made_or_asked() -> None:
    lines = defaultdict(list)
    for path in MODULES:
        for word, line in bound_names(tree(path)):
            if word in EMPTY_WORDS:
                lines[room(path).partition("/")[0]].append(f"{room(path)}:{line} {word}")
    assert not lines, f"say what was found, told, said, made or asked: {dict(lines)}"


def test_an_image_is_an_image_and_never_a_picture() -> None:
    sources = [path for path in PACKAGE.rglob("*") if path.suffix in {".py", ".j2", ".yaml"}]
    pictures = {
        room(path): re.findall(r".*picture.*", path.read_text(), re.IGNORECASE)
        for path in sources
        if re.search("picture", path.read_text(), re.IGNORECASE)
    }
    assert not {file: lines for file, lines in pictures.items() if file not in PICTURE_TEXTS}
    assert pictures.keys() >= PICTURE_TEXTS.keys(), "a file on the list says `picture` no more"


COMMANDS: Final = "each command of the line is a module with these two"
SHARED_NAMES: Final = {
    "add_arguments": COMMANDS,
    "run": COMMANDS,
    "NAME": "each image source has its name",
}
"""Public names that more than one module has, each with its reason."""
SHARED_NAMES_LEFT: Final = frozenset(
    [
        "Answer",
        "CHAT",
        "CONDITIONS",
        "Comparison",
        "Example",
        "Floats",
        "IMAGES",
        "IMAGE_PX",
        "KEYS",
        "MAX_TOKENS",
        "MEASURES",
        "MODELS",
        "NO_DIFFERENCE",
        "OUR_PROMPT",
        "PROMPT",
        "Record",
        "Response",
        "SHOWN",
        "T",
        "TWO_TURN_SHARE",
        "Verdict",
        "as_text",
        "flags_of",
        "words_of",
    ]
)
"""Shared names that still want another name: this list only shrinks."""


def test_a_public_name_stands_for_one_thing() -> None:
    modules = defaultdict(list)
    for path in MODULES:
        for public in Counter(public_names(path)):
            modules[public].append(room(path))
    shared = {public: files for public, files in modules.items() if len(files) > 1}
    unexplained = {public: files for public, files in shared.items() if public not in SHARED_NAMES}
    unexplained = {public: files for public, files in unexplained.items() if public not in SHARED_NAMES_LEFT}
    assert not unexplained, f"rename all but one, or give a reason in SHARED_NAMES: {unexplained}"
    assert not {*SHARED_NAMES, *SHARED_NAMES_LEFT} - shared.keys(), "a name on the list is shared no more"
