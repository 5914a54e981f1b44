/** Position encodings, computed as in Python's `positional`. */

/** Return the angle of the columns 2i and 2i+1 at a position: position / 10000^(2i/d). */
export function angle(position: number, column: number, d: number): number {
  return position / 10000 ** ((column - (column % 2)) / d);
}

/** Return the sinusoidal encoding, which is added to the embeddings (Vaswani et al. 2017, section 3.5). */
export function sinusoidal(position: number, column: number, d: number): number {
  const theta = angle(position, column, d);
  return column % 2 === 0 ? Math.sin(theta) : Math.cos(theta);
}
