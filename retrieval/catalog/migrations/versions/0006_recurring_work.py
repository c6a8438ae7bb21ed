"""Sources to ingest again, what the last training saw, schedules"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def _of_a_collection(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_collection_id_collections")
    return sa.ForeignKeyConstraint(["collection_id"], ["collections.id"], name=name, ondelete="CASCADE")


def upgrade() -> None:
    op.create_table(
        "sources",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("collection_id", sa.Integer(), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("ingested_at", sa.String(length=32), nullable=False),
        _of_a_collection("sources"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sources")),
        sa.UniqueConstraint("collection_id", "location", name=op.f("uq_sources_collection_id_location")),
    )
    op.create_table(
        "trainings",
        sa.Column("collection_id", sa.Integer(), nullable=False),
        sa.Column("ended_at", sa.String(length=32), nullable=False),
        sa.Column("verdict", sa.String(length=40), nullable=False),
        sa.Column("documents", sa.LargeBinary(), nullable=False),
        sa.Column("pairs", sa.LargeBinary(), nullable=False),
        _of_a_collection("trainings"),
        sa.PrimaryKeyConstraint("collection_id", name=op.f("pk_trainings")),
    )
    op.create_table(
        "schedules",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("collection_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("cron", sa.String(length=128), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("is_enabled", sa.Integer(), nullable=False),
        sa.Column("made_by", sa.String(length=128), nullable=False),
        sa.Column("made_at", sa.String(length=32), nullable=False),
        sa.Column("last_run_at", sa.String(length=32), nullable=False),
        sa.Column("next_run_at", sa.String(length=32), nullable=False),
        sa.Column("last_job", sa.Integer(), nullable=True),
        _of_a_collection("schedules"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedules")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_schedules_is_enabled_next_run_at"), "schedules", ["is_enabled", "next_run_at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_schedules_is_enabled_next_run_at"), table_name="schedules")
    for table in ("schedules", "trainings", "sources"):
        op.drop_table(table)
