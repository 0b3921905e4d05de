"""Seeds depend on names alone."""

from blindpo.jobs.seeds import derive_seed


def test_seeds_depend_on_names_alone() -> None:
    assert derive_seed(1, "a", 0) == derive_seed(1, "a", 0)
    assert len({derive_seed(s, n, d) for s in (1, 2) for n in "ab" for d in (0, 1)}) == 8
