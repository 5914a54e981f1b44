/** Pages and an authority over a network that loses, delays, doubles and reorders messages. */
import { describe, expect, it } from "vitest";
import { createSync } from "../../js/state/sync";
import type { Down, Transport, Up } from "../../js/wire/transport";

interface State {
  revision: number;
  cells: Readonly<Record<string, number>>;
}
interface Command {
  cell: string;
  value: number;
  replaces?: string;
}
const reduce = (state: State, { cell, value }: Command): State => ({
  ...state,
  cells: { ...state.cells, [cell]: value },
});
const OPENED: State = { revision: 1, cells: {} };
type Page = ReturnType<typeof open>;

/** Numbers in [0, 1) that are the same for the same seed (mulberry32). */
function random(seed: number) {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Python: it does each command once, refuses the value 9, and tells every page what changed. */
function authority(tell: (down: Down<State>) => void) {
  let now = OPENED;
  const acks: Record<string, number> = {};
  const refused: Record<string, Record<number, string>> = {};
  const say = (before: State, from: number | null) => {
    const after = now;
    tell({
      ...{ from, acks: { ...acks }, refused: structuredClone(refused) },
      // A change has what changed and nothing else: on another state it makes a wrong state.
      apply: (confirmed) => ({
        revision: after.revision,
        cells: {
          ...(from === null ? {} : confirmed.cells),
          ...Object.fromEntries(
            Object.entries(after.cells).filter(
              ([cell, value]) => from === null || before.cells[cell] !== value,
            ),
          ),
        },
      }),
    });
  };
  return {
    get now() {
      return now;
    },
    take({ client, commands }: Up<Command>) {
      const before = now;
      for (const { seq, command } of commands) {
        if (seq <= (acks[client] ?? 0)) continue;
        acks[client] = seq;
        if (command.value === 9) refused[client] = { ...refused[client], [seq]: "nine" };
        else now = reduce(now, command);
      }
      if (now !== before) now = { ...now, revision: before.revision + 1 };
      say(before, before.revision);
    },
    whole: () => say(now, null),
  };
}

function open(client: string, up: (message: Up<Command> | "resync") => void) {
  let hear: (down: Down<State>) => boolean = () => false;
  const transport: Transport<State, Command> = {
    push: up,
    resync: () => up("resync"),
    onState(listener) {
      hear = listener;
      return () => {};
    },
  };
  const sync = createSync(transport, reduce, OPENED, client);
  return { sync, hear: (down: Down<State>) => hear(down) };
}

function run(seed: number, hear = (page: Page, down: Down<State>) => page.hear(down)) {
  const dice = random(seed);
  const below = (n: number) => Math.floor(dice() * n);
  let isBad = true;
  const wires: (() => void)[] = [];
  /** Put a message on its way: lost, doubled or once. */
  const send = (deliver: () => void) => {
    const times = isBad ? [0, 1, 1, 1, 2][below(5)] : 1;
    for (let i = 0; i < times; i++) wires.push(deliver);
  };
  const pages: Page[] = [];
  const python = authority((down) => {
    for (const page of pages) send(() => void hear(page, down));
  });
  for (const client of ["a", "b"]) {
    const up = (message: Up<Command> | "resync") =>
      send(() => (message === "resync" ? python.whole() : python.take(message)));
    pages.push(open(client, up));
  }
  /** Deliver a message, now and then one that has been overtaken. */
  const deliver = () => wires.splice(isBad && dice() < 0.3 ? below(wires.length) : 0, 1)[0]?.();
  for (let step = 0; step < 60; step++) {
    if (dice() < 0.4) {
      const cell = "uvwxyz"[below(6)];
      const command: Command = { cell, value: below(10) };
      // The newest value of these is what counts.
      pages[below(2)].sync.do(cell < "w" ? { ...command, replaces: cell } : command);
    } else deliver();
  }
  // The network recovers: what is on its way arrives, and both pages send once more.
  isBad = false;
  while (wires.length) deliver();
  for (const [i, { sync }] of pages.entries()) {
    sync.do({ cell: `last ${i}`, value: i });
    while (wires.length) deliver();
  }
  return { python, pages };
}

/** Cells as a text, in the order of their names. */
const keyOf = (cells: object) => JSON.stringify(Object.entries(cells).sort());

describe("two pages and Python", () => {
  it("are equal after the last answer, whatever the network did", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const { python, pages } = run(seed);
      for (const { sync } of pages) {
        expect(sync.pending, `seed ${seed}`).toEqual([]);
        expect(sync.state, `seed ${seed}`).toEqual(python.now);
      }
    }
  });

  it("are not equal without the look at `from`: the network does harm", () => {
    const taken = (page: Page, down: Down<State>) =>
      page.hear({ ...down, from: down.from === null ? null : page.sync.confirmed.revision });
    const states = Array.from({ length: 40 }, (_, seed) => run(seed, taken));
    const differ = ({ python, pages }: ReturnType<typeof run>) =>
      pages.some(({ sync }) => keyOf(sync.state.cells) !== keyOf(python.now.cells));
    expect(states.some(differ)).toBe(true);
  });
});

