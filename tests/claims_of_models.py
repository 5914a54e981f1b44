"""What the notebooks with real models say, computed without attnwidget: eager transformers."""

from __future__ import annotations

from notebook_runs import Claim

PRELUDE = '''
import json
from importlib.resources import files

import numpy as np
import torch
from transformers import AutoModelForCausalLM

demo = files("attnwidget") / "demo"
same = np.allclose


def eager(Class, path, **more):
    return Class.from_pretrained(path, attn_implementation="eager", dtype=torch.float32, **more)


def run(model, **inputs):
    with torch.no_grad():
        return model(**inputs, output_attentions=True, output_hidden_states=True)


def maps(layers):
    """(layers, heads, queries, keys) of the first text."""
    return np.stack([layer[0].numpy() for layer in layers])


def read(texts):
    return run(eager(AutoModel, name), **pieces(texts, return_tensors="pt"))


def next_words(model, text, layer=None, query=-1, keys=()):
    """Chances of the next word, where one layer's query may not see keys by the model's mask."""
    ids = vocabulary(text, return_tensors="pt").input_ids
    n = ids.shape[1]

    def hide(module, args, kwargs):
        # GPT-2's own causal mask, and what is hidden.
        mask = torch.full((n, n), torch.finfo(torch.float32).min).triu(1)
        mask[query, list(keys)] = torch.finfo(torch.float32).min
        return args, {**kwargs, "attention_mask": mask[None, None]}

    hooks = []
    if layer is not None:
        attention = model.transformer.h[layer].attn
        hooks = [attention.register_forward_pre_hook(hide, with_kwargs=True)]
    try:
        logits = run(model, input_ids=ids).logits
    finally:
        for hook in hooks:
            hook.remove()
    chances = logits[0, -1].softmax(-1).numpy()
    return {vocabulary.decode([i]): float(p) for i, p in enumerate(chances)}
'''

