"""What (events, snapshots) alone determine: nothing fitted or random, and no clock."""
