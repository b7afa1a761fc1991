# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Packages that only training needs: imported when they are needed, with an error that says what to install."""

import importlib
from types import ModuleType


class MissingExtraError(ImportError):
    """A package that training needs is not installed; the message says how to get it."""


def import_extra(name: str, purpose: str) -> ModuleType:
    """Import a package or module of the training extra.

    Args:
        name: of the module.
        purpose: what it is needed for, for the message.

    Raises:
        MissingExtraError: if it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise MissingExtraError(
            f"{package} is needed {purpose} and is not installed here ({error}). "
            "Install what training needs: pip install -r requirements/training.txt"
        ) from error
