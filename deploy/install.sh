#!/bin/sh
# Installs the executable of a release for the user who runs this, without root: into ~/.local/bin, or --to DIRECTORY.
#
#   sh install.sh [--version v1.0.0] [--to ~/.local/bin]
#
# What was downloaded is compared with the release's SHA256SUMS before anything of it is unpacked. Where that cannot be
# done, nothing is installed. Needs curl or wget, tar, and one of sha256sum, shasum and openssl.
# TITAN10_RELEASES names another place that holds the files of a release, such as a mirror.
set -eu

# The repository on GitHub; the release workflow writes it into its copy of this file.
repository='@REPOSITORY@'

fail() {
  printf 'Cannot install titan10: %s\n' "$*" >&2
  exit 1
}

usage() {
  printf 'Usage: sh install.sh [--version v1.0.0] [--to DIRECTORY]\n' >&2
  exit 2
}

# The name of this system in the names of a release's files.
platform() {
  case "$(uname -s)" in
    Linux) system=linux ;;
    Darwin) system=macos ;;
    *) fail "there is no release for $(uname -s). Run it from the sources, or in a container" ;;
  esac
  case "$(uname -m)" in
    x86_64 | amd64) processor=x64 ;;
    aarch64 | arm64) processor=arm64 ;;
    *) fail "there is no release for the processor $(uname -m)" ;;
  esac
  # Alpine and others: the executable is made for glibc.
  if [ "$system" = linux ] && ls /lib/ld-musl-* >/dev/null 2>&1 && ! getconf GNU_LIBC_VERSION >/dev/null 2>&1; then
    fail 'this system has musl, and the executable needs glibc. Use the container image'
  fi
  printf '%s-%s\n' "$system" "$processor"
}

# Where the files of the release are.
releases() {
  if [ -n "${TITAN10_RELEASES:-}" ]; then
    printf '%s\n' "${TITAN10_RELEASES%/}"
    return
  fi
  case "$repository" in
    @*) fail 'this copy names no repository. Take install.sh from a release, or set TITAN10_RELEASES to where its files are' ;;
  esac
  if [ "$version" = latest ]; then
    printf 'https://github.com/%s/releases/latest/download\n' "$repository"
  else
    printf 'https://github.com/%s/releases/download/%s\n' "$repository" "$version"
  fi
}

# fetch URL FILE. Nothing but HTTPS, also behind redirects; a server of this machine may do without.
fetch() {
  case "$1" in
    https://*) protocols=https ;;
    http://127.0.0.1:* | http://localhost:*) protocols=http,https ;;
    *) fail "$1 is not encrypted. Use https://" ;;
  esac
  if command -v curl >/dev/null 2>&1; then
    curl --proto "=$protocols" --proto-redir "=$protocols" --fail --silent --show-error --location \
      --retry 2 --connect-timeout 30 --output "$2" "$1" || fail "$1 could not be downloaded"
  elif command -v wget >/dev/null 2>&1; then
    wget -q -O "$2" "$1" || fail "$1 could not be downloaded"
  else
    fail 'it needs curl or wget. Install one of them'
  fi
}

# The SHA-256 of a file, in hexadecimal digits.
sha256() {
  if command -v sha256sum >/dev/null 2>&1; then
    sha256sum "$1" | cut -d ' ' -f 1
  elif command -v shasum >/dev/null 2>&1; then
    shasum -a 256 "$1" | cut -d ' ' -f 1
  elif command -v openssl >/dev/null 2>&1; then
    openssl dgst -sha256 -r "$1" | cut -d ' ' -f 1
  else
    fail 'it needs sha256sum, shasum or openssl to verify the download. Install one of them'
  fi
}

# verify FILE NAME SUMS: fails unless SUMS has exactly one checksum of NAME, and FILE has it.
verify() {
  expected=$(awk -v name="$2" '$2 == name || $2 == "*" name { print $1 }' "$3")
  case "$expected" in
    '' | *[!0-9a-f]*) fail "SHA256SUMS of the release has no checksum of $2" ;;
  esac
  [ "${#expected}" -eq 64 ] || fail "SHA256SUMS of the release has no checksum of $2"
  found=$(sha256 "$1")
  if [ "$found" != "$expected" ]; then
    fail "the checksum of $2 is $found, and the release says $expected. Nothing was installed; try again, and report it" \
      'when it stays so'
  fi
}

main() {
  version=latest
  to=${HOME:+$HOME/.local/bin}
  while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || usage
    case "$1" in
      --version) version=$2 ;;
      --to) to=$2 ;;
      *) usage ;;
    esac
    shift 2
  done
  case "$version" in
    latest | v[0-9]*) ;;
    *) fail "a version is written as in v1.0.0, not $version" ;;
  esac
  [ -n "$to" ] || fail 'HOME is not set. Name a directory with --to'

  name=titan10-$(platform).tar.gz
  from=$(releases)
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  fetch "$from/SHA256SUMS" "$work/SHA256SUMS"
  fetch "$from/$name" "$work/$name"
  verify "$work/$name" "$name" "$work/SHA256SUMS"
  tar -xzf "$work/$name" -C "$work" titan10 || fail "$name has no titan10"

  mkdir -p "$to" || fail "$to cannot be made. Name a directory with --to"
  chmod 755 "$work/titan10"
  # Beside its place first: a file that runs cannot be written, but another can take its name.
  new=$to/.titan10.new
  cp "$work/titan10" "$new" || fail "$to cannot be written. Name a directory with --to"
  installed=$("$new" --version) || {
    rm -f "$new"
    fail 'the executable does not run on this system'
  }
  mv "$new" "$to/titan10"
  printf 'Installed titan10 %s as %s/titan10\n' "$installed" "$to"
  case ":${PATH:-}:" in
    *":$to:"*) printf 'Try it: titan10 demo\n' ;;
    *) printf '%s is not in PATH. Try it: %s/titan10 demo\n' "$to" "$to" ;;
  esac
}

# The last line: of a file that was cut short on its way nothing runs.
main "$@"
