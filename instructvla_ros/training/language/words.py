# Copyright 2026 The instructvla_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The words of the table-top: what things, colours, shapes and deeds are called, and from where a model may know them.

Every word has a tier. ``command`` words occur in training commands. ``language`` words occur in questions, definitions,
rewritings and commands that are only explained, never in a command with actions: what a large model would know from its
pretraining. Commands with them test whether words reach the arm (instruction aggregation and situated reasoning).
"""

from dataclasses import dataclass

COMMAND = "command"
LANGUAGE = "language"


@dataclass(frozen=True)
class Words:
    """Ways to say one thing.

    Attributes:
        command: words of training commands; the first is the plain one.
        language: words that no training command with actions uses.
    """

    command: tuple[str, ...]
    language: tuple[str, ...] = ()

    @property
    def plain(self) -> str:
        """The plain word."""
        return self.command[0]

    def of(self, tier: str) -> tuple[str, ...]:
        """The words of a tier; the plain word where there are none."""
        return (self.command if tier == COMMAND else self.language) or self.command[:1]


COLORS: dict[str, Words] = {
    "red": Words(("red", "bright red", "reddish", "ruby"), ("crimson", "scarlet")),
    "green": Words(("green", "bright green", "greenish", "emerald"), ("jade", "olive")),
    "blue": Words(("blue", "bright blue", "bluish", "navy"), ("azure", "cobalt")),
    "yellow": Words(("yellow", "bright yellow", "yellowish", "golden"), ("mustard", "canary")),
    "orange": Words(("orange", "bright orange", "tangerine"), ("amber", "apricot")),
    "purple": Words(("purple", "bright purple", "violet"), ("lilac", "magenta")),
    "white": Words(("white", "ivory"), ("cream",)),
    "black": Words(("black", "dark"), ("ebony",)),
    "pink": Words(("pink", "rosy"), ("salmon",)),
    "brown": Words(("brown", "chocolate"), ("tan",)),
    "grey": Words(("grey", "gray"), ("silver",)),
    "cyan": Words(("cyan", "aqua"), ("turquoise",)),
}
SHAPES: dict[str, Words] = {
    "cube": Words(("cube", "block", "box", "square"), ("brick", "die")),
    "ball": Words(("ball", "sphere", "globe"), ("orb", "marble")),
    "cylinder": Words(("cylinder", "can", "tube", "tin"), ("barrel", "drum")),
    "disc": Words(("disc", "puck", "disk", "coaster"), ("token", "lozenge")),
    "cone": Words(("cone", "pyramid", "spike"), ("spire", "funnel")),
}
ANY_THING = Words(("object", "thing", "one", "item"), ("piece", "toy"))

CONCEPTS: dict[str, Words] = {
    "red": Words(
        ("a tomato", "a fire engine", "a strawberry", "blood", "a stop sign", "a rose"),
        ("a cherry", "a ladybird", "ketchup"),
    ),
    "green": Words(
        ("the grass", "a leaf", "a frog", "a cucumber", "a pine tree", "spinach"),
        ("a lime", "broccoli", "a cactus"),
    ),
    "blue": Words(
        ("the sky", "the sea", "a pair of jeans", "a whale", "a clear day", "the ocean"),
        ("a blueberry", "a swimming pool", "a sapphire"),
    ),
    "yellow": Words(
        ("a banana", "the sun", "a lemon", "a chick", "butter", "a sunflower"),
        ("a school bus", "corn", "cheese"),
    ),
    "orange": Words(
        ("a carrot", "a pumpkin", "a fox", "a basketball", "a traffic cone", "a goldfish"),
        ("a tiger", "a mango", "a campfire"),
    ),
    "purple": Words(
        ("a plum", "lavender", "a grape", "an eggplant", "a beetroot", "an iris"),
        ("an amethyst", "a fig", "an orchid"),
    ),
}
"""Things whose colour everybody knows, by colour."""

PAIRS = tuple((color, shape) for color in CONCEPTS for shape in SHAPES)
"""All pairs of a colour and a shape."""

LIKENESSES: dict[str, Words] = {
    "cube": Words(("something with corners", "something shaped like a dice"), ("something shaped like a parcel",)),
    "ball": Words(("something that rolls everywhere", "something round like the moon"), ("something to throw",)),
    "cylinder": Words(
        ("something shaped like a soup can", "something like a drinking glass"), ("something like a candle",)
    ),
    "disc": Words(("something flat and round", "something shaped like a hockey puck"), ("something like a pancake",)),
    "cone": Words(("something with a tip", "something shaped like a party hat"), ("something like a volcano",)),
}
"""Ways to hint at a shape."""

REACH, TOUCH, PUSH_LEFT, PUSH_RIGHT = "reach", "touch", "push_left", "push_right"
PICK_UP, PUT_NEXT_TO = "pick_up", "put_next_to"
TASKS = (REACH, TOUCH, PUSH_LEFT, PUSH_RIGHT, PICK_UP, PUT_NEXT_TO)

_PUSHES = Words(
    (
        *("push {it} to the {side}", "push {it} {side}", "slide {it} to the {side}", "move {it} to the {side}"),
        *("shove {it} to the {side}", "give {it} a push to the {side}", "to the {side}, push {it}"),
        *("push {it} a bit to the {side}", "slide {it} {side}"),
    ),
    ("nudge {it} to the {side}", "drag {it} to the {side}", "scoot {it} {side}", "make {it} go {side}"),
)
VERBS: dict[str, Words] = {
    REACH: Words(
        (
            *("reach {it}", "reach for {it}", "go to {it}", "move to {it}", "point to {it}", "point at {it}"),
            *("reach towards {it}", "move the gripper to {it}", "go over to {it}", "get to {it}", "show me {it}"),
            *("move over {it}", "come to {it}", "go above {it}"),
        ),
        ("approach {it}", "hover over {it}", "indicate {it}", "head for {it}"),
    ),
    TOUCH: Words(
        (
            *("touch {it}", "put your fingers on {it}", "press on {it}", "feel {it}", "touch the top of {it}"),
            *("make contact with {it}", "lay your fingers on {it}", "press {it}"),
        ),
        ("tap {it}", "tap on {it}", "poke {it}", "pat {it}"),
    ),
    PUSH_LEFT: _PUSHES,
    PUSH_RIGHT: _PUSHES,
    PICK_UP: Words(
        (
            *("pick up {it}", "pick {it} up", "lift {it}", "grab {it}", "take {it}", "lift up {it}", "lift {it} up"),
            *("raise {it}", "pick {it}", "hold up {it}", "grip {it} and lift it", "get {it} off the table"),
            *("take {it} in your hand", "i want {it}", "i need {it}", "give me {it}", "{it}"),
        ),
        ("fetch {it}", "hoist {it}", "hand me {it}", "bring me {it}", "grasp {it}", "seize {it}", "pass me {it}"),
    ),
    PUT_NEXT_TO: Words(
        (
            *(
                "put {it} next to {other}",
                "place {it} next to {other}",
                "put {it} beside {other}",
                "move {it} to {other}",
            ),
            *("put {it} by {other}", "place {it} beside {other}", "bring {it} to {other}", "put {it} close to {other}"),
            *("next to {other}, put {it}", "move {it} next to {other}", "take {it} and put it next to {other}"),
        ),
        (
            *("set {it} alongside {other}", "lay {it} near {other}", "park {it} at the side of {other}"),
            *("join {it} with {other}", "drop {it} near {other}"),
        ),
    ),
}
"""Commands by task; ``{it}`` is the thing, ``{other}`` the thing beside it, ``{side}`` left or right."""

PLAIN_VERBS: dict[str, str] = {
    REACH: "reach {it}",
    TOUCH: "touch {it}",
    PUSH_LEFT: "push {it} left",
    PUSH_RIGHT: "push {it} right",
    PICK_UP: "pick up {it}",
    PUT_NEXT_TO: "put {it} next to {other}",
}
"""How reasoning names a task."""
MEANINGS: dict[str, str] = {
    "tap": "touch", "poke": "touch", "pat": "touch", "approach": "reach", "indicate": "reach", "hover over": "reach",
    "head for": "reach",
    "fetch": "pick up", "hoist": "pick up", "grasp": "pick up", "seize": "pick up", "hand over": "pick up",
    "bring": "pick up", "pass": "pick up", "nudge": "push", "drag": "push", "scoot": "push",
    "set alongside": "put next to", "lay near": "put next to", "park": "put next to", "join": "put next to",
    "drop near": "put next to",
}  # fmt: skip
"""What the verbs of the language tier mean, for definitions."""

BEFORE = Words(
    (
        *("please", "now", "could you", "can you", "would you", "robot,", "hey,", "ok,", "now please", "first,"),
        *("i would like you to", "i want you to", "go ahead and", "your task is to", "next,", "let us", "try to"),
        *("would you please", "can you please", "you should", "hey robot,", "well,", "it would be nice to", "so,"),
        *("i was told you can", "are you able to", "how about you", "time to", "your turn:", "be so good as to"),
    ),
    ("kindly", "would you be so kind and", "it is time to", "your job is to", "may i ask you to", "do me a favour:"),
)
AFTER = Words(
    ("please", "now", "for me", "please now", "thanks", "if you can", "with the gripper", "carefully", "slowly")
    + ("when you are ready", "again", "this time", "will you", "that is all", "there you go"),
    ("right away", "would you", "thank you very much", "as soon as possible", "my friend"),
)
CLAUSES = Words(
    ("that is", "that lies", "which is", "that you see", "that i put", "which stands", "you can find"),
    ("that sits", "that has been left"),
)
PLACES_ON = ("on the table", "in front of you", "over there", "there", "lying around", "on the desk")

SITUATIONS = Words(
    (
        *("{deed} something the colour of {concept}", "{deed} the {thing} with the colour of {concept}"),
        *("{deed} the {thing} that looks like {concept}", "{deed} the {thing} that has the colour of {concept}"),
        *("i am thinking of {concept}. {deed} the {thing} that fits", "{concept} has this colour. {deed} it"),
        *("{deed} what is as colourful as {concept}", "{deed} the {thing} that reminds me of {concept}"),
        *("{deed} the {thing} of the same colour as {concept}", "{deed} the {thing} that matches {concept}"),
        *("i am painting {concept}. {deed} the {thing} that i need", "something the colour of {concept}"),
        *("{deed} one that is coloured like {concept}", "{deed} the {thing} in the colour of {concept}"),
        *("do you know {concept}? {deed} the {thing} in that colour", "remember {concept}? {deed} that {thing}"),
        *("think of {concept} and {deed} the {thing} of its colour", "{deed} anything as bright as {concept}"),
        *("i miss {concept}, so {deed} the {thing} that comes closest", "{deed} what could pass for {concept}"),
        *(
            "somebody told me about {concept}. {deed} the {thing} that fits it",
            "just like {concept}. {deed} it",
        ),
        *("for a picture of {concept} i want the right colour. {deed} it", "{concept}! {deed} the {thing} like it"),
        *("the {thing} should look like {concept}. {deed} it", "{deed} the {thing} i would use to draw {concept}"),
    ),
    (
        *("my favourite colour is that of {concept}. {deed} the {thing} i would like best",),
        *("{deed} the {thing} which could be hidden next to {concept}", "if {concept} were a {thing}, {deed} that"),
        *(
            "which {thing} goes well with {concept}? {deed} it",
            "i drew {concept} yesterday. {deed} a {thing} like that",
        ),
        *("{deed} whatever shares its colour with {concept}", "{concept} comes to my mind. {deed} such a {thing}"),
    ),
)
"""Sentences whose goal is implied; those of the language tier are kept for tests, and no training sees them."""

ABSENT_THINGS = Words(
    (
        *("banana", "apple", "spoon", "fork", "knife", "mug", "cup", "plate", "bowl", "bottle", "pen", "pencil"),
        *("book", "phone", "key", "shoe", "sock", "hat", "scissors", "hammer", "screwdriver", "towel", "sponge"),
        *("potato", "tomato", "lemon", "pear", "grape", "egg", "sandwich", "pizza", "cookie", "cake", "teddy bear"),
        *("doll", "car", "train", "lamp", "clock", "card", "glove", "brush", "comb", "star", "ring", "rope"),
        *("candle", "basket", "bag", "envelope", "stapler", "eraser", "ruler", "mouse", "keyboard", "camera", "watch"),
        *("pot", "pan", "kettle", "lid", "drawer", "door", "chair", "flower", "triangle"),
        *("unicorn", "elephant", "cat", "dog", "bird", "fish", "duck", "guitar", "drumstick", "umbrella", "toothbrush"),
        *("coin", "domino", "puzzle", "robot", "truck", "boat", "plane", "bicycle", "bus", "house", "tree"),
        *("leaf", "stone", "shell", "feather", "button", "zipper", "belt", "shirt", "jacket", "scarf", "coat"),
        *("bread", "cheese", "butter", "milk", "coffee", "tea", "sugar", "salt", "pepper", "onion", "carrot"),
        *("melon", "plum", "nut", "chocolate", "candy", "ice cream", "jar", "tray", "napkin", "straw", "whisk"),
        *("screw", "nail", "bolt", "drill", "saw", "pliers", "tape", "glue", "battery", "cable", "plug", "lighter"),
        *("paper", "letter", "stamp", "magnet", "marker", "chalk", "folder", "laptop", "tablet", "printer", "headset"),
        *("soap", "shampoo", "razor", "mirror", "pillow", "blanket", "curtain", "carpet", "vase", "picture", "trumpet"),
        *("lion", "tiger", "bear", "horse", "cow", "pig", "sheep", "frog", "snake", "spider", "rabbit", "whale"),
    ),
    (
        *("strawberry", "wrench", "teapot", "notebook", "glass", "wallet", "lettuce", "violin", "penguin", "helmet"),
        *("pineapple", "remote control", "torch", "peach", "needle"),
    ),
)
"""Things that never lie on our table."""
