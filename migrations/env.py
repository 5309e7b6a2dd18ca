"""Alembic's entry: runs migrations on the connection that `ghostd.db.migrate` hands in, and on no other."""

from alembic import context

from ghostd.db.models import metadata

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("migrations run under a lock and with time limits: use `ghostd db upgrade`")

context.configure(
    connection=connection, target_metadata=metadata, transaction_per_migration=True, compare_server_default=True
)
with context.begin_transaction():
    context.run_migrations()