REAL = [
    Claim("heads", "heads-question", """
E = maps(read(sentence).attentions)
assert same(np.stack([heads.weights(i) for i in range(6)]), E, atol=1e-5)
back = np.diagonal(E, offset=-1, axis1=2, axis2=3).mean(axis=-1)
assert len(set(pieces(sentence).input_ids)) == len(heads.tokens)
layer, head = np.unravel_index(back.argmax(), back.shape)
said = [f"Layer {layer}, head {head}, with {back.max():.2f}"]"""),
    Claim("values-check", "values-question", """
found = read(sentence)
ends, E = [0, -1], maps(found.attentions)
plain = eager(AutoModel, name)
shares = []
for i, block in enumerate(plain.encoder.layer):
    V = found.hidden_states[i][0] @ block.attention.self.value.weight.T
    V = (V + block.attention.self.value.bias).reshape(V.shape[0], 12, 32)
    W_o = block.attention.output.dense.weight.reshape(384, 12, 32)
    norms = torch.einsum("nhd,mhd->hnm", V, W_o).norm(dim=-1).detach().numpy()
    arrives = E[i] * norms[:, None, :]
    part = arrives[..., ends].sum(axis=-1) / arrives.sum(axis=-1)
    shares += list(zip(E[i][..., ends].sum(axis=-1).mean(axis=-1), part.mean(axis=-1)))
get, hand = np.array(shares).T
said = [f"{get.mean():.2f} of the attention", f"{hand.mean():.2f} of what arrives",
        f"in {(hand < get).sum()} of {len(get)} heads"]"""),
    Claim("heads", "values-text", """
brightest = maps(read(sentence).attentions).mean(axis=2).argmax(axis=-1)
assert np.isin(brightest, [0, len(heads.tokens) - 1]).mean() > 0.8"""),
    Claim("words-check", "words-question", """
E = maps(read(sentence).attentions)[5]
tokens = pieces.convert_ids_to_tokens(pieces(sentence).input_ids)
assert tokens[2:6] == ["astro", "##phy", "##sic", "##ist"]
gets = E[:, tokens.index("she"), 2:6].sum(axis=-1)
said = [f"Head {gets.argmax()}, with {gets.max():.2f}"]"""),
    Claim("bank-check", "bank-question", """
A, B = (maps(read(f"The bank of the {x}").attentions)
        for x in ("river was steep", "county was closed"))
assert A.shape == B.shape == (6, 12, 9, 9)
change = np.abs(B - A)[0, 4]
assert np.unravel_index(change.argmax(), change.shape) == (2, 5)
said = [f'{A[0, 4, 2, 5]:.2f} to "river"', f'{B[0, 4, 2, 5]:.2f} to "county"']
A, B = (maps(read(f"She put the mouse near the {x}").attentions) for x in ("keyboard", "cheese"))
row = np.abs(B - A)[:, :, 4]
layer, head, key = np.unravel_index(row.argmax(), row.shape)
assert key == 7
said.append(f'Layer {layer}, head {head}: {A[layer, head, 4, 7]:.2f} to "keyboard"')
said.append(f'{B[layer, head, 4, 7]:.2f} to "cheese"')"""),
    Claim("induction-check", "induction-question", """
E = maps(run(eager(AutoModelForCausalLM, demo / "one_head"),
             **vocabulary(text, return_tensors="pt")).attentions)
assert same(copying.weights(0), E[0], atol=1e-5) and same(copying.weights(1), E[1], atol=1e-5)
rounds = [(query, query - 7) for query in range(7, 11)]
after = np.mean([E[1, 0, query, first + 1] for query, first in rounds])
itself = np.mean([E[1, 0, query, first] for query, first in rounds])
said = [f"with {after:.2f}", f"(*duplicate token* is {itself:.2f})",
        f"with {np.diagonal(E[0, 0], offset=-1).mean():.2f}"]"""),
    Claim("neuron-check", "neuron-question", """
model = eager(AutoModelForCausalLM, demo / "one_head")
block, taken = model.transformer.h[1], []
block.attn.c_attn.register_forward_hook(lambda m, a, out: taken.append(out[0]))
run(model, **vocabulary(text, return_tensors="pt"))
q, k, _ = taken[0].split(64, dim=-1)
products = (q[10] * k).numpy()
assert products.sum(axis=1).argmax() == 4
said = [f"{(products[4] > 0).mean():.0%} of the 64 products",
        f"the largest makes {products[4].max() / products[4].sum():.0%} of their sum"]"""),
    Claim("edge-check", "edge-question", """
model = eager(AutoModelForCausalLM, demo / "one_head")
E = maps(run(model, **vocabulary(text, return_tensors="pt")).attentions)[1, 0, 10]
goes = E[5] / (1 - E[4])
whole = next_words(model, text)
without = [next_words(model, text, 1, 10, [key]) for key in range(11)]
assert same(without[4]["rain"], after["rain"], atol=1e-3)
assert "key" not in sorted(without[4], key=without[4].get)[-3:] and without[4]["key"] < 0.01
assert all(abs(without[key]["key"] - whole["key"]) < 0.002 for key in range(11) if key != 4)
assert next_words(model, text, 0, 4, [3])["key"] < 0.01
assert next_words(model, text, 0, 5, [4])["key"] > 0.99
assert np.argmax(np.delete(E, 4)) == 4 and goes > 0.5
said = [f'{goes:.2f}, went to "rain"', f"{whole['key']:.3f}"]"""),
    Claim("writes-check", "writes-question", """
model = eager(AutoModelForCausalLM, demo / "one_head")
rounds = "ice oak pear snow jam ice oak pear snow jam ice oak pear"
row = maps(run(model, **vocabulary(rounds, return_tensors="pt")).attentions)[1, 0, 12]
assert row[8] > row[3] > 0.1 and row[8] + row[3] > 0.95
assert next_words(model, rounds, 1, 12, [3])["snow"] > 0.99
assert next_words(model, rounds, 1, 12, [8])["snow"] > 0.99
assert next_words(model, rounds, 1, 12, [3, 8])["snow"] < 0.05"""),
    Claim("cross-check", "cross-question", """
model = eager(AutoModelForSeq2SeqLM, models / "reverses")
ids = letters("stressed", return_tensors="pt").input_ids
out = model.generate(ids, max_new_tokens=12, do_sample=False)
assert letters.decode(out[0], skip_special_tokens=True) == "desserts"
E = maps(run(model, input_ids=ids, decoder_input_ids=out[:, :-1]).cross_attentions)
assert same(cross.weights(1, stack="cross"), E[1], atol=1e-5)
mean = E[1].mean(axis=0)
assert list(mean.argmax(axis=1)) == [7, 6, 5, 4, 3, 2, 1, 0, 8]
assert [i for i, c in enumerate("stressed") if c == "s"] == [0, 4, 5]
assert "desserts"[mean.max(axis=1).argmin()] == "e" and mean.max(axis=1).argmin() == 4
said = [f"second *e* ({mean.max(axis=1).min():.2f})"]"""),
    Claim("pair-check", "pair-question", """
model, word = eager(AutoModelForSeq2SeqLM, models / "reverses"), "responsibility"
ids = letters(word, return_tensors="pt").input_ids
out = model.generate(ids, max_new_tokens=20, do_sample=False)
wrote = letters.decode(out[0], skip_special_tokens=True)
right = next(i for i, pair in enumerate(zip(wrote, word[::-1])) if pair[0] != pair[1])
said = [f'"{wrote}"', f"right for {right} letters"]
E = maps(run(model, input_ids=ids, decoder_input_ids=out[:, :-1]).cross_attentions)
looks = E[1].mean(axis=0).argmax(axis=1)
turned = list(range(13, -1, -1))
assert list(looks[:right]) == turned[:right] and looks[right] != turned[right]"""),
    Claim("class-check", "class-question", """
model = eager(AutoModelForImageClassification, models / "oddone")
E = maps(run(model, pixel_values=level_odd).attentions)
assert same(looking.weights(1), E[1], atol=1e-5)
one, two = E[1, :, 0, odd]
assert E[0, :, 0, odd].max() < 0.005
said = [f"with {one:.2f} and {two:.2f}", f"(mean {E[1, 1, 1:, odd].mean():.2f})"]
whole = model(level_odd).logits

def only_the_class_token(module, args, out):
    kept = torch.zeros_like(out[0])
    kept[:, 0] = out[0][:, 0]
    return (kept, *out[1:])

model.vit.layers[1].attention.register_forward_hook(only_the_class_token)
assert same(model(level_odd).logits.detach(), whole.detach())"""),
    Claim("turned-check", "turned-question", """
model = eager(AutoModelForImageClassification, models / "oddone")
found = {}
for kind, common, rare in (("level", upright, upright.T), ("upright", upright.T, upright)):
    images = torch.cat([picture(i // 6, i % 6, common, rare) for i in range(36)])
    E = [layer.numpy() for layer in run(model, pixel_values=images).attentions]
    found[kind] = [np.mean([layer[i, :, 0, 1 + i].max() for i in range(36)]) for layer in E]
said = [f"upright odd patch {found['upright'][0]:.2f} of its attention",
        f"a level odd patch {found['level'][0]:.2f}", f"layer 1 ({found['level'][1]:.2f})"]"""),
    Claim("rollout-check", "rollout-question", """
model = eager(AutoModelForImageClassification, models / "oddone")
nothing = run(model, pixel_values=picture(0, 0, upright.T, upright.T))
chances = nothing.logits.softmax(-1)[0]
said = [f'"{model.config.id2label[int(chances.argmax())]}"', f"sure of it ({chances.max():.2f})",
        f"looks at itself ({maps(nothing.attentions)[0, 0, 0, 0]:.2f})"]
images = torch.cat([picture(i // 6, i % 6, upright.T, upright) for i in range(36)])
first = run(model, pixel_values=images).attentions[0].numpy()
at = np.array([first[i, :, 0, 1 + i].max() for i in range(36)]).reshape(6, 6)
assert at[3:, 3:].max() < 0.6
at[3:, 3:] = 1
assert at.min() > 0.9"""),
]  # fmt: skip

