#!/bin/bash
# Builds the Rust parts into dist/: the native helper, in two programs, and the hello program (static), the validator
# (wasm-pack package), and the helper's wasip1 build. `--dev`: only the native ones, quickly, and the helper in one.
# Results are kept by a hash of the sources, outside the work tree, so nothing is compiled twice.
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD
cache=${ROOTLESS_BUILD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/rootless-build}
host=$(uname -m)-unknown-linux-gnu
wasm_pack=0.15.1
# The command line tool and the library must be of one version.
wasm_bindgen=$(sed -n 's/^wasm-bindgen = "=\(.*\)"$/\1/p' helper-rs/web/Cargo.toml)
# The oldest compiler that the code and the tools above are built with.
oldest=1.85

say() { echo "build-helper: $*"; }
fail() { echo "build-helper: $*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
first() { local one; for one in "$@"; do [ -e "$one" ] && { echo "$one"; return; }; done; return 1; }
at_least() { [ "$(printf '%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }
version_of() { "$1" --version 2>/dev/null | sed -n 's/^rustc \([0-9.]*\).*/\1/p'; }

main() {
  case $host in x86_64-* | aarch64-*) ;; *) fail "no helper for $(uname -m): x86_64 and aarch64 are supported" ;; esac
  case "$*" in
    '') ;;
    --dev) build_dev; return ;;
    *) fail "usage: scripts/build-helper.sh [--dev]" ;;
  esac
  local hash kept
  hash=$(source_hash)
  if [ "$(cat dist/.helper-hash 2>/dev/null)" = "$hash" ] && complete dist helper-rs/pkg; then
    say "up to date"
    return
  fi
  kept=$cache/out/$hash
  mkdir -p "$cache/out"
  exec 9>"$cache/lock"
  flock -n 9 || { say "waiting for another build"; flock 9; }
  if complete "$kept/dist" "$kept/pkg"; then say "taking the build of these sources from $cache"; else build_all "$kept"; fi
  deliver "$kept"
  echo "$hash" > dist/.helper-hash
}

source_hash() {
  {
    echo "$host"
    find helper-rs scripts/build-helper.sh \( -name target -o -path helper-rs/pkg \) -prune -o -type f -print | LC_ALL=C sort | xargs sha256sum
  } | sha256sum | cut -c 1-24
}

complete() {
  local file
  for file in "$1/rootless-helper" "$1/rootless-helper-layers" "$1/hello" "$1/helper.wasm" "$1/validator.wasm" "$2/rootless_web.js" "$2/package.json"; do
    [ -s "$file" ] || return 1
  done
}

