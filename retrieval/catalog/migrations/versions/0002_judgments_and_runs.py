"""Judgments and runs"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "judgment_sets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("collection_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"],
            ["collections.id"],
            name=op.f("fk_judgment_sets_collection_id_collections"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_judgment_sets")),
        sa.UniqueConstraint("collection_id", "name", name=op.f("uq_judgment_sets_collection_id_name")),
    )
    op.create_table(
        "judged_queries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("set_id", sa.Integer(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("masks", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["set_id"], ["judgment_sets.id"], name=op.f("fk_judged_queries_set_id_judgment_sets"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_judged_queries")),
        sa.UniqueConstraint("set_id", "external_id", name=op.f("uq_judged_queries_set_id_external_id")),
    )
    op.create_table(
        "judgments",
        sa.Column("query_id", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("grade", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["query_id"], ["judged_queries.id"], name=op.f("fk_judgments_query_id_judged_queries"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("query_id", "document", name=op.f("pk_judgments")),
    )
    op.create_table(
        "runs",
        sa.Column("collection_id", sa.Integer(), nullable=False),
        sa.Column("judgments", sa.String(length=128), nullable=False),
        sa.Column("arm", sa.String(length=160), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collections.id"], name=op.f("fk_runs_collection_id_collections"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("collection_id", "judgments", "arm", name=op.f("pk_runs")),
    )


def downgrade() -> None:
    op.drop_table("runs")
    op.drop_table("judgments")
    op.drop_table("judged_queries")
    op.drop_table("judgment_sets")
