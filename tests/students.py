"""Attention functions as students write them: right in many spellings, and wrong by name."""

from __future__ import annotations

import functools
import math

import numpy as np
import scipy.special
import torch


def right(Q, K, mask=None, scale=None):
    """The independent answer: torch, in float64."""
    s = torch.from_numpy(np.array(Q)) @ torch.from_numpy(np.array(K)).T
    s = s / math.sqrt(Q.shape[1]) if scale is None else s * scale
    if mask is not None:
        s = s.masked_fill(torch.from_numpy(np.array(mask)).bool(), -torch.inf)
    return torch.softmax(s, -1).numpy()


def softmax(s, axis=1):
    e = np.exp(s - s.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def scaled(Q, K):
    return Q @ K.T / np.sqrt(Q.shape[1])


# Right functions


def einsum(Q, K, mask=None):
    s = np.einsum("id,jd->ij", Q, K) / math.sqrt(K.shape[-1])
    if mask is not None:
        s = s + mask * -1e9
    e = np.exp(s - np.max(s, axis=-1, keepdims=True))
    return np.einsum("ij,i->ij", e, 1 / e.sum(-1))


def loops(Q, K, mask=None):
    n_q, n_k, d_k = len(Q), len(K), len(Q[0])
    mask = np.broadcast_to(False if mask is None else mask, (n_q, n_k))
    rows = []
    for i in range(n_q):
        s = [sum(Q[i][d] * K[j][d] for d in range(d_k)) / d_k**0.5 for j in range(n_k)]
        keep = [j for j in range(n_k) if not mask[i, j]]
        top = max(s[j] for j in keep)
        e = [math.exp(s[j] - top) if j in keep else 0.0 for j in range(n_k)]
        rows.append([x / sum(e) for x in e])
    return rows


def scipys(Q, K, mask):
    s = scaled(Q, K)
    return scipy.special.softmax(np.where(mask, -np.inf, s), axis=1)


def scipys_lse(Q, K):
    s = scaled(Q, K)
    return np.exp(s - scipy.special.logsumexp(s, axis=1)[:, None])


def torch_float64(Q, K, mask=None):
    s = torch.matmul(Q, K.transpose(-2, -1)) / math.sqrt(Q.size(-1))
    if mask is not None:
        s = s.masked_fill(mask, float("-inf"))
    return torch.softmax(s, dim=-1)


def torch_float32(Q, K, mask=None):
    q, k = torch.tensor(Q).float(), torch.tensor(K).float()
    s = q @ k.T / q.shape[1] ** 0.5
    if mask is not None:
        s = s.masked_fill(torch.as_tensor(mask).bool(), -1e9)
    return torch.nn.functional.softmax(s, dim=1)


def torch_sdpa(query, key, attn_mask=None):
    """The weights out of torch's own attention: V = I."""
    keep = None if attn_mask is None else ~torch.as_tensor(attn_mask).bool()
    q, k = torch.as_tensor(query), torch.as_tensor(key)
    eye = torch.eye(len(k), dtype=q.dtype)
    return torch.nn.functional.scaled_dot_product_attention(q, k, eye, attn_mask=keep)


def torch_numeric(Q, K, mask):
    s = torch.mm(Q, K.t()) * Q.shape[1] ** -0.5
    return (s - 1e9 * (1.0 - (1.0 - mask))).softmax(-1)


def broadcasting(Q, K, mask=None):
    s = scaled(Q, K)
    if mask is not None:
        s = np.where(np.asarray(mask).reshape(-1, K.shape[0]), -np.inf, s)
    return softmax(s)


def masked_array(Q, K, mask=None):
    s = np.ma.array(scaled(Q, K))
    if mask is not None:
        s = np.ma.array(s.data, mask=np.broadcast_to(mask, s.shape))
    e = np.ma.exp(s - s.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def assigned(Q, K, mask=None):
    s = scaled(Q, K)
    if mask is not None:
        s[np.broadcast_to(mask, s.shape).astype(bool)] = -1e30
    return softmax(s), s


def numerators(Q, K, *, mask=None):
    s = scaled(Q, K)
    e = np.exp(s - s.max(1)[:, None])
    e = e if mask is None else e * (1 - mask)
    return e / e.sum(1)[:, None]


def scaled_queries(Q, K, attention_mask=None, dropout=0.0):
    q = Q / np.sqrt(Q.shape[-1])
    s = np.dot(q, K.transpose())
    if attention_mask is not None:
        s -= 1e12 * attention_mask
    s -= np.amax(s, axis=-1).reshape(-1, 1)
    return np.exp(s) / np.sum(np.exp(s), axis=-1, keepdims=True)


def negated(Q, K, mask):
    return softmax(scaled(Q, K) + (-mask) * 1e9)


RIGHT = [
    einsum, loops, scipys, scipys_lse, torch_float64, torch_float32, torch_sdpa, torch_numeric,
    broadcasting, masked_array, assigned, numerators, scaled_queries, negated,
    lambda *arguments: einsum(*arguments), functools.partial(einsum, mask=None),
    lambda *arguments: einsum(arguments[0], arguments[1]),
]  # fmt: skip


# The course lab's own functions, as a student has them


def attention_scores(Q, K):
    d_k = Q.shape[1]
    scores = np.dot(Q, K.T) / np.sqrt(d_k)
    return np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)


def masked_attention_scores(Q, K, mask=None):
    d_k = Q.shape[1]
    scores = np.dot(Q, K.T) / np.sqrt(d_k)
    if mask is not None:
        scores += mask * -1e9
    return np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)


