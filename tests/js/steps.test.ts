import { describe, expect, it } from "vitest";
import type { Block } from "../../js/draw/matrix/block";
import { everySlot, fewSlots, passGap } from "../../js/draw/matrix/slots";
import { shiftsInto } from "../../js/ui/float";
import type { Chart, Sizes } from "../../js/views/steps/flow";
import { layout } from "../../js/views/steps/layout";

const sizes = (n: number, d: number, more: Partial<Sizes> = {}): Sizes => ({
  nQ: n,
  nK: n,
  dModel: d,
  dK: d,
  dV: d,
  inputs: true,
  cross: false,
  ...more,
});
/** The same with the first and the last of long axes, as a card shows it. */
const few = (n: number, d: number, more: Partial<Sizes> = {}): Sizes => {
  const s = sizes(n, d, more);
  const slots = {
    queries: fewSlots(s.nQ, 9),
    keys: fewSlots(s.nK, null),
    dModel: fewSlots(d, null),
    dK: fewSlots(d, null),
    dV: fewSlots(d, null),
  };
  return { ...s, slots };
};
const labels = { queries: 34, keys: 34 };

const touch = (a: Block, b: Block) =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

/** Points along a path of M, H, V, C and Q, close enough to see what it crosses. */
function points(d: string): [number, number][] {
  const found: [number, number][] = [];
  let [x, y] = [0, 0];
  for (const [, command, rest] of d.matchAll(/([MHVCQ])([^MHVCQ]*)/g)) {
    const n = (rest ?? "")
      .trim()
      .split(/[\s,]+/)
      .map(Number);
    const to: [number, number] =
      command === "H" ? [n[0], y] : command === "V" ? [x, n[0]] : [n.at(-2)!, n.at(-1)!];
    if (command !== "M") {
      const via =
        command === "C" ? n : command === "Q" ? [...n.slice(0, 2), ...n.slice(0, 2), ...to] : null;
      for (let t = 0; t <= 1; t += 0.02) {
        const u = 1 - t;
        const bezier = (i: number, from: number, end: number) =>
          via
            ? u ** 3 * from + 3 * u * u * t * via[i] + 3 * u * t * t * via[i + 2] + t ** 3 * end
            : u * from + t * end;
        found.push([bezier(0, x, to[0]), bezier(1, y, to[1])]);
      }
    }
    [x, y] = to;
  }
  return found;
}

function check(chart: Chart, width: number) {
  for (const [i, a] of chart.blocks.entries()) {
    expect(a.x).toBeGreaterThanOrEqual(0);
    expect(a.y).toBeGreaterThanOrEqual(0);
    expect(a.x + a.width).toBeLessThanOrEqual(width + 0.5);
    expect(a.y + a.height).toBeLessThanOrEqual(chart.height + 0.5);
    expect(a.cw).toBeGreaterThan(0);
    for (const b of chart.blocks.slice(i + 1))
      expect([a.name, b.name, touch(a, b)]).toEqual([a.name, b.name, false]);
  }
  for (const { d } of chart.arrows) {
    for (const [x, y] of points(d)) {
      const hit = chart.blocks.find(
        (b) => x > b.x + 1 && x < b.x + b.width - 1 && y > b.y + 1 && y < b.y + b.height - 1,
      );
      expect([d, hit?.name]).toEqual([d, undefined]);
    }
  }
}

