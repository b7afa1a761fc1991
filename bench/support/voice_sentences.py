# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is said to the voice bridge in its bench. Written before the vocabulary, and kept out of its making and tuning.

The sentences for tuning are drawn from the vocabulary itself; see bench/voice.py.
"""

from __future__ import annotations

PICK, PUSH_LEFT, PUSH_RIGHT, TOUCH, REACH, PUT = "pick_up", "push_left", "push_right", "touch", "reach", "put_next_to"

Said = tuple[str, str, str, str]  # (sentence, task, thing, thing beside it or empty)

PLAIN: tuple[Said, ...] = (
    ("pick up the red cube", PICK, "red cube", ""),
    ("please pick up the yellow ball", PICK, "yellow ball", ""),
    ("pick the green cylinder up", PICK, "green cylinder", ""),
    ("could you pick up the purple cone", PICK, "purple cone", ""),
    ("grab the orange disc", PICK, "orange disc", ""),
    ("please grab the blue cube", PICK, "blue cube", ""),
    ("grab the red cone please", PICK, "red cone", ""),
    ("take the purple cylinder", PICK, "purple cylinder", ""),
    ("take the green ball please", PICK, "green ball", ""),
    ("lift the yellow cube", PICK, "yellow cube", ""),
    ("lift up the blue cone", PICK, "blue cone", ""),
    ("can you lift the orange ball", PICK, "orange ball", ""),
    ("now pick up the green disc", PICK, "green disc", ""),
    ("push the red ball to the left", PUSH_LEFT, "red ball", ""),
    ("push the yellow disc left", PUSH_LEFT, "yellow disc", ""),
    ("please push the purple cube to the left", PUSH_LEFT, "purple cube", ""),
    ("slide the green cone to the left", PUSH_LEFT, "green cone", ""),
    ("could you push the orange cylinder to the left", PUSH_LEFT, "orange cylinder", ""),
    ("move the blue ball to the left", PUSH_LEFT, "blue ball", ""),
    ("push the blue cylinder to the right", PUSH_RIGHT, "blue cylinder", ""),
    ("push the orange cube right", PUSH_RIGHT, "orange cube", ""),
    ("slide the purple disc to the right please", PUSH_RIGHT, "purple disc", ""),
    ("move the yellow cone to the right", PUSH_RIGHT, "yellow cone", ""),
    ("now push the green cube to the right", PUSH_RIGHT, "green cube", ""),
    ("can you push the red disc to the right", PUSH_RIGHT, "red disc", ""),
    ("touch the blue disc", TOUCH, "blue disc", ""),
    ("please touch the red cylinder", TOUCH, "red cylinder", ""),
    ("touch the purple ball", TOUCH, "purple ball", ""),
    ("can you touch the green cone", TOUCH, "green cone", ""),
    ("touch the orange cone now", TOUCH, "orange cone", ""),
    ("reach for the yellow cylinder", REACH, "yellow cylinder", ""),
    ("go to the orange cube", REACH, "orange cube", ""),
    ("please go to the red disc", REACH, "red disc", ""),
    ("move to the purple cone", REACH, "purple cone", ""),
    ("point at the green ball", REACH, "green ball", ""),
    ("point to the blue cube please", REACH, "blue cube", ""),
    ("put the red cube next to the blue ball", PUT, "red cube", "blue ball"),
    ("please put the yellow cylinder next to the green cone", PUT, "yellow cylinder", "green cone"),
    ("place the purple disc next to the orange cube", PUT, "purple disc", "orange cube"),
    ("put the green ball beside the red cylinder", PUT, "green ball", "red cylinder"),
    ("could you put the blue cone next to the yellow disc", PUT, "blue cone", "yellow disc"),
    ("place the orange ball beside the purple cube", PUT, "orange ball", "purple cube"),
)
"""Commands in the verbs that a user is told of, with and without courtesies."""

FREE: tuple[Said, ...] = (
    ("would you be so kind and fetch the red cube", PICK, "red cube", ""),
    ("hand me the yellow ball over there", PICK, "yellow ball", ""),
    ("i would like to have the green cylinder", PICK, "green cylinder", ""),
    ("get hold of the purple cone for me", PICK, "purple cone", ""),
    ("let us see you raise the blue disc", PICK, "blue disc", ""),
    ("shove the orange cube over to the left hand side", PUSH_LEFT, "orange cube", ""),
    ("the red ball has to go a little to the left", PUSH_LEFT, "red ball", ""),
    ("nudge that blue cylinder to the right a bit", PUSH_RIGHT, "blue cylinder", ""),
    ("give the yellow cone a push to the right", PUSH_RIGHT, "yellow cone", ""),
    ("tap the top of the purple disc", TOUCH, "purple disc", ""),
    ("feel whether the green cube is there", TOUCH, "green cube", ""),
    ("hover above the orange ball", REACH, "orange ball", ""),
    ("bring the gripper close to the red cone", REACH, "red cone", ""),
    ("set the blue cube down at the side of the yellow ball", PUT, "blue cube", "yellow ball"),
    ("the green disc belongs beside the red cylinder", PUT, "green disc", "red cylinder"),
)
"""Commands in whatever words come to mind: a grammar may not know them, but then it must not make others of them."""

NONSENSE: tuple[str, ...] = (
    "don't stop believing",
    "the weather is nice today",
    "did you watch the football match last night",
    "i will be back in ten minutes",
    "pick up the phone when it rings",
    "please pick up the banana",
    "do not pick up the red cube",
    "never touch the blue ball",
    "the red cube is on the table",
    "i think the green ball looks pretty",
    "put the kettle on",
    "put the milk in the fridge",
    "take the train to london",
    "take your time",
    "move the meeting to thursday",
    "push the door open",
    "turn left at the traffic lights",
    "is the yellow disc still there",
    "what is the purple thing",
    "how many cubes do you see",
    "we could go to the cinema",
    "go home and have some rest",
    "my sister plays the violin",
    "the coffee machine is broken again",
    "can you hear me",
    "thank you very much",
    "the point of the matter is that nobody knows",
    "she touched the ground with both hands",
    "remember to lock the laboratory",
    "seven hundred and forty two",
    "orange juice tastes better than lemonade",
    "i left the car at the station",
    "it is right next to the library",
    "red sky at night is a good sign",
    "somebody should open a window",
    "this arm has six joints",
    "the students are coming on friday",
    "lift the lid of the box",
    "grab a sandwich on your way",
    "reach out to the customer about the bill",
)
"""What people say to each other beside a robot, some of it close to a command, none of it one."""

STOPS: tuple[str, ...] = (
    "stop",
    "stop stop",
    "robot stop",
    "stop now",
    "please stop",
    "halt",
    "emergency stop",
    "stop the robot",
)
