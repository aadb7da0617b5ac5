#!/usr/bin/env bash
# A small Debian sid with Mesa's compilers for GPUs that are not here, and spirv-tools; with --cuda also NVIDIA's ptxas.
# It needs root, 700 MB, and takes three minutes; where it was interrupted it goes on with what it has downloaded.
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
    [[ "$(id -u)" == 0 ]] || fail "debootstrap makes the Debian in $KERNELS_SID, which only root can: run this once as root"
    if ! command -v debootstrap >/dev/null; then
        command -v apt-get >/dev/null || fail "debootstrap is not installed, and there is no apt-get to install it with"
        apt-get update -qq && apt-get install -yqq debootstrap >&2 || fail "debootstrap is not installed, and apt-get could not install it"
    fi

    # From the mirror that apt itself uses; without one, as on Ubuntu, debootstrap knows its own.
    mirror="$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m1 -E '/debian/?$' || true)"

    mkdir -p "$KERNELS_DIR/debs"
    # One that was killed may have left its /proc and /sys.
    for mounted in proc sys; do
        while mountpoint -q "$KERNELS_SID/$mounted"; do umount "$KERNELS_SID/$mounted"; done
    done
    rm -rf --one-file-system "$KERNELS_SID"
    debootstrap --variant=minbase --cache-dir="$KERNELS_DIR/debs" \
        --include=mesa-vulkan-drivers,mesa-drm-shim,libvulkan1,spirv-tools \
        sid "$KERNELS_SID" ${mirror:+"$mirror"} >&2 ||
        fail "debootstrap has failed; its log is $KERNELS_SID/debootstrap/debootstrap.log"
    chroot "$KERNELS_SID" dpkg-query --show --showformat '${source:Upstream-Version}\n' mesa-vulkan-drivers >"$KERNELS_DIR/mesa-version"
    rm -rf "$KERNELS_DIR/debs"
fi

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
