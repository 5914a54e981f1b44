"""Another text in the same card, other weights, and a training: choices stay, maps are fresh."""

from __future__ import annotations

import threading
import warnings

import numpy as np
import pytest
import torch
import transformers
from architectures import ARCHITECTURES
from models import DECODERS, ENCODERS, FAMILIES, tokenizer

import attnwidget
from attnwidget import AttentionWidget, KnockOut
from attnwidget.session.store import RefusedError
from attnwidget.sources.by_token import carried

TEXT, OTHER, LONGER = "the cat sat on the mat", "a dog saw it and slept", "the dog saw a cat on it"


def opened(text=TEXT, name="bert", **options):
    return AttentionWidget.from_model(FAMILIES[name](), tokenizer(), text, **options)


def maps(w):
    return [w.attention, w.scores, w.Q, w.K, w.V, w.output, w.weights(0), w.weights(2)]


def assert_equal(w, fresh):
    for mine, wanted in zip(maps(w), maps(fresh), strict=True):
        np.testing.assert_array_equal(mine, wanted)
    assert (w.tokens, w.shown, w.subtitle) == (fresh.tokens, fresh.shown, fresh.subtitle)


CHOICES = {
    "layer": 2, "head": 3, "view": "lines", "cmap": "magma", "quantity": "value-norm",
    "color_scale": "row", "grid_order": "statistic", "heads_on": (0, 3), "title": "mine",
}  # fmt: skip


@pytest.mark.parametrize("text", [OTHER, LONGER, "cat"])
@pytest.mark.parametrize("name", ["bert", "gpt2", "llama"])
def test_another_text_is_as_in_a_fresh_card_and_choices_stay(name, text):
    model = FAMILIES[name]()
    w = AttentionWidget.from_model(model, tokenizer(), TEXT)
    for choice, value in CHOICES.items():
        setattr(w, choice, value)
    w.run(text)
    fresh = AttentionWidget.from_model(model, tokenizer(), text, layer=2, head=3)
    assert_equal(w, fresh)
    assert {choice: getattr(w, choice) for choice in CHOICES} == CHOICES
    assert w.input_text == text
    assert w.notice == fresh.notice


def test_undo_and_redo_go_between_the_texts():
    w = opened()
    before = w.attention.copy()
    w.run(OTHER)
    after = w.attention.copy()
    assert w.history == (1, 0)
    w.undo()
    assert (w.input_text, w.tokens) == (TEXT, tuple(TEXT.split()))
    np.testing.assert_array_equal(w.attention, before)
    w.redo()
    assert w.input_text == OTHER
    np.testing.assert_array_equal(w.attention, after)


def test_a_mask_stays_on_a_map_of_the_same_shape():
    w = opened()
    w.toggle(2, 1)
    w.run(OTHER)  # six tokens too
    assert w.mask[2, 1]
    assert w.mask.sum() == 1
    assert "Not kept" not in w.notice
    w.selection = (5, 5)
    w.run("cat sat on")
    assert not w.mask.any()
    assert w.selection is None
    assert w.notice.startswith(
        "Not kept from the run before: the mask by hand, because the map has another shape, the "
        "selected cell."
    )
    w.undo()
    assert w.mask[2, 1]
    assert "Not kept" not in w.notice


def test_presets_are_made_anew():
    w = opened(name="bert")
    w.presets = ["causal"]
    w.run(LONGER)
    np.testing.assert_array_equal(w.mask, ~np.tri(7, dtype=bool))
    assert "Not kept" not in w.notice


def test_words_and_derived_stacks_stay():
    w = opened()
    w.stack = "mean over heads"
    w.merge = "words"
    w.run(LONGER)
    assert (w.stack, w.merge) == ("mean over heads", "words")
    wanted = opened(LONGER).weights(0).mean(axis=0)
    np.testing.assert_allclose(w.attention, wanted, atol=1e-6)