# The mistakes


def with_torch(function):
    return lambda Q, K: function(torch.as_tensor(Q), torch.as_tensor(K))


def loop_axis(Q, K):
    s = scaled(Q, K)
    for j in range(s.shape[1]):
        s[:, j] = np.exp(s[:, j]) / np.exp(s[:, j]).sum()
    return s


def loop_overflow(Q, K):
    rows = []
    for q in Q:
        e = [math.exp(q @ k / math.sqrt(len(q))) for k in K]
        rows.append([x / sum(e) for x in e])
    return rows


def scale_in_place(Q, K):
    Q /= np.sqrt(Q.shape[1])
    return softmax(Q @ K.T)


def key_in_place(Q, K, mask=None):
    K *= Q.shape[1] ** -0.5
    s = Q @ K.T
    return softmax(s if mask is None else s + mask * -1e9)


def mask_in_place(Q, K, mask):
    mask *= -1e9
    return softmax(scaled(Q, K) + mask)


def mask_set_in_place(Q, K, mask):
    mask[mask == 1] = 1
    mask[0] = False
    return softmax(scaled(Q, K))


def torch_in_place(Q, K):
    return torch.softmax(torch.matmul(Q.div_(Q.shape[1] ** 0.5), K.T), -1)


def sets_after(Q, K, mask):
    a = softmax(scaled(Q, K))
    a[np.broadcast_to(mask, a.shape) == 1] = 0
    return a


def sets_low_after(Q, K, mask=None):
    a = softmax(scaled(Q, K))
    return a if mask is None else a + mask * -1e9


def zeroes(Q, K, mask):
    s = scaled(Q, K)
    s[np.broadcast_to(mask, s.shape) == 1] = 0
    return softmax(s)


def keep_loops(Q, K, mask):
    s = scaled(Q, K)
    for i in range(s.shape[0]):
        for j in range(s.shape[1]):
            if not np.broadcast_to(mask, s.shape)[i, j]:
                s[i, j] = -1e9
    return softmax(s)


