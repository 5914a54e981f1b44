/**
 * The state of a page: what Python has confirmed, with the page's own commands replayed on top until
 * they are answered. A command may be lost, late, doubled or refused, and another page may change the
 * state meanwhile: `state = fold(reduce, confirmed, pending)` is right after each of these.
 */
import type { Down, Pending, Transport } from "../wire/transport";

/** A command that Python did not take, and the words of the refusal. */
export interface Refused<C> {
  readonly command: C;
  readonly words: string;
}

export interface Sync<S, C> {
  /** What the authority has said, and nothing else. */
  readonly confirmed: S;
  /** The confirmed state with the pending commands replayed. */
  readonly state: S;
  readonly pending: readonly Pending<C>[];
  /** The command that was refused in the last answer, and why; null where none was. */
  readonly refused: Refused<C> | null;
  /** Show a command at once, and send it. */
  do(command: C): void;
  /** Take a state that another program has set beside the messages. */
  renew(confirmed: S): void;
  /** Forget pending commands that are about nothing any more. */
  drop(isVoid: (command: C) => boolean): void;
  /** A number that no command and no question of this page has. */
  nextSeq(): number;
}

export function createSync<S extends { revision: number }, C extends { replaces?: string }>(
  transport: Transport<S, C>,
  reduce: (state: S, command: C) => S,
  opened: S,
  client: string,
): Sync<S, C> {
  let confirmed = opened;
  let pending: readonly Pending<C>[] = [];
  let refusal: Refused<C> | null = null;
  let seq = 0;
  /** The missed message for which the whole state was asked: each missed message asks once. */
  let asked: number | null = null;
  /** Whether values were left out: no message but the whole state continues from here. */
  let isCut = false;
  /** The fold; null where it has to be made anew. */
  let folded: S | null = opened;

  function fold(): S {
    folded ??= pending.reduce((state, { command }) => reduce(state, command), confirmed);
    return folded;
  }

  function hear({ from, acks, refused, hasValues = false, apply }: Down<S>): boolean {
    if (from !== null && (isCut || from !== confirmed.revision)) {
      // A message that continues an older state is late or doubled. Another has overtaken a message.
      isCut ||= hasValues;
      if ((isCut || from > confirmed.revision) && from !== asked) {
        asked = from;
        transport.resync();
      }
      return false;
    }
    asked = null;
    isCut = false;
    const answered = acks[client] ?? 0;
    confirmed = apply(confirmed);
    const done = pending.filter((each) => each.seq <= answered);
    const first = done.find((each) => refused[client]?.[each.seq]);
    if (first) refusal = { command: first.command, words: refused[client][first.seq] };
    else if (done.length) refusal = null;
    pending = pending.filter((each) => each.seq > answered);
    folded = null;
    return true;
  }

  transport.onState(hear);

  return {
    get confirmed() {
      return confirmed;
    },
    get state() {
      return fold();
    },
    get pending() {
      return pending;
    },
    get refused() {
      return refusal;
    },
    do(command) {
      const { replaces } = command;
      const kept = replaces
        ? pending.filter((each) => each.command.replaces !== replaces)
        : pending;
      // Where nothing is replaced, the command is all that is new.
      const next = kept.length === pending.length ? reduce(fold(), command) : null;
      pending = [...kept, { seq: ++seq, command }];
      folded = next;
      refusal = null;
      transport.push({ client, commands: pending });
    },
    renew(state) {
      confirmed = state;
      folded = null;
    },
    drop(isVoid) {
      const kept = pending.filter(({ command }) => !isVoid(command));
      if (kept.length === pending.length) return;
      pending = kept;
      folded = null;
    },
    nextSeq: () => ++seq,
  };
}