def test_inputs_and_pairs():
    model, words = ENCODERS["bert"](), tokenizer()
    w = AttentionWidget.from_model(model, words, TEXT)
    batch = words([TEXT, "a dog"], padding=True, return_tensors="pt")
    w.run(inputs=batch, batch_index=1)
    fresh = AttentionWidget.from_model(model, words, inputs=batch, batch_index=1)
    assert_equal(w, fresh)
    assert w.input_text == ""
    w.run(("the cat", "a dog slept"))
    assert w.input_text == ("the cat", "a dog slept")
    assert_equal(w, AttentionWidget.from_model(model, words, ("the cat", "a dog slept")))


def test_the_options_of_the_tokenizer_stay():
    w = opened(tokenize={"truncation": True, "max_length": 3})
    w.run(LONGER)
    assert w.tokens == ("the", "dog", "saw")
    w.run(inputs={"input_ids": [[3, 4]]})
    w.run(LONGER)
    assert w.tokens == ("the", "dog", "saw")
    w.run(LONGER, tokenize={})
    assert len(w.tokens) == 7


def test_encoder_decoder_stays_at_its_stack():
    one = ARCHITECTURES["t5"]
    w = AttentionWidget.from_model(one.make(), tokenizer(), (TEXT, "a dog"), stack="cross")
    w.layer = 1
    w.run((OTHER, "the cat slept"))
    assert (w.stack, w.layer) == ("cross", 1)
    assert w.key_tokens == tuple(OTHER.split())
    assert len(w.tokens) == 4


BAD = [
    ((), {}, TypeError, "want either a text or inputs="),
    ((3,), {}, TypeError, "text: got int"),
    (("",), {}, ValueError, "which gives no tokens"),
    (("cat " * 40,), {}, ValueError, "text: got 40 tokens, want at most 32"),
    ((), {"inputs": {"input_ids": [[99]]}}, ValueError, "token id 99"),
    (("cat",), {"batch_index": 1}, ValueError, "batch_index"),
]


@pytest.mark.parametrize(("arguments", "options", "error", "words"), BAD)
def test_a_text_that_the_model_cannot_take_changes_nothing(arguments, options, error, words):
    w = opened()
    w.toggle(0, 1)
    state = w.store.now
    with pytest.raises(error, match=words):
        w.run(*arguments, **options)
    assert w.store.now is state


@pytest.mark.parametrize("method", ["run", "refresh", "scan"])
def test_cards_without_a_model_refuse(method):
    arguments = {"run": ("a",), "refresh": (), "scan": ("a",)}[method]
    given = AttentionWidget.from_arrays(np.full((2, 2), 0.5), "the cat")
    for w in (AttentionWidget("The cat sat"), given):
        assert w.input_text is None
        with pytest.raises(ValueError, match=f"{method}: there is no model here that can be run"):
            getattr(w, method)(*arguments)


# Other weights


def change(model):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.1)


def test_refresh_reads_the_weights_again():
    model = FAMILIES["gpt2"]()
    w = AttentionWidget.from_model(model, tokenizer(), TEXT, layer=1, head=2)
    for choice, value in CHOICES.items():
        setattr(w, choice, value)
    w.toggle(3, 1)
    w.selection = (3, 0)
    w.tokens = [*"abcdef"]
    before = w.attention.copy()
    change(model)
    w.refresh()
    fresh = AttentionWidget.from_model(model, tokenizer(), TEXT, layer=2, head=3)
    fresh.toggle(3, 1)
    np.testing.assert_array_equal(w.attention, fresh.attention)
    np.testing.assert_array_equal(w.weights(0), fresh.weights(0))
    assert np.abs(w.attention - before).max() > 1e-3
    assert {choice: getattr(w, choice) for choice in CHOICES} == CHOICES
    assert w.selection == (3, 0)
    assert w.tokens == tuple("abcdef")
    w.undo()
    np.testing.assert_array_equal(w.attention, before)


