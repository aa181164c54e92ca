"""The ``audit:`` block of the settings: what counts as a leak, and what one accepts knowingly."""

from pydantic import Field, PositiveFloat, PositiveInt

from features.spec import Spec


class AuditSpec(Spec):
    """Whether and how strictly the leak audit judges a training.

    The thresholds are far from what honest data shows. In the demo world and in hedgebox the best
    single feature has a ROC-AUC of 0.80 to 0.87, and no group of rows that a single feature picks
    out converts surely above 0.41.
    """

    enabled: bool = True
    """Look at all."""
    fail: bool = True
    """Whether a training with a leak is refused; otherwise the leak is only told."""
    strict: bool = False
    """Whether warnings refuse it as well."""
    allow: tuple[str, ...] = ()
    """Events, properties, attributes or features whose findings are accepted knowingly."""
    min_entities: int = Field(default=20, ge=16)
    """Entities that evidence must rest on; with fewer conversions a check says so."""
    together_seconds: PositiveFloat = 10.0
    """So near to the conversion no person acts: both belong to one act of a program."""
    hidden_hours: PositiveFloat = 24.0
    """The last hours before a conversion, in which intent and leaks look alike."""
    most_roc_auc: float = Field(default=0.95, gt=0.5, le=1)
    """No single honest feature surely (95 %) has a ROC-AUC as high."""
    most_precision: float = Field(default=0.8, gt=0, le=1)
    """No single honest feature picks out rows of which surely (95 %) so many convert."""
    n_permutations: PositiveInt = 40
    """Permuted labels that single features are held against."""
    max_rows: int = Field(default=50_000, ge=1_000)
    """Rows that single features are judged on; of more, whole clusters are drawn."""
    max_events: int = Field(default=5_000_000, ge=10_000)
    """Events whose times are looked at; of more, whole shards."""
    max_entities: PositiveInt = 200
    """Entities whose future is scrambled."""