describe("the flow", () => {
  const widths = [366, 400, 560, 700, 780, 900, 1088, 1400];
  const cases = [
    sizes(3, 4),
    sizes(6, 4),
    sizes(12, 4),
    sizes(1, 1),
    sizes(64, 64),
    sizes(6, 4, { dK: 3, dV: 7 }),
    sizes(5, 4, { nK: 3, cross: true }),
    sizes(3, 4, { nK: 9, cross: true, dV: 1 }),
    sizes(6, 32, { inputs: false }),
    sizes(2, 256),
    few(24, 64),
    few(24, 64, { inputs: false }),
    few(64, 8, { nK: 30, cross: true }),
  ];
  for (const width of widths) {
    it.each(cases)(
      `fits ${width} px without overlaps, nor arrows over matrices: $nQ × $nK, $dModel`,
      (s) => {
        check(layout(width, s, labels), width);
      },
    );
  }

  it("shows two decimals of six tokens wide and narrow", () => {
    for (const width of [366, 1088]) {
      const { blocks } = layout(width, sizes(6, 4), labels);
      for (const block of blocks) expect(block.cw).toBeGreaterThanOrEqual(28);
    }
  });

  it("shows two decimals of 24 tokens and d_k = 64 wide and narrow, because the middle is left out", () => {
    for (const width of [326, 1088]) {
      for (const { name, cw } of layout(width, few(24, 64), labels).blocks)
        expect([name, cw >= 23]).toEqual([name, true]);
    }
  });

  it("is not higher than a limit where every row of a long matrix is drawn", () => {
    const { blocks } = layout(326, sizes(400, 4), labels);
    for (const { name, height, top } of blocks)
      expect([name, height - top <= 321]).toEqual([name, true]);
  });

  it("joins what stands below each other on a narrow card by short arrows", () => {
    const { blocks, arrows } = layout(326, sizes(12, 12), labels);
    const joined = arrows.map(({ d }) => {
      const path = points(d);
      const [x, y] = path.at(-1)!;
      const [, top] = path[0]!;
      const next = blocks.find((b) => b.y > y - 1 && b.y - y < 8 && b.x <= x && x <= b.x + b.width);
      return [next?.name, y - top < 40];
    });
    for (const name of ["W_q", "Q", "K", "V", "mask", "attention", "output"])
      expect(joined).toContainEqual([name, true]);
  });

  it("leaves room for the panel beside V on a wide card", () => {
    const { blocks, free } = layout(1088, sizes(6, 4), labels);
    for (const b of blocks) {
      const isClear = b.x + b.width < free!.x || b.y + b.height < free!.y;
      expect([b.name, isClear]).toEqual([b.name, true]);
    }
    expect(free!.width).toBeGreaterThan(340);
  });
});

describe("the rows that are drawn", () => {
  it("are all of 12, and of 13 the first four and the last two", () => {
    expect(fewSlots(12, null).indices).toEqual(everySlot(12).indices);
    expect(fewSlots(13, null).indices).toEqual([0, 1, 2, 3, null, 11, 12]);
  });

  it("include a kept one, and one that a gap would replace alone", () => {
    expect(fewSlots(20, 9).indices).toEqual([0, 1, 2, 3, null, 9, null, 18, 19]);
    expect(fewSlots(20, 5).indices).toEqual([0, 1, 2, 3, 4, 5, null, 18, 19]);
    expect(fewSlots(20, 17).indices).toEqual([0, 1, 2, 3, null, 17, 18, 19]);
  });

  it("give an index that is left out the place of its gap", () => {
    const { placeOf } = fewSlots(20, 9);
    expect([0, 3, 4, 8, 9, 10, 17, 18, 19].map(placeOf)).toEqual([0, 3, 4, 4, 5, 6, 6, 7, 8]);
  });

  it("are passed by an arrow key without a stop at the gap", () => {
    const slots = fewSlots(20, null);
    expect([passGap(slots, 3, 4), passGap(slots, 5, 4), passGap(slots, 5, 6)]).toEqual([18, 3, 19]);
  });
});

describe("the panel", () => {
  const view = { top: 100, bottom: 600 };
  const card = { left: 0, right: 1000, top: 0, bottom: 900 };
  const box = (left: number, top: number, width = 400, height = 100) => ({
    ...{ left, top, right: left + width, bottom: top + height },
  });
  const shifts = (home: ReturnType<typeof box>, ...others: ReturnType<typeof box>[]) =>
    shiftsInto(view, home, others, card);

  it("stays at its place where that is in sight", () => {
    expect(shifts(box(500, 300), box(500, 300))).toEqual([[0, 0]]);
  });
  it("moves to the near edge, or to the other edge if a matrix stands there", () => {
    expect(shifts(box(0, 700))).toEqual([
      [0, -208],
      [0, -592],
    ]);
    expect(shifts(box(0, 20))).toEqual([
      [0, 88],
      [0, 472],
    ]);
    expect(shifts(box(0, 700), box(0, 500))).toEqual([[0, -592]]);
  });
  it("moves to the left of a matrix that is as high as the view, and else nowhere", () => {
    expect(shifts(box(500, 700), box(600, 100, 300, 500))).toEqual([
      [-308, -208],
      [-308, -592],
    ]);
    expect(shifts(box(0, 700), box(100, 100, 300, 500))).toEqual([]);
  });
});
