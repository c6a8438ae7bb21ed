# The service, without torch: it runs exported models only.
FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY retrieval retrieval
COPY indexer indexer
COPY trainer trainer
COPY service service
RUN python -m venv /opt/tandem && /opt/tandem/bin/pip install --no-cache-dir -c constraints.txt .

FROM python:3.11-slim
RUN useradd --create-home --uid 10001 tandem && mkdir /data && chown tandem /data
COPY --from=build /opt/tandem /opt/tandem
ENV PATH=/opt/tandem/bin:$PATH TANDEM_HOME=/data PYTHONUNBUFFERED=1
USER tandem
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=5 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
STOPSIGNAL SIGTERM
CMD ["tandem", "serve", "--host", "0.0.0.0", "--port", "8080"]