def test_a_head_that_is_nan_is_refused():
    model = FAMILIES["gpt2"]()
    w = AttentionWidget.from_model(model, tokenizer(), TEXT)
    state = w.store.now
    with torch.no_grad():
        model.transformer.wte.weight.fill_(float("nan"))
    with pytest.raises(ValueError, match="Q: it reaches nan"):
        w.refresh()
    assert w.store.now is state


# A training


def trained_by_transformers(steps, folder, callbacks=()):
    """Train a small model with transformers' own Trainer, from a fixed seed; return the model."""
    transformers.set_seed(5)
    model = FAMILIES["gpt2"]()
    ids = torch.randint(
        model.config.vocab_size, (12, 9), generator=torch.Generator().manual_seed(3)
    )
    options = transformers.TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        learning_rate=0.01,
        lr_scheduler_type="constant",
        per_device_train_batch_size=3,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        seed=7,
    )
    data = [{"input_ids": row, "labels": row} for row in ids]
    transformers.Trainer(
        model, options, train_dataset=data, callbacks=[make(model) for make in callbacks]
    ).train()
    return model


def test_a_card_follows_transformers_trainer(tmp_path):
    cards = []

    def follow(model):
        cards.append(AttentionWidget.from_model(model, tokenizer(), TEXT))
        return attnwidget.callback(cards[0], every=2)

    trained_by_transformers(5, tmp_path, [follow])
    (w,) = cards
    assert w.checkpoints == (0, 2, 4, 5)
    for step in (2, 5):
        # A training of its own, which nobody watches, has the same weights after as many steps.
        alone = trained_by_transformers(step, tmp_path)
        fresh = AttentionWidget.from_model(alone, tokenizer(), TEXT)
        w.checkpoint = step
        np.testing.assert_allclose(w.weights(1), fresh.weights(1), atol=1e-6)
    w.checkpoint = 0
    assert np.abs(w.weights(1) - fresh.weights(1)).max() > 0.01


class Trainer:
    """Calls a callback as transformers' Trainer does, and changes the weights as a test wants."""

    def __init__(self, model, callback):
        from transformers import TrainerControl, TrainerState

        self.model, self.callback = model, callback
        self.state, self.control = TrainerState(), TrainerControl()

    def call(self, event):
        getattr(self.callback, event)(None, self.state, self.control, model=self.model)

    def train(self, steps, act=change):
        self.call("on_train_begin")
        for _ in range(steps):
            act(self.model)
            self.state.global_step += 1
            self.call("on_step_end")
        self.call("on_train_end")


def test_a_card_follows_a_training():
    from transformers import TrainerCallback

    model = FAMILIES["gpt2"]().train()
    w = AttentionWidget.from_model(model, tokenizer(), TEXT, layer=1)
    w.toggle(2, 0)
    callback = attnwidget.callback(w, every=2)
    assert isinstance(callback, TrainerCallback)
    seen = {}

    def act(model):
        change(model)
        fresh = AttentionWidget.from_model(model, tokenizer(), TEXT, layer=1)
        seen[len(seen) + 1] = fresh.weights(1)

    first = w.weights(1)
    Trainer(model, callback).train(5, act)
    assert w.checkpoints == (0, 2, 4, 5)
    assert w.checkpoint == 5
    assert model.training
    for step in (4, 2, 5):
        w.checkpoint = step
        np.testing.assert_array_equal(w.weights(1), seen[step])
        assert w.layer == 1
        assert w.mask[2, 0]
    w.checkpoint = 0
    np.testing.assert_array_equal(w.weights(1), first)
    assert w.history == (1, 0)  # the clicked cell


def test_a_reader_at_an_earlier_step_is_not_moved():
    model = FAMILIES["gpt2"]()
    w = AttentionWidget.from_model(model, tokenizer(), TEXT)
    for step in (0, 10):
        change(model)
        w.keep_checkpoint(step)
    assert w.checkpoint == 10
    w.checkpoint = 0
    w.keep_checkpoint(20)
    assert (w.checkpoint, w.checkpoints) == (0, (0, 10, 20))
    w.checkpoint = 20
    w.keep_checkpoint(30)
    assert w.checkpoint == 30


