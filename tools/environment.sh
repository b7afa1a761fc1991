# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# Source this in bash to use the package from its checkout:   . tools/environment.sh
#
# With a sourced ROS 2 distribution it adds the virtual environment and the colcon overlay that `make setup` made.
# Without one it sets what a distribution's setup.bash would set, for ROS 2 from Python wheels: Jazzy's, or those that
# ROS_WHEELS names; one release a shell. Sourcing it again is harmless. Variables that a user may have chosen (domain,
# discovery range, Fast DDS profile) are kept.

if [ -z "${BASH_VERSION:-}" ]; then
    echo "tools/environment.sh: this file is for bash; start bash first" >&2
    return 1
fi

_instructvla_root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"

# Put a directory at the front of a colon-separated variable, once.
_instructvla_prepend() {
    local rest=":${!1:-}:"
    rest="${rest//":$2:"/:}"
    rest="${rest#:}"
    rest="${rest%:}"
    export "$1=$2${rest:+:$rest}"
}

if [ -n "$("$_instructvla_root/tools/find_distribution.sh")" ]; then
    export VIRTUAL_ENV="$_instructvla_root/.venv-$ROS_DISTRO"
    if [ -f "$_instructvla_root/install/local_setup.bash" ]; then
        # shellcheck disable=SC1091
        . "$_instructvla_root/install/local_setup.bash"
    fi
else
    export ROS_DISTRO="${ROS_WHEELS:-jazzy}" ROS_VERSION=2 ROS_PYTHON_VERSION=3
    # each release has its own environment and overlay, so that they can live side by side; tools/set_up.py makes them
    _instructvla_suffix="-wheels-$ROS_DISTRO"
    if [ "$ROS_DISTRO" = jazzy ]; then _instructvla_suffix=""; fi
    _instructvla_overlay="$_instructvla_root/build/overlay$_instructvla_suffix"
    export VIRTUAL_ENV="$_instructvla_root/.venv$_instructvla_suffix"
    for _instructvla_prefix in "$VIRTUAL_ENV" "$_instructvla_overlay"; do
        _instructvla_prepend AMENT_PREFIX_PATH "$_instructvla_prefix"
        _instructvla_prepend CMAKE_PREFIX_PATH "$_instructvla_prefix"
        _instructvla_prepend LD_LIBRARY_PATH "$_instructvla_prefix/lib"
    done
    # wheels bundle some libraries under hashed names beside their Python modules
    for _instructvla_prefix in "$VIRTUAL_ENV"/lib/python3*/site-packages/ros_*.libs; do
        if [ -d "$_instructvla_prefix" ]; then _instructvla_prepend LD_LIBRARY_PATH "$_instructvla_prefix"; fi
    done
    for _instructvla_prefix in "$_instructvla_overlay"/lib/python3*/site-packages; do
        if [ -d "$_instructvla_prefix" ]; then _instructvla_prepend PYTHONPATH "$_instructvla_prefix"; fi
    done
    # The wheels restart Python to set LD_LIBRARY_PATH unless this says that it is set.
    export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
fi
_instructvla_prepend PATH "$VIRTUAL_ENV/bin"
_instructvla_prepend PYTHONPATH "$_instructvla_root" # edits in the checkout take effect at once

export ROS_AUTOMATIC_DISCOVERY_RANGE="${ROS_AUTOMATIC_DISCOVERY_RANGE:-LOCALHOST}"
if [ -z "${FASTRTPS_DEFAULT_PROFILES_FILE:-}" ] && [ -z "${FASTDDS_DEFAULT_PROFILES_FILE:-}" ]; then
    if [ "${ROS_DISTRO:-}" = jazzy ]; then
        export FASTRTPS_DEFAULT_PROFILES_FILE="$_instructvla_root/config/fastdds/shared_memory.xml"
    else # Fast DDS 3 has renamed it, and warns about the old name
        export FASTDDS_DEFAULT_PROFILES_FILE="$_instructvla_root/config/fastdds/shared_memory.xml"
    fi
fi

unset _instructvla_root _instructvla_prefix _instructvla_suffix _instructvla_overlay
unset -f _instructvla_prepend
