# The executable on next to nothing: glibc, CA certificates, and a user who is not root. Both images are named by digest,
# which deploy/pin_images.sh writes anew.
FROM denoland/deno:2.9.6@sha256:2014dc167ece617ef7e7ba40631ac2234c59e75ce693e7cc2dc2602b3c87859d AS build
WORKDIR /build
# Packages first: they change less often than the program does.
COPY deno.json deno.lock ./
COPY lib/serve/page/deno.json lib/serve/page/
RUN deno install --frozen --no-remote --deny-import
COPY . .
RUN deno task compile && deno task sbom && mkdir /data

FROM gcr.io/distroless/cc-debian12:nonroot@sha256:9dac0a79194e45a7da0158a9c6da57b217585af0786db3845d1f0ec1a0dd182f
LABEL org.opencontainers.image.title="titan10" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /build/LICENSE /build/docs/licences.txt /build/dist/titan10.cdx.json /
COPY --from=build /build/dist/titan10 /titan10
# Docker gives a new volume the owner that the folder has in the image.
COPY --from=build --chown=65532:65532 /data /data
# Loopback inside a container cannot be published. Behind a proxy with its own certificate authority, mount
# its certificate over /etc/ssl/certs/ca-certificates.crt: the system's store counts, next to the built-in one.
# By MALLOC_…, memory that a thread gives back can be used again by another one, and large pieces go back to the system.
ENV DATA_DIR=/data \
    HTTP_HOST=0.0.0.0 \
    DENO_TLS_CA_STORE=system,mozilla \
    MALLOC_ARENA_MAX=2 \
    MALLOC_MMAP_THRESHOLD_=1048576
USER 65532:65532
WORKDIR /data
VOLUME /data
EXPOSE 9464
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["/titan10", "healthcheck"]
ENTRYPOINT ["/titan10"]
CMD ["run"]
