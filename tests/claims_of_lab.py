"""What the lab and the teacher's guide say, computed without attnwidget where possible."""

from __future__ import annotations

from notebook_runs import Claim

PRELUDE = """
import json

import numpy as np

same = np.allclose

def labs(seed=0, draw="rand"):
    X = np.random.RandomState(seed).rand(6, 4)
    generator = np.random.RandomState(seed)
    Q, K, V = (X @ getattr(generator, draw)(4, 4) for _ in range(3))
    s = Q @ K.T / 2
    a = np.exp(s) / np.exp(s).sum(axis=1, keepdims=True)
    return s, a, V, a @ V
"""
LAB = [
    Claim("embeddings", "embeddings-question", "said = [str(X[1])]"),
    Claim("projections", "projections-question", "assert same(X[1] @ W_q, Q[1])"),
    Claim("scores", "scores-question", """
s, *_ = labs()
said = [f"{s[1, 5]:.3f} and {s[5, 1]:.3f}"]"""),
    Claim("softmax", "softmax-question", """
said = [f"above about {int(np.log(np.finfo(float).max))}"]
assert (softmax(1000 * scores).max(axis=1) == 1).all()
with np.errstate(all="ignore"):
    e = np.exp(1000 * scores)
    assert np.isnan(e / e.sum(axis=1, keepdims=True)).all()"""),
    Claim("heatmap-widget", "heatmap-question", """
_, a, *_ = labs()
assert (a.argmax(axis=1) == 5).all() and np.linalg.norm(w.K, axis=1).argmax() == 5
winner = set(labs(3)[1].argmax(axis=1))
assert len(winner) == 1 and same(AttentionWidget(sentence, seed=3).attention, labs(3)[1])
said = [f"{a[:, 5].min():.2f} to {a[:, 5].max():.2f} in every row",
        f'With `seed=3` the winner is "{tokens[winner.pop()]}"']"""),
    Claim("starter-widget", "starter-question", """
assert not first_try.ok and first_try.also == ()
assert same(first_try.got.sum(axis=0), 1) and not same(first_try.got.sum(axis=1), 1)
assert checked.report.name == first_try.mistake
said = [f"**{first_try.mistake}**"]"""),
    Claim("solution", "solution-question", """
def a(Q, K):
    return softmax(Q @ K.T)
def b(Q, K):
    s = Q @ K.T / np.sqrt(K.shape[1])
    e = np.exp(s - s.max(axis=1, keepdims=True))
    return e / e.sum(axis=1)
def c(Q, K):
    e = np.exp(Q @ K.T / np.sqrt(K.shape[1]))
    return e / e.sum(axis=1, keepdims=True)
found = {f.__name__: AttentionWidget(sentence).check(f) for f in (a, b, c)}
assert [same(f(w.Q, w.K), attention) for f in (a, b, c)] == [False, False, True]
assert result.ok and result.mistake is None
assert checked.report.name == 'wrong-axis'  # the card above still shows the first try
names = [f"({k}) is **{r.mistake}**" for k, r in found.items()]
said = [", ".join(names[:2]), names[2]]"""),
    Claim("sizes-widget", "sizes-question", """
before = sizes.attention
for name, value in [("d_v", 5), ("d_k", 7), ("d_model", 3)]:
    setattr(sizes, name, value)
    assert sizes.attention.shape == (6, 6)
    assert same(sizes.attention, before) == (name == "d_v")"""),
    Claim("growing", "growing-question", """
s, a, *_ = labs()
e = np.exp(s[0])
small, large = e[:3] / e[:3].sum(), e[:3] / e.sum()
assert same(before, small) and same(after[:3], large) and same(large / small, (large / small)[0])
said = [", ".join(f"{x:.3f}" for x in row) for row in (small, large)]
said.append(f"the same {(large / small)[0]:.3f}")"""),
    Claim("growing", "labels-question", """
before = [short.embeddings, short.W_q, short.attention, short.output]
short.tokens = "A dog lay on his rug"
assert short.tokens[1] == "dog"
assert all(map(same, before, [short.embeddings, short.W_q, short.attention, short.output]))"""),
    Claim("heads-widget", "heads-question", """
best = [several.tokens[h[1].argmax()] for h in several.attention]
assert several.W_q.size == 64 and several.W_q.shape == (4, 8, 2)
said = [", ".join(f'"{word}"' for word in best)]"""),
    Claim("scale-widget", "scale-question", """
Q64, K64 = np.random.default_rng(0).normal(size=(2, 6, 64))
tops = [softmax(Q64 @ K64.T / by).max(axis=1) for by in (8, 1)]
assert same(tops[0], wide.attention.max(axis=1)) and tops[0].max() < 0.85
wide.scale = 1
assert same(tops[1], wide.attention.max(axis=1))
count = {4: "Four"}[int((tops[1] >= 0.85).sum())]
said = [f"{count} rows", f"was {tops[0].max():.2f}", "8 times as large"]"""),
    Claim("temperature", "temperature-question", """
first = warm.attention
warm.temperature = 0
assert same(warm.attention, np.eye(6)[[5] * 6]) and tokens[5] == "mat"
warm.temperature = 1e6
assert same(warm.attention, 1 / 6)
warm.scale, warm.temperature = 1, 2
assert same(warm.attention, first)"""),
    Claim("seeds", "weights-question", """
counts = [sum(len(set(labs(s, draw)[1].argmax(axis=1))) == 1 for s in range(100))
          for draw in ("rand", "randn")]
assert same(AttentionWidget(sentence, init="normal", seed=9).attention, labs(9, "randn")[1])
assert labs()[0].min() > 0 > labs(0, "randn")[0].min()
old, new = dice.seed, dice.randomise()
assert old != new == dice.seed and same(dice.attention, labs(new)[1])
said = [f"for {counts[0]} of the first 100 seeds", f"only {counts[1]} of 100"]"""),
    Claim("identity", "identity-question", "assert same(plain.Q, X) and same(plain.V, X)"),
    Claim("hand-widget", "hand-question", """
for name, follow in [("W_v", {"V", "output"}), ("W_k", {"K", "scores", "attention", "output"})]:
    names = ["Q", "K", "V", "scores", "attention", "output"]
    was = {n: getattr(hand, n) for n in names}
    number = getattr(hand, name).copy()
    number[0, 0] += 1
    setattr(hand, name, number)
    assert {n for n in names if not same(was[n], getattr(hand, n))} == follow
    assert list(hand.overridden) == [name]
    assert hand.reset() and not hand.overridden
    assert all(same(was[n], getattr(hand, n)) for n in names)"""),
    Claim("design-widget", "design-question", """
assert same(previous.attention[0], 1 / 6) and np.diag(previous.attention, -1).min() > 0.9
following = AttentionWidget(
    sentence, embeddings=np.eye(6), W_q=10 * np.eye(6, k=1), W_k=np.eye(6), W_v=np.eye(6))
assert np.diag(following.attention, 1).min() > 0.9 and same(following.attention[5], 1 / 6)"""),
    Claim("order", "order-question", """
there, back = (card.attention for card in with_places)
said = [f"{dog_first.attention[0, 2]:.3f} in both", f"the first \\"dog\\" gives {there[0, 2]:.2f}",
        f'the last "dog" {back[2, 0]:.2f}', f"with {back[2, 2]:.2f}"]
for kind, blind in [("sinusoidal", False), ("rotary", False), ("alibi", True)]:
    dog_first.positional = man_first.positional = kind
    assert same(dog_first.output[0], man_first.output[2]) == blind"""),
    Claim("click-widget", "click-question", """
_, a, *_ = labs()
share = a[1, 5]
one = AttentionWidget(sentence)
one.toggle(1, 5)
assert same(one.attention[1, :5] / a[1, :5], 1 / (1 - share))
said = [f"1 − {share:.3f} = {1 - share:.3f}", f"factor {1 / (1 - share):.2f}"]"""),
    Claim("causal-widget", "causal-question", """
assert same(causal.attention[0], np.eye(6)[0]) and same(causal.attention[5], w.attention[5])"""),
    Claim("padding-widget", "padding-question", """
blind = AttentionWidget(sentence, mask=ignore_last)
for key in range(5):
    blind.toggle(1, key)
assert not blind.attention[1].any() and not blind.output[1].any()"""),
    Claim("window-widget", "window-question", """
window.presets = {"window": 0}
assert same(window.attention, np.eye(6)) and same(window.output, window.V)"""),
    Claim("presets-widget", "presets-question", """
i, j = np.indices((7, 7))
apart, far, later = (i < 3) != (j < 3), abs(i - j) > 1, j > i
def with_hand(mask):
    mask = mask.copy()
    mask[4, 0] = False
    return mask
assert np.array_equal(together.mask, with_hand(apart | later))
together.presets = "block"
assert np.array_equal(together.mask, with_hand(apart))
together.presets = ["block", "window"]
assert np.array_equal(together.mask, with_hand(apart | far))
said = [f"{with_hand(apart).sum()} of 49", f"({apart.sum()} by *block*",
        f"{with_hand(apart | far).sum()} of 49"]"""),
    Claim("effect-widget", "effect-question", """
_, a, V, o = labs()
shift = [a[1, j] / (1 - a[1, j]) * np.linalg.norm(o[1] - V[j]) for j in range(6)]
assert same(effect.output_shift[1], shift)
on, the = tokens.index("on"), 0
assert a[1].argmin() == on and np.argsort(shift)[::-1][2] == on and np.argmin(shift) != on
assert a[1, the] > 2 * a[1, on] and shift[the] < shift[on]
said = [f"{x:.3f}" for x in (a[1, on], shift[on], a[1, the], shift[the])]"""),
    Claim("masked-starter-widget", "masked-starter-question", """
rows = second_try.got.sum(axis=1)
assert rows.argmin() == 0 and not second_try.got[second_try.mask].any()
assert masked.report.name == second_try.mistake and second_try.also == ()
said = [f"**{second_try.mistake}**", f"got {second_try.got[0, 0]:.3f}"]"""),
    Claim("masked-solution", "masked-solution-question", """
def infinite(Q, K, mask):
    return softmax(np.where(mask, -np.inf, Q @ K.T / np.sqrt(K.shape[1])))
assert "every key masked still gets attention" in masked.check(masked_attention_weights).message
assert masked.check(infinite) and "is NaN" in masked.check(infinite).message
everything = np.ones((6, 6), bool)
assert same(masked_attention_weights(Q, K, everything), 1 / 6)
assert result.ok and result.mistake is None"""),
    Claim("bug-mended", "bug-question", """
assert with_plus.ok and not with_minus.ok and bug.report.name == "mask-sign"
assert same(with_minus.got, np.eye(6)[[5] * 6])
said = [f"**{with_minus.mistake}**"]"""),
    Claim("cross-widget", "cross-question", """
cross.key_tokens = "le chat noir dort"
assert cross.attention.shape == (4, 4) and cross.output.shape == (4, 2)
cross.tokens = "the black cat sleeps well"
assert cross.attention.shape == (5, 4) and cross.output.shape == (5, 2)"""),
    Claim("pick-widget", "find-question", """
looked = AttentionWidget.from_model(model, tokenizer, sentence)
back = [np.diag(looked.store.now.source.weights(0)[h], -1).min() for h in range(12)]
assert max(back) > 0.9 and looked.store.now.source.weights(0)[2][0].argmax() == 0
after = np.array([np.diag(head, 1).mean() for head in looked.store.now.source.weights(1)])
said = [f"Head {np.argmax(back)}.", f"Layer 1, head {after.argmax()} mostly"]"""),
    Claim("cls", "cls-question", """
said = [f"{length[1:].mean() / length[0]:.0f} times shorter"]
m.head = 11
lengths = np.linalg.norm(m.V, axis=1)
said.append(f"({m.attention.mean(axis=0)[0]:.2f}, where 1/{len(m.tokens)} would be even)")
assert 0.8 < lengths[0] / lengths[1:].mean() < 1.25"""),
]  # fmt: skip
GUIDE = [
    Claim("step1-widget", "step1", """
assert same(first.attention[0], 1 / 6) and np.diag(first.attention, -1).min() > 0.9"""),
    Claim("step2-widget", "step2", """
names = ["Q", "K", "V", "scores", "attention"]
was = {n: getattr(roles, n) for n in names}
other = roles.embeddings.copy()
other[1] += 1
roles.embeddings = other
moved = {n: ~np.isclose(was[n], getattr(roles, n)) for n in names}
cat = np.arange(6) == 1
for n in "QKV":
    assert np.array_equal(moved[n].all(axis=1), cat) and np.array_equal(moved[n].any(axis=1), cat)
assert np.array_equal(moved["scores"], cat[:, None] | cat) and moved["attention"].all()"""),
    Claim("step3-widget", "step3", """
assert same(root.scores, Q64 @ K64.T / 8)
said = [f"{(Q64 @ K64.T).std():.2f} without, {(Q64 @ K64.T / 8).std():.2f} with"]
root.scale = 1
assert (root.attention.max(axis=1) > 0.75).sum() > 3"""),
    Claim("step4-widget", "step4", """
assert same(shares.scores, shares.scores.T) and not same(shares.attention, shares.attention.T)"""),
    Claim("step5-widget", "step5", """
_, a, V, o = labs()
shift = [a[1, j] / (1 - a[1, j]) * np.linalg.norm(o[1] - V[j]) for j in range(6)]
assert a[1].argmin() == 3 == np.argsort(shift)[::-1][2] and effect.quantity == "output-shift"
said = [f"({a[1, 3]:.3f})", f"({shift[3]:.3f})"]"""),
    Claim("step6-widget", "step6", """
assert cat_moves("none") < 1e-12 and cat_moves("sinusoidal") > 0.1"""),
    Claim("step7-widget", "step7", """
assert same(masks.attention[0], np.eye(10)[0])
for key in range(4):
    masks.toggle(3, key)
assert not masks.attention[3].any()"""),
    Claim("step8-widget", "step8", """
assert bugs.report.name == bugs.mistake == "wrong-axis"
bugs.mistake, bugs.scale = "overflow", 1000
assert np.isnan(bugs.report.got).any()"""),
    Claim("step8-lab-widget", "step8-lab", """
assert lab_result.mistake == "mask-sign" and same(lab_result.got, np.eye(6)[[5] * 6])"""),
    Claim("homework-check", "homework", """
assert [results[n].mistake for n in ("Ada", "Ben", "Cem")] == [
    None, "keepdims", "mask-after-softmax"]
assert results["Cem"].also == ("no-scale",) and results["Ada"] and not results["Ben"]"""),
    Claim("traps", "misconceptions", """
with np.errstate(all="ignore"):
    assert np.isnan(((1 - keep) * half(-1e9))[:2]).all() and np.isinf(np.exp(half(12)))"""),
]  # fmt: skip
CLAIMS = {"self_attention_lab": LAB, "teacher_guide": GUIDE}