def test_the_steps_kept_have_a_limit():
    model = FAMILIES["gpt2"]()
    w = AttentionWidget.from_model(model, tokenizer(), TEXT)
    size = w.store.now.source.nbytes
    assert size == 3 * 3 * 6 * 32 * 4  # q, k, v of 3 layers, 6 tokens, width 32
    for step in range(9):
        w.keep_checkpoint(step, max_bytes=4 * size)
        assert len(w.checkpoints) <= 4
        assert w.checkpoints[0] == 0
        assert w.checkpoints[-1] == step == w.checkpoint
    w.keep_checkpoint(9, max_bytes=1)
    assert w.checkpoints == (0, 9)


def test_what_is_no_step_is_refused():
    w = opened()
    with pytest.raises(ValueError, match=r"no step of a training is kept; want attnwidget\.callb"):
        w.checkpoint = 1
    w.keep_checkpoint(0)
    w.keep_checkpoint(50)
    with pytest.raises(ValueError, match=r"checkpoint: got 25, want one of \[0, 50\]"):
        w.checkpoint = 25
    with pytest.raises(TypeError, match="checkpoint: got 'last'"):
        w.checkpoint = "last"
    with pytest.raises(ValueError, match="step: got -1, want at least 0"):
        w.keep_checkpoint(-1)
    assert w.checkpoint == 50


def test_a_second_training_leaves_the_steps_of_the_first_out():
    w = opened()
    for step in (0, 10, 20):
        w.keep_checkpoint(step)
    w.keep_checkpoint(5)
    assert (w.checkpoint, w.checkpoints) == (5, (0, 5))
    w.checkpoint = 0
    w.keep_checkpoint(0)
    assert (w.checkpoint, w.checkpoints) == (0, (0,))


def test_a_step_with_nan_is_left_out_and_the_training_goes_on():
    model = FAMILIES["gpt2"]()
    w = AttentionWidget.from_model(model, tokenizer(), TEXT)

    def act(model):
        with torch.no_grad():
            model.transformer.wte.weight.fill_(float("nan"))

    with pytest.warns(UserWarning, match="step 1 is not kept: .*Q: it reaches nan"):
        Trainer(model, attnwidget.callback(w, every=1)).train(1, act)
    assert w.checkpoints == (0,)


def test_callbacks_that_cannot_be():
    model = FAMILIES["gpt2"]()
    w = AttentionWidget.from_model(model, tokenizer(), TEXT)
    with pytest.raises(ValueError, match="every: got 0, want at least 1"):
        attnwidget.callback(w, every=0)
    with pytest.raises(ValueError, match="callback: there is no model here"):
        attnwidget.callback(AttentionWidget("The cat"))
    with pytest.raises(TypeError, match="w: got str, want an AttentionWidget"):
        attnwidget.callback("w")
    with pytest.raises(ValueError, match="trains another GPT2LMHeadModel than the widget shows"):
        Trainer(FAMILIES["gpt2"](), attnwidget.callback(w)).train(1)


# The questions of a page


def asked(w, **question):
    """Send a question of a page, and return the answer when it has come."""
    answered, answers, progress = threading.Event(), [], []
    own = w.send

    def send(content, buffers=None):
        if content.get("id") == "q":
            answers.append(content)
            answered.set()
        else:
            progress.append(content)
        own(content, buffers)

    object.__setattr__(w, "send", send)
    w._handle_custom_msg({"id": "q", **question}, [])
    assert answered.wait(60)
    return answers[0], progress


