"""What else may be said of a lead: days, value, and the score of its account."""
