# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a parameter of a node is, and how a node declares its own. Nothing here needs ROS but :func:`declare`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rcl_interfaces.msg import SetParametersResult
    from rclpy.node import Node
    from rclpy.parameter import Parameter as RosParameter

Value = bool | int | float | str


class ParameterError(ValueError):
    """A parameter has a value that its declaration does not allow."""


@dataclass(frozen=True)
class Parameter:
    """One ROS parameter.

    Attributes:
        name: name as a user writes it.
        default: value where the user gives none; its type is the parameter's type.
        description: what it does, for people.
        unit: unit of the value, empty where it has none.
        minimum: smallest allowed value, for numbers.
        maximum: largest allowed value, for numbers.
        choices: the allowed words, for text that is one of a few.
        dynamic: whether it may be changed while the node runs; all others are read once.
    """

    name: str
    default: Value
    description: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    dynamic: bool = False

    def check(self, value: Value) -> None:
        """Refuse a value outside the declared range or choices.

        Raises:
            ParameterError: naming the parameter, the value and what is allowed.
        """
        if self.choices and value not in self.choices:
            raise ParameterError(f"parameter {self.name}: {value!r} is not one of {', '.join(self.choices)}")
        if self.minimum is None or self.maximum is None:
            return
        if isinstance(value, str) or not self.minimum <= value <= self.maximum:
            raise ParameterError(
                f"parameter {self.name}: {value} is outside {self.minimum} .. {self.maximum} {self.unit}".rstrip()
            )

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        if self.choices:
            return ", ".join(f"`{choice}`" for choice in self.choices)
        if self.minimum is not None:
            return f"{self.minimum:.10g} .. {self.maximum:.10g}"
        return ""


def declare(node: Node, parameters: tuple[Parameter, ...]) -> SimpleNamespace:
    """Declare parameters on a node and return their values as attributes.

    Once the node runs they are read-only, but for the dynamic ones: a value of these that the declaration does not
    allow is refused with the reason, and the node hears of the others by ``add_post_set_parameters_callback``.

    Raises:
        ParameterError: a given value is of the wrong type, out of range or not a choice.
    """
    from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
    from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException, ParameterException

    values = {}
    for parameter in parameters:
        unit = f" [{parameter.unit}]" if parameter.unit else ""
        descriptor = ParameterDescriptor(
            description=parameter.description + unit,
            additional_constraints=parameter.allowed,
            read_only=not parameter.dynamic,
        )
        if parameter.minimum is not None and parameter.maximum is not None:
            if isinstance(parameter.default, float):
                descriptor.floating_point_range = [
                    FloatingPointRange(from_value=parameter.minimum, to_value=parameter.maximum)
                ]
            else:
                descriptor.integer_range = [
                    IntegerRange(from_value=int(parameter.minimum), to_value=int(parameter.maximum), step=1)
                ]
        try:
            value: Value = node.declare_parameter(parameter.name, parameter.default, descriptor).value
        except (ParameterException, InvalidParameterTypeException, InvalidParameterValueException) as error:
            kind = type(parameter.default).__name__
            allowed = f" in {parameter.allowed}" if parameter.allowed else ""
            raise ParameterError(
                f"parameter {parameter.name}: needs a {kind}{allowed} {parameter.unit}".rstrip() + f" ({error})"
            ) from None
        parameter.check(value)
        values[parameter.name] = value
    dynamic = {parameter.name: parameter for parameter in parameters if parameter.dynamic}
    if dynamic:
        node.add_on_set_parameters_callback(partial(_judge, dynamic))
    return SimpleNamespace(**values)


def _judge(dynamic: dict[str, Parameter], wanted: list[RosParameter]) -> SetParametersResult:
    """Whether new values of dynamic parameters are allowed; all others are rclpy's business."""
    from rcl_interfaces.msg import SetParametersResult

    for entry in wanted:
        if entry.name in dynamic:
            try:
                dynamic[entry.name].check(entry.value)
            except (ParameterError, TypeError) as error:
                return SetParametersResult(successful=False, reason=str(error))
    return SetParametersResult(successful=True)
