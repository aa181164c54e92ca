"""What crossed the line for an account, and what to do about it: triggers, timing, next actions."""
