#!/usr/bin/env bash
# Runs every test of wgrad, with a GPU: where none answers, installs Mesa's software rasterizer.
#
# The last line counts the tests; the exit status is 0 only if all passed.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never

# wgpu and Mesa want a place for sockets and locks.
if [[ -z "${XDG_RUNTIME_DIR:-}" ]]; then
    XDG_RUNTIME_DIR="$(mktemp -d)"
    export XDG_RUNTIME_DIR
    trap 'rm -rf "$XDG_RUNTIME_DIR"' EXIT
fi

say() { echo "run.sh: $*"; }

# OpenGL does not count: a machine may have its software driver without that of Vulkan, and there
# a step takes twenty times as long.
gpu_answers() {
    # Not in one pipe: a grep that has seen enough would break it.
    local listing
    listing="$("$wgrad" devices --json)" &&
        grep -qE '"backend":"(vulkan|metal|dx12)"' <<<"$listing"
}

install_mesa() {
    local packages=(mesa-vulkan-drivers libvulkan1) release=()
    if ! command -v apt-get >/dev/null; then
        say "no Vulkan, Metal or DX12 driver answers: install a Vulkan driver (Mesa's lavapipe will do) and its loader"
        return 1
    fi
    if [[ "$(id -u)" != 0 ]]; then
        say "no Vulkan, Metal or DX12 driver answers: run 'apt-get install ${packages[*]}' as root"
        return 1
    fi
    # Debian 12 itself has Mesa 22, which is old for a Vulkan driver.
    if (. /etc/os-release && [[ "${ID:-}" == debian && "${VERSION_ID:-}" == 12 ]]); then
        release=(-t bookworm-backports)
        apt-get update -q
        # URI, release and component of every source of this machine, in whatever format it is written.
        local sources mirror
        sources="$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)')"
        mirror="$(awk '$2 == "bookworm" && $3 == "main" && !seen++ { print $1 }' <<<"$sources")"
        if grep -q ' bookworm-backports main$' <<<"$sources"; then
            :
        elif [[ -n "$mirror" ]]; then
            say "adding bookworm-backports of $mirror to the sources of apt"
            echo "deb $mirror bookworm-backports main" \
                >/etc/apt/sources.list.d/bookworm-backports.list
        else
            say "no source of apt has bookworm: Mesa comes from what there is"
            release=()
        fi
    fi
    # Bash up to 4.3, macOS's among them, takes an empty array for an unset one.
    say "no Vulkan, Metal or DX12 driver answers: installing ${packages[*]} ${release[*]-}"
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        ${release[@]+"${release[@]}"} "${packages[@]}"
}

# The program is built with the tests: `cargo build` would compile wgpu a second time, since tests
# enable more features of naga. In JSON a path of Windows has its backslashes twice.
wgrad="$(cargo test --no-run --message-format json-render-diagnostics |
    sed -nE 's|\\\\|/|g; s|.*"executable":"([^"]*/wgrad(\.exe)?)".*|\1|p')"
if ! gpu_answers; then
    install_mesa
fi
if command -v dpkg-query >/dev/null; then
    mesa="$(dpkg-query -W -f '${Version}' mesa-vulkan-drivers 2>/dev/null || true)"
    say "Mesa: ${mesa:-not from a package}"
fi

# Tests that need a GPU fail without one instead of passing it over.
export REQUIRE_GPU=1
log="$(mktemp)"
status=0
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --no-fail-fast "$@" 2>&1 | tee -a "$log" || status=1
    cargo test --doc --no-fail-fast 2>&1 | tee -a "$log" || status=1
else
    cargo test --no-fail-fast "$@" 2>&1 | tee -a "$log" || status=1
fi

# A second driver, stricter than the first and without f16, comes with Debian's chromium.
swiftshader=/usr/lib/chromium/vk_swiftshader_icd.json
if [[ -f "$swiftshader" && $# == 0 ]]; then
    say "the tests of the GPU once more, on SwiftShader"
    if cargo nextest --version >/dev/null 2>&1; then
        VK_DRIVER_FILES="$swiftshader" cargo nextest run --no-fail-fast -E 'test(gpu)' 2>&1 |
            tee -a "$log" || status=1
    else
        VK_DRIVER_FILES="$swiftshader" cargo test --no-fail-fast gpu 2>&1 | tee -a "$log" || status=1
    fi
fi

# nextest: "Summary [ 1.2s] 90 tests run: 88 passed (1 slow), 2 failed, 0 skipped"; libtest:
# "test result: ok. 12 passed; 0 failed; ..", once for each binary.
read -r passed failed < <(awk '
    /^ *Summary \[/ || /^test result:/ {
        for (i = 2; i <= NF; i++) {
            if ($i ~ /^passed/) passed += $(i - 1)
            if ($i ~ /^(failed|timed|exec)/) failed += $(i - 1)
        }
    }
    END { print passed + 0, failed + 0 }' "$log")
rm -f "$log"
if [[ "$passed" == 0 || "$failed" != 0 ]]; then
    status=1
fi
echo "$passed passed, $failed failed"
exit "$status"
