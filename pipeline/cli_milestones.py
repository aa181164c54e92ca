"""The verb milestones."""

import click

VERBS: tuple[click.Command, ...] = ()
