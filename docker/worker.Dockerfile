# The worker, with the trainer and torch: it does the jobs, and exports models. docs/docker.md says how it gets a torch
# without CUDA, which is several gigabytes smaller.
FROM python:3.11-slim AS build
ARG PIP_EXTRA_INDEX_URL=
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY retrieval retrieval
COPY indexer indexer
COPY trainer trainer
COPY service service
RUN python -m venv /opt/tandem && /opt/tandem/bin/pip install --no-cache-dir -c constraints.txt '.[train]'

FROM python:3.11-slim
RUN useradd --create-home --uid 10001 tandem && mkdir /data && chown tandem /data
COPY --from=build /opt/tandem /opt/tandem
ENV PATH=/opt/tandem/bin:$PATH TANDEM_HOME=/data PYTHONUNBUFFERED=1
USER tandem
VOLUME /data
STOPSIGNAL SIGTERM
CMD ["tandem", "worker"]
