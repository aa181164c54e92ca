"""Where a Postgres source reads: a table or query, in a database named without its password."""

import os
import re
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, model_validator

from features.errors import SettingsError
from features.spec import Spec

_SECRETS = ("password", "sslpassword")
_URL = re.compile(r"postgres(ql)?://")


class PostgresTable(Spec):
    """The ``postgres:`` block: takes the place of ``files:`` wherever rows are read.

    The password never stands here. libpq finds it in PGPASSWORD or ``~/.pgpass``, or the whole
    address is in the environment variable that `url_env` names.
    """

    url: str | None = None
    """``postgresql://user@host:port/database``, never with a password."""
    url_env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """In place of ``url``: the environment variable that holds the address."""
    table: str | None = None
    """``events`` or ``schema.events``."""
    query: str | None = None
    """One SELECT, in the user's own words."""

    # Errors of a field quote its value, and the value may hold a password: errors of the block
    # do not, so everything is judged here.
    @model_validator(mode="after")
    def _complete(self) -> "PostgresTable":
        if (self.url is None) == (self.url_env is None):
            raise ValueError("give either url or url_env (the variable that holds it), not both")
        if self.url is not None and _URL.match(self.url) is None:
            raise ValueError("the url of a Postgres source begins with postgresql://")
        if self.url is not None and holds_password(self.url):
            raise ValueError(
                "the url holds a password; take it out and set PGPASSWORD, or put the whole url "
                "into an environment variable and name that in url_env"
            )
        if (self.table is None) == (self.query is None):
            raise ValueError("give either a table or a query, not both")
        if not (self.table or self.query or "").strip():
            raise ValueError("the table or query is empty")
        return self

    @property
    def name(self) -> str:
        """What messages call the rows."""
        return self.table or "query"

    @property
    def origin(self) -> str:
        """Where the rows come from, without anything secret.

        >>> PostgresTable(url="postgresql://reader@db.example/shop", table="events").origin
        "table 'events' of postgresql://reader@db.example/shop"
        """
        what = f"table {self.table!r}" if self.table else f"query {self.query!r}"
        return f"{what} of {self.url or '$' + str(self.url_env)}"

    def address(self) -> str:
        """The address to connect to; it may hold a password, so it is never printed.

        Raises
        ------
        SettingsError
            When the variable that `url_env` names is not set, or holds something else.
        """
        if self.url is not None:
            return self.url
        address = os.environ.get(str(self.url_env), "")
        if _URL.match(address) is None:
            wrong = "does not begin with postgresql://" if address else "is not set"
            raise SettingsError(
                f"The environment variable {self.url_env!r}, which data.sources reads the address "
                f"of Postgres from, {wrong}."
            )
        return address


def holds_password(url: str) -> bool:
    """Whether an address says a password, as ``user:password@host`` or as a parameter.

    Anything like one counts: a sign that should have been escaped hides it from parsers, not from
    readers of a log.

    >>> holds_password("postgresql://ann:secret@db/shop"), holds_password("postgresql://ann@db:5432")
    (True, False)
    >>> holds_password("postgresql://ann:half#a/secret@db"), holds_password("postgresql:///?password=x")
    (True, True)
    """
    _, _, rest = url.partition("://")
    user, at, _ = rest.rpartition("@")
    return (bool(at) and ":" in user) or any(
        secret in parse_qs(urlsplit(url).query) for secret in _SECRETS
    )
