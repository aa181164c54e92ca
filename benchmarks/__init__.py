"""What proves the figures for speed and memory; runnable by anyone, installed by nobody."""
