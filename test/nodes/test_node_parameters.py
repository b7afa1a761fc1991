# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Parameters are declared once; nodes, documentation and errors agree with the declaration."""

from pathlib import Path

import pytest
import rclpy
from rcl_interfaces.srv import GetParameters, ListParameters
from rclpy.parameter import Parameter as RosParameter

from instructvla_ros import parameters
from instructvla_ros.declaring import Parameter, ParameterError, declare
from instructvla_ros.parameters import NODES

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def make_node(domain: int):
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain)
    nodes = []

    def make(**overrides: object):
        node = rclpy.create_node(
            "holder",
            context=context,
            parameter_overrides=[RosParameter(name, value=value) for name, value in overrides.items()],
        )
        nodes.append(node)
        return node

    yield make
    for node in nodes:
        node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.mark.parametrize("name", NODES)
def test_every_declared_default_is_allowed_and_reaches_the_node(name: str, make_node) -> None:
    node = make_node()
    values = declare(node, NODES[name])
    for parameter in NODES[name]:
        assert getattr(values, parameter.name) == parameter.default
        assert node.describe_parameter(parameter.name).description.startswith(parameter.description)


def test_a_value_out_of_range_is_refused_with_the_range(make_node) -> None:
    with pytest.raises(ParameterError, match=r"rate.*10 \.\. 1000 Hz"):
        declare(make_node(rate=5000.0), NODES["safety_filter_node"])


def test_a_value_of_the_wrong_type_is_refused(make_node) -> None:
    with pytest.raises(ParameterError, match="rate: needs a float"):
        declare(make_node(rate="fast"), NODES["safety_filter_node"])


def test_an_unknown_choice_is_refused_with_the_choices(make_node) -> None:
    with pytest.raises(ParameterError, match="'float16' is not one of auto, float32, bfloat16"):
        declare(make_node(dtype="float16"), NODES["policy_node"])


def test_a_parameter_cannot_be_changed_while_the_node_runs(make_node) -> None:
    node = make_node()
    declare(node, (Parameter("speed", 1.0, "speed", minimum=0.0, maximum=2.0),))
    assert not node.set_parameters([RosParameter("speed", value=1.5)])[0].successful


@pytest.mark.parametrize("name", ["policy_node", "safety_filter_node", "sim_arm_node"])
def test_a_running_node_tells_its_parameters(name: str, graph) -> None:
    process = graph.start(name, **({"robot": "sim"} if name != "sim_arm_node" else {}))
    listed = graph.call(ListParameters, f"{name}/list_parameters", ListParameters.Request())
    assert {parameter.name for parameter in NODES[name]} <= set(listed.result.names)
    names = [parameter.name for parameter in NODES[name]]
    values = graph.call(GetParameters, f"{name}/get_parameters", GetParameters.Request(names=names)).values
    assert len(values) == len(names) and all(value.type for value in values)
    assert process.stop() == 0, process.output


def test_the_documented_table_is_the_declared_one() -> None:
    assert parameters.markdown() in (ROOT / "docs" / "parameters.md").read_text(encoding="utf-8")
