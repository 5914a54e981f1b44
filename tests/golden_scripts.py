"""What the golden wire is recorded of: what Python does, in short scripts."""

from __future__ import annotations

from functools import partial

import numpy as np
from golden_widgets import COMPUTED, GIVEN, HEADS, SENTENCE, Scripts, ramp
from traitlets import TraitError

SCRIPTS = Scripts()


# The state that a page opens with


@SCRIPTS.on(COMPUTED, GIVEN, HEADS, SENTENCE)
def whole_state(w):
    w.send_state([name for name in w.keys if w.trait_metadata(name, "echo_update") is False])


# Inputs


@SCRIPTS.on(COMPUTED, HEADS)
def arrays(w):
    for name in ("embeddings", "key_embeddings", "W_q", "W_k", "W_v", "Q", "K", "V"):
        setattr(w, name, ramp(*getattr(w, name).shape))


@SCRIPTS.on(COMPUTED)
def the_same_array(w):
    w.Q = np.array(w.Q)


@SCRIPTS.on(COMPUTED, SENTENCE)
def as_many_tokens(w):
    w.tokens = ["one", "two", "three", "four", "five"][: len(w.tokens)]


@SCRIPTS.on(COMPUTED, SENTENCE)
def more_tokens(w):
    w.toggle(1, 2)
    w.tokens = "one two three four five six seven"


@SCRIPTS.on(COMPUTED, SENTENCE)
def fewer_tokens(w):
    w.toggle(3, 2)
    w.selection = (3, 1)
    w.tokens = "one two"


@SCRIPTS.on(COMPUTED, SENTENCE)
def key_tokens(w):
    w.key_tokens = "k l m n"
    w.key_tokens = None


@SCRIPTS.on(COMPUTED)
def sizes(w):
    w.d_k = 6
    w.d_v = 3
    w.d_model = 7


@SCRIPTS.on(COMPUTED)
def heads_are_added_and_taken(w):
    w.n_heads = 3
    w.head = 2
    w.n_heads = 1


@SCRIPTS.on(COMPUTED)
def seed_and_init(w):
    w.seed = 7
    w.init = "normal"
    w.init = "identity"


@SCRIPTS.on(COMPUTED, HEADS)
def positional(w):
    w.positional = "sinusoidal"
    w.positional = "rotary"
    w.positional = "alibi"
    w.positional = "none"


@SCRIPTS.on(COMPUTED)
def scale_and_temperature(w):
    w.scale = 0.25
    w.scale = None
    w.temperature = 0.5
    w.temperature = 0


# Masks


@SCRIPTS.on(COMPUTED, GIVEN, HEADS)
def mask(w):
    w.mask = np.array([0, 0, 1])
    w.mask = np.triu(np.ones((4, 3), bool), 1)
    w.mask = None
    w.mask = None


@SCRIPTS.on(COMPUTED, GIVEN)
def toggle(w):
    w.toggle(3, 0)
    w.toggle(1, 2)
    w.toggle(3, 0)


@SCRIPTS.on(COMPUTED)
def every_key_of_a_query(w):
    w.mask = np.arange(4)[:, None] == np.full(3, 2)


@SCRIPTS.on(SENTENCE)
def presets(w):
    w.presets = "causal"
    w.toggle(4, 0)
    w.presets = {"window": 2, "block": True, "padding": [1]}
    w.presets = None


# What is shown


@SCRIPTS.on(GIVEN)
def layer_and_head(w):
    w.layer = 2
    w.head = 1
    w.toggle(0, 1)
    w.layer = 0


@SCRIPTS.on(HEADS)
def head(w):
    w.head = 2


@SCRIPTS.on(GIVEN)
def stack(w):
    w.toggle(0, 1)
    own, derived = w.stack, w.derived_layers[0].stack
    w.stack = derived
    w.toggle(2, 2)
    w.stack = own


