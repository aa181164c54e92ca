"""Features of each entity as of the end of the data: the shortcut that many tables are built by."""

import numpy as np

from features.matrix import FeatureMatrix, Snapshots
from pipeline.dataset import Assembled, compute, engine_session
from pipeline.settings import Settings


def whole_history(data: Assembled, settings: Settings) -> FeatureMatrix:
    """One row for each entity of the rows and the customers, with as_of at the end of the data.

    For `models.judging.shortcuts` alone, which spreads it over the rows: nothing else may learn
    from it.
    """
    rows, customers = data.dataset.matrix.snapshots, data.customers.matrix.snapshots
    entity = np.union1d(rows.entity, customers.entity)
    ends = np.full(len(entity), data.log.data_end)
    snapshots = Snapshots.of(rows.level, entity, ends, data.log.ids(rows.level))
    with engine_session(settings):
        return compute(data.log, snapshots, data.features, settings, "Whole history")
