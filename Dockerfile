# stocksync as an image: docs/deployment.md. Any base with a Python of 3.11 or newer serves:
#   docker build --build-arg BASE_IMAGE=python:3.13-slim-bookworm -t stocksync .
# An index of your own: --build-arg PIP_INDEX_URL=… (pip's other variables likewise); none of it stays in the image.
ARG BASE_IMAGE=python:3.13-slim-bookworm

FROM ${BASE_IMAGE} AS build
ARG PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_CERT
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
# Its own pip stays here: what runs needs none.
RUN python3 -m venv tools \
 && python3 -m venv --without-pip /opt/stocksync \
 && mkdir -p /var/lib/stocksync
# Parts of requirements.lock, by hash; before the sources, so that a change there downloads nothing.
COPY deploy/docker/requirements.lock deploy/docker/build.lock ./
RUN tools/bin/pip install --no-deps --require-hashes --only-binary=:all: -r build.lock \
 && tools/bin/pip --python /opt/stocksync/bin/python install --no-deps --require-hashes --no-compile \
    --only-binary=:all: -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY deploy/sbom.cdx.json deploy/
COPY migrations migrations
COPY docs/runbook.md docs/
COPY daemon daemon
# What others' compiled parts were made from is of no use here, and a tenth of the size.
RUN tools/bin/pip wheel --no-deps --no-build-isolation --no-index --wheel-dir wheels . \
 && tools/bin/pip --python /opt/stocksync/bin/python install --no-deps --no-index --no-compile wheels/*.whl \
 && find /opt/stocksync/lib -type f -regex '.*\.\(c\|h\|pyx\|pxd\|rs\)' -delete \
 && /opt/stocksync/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/stocksync/lib \
 && /opt/stocksync/bin/stocksync --version

FROM ${BASE_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=""
LABEL org.opencontainers.image.title="stocksync" \
      org.opencontainers.image.description="Keeps the stock of a shop, warehouse or order desk equal to Qoyod's" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/stocksync /opt/stocksync
# Also what a new volume mounted there belongs to.
COPY --from=build --chown=10001:10001 /var/lib/stocksync /var/lib/stocksync
ENV PATH=/opt/stocksync/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/var/lib/stocksync \
    STATE_DIRECTORY=/var/lib/stocksync
# A fixed number: files on volumes keep their owner through every upgrade.
USER 10001:10001
WORKDIR /var/lib/stocksync
VOLUME /var/lib/stocksync
EXPOSE 9464
STOPSIGNAL SIGTERM
# Whether the loop turns: an outage of Qoyod, of the target or of the state is no reason to restart.
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 CMD ["stocksync", "healthcheck"]
ENTRYPOINT ["stocksync"]
CMD ["run"]
