#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the README's two commands in a minimal Debian 12 that has git and make and nothing else, so that a package that
# somebody happens to have does not hide a missing one.
#   tests/fresh.sh FOLDER      FOLDER is made anew; the host's package sources, proxy and certificates are used
# Needs root (chroot, mounts in a mount namespace of its own) and debootstrap.
set -eu

[ $# -eq 1 ] || { echo "usage: tests/fresh.sh FOLDER" >&2; exit 2; }
[ "$(id -u)" -eq 0 ] || { echo "fresh: could not make a Debian: root is needed" >&2; exit 1; }
if [ "${KEELSON_FRESH_NAMESPACE:-}" != 1 ]; then
    # The mounts below go away with this namespace, and what still runs with its init.
    KEELSON_FRESH_NAMESPACE=1 exec unshare --mount --pid --fork --kill-child --propagation private "$0" "$@"
fi

repo=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$(dirname "$1")"
rm -rf --one-file-system "$1"
mkdir "$1"
root=$(cd "$1" && pwd)

# The first archive that the host's sources name for bookworm, in either form that they may have.
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | awk '
    $1 == "deb" { for (i = 2; i < NF; i++) if ($i ~ /:\/\// && $(i + 1) == "bookworm") { print $i; exit } }')
[ -n "$mirror" ] || mirror=$(cat /etc/apt/sources.list.d/*.sources 2>/dev/null | awk -v RS= '
    / bookworm( |\n|$)/ && match($0, /(^|\n)URIs:[ \t]*[^ \n]+/) {
        uri = substr($0, RSTART, RLENGTH); sub(/^[ \t\n]*URIs:[ \t]*/, "", uri); print uri; exit }')
debootstrap --variant=minbase --include=ca-certificates bookworm "$root" ${mirror:+"$mirror"}

# Package sources, keys, proxy and names are the host's.
rm -f "$root"/etc/apt/sources.list
cp -a /etc/apt/. "$root/etc/apt/"
for path in /etc/resolv.conf /etc/hosts; do cp -L "$path" "$root$path"; done
for path in /usr/share/keyrings /usr/local/share/ca-certificates; do
    [ ! -d "$path" ] || { mkdir -p "$root$path" && cp -a "$path/." "$root$path/"; }
done
# A root of its own, not only a chroot: tests make namespaces, which the kernel refuses inside of a chroot.
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount --rbind /dev "$root/dev"
# The service scripts of installed packages must not run here.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"

git -C "$repo" bundle create "$root/root/keelson.bundle" HEAD
cat >"$root/root/fresh.sh" <<'END'
set -eux
cd /root
update-ca-certificates
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends git make
git clone -q keelson.bundle keelson
cd keelson
make demo </dev/null
make test </dev/null
END
mkdir -p "$root/old"
cd "$root"
pivot_root . old
env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    ${http_proxy:+"http_proxy=$http_proxy"} ${https_proxy:+"https_proxy=$https_proxy"} \
    ${no_proxy:+"no_proxy=$no_proxy"} chroot . /bin/sh -c 'umount -l /old && exec /bin/sh /root/fresh.sh'
echo "fresh: both commands worked in a minimal Debian 12"
