#!/bin/bash
# Packs an executable as a Debian package, with its unit, its settings and its documents.
#
#   deploy/deb/build.sh EXECUTABLE PROCESSOR DIRECTORY     PROCESSOR: amd64 or arm64; prints the path of the package
#
# Needs dpkg-deb; packs dist/titan10.cdx.json (task sbom) where it is there. TITAN10_MAINTAINER says whose package it is.
set -euo pipefail

readonly EXECUTABLE=$1 PROCESSOR=$2 DIRECTORY=$3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
readonly here root
version=$(sed -nE 's/^  "version": "(.+)",$/\1/p' "$root/deno.json")
# 1.1.0-rc.1 comes before 1.1.0: dpkg says so with a tilde.
version=${version//-/\~}
readonly version maintainer=${TITAN10_MAINTAINER:-Titan-10 <root@localhost>}

case $PROCESSOR in
  amd64 | arm64) ;;
  *) echo "There is no package for the processor $PROCESSOR: amd64 or arm64" >&2 && exit 2 ;;
esac

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"
readonly doc=$tree/usr/share/doc/titan10

install -D --mode=755 "$EXECUTABLE" "$tree/usr/bin/titan10"
# A package's files are not in /usr/local.
mkdir --parents "$tree/usr/lib/systemd/system"
sed -e 's#/usr/local/bin/#/usr/bin/#; s#/usr/local/share/doc/#/usr/share/doc/#' "$root/deploy/titan10.service" \
  >"$tree/usr/lib/systemd/system/titan10.service"
# Every line of it is a comment. Secrets may be written into it, so root alone reads it; systemd does so as root.
install -D --mode=600 "$root/.env.example" "$tree/etc/titan10.env"
mkdir --parents "$doc/docs"
cp "$root"/docs/*.md "$doc/docs"
cp "$root/README.md" "$root/docs/licences.txt" "$root"/deploy/{secrets,node}.conf "$doc"
gzip --best --no-name <"$root/CHANGELOG.md" >"$doc/CHANGELOG.md.gz"
# In the form that Debian's tools read.
gzip --best --no-name >"$doc/changelog.gz" <<END
titan10 ($version) unstable; urgency=medium

  * CHANGELOG.md.gz beside this file says what is new.

 -- $maintainer  $(date --utc --rfc-email --date="@${SOURCE_DATE_EPOCH:-$(date +%s)}")
END
cp "$here/copyright" "$doc/copyright"
if [[ -e $root/dist/titan10.cdx.json ]]; then cp "$root/dist/titan10.cdx.json" "$doc"; fi
install -D --mode=644 "$here/lintian-overrides" "$tree/usr/share/lintian/overrides/titan10"
find "$tree" -type d -exec chmod 755 {} +
find "$doc" "$tree/usr/lib" -type f -exec chmod 644 {} +

mkdir "$tree/DEBIAN"
cp "$here/postinst" "$here/prerm" "$here/postrm" "$tree/DEBIAN/"
chmod 755 "$tree"/DEBIAN/{postinst,prerm,postrm}
echo /etc/titan10.env >"$tree/DEBIAN/conffiles"
(cd "$tree" && find usr -type f -print0 | LC_ALL=C sort --zero-terminated | xargs --null md5sum) >"$tree/DEBIAN/md5sums"
cat >"$tree/DEBIAN/control" <<END
Package: titan10
Version: $version
Architecture: $PROCESSOR
Maintainer: $maintainer
Installed-Size: $(du --summarize --apparent-size --block-size=1024 --exclude=DEBIAN "$tree" | cut --fields=1)
Depends: libc6 (>= 2.31), libgcc-s1, adduser
Recommends: ca-certificates
Section: database
Priority: optional
Description: archive of candles from crypto exchanges
 Titan-10 keeps a complete and explained archive of OHLCV candles from many
 crypto exchanges in TimescaleDB. It brings an embedded database, or uses a
 PostgreSQL server.
 .
 The daemon is not started by the installation: write your exchanges into
 /etc/titan10.env, then run systemctl enable --now titan10.
END

mkdir --parents "$DIRECTORY"
readonly package=$DIRECTORY/titan10_${version}_$PROCESSOR.deb
dpkg-deb --root-owner-group -Z"${TITAN10_DEB_COMPRESSION:-xz}" --build "$tree" "$package" >/dev/null
echo "$package"
