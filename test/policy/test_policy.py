# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The policy of one robot: recorded sequences end to end, epochs, what it tells the model, what it refuses."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from instructvla_ros.policy.gripper_rules import StickyGripper, ThresholdGripper
from instructvla_ros.policy.policy import Observation, Policy, PolicyError
from instructvla_ros.policy.profile import AsynchronousExecution, EnsembleExecution, FirstStepsExecution
from instructvla_ros.robot.action_chunk import DeltaReference
from instructvla_ros.robot.gripper import GripperMapping
from instructvla_ros.robot.joint_state import JointState, JointStateError

PERIOD = 0.2


@pytest.mark.parametrize(("robot", "convention"), [("widowx_bridge", "bridge"), ("google_robot", "fractal")])
def test_a_whole_recorded_run_is_reproduced(robot, convention, vectors, profile, fake_model, fake_chain, frame):
    settings = vectors.settings[robot]
    tensors = {name: vectors.tensors[f"policy/{robot}/{name}"] for name in (
        "eef_pos_in", "proprio_out", "chunks_in", "raw_action_out", "action_out"
    )}
    rule = ThresholdGripper()
    if convention == "fractal":
        rule = StickyGripper(repeats=settings["sticky_gripper_num_repeat"])
    recorded_profile = replace(
        profile,
        gripper=GripperMapping("left_finger", closed=0.0, open=1.0),
        proprioception=convention,
        action_units=convention,
        gripper_rule=rule,
        execution=EnsembleExecution(settings["ensemble_horizon"], settings["alpha"]),
    )
    model = fake_model()
    chain = fake_chain(profile.joints)
    policy = Policy(model, recorded_profile, chain)
    policy.start_epoch("first")
    opening = None
    for step in range(settings["steps"]):
        if step == settings["reset_at_step"]:
            policy.start_epoch("second")
            opening = None
        x, y, z, qw, qx, qy, qz, gripper = tensors["eef_pos_in"][step]
        chain.pose = np.eye(4)
        chain.pose[:3, 3] = x, y, z
        chain.pose[:3, :3] = Rotation.from_quat([qx, qy, qz, qw]).as_matrix()
        model.actions = tensors["chunks_in"][step]
        joint_state = JointState(0.0, (*profile.joints, "left_finger"), np.array([0.0] * 6 + [gripper]))
        chunk = policy.act(Observation(1.7e9 + step * PERIOD, (frame,), joint_state))

        recorded = tensors["action_out"][step]
        np.testing.assert_allclose(chunk.translations[0], recorded[:3], rtol=0, atol=1e-12)
        np.testing.assert_allclose(chunk.rotations[0], recorded[3:6], rtol=0, atol=1e-12)
        if convention == "bridge":
            assert chunk.grippers[0] == (recorded[6] + 1) / 2
        else:
            before = gripper if opening is None else opening
            opening = chunk.grippers[0]
            assert opening == pytest.approx(np.clip(before - recorded[6], 0.0, 1.0), abs=1e-12)
        proprio = tensors["proprio_out"][step].copy()
        if convention == "fractal" and proprio[6] < 0.0:
            proprio[3:7] *= -1.0
        np.testing.assert_allclose(model.acts[-1].proprio, proprio, rtol=0, atol=1e-12)


def test_a_chunk_carries_what_a_receiver_needs(make_policy, fake_model, observation_at):
    model = fake_model(chunk_length=5)
    model.actions = np.tile([0.01, 0, 0, 0, 0, 0.1, 1.0], (5, 1))
    policy = make_policy(model, delta_reference=DeltaReference.MEASURED)
    epoch = policy.start_epoch("Pick the CUP")
    first, second = policy.act(observation_at(10.0)), policy.act(observation_at(10.2))
    assert (first.stamp, first.frame, first.epoch, first.sequence) == (10.0, "base_link", epoch, 1)
    assert (second.stamp, second.epoch, second.sequence) == (10.2, epoch, 2)
    assert first.period == pytest.approx(0.2)
    assert first.delta_reference is DeltaReference.MEASURED
    assert first.instruction == "Pick the CUP"
    assert first.inference_time > 0.0
    assert len(first) == 5
    np.testing.assert_allclose(first.translations, np.tile([0.01, 0, 0], (5, 1)))
    np.testing.assert_allclose(first.rotations, np.tile([0, 0, 0.1], (5, 1)))
    np.testing.assert_array_equal(first.grippers, np.ones(5))


