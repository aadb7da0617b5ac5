#!/usr/bin/env bash
# A small Debian sid with Mesa's compilers for GPUs that need not be there, its lavapipe, and spirv-tools; with --cuda also
# NVIDIA's ptxas. It takes 630 MB and two minutes, once, and root. Where it was interrupted it goes on with what it has downloaded.
set -euo pipefail
source "$(dirname "$0")/common.sh"

fail() {
    echo "error: $*" >&2
    exit 1
}

with_cuda=no
for argument in "$@"; do
    case "$argument" in
        --cuda) with_cuda=yes ;;
        *) fail "unknown argument $argument; usage: setup.sh [--cuda]" ;;
    esac
done

if ! has_sid; then
    [[ "$(uname -sm)" == "Linux x86_64" ]] || fail "Mesa's shims are packages for Linux on x86-64, not $(uname -sm)"
    [[ "$(id -u)" == 0 ]] || fail "only root can make the Debian in $KERNELS_SID: run $KERNELS/setup.sh once as root"
    if ! command -v debootstrap >/dev/null; then
        command -v apt-get >/dev/null || fail "debootstrap is not installed, and there is no apt-get to install it with"
        { apt-get update -qq && apt-get install -yqq debootstrap; } >&2 ||
            fail "debootstrap is not installed, and apt-get could not install it"
    fi

    # From the mirror that apt itself uses; where that has another system, debootstrap knows one of its own.
    mirror=
    if command -v apt-get >/dev/null; then
        mirrors="$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages')"
        mirror="$(grep -m1 -E '/debian/?$' <<<"$mirrors" || true)"
    fi

    mkdir -p "$KERNELS_DIR/debs"
    # One that was killed may have left these, and nothing of this machine may be removed through them.
    for mounted in proc sys dev; do
        while mountpoint -q "$KERNELS_SID/$mounted"; do umount "$KERNELS_SID/$mounted"; done
    done
    rm -rf --one-file-system "$KERNELS_SID"
    debootstrap --variant=minbase --cache-dir="$KERNELS_DIR/debs" \
        --include=mesa-vulkan-drivers,mesa-drm-shim,libvulkan1,spirv-tools \
        sid "$KERNELS_SID" ${mirror:+"$mirror"} >&2 ||
        fail "debootstrap has failed; see $KERNELS_SID/debootstrap/debootstrap.log"
    chroot "$KERNELS_SID" dpkg-query --show --showformat '${source:Upstream-Version}\n' mesa-vulkan-drivers \
        >"$KERNELS_DIR/mesa-version.part"
    mv "$KERNELS_DIR/mesa-version.part" "$KERNELS_DIR/mesa-version"
    rm -rf "$KERNELS_DIR/debs"
fi
"$KERNELS/on" lavapipe true || fail "this machine does not let a process mount what only it sees, which \`on\` needs"

if [[ "$with_cuda" == yes && ! -x "$KERNELS_CUDA/bin/ptxas" ]]; then
    mkdir -p "$KERNELS_DIR/wheels"
    python3 -m pip download --quiet --no-deps --dest "$KERNELS_DIR/wheels" \
        nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-cuda-runtime==13.0.96 \
        nvidia-cuda-cccl nvidia-cuda-cuobjdump nvidia-cuda-nvdisasm
    for wheel in "$KERNELS_DIR"/wheels/*.whl; do
        python3 -m zipfile --extract "$wheel" "$KERNELS_DIR/cuda"
    done
    chmod +x "$KERNELS_CUDA"/bin/* "$KERNELS_CUDA"/nvvm/bin/*
    rm -rf "$KERNELS_DIR/wheels"
fi

echo "Mesa $(mesa_version) in $KERNELS_SID"
if [[ -x "$KERNELS_CUDA/bin/ptxas" ]]; then
    echo "CUDA in $KERNELS_CUDA/bin"
fi
