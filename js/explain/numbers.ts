/** Format numbers for the screen and for a line of NumPy. */

const minus = (text: string) => text.replaceAll("-", "−");

/** About three significant digits, with the minus sign of typography (U+2212). */
export function number(value: number): string {
  const size = Math.abs(value);
  if (value === 0) return "0";
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  const plain =
    size < 1e-3 || size >= 1e5
      ? value.toExponential(2)
      : value.toFixed(size < 0.1 ? 4 : size < 100 ? 2 : 1);
  return minus(plain);
}

/** A weight with three decimals, like the bars and the cells. */
export function weight(p: number): string {
  return p !== 0 && p < 5e-4 ? number(p) : p.toFixed(3);
}

/** A number in a sum: two decimals, or more if two would round it to 0. */
export function two(value: number): string {
  const size = Math.abs(value);
  return size >= 1e5 || (size < 5e-3 && size > 0) ? number(value) : minus(value.toFixed(2));
}

/** A number after an operator: a negative number is in brackets. */
export function operand(value: number): string {
  const text = two(value);
  return text.startsWith("−") ? `(${text})` : text;
}

/** The shortest decimal number that rounds to this float32, for NumPy. */
export function exact(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? "np.inf" : value < 0 ? "-np.inf" : "np.nan";
  for (let digits = 1; digits <= 9; digits++) {
    const text = Number(value.toPrecision(digits));
    if (Math.fround(text) === Math.fround(value)) return String(text);
  }
  return String(value);
}

export function exactList(values: Iterable<number>): string {
  return `[${Array.from(values, exact).join(", ")}]`;
}

/** The terms of a sum; in a sum of more than 6 terms, a count replaces the middle. */
export function sum(terms: readonly string[]): string {
  if (terms.length <= 6) return terms.join(" + ");
  return [...terms.slice(0, 3), `… ${terms.length - 4} more …`, terms.at(-1)].join(" + ");
}

/** Whether a scale is the usual 1/√d_k. */
export const isDefaultScale = (scale: number, dK: number) =>
  Math.abs(scale * Math.sqrt(dK) - 1) < 1e-6;

/** This many decimals, with the minus sign of typography. */
export const fixed = (value: number, digits: number): string =>
  Number.isFinite(value)
    ? minus((value || 0).toFixed(digits).replace(/^-(?=[0.]+$)/, ""))
    : number(value);

/** A format for the numbers of a column, which all have as many decimals as the largest needs. */
export function columnFormat(values: ArrayLike<number>): (value: number) => string {
  let size = 0;
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i])) size = Math.max(size, Math.abs(values[i]));
  }
  if (size >= 1e5 || (size > 0 && size < 1e-3)) {
    return (value) => (Number.isFinite(value) ? minus(value.toExponential(2)) : number(value));
  }
  const digits = size < 0.1 ? 4 : size < 10 ? 3 : size < 1000 ? 2 : 1;
  return (value) => fixed(value, digits);
}

/** A format for a column of numbers of at least 0: a number that would be written as 0 is "<0.001". */
export function positiveFormat(values: ArrayLike<number>): (value: number) => string {
  const format = columnFormat(values);
  return (value) => {
    const text = format(value);
    return value > 0 && !/[1-9∞]/.test(text) ? `<${text.slice(0, -1)}1` : text;
  };
}

/** A number with its sign in any case; a number that is written as 0 has none. */
export function signed(value: number, format: (value: number) => string): string {
  const text = format(value);
  return value > 0 && /[1-9∞]/.test(text) ? `+${text}` : text;
}

/** A difference in a cell, where 0 is not written. */
export const differenceText = (value: number, digits: number): string =>
  value === 0 ? "" : signed(value, (by) => fixed(by, digits));
