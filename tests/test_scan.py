"""A scan: each of its numbers is that of a pass of its own, and what ends a scan loses nothing."""

from __future__ import annotations

import re
import subprocess
import sys
import types

import numpy as np
import pytest
import torch
from architectures import ARCHITECTURES, IDS
from hostile import HOSTILE
from models import tokenizer

from attnwidget import KnockOut, knock_out, scan
from attnwidget.demo import induction_model
from attnwidget.search import passes
from attnwidget.search.result import Scan

KINDS = ["remove", "zero", "mean", "first"]
# The model, a stack, and a layer of it.
CASES = [
    ("bert", "self", 1),
    ("gpt2", "self", 2),
    ("llama", "self", 1),
    ("t5", "encoder", 1),
    ("t5", "decoder", 2),
    ("t5", "cross", 0),
    ("vit", "self", 1),
    ("gpt-j", "self", 1),
    ("gpt-oss", "self", 0),
]
SCANS = {
    "heads": {},
    "layers": {"head": 1},
    "keys": {"head": 0},
    "edges": {"head": 1},
}


def total(outputs):
    """A number of the outputs that each of them moves."""
    names = ("logits", "last_hidden_state")
    tensor = next(outputs[name] for name in names if name in outputs)[0].double()
    weights = torch.arange(tensor.numel(), dtype=torch.float64).sin().view(tensor.shape)
    return (tensor * weights).sum() / 10


def number(model, inputs, target, edits=()):
    with torch.no_grad(), knock_out(model, list(edits)):
        return float(target(model(**inputs)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "stack", "layer"), CASES)
def test_each_number_is_that_of_a_pass_of_its_own(name, stack, layer, kind):
    one = ARCHITECTURES[name]
    model, inputs = one.make(), one.inputs()
    plain = number(model, inputs, total)
    for over, limits in SCANS.items():
        limits = dict(limits)
        if over in {"keys", "edges"}:
            limits["layer"] = layer
        found = scan(model, inputs, total, over, kind, stack=stack, batch_size=5, **limits)
        assert found.baseline == pytest.approx(plain, abs=1e-5)
        assert found.values.size > 1
        for cell, edit in list(enumerate(found.knockouts))[:: 4 if over == "edges" else 1]:
            wanted = number(model, inputs, total, [edit]) - plain
            assert found.values.flat[cell] == pytest.approx(wanted, abs=1e-5), edit
        assert np.abs(found.values).max() > 1e-4, over
        assert found.ended == ""
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def gpt2():
    return ARCHITECTURES["gpt2"].make(), ARCHITECTURES["gpt2"].inputs()


def logits(model, inputs, edits=()):
    with torch.no_grad(), knock_out(model, list(edits)):
        return model(**inputs).logits[0].double().numpy()


def divergence(before, after):
    before, after = (row - np.logaddexp.reduce(row) for row in (before, after))
    return float((np.exp(before) * (before - after)).sum())


@pytest.mark.parametrize("position", [None, 3, -2])
def test_targets_of_tokens(position):
    model, inputs = gpt2()
    at = {None: 6, 3: 3, -2: 5}[position]
    plain = logits(model, inputs)[at]
    edits = [KnockOut("self", layer, head) for layer in range(3) for head in range(4)]
    after = [logits(model, inputs, [edit])[at] for edit in edits]
    targets = {
        17: [row[17] - plain[17] for row in after],
        (17, 4): [row[17] - row[4] - plain[17] + plain[4] for row in after],
        "kl": [divergence(plain, row) for row in after],
    }
    for target, wanted in targets.items():
        found = scan(model, inputs, target, position=position)
        np.testing.assert_allclose(found.values.ravel(), wanted, rtol=0, atol=1e-5)
        assert found.knockouts == tuple(edits)
        assert f"at position {at}" in found.target
    assert abs(scan(model, inputs, "kl", position=position).baseline) < 1e-12


def test_a_class():
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=40, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=24, id2label={0: "sad", 1: "calm", 2: "glad"},
    )  # fmt: skip
    model = BertForSequenceClassification(config).eval()
    inputs = {"input_ids": torch.tensor([IDS])}
    by_name, by_number = scan(model, inputs, "glad"), scan(model, inputs, 2)
    np.testing.assert_array_equal(by_name.values, by_number.values)
    assert by_name.target == "logit of the class 'glad'"
    plain = number(model, inputs, lambda o: o.logits[0, 2])
    wanted = number(model, inputs, lambda o: o.logits[0, 2], [{"layer": 1, "head": 3}]) - plain
    assert by_name.values[1, 3] == pytest.approx(wanted, abs=1e-6)
    pair = scan(model, inputs, ("glad", "sad"))
    np.testing.assert_allclose(
        pair.values, by_name.values - scan(model, inputs, 0).values, atol=1e-6
    )
    assert scan(model, inputs, "kl").values.min() >= -1e-12
    with pytest.raises(ValueError, match="got the class 'happy', want one of 'sad', 'calm'"):
        scan(model, inputs, "happy")
    with pytest.raises(ValueError, match="returns classes of the whole input; want None"):
        scan(model, inputs, "sad", position=1)