# Each file is replaced in one step: a helper that runs is never written to.
deliver() {
  local file
  mkdir -p dist helper-rs/pkg
  for file in "$1"/dist/* "$1"/pkg/*; do
    case $file in */pkg/*) put "$file" helper-rs/pkg ;; *) put "$file" dist ;; esac
  done
  say "dist/rootless-helper $(size dist/rootless-helper), its verbs for layers $(size dist/rootless-helper-layers), dist/hello $(size dist/hello)," \
    "dist/helper.wasm $(size dist/helper.wasm), dist/validator.wasm $(size dist/validator.wasm)"
}

put() { cp "$1" "$2/.new.$$" && mv -f "$2/.new.$$" "$2/$(basename "$1")"; }
size() { echo "$(($(stat -c %s "$1") / 1024)) KiB"; }

build_dev() {
  local target=${CARGO_TARGET_DIR:-$top/helper-rs/target} name
  RUSTFLAGS=-Ctarget-feature=+crt-static cargo build --manifest-path helper-rs/Cargo.toml --target "$host" \
    --target-dir "$target" -p rootless-helper -p rootless-hello
  mkdir -p dist
  for name in rootless-helper hello; do put "$target/$host/debug/$name" dist; done
  rm -f dist/.helper-hash
  say "dist/rootless-helper and dist/hello (dev)"
}

# Two chains on two cores: the tools and the package that they make; the native programs and the wasip1 build.
build_all() {
  local work=$cache/work begun=$SECONDS native
  prepare
  rm -rf "$work" && mkdir -p "$work/dist" "$work/pkg"
  (build_native "$work" && build_wasip1 "$work") > "$cache/native.log" 2>&1 &
  native=$!
  build_tools
  build_package "$work"
  say "waiting for the native and wasip1 builds"
  wait "$native" || { tail -n 40 "$cache/native.log" >&2; fail "the helper could not be compiled (all output: $cache/native.log)"; }
  shrink "$work/pkg/rootless_web_bg.wasm"
  cp "$work/pkg/rootless_web_bg.wasm" "$work/dist/validator.wasm"
  shrink "$work/dist/helper.wasm"
  rm -rf "$1" && mv "$work" "$1"
  find "$cache/out" -mindepth 1 -maxdepth 1 -printf '%T@ %p\n' | sort -rn | tail -n +6 | cut -d' ' -f 2- | xargs -r rm -rf
  say "built in $((SECONDS - begun)) s"
}

# Finds a toolchain, installing what is missing where that is allowed.
prepare() {
  if ! use_rustup && ! use_packages; then
    local names
    names=$(package_names) || { may_install && apt-get update -qq && names=$(package_names); } || names=
    [ -z "$names" ] || install_packages $names
    use_packages || fail "no Rust toolchain that can build for WebAssembly
  fix: $(advice "$names")"
  fi
  have wasm-opt || install_packages binaryen
  have cc || install_packages gcc libc6-dev
  have musl-gcc || install_packages musl-tools
  use_musl || { have rustup && timeout 60 rustup target add "$musl" >/dev/null 2>&1; } || use_musl || install_packages $(package_names | tr ' ' '\n' | grep -E '^(rustc|cargo|rust-)')
  have cc || fail "no C compiler: one dependency is in C
  fix: sudo apt-get install gcc libc6-dev"
  say "with $toolchain"
}

use_rustup() {
  have rustup && have rustc && have cargo || return 1
  local libdir missing=()
  for target in wasm32-unknown-unknown wasm32-wasip1; do
    libdir=$(rustc --print target-libdir --target "$target" 2>/dev/null) || return 1
    [ -d "$libdir" ] || missing+=("$target")
  done
  at_least "$(version_of rustc)" "$oldest" || return 1
  if [ ${#missing[@]} -gt 0 ]; then timeout 60 rustup target add "${missing[@]}" >/dev/null 2>&1 || return 1; fi
  toolchain="rustup's rustc $(version_of rustc)"
  cargo=cargo
  build_std=()
}

# A distribution's compiler: /usr/bin/rustc, or Ubuntu's /usr/bin/rustc-1.NN. Its WebAssembly standard library is a
# package or is built from its own source; the linker and the wasi libc are LLVM's and Debian's.
use_packages() {
  local rustc suffix sysroot
  for rustc in /usr/bin/rustc $(ls /usr/bin/rustc-1.* 2>/dev/null | sort -rV); do
    suffix=${rustc#/usr/bin/rustc}
    [ -x "$rustc" ] && [ -x "/usr/bin/cargo$suffix" ] && at_least "$(version_of "$rustc")" "$oldest" || continue
    sysroot=$("$rustc" --print sysroot)
    wasm_ld=$(first /usr/bin/wasm-ld $(ls /usr/bin/wasm-ld-* 2>/dev/null | sort -rV)) || return 1
    wasi_libc=$(first /usr/lib/wasm32-wasi/libc.a /usr/lib/wasm32-wasip1/libc.a) || return 1
    build_std=()
    if [ ! -d "$sysroot/lib/rustlib/wasm32-unknown-unknown/lib" ] || [ ! -d "$sysroot/lib/rustlib/wasm32-wasip1/lib" ]; then
      [ -e "$sysroot/lib/rustlib/src/rust/library/std/Cargo.toml" ] || continue
      build_std=(-Z build-std=std,panic_abort)
    fi
    shims "$rustc" "/usr/bin/cargo$suffix"
    toolchain="the distribution's rustc $(version_of "$rustc")${build_std:+ (standard library for WebAssembly from source)}"
    cargo=$cache/shims/cargo
    return
  done
  return 1
}

# wasm-pack runs `rustc` and `cargo` by name, and looks for an installed target in a folder that rustc names: with a
# standard library that cargo builds there is none, so it is shown one.
shims() {
  rm -rf "$cache/shims" && mkdir -p "$cache/shims/target"
  printf '#!/bin/sh\ncase "$*" in *wasm32*target-libdir*) echo "%s"; exit ;; esac\nexec "%s" "$@"\n' "$cache/shims/target" "$1" > "$cache/shims/rustc"
  printf '#!/bin/sh\nexport RUSTC="%s" RUSTC_BOOTSTRAP=1\nexec "%s" "$@"\n' "$1" "$2" > "$cache/shims/cargo"
  chmod +x "$cache/shims/rustc" "$cache/shims/cargo"
  export PATH="$cache/shims:$PATH"
  export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$wasm_ld CARGO_TARGET_WASM32_WASIP1_LINKER=$wasm_ld
  local folder builtins
  folder=$(dirname "$wasi_libc")
  wasip1_flags="-Clink-self-contained=no -Clink-arg=$folder/crt1-command.o -Clink-arg=-L$folder -Clink-arg=-lc"
  builtins=$(ls /usr/lib/llvm-*/lib/clang/*/lib/wasi/libclang_rt.builtins-wasm32.a /usr/lib/llvm-*/lib/clang/*/lib/wasm32-unknown-wasi*/libclang_rt.builtins.a 2>/dev/null | sort -rV | head -n 1)
  [ -z "$builtins" ] || wasip1_flags="$wasip1_flags -Clink-arg=$builtins"
}

