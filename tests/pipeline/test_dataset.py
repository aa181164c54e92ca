"""The rows that a model is fitted on: from the cohort, or from the user's own table."""

import pandas as pd
import pytest

from features.clock import DAY_US, to_us
from features.errors import EventLogError, SettingsError
from features.labels import NEVER_US
from features.matrix import Snapshots
from pipeline.dataset import assemble, display_names, kinship
from pipeline.importer.frame import import_frame
from pipeline.train import import_events


@pytest.fixture
def own(shop, sibling):
    """A function that assembles the shop from a table of rows."""

    def build(csv: str, label: str = ", label: bought"):
        rows = f"rows: {{file: mine.csv, entity: user, as_of: when{label}}}"
        run = sibling(shop, ("cohort: {entered_by: [opened]}", rows))
        (run.base / "mine.csv").write_text(csv)
        return assemble(run, import_events(run, lambda _: None), lambda _: None)

    return build


def test_own_rows_keep_their_labels_whatever_the_log_says(own):
    data = own(
        "user,when,bought\n"
        "user 001,2024-05-01,1\n"
        "user 002,2024-05-01T06:30:00,0\n"
        "user 004,2024-05-02,true\n"
        "user 001,2024-05-01,1\n"
        "user 004,2024-05-01,False\n"
    ).dataset
    rows = zip(data.matrix.snapshots.ids, data.as_of, data.label, strict=True)
    assert [(name, at, bool(label)) for name, at, label in rows] == [
        ("user 001", to_us("2024-05-01"), True),
        ("user 002", to_us("2024-05-01T06:30"), False),
        ("user 004", to_us("2024-05-01"), False),
        ("user 004", to_us("2024-05-02"), True),
    ]


def test_own_rows_without_labels_are_labelled_by_the_log(own, shop):
    events = pd.read_csv(shop.folder / "events.csv", parse_dates=["time"])
    paid = events[events["event"] == "paid"].iloc[:20]
    early = (paid["time"] - pd.Timedelta(days=7)).dt.strftime("%Y-%m-%dT%H:%M:%S")
    late = (paid["time"] - pd.Timedelta(days=6)).dt.strftime("%Y-%m-%dT%H:%M:%S")
    lines = [f"{user},{at}" for user, at in zip(paid["user"], early, strict=True)]
    lines += [f"{user},{at}" for user, at in zip(paid["user"], late, strict=True)]
    data = own("user,when\n" + "\n".join(lines) + "\n", label="").dataset
    # Exactly seven days later is beyond the horizon, six days later is inside it.
    assert data.label.tolist() == [False, True] * 20


def test_own_rows_after_the_conversion_are_left_out(own, shop):
    events = pd.read_csv(shop.folder / "events.csv")
    paid = events[events["event"] == "paid"].iloc[0]
    after = (pd.Timestamp(paid["time"]) + pd.Timedelta(seconds=1)).isoformat()
    data = own(f"user,when,bought\n{paid['user']},{after},1\nuser 001,2024-05-01,0\n").dataset
    assert data.matrix.snapshots.ids.tolist() == ["user 001"]


@pytest.mark.parametrize(
    ("csv", "error", "said"),
    [
        ("user,when\nuser 001,2024-05-01\n", SettingsError, "has no column 'bought'"),
        ("user,when,bought\nuser 001,May,1\n", SettingsError, "'May', which is no time"),
        ("user,when,bought\nuser 001,2024-05-01,maybe\n", SettingsError, "'maybe'"),
        ("user,when,bought\nnobody,2024-05-01,1\n", EventLogError, "no user of the log: 'nobody'"),
    ],
)
def test_own_rows_that_can_not_be_read_are_one_sentence(own, csv, error, said):
    with pytest.raises(error, match=said) as told:
        own(csv)
    assert "\n" not in str(told.value)


def test_the_rows_of_the_cohort_are_those_that_predict_would_score(shop):
    """One cohort for training and scoring: as of the newest date of the calendar they agree."""
    from pipeline.predict import predict

    data = assemble(shop.run, import_events(shop.run, lambda _: None), lambda _: None).dataset
    newest = data.as_of.max()
    scored = predict(shop.run, lambda _: None, as_of=None, model="1", now=None)
    assert scored.as_of == newest
    trained = data.matrix.take(data.as_of == newest)
    assert sorted(scored.scores["entity_id"]) == trained.snapshots.ids.tolist()