def test_the_mask_of_a_masked_language_model():
    from models import build
    from transformers import BertConfig, BertForMaskedLM

    words = tokenizer()
    words.add_special_tokens({"mask_token": "mat"})
    model = build(
        BertForMaskedLM, BertConfig, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=24,
    )  # fmt: skip
    found = scan(model, "the cat mat sat", "dog", tokenizer=words)
    assert found.target == "logit of 'dog' at position 2"
    with pytest.raises(ValueError, match="2 tokens mat, want one, or the position of a token"):
        scan(model, "the mat mat sat", "dog", tokenizer=words)


def test_functions_of_a_batch_and_of_one_text():
    model, inputs = gpt2()
    batched = scan(model, inputs, lambda outputs: outputs.logits[:, -1, 5])
    single = scan(model, inputs, lambda outputs: outputs.logits[0, -1, 5])
    plain = scan(model, inputs, lambda outputs: outputs.logits[0, -1, 5].item())
    np.testing.assert_array_equal(batched.values, single.values)
    np.testing.assert_array_equal(batched.values, plain.values)
    np.testing.assert_allclose(batched.values, scan(model, inputs, 5).values, atol=1e-5)


def test_a_text_of_a_padded_batch():
    model, _ = gpt2()
    ids = torch.tensor([[0, 0, *IDS[2:]], IDS[::-1]])
    mask = torch.tensor([[0, 0, 1, 1, 1, 1, 1], [1] * 7])
    found = scan(model, {"input_ids": ids, "attention_mask": mask}, 3, batch_index=1)
    alone = scan(model, {"input_ids": ids[1:], "attention_mask": mask[1:]}, 3)
    np.testing.assert_allclose(found.values, alone.values, atol=1e-6)
    # Padding behind the text: the last token before it is read.
    right = {"input_ids": ids[1:], "attention_mask": torch.tensor([[1, 1, 1, 1, 0, 0, 0]])}
    assert "at position 3" in scan(model, right, 3).target


def test_models_whose_texts_cannot_be_copied():
    """LLaVA puts the patches of all images in a row: copies go wrong, and each pass has one."""
    one = ARCHITECTURES["llava"]
    model, inputs = one.make(), one.inputs()
    plain = number(model, inputs, total)
    found = scan(model, inputs, total, stack="self")
    for cell, edit in enumerate(found.knockouts):
        wanted = number(model, inputs, total, [edit]) - plain
        assert found.values.flat[cell] == pytest.approx(wanted, abs=1e-5), edit


def test_a_restart_that_gives_other_numbers_is_not_used(monkeypatch):
    model, inputs = gpt2()
    wanted = scan(model, inputs, 5).values
    own, calls = passes.Passes._pass, []

    def wrong(self, start, copies, restarts):
        if restarts and not calls:
            for output in self.tape._outputs.values():
                output[...] = 0
            self.tape._is_intact = lambda _: True
        calls.append((len(copies), restarts))
        return own(self, start, copies, restarts)

    monkeypatch.setattr(passes.Passes, "_pass", wrong)
    np.testing.assert_allclose(scan(model, inputs, 5).values, wanted, atol=1e-5)
    # The layer 0 has no layers below. From layer 1 on, each pass is whole, with one copy.
    assert calls[0] == (5, True)
    assert (1, False) in calls


def test_layers_below_do_not_run():
    model, inputs = gpt2()
    calls = []
    model.transformer.h[0].mlp.register_forward_hook(lambda *_: calls.append(1))
    scan(model, inputs, 5, layer=2, over="keys", head=0)
    before = len(calls)
    scan(model, inputs, 5, layer=0, over="keys", head=0)
    assert before <= 3  # the captured pass, the unedited pass, and the same with fewer logits
    assert len(calls) > 2 * before


