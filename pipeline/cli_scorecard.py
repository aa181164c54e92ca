"""The verb scorecard."""

import click

VERBS: tuple[click.Command, ...] = ()
