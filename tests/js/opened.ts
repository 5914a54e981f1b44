/** A store on a model that records what is sent, and the state that it shows. */
import { expect } from "vitest";
import { createStore } from "../../js/state/store";
import type { CommandsMessage, Traits } from "../../js/wire/schema";
import { type FakeOptions, fakeModel, outputOf, unending, weightsOf } from "./model";

type Cells = readonly (readonly [number, number])[];

export function opened(more: Partial<Traits> = {}, options: FakeOptions = {}) {
  const fake = fakeModel(more, options);
  const store = createStore(fake.model, unending);
  const mask = (...masked: Cells) =>
    store.paint(
      masked.map(([q, k]) => q * store.nK + k),
      true,
      store.stroke(),
    );
  const client = () => (fake.sent.at(-1)!._commands as CommandsMessage).client;
  return { ...fake, store, mask, client, fake };
}

export type Opened = ReturnType<typeof opened>;

/** The page shows the state in which exactly these cells are masked. */
export function expectMasked({ store }: Opened, masked: Cells) {
  const flat = masked.map(([q, k]) => q * store.nK + k);
  expect([...store.mask].flatMap((hidden, cell) => (hidden ? [cell] : []))).toEqual(flat);
  const weights = weightsOf(masked);
  expectClose(store.attention.data, weights.flat());
  expectClose(store.matrix("output")!.data, outputOf(weights).flat());
}

export function expectClose(values: Iterable<number>, expected: readonly number[]) {
  const got = [...values];
  expect(got.length).toBe(expected.length);
  for (const [i, value] of got.entries()) expect(value).toBeCloseTo(expected[i], 5);
}
