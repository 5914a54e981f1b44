/** The neuron view: where its headings, numbers and bars are painted. */
import { expect, test } from "vitest";
import { openCard } from "./card";

interface Painted {
  text: string;
  x: number;
  y: number;
}

/** The texts and the rectangles of a card that is 800 px wide, which both canvases paint. */
function painted() {
  const card = openCard({ view: "neuron" });
  const texts: Painted[] = [];
  const bars: number[][] = [];
  const drawing = card.page.drawing as Record<string, (...args: never[]) => void>;
  drawing.fillText = (text: string, x: number, y: number) => texts.push({ text, x, y });
  drawing.fillRect = (...rect: number[]) => bars.push(rect);
  card.$('[role="listbox"]').fire("scroll");
  card.page.frame();
  return { texts, bars, card };
}

test("the headings of the columns stand on one level", () => {
  const { texts } = painted();
  const headings = texts.filter(({ text }) =>
    ["q·k ÷ √1", "softmax = p", "‖v‖", "p·‖v‖"].includes(text),
  );
  expect(headings.length).toBe(4);
  expect(new Set(headings.map(({ y }) => y)).size).toBe(1);
});

test("a bar ends before its number begins", () => {
  const { texts, bars } = painted();
  // The norm of the longest value is 13, and fills its column.
  const { x, y } = texts.find(({ text }) => text === "13.00")!;
  const [left, top, width, height] = bars.find(
    ([at, above, , high]) => at > x - 92 && at < x && above < y && above + high > y,
  ) as number[];
  expect([top < y, y < top + height, width > 30]).toEqual([true, true, true]);
  expect(left + width).toBeLessThanOrEqual(x - "13.00".length * 6);
});

test("the numbers of a column have as many decimals", () => {
  const { texts } = painted();
  // ‖v‖ is 5, 0 and 13; the weights of b are 1, 4 and 9 of 14, and their products are p·‖v‖.
  for (const column of [
    ["5.00", "0.00", "13.00"],
    ["0.071", "0.286", "0.643"],
    ["0.357", "0.000", "8.357"],
  ]) {
    const { x } = texts.find(({ text }) => text === column[2])!;
    const numbers = texts.filter((other) => other.x === x && /\d/.test(other.text));
    expect(numbers.map(({ text }) => text)).toEqual(column);
  }
});

test("vectors of few numbers show them", () => {
  const { texts } = painted();
  // The marked query is b, q = 2; the keys are 0, ln 2 and ln 3, and their products with q.
  for (const number of ["2.00", "0.69", "1.10", "1.39", "2.20"])
    expect(texts.map(({ text }) => text)).toContain(number);
});

test("the arithmetic is that of the marked key, and its title names the pair", () => {
  const { card } = painted();
  expect(card.$(".aw-formula").children[0].textContent).toBe("b → z: the score, and the weight");
});
