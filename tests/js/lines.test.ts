/** Lines off the wire: the strongest keys of every query, numbered in two bytes or in four. */
import { expect, test } from "vitest";
import { fromMessage } from "../../js/views/lines/data";

const view = (array: Uint16Array | Uint32Array | Float32Array) => new DataView(array.buffer);

// One head, two queries, the three strongest of 70,000 keys.
const WEIGHTS = [65535, 0, 13107, 26214, 39321, 65535];
const MESSAGE = { shape: [1, 2, 3] as [number, number, number], n_k: 70_000, peak: 0.5 };
const rest = view(new Float32Array([0.25, 0.125]));

function read(keys: DataView, more: { key_bytes?: 2 | 4 }) {
  const data = fromMessage({ ...MESSAGE, ...more }, [view(new Uint16Array(WEIGHTS)), rest, keys]);
  return [0, 1].map((query) => {
    const visited: [number, number][] = [];
    data.each(0, query, (key, weight) => visited.push([key, Number(weight.toFixed(6))]));
    return { visited, rest: data.rest(0, query) };
  });
}

test.each<[string, number[], DataView, { key_bytes?: 2 | 4 }]>([
  [
    "four bytes",
    [2, 65536, 69999],
    view(new Uint32Array([2, 65536, 69999, 5, 65537, 69998])),
    { key_bytes: 4 },
  ],
  [
    "two bytes",
    [2, 300, 65535],
    view(new Uint16Array([2, 300, 65535, 5, 65537, 69998])),
    { key_bytes: 2 },
  ],
  [
    "two bytes where nothing is said",
    [2, 300, 65535],
    view(new Uint16Array([2, 300, 65535, 5, 6, 7])),
    {},
  ],
])("keys in %s", (_, keys, buffer, more) => {
  const [first, second] = read(buffer, more);
  expect(first).toEqual({
    visited: [
      [keys[0], 0.5],
      [keys[1], 0],
      [keys[2], 0.1],
    ],
    rest: 0.25,
  });
  expect(second?.visited.map(([, weight]) => weight)).toEqual([0.2, 0.3, 0.5]);
  expect(second?.rest).toBe(0.125);
});
