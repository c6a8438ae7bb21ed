"""Votes of people who saw two arms side by side"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "votes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("collection_id", sa.Integer(), nullable=False),
        sa.Column("ballot", sa.String(length=64), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("a", sa.String(length=160), nullable=False),
        sa.Column("b", sa.String(length=160), nullable=False),
        sa.Column("preferred", sa.String(length=8), nullable=False),
        sa.Column("on_left", sa.String(length=1), nullable=False),
        sa.Column("a_shown", sa.JSON(), nullable=False),
        sa.Column("b_shown", sa.JSON(), nullable=False),
        sa.Column("made_by", sa.String(length=128), nullable=False),
        sa.Column("made_at", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name=op.f("fk_votes_collection_id_collections"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_votes")),
        sa.UniqueConstraint("ballot", name=op.f("uq_votes_ballot")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_votes_collection_id_a_b"), "votes", ["collection_id", "a", "b"])


def downgrade() -> None:
    op.drop_table("votes")
