# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""policy_node: cameras, joint states and words in; reasoning and action chunks out. A lifecycle node.

In: ``image`` (or ``image/compressed``), ``wrist_image`` where the checkpoint takes it, ``joint_states``,
``instruction``, ``robot_description``; service ``~/ask``. Out: ``action_chunk``, ``reasoning``, ``model_view``,
``/diagnostics``.

``configure`` loads the model and warms it up, ``activate`` starts to act. Inference runs in no callback: a fixed-rate
thread acts and another one speaks and answers beside it, both through
:class:`instructvla_ros.policy.act_loop.ActLoop`.
"""

from __future__ import annotations

import gc
import logging
import sys
import threading
import time
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace
from functools import partial

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseStamped
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.service import Service
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image
from sensor_msgs.msg import JointState as JointStateMessage
from std_msgs.msg import Header, String

from instructvla_ros.declaring import declare
from instructvla_ros.msg import ActionChunk, Reasoning
from instructvla_ros.nodes import messages, qos
from instructvla_ros.nodes.clock_watch import ClockWatch
from instructvla_ros.nodes.diagnostics import diagnostic
from instructvla_ros.nodes.image_decoding import ImageError, to_message, to_rgb
from instructvla_ros.nodes.inputs import Inputs
from instructvla_ros.nodes.running import RunnableNode, run_node
from instructvla_ros.nodes.tf_pose import TfPose
from instructvla_ros.parameters import POLICY_NODE
from instructvla_ros.policy.act_loop import ActLoop, QuestionRefused
from instructvla_ros.policy.act_reports import ReasoningUpdate, TickResult, TickStatus
from instructvla_ros.policy.interfaces import Model
from instructvla_ros.policy.picture import shown
from instructvla_ros.policy.policy import Policy, PolicyError
from instructvla_ros.policy.profile import RobotProfile
from instructvla_ros.policy.profile_interface import IMAGE_NAMES
from instructvla_ros.policy.thread_count import quickest_count
from instructvla_ros.robot.joint_state_merger import JointStateMerger
from instructvla_ros.srv import Ask
from instructvla_ros.timing import FixedRateThread

MODEL_VIEWS = {"primary": "model_view", "wrist": "wrist_model_view"}
ANSWER_TIMEOUT = 60.0  # longest wait for an answer to ~/ask [s]
_LONGEST_WAIT = 0.1  # [s] between two looks at whether there is something to think about


class PolicyNode(LifecycleNode, RunnableNode):
    """Feeds the act loop with the newest messages and publishes what it makes of them."""

    def __init__(self) -> None:
        """Read parameters and profile; everything else waits for ``configure``.

        Raises:
            ParameterError, ProfileError: a parameter or the profile is wrong.
            ImportError: the profile takes a pose from tf, and tf2_ros is missing.
        """
        super().__init__("policy_node")
        self._given = declare(self, POLICY_NODE)
        self._profile = RobotProfile.load(self._given.robot)
        self._merger = JointStateMerger(self._profile.joints, self._profile.gripper.joint)
        self._end_effector: tuple[float, np.ndarray] | None = None
        self._model: Model | None = None
        self._urdf: str | None = None
        self._instruction = ""
        self._loop: ActLoop | None = None
        self._thread: FixedRateThread | None = None
        self._thinking: threading.Thread | None = None
        self._ending = False
        self._hold = "not configured"
        self._fault = ""
        self._image_faults: dict[str, str] = {}
        self._subscriptions_made: list[Subscription] = []
        self._service: Service | None = None

        # Loading a model takes a while and an answer waits for the network: neither may silence the other callbacks.
        self._ask_group = MutuallyExclusiveCallbackGroup()
        self._report_group = MutuallyExclusiveCallbackGroup()
        self._chunk_publisher = self.create_publisher(ActionChunk, "action_chunk", qos.LEASED_COMMAND)
        self._reasoning_publisher = self.create_publisher(Reasoning, "reasoning", qos.TEXT)
        self._views_publishers = {
            view: self.create_publisher(Image, name, qos.SENSOR) for view, name in MODEL_VIEWS.items()
        }
        self._inputs = Inputs(self)
        self._tf: TfPose | None = None
        pose = self._profile.interface.end_effector_pose
        if pose.kind == "tf":
            self._tf = TfPose(self._inputs.node, self._profile.base_frame, pose.frame)
        self._diagnostics_publisher = self.create_publisher(DiagnosticArray, "/diagnostics", qos.TEXT)
        self.create_timer(1.0, self._publish_diagnostics, callback_group=self._report_group)
        self._clocks: ClockWatch | None = None
        if not self.get_parameter("use_sim_time").value:  # a simulated clock is the same everywhere
            self._clocks = ClockWatch(self, self._profile.ages.future, self._report_group)
        if self._given.autostart:
            self._autostart = self.create_timer(0.0, self._start_by_itself)

    def _start_by_itself(self) -> None:
        self._autostart.cancel()
        if self.trigger_configure() is TransitionCallbackReturn.SUCCESS and not self._ending:
            self.trigger_activate()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model, run it once, and start to listen."""
        try:
            self._model = self._load_model()
        except Exception as error:  # rclpy would swallow any other without a word
            plain = isinstance(error, (ValueError, OSError, RuntimeError, ImportError))
            self._fault = f"cannot load the model: {error if plain else repr(error)}"
            self.get_logger().error(self._fault)
            return TransitionCallbackReturn.FAILURE
        self._fault = ""
        self._hold = "no robot_description yet"
        self._subscribe(self._model.num_views)
        self._service = self.create_service(Ask, "~/ask", self._on_ask, callback_group=self._ask_group)
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start to act, in a new epoch."""
        if self._ending:
            return TransitionCallbackReturn.FAILURE
        rate = self._given.control_rate or self._profile.control_rate
        if self._loop is not None:
            self._loop.restart()
        self._thread = FixedRateThread("policy", 1.0 / rate, self._tick, on_error=self._on_tick_error)
        self._thread.start()
        self._thinking = threading.Thread(target=self._think, args=(self._thread,), name="thinking", daemon=True)
        self._thinking.start()
        self.get_logger().info(f"acting at {rate:g} Hz")
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop to act, and let the arm come to rest."""
        self._stop_thread()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let the model go, forget the instruction and stop listening."""
        self._release()
        self._instruction = ""
        self._hold = "not configured"
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End from any state."""
        self._release()
        return super().on_shutdown(state)

    def stop_working(self) -> None:
        """Stop the thread before its publishers go, and refuse waiting questions."""
        self._ending = True
        self._release()
        self._inputs.close()

    def _LifecycleNodeMixin__change_state(self, transition: int) -> TransitionCallbackReturn:  # noqa: N802
        # rclpy lets a transition that does not fit the present state raise out of its service: the node would end by it
        try:
            return super()._LifecycleNodeMixin__change_state(transition)  # type: ignore[misc]  # a mangled name
        except rclpy_implementation.RCLError as error:
            self.get_logger().error(f"transition {transition} is not possible now: {error}")
            return TransitionCallbackReturn.FAILURE

    def _load_model(self) -> Model:
        import torch

        from instructvla_ros.model.loading import load_for_running

        given = self._given
        if not given.checkpoint:
            raise ValueError("parameter checkpoint is empty: give the model's run folder")
        self.get_logger().info(f"loading {given.checkpoint} ...")
        started = time.monotonic()
        model = load_for_running(
            given.checkpoint, given.base_vlm, given.device, given.dtype, given.threads, given.cuda_graphs
        )
        kind = str(model.dtype).removeprefix("torch.")
        self.get_logger().info(f"on {model.device} as {kind} after {time.monotonic() - started:.1f} s; warming up ...")
        # a policy without kinematics serves to check that checkpoint and profile fit, and to warm up
        rehearsal = Policy(model, self._profile, None, dataset=given.dataset or None, check_chain=False)
        self.get_logger().info(f"first inference took {rehearsal.warm_up():.2f} s")
        if not given.threads and model.device.type == "cpu":
            usual = torch.get_num_threads()
            count = quickest_count(rehearsal.warm_up, torch.set_num_threads, usual, usual)
            self.get_logger().info(f"CPU threads: {count}, by trying up to {usual}")
        gc.collect()
        gc.freeze()  # what is there now stays: later collections need not walk through it between two actions
        return model

    def _subscribe(self, num_views: int) -> None:
        made = self._subscriptions_made
        description = self._profile.urdf()
        if description is None:
            made.append(self.create_subscription(String, "robot_description", self._on_robot_description, qos.LATCHED))
        else:
            self._on_robot_description(String(data=description))
        self._inputs.subscribe(JointStateMessage, "joint_states", self._on_joint_state, qos.SENSOR)
        if self._profile.interface.end_effector_pose.kind == "topic":
            self._inputs.subscribe(PoseStamped, "end_effector_pose", self._on_end_effector, qos.SENSOR)
        made.extend(qos.subscribe_latched_or_not(self, String, "instruction", self._on_instruction))
        for view in list(IMAGE_NAMES)[:num_views]:
            compressed = self._profile.interface.transport(view, self._given.image_transport) == "compressed"
            topic = f"{IMAGE_NAMES[view]}/compressed" if compressed else IMAGE_NAMES[view]
            kind = CompressedImage if compressed else Image
            self._inputs.subscribe(kind, topic, partial(self._on_image, view), qos.SENSOR)

    def _on_robot_description(self, message: String) -> None:
        model = self._model
        if model is None or message.data == self._urdf:
            return
        try:
            chain = self._profile.chain(message.data)
            seed = None if self._given.seed < 0 else self._given.seed
            policy = Policy(model, self._profile, chain, dataset=self._given.dataset or None, seed=seed)
            reasoning = None if self._given.reasoning == "profile" else self._given.reasoning
            loop = ActLoop(
                policy, reasoning=reasoning, on_reasoning=self._publish_reasoning, on_epoch=self._publish_epoch
            )
        except (ValueError, PolicyError) as error:
            self._hold = f"robot_description does not fit: {error}"
            self.get_logger().error(self._hold)
            return
        self._urdf = message.data
        loop.set_instruction(self._instruction)
        before, self._loop = self._loop, loop
        if before is not None:
            before.close()
        self.get_logger().info(f"robot description accepted: {', '.join(chain.joint_names)}")

    def _on_instruction(self, message: String) -> None:
        self._instruction = message.data
        if self._loop is not None:
            self._loop.set_instruction(message.data)
        text = message.data.strip()
        self.get_logger().info(f'instruction: "{text}"' if text else "instruction is empty: idle")

    def _on_joint_state(self, message: JointStateMessage) -> None:
        received = messages.joint_state_from_message(message, messages.seconds(message.header.stamp))
        joint_state, loop = self._merger.merge(received), self._loop
        if loop is None or joint_state is None:
            return
        pose = self._end_effector if self._tf is None else self._tf_pose(self._tf)
        if pose is not None and abs(joint_state.stamp - pose[0]) <= self._profile.ages.joint_state:
            joint_state = replace(joint_state, end_effector=pose[1])
        loop.put_joint_state(joint_state)

    def _tf_pose(self, tf: TfPose) -> tuple[float, np.ndarray] | None:
        try:
            return tf.newest()
        except ValueError as error:
            self.get_logger().error(f"pose by tf refused: {error}", throttle_duration_sec=5.0)
            return None

    def _on_end_effector(self, message: PoseStamped) -> None:
        if message.header.frame_id != self._profile.base_frame:
            self.get_logger().error(
                f"end_effector_pose is in frame {message.header.frame_id!r}, expected {self._profile.base_frame!r}",
                throttle_duration_sec=5.0,
            )
            return
        try:
            self._end_effector = messages.seconds(message.header.stamp), messages.pose_matrix(message.pose)
        except ValueError as error:
            self.get_logger().error(f"end_effector_pose refused: {error}", throttle_duration_sec=5.0)

    def _on_image(self, view: str, message: Image | CompressedImage) -> None:
        loop = self._loop
        if loop is None:
            return
        try:
            picture = to_rgb(message)
        except ImageError as error:
            self._image_faults[view] = f"{IMAGE_NAMES[view]}: {error}"
            self.get_logger().error(f"image refused: {self._image_faults[view]}", throttle_duration_sec=5.0)
            return
        self._image_faults.pop(view, None)
        picture = shown(picture, self._profile.interface.cameras.get(view))
        if self._views_publishers[view].get_subscription_count():
            seen = to_message(picture)
            seen.header = message.header
            self._views_publishers[view].publish(seen)
        loop.put_image(view, messages.seconds(message.header.stamp), picture)

    def _on_ask(self, request: Ask.Request, response: Ask.Response) -> Ask.Response:
        if self._loop is None or self._thread is None:
            response.message = f"the policy is not active ({self._fault or self._hold})"
            return response
        answer = self._loop.ask(request.question)
        try:
            reply = answer.result(ANSWER_TIMEOUT)
            response.success = True
            response.answer = reply.text
            response.stamp = messages.time_message(reply.stamp)
            response.inference_time = reply.inference_time
        except FutureTimeoutError:
            answer.cancel()
            response.message = f"no answer within {ANSWER_TIMEOUT:g} s"
        except (QuestionRefused, ValueError, RuntimeError) as error:
            response.message = str(error)
        return response

    def _tick(self) -> None:
        loop = self._loop
        if loop is None:
            return
        result = loop.tick(messages.ros_now(self))
        refusal = self._clocks.refusal if self._clocks is not None else ""
        if refusal and result.chunk is not None:
            result = replace(result, status=TickStatus.HOLDING, reason=refusal, chunk=None)
        self._report_hold(result)
        if result.chunk is not None:
            self._chunk_publisher.publish(messages.chunk_to_message(result.chunk))

    def _think(self, ticking: FixedRateThread) -> None:
        """Speak and answer beside acting, as long as the ticks go on."""
        while ticking is self._thread:
            loop = self._loop
            if loop is None:
                time.sleep(_LONGEST_WAIT)
            elif not loop.think(messages.ros_now(self)):
                loop.wait_to_think(_LONGEST_WAIT)

    def _report_hold(self, result: TickResult) -> None:
        reason = "; ".join([result.reason, *self._image_faults.values()]) if result.reason else ""
        holding = result.status is TickStatus.HOLDING
        if holding and result.reason.split(" is ")[0] != self._hold.split(" is ")[0]:
            self.get_logger().warning(f"holding: {reason}")
        elif result.status is TickStatus.ACTED and self._hold:
            self.get_logger().info("acting")
        if result.status is not TickStatus.FOLLOWING:
            self._hold = reason

    def _on_tick_error(self, error: Exception) -> None:
        self.get_logger().error(f"tick failed: {error!r}", throttle_duration_sec=1.0)

    def _publish_epoch(self, epoch: int, instruction: str) -> None:
        """Publish an empty chunk: it ends the motion of the instruction before, whose last chunk may reach far."""
        self._chunk_publisher.publish(
            ActionChunk(
                header=Header(stamp=self.get_clock().now().to_msg(), frame_id=self._profile.base_frame),
                epoch=epoch,
                period=self._profile.period,
                instruction=instruction,
            )
        )

    def _publish_reasoning(self, update: ReasoningUpdate) -> None:
        self._reasoning_publisher.publish(
            Reasoning(
                header=Header(stamp=messages.time_message(update.stamp), frame_id=self._profile.base_frame),
                epoch=update.epoch,
                instruction=update.instruction,
                text=update.text,
                final=update.final,
            )
        )

    def _publish_diagnostics(self) -> None:
        loop, thread = self._loop, self._thread
        values: dict[str, object] = {"checkpoint": self._given.checkpoint, "instruction": self._instruction}
        if self._fault:
            level, summary = DiagnosticStatus.ERROR, self._fault
        elif thread is None:
            level, summary = DiagnosticStatus.WARN, "inactive" if self._model is not None else "model not loaded"
        elif self._hold:
            level, summary = DiagnosticStatus.WARN, f"not acting: {self._hold}"
        else:
            level, summary = DiagnosticStatus.OK, "acting"
        if self._clocks is not None:
            values["clock of the safety filter"] = self._clocks.offset or "unknown"
            if not self._clocks.is_close and level == DiagnosticStatus.OK:
                level, summary = DiagnosticStatus.WARN, f"acting; the filter's clock is {self._clocks.offset}"
        if thread is not None:
            values |= {"deadline misses": thread.misses, "failed ticks": thread.errors}
        if loop is not None:
            values |= _figures(loop, messages.ros_now(self))
        self._diagnostics_publisher.publish(diagnostic(self, level, summary, values))

    def _stop_thread(self) -> None:
        """End the motion first, then whatever the model is busy with."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._publish_epoch(time.time_ns(), "")
        if self._loop is not None:
            self._loop.close()
        thread.stop()
        thinking, self._thinking = self._thinking, None
        if thinking is not None:
            thinking.join()
        self._publish_epoch(time.time_ns(), "")  # a tick in progress may have published a chunk in between

    def _release(self) -> None:
        self._stop_thread()
        if self._loop is not None:
            self._loop.close()
        self._inputs.clear()
        for subscription in self._subscriptions_made:
            self.destroy_subscription(subscription)
        self._subscriptions_made = []
        if self._service is not None:
            self.destroy_service(self._service)
            self._service = None
        self._loop = self._model = self._urdf = None


def _figures(loop: ActLoop, now: float) -> dict[str, str]:
    statistics = loop.statistics()
    figures = {
        "chunk rate [Hz]": f"{statistics.chunk_rate:.2f}",
        "chunks": str(statistics.chunks),
        "holds": str(statistics.holds),
        "reasonings": str(statistics.reasonings),
        "answers": str(statistics.answers),
        "failures": str(statistics.failures),
        "inference p50 p95 p99 [ms]": " ".join(f"{value * 1000:.0f}" for value in statistics.act_percentiles),
        "reasoning p50 p95 p99 [ms]": " ".join(f"{value * 1000:.0f}" for value in statistics.reasoning_percentiles),
    }
    ages = loop.ages(now)
    by_topic = {IMAGE_NAMES[view]: age for view, age in ages.images.items()} | {"joint_states": ages.joint_state}
    for topic, age in by_topic.items():
        figures[f"age of {topic} [s]"] = "never came" if age is None else f"{age:.3f}"
    return figures


def main() -> int:
    """Run the node until it is told to stop."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    return run_node(PolicyNode, threads=3)


if __name__ == "__main__":
    sys.exit(main())
