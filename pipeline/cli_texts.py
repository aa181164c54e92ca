"""The verb texts."""

import click

VERBS: tuple[click.Command, ...] = ()