def test_an_observation_stamped_a_little_ahead_of_a_slow_clock_is_of_now(make_policy, fake_model, observation_at):
    policy = make_policy(fake_model(chunk_length=8), execution=AsynchronousExecution(steps=2, blend=1))
    policy.start_epoch("go")
    policy.act(observation_at(10.0), now=10.0)
    chunk = policy.act(observation_at(10.4), now=10.36)
    assert chunk.observation_age == 0.0
    np.testing.assert_allclose(policy.last_owed, 0.0, atol=1e-6)


@pytest.mark.parametrize(("lower_case", "asked"), [(True, "pick the cup"), (False, "Pick the CUP")])
def test_the_model_reads_the_case_it_was_trained_on(lower_case, asked, make_policy, fake_model, observation_at):
    model = fake_model()
    policy = make_policy(model, lower_case_instruction=lower_case)
    policy.start_epoch("Pick the CUP")
    policy.reason(observation_at(0.0))
    policy.act(observation_at(0.0))
    assert model.reasonings == [asked]
    assert model.acts[0].instruction == asked


def test_joints_reach_the_kinematics_in_the_order_of_the_chain(profile, fake_model, fake_chain, frame):
    chain = fake_chain(profile.joints[::-1])
    policy = Policy(fake_model(), profile, chain)
    policy.start_epoch("go")
    names = ("left_finger", *profile.joints, "something_else")
    joint_state = JointState(0.0, names, np.array([0.0, 1, 2, 3, 4, 5, 6, np.nan]))
    policy.act(Observation(0.0, (frame,), joint_state))
    np.testing.assert_array_equal(chain.asked, [[6, 5, 4, 3, 2, 1]])


def test_a_model_without_state_gets_none_and_needs_no_kinematics(profile, fake_model, observation_at):
    model = fake_model(uses_state=False)
    policy = Policy(model, profile, None)
    policy.start_epoch("go")
    policy.act(observation_at(0.0))
    assert model.acts[0].proprio is None


def test_a_model_with_state_needs_kinematics(profile, fake_model):
    with pytest.raises(PolicyError, match="kinematics must be given"):
        Policy(fake_model(), profile, None)


def test_before_the_kinematics_are_known_a_policy_can_be_warmed_up_but_not_act(profile, fake_model, observation_at):
    policy = Policy(fake_model(), profile, None, check_chain=False)
    policy.warm_up()
    policy.start_epoch("go")
    with pytest.raises(PolicyError, match="kinematics must be given"):
        policy.act(observation_at(0.0))


def test_chunks_are_conditioned_on_the_reasoning_of_their_epoch(make_policy, fake_model, observation_at):
    model = fake_model()
    policy = make_policy(model)
    policy.start_epoch("go")
    policy.act(observation_at(0.0))
    assert policy.reason(observation_at(0.1)) == "I see a cup"
    policy.act(observation_at(0.2))
    policy.start_epoch("stay")
    policy.act(observation_at(0.4))
    assert [act.reasoning for act in model.acts] == [None, "I see a cup<|im_end|>", None]


def test_a_text_cut_short_is_not_acted_upon(make_policy, fake_model, observation_at):
    model = fake_model()
    policy = make_policy(model)
    policy.start_epoch("go")
    texts = []
    assert policy.reason(observation_at(0.0), texts.append, lambda: len(texts) == 2) == "I see"
    policy.act(observation_at(0.0))
    assert model.acts[0].reasoning is None


def test_a_new_epoch_forgets_predictions_and_counts_anew(make_policy, fake_model, observation_at):
    model = fake_model()
    policy = make_policy(model)
    policy.start_epoch("go")
    policy.act(observation_at(0.0))
    model.actions = np.full((16, 7), 0.5)
    policy.start_epoch("stay")
    chunk = policy.act(observation_at(0.2))
    np.testing.assert_array_equal(chunk.translations, np.full((16, 3), 0.5))
    assert chunk.sequence == 1


def test_epochs_grow_even_over_a_restart_of_the_process(make_policy, fake_model):
    first, second = make_policy(fake_model()), make_policy(fake_model())
    epochs = [first.start_epoch("a"), first.start_epoch("b"), second.start_epoch("a"), second.start_epoch("a")]
    assert epochs == sorted(set(epochs))
    assert max(epochs) < 2**64