WRONG = {
    "no-scale": [
        lambda Q, K: softmax(Q @ K.T),
        with_torch(lambda Q, K: (Q @ K.T).softmax(-1)),
        lambda Q, K: softmax(np.einsum("id,jd->ij", Q, K) / K.shape[1]),
        lambda Q, K, mask=None: softmax(Q @ K.T * np.sqrt(Q.shape[1])),
        lambda Q, K: softmax(Q @ K.T / np.sqrt(K.shape[0])),
        lambda Q, K: softmax(Q @ K.T / np.sqrt(len(Q))),
        lambda Q, K: softmax(Q @ K.T / 2),
        lambda Q, K: softmax(Q @ K.T / np.sqrt(512)),
        lambda Q, K, mask: softmax(Q @ K.T / 3 + mask * -1e9),
        lambda Q, K: softmax(Q @ K.T / np.log(1 + Q.shape[1])),
    ],
    "overflow": [
        loop_overflow,
        with_torch(
            lambda Q, K: (e := torch.exp(Q @ K.T / Q.shape[1] ** 0.5)) / e.sum(1, keepdim=True)
        ),
        lambda Q, K: (np.exp(scaled(Q, K)).T / np.exp(scaled(Q, K)).sum(axis=1)).T,
        lambda Q, K, mask: (e := np.exp(scaled(Q, K)) * (1 - mask)) / e.sum(axis=1)[:, None],
        lambda Q, K: (e := np.exp(scaled(Q, K) - scaled(Q, K).max())) / e.sum(1, keepdims=True),
        lambda Q, K: np.nan_to_num((e := np.exp(scaled(Q, K))) / e.sum(1, keepdims=True)),
        lambda Q, K: softmax(np.clip(scaled(Q, K), -50, 50)),
    ],
    "wrong-axis": [
        lambda Q, K: softmax(scaled(Q, K), axis=0),
        with_torch(lambda Q, K: torch.softmax(Q @ K.T / Q.shape[1] ** 0.5, dim=0)),
        loop_axis,
        lambda Q, K: np.exp(scaled(Q, K)) / np.exp(scaled(Q, K)).sum(axis=0),
        lambda Q, K: scipy.special.softmax(scaled(Q, K)),
        lambda Q, K: np.exp(scaled(Q, K)) / np.sum(np.exp(scaled(Q, K))),
        lambda Q, K, mask: softmax(scaled(Q, K) + mask * -1e9, axis=0),
    ],
    "keepdims": [
        lambda Q, K: np.exp(scaled(Q, K)) / np.exp(scaled(Q, K)).sum(axis=1),
        with_torch(
            lambda Q, K: (e := torch.exp(Q @ K.T / Q.shape[1] ** 0.5)) / e.sum(dim=-1)
        ),
        lambda Q, K: (e := np.exp((s := scaled(Q, K)) - s.max(1, keepdims=True))) / np.sum(e, 1),
        lambda Q, K: (e := np.exp((s := scaled(Q, K)) - s.max(1))) / e.sum(1, keepdims=True),
        lambda Q, K: (e := np.exp((s := scaled(Q, K)) - s.max(1))) / e.sum(1),
    ],
    "mask-sign": [
        lambda Q, K, mask: softmax(scaled(Q, K) + mask * 1e9),
        lambda Q, K, mask=None: softmax(scaled(Q, K) - (0 if mask is None else mask * -1e9)),
        lambda Q, K, mask: softmax(np.where(mask, scaled(Q, K), -np.inf)),
        lambda Q, K, mask: softmax(scaled(Q, K) + (1 - mask) * -1e9),
        lambda Q, K, mask: softmax(np.where(mask == 0, -1e9, scaled(Q, K))),
        lambda Q, K, mask=None: torch.softmax(
            torch.matmul(Q, K.T) / Q.shape[1] ** 0.5
            if mask is None
            else (torch.matmul(Q, K.T) / Q.shape[1] ** 0.5).masked_fill(mask == 0, -torch.inf),
            -1,
        ),
        lambda Q, K, mask: (e := np.exp(scaled(Q, K) + mask * 1e9)) / e.sum(1, keepdims=True),
        lambda Q, K, mask=None: softmax(
            scaled(Q, K) if mask is None else np.where(mask, np.inf, scaled(Q, K))
        ),
        keep_loops,
    ],
    "mask-after-softmax": [
        lambda Q, K, mask: softmax(scaled(Q, K)) * (1 - mask),
        lambda Q, K, mask=None: np.where(False if mask is None else mask, 0, softmax(scaled(Q, K))),
        sets_after,
        sets_low_after,
        lambda Q, K, mask: softmax(scaled(Q, K)) * mask,
        lambda Q, K, mask: torch.softmax(Q @ K.T / Q.shape[1] ** 0.5, 1).masked_fill(mask, 0),
    ],
    "mask-multiplied": [
        lambda Q, K, mask: softmax(scaled(Q, K) * (1 - mask)),
        lambda Q, K, mask=None: softmax(scaled(Q, K) * (1 if mask is None else mask == 0)),
        zeroes,
        lambda Q, K, mask: softmax(scaled(Q, K) * mask),
        lambda Q, K, mask: (e := np.exp((Q @ K.T) * (1 - mask) / Q.shape[1] ** 0.5))
        / e.sum(1, keepdims=True),
    ],
    "not-transposed": [
        lambda Q, K: softmax(Q @ K / np.sqrt(Q.shape[1])),
        lambda Q, K: softmax(np.dot(Q, K.reshape(K.shape[1], K.shape[0])) / np.sqrt(Q.shape[1])),
        lambda Q, K: softmax(K @ Q.T / np.sqrt(Q.shape[1])),
        lambda Q, K: softmax(Q.T @ K / np.sqrt(Q.shape[1])),
        lambda Q, K: softmax(scaled(Q, K)).T,
        with_torch(lambda Q, K: torch.softmax(Q @ K / Q.shape[1] ** 0.5, -1)),
        with_torch(lambda Q, K: torch.softmax(Q @ K.view(K.shape[1], -1) / Q.shape[1] ** 0.5, -1)),
        lambda Q, K, mask=None: attention_scores(K, Q),
    ],
    "in-place": [
        scale_in_place, key_in_place, mask_in_place, torch_in_place,
    ],
}  # fmt: skip
