#!/bin/bash
# Builds the Rust parts into dist/. `--dev`: only the native helper, quickly.
set -euo pipefail
cd "$(dirname "$0")/.."
host=$(uname -m)-unknown-linux-gnu
target=${CARGO_TARGET_DIR:-$PWD/helper-rs/target}
RUSTFLAGS=-Ctarget-feature=+crt-static cargo build --manifest-path helper-rs/Cargo.toml --target "$host" --target-dir "$target" -p rootless-helper -p rootless-hello
mkdir -p dist
for pair in rootless-helper:rootless-helper hello:hello; do
  install -m 755 "$target/$host/debug/${pair%:*}" "dist/.${pair#*:}.new"
  mv -f "dist/.${pair#*:}.new" "dist/${pair#*:}"
done
echo "build-helper: dist/rootless-helper and dist/hello (dev)"
