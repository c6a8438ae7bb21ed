# The service, without torch: it runs exported models only. docs/docker.md says what the image weighs.
FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY retrieval retrieval
COPY indexer indexer
COPY trainer trainer
COPY service service
# Neither pip nor tests nor compiled files travel on: what is imported is compiled below.
RUN python -m venv --without-pip /opt/tandem \
  && pip --python /opt/tandem/bin/python install --no-cache-dir --no-compile -c constraints.txt . \
  && find /opt/tandem -depth -type d \( -name tests -o -name __pycache__ \) -exec rm -rf {} +

FROM python:3.11-slim
RUN useradd --create-home --uid 10001 tandem && mkdir /data /var/cache/tandem && chown tandem /data /var/cache/tandem
COPY --from=build /opt/tandem /opt/tandem
# The base image holds Python's library uncompiled, and nobody but root could write beside it: compiled files are kept apart.
ENV PATH=/opt/tandem/bin:$PATH TANDEM_HOME=/data PYTHONUNBUFFERED=1 PYTHONPYCACHEPREFIX=/var/cache/tandem
USER tandem
RUN python -c "import service.app, service.mcp, service.server, service.serving, service.web, indexer.apply" \
  && python -c "import onnxruntime, qdrant_client, qdrant_edge, tokenizers, trafilatura"
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=5 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
STOPSIGNAL SIGTERM
CMD ["tandem", "serve", "--host", "0.0.0.0", "--port", "8080"]