def test_a_page_asks_for_another_text():
    w = opened()
    answer, _ = asked(w, type="run", text=OTHER)
    assert answer == {"id": "q"}
    assert w.input_text == OTHER
    assert_equal(w, opened(OTHER))
    answer, _ = asked(w, type="run", text=["the cat", "a dog"])
    assert answer == {"id": "q"}
    assert w.input_text == ("the cat", "a dog")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "text: got no text"),
        (None, "text: got no text"),
        (5, "text: got int"),
        (["a", "b", "c"], "text: got tuple, want a str, or a pair"),
        ("cat " * 40, "text: got 40 tokens, want at most 32"),
        ("x" * 100_001, "the page sent a text of 100,001 characters"),
    ],
)
def test_a_text_of_a_page_is_refused_in_words(text, words):
    w = opened()
    state = w.store.now
    answer, _ = asked(w, type="run", text=text)
    assert words in answer["error"]
    assert w.store.now is state


def test_a_page_compares_two_runs():
    w = opened(name="gpt2")
    for layer in (0, 1):
        w.knockouts = [{"layer": layer, "key": 1, "kind": "zero"}]
    wanted = w.compare_runs(1, 0, position=2)
    answer, _ = asked(w, type="compare_runs", first=1, second=0, position=2)
    assert answer["effect"]["kl"] == wanted.kl
    assert answer["effect"]["position"] == 2
    assert [row["token"] for row in answer["effect"]["rows"]] == list(wanted.labels)
    answer, _ = asked(w, type="compare_runs", first="1", second=[0])
    assert answer["error"] == "first: got '1', want a whole number"


def test_a_page_asks_for_a_scan():
    w = opened(name="gpt2")
    answer, progress = asked(w, type="scan", target="cat", over="heads")
    wanted = w.scan("cat")
    assert answer["scan"]["values"] == pytest.approx(wanted.values.ravel().tolist())
    assert answer["scan"]["shape"] == [3, 4]
    assert answer["scan"]["knockouts"][5]["head"] == 1
    assert progress[-1] == {"type": "progress", "of": "q", "done": 12, "total": 12}
    answer, _ = asked(w, type="scan", target="zebra")
    assert "the tokenizer has no token 'zebra'" in answer["error"]


def test_a_page_stops_a_scan():
    w = opened(name="gpt2")
    own = w._long._progress

    def stopping(reply):
        step = own(reply)

        def progress(done, total):
            step(done, total)
            w._handle_custom_msg({"type": "stop", "of": "scan"}, [])

        return progress

    w._long._progress = stopping
    answer, _ = asked(w, type="scan", target="cat", over="layers")
    assert answer["scan"]["ended"] == "stopped"
    assert answer["scan"]["values"][0] is not None
    assert answer["scan"]["values"][1:] == [None, None]


def test_scans_of_a_widget():
    w = opened(name="gpt2", layer=1, head=2)
    edges = w.scan("cat", "edges")
    assert {(edit.layer, edit.head) for edit in edges.knockouts} == {(1, 2)}
    alone = attnwidget.scan(
        w.store.now.source.model, TEXT, "cat", "edges", tokenizer=tokenizer(), layer=1, head=2
    )
    np.testing.assert_array_equal(edges.values, alone.values)
    w.merge = "words"
    np.testing.assert_array_equal(w.scan("cat", "edges").values, alone.values)
    w.stack = "mean over heads"
    with pytest.raises(ValueError, match="derived from other maps; want stack='self'"):
        w.scan("cat")


# Knock-outs by token


def test_knock_outs_are_carried_by_token():
    before, after = (opened(text).store.now.source for text in (TEXT, LONGER))
    # the cat sat on the mat  ->  the dog saw a cat on it
    edits = [
        KnockOut("self", 1, 0, query=1, key=0),  # cat -> the
        KnockOut("self", 0, None, key=3, kind="zero"),  # on
        KnockOut("self", 2, 1),
        KnockOut("self", 1, 0, query=4),  # the second "the"
        KnockOut("self", 1, 0, key=5),  # mat
    ]
    kept, words = carried(edits, before, after)
    assert kept == (
        KnockOut("self", 1, 0, query=4, key=0),
        KnockOut("self", 0, None, key=5, kind="zero"),
        KnockOut("self", 2, 1),
    )
    assert words == (
        "Knock-outs without a place in this text were dropped: query 4 ('the'), key 5 ('mat')."
    )
    assert carried([], before, after) == ((), "")


