# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""safety_filter_node: the only one who commands the arm.

In: ``action_chunk``, ``joint_states``, ``robot_description``, ``emergency_stop``, the button of ``hold_to_run``;
services ``~/stop`` and ``~/reset``. Out: commands of the kind that the robot's driver takes, ``planned_trajectory``,
``safety_status``, ``/diagnostics``. Unless it is armed nothing goes to the driver: a dry run.

The filter itself is :class:`instructvla_ros.safety.SafetyFilter`. This node gives it a clock and the topics: callbacks
only leave what came in a mailbox, and a fixed-rate thread on the monotonic clock empties it, steps the filter and
publishes. The tick waits for nobody.
"""

from __future__ import annotations

import math
import sys
import time
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState as JointStateMessage
from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory as JointTrajectoryMessage

from instructvla_ros.declaring import declare
from instructvla_ros.msg import ActionChunk as ActionChunkMessage
from instructvla_ros.msg import SafetyStatus
from instructvla_ros.nodes import messages, qos
from instructvla_ros.nodes.diagnostics import diagnostic, intervention_values
from instructvla_ros.nodes.driver_outputs import ArmOutput, arm_output
from instructvla_ros.nodes.gripper_outputs import gripper_output
from instructvla_ros.nodes.hold_button import hold_button
from instructvla_ros.nodes.one_master import OneMaster
from instructvla_ros.nodes.realtime import keep_ticks_on_time
from instructvla_ros.nodes.running import RunnableNode, run_node
from instructvla_ros.nodes.tick_meter import TickMeter
from instructvla_ros.parameters import SAFETY_FILTER_NODE
from instructvla_ros.policy.profile import ProfileError, RobotProfile
from instructvla_ros.policy.profile_interface import STREAMED_SPEEDS
from instructvla_ros.robot.joint_state import JointState
from instructvla_ros.robot.joint_state_merger import JointStateMerger
from instructvla_ros.safety import (
    LATCHED_STATES,
    Intervention,
    SafetyCommand,
    SafetyFilter,
    SafetyLimits,
    SafetyReport,
    SafetyState,
    Stops,
)
from instructvla_ros.safety.dry_run import DryRun
from instructvla_ros.safety.intervention_log import InterventionLog
from instructvla_ros.safety.mailbox import Mailbox
from instructvla_ros.srv import TellTime
from instructvla_ros.stamps import Stamp
from instructvla_ros.timing import FixedRateThread

STATUS_AGE = 0.1  # what an operator sees is never older [s]
GRIPPER_PERIOD = 0.1  # how often an unchanged gripper command is repeated, for a driver that starts late [s]
MASTERS_PERIOD = 0.05  # how often the masters of the topics are counted, beside at every chunk [s]
RESET_TIMEOUT = 1.0  # longest wait for a tick to take a reset [s]


class SafetyFilterNode(RunnableNode):
    """Steps the safety filter at a fixed rate between the topics."""

    def __init__(self) -> None:
        """Read profile and limits; the filter starts when the robot description has come.

        Raises:
            ParameterError, ProfileError, LimitsError: a parameter, the profile or the limits file is wrong.
            ImportError: the gripper's driver takes an action, and control_msgs is not installed.
        """
        super().__init__("safety_filter_node")
        parameters = declare(self, SAFETY_FILTER_NODE)
        self._profile = RobotProfile.load(parameters.robot)
        interface = self._profile.interface
        self._limits = SafetyLimits.load(parameters.limits or interface.limits)
        self._period = 1.0 / parameters.rate
        self._armed: bool = parameters.arm or interface.simulation
        self._kind = interface.output.kind if parameters.output == "profile" else parameters.output
        if self._armed and self._kind in STREAMED_SPEEDS and not interface.output.command_timeout:
            raise ProfileError(
                f"robot {self._profile.name}: a driver that is sent {self._kind} goes on when the filter dies; the "
                "profile's output.command_timeout must say after which time it stops by itself"
            )
        if interface.output.lead > self._period:
            raise ProfileError(
                f"robot {self._profile.name}: output.lead of {interface.output.lead:g} s is more than the filter's "
                f"period of {self._period:g} s: the driver would skip trajectories; lower it, or the parameter rate"
            )
        gripper = interface.gripper_output.kind if parameters.gripper_output == "profile" else parameters.gripper_output
        self._output: ArmOutput | None = None
        self._dry_run: DryRun | None = None
        self._merger = JointStateMerger(self._profile.joints, self._profile.gripper.joint)
        self._filter: SafetyFilter | None = None

        self._mailbox = Mailbox()
        self._waiting = self._report = _not_ready("no robot_description yet")
        self._speed_scale: float = parameters.speed_scale
        self._log = InterventionLog()
        self._status_due = 0.0
        self._gripper: float | None = None
        self._gripper_due = 0.0
        self._gripper_asked = True  # since the last reset: what was commanded before it must not be repeated by itself
        self._commands = 0

        self._gripper_output = gripper_output(self, gripper if self._armed else "none", self._profile)
        self._planned_publisher = self.create_publisher(JointTrajectoryMessage, "planned_trajectory", qos.COMMAND)
        self._status_publisher = self.create_publisher(SafetyStatus, "safety_status", qos.LATCHED)
        self._diagnostics_publisher = self.create_publisher(DiagnosticArray, "/diagnostics", qos.TEXT)

        self._hold = hold_button(self, parameters.hold_to_run, parameters.hold_button, parameters.hold_timeout)
        chunks = self.create_subscription(ActionChunkMessage, "action_chunk", self._on_chunk, qos.COMMAND)
        self.create_subscription(JointStateMessage, "joint_states", self._on_joint_state, qos.SENSOR)
        qos.subscribe_latched_or_not(self, Bool, "emergency_stop", self._on_emergency_stop)
        self.create_service(Trigger, "~/stop", self._on_stop)
        self.create_service(Trigger, "~/reset", self._on_reset)
        self.create_service(TellTime, "~/tell_time", self._on_tell_time)
        self.create_timer(1.0, self._publish_diagnostics)
        self.add_post_set_parameters_callback(self._on_parameters)
        self._one_master = OneMaster(self, [chunks], self._gripper_output.publishers)
        self._broken: Intervention | None = None
        self.create_timer(MASTERS_PERIOD, self._count_masters)

        self._errors_reported = 0
        self._meter = TickMeter(self._period)
        self._thread = FixedRateThread("safety_filter", self._period, self._tick, on_error=self._on_tick_error)
        self._scheduling = keep_ticks_on_time(parameters.realtime_priority)
        self._thread.start()
        sent = f"commands go out as {self._kind}" if self._armed else "DRY RUN, nothing goes to the driver (arm:=true)"
        self.get_logger().info(
            f"limits for {self._profile.name} in force at {parameters.rate:g} Hz, scheduling {self._scheduling}; {sent}"
        )
        description = self._profile.urdf()
        if description is None:
            self.create_subscription(String, "robot_description", self._on_robot_description, qos.LATCHED)
        else:
            self._on_robot_description(String(data=description))

    def stop_working(self) -> None:
        """Stop the thread before its publishers go; drivers that would go on by themselves are told to rest."""
        self._thread.stop()
        if self._output is not None and self._commands:
            self._output.fall_silent()

    def _on_parameters(self, parameters: list[Parameter]) -> None:
        for parameter in parameters:
            if parameter.name == "speed_scale":
                self._speed_scale = float(parameter.value)
                self.get_logger().info(f"speed scale {self._speed_scale:g}")

    def _on_robot_description(self, message: String) -> None:
        if self._filter is not None:
            return
        try:
            chain = self._profile.chain(message.data)
            safety_filter = SafetyFilter(
                self._limits, chain, self._profile.base_frame, period=self._period, gripper=self._profile.gripper
            )
        except ValueError as error:
            self._waiting = _not_ready(f"robot_description does not fit robot {self._profile.name}: {error}")
            self.get_logger().error(self._waiting.reason)
            return
        if self._armed:
            try:
                self._output = arm_output(
                    self,
                    self._kind,
                    link_chain=self._profile.chain(message.data, tool=False),
                    speeds=safety_filter.bounds.speeds,
                    period=self._period,
                    stamped=self._profile.interface.output.stamped,
                    lead=self._profile.interface.output.lead,
                )
            except ImportError as error:
                self._waiting = _not_ready(str(error))
                self.get_logger().error(self._waiting.reason)
                return
            self._one_master.own(self._output.publishers)
        else:
            self._dry_run = DryRun(chain.joint_names)
        self._filter = safety_filter
        self.get_logger().info(f"filter ready for joints {', '.join(chain.joint_names)}")

    def _count_masters(self) -> None:
        self._broken = self._one_master.broken()

    def _on_chunk(self, message: ActionChunkMessage) -> None:
        self._count_masters()  # before what a second master sends can be followed
        try:
            chunk = messages.chunk_from_message(message, self._monotonic(message.header.stamp))
        except ValueError as error:
            self._mailbox.refuse("chunk_malformed", "action_chunk", str(error))
            return
        self._mailbox.put_chunk(chunk)

    def _on_joint_state(self, message: JointStateMessage) -> None:
        try:
            received = messages.joint_state_from_message(message, self._monotonic(message.header.stamp))
        except ValueError as error:
            self._mailbox.refuse("joint_state", "joint_states", f"joint state refused: {error}")
            return
        joint_state = self._merger.merge(received)
        if joint_state is not None:  # else another device's joints on a shared topic
            self._mailbox.put_joint_state(joint_state)

    def _on_emergency_stop(self, message: Bool) -> None:
        self._mailbox.set_emergency(message.data)

    def _on_stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._mailbox.stop()
        response.success = True
        response.message = "stopping; call ~/reset to allow motion again"
        return response

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Hand the reset to the next tick and tell what came of it."""
        if self._filter is None:
            response.message = f"nothing to reset: {self._waiting.reason}"
            return response
        outcome = self._mailbox.reset()
        try:
            refusal = outcome.result(RESET_TIMEOUT)
        except FutureTimeoutError:
            refusal = f"reset refused: the filter did not answer within {RESET_TIMEOUT:g} s; see /diagnostics"
        response.success = not refusal
        response.message = refusal or (
            "reset: the arm moves again with the next action chunk made from now on; to keep it still, clear the "
            "instruction first"
        )
        return response

    def _on_tell_time(self, _: TellTime.Request, response: TellTime.Response) -> TellTime.Response:
        response.stamp = self.get_clock().now().to_msg()
        return response

    def _monotonic(self, stamp: Stamp) -> float:
        """A header stamp on the monotonic clock, by its age on the ROS clock now."""
        now = messages.ros_now(self)
        return time.monotonic() - (now - messages.seconds(stamp))

    def _tick(self) -> None:
        now = self._meter.start()
        safety_filter = self._filter
        broken = self._broken
        mail = self._mailbox.take(keep_stop=safety_filter is None)
        speed_scale = self._speed_scale
        report = self._waiting
        if safety_filter is not None:
            released = self._hold.released(now) if self._hold is not None else None
            stops = Stops(mail.emergency, mail.stop, mail.reset is not None, broken, released)
            joint_state, dry_run = mail.joint_state, self._dry_run
            if dry_run is not None:
                if dry_run.begins_again(now, self._report.state):
                    safety_filter.begin_again()
                joint_state = dry_run.joint_state(now, joint_state)
            command, report = safety_filter.step(now, joint_state, mail.chunks, stops, speed_scale)
            if command is not None:
                self._publish_command(command, now, joint_state)
            if dry_run is not None:
                report = replace(report, reason=f"dry run: {report.reason}")
        before, self._report = self._report, report
        if mail.reset is not None:
            refusal = _refusal(report)
            self._gripper_asked = self._gripper_asked and bool(refusal)
            mail.reset.set_result(refusal)
        self._log.add(now, (*mail.refused, *((broken,) if broken else ()), *report.interventions))
        if now >= self._status_due or report.state is not before.state:
            self._publish_status(report, speed_scale)
            self._status_due = now + STATUS_AGE - 1.5 * self._period  # the tick before it would be too old
        if report.state is not before.state:
            self._log_state(report)
        self._meter.end()

    def _publish_command(self, command: SafetyCommand, now: float, measured: JointState | None) -> None:
        if self._planned_publisher.get_subscription_count():
            planned = messages.trajectory_to_message(command.trajectory, self._profile.base_frame)
            planned.header.stamp = self.get_clock().now().to_msg()
            self._planned_publisher.publish(planned)
        if self._dry_run is not None:
            self._dry_run.sent(command, now)
        if self._output is None:
            return
        late = time.monotonic() - now  # what the filter has taken: the trajectory began when the step did
        if late > 0.5 * self._limits.horizon:  # a process that was frozen meanwhile: the arm has gone on without it
            self.get_logger().warning(f"a command that came {late:.3f} s late was not sent")
            return
        stamp = messages.time_message(messages.ros_now(self) - late)
        self._output.send(command.trajectory, now, stamp, measured)
        self._commands += 1
        state = self._report.state
        self._gripper_asked = self._gripper_asked or state is SafetyState.MOVING
        allowed = self._gripper_asked and state in (SafetyState.HOLDING, SafetyState.MOVING)
        repeat = now >= self._gripper_due and allowed
        if command.gripper is not None and (command.gripper != self._gripper or repeat):
            self._gripper_due = now + GRIPPER_PERIOD
            self._gripper_output.send(self._profile.gripper.position(command.gripper), now)
            self._gripper = command.gripper

    def _log_state(self, report: SafetyReport) -> None:
        text = f"{report.state.name.lower()}: {report.reason}"
        # two call sites, because rclpy refuses one that changes its severity
        if report.state is SafetyState.FAULT:
            self.get_logger().error(text)
        else:
            self.get_logger().info(text)

    def _publish_status(self, report: SafetyReport, speed_scale: float) -> None:
        self._status_publisher.publish(
            messages.status_to_message(
                report,
                self.get_clock().now().to_msg(),
                self._profile.base_frame,
                speed_scale,
                self._log.take(),
                self._log.total,
            )
        )

    def _on_tick_error(self, error: Exception) -> None:
        self.get_logger().error(f"filter step failed, stopping: {error!r}", throttle_duration_sec=1.0)
        self._mailbox.stop()

    def _publish_diagnostics(self) -> None:
        report = self._report
        level, summary = DiagnosticStatus.OK, f"{report.state.name.lower()}: {report.reason}"
        if report.state in LATCHED_STATES:
            level = DiagnosticStatus.ERROR
        elif report.state is SafetyState.INACTIVE or not self._armed:
            level = DiagnosticStatus.WARN
        if self._thread.errors > self._errors_reported:
            level, summary = DiagnosticStatus.ERROR, f"the filter's step failed, see its log; {summary}"
        self._errors_reported = self._thread.errors
        self._diagnostics_publisher.publish(
            diagnostic(
                self,
                level,
                summary,
                {
                    **self._meter.values(),
                    "scheduling": self._scheduling,
                    "deadline misses": self._thread.misses,
                    "failed steps": self._thread.errors,
                    "commands": self._commands,
                    "output": self._kind if self._armed else "none: dry run",
                    "joint state age [s]": f"{report.joint_state_age:.3f}",
                    "chunk age [s]": f"{report.chunk_age:.3f}",
                    "speed scale": f"{self._speed_scale:g}",
                    **intervention_values(self._log, time.monotonic()),
                },
            )
        )


def _not_ready(why: str) -> SafetyReport:
    """What is reported while there is no filter to step."""
    return SafetyReport(SafetyState.INACTIVE, why, 0, 0, 0.0, math.nan, math.nan, ())


def _refusal(report: SafetyReport) -> str:
    """Why a reset was not granted in the step of this report; empty if it was."""
    if report.state not in LATCHED_STATES:
        return ""
    refusals = [entry.message for entry in report.interventions if entry.limit == "reset"]
    return refusals[0] if refusals else f"reset refused: {report.reason}"


def main() -> int:
    """Run the node until it is told to stop."""
    return run_node(SafetyFilterNode)


if __name__ == "__main__":
    sys.exit(main())