def test_epochs_grow_when_the_wall_clock_is_set_back(make_policy, fake_model, monkeypatch):
    times = iter([2_000, 1_000, 1_000, 3_000])
    monkeypatch.setattr("instructvla_ros.policy.policy.time.time_ns", lambda: next(times))
    policy = make_policy(fake_model())
    assert [policy.start_epoch("go") for _ in range(4)] == [2_000, 2_001, 2_002, 3_000]


def test_the_sticky_gripper_counts_the_ticks_that_were_missed(make_policy, fake_model, observation_at):
    model = fake_model()
    model.actions[:, 6] = [0.0] + [1.0] * 15
    policy = make_policy(model, gripper_rule=StickyGripper(repeats=3), execution=EnsembleExecution(1, 0.1))
    policy.start_epoch("go")
    first = policy.act(observation_at(0.0, opening=0.0))
    np.testing.assert_array_equal(first.grippers, [0.0] + [1.0] * 15)
    model.actions[:, 6] = 0.0
    # steps 0 to 2 were executed meanwhile: the opening motion of step 1 is held for one more step before closing starts
    chunk = policy.act(observation_at(3 * PERIOD, opening=0.0))
    np.testing.assert_array_equal(chunk.grippers, [1.0] + [0.0] * 15)


def test_a_frame_seen_twice_does_not_advance_the_gripper(make_policy, fake_model, observation_at):
    model = fake_model()
    model.actions[:, 6] = [0.0] + [1.0] * 15
    policy = make_policy(model, gripper_rule=StickyGripper(repeats=3), execution=EnsembleExecution(1, 0.1))
    policy.start_epoch("go")
    chunks = [policy.act(observation_at(5.0, opening=0.0)) for _ in range(4)]
    assert all((chunk.grippers == chunks[0].grippers).all() for chunk in chunks)


def test_first_steps_are_followed_as_they_are_and_then_renewed(make_policy, fake_model, observation_at):
    model = fake_model()
    policy = make_policy(model, execution=FirstStepsExecution(steps=4))
    policy.start_epoch("go")
    assert policy.is_due(7.0)
    policy.act(observation_at(7.0))
    assert [policy.is_due(7.0 + step * PERIOD) for step in range(6)] == [False] * 4 + [True] * 2
    assert policy.is_due(7.0 + 3.6 * PERIOD)
    assert policy.is_due(1.0)
    model.actions = np.full((16, 7), 0.3)
    np.testing.assert_array_equal(policy.act(observation_at(7.8)).translations, np.full((16, 3), 0.3))


def test_asynchronous_chunks_make_up_for_the_way_that_the_arm_went_meanwhile(make_policy, fake_model, observation_at):
    model = fake_model(chunk_length=8)
    policy = make_policy(model, execution=AsynchronousExecution(steps=2, blend=1))
    policy.start_epoch("go")
    model.actions[:, 0] = 0.01
    policy.act(observation_at(0.0), now=0.0)
    assert not policy.is_due(0.2) and policy.is_due(0.4)
    model.actions[:, 0] = 0.03
    chunk = policy.act(observation_at(0.4), now=0.8)
    # in the 0.4 s of the inference the old chunk moved 2 cm where the new one would have moved 6
    assert policy.last_owed[0] == pytest.approx(0.04, abs=0.002)
    assert chunk.translations[:4, 0].max() == pytest.approx(0.07, abs=0.002)
    policy.start_epoch("stay")
    policy.act(observation_at(0.8), now=0.8)
    assert policy.last_owed[0] == pytest.approx(0.0, abs=0.002)


def test_ensembling_is_due_at_every_tick(make_policy, fake_model, observation_at):
    policy = make_policy(fake_model())
    policy.start_epoch("go")
    policy.act(observation_at(7.0))
    assert policy.is_due(7.0)


def test_a_seed_makes_the_noise_repeatable(make_policy, fake_model, observation_at):
    models = [fake_model() for _ in range(3)]
    for model, seed in zip(models, (5, 5, 6), strict=True):
        policy = make_policy(model, seed=seed)
        policy.warm_up()
        policy.start_epoch("go")
        policy.act(observation_at(0.0))
        policy.act(observation_at(0.2))
    noises = [[act.noise for act in model.acts[1:]] for model in models]
    np.testing.assert_array_equal(noises[0], noises[1])
    assert not np.array_equal(noises[0], noises[2])
    assert not np.array_equal(noises[0][0], noises[0][1])
    assert noises[0][0].shape == (16, 7)


