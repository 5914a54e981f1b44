/** What carries a page's commands to the authority over the state, and the answers back. */

/** A command without an answer, and its number. */
export interface Pending<C> {
  readonly seq: number;
  readonly command: C;
}

/** All commands without an answer: the list goes up whole, so a message may be lost or doubled. */
export interface Up<C> {
  readonly client: string;
  readonly commands: readonly Pending<C>[];
}

/** A message of the authority. */
export interface Down<S> {
  /** The revision that the message continues; null where it has the whole state. */
  readonly from: number | null;
  /** The last command that is answered, by client: done, refused or void. */
  readonly acks: Readonly<Record<string, number>>;
  /** Why a command was refused, by client and number. */
  readonly refused: Readonly<Record<string, Readonly<Record<number, string>>>>;
  /** Whether the whole state alone can follow where the message is not taken. */
  readonly hasValues?: boolean;
  /** The state after the message; it is called only where the message is taken. */
  apply(confirmed: S): S;
}

export interface Answer {
  content: unknown;
  buffers: DataView[];
}

export interface Transport<S, C> {
  push(up: Up<C>): void;
  /** Hear each message; the listener returns whether it took the message. */
  onState(hear: (down: Down<S>) => boolean): void;
  /** Ask for the whole state, because a message was missed. */
  resync(): void;
}