def test_customers_are_looked_at_just_before_they_converted(shop):
    data = assemble(shop.run, import_events(shop.run, lambda _: None), lambda _: None)
    customers = data.customers
    assert len(customers) == (data.conversions.occurred_at < NEVER_US).sum() == 60
    # Each bought exactly once; that purchase is not among the events before it.
    events = pd.read_csv(shop.folder / "events.csv", parse_dates=["time"])
    paid = events[events["event"] == "paid"].set_index("user")["time"]
    found = pd.Series(customers.matrix.snapshots.as_of, customers.matrix.snapshots.ids)
    assert found.to_dict() == (paid.astype("datetime64[us]").astype("int64")).to_dict()
    exports = customers.matrix.column("exported_count_7d")
    assert exports.tolist() == [2.0] * 60


def test_kinship_is_what_was_known_before_as_of(tmp_path):
    """Bob moves to beta and gets its address on day 5; Ann is in no account and has no address."""
    frame = pd.DataFrame(
        {
            "event": "login",
            "user_id": ["ann", "bob", "bob"],
            "account_id": [None, "acme", "beta"],
            "time": pd.to_datetime(["2024-01-01", "2024-01-01", "2024-01-05"]),
        }
    )
    emails = pd.DataFrame(
        {"id": "bob", "time": ["2024-01-04", "2024-01-06"], "email": ["b@beta.com", "b@c.com"]}
    )
    emails.to_csv(tmp_path / "emails.csv", index=False)
    table = {"of": "user", "files": [str(tmp_path / "emails.csv")], "id": "id", "time": "time"}
    data = {"tables": [table | {"columns": {"email": "category"}}]}
    log = import_frame(frame, tmp_path, "user", data=data)
    days = [to_us(f"2024-01-0{day}") for day in (2, 4, 5, 7)]
    rows = Snapshots.of("user", [0] + [1] * 4, days[:1] + days, log.ids("user"))
    account, domain = kinship(log, rows)
    # What becomes known exactly at as_of is the future; a later address changes nothing.
    assert account.tolist() == ["user ann", "acme", "acme", "acme", "beta"]
    assert domain.tolist() == [None, None, None, "beta.com", "beta.com"]


def test_a_name_is_the_latest_name_else_the_id(tmp_path):
    (tmp_path / "names.csv").write_text(
        "id,at,name\nacme,2024-01-01,Acme Ltd\nacme,2024-02-01,Acme Inc\n"
    )
    frame = pd.DataFrame(
        {"event": "login", "account_id": ["acme", "zeta"], "time": pd.Timestamp("2024-03-01")}
    )
    table = {"of": "account", "files": ["names.csv"], "id": "id", "time": "at"}
    log = import_frame(
        frame, tmp_path, data={"tables": [{**table, "columns": {"name": "category"}}]}
    )
    assert display_names(log, "account", log.data_end).tolist() == ["Acme Inc", "zeta"]
    assert display_names(log, "account", to_us("2020-01-01")).tolist() == ["acme", "zeta"]


def test_immature_rows_are_marked_and_never_positive(shop):
    log = import_events(shop.run, lambda _: None)
    data = assemble(shop.run, log, lambda _: None).dataset
    mature = data.as_of + 7 * DAY_US <= log.data_end
    assert data.mature.tolist() == mature.tolist()
    assert 0 < (~mature).sum() < len(mature)
    assert not data.label[~mature].any()


def test_names_that_never_happened_are_told_with_what_may_be_meant(shop, sibling):
    run = sibling(
        shop,
        ("engagement: [opened]", "engagement: [opened, export_made]"),
        ("{name: big budget, dimension: fit, points: 10}", '"+5 value: zebra_seen >= 1 time ever"'),
    )
    says: list[str] = []
    assemble(run, import_events(run, lambda _: None), says.append)
    assert [text for text in says if text.startswith("Warning")] == [
        "Warning: features names events that never happened: 'export_made'. Did you mean "
        "'exported'?",
        "Warning: The data have no event 'zebra_seen', which the rule 'zebra_seen >= 1 time ever' "
        "reads.",
    ]