def test_with_a_seed_the_noise_of_an_observation_is_the_same_whatever_was_seen_before(
    make_policy, fake_model, observation_at
):
    models = [fake_model() for _ in range(2)]
    for model, stamps in zip(models, ((1.7e9, 1.7e9 + 0.2, 1.7e9 + 0.4), (1.7e9 + 0.4,)), strict=True):
        policy = make_policy(model, seed=5)
        policy.start_epoch("go")
        for stamp in stamps:
            policy.act(observation_at(stamp))
    np.testing.assert_array_equal(models[0].acts[-1].noise, models[1].acts[-1].noise)


def test_without_a_seed_the_noise_is_left_to_the_model(make_policy, fake_model, observation_at):
    model = fake_model()
    policy = make_policy(model)
    policy.start_epoch("go")
    policy.act(observation_at(0.0))
    assert model.acts[0].noise is None


def test_frames_reach_the_model_as_they_are_primary_first(make_policy, fake_model, joint_state_at, frame):
    model = fake_model(num_views=2)
    policy = make_policy(model)
    policy.start_epoch("go")
    policy.act(Observation(0.0, (frame, 255 - frame), joint_state_at(0.0)))
    np.testing.assert_array_equal(model.acts[0].images, [frame, 255 - frame])


def test_a_warm_up_leaves_no_trace(make_policy, fake_model, observation_at):
    model = fake_model(num_views=2)
    model.actions = np.full((16, 7), 0.5)
    policy = make_policy(model)
    assert policy.warm_up(frame_shape=(120, 160, 3)) > 0.0
    assert [image.shape for image in model.acts[0].images] == [(120, 160, 3)] * 2
    model.actions = np.zeros((16, 7))
    policy.start_epoch("go")
    chunk = policy.act(observation_at(0.0, views=2))
    assert chunk.sequence == 1
    assert not chunk.translations.any()


@pytest.mark.parametrize("dataset", [None, "fractal"])
def test_a_dataset_without_statistics_is_refused_with_the_known_ones(dataset, make_policy, fake_model):
    with pytest.raises(PolicyError, match=rf"no statistics for dataset '{dataset or 'sim'}'; it has bridge, libero"):
        make_policy(fake_model(datasets=("bridge", "libero")), dataset=dataset)


def test_a_dataset_can_be_chosen_against_the_profile(make_policy, fake_model, observation_at):
    model = fake_model(datasets=("bridge", "libero"))
    policy = make_policy(model, dataset="libero")
    policy.start_epoch("go")
    policy.act(observation_at(0.0))
    assert model.acts[0].dataset == "libero"


def test_more_first_steps_than_a_chunk_has_are_refused(make_policy, fake_model):
    with pytest.raises(PolicyError, match="first 9 steps .* chunks have 8"):
        make_policy(fake_model(chunk_length=8), execution=FirstStepsExecution(steps=9))


def test_a_chain_with_other_joints_is_refused_with_both_lists(profile, fake_model, fake_chain):
    with pytest.raises(PolicyError, match="has the joints joint1, joint2, but the profile of sim names waist"):
        Policy(fake_model(), profile, fake_chain(["joint1", "joint2"]))


@pytest.mark.parametrize("views", [0, 3])
def test_a_number_of_views_that_nobody_knows_is_refused(views, make_policy, fake_model):
    with pytest.raises(PolicyError, match=f"takes {views} views"):
        make_policy(fake_model(num_views=views))


def test_acting_before_an_instruction_is_refused(make_policy, fake_model, observation_at):
    with pytest.raises(PolicyError, match="before start_epoch"):
        make_policy(fake_model()).act(observation_at(0.0))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_actions_that_are_not_finite_are_refused_and_not_remembered(value, make_policy, fake_model, observation_at):
    model = fake_model()
    policy = make_policy(model)
    policy.start_epoch("go")
    model.actions[3, 5] = value
    with pytest.raises(PolicyError, match="number 5 of step 3"):
        policy.act(observation_at(0.0))
    model.actions = np.full((16, 7), 0.25)
    chunk = policy.act(observation_at(0.2))
    np.testing.assert_array_equal(chunk.translations, np.full((16, 3), 0.25))


