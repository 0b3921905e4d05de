"""Public safety benchmarks, read from the user's downloads: one file per layout, all listed in `../table.py`.

Nothing is redistributed and nothing is downloaded here: a missing file says what to fetch and where to put it.
"""
