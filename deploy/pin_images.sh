#!/bin/bash
# Writes the digest of every image anew behind its tag, in compose.yaml and in ../Dockerfile: run it when a tag has changed,
# look at the difference, and commit it. Needs Docker with buildx, and the registries.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly FILES=(compose.yaml ../Dockerfile)
# An image with a registry's path or a tag. What this project builds has neither.
readonly IMAGE='^( +image: |FROM )([^ @]+[/:][^ @]+)'

sed -nE "s#$IMAGE.*#\\2#p" "${FILES[@]}" | sort -u | while read -r image; do
  digest=$(docker buildx imagetools inspect --format '{{.Manifest.Digest}}' "$image" </dev/null)
  if [[ ! $digest =~ ^sha256:[0-9a-f]{64}$ ]]; then
    echo "Cannot pin $image: the registry answered \"$digest\", which is no digest. Its line is as it was" >&2
    exit 1
  fi
  sed -i -E "s#^( +image: |FROM )${image//./\\.}(@sha256:[0-9a-f]+)?( .*)?\$#\\1$image@$digest\\3#" "${FILES[@]}"
  echo "$image@$digest"
done
