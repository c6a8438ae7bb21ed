"""What lists tell of a job's result, beside the result"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

jobs = sa.table("jobs", sa.column("id", sa.Integer), sa.column("result", sa.JSON), sa.column("outline", sa.JSON))


def upgrade() -> None:
    op.add_column("jobs", sa.Column("outline", sa.JSON(), nullable=True))
    connection = op.get_bind()
    for job in connection.execute(sa.select(jobs.c.id).where(jobs.c.result.is_not(None))).scalars().all():
        result = connection.execute(sa.select(jobs.c.result).where(jobs.c.id == job)).scalar_one()
        connection.execute(sa.update(jobs).where(jobs.c.id == job).values(outline=_outline(result, 2)))


def downgrade() -> None:
    op.drop_column("jobs", "outline")


def _outline(value: object, depth: int) -> object:
    if isinstance(value, dict):
        kept = list(value.items())[: 100 if depth else 0]
        return {name[:2_000]: _outline(inner, depth - 1) for name, inner in kept}
    if isinstance(value, list):
        return []
    return value[:2_000] if isinstance(value, str) else value