describe("a page", () => {
  const sent: (Up<Command> | "resync")[] = [];
  function opened() {
    sent.length = 0;
    return open("a", (message) => sent.push(message));
  }
  const down = (more: Partial<Down<State>>): Down<State> => ({
    ...{ from: 1, acks: {}, refused: {} },
    apply: (state) => ({ ...state, revision: state.revision + 1 }),
    ...more,
  });

  it("shows a command at once, on top of another page's until it is answered", () => {
    const { sync, hear } = opened();
    sync.do({ cell: "x", value: 1 });
    expect(sync.state.cells).toEqual({ x: 1 });
    hear(down({ apply: () => ({ revision: 2, cells: { x: 5, y: 6 } }) }));
    expect(sync.state.cells).toEqual({ x: 1, y: 6 });
    expect(sync.confirmed.cells).toEqual({ x: 5, y: 6 });
    hear(down({ from: 2, acks: { a: 1 } }));
    expect([sync.state.cells, sync.pending]).toEqual([{ x: 5, y: 6 }, []]);
  });

  it("shows what was there where a command is refused, and says why until the next", () => {
    const { sync, hear } = opened();
    sync.do({ cell: "x", value: 9 });
    hear(down({ acks: { a: 1, b: 1 }, refused: { a: { 1: "nine" }, b: { 1: "other" } } }));
    const refused = { command: { cell: "x", value: 9 }, words: "nine" };
    expect([sync.state.cells, sync.refused]).toEqual([{}, refused]);
    hear(down({ from: 2, acks: { a: 1 } }));
    expect(sync.refused).toEqual(refused);
    sync.do({ cell: "x", value: 2 });
    expect(sync.refused).toBeNull();
  });

  it("sends all that has no answer, and of what is replaced the newest alone", () => {
    const { sync } = opened();
    sync.do({ cell: "x", value: 1, replaces: "x" });
    sync.do({ cell: "y", value: 2 });
    sync.do({ cell: "x", value: 3, replaces: "x" });
    expect(sent.at(-1)).toMatchObject({ client: "a", commands: [{ seq: 2 }, { seq: 3 }] });
    expect(sync.state.cells).toEqual({ x: 3, y: 2 });
  });

  it("asks once for each message that shows that another was missed", () => {
    const { hear, sync } = opened();
    const missed = down({ from: 4 });
    expect([hear(missed), hear(missed)]).toEqual([false, false]);
    expect(sent).toEqual(["resync"]);
    hear(down({ from: null, apply: () => ({ revision: 5, cells: { z: 1 } }) }));
    hear(down({ from: 1, apply: () => ({ revision: 2, cells: {} }) })); // late
    expect([sync.state, sent]).toEqual([{ revision: 5, cells: { z: 1 } }, ["resync"]]);
  });
});
