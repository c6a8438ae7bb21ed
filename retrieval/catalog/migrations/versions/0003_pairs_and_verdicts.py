"""Pairs, verdicts, and models that share another one's passage vectors"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Every model so far made its own passage vectors.
    op.add_column(
        "models", sa.Column("passage_fingerprint", sa.String(length=64), nullable=False, server_default=sa.text("''"))
    )
    op.execute("UPDATE models SET passage_fingerprint = fingerprint")
    with op.batch_alter_table("models") as models:
        models.alter_column("passage_fingerprint", server_default=None, existing_type=sa.String(length=64))
    op.create_table(
        "pairs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("collection_id", sa.Integer(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("strings", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name=op.f("fk_pairs_collection_id_collections"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pairs")),
        sa.UniqueConstraint("collection_id", "query", "document", name=op.f("uq_pairs_collection_id_query_document")),
    )
    op.create_table(
        "verdicts",
        sa.Column("collection_id", sa.Integer(), nullable=False),
        sa.Column("a", sa.String(length=160), nullable=False),
        sa.Column("b", sa.String(length=160), nullable=False),
        sa.Column("judgments", sa.String(length=128), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("verdict", sa.String(length=40), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("made_at", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"],
            ["collections.id"],
            name=op.f("fk_verdicts_collection_id_collections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("collection_id", "a", "b", "judgments", name=op.f("pk_verdicts")),
    )


def downgrade() -> None:
    op.drop_table("verdicts")
    op.drop_table("pairs")
    with op.batch_alter_table("models") as models:
        models.drop_column("passage_fingerprint")
