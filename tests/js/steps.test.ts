import { describe, expect, it } from "vitest";
import type { Block } from "../../js/draw/matrix/block";
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
});
