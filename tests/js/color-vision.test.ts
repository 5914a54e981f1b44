/**
 * The colour maps for readers with a colour-vision deficiency. The simulation is that of Machado, Oliveira and
 * Fernandes (2009), "A physiologically-based model for simulation of color vision deficiency", IEEE TVCG 15(6),
 * table 1 at full severity, on linear RGB. Lightness and distance are those of CIELAB (D65).
 */
import { expect, it } from "vitest";
import { type Lut, lut, signedLut } from "../../js/draw/color";

const SIMULATIONS: Record<string, readonly (readonly number[])[]> = {
  normal: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

type Three = [number, number, number];

const times = (matrix: readonly (readonly number[])[], [a, b, c]: Three): Three =>
  matrix.map((row) => row[0]! * a + row[1]! * b + row[2]! * c) as Three;

/** Each colour of a table as a reader sees it: L*, a*, b*. */
function seen(table: Lut, kind: string): Three[] {
  const linear = (c: number) => {
    const s = c / 255;
    return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
  };
  const f = (t: number) => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);
  return Array.from({ length: table.length / 3 }, (_, i) => {
    const rgb = Array.from(table.subarray(i * 3, i * 3 + 3), linear) as Three;
    const clipped = times(SIMULATIONS[kind]!, rgb).map((c) => Math.min(1, Math.max(0, c))) as Three;
    const [x, y, z] = times(
      [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.072175],
        [0.0193339, 0.119192, 0.9503041],
      ],
      clipped,
    );
    const [fx, fy, fz] = [f(x / 0.95047), f(y), f(z / 1.08883)];
    return [116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)];
  });
}

const distance = (a: Three, b: Three) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
const KINDS = Object.keys(SIMULATIONS);
const each = (names: readonly string[]) =>
  names.flatMap((name) => KINDS.map((kind) => [name, kind]));

// A larger weight is never darker than a smaller weight: a step back of 0.5 is below what an eye sees (2.3).
it.each(each(["viridis", "cividis", "plasma", "magma", "inferno", "greys", "blues"]))(
  "%s orders the weights by lightness, for a reader with %s vision",
  (name, kind) => {
    const colors = seen(lut(name!), kind!).map(([lightness]) => lightness);
    const sign = Math.sign(colors.at(-1)! - colors[0]!);
    let best = colors[0]! * sign;
    for (const lightness of colors) {
      expect(lightness * sign).toBeGreaterThan(best - 0.5);
      best = Math.max(best, lightness * sign);
    }
    expect(Math.abs(colors.at(-1)! - colors[0]!)).toBeGreaterThan(50);
  },
);

// The sign is told from a quarter of the largest difference on, and each arm leads away from the middle.
it.each(each(["light", "dark"]))(
  "the %s colours of a difference tell the sign and the size, for a reader with %s vision",
  (theme, kind) => {
    const colors = seen(signedLut(theme === "dark"), kind!);
    const at = (share: number) => colors[Math.round(255 * (0.5 + share / 2))]!;
    for (const share of [0.25, 0.5, 0.75, 1]) {
      expect(distance(at(share), at(-share)), `sign at ${share}`).toBeGreaterThan(10);
      for (const sign of [1, -1]) {
        expect(distance(at(sign * share), at(0)), `size ${sign * share}`).toBeGreaterThan(10);
      }
    }
    for (const sign of [1, -1]) {
      const lightness = [0, 0.25, 0.5, 0.75, 1].map((share) => at(sign * share)[0]);
      const ordered = [...lightness].sort((a, b) => (theme === "dark" ? a - b : b - a));
      expect(lightness).toEqual(ordered);
    }
  },
);
