"""REST: one router a resource; schemas at the HTTP edge only."""
