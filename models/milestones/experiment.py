"""How many entities an experiment needs that could prove a milestone to be a cause."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

ENCOURAGED = 0.10
"""Share of entities that the experiment leads to the milestone who would not reach it else."""
_ALPHA, _POWER = 0.05, 0.80


@dataclass(frozen=True)
class Experiment:
    """A randomised encouragement: one arm is helped to the milestone, the other is left alone.

    Parameters
    ----------
    per_arm
        Entities needed in each.
    control, encouraged
        Shares that convert within the follow-up, if the whole adjusted effect is causal.
    """

    per_arm: int
    control: float
    encouraged: float


def experiment_for(base_rate: float, not_reached_rate: float, ratio: float) -> Experiment | None:
    """The experiment of which 10 more in 100 reach a milestone.

    Who is led to it then converts as often as the hazard ratio says: 1 - (1 - rate)^ratio.

    Parameters
    ----------
    base_rate
        Share of all that converts within the follow-up.
    not_reached_rate
        The same among those who have not reached it.
    ratio
        Adjusted hazard ratio of the milestone.

    Returns
    -------
    Experiment or None
        None where there is no effect to be shown.
    """
    led = 1 - (1 - not_reached_rate) ** ratio
    encouraged = base_rate + ENCOURAGED * (led - not_reached_rate)
    if not 0 < base_rate < encouraged < 1:
        return None
    return Experiment(sample_size(base_rate, encouraged), base_rate, encouraged)


def sample_size(control: float, treated: float) -> int:
    """Per arm, to see two shares differ: 5 % two-sided, power 80 %.

    Fleiss, Levin and Paik (2003), Statistical Methods for Rates and Proportions, equation 4.14,
    without correction for continuity.

    >>> sample_size(0.25, 0.40)
    152
    """
    normal = NormalDist()
    z_alpha, z_power = normal.inv_cdf(1 - _ALPHA / 2), normal.inv_cdf(_POWER)
    mean = (control + treated) / 2
    under_null = z_alpha * np.sqrt(2 * mean * (1 - mean))
    under_effect = z_power * np.sqrt(control * (1 - control) + treated * (1 - treated))
    return int(np.ceil((under_null + under_effect) ** 2 / (treated - control) ** 2))
