"""Every statistic by its name: the one place where a feature's formula lives."""

from features.statistics import activity, members, rhythm, sql, values
from features.statistics.base import Statistic

STATISTICS: dict[str, Statistic] = {
    **activity.STATISTICS,
    **rhythm.STATISTICS,
    **members.STATISTICS,
    **values.STATISTICS,
    **sql.STATISTICS,
}
