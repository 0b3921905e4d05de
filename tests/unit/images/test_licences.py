"""Whether a licence is a free one."""

import pytest

from blindpo.images.licences import rights_of


@pytest.mark.parametrize(
    ("fields", "free"),
    [
        ({"LicenseShortName": "CC BY-SA 4.0"}, True),
        ({"LicenseShortName": "Public domain"}, True),
        ({"LicenseShortName": "CC BY-NC 2.0"}, False),
        ({"LicenseShortName": "CC BY-ND 2.0"}, False),
        ({"LicenseShortName": "Fair use"}, False),
        ({"LicenseShortName": "CC BY 4.0", "NonFree": "true"}, False),
        ({"UsageTerms": "Copyrighted, all rights reserved"}, False),
        ({"Artist": "Somebody"}, None),
        ({}, None),
    ],
)
def test_free_is_said_or_it_is_unknown(fields: dict[str, str], free: bool | None) -> None:
    assert rights_of({name: {"value": value} for name, value in fields.items()}).free is free
