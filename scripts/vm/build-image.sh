#!/usr/bin/env bash
# build-image.sh FOLDER SUITE: a bootable Debian in FOLDER (root.img, vmlinux, initrd.gz, emulator/), made by root from packages alone.
# Nothing is mounted and no loop device is used, so that it works in a container too. Exit 75: the packages cannot be had.
set -euo pipefail
out=$1 suite=$2
here=$(cd "$(dirname "$0")" && pwd)
[ ! -e "$out/root.img" ] || exit 0

cache=$(dirname "$out")
packages=$(grep -v '^#' "$here/packages.txt" | paste -sd,)
base=$cache/base-$(printf '%s %s' "$suite" "$packages" | sha256sum | cut -c1-12)
work=$(mktemp -d -p "$cache" --suffix=.making)
trap 'rm -rf --one-file-system "$work"' EXIT

# The packages, unpacked; kept for the next change of configuration.
if [ ! -d "$base" ]; then
  # This machine's own mirror and proxy; without a mirror of Debian mmdebstrap knows one.
  mirror=$(sed -nE 's/^(URIs:|deb) +(\[[^]]*\] +)?(https?:[^ ]*debian\/?)( .*)?$/\3/p' /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null | head -n 1 || true)
  eval "$(apt-config shell proxy Acquire::http::Proxy)"
  slim=() apt=("Acquire::Languages \"none\"" "Acquire::Retries \"3\"" "Acquire::http::Timeout \"30\"" "APT::Install-Recommends \"false\"")
  for glob in doc man locale info lintian; do slim+=("--dpkgopt=path-exclude=/usr/share/$glob/*"); done
  [ -z "${proxy:-}" ] || apt+=("Acquire::http::Proxy \"$proxy\"")
  # The kernel is only fetched: its package would make an initramfs of its own, which takes longer than everything else here.
  mmdebstrap --mode=root --variant=essential --format=directory --include="$packages" "${slim[@]}" \
    "${apt[@]/#/--aptopt=}" --dpkgopt=force-unsafe-io \
    --customize-hook='mkdir "$1/kernel" && cd "$1/kernel" &&
      name=$(APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-cache depends linux-image-cloud-amd64 | sed -n "s/.*Depends: \(linux-image-[0-9].*\)/\1/p" | head -n 1) &&
      APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get download -qq "$name" && dpkg-deb -x linux-image-*.deb . && rm linux-image-*.deb' \
    "$suite" "$work/base" ${mirror:+"$mirror"} > "$work/log" 2>&1 && status=0 || status=$?
  if [ "$status" -ne 0 ]; then
    tail -n 25 "$work/log" >&2
    ! grep -qE 'apt-get update .*failed|Failed to fetch|Could not (resolve|connect)|Unable to (locate|connect)|no installation candidate' "$work/log" || exit 75
    exit "$status"
  fi
  rm -rf "$work/base/var/cache/apt/"* "$work/base/var/lib/apt/lists/"*
  mv -T "$work/base" "$base"
fi
touch "$base"
cp -a --reflink=auto "$base" "$work/root"
root=$work/root

# The emulator leaves the image: with its own libraries and loader it runs on any machine.
emulator=$work/out/emulator
mkdir -p "$emulator"/{lib,share}
chroot "$root" ldd /usr/bin/qemu-system-x86_64 | grep -o '/[^ ]*' | while read -r library; do cp -L "$root$library" "$emulator/lib/"; done
mv "$root/usr/bin/qemu-system-x86_64" "$emulator/"
mv "$root/usr/share/seabios/bios-256k.bin" "$root"/usr/share/qemu/{kvmvapic,linuxboot,linuxboot_dma,pvh}.bin "$emulator/share/"
rm -rf "$root"/usr/bin/qemu-* "$root"/usr/lib/x86_64-linux-gnu/qemu "$root"/usr/share/{qemu,seabios}
install -m 755 "$here/emulator" "$emulator/qemu"

# The kernel: its modules go into the image, the kernel itself beside it.
version=$(basename "$root"/kernel/boot/vmlinuz-* | sed 's/^vmlinuz-//')
modules=$(find "$root/kernel" -type d -path "*lib/modules/$version")
mkdir -p "$root/usr/lib/modules"
mv "$modules" "$root/usr/lib/modules/"
"$here/unpack-kernel.py" "$root/kernel/boot/vmlinuz-$version" > "$work/out/vmlinux"
rm -rf "$root/kernel"
chroot "$root" depmod "$version"

# The configuration.
cp -r --no-preserve=ownership "$here/guest/." "$root/"
chroot "$root" /bin/bash -euo pipefail < "$here/configure.sh"

# An initrd that loads the disk's driver and goes on with systemd.
mkdir -p "$work/initrd"/{bin,dev,proc,sys,new,modules}
cp "$root/bin/busybox" "$work/initrd/bin/"
install -m 755 "$here/initrd-init" "$work/initrd/init"
for module in virtio_pci virtio_blk; do chroot "$root" modprobe -S "$version" --show-depends "$module"; done |
  awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r file; do
    name=$(basename "$file")
    case $name in
      *.xz) xz -dc "$root$file" > "$work/initrd/modules/${name%.xz}" ;;
      *.zst) zstd -qdc "$root$file" > "$work/initrd/modules/${name%.zst}" ;;
      *) cp "$root$file" "$work/initrd/modules/" ;;
    esac
    name=${name%.xz} && echo "${name%.zst}" >> "$work/initrd/modules/order"
  done
(cd "$work/initrd" && find . | cpio -o -H newc --quiet | gzip -1) > "$work/out/initrd.gz"

truncate -s 4G "$work/out/root.img"
mke2fs -q -F -t ext4 -L lab -O ^has_journal -E lazy_itable_init=1,nodiscard -m 0 -d "$root" "$work/out/root.img"
rm -rf "$out"
mv -T "$work/out" "$out"
