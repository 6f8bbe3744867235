# docker build -t tapedeck .                   with --target agora for channels of Agora, too
# docker run -p 6080:6080 -v tapedeck:/data -e LIVEKIT_URL=… -e LIVEKIT_API_KEY=… -e LIVEKIT_API_SECRET=… \
#     -e TAPEDECK_AUTH_OPERATOR_KEY=… --stop-timeout 300 tapedeck
#
# Debian's packages of GStreamer's bad and ugly plugins and of libav depend on GPL libraries (x264,
# x265, libdca, …): this image may be passed on under the terms of the GPL only. README, Licence.

FROM rust:1-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev libpango1.0-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
# What was compiled before is kept from one version to the next.
RUN --mount=type=cache,target=/build/target --mount=type=cache,target=/usr/local/cargo/registry \
    cargo build --release --locked --bin tapedeck \
    && cp target/release/tapedeck /tapedeck

FROM debian:bookworm-slim AS runtime
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates curl tini \
        libgstreamer1.0-0 libgstreamer-plugins-base1.0-0 libpangocairo-1.0-0 \
        gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad \
        gstreamer1.0-plugins-ugly gstreamer1.0-libav \
        fonts-dejavu-core fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin tapedeck \
    && install -d -o tapedeck -g tapedeck -m 0700 /data
COPY --from=build /tapedeck /usr/local/bin/tapedeck
COPY LICENSE README.md /usr/share/doc/tapedeck/
COPY config/tapedeck.toml /opt/tapedeck/config/tapedeck.toml

USER tapedeck
WORKDIR /opt/tapedeck
# Listening on all addresses of the container needs a key: without TAPEDECK_AUTH_OPERATOR_KEY one is
# drawn at the first start. docker exec CONTAINER tapedeck key show
ENV TAPEDECK_DATA_DIR=/data TAPEDECK_SERVER_HOST=0.0.0.0 TAPEDECK_AUTH_DRAW_OPERATOR_KEY=true
VOLUME /data
# REST interface and pages; media of WHIP publishers, who need the address of the host:
# TAPEDECK_ROOMS_PUBLIC_ADDRESSES.
EXPOSE 6080 6082/udp 6082/tcp
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD curl -fsS "http://127.0.0.1:${SERVER_PORT:-6080}/healthz" || exit 1
# The processes of a recording cannot outlive the container, so a stop finishes the recordings. With
# SIGTERM instead the next container resumes them with a gap: docs/operating.md.
STOPSIGNAL SIGINT
ENTRYPOINT ["tini", "--", "tapedeck"]
CMD ["serve"]

# Agora's channels are heard by a browser with Agora's own SDK.
FROM node:22-bookworm-slim AS agora-sdk
COPY scripts/agora-sdk /agora-sdk
RUN /agora-sdk /sdk

FROM runtime AS agora
USER root
RUN apt-get update \
    && apt-get install -y --no-install-recommends chromium \
    && rm -rf /var/lib/apt/lists/*
COPY --from=agora-sdk /sdk /usr/local/share/tapedeck
USER tapedeck
EXPOSE 8001

FROM runtime AS tapedeck
