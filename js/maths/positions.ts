/** Position encodings, as Python's `positional` has them. */

/** The angle of a pair of columns at a position: position / 10000^(2i/d), for columns 2i and 2i+1. */
export function angle(position: number, column: number, d: number): number {
  return position / 10000 ** ((column - (column % 2)) / d);
}

/** What is added to one number of the embeddings (Vaswani et al. 2017, section 3.5). */
export function sinusoidal(position: number, column: number, d: number): number {
  const theta = angle(position, column, d);
  return column % 2 === 0 ? Math.sin(theta) : Math.cos(theta);
}