def test_an_interrupt_keeps_what_is_done():
    model, inputs = gpt2()
    whole = scan(model, inputs, 5)
    seen = []

    def progress(done, of):
        seen.append((done, of))
        if len(seen) == 2:
            raise KeyboardInterrupt

    part = scan(model, inputs, 5, batch_size=3, progress=progress)
    assert seen == [(2, 12), (4, 12)]
    assert part.ended == "interrupted"
    assert part.measured == 4
    np.testing.assert_allclose(part.values.ravel()[:4], whole.values.ravel()[:4], atol=1e-5)
    assert np.isnan(part.values.ravel()[4:]).all()
    words = "The scan was interrupted after 4 of 12 knock-outs; the other values are NaN."
    assert part.notice == words
    assert words in repr(part)
    assert words in part._repr_mimebundle_()["text/html"]
    assert len(part.sorted()) == 4
    assert whole.notice == ""
    assert not any("forward" in m.__dict__ or m._forward_hooks for m in model.modules())


def limited(monkeypatch, most):
    """Let passes of more than `most` copies fail for want of memory."""
    own = passes.Passes._pass

    def run(self, start, copies, restarts):
        if len(copies) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return own(self, start, copies, restarts)

    monkeypatch.setattr(passes.Passes, "_pass", run)


@pytest.mark.parametrize("most", [1, 2, 3])
def test_too_little_memory_for_many_copies(most, monkeypatch):
    model, inputs = gpt2()
    whole = scan(model, inputs, 5)
    limited(monkeypatch, most)
    found = scan(model, inputs, 5)
    assert found.ended == ""
    np.testing.assert_allclose(found.values, whole.values, atol=1e-5)


def test_too_little_memory_for_a_single_copy(monkeypatch):
    model, inputs = gpt2()

    def progress(done, of):
        if done >= 4:
            limited(monkeypatch, 0)

    found = scan(model, inputs, 5, progress=progress, batch_size=3)
    assert found.ended == "out of memory"
    assert found.measured == 4
    assert "The memory did not suffice for more after 4 of 12 knock-outs" in found.notice


def test_records_are_knock_outs():
    model, words = induction_model()
    found = scan(model, "fox bee owl moon fox bee", "owl", "edges", tokenizer=words, layer=1)
    first = found.top(1)[0]
    assert (first.layer, first.query, first.key) == (1, 5, 2)
    assert first.effect == found.values[5, 2] < -5
    assert len(found.sorted()) == found.measured == 21  # of 36: no later key is seen
    assert not found.values[found.masked].any()
    ids = words("fox bee owl moon fox bee", return_tensors="pt").input_ids
    owl = words.convert_tokens_to_ids("owl")
    with torch.no_grad(), knock_out(model, found.top(1)):
        assert model(ids).logits[0, -1, owl].item() == pytest.approx(
            found.baseline + first.effect, abs=1e-4
        )
    effects = [abs(record.effect) for record in found.sorted()]
    assert effects == sorted(effects, reverse=True)
    assert "query 5 'bee', key 2 'owl': -" in repr(found)
    assert np.asarray(found) is not None
    assert np.asarray(found).shape == (6, 6)


def test_four_heads_stand_in_for_each_other():
    model, words = induction_model(4)
    text = "fox bee owl moon fox bee"
    heads = scan(model, text, "owl", tokenizer=words)
    layers = scan(model, text, "owl", "layers", tokenizer=words)
    assert heads.values.shape == (2, 4)
    assert np.abs(heads.values[1]).max() < np.abs(layers.values[1])


BAD = [
    ({"target": "owl"}, TypeError, "got 'owl' and no tokenizer; want the id of a token, or tok"),
    ({"target": 40}, ValueError, "target: got token id 40, want 0..39"),
    ({"target": -1}, ValueError, "target: got token id -1"),
    ({"target": True}, TypeError, "target: got bool, want a token"),
    ({"target": 1.5}, TypeError, "target: got float, want a token .* or a function"),
    ({"target": (1, 2, 3)}, ValueError, "target: got 3 tokens, want one, or a pair"),
    ({"target": lambda _: "high"}, TypeError, "the function returned str, want a number"),
    ({"target": lambda o: o.logits}, ValueError, r"returned shape \(1, 7, 40\), want a number"),
    ({"target": lambda o: 1.0, "position": 2}, ValueError, "chooses the position itself"),
    ({"position": 7}, ValueError, "position: got 7, want -7..6"),
    ({"over": "tokens"}, ValueError, "over: got 'tokens', want one of heads, layers, edges"),
    ({"kind": "noise"}, ValueError, "kind: got 'noise', want one of remove, zero, mean"),
    ({"layer": 1}, ValueError, "layer: got 1, want None, because over='heads' goes over each"),
    ({"over": "edges", "layer": 9}, ValueError, "layer: got 9, want 0..2"),
    ({"over": "edges", "head": 4}, ValueError, "head: got 4, want 0..3"),
    ({"over": "keys", "query": 7}, ValueError, "query: got 7, want 0..6"),
    ({"batch_size": 0}, ValueError, "batch_size: got 0, want at least 1"),
    ({"stack": "cross"}, ValueError, "stack: got 'cross'"),
]