@SCRIPTS.on(COMPUTED)
def look(w):
    w.view = "steps"
    w.cmap = "magma"
    w.color_scale = "row"
    w.title = "Cats"
    w.quantity = "scores"
    w.quantity = "value-norm"
    w.selection = (3, 2)
    w.selection = None


@SCRIPTS.on(COMPUTED, HEADS)
def mistake(w):
    w.mistake = "no-scale"
    w.toggle(0, 0)
    w.mistake = "wrong-axis"
    w.report = None


@SCRIPTS.on(COMPUTED)
def checked_function(w):
    def no_softmax(Q, K, mask=None):
        return Q @ K.T / np.sqrt(K.shape[1])

    w.check(no_softmax)
    w.report = None


@SCRIPTS.on(GIVEN)
def look_at_given_weights(w):
    w.view = "grid"
    w.color_scale = "map"
    w.cmap = "turbo"


# Groups


@SCRIPTS.on(SENTENCE)
def group_of_inputs(w):
    with w.hold_trait_notifications():
        w.tokens = "a b c"
        w.embeddings = ramp(3, 5)
        w.n_heads = 3
        w.head = 2
        w.presets = "causal"


@SCRIPTS.on(COMPUTED)
def group_of_settings(w):
    with w.hold_trait_notifications():
        w.d_k = 6
        w.positional = "rotary"
        w.temperature = 2.0


@SCRIPTS.on(GIVEN)
def group_of_layer_and_head(w):
    with w.hold_trait_notifications():
        w.layer, w.head = 2, 1


@SCRIPTS.on(GIVEN)
def group_of_look(w):
    with w.hold_trait_notifications():
        w.cmap, w.selection = "greys", (1, 1)


@SCRIPTS.on(COMPUTED)
def hold_sync_of_masks(w):
    with w.hold_sync():
        w.toggle(3, 0)
        w.toggle(1, 2)
        w.toggle(3, 1)


@SCRIPTS.on(COMPUTED)
def hold_sync_of_masks_and_inputs(w):
    with w.hold_sync():
        w.toggle(3, 0)
        w.Q = ramp(4, 4)
        w.toggle(1, 2)


@SCRIPTS.on(GIVEN)
def group_within_hold_sync(w):
    with w.hold_sync():
        with w.hold_trait_notifications():
            w.layer, w.head = 1, 1
        w.title = "held"


# Undo, redo, reset from Python


@SCRIPTS.on(COMPUTED, HEADS)
def undo_and_redo(w):
    w.toggle(1, 2)
    w.W_q = ramp(*w.W_q.shape)
    w.undo()
    w.undo()
    w.undo()
    w.redo()
    w.redo()
    w.redo()


@SCRIPTS.on(COMPUTED)
def undo_of_tokens(w):
    w.toggle(1, 2)
    w.tokens = "one two"
    w.undo()


@SCRIPTS.on(COMPUTED)
def reset(w):
    w.V = ramp(3, 2)
    w.reset()
    w.reset()


# Refusals


def refused(w, act):
    """Hold that an act is refused, and send the refusal's words after what it may have sent."""
    try:
        act()
    except (TypeError, ValueError, TraitError) as error:
        w.send({"refused": str(error)})
    else:
        raise AssertionError("it was not refused")


@SCRIPTS.on(COMPUTED)
def sets_are_refused(w):
    values = {
        "Q": ramp(3, 3), "tokens": "", "d_k": 0, "mask": ramp(4, 3), "view": "pie", "layer": 1,
        "selection": (4, 0), "presets": "casual", "attention": ramp(4, 3), "revision": 9,
    }  # fmt: skip
    for name, value in values.items():
        refused(w, partial(setattr, w, name, value))
    refused(w, partial(w.toggle, 4, 0))


@SCRIPTS.on(COMPUTED)
def group_is_refused(w):
    def act():
        with w.hold_trait_notifications():
            w.seed = 3
            w.Q = ramp(3, 3)

    refused(w, act)
    w.seed = 4
