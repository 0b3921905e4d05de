"""Names say the thing: no file of odds and ends, no local called `found`, one word for one thing, one thing a name."""

import re
from collections import Counter, defaultdict
from typing import Final

from tests.house.source import MODULES, PACKAGE, TESTS, bound_names, name, public_names, room, tree

BANNED_FILES = re.compile(r"(^|/)(utils?|common|helpers?|misc|tools?)(\.py|/)")
EMPTY_WORDS: Final = frozenset({"found", "told", "said", "made", "asked"})
"""Locals that say that something was found, and not what."""
EMPTY_WORDS_LEFT: Final = {"answer": 6, "cli": 20, "evaluation": 35, "jobs": 2, "rows": 2, "training": 51}
"""How many such locals a room may still have while others work in it; a room that is not named has none."""

PICTURE_TEXTS: Final = frozenset({"demo/dialogue.py", "demo/tiny_vlm.py", "building/phrases.py"})
"""Files whose data says `picture`: questions of the drawn world, and phrases of the paper."""
PICTURES_LEFT: Final = frozenset(
    {"answer", "cli", "evaluation", "rows", "training"}
)  # rooms in which others are at work: the lead empties this


def test_no_file_is_called_after_odds_and_ends() -> None:
    assert not [name(path) for path in MODULES + TESTS if BANNED_FILES.search(name(path))]


def test_no_local_is_called_found_told_said_made_or_asked() -> None:
    lines = defaultdict(list)
    for path in MODULES:
        for word, line in bound_names(tree(path)):
            if word in EMPTY_WORDS:
                lines[room(path).partition("/")[0]].append(f"{room(path)}:{line} {word}")
    too_many = {of: names for of, names in lines.items() if len(names) > EMPTY_WORDS_LEFT.get(of, 0)}
    assert not too_many, f"say what was found, told, said, made or asked: {too_many}"


def test_an_image_is_an_image_and_never_a_picture() -> None:
    sources = [path for path in PACKAGE.rglob("*") if path.suffix in {".py", ".j2", ".yaml"}]
    pictures = {
        room(path): re.findall(r".*picture.*", path.read_text(), re.IGNORECASE)
        for path in sources
        if re.search("picture", path.read_text(), re.IGNORECASE)
    }
    allowed = {file for file in pictures if file in PICTURE_TEXTS or file.partition("/")[0] in PICTURES_LEFT}
    assert not {file: lines for file, lines in pictures.items() if file not in allowed}
    assert pictures.keys() >= PICTURE_TEXTS, "a file on the list says `picture` no more"


COMMANDS: Final = "each command of the line is a module with these two"
SHARED_NAMES: Final = {
    "add_arguments": COMMANDS,
    "run": COMMANDS,
    "NAME": "each image source has its name",
    "KINDS": "each table has its kinds",
    "FORM": "each guard model has its form",
    "OURS": "each guard model says which of its categories are ours",
}
"""Public names that more than one module has, each with its reason."""
SHARED_NAMES_LEFT: Final = frozenset(
    [
        "Answer",
        "COLOURS",
        "COLUMNS",
        "CONDITIONS",
        "CONTROL",
        "Comparison",
        "Engine",
        "Example",
        "FULL",
        "Floats",
        "IMAGES",
        "IMAGE_PX",
        "MARK",
        "MAX_NEW_TOKENS",
        "MAX_TOKENS",
        "MEASURES",
        "MODELS",
        "NOT_IDENTITY",
        "NO_DIFFERENCE",
        "NUMBERS",
        "OWN",
        "PAD",
        "PAIRWISE",
        "PROMPT",
        "Parser",
        "Part",
        "QUESTION",
        "REFUSES",
        "REPLIES",
        "Record",
        "Response",
        "SCORES",
        "SHOWN",
        "SOURCE",
        "T",
        "TWO_TURN_SHARE",
        "Template",
        "VIEWS",
        "Verdict",
        "WINDOW",
        "as_text",
        "ask",
        "code_of",
        "compare",
        "conversation",
        "count_rows",
        "differences",
        "draw",
        "judged",
        "response_sums",
        "score",
        "table",
        "write_card",
    ]
)
"""Shared names that stand in rooms in which others are at work: the lead empties this."""


def test_a_public_name_stands_for_one_thing() -> None:
    modules = defaultdict(list)
    for path in MODULES:
        for public in Counter(public_names(path)):
            modules[public].append(room(path))
    shared = {public: files for public, files in modules.items() if len(files) > 1}
    unexplained = {public: files for public, files in shared.items() if public not in SHARED_NAMES}
    unexplained = {public: files for public, files in unexplained.items() if public not in SHARED_NAMES_LEFT}
    assert not unexplained, f"rename all but one, or give a reason in SHARED_NAMES: {unexplained}"
    assert not [public for public in SHARED_NAMES if public not in shared], "a name on the list is shared no more"