def test_knock_outs_of_cross_attention_have_tokens_of_both_sides():
    model = ARCHITECTURES["t5"].make()
    before, after = (
        AttentionWidget.from_model(model, tokenizer(), pair, stack="decoder").store.now.source
        for pair in ((TEXT, "a dog slept"), (OTHER, "it slept"))
    )
    edits = [KnockOut("cross", 0, 1, query=3, key=3), KnockOut("cross", 0, 1, query=3)]
    kept, words = carried(edits, before, after)
    assert kept == (KnockOut("cross", 0, 1, query=2),)
    assert "key 3 ('on')" in words


def test_a_run_that_is_refused_by_the_state_changes_nothing():
    w = opened()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        state = w.store.now
        with pytest.raises(RefusedError):
            w.checkpoint = 3
    assert w.store.now is state


def test_a_run_on_another_text_has_the_knock_outs_of_its_tokens():
    model, words_of = DECODERS["gpt2"](), tokenizer()
    w = AttentionWidget.from_model(model, words_of, "the cat sat on the mat", layer=1)
    w.knockouts = [{"layer": 1, "query": 4, "key": 1}, {"layer": 0, "key": 2}, {"layer": 2}]
    before = w.attention.copy()
    w.run("a cat saw the dog and the mat")
    # The second "the" is at 6 now, and there is no "sat".
    wanted = [{"layer": 1, "query": 6, "key": 1}, {"layer": 2}]
    assert [edit.as_code() for edit in w.knockouts] == [repr(edit) for edit in wanted]
    assert "Knock-outs without a place in this text were dropped: key 2 ('sat')." in w.notice
    assert w.run_state.state == "done"
    other = AttentionWidget.from_model(
        model, words_of, "a cat saw the dog and the mat", layer=1, knockouts=wanted
    )
    np.testing.assert_array_equal(w.attention, other.attention)
    assert w.effect.kl == other.effect.kl
    w.undo()
    np.testing.assert_array_equal(w.attention, before)
    assert len(w.knockouts) == 3


def test_a_scan_is_of_the_model_without_the_knock_outs_of_the_card():
    w = opened(name="gpt2", layer=1, head=2)
    plain = w.scan("cat", "edges")
    w.knockouts = plain.top(1)
    assert list(w.knockouts) == [KnockOut(**plain.top(1)[0].as_dict())]
    again = w.scan("cat", "edges")
    np.testing.assert_array_equal(again.values, plain.values)
    np.testing.assert_array_equal(again.masked, plain.masked)


def test_refresh_keeps_the_knock_outs():
    model = FAMILIES["gpt2"]()
    edits = [{"layer": 0, "key": 2}]
    w = AttentionWidget.from_model(model, tokenizer(), TEXT, layer=1)
    w.knockouts = edits
    change(model)
    w.refresh()
    fresh = AttentionWidget.from_model(model, tokenizer(), TEXT, layer=1, knockouts=edits)
    assert w.knockouts == fresh.knockouts
    np.testing.assert_array_equal(w.attention, fresh.attention)
    assert w.run_state.state == "done"


def test_the_place_of_the_effect_is_the_default_where_the_text_ends_before_it():
    w = opened(name="gpt2", layer=1)
    w.knockouts = [{"layer": 0}]
    w.effect_position = 5
    w.run(OTHER)  # six tokens too
    assert (w.effect_position, w.effect.position) == (5, 5)
    w.run("the cat")
    assert (w.effect_position, w.effect.position) == (None, 1)
