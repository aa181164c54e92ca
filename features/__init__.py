"""Everything that (events, snapshots) alone determine. Nothing here is fitted, random or asks the clock."""