BERTVIZ = [
    Claim("recipe", "recipe-text", """
assert len(outputs[-1]) == 0 and len(outputs.attentions) == 6
assert outputs[-1] is outputs.cross_attentions"""),
    Claim("late", "recipe-more", """
assert model.config._attn_implementation == "sdpa" and len(late.attentions) == 0
assert eager_model.config._attn_implementation == "eager"
said = ["`eager`"]"""),
    Claim("late", "recipe-else", """
assert not hasattr(tokenizer, "encode_plus")
assert not hasattr(tokenizer, "as_target_tokenizer")
for page in (view(outputs.attentions, tokens, html_action="return")
             for view in (head_view, model_view)):
    for library in ("require", "d3", "jquery"):
        assert library in page.data.lower()
    assert "//cdn" in page.data"""),
    Claim("neuron-original", "neuron-text", """
assert "default-src 'none'; script-src 'unsafe-inline';" in page and "<script src" not in page"""),
    Claim("neuron-original", "model-more", """
from bertviz.transformers_neuron_view import modeling_bert
assert "s3.amazonaws" in modeling_bert.BERT_PRETRAINED_MODEL_ARCHIVE_MAP["bert-base-uncased"]"""),
    Claim("pair-widget", "pair-text", "assert pair.tokens[start - 1] == '[SEP]' and start == 6"),
    Claim("outputs-widget", "own-text", """
assert same(given.weights(3), outputs.attentions[3][0].detach(), atol=1e-6)"""),
    Claim("original", "original-text", """
for page in (head_page, model_page):
    assert "default-src 'none'; script-src 'unsafe-inline';" in page
    assert "<script src" not in page"""),
]  # fmt: skip

CLAIMS = {"real_models": REAL, "from_bertviz": BERTVIZ}
