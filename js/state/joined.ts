/** Objects as one object. */

type Intersection<U> = (U extends unknown ? (part: U) => void : never) extends (
  whole: infer I,
) => void
  ? I
  : never;

/** One object with the members of all parts; a getter stays a getter. */
export function joined<T extends object[]>(...parts: T): Intersection<T[number]> {
  const whole = {};
  for (const part of parts) {
    Object.defineProperties(whole, Object.getOwnPropertyDescriptors(part));
  }
  return whole as Intersection<T[number]>;
}
