# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Record the shipped sample: the simulated arm follows an instruction, is stopped, reset, and goes on.

    . tools/environment.sh && python tools/record_sample.py recordings/sim_stop

Small on purpose: pictures of 160x160 as JPEG, the filter at 50 Hz.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from rclpy.qos import QoSProfile  # noqa: E402
from std_msgs.msg import String  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402

from bench.support.live_graph import Graph  # noqa: E402
from instructvla_ros.msg import ActionChunk, SafetyStatus  # noqa: E402
from instructvla_ros.nodes import qos  # noqa: E402


def main() -> int:
    """Make the bag named on the command line."""
    bag = Path(sys.argv[1]).resolve()
    graph = Graph(1 + os.getpid() % 100)
    try:
        statuses = graph.collect(SafetyStatus, "safety_status", QoSProfile(depth=100))
        chunks = graph.collect(ActionChunk, "action_chunk", QoSProfile(depth=100))
        instruction = graph.node.create_publisher(String, "instruction", qos.LATCHED)
        graph.start("sim_arm_node", image_width=160, image_height=160, image_rate=5.0, joint_state_rate=25.0)
        graph.start("safety_filter_node", robot="sim", rate=50.0)
        graph.start(
            "policy_node",
            robot="sim",
            checkpoint="models/tabletop",
            autostart=True,
            device="cpu",
            threads=1,
            seed=1,
            control_rate=2.5,
        )
        # the policy's camera is used from when its model is loaded on
        graph.wait_until(lambda: "acting at" in graph.processes[-1].output, "the model to be loaded")
        recorder = graph.start("recorder_node", path=str(bag), images="jpeg", robot="sim", flight_recorder=False)
        graph.wait_until(lambda: graph.node.count_subscribers("/image") == 2, "the recorder to listen to the camera")

        def moving() -> bool:
            return bool(statuses) and statuses[-1].state == SafetyStatus.STATE_MOVING

        instruction.publish(String(data="pick up the red cube"))
        graph.wait_until(lambda: moving() and len(chunks) >= 3, "motion")
        graph.call(Trigger, "safety_filter_node/stop", Trigger.Request())
        graph.wait_until(lambda: statuses[-1].state == SafetyStatus.STATE_STOPPED, "the arm to be stopped")
        graph.call(Trigger, "safety_filter_node/reset", Trigger.Request())
        graph.wait_until(moving, "motion after the reset")
        count = len(chunks)
        graph.wait_until(lambda: len(chunks) >= count + 5, "further chunks")
        graph.wait_until(lambda: any(status.interventions for status in statuses), "an intervention")
        recorder.stop()
        print(recorder.output)
        return recorder.wait()
    finally:
        graph.close()


if __name__ == "__main__":
    sys.exit(main())
