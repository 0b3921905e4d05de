"""The one list of judges, and what a judge is."""

from typing import Final, Protocol

from blindpo.errors import ConfigError
from blindpo.evaluate.judges.oracle import Oracle
from blindpo.evaluate.judges.rules import RefusalRules
from blindpo.evaluate.verdicts import Verdict, View
from blindpo.rows.row import PreferenceRow


class Judge(Protocol):
    """Reads a row and a response to one view of it; knows nothing of the model that answered."""

    @property
    def name(self) -> str:
        """The word of the command line."""
        ...

    def require(self, row: PreferenceRow) -> None:
        """Raise SourceError where `row` lacks what this judge reads; asked of all rows before a model is loaded."""
        ...

    def verdict(self, row: PreferenceRow, view: View, text: str) -> Verdict:
        """What the response `text` does."""
        ...


JUDGES: Final[dict[str, type[Judge]]] = {"oracle": Oracle, "refusal-rules": RefusalRules}


def find_judge(name: str) -> Judge:
    """The judge called `name`. Raises ConfigError with all names."""
    if name not in JUDGES:
        raise ConfigError(f"--judge {name} is unknown; allowed: {', '.join(JUDGES)}")
    return JUDGES[name]()
