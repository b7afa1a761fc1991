# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""InstructVLA on ROS 2: see, understand, act, safely.

The messages of this package are generated into a package of the same name by the ROS build. Extending the
package path lets a source checkout find them in a built overlay.
"""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
__version__ = "0.1.0"