def test_actions_of_a_wrong_shape_are_refused(make_policy, fake_model, observation_at):
    model = fake_model()
    model.actions = np.zeros((15, 7))
    policy = make_policy(model)
    policy.start_epoch("go")
    with pytest.raises(PolicyError, match=r"shape \(15, 7\), expected \(16, 7\)"):
        policy.act(observation_at(0.0))


def test_a_wrong_number_of_frames_is_refused(make_policy, fake_model, observation_at):
    policy = make_policy(fake_model(num_views=2))
    policy.start_epoch("go")
    with pytest.raises(PolicyError, match="takes 2 views, got 1 frames"):
        policy.act(observation_at(0.0, views=1))


def test_a_missing_joint_is_named(profile, make_policy, fake_model, frame):
    policy = make_policy(fake_model())
    policy.start_epoch("go")
    with pytest.raises(JointStateError, match="left_finger"):
        policy.act(Observation(0.0, (frame,), JointState(0.0, profile.joints, np.zeros(6))))


def test_a_question_changes_nothing(make_policy, fake_model, observation_at, frame):
    model = fake_model()
    policy = make_policy(model)
    policy.start_epoch("go")
    assert policy.ask([frame], "What is there?") == "I see a cup"
    assert policy.reasoning is None
    assert policy.act(observation_at(0.0)).sequence == 1
    assert model.questions == ["What is there?"]


@pytest.mark.parametrize("chunks_a_step", [1, 2, 4])
def test_a_sticky_gripper_closes_in_time_however_often_chunks_are_made(
    chunks_a_step, make_policy, fake_model, observation_at
):
    model = fake_model()
    policy = make_policy(model, gripper_rule=StickyGripper(repeats=10, threshold=0.5))
    policy.start_epoch("go")
    model.actions = np.ones((16, 7))
    policy.act(observation_at(0.0))
    model.actions = np.zeros((16, 7))
    for index in range(1, 30 * chunks_a_step):
        chunk = policy.act(observation_at(index * policy.profile.period / chunks_a_step))
    assert chunk.grippers[0] == pytest.approx(0.0)


@pytest.fixture
def caching(profile, fake_model, fake_chain):
    """A policy whose acts come in pairs on one set of latent actions, and its model."""
    model = fake_model()
    paired = replace(profile, acts_per_latent=2, execution=FirstStepsExecution(1))
    policy = Policy(model, paired, fake_chain(profile.joints))
    policy.start_epoch("pick up the red cube")
    return policy, model


def act_at(policy, stamp, frame):
    names = (*policy.profile.joints, policy.profile.gripper.joint)
    policy.act(Observation(stamp, (frame,), JointState(stamp, names, np.full(len(names), 0.02))))


def test_latent_actions_serve_two_acts_where_the_profile_says_so(caching, frame):
    policy, model = caching
    for step in range(5):
        act_at(policy, 10.0 + step * PERIOD, frame)
    given = [None if act.latent_actions is None else int(act.latent_actions[0, 0]) for act in model.acts]
    assert given == [None, 1, None, 3, None]


def test_by_default_each_act_has_latent_actions_of_its_own(profile, fake_model, fake_chain, frame):
    model = fake_model()
    policy = Policy(model, profile, fake_chain(profile.joints))
    policy.start_epoch("pick up the red cube")
    for step in range(3):
        act_at(policy, 10.0 + step * PERIOD, frame)
    assert all(act.latent_actions is None for act in model.acts)


@pytest.mark.parametrize("change", ["another instruction", "other words", "a pause", "a stamp that went back"])
def test_latent_actions_do_not_outlive_what_they_are_of(caching, frame, change):
    policy, model = caching
    act_at(policy, 10.0, frame)
    stamp = 10.0 + PERIOD
    if change == "another instruction":
        policy.start_epoch("push the ball left")
    elif change == "other words":
        policy.adopt("it is on the left.", 10.0)
    elif change == "a pause":
        stamp = 10.0 + policy.profile.ages.image + 0.01
    else:
        stamp = 9.9
    act_at(policy, stamp, frame)
    assert model.acts[-1].latent_actions is None
