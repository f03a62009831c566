"""schemas/regions.csv against the library it is made from, and against what `normalize` says.

The library's example numbers of every region and kind, its own answer for each, and random numbers
of the calling codes that several regions share.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import phonenumbers
import sendtally

TABLE = Path(__file__).resolve().parent.parent.parent / "schemas" / "regions.csv"


def table() -> dict[str, str]:
    """Region by prefix."""
    rows = [line.split(",") for line in TABLE.read_text().splitlines() if line[0].isdigit()]
    return {prefix: region for prefix, region in rows}


def region(rows: dict[str, str], digits: str) -> str | None:
    """Region of the longest prefix."""
    prefixes = (digits[:length] for length in range(8, 0, -1))
    return next((rows[prefix] for prefix in prefixes if prefix in rows), None)


def examples() -> dict[str, str]:
    """Example numbers and the library's region."""
    numbers = {}
    for name in phonenumbers.SUPPORTED_REGIONS:
        for kind in phonenumbers.PhoneNumberType.values():
            number = phonenumbers.example_number_for_type(name, kind)
            if number is not None:
                text = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
                numbers[text[1:]] = phonenumbers.region_code_for_number(number)
    return numbers


def test_the_table_is_of_the_librarys_version() -> None:
    assert f"phonenumbers {phonenumbers.__version__} " in TABLE.read_text().splitlines()[2]


def test_every_example_number_has_the_librarys_region() -> None:
    rows, numbers = table(), examples()
    assert len(numbers) > 900
    wrong = {number: (region(rows, number), told) for number, told in numbers.items()
             if region(rows, number) != told}
    assert not wrong, wrong


def test_random_numbers_of_shared_calling_codes_have_the_librarys_region() -> None:
    rows, dice = table(), random.Random(7)
    shared = [(code, names) for code, names in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()
              if len(names) > 1]
    checked, wrong = 0, {}
    for code, _ in shared:
        for _ in range(20_000):
            length = dice.choice((7, 8, 9, 10))
            digits = f"{code}{dice.randrange(10 ** (length - 1), 10 ** length)}"
            # Canada's numbers of seven digits cannot be dialled from abroad, and no prefix tells
            # them from those of Los Angeles.
            if len(digits) == 8 and digits.startswith("1310"):
                continue
            told = phonenumbers.region_code_for_number(phonenumbers.parse(f"+{digits}"))
            if told is not None:
                checked += 1
                if region(rows, digits) != told:
                    wrong[digits] = (region(rows, digits), told)
    assert checked > 10_000
    assert not wrong, (len(wrong), checked, list(wrong.items())[:10])


def test_normalize_names_the_country_of_every_example_number(tmp_path: Path) -> None:
    numbers = [(number, told) for number, told in examples().items() if len(number) >= 7]
    lines = [json.dumps({"message_uuid": str(at), "to": number, "channel": "sms",
                         "status": "delivered", "timestamp": "2026-11-20T12:00:00Z"})
             for at, (number, _) in enumerate(numbers)]
    file = tmp_path / "examples.jsonl"
    file.write_text("\n".join(lines))
    done = sendtally.call("normalize", "--source", "vonage", file)
    countries = [json.loads(line)["country"] for line in done.expect(0).out.splitlines()]
    assert countries == [told for _, told in numbers]
