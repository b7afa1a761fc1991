#!/bin/sh
# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# Check what must come from the system: Python with venv and headers, a C and C++ compiler, OpenGL without a screen.
# What is missing is installed with apt when this runs as root, and named in one line otherwise.
# Everything else (cmake, ninja, ROS 2, torch, ...) comes into a virtual environment.
python="${PYTHON:-python3}"

if command -v "$python" >/dev/null &&
    ! "$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))'; then
    echo "$python is $("$python" -V), but Python 3.10 to 3.13 is needed; name another one: make PYTHON=python3.12" >&2
    exit 1
fi

missing_packages() {
    if ! command -v "$python" >/dev/null; then
        echo python3 python3-venv python3-dev
    else
        "$python" -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
        "$python" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' || echo python3-dev
    fi
    { command -v cc && command -v c++; } >/dev/null || echo build-essential
    # Either EGL with a vendor's driver or OSMesa draws without a screen.
    libraries="$(PATH="$PATH:/sbin:/usr/sbin" ldconfig -p)"
    if ! echo "$libraries" | grep -q 'libOSMesa\.so'; then
        echo "$libraries" | grep -q 'libEGL\.so\.1' || echo libegl1
        echo "$libraries" | grep -qE 'lib(OpenGL\.so\.0|GL\.so\.1)' || echo libgl1
        if ! echo "$libraries" | grep -q 'libEGL_nvidia\.so'; then
            echo "$libraries" | grep -q 'libEGL_mesa\.so' || echo libegl-mesa0
            ls /usr/lib*/*/dri/*.so /usr/lib*/dri/*.so 2>/dev/null | grep -q . || echo libgl1-mesa-dri
        fi
    fi
}

packages="$(missing_packages | tr '\n' ' ')"
packages="${packages% }"
if [ -n "$packages" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing system packages: $packages"
        log="$(mktemp)"
        # shellcheck disable=SC2086  # a list of words
        if ! { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $packages; } >"$log" 2>&1; then
            tail -n 20 "$log" >&2
            echo "apt-get could not install: $packages (whole log: $log)" >&2
            exit 1
        fi
        rm -f "$log"
        packages="$(missing_packages | tr '\n' ' ')"
        packages="${packages% }"
    fi
fi
if [ -n "$packages" ]; then
    echo "missing system packages; install them and run make again: sudo apt-get install $packages" >&2
    exit 1
fi

# Wanted by the voice bridge, its tests and those of the operator console's page, which say what they lack. Installed
# where that needs nobody's password, once.
optional_packages() {
    command -v espeak-ng >/dev/null || echo espeak-ng
    { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null || echo chromium
    PATH="$PATH:/sbin:/usr/sbin" ldconfig -p | grep -q 'libportaudio\.so\.2' || echo libportaudio2
}

packages="$(optional_packages | tr '\n' ' ')"
packages="${packages% }"
tried=build/.optional_packages
if [ -n "$packages" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && [ "$(cat $tried 2>/dev/null)" != "$packages" ]; then
    echo "installing optional system packages: $packages"
    # shellcheck disable=SC2086  # a list of words
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $packages; } >/dev/null 2>&1 ||
        echo "warning: apt-get could not install $packages: tests that need them are skipped" >&2
    mkdir -p build
    echo "$packages" >$tried
fi
exit 0
