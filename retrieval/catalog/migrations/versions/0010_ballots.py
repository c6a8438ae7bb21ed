"""Ballots, kept where no page carries them"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ballots",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("collection_id", sa.Integer(), nullable=False),
        sa.Column("on_left", sa.String(length=1), nullable=False),
        sa.Column("shown", sa.JSON(), nullable=False),
        sa.Column("drawn_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name=op.f("fk_ballots_collection_id_collections"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ballots")),
        sa.UniqueConstraint("number", name=op.f("uq_ballots_number")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_ballots_drawn_at"), "ballots", ["drawn_at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_ballots_drawn_at"), table_name="ballots")
    op.drop_table("ballots")
