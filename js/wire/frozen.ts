/** A saved page without Python: the page is the authority for what it can compute. */
import type { Answer, Down, Transport } from "./transport";

export interface Authority<S, C> {
  reduce(state: S, command: C): S;
  /** Whether `reduce` does all of the command. */
  isComputed(command: C): boolean;
  /** The command as the beginning of a sentence. */
  inWords(command: C): string;
}

export const SAVED = "this is a page that was saved";

/** A question as a key of the answers that were saved. */
export const keyOf = (question: object) =>
  JSON.stringify(Object.entries(question).sort(([a], [b]) => (a < b ? -1 : 1)));

/** A page's state may be changed by what the page computes; the rest is refused in words. */
export function createFrozen<S extends { revision: number }, C>(
  opened: S,
  { reduce, isComputed, inWords }: Authority<S, C>,
  answers: ReadonlyMap<string, Answer> = new Map(),
): Transport<S, C> {
  let now = opened;
  const done: Record<string, number> = {};
  const listeners = new Set<(down: Down<S>) => boolean>();
  return {
    push({ client, commands }) {
      const from = now.revision;
      const refused: Record<number, string> = {};
      for (const { seq, command } of commands) {
        if (seq <= (done[client] ?? 0)) continue;
        if (isComputed(command)) now = reduce(now, command);
        else refused[seq] = `${inWords(command)} needs Python; ${SAVED}`;
        done[client] = seq;
      }
      if (now.revision === from) now = { ...now, revision: from + 1 };
      const state = now;
      const down = {
        ...{ from, acks: { ...done }, refused: { [client]: refused } },
        apply: () => state,
      };
      queueMicrotask(() => {
        for (const hear of [...listeners]) hear(down);
      });
    },
    onState(hear) {
      listeners.add(hear);
    },
    resync() {
      const [state, acks] = [now, { ...done }];
      queueMicrotask(() => {
        for (const hear of [...listeners]) {
          hear({ from: null, acks, refused: {}, apply: () => state });
        }
      });
    },
    ask(question) {
      const answer = answers.get(keyOf(question));
      return answer
        ? Promise.resolve(answer)
        : Promise.reject(new Error(`The answer was not saved: ${SAVED}`));
    },
  };
}
