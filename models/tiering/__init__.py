"""From probabilities to tiers that sales can work with."""