may_install() { [ "$(id -u)" = 0 ] && have apt-get; }

# Packages by name, as root; nothing happens for anyone else.
install_packages() {
  may_install && [ $# -gt 0 ] || return 0
  say "installing $*"
  local options="-y -qq --no-install-recommends -o DPkg::Lock::Timeout=120"
  export DEBIAN_FRONTEND=noninteractive
  apt-get install $options "$@" >/dev/null 2>&1 || { apt-get update -qq && apt-get install $options "$@" >/dev/null; } || true
  hash -r
}

# The names differ: bookworm and trixie have rustc-web (for browsers), Ubuntu rustc-1.NN, later releases a new rustc.
package_names() {
  local rust suffix runtime names
  for rust in rustc-web rustc $(apt-cache pkgnames rustc-1. 2>/dev/null | grep -E '^rustc-1\.[0-9]+$' | sort -rV); do
    at_least "$(candidate "$rust")" "$oldest" || continue
    suffix=${rust#rustc}
    runtime=$(apt-cache pkgnames libclang-rt- | grep -E '^libclang-rt-([0-9]+-)?dev-wasm32$' | sort -V | tail -n 1)
    names="$rust cargo$suffix lld wasi-libc $runtime binaryen gcc libc6-dev"
    case $suffix in
      -web) echo "$names rust-web-src" ;;
      *) echo "$names rust$suffix-src" ;;
    esac
    return
  done
  return 1
}

candidate() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: \(([^)]*)\)\{0,1\}//p' | sed 's/[+~-].*//'; }

advice() {
  if [ -n "$1" ]; then echo "sudo apt-get install $1"; return; fi
  echo "rustup toolchain install stable --target wasm32-unknown-unknown,wasm32-wasip1   (Rust $oldest or newer)"
}

# Cheap to compile rather than fast to run: each is used once. Their own versions are locked.
build_tools() {
  export PATH="$cache/tools/bin:$PATH"
  tool "wasm-bindgen" "$wasm_bindgen" wasm-bindgen-cli --no-default-features --bin wasm-bindgen
  tool "wasm-pack" "$wasm_pack" wasm-pack
}

tool() {
  local name=$1 version=$2 begun=$SECONDS
  shift 2
  [ "$("$cache/tools/bin/$name" --version 2>/dev/null)" = "$name $version" ] && return
  say "compiling $name $version, which is kept in $cache"
  CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_DEBUG=false CARGO_PROFILE_RELEASE_LTO=off \
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_TARGET_DIR="$cache/target/tools" \
    "$cargo" install --quiet --locked --force --version "$version" --root "$cache/tools" "$@" > "$cache/tools.log" 2>&1 ||
    { tail -n 40 "$cache/tools.log" >&2; fail "$name could not be compiled (all output: $cache/tools.log)"; }
  say "$name: $((SECONDS - begun)) s"
}