@pytest.mark.parametrize(("options", "error", "words"), BAD)
def test_what_cannot_be_scanned_is_refused(options, error, words):
    model, inputs = gpt2()
    with pytest.raises(error, match=words):
        scan(model, inputs, **{"target": 5, **options})


def test_words_that_are_no_token():
    model, _ = gpt2()
    with pytest.raises(ValueError, match="the tokenizer has no token 'zebra'"):
        scan(model, "the cat sat", "zebra", tokenizer=tokenizer())
    with pytest.raises(ValueError, match=r"'the cat' is 2 tokens \('the', 'cat'\), want one"):
        scan(model, "the cat sat", "the cat", tokenizer=tokenizer())
    assert "logit of 'cat'" in scan(model, "the cat sat", "cat", tokenizer=tokenizer()).target


def test_a_model_without_logits():
    one = ARCHITECTURES["bert"]
    with pytest.raises(ValueError, match=r"BertModel returns no logits .* want a function"):
        scan(one.make(), one.inputs(), 5)


def test_attention_that_cannot_be_edited():
    one = ARCHITECTURES["albert"]
    with pytest.raises(ValueError, match="do not say which layer they are"):
        scan(one.make(), one.inputs(), total)


def by_hand(labels=("a", "b", "c"), values=(0.5, -2.0, np.nan)):
    edits = tuple(KnockOut("self", key=i) for i in range(len(labels)))
    array = np.array(values)
    return Scan(
        "keys", "remove", labels[0], 1.0, array, ("key",), (tuple(labels),), edits,
        np.zeros(len(labels), bool), "stopped",
    )  # fmt: skip


def test_pandas_is_asked_for_and_gets_values_and_labels(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="to_pandas: pandas is needed: pip install pandas"):
        by_hand().to_pandas()
    # pandas is not installed here: a stand-in with the three names that are used.
    stand_in = types.SimpleNamespace(
        Index=lambda labels, name: (name, list(labels)),
        Series=lambda values, index, name: ("series", values, index, name),
        DataFrame=lambda values, index, columns: ("frame", values, index, columns),
    )
    monkeypatch.setitem(sys.modules, "pandas", stand_in)
    found = by_hand()
    assert found.to_pandas() == ("series", found.values, ("key", ["0 a", "1 b", "2 c"]), "a")
    model, inputs = gpt2()
    kind, values, rows, columns = scan(model, inputs, 5).to_pandas()
    assert (kind, values.shape) == ("frame", (3, 4))
    assert rows == ("layer", [0, 1, 2])
    assert columns == ("head", [0, 1, 2, 3])


def test_the_order_and_what_is_left_out():
    found = by_hand()
    assert [(record.key, record.effect) for record in found.sorted()] == [(1, -2.0), (0, 0.5)]
    assert found.top(1) == found.sorted()[:1]
    assert found.as_dict()["values"] == [0.5, -2.0, None]
    with pytest.raises(ValueError, match="n: got 0"):
        found.top(0)
    with pytest.raises(ValueError, match="read-only"):
        found.values[0] = 1


def test_the_map_has_hostile_texts_as_text():
    from xml.etree import ElementTree

    labels = [text for text in HOSTILE if len(text) < 500]
    html = by_hand(labels, np.linspace(-1, 1, len(labels)))._repr_mimebundle_()["text/html"]
    assert not re.search(r"<(script|img|iframe|style|b>)|<svg onload|javascript:\S*\"", html)
    drawing = html[html.index("<svg") : html.index("</svg>") + 6]
    names = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(drawing).iter()}
    assert names <= {"svg", "title", "desc", "rect", "g", "text", "image"}


def test_the_colours_of_the_map(tmp_path):
    by_hand(values=(2.0, -2.0, np.nan)).save_svg(tmp_path / "map.svg")
    text = (tmp_path / "map.svg").read_text()
    cells = re.findall(r'<rect x="\d" y="0" [^>]* fill="(#\w+)"', text)[:3]
    assert cells == ["#67001f", "#053061", "#bebebe"]  # the ends of ColorBrewer's RdBu, and grey


def test_a_scan_needs_no_jupyter():
    code = (
        "import sys; from attnwidget import scan; from attnwidget.demo import induction_model; "
        "model, words = induction_model(); scan(model, 'fox bee fox', 'bee', tokenizer=words); "
        "assert not {'ipywidgets', 'anywidget', 'traitlets', 'IPython'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
