"""What became of the scores: drift of scores and features, and outcomes once they are mature."""