# The runtime is made small, and where musl is to be had without glibc: then it is a third, and a container's monitor needs half
# the memory. Both have fixed addresses: a page that no relocation is written to is shared by all that run the program. A panic ends
# them at once, so the runtime needs no tables for unwinding, a twelfth of it.
build_native() {
  local name target=$host flags="-Ctarget-feature=+crt-static -Crelocation-model=static"
  RUSTFLAGS=$flags CARGO_TARGET_DIR="$cache/target/native" "$cargo" build --release --locked \
    --manifest-path helper-rs/Cargo.toml --target "$host" -p rootless-helper || return 1
  put "$cache/target/native/$host/release/rootless-helper" "$1/dist" || return 1
  mv "$1/dist/rootless-helper" "$1/dist/rootless-helper-layers"
  (
    ! use_musl || target=$musl
    export RUSTFLAGS="$flags -Clink-arg=-Wl,--no-eh-frame-hdr ${musl_flags:-}" CARGO_TARGET_DIR="$cache/target/runtime"
    "${musl_cargo[@]:-$cargo}" build --profile runtime --locked --manifest-path helper-rs/Cargo.toml --target "$target" \
      -p rootless-helper -p rootless-hello --no-default-features "${musl_std[@]}" || exit 1
    for name in rootless-helper hello; do
      put "$CARGO_TARGET_DIR/$target/runtime/$name" "$1/dist" && without_tables "$1/dist/$name" || exit 1
    done
  )
}

without_tables() {
  objcopy --remove-section .eh_frame --remove-section .eh_frame_hdr --remove-section .gcc_except_table "$1" 2>/dev/null
}

# rustup's own standard library for musl, else one from a distribution's source, with Debian's musl.
use_musl() {
  local rustc suffix libdir
  musl=$(uname -m)-unknown-linux-musl musl_std=() musl_cargo=()
  libdir=$(rustc --print target-libdir --target "$musl" 2>/dev/null) && [ -d "$libdir" ] && return
  have musl-gcc || return 1
  for rustc in /usr/bin/rustc $(ls /usr/bin/rustc-1.* 2>/dev/null | sort -rV); do
    suffix=${rustc#/usr/bin/rustc}
    [ -x "$rustc" ] && [ -x "/usr/bin/cargo$suffix" ] && at_least "$(version_of "$rustc")" "$oldest" || continue
    [ -e "$("$rustc" --print sysroot)/lib/rustlib/src/rust/library/std/Cargo.toml" ] || continue
    # Named by the standard library, and not used where a panic ends the program.
    printf '!<arch>\n' > "$cache/libunwind.a"
    musl_cargo=(env RUSTC="$rustc" RUSTC_BOOTSTRAP=1 "/usr/bin/cargo$suffix")
    musl_std=(-Z build-std=std,panic_abort -Z build-std-features=)
    musl_flags="-Clink-self-contained=no -Clinker=musl-gcc -L $cache"
    return
  done
  return 1
}

build_wasip1() {
  CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS=${wasip1_flags:-} CARGO_TARGET_DIR="$cache/target/wasip1" "$cargo" build \
    --profile wasm --locked --manifest-path helper-rs/Cargo.toml --target wasm32-wasip1 -p rootless-helper "${build_std[@]}" || return 1
  cp "$cache/target/wasip1/wasm32-wasip1/wasm/rootless-helper.wasm" "$1/dist/helper.wasm"
}

build_package() {
  say "compiling the validator with wasm-pack"
  CARGO_TARGET_DIR="$cache/target/web" wasm-pack --log-level error build helper-rs/web --mode no-install --profile wasm --no-opt \
    --target web --out-dir "$1/pkg" -- --locked "${build_std[@]}" > "$cache/web.log" 2>&1 ||
    { tail -n 40 "$cache/web.log" >&2; fail "the validator could not be compiled (all output: $cache/web.log)"; }
  rm -f "$1/pkg/.gitignore"
}

# Debian's wasm-opt is older than the compiler and would otherwise use types that no released Node takes.
shrink() {
  have wasm-opt || { say "no wasm-opt (package binaryen): $(basename "$1") stays larger"; return 0; }
  wasm-opt -Oz --enable-bulk-memory --enable-sign-ext --enable-mutable-globals --enable-nontrapping-float-to-int \
    --enable-multivalue --enable-reference-types --strip-debug --strip-producers --strip-target-features "$1" -o "$1.opt"
  mv "$1.opt" "$1"
}

main "$@"
