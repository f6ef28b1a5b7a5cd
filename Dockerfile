# The controller's image: `docker build -t REGISTRY/amity:0.1.0 .` What is in it, and why, is in
# deploy/image/build.

# Rust by its version (that of rust-toolchain.toml), on the Debian whose libraries go into the image.
# The tag moves with Debian's own fixes: to make the very same image again, give the digest that its
# provenance names, as rust@sha256:….
ARG RUST=docker.io/library/rust:1.95.0-bookworm
FROM ${RUST} AS build
# Else rustup would fetch what rust-toolchain.toml names for work on the source.
ENV RUSTUP_TOOLCHAIN=1.95.0
RUN cargo install --locked cargo-auditable@0.7.7 auditable2cdx@0.1.0
WORKDIR /amity
COPY . .
# The time of the last commit, in seconds.
ARG SOURCE_DATE_EPOCH
RUN deploy/image/build /image

FROM scratch
LABEL org.opencontainers.image.title="Amity" \
      org.opencontainers.image.description="Keeps Amazon Machine Images as Kubernetes keeps everything else" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image /
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/bin/amity"]
CMD ["run"]
