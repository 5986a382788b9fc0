# syntax=docker/dockerfile:1
# Needs BuildKit, which Docker uses by default. The one step that builds is deploy/build, which runs
# without Docker, too: the tests lay out the image with it and start it as this file says.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev make && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/source/target deploy/build /image

# C libraries and certificates, no shell, the user `nonroot`.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /image/usr/local/bin/tidings /usr/local/bin/tidings
COPY --from=build --chown=65532:65532 /image/data /data
USER 65532:65532
WORKDIR /data
ENV HOST=0.0.0.0 PORT=8080 LOG_FORMAT=json
EXPOSE 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/tidings"]
CMD ["serve"]
