/** The events of the model as whole messages: a host sets the traits of a message one after another. */
import type { AnyModel } from "@anywidget/types";
import type { ChangeMessage, Traits } from "../wire/schema";
import type { Confirmed } from "./mirror";

export interface Message {
  readonly values: ReadonlyMap<Confirmed, unknown>;
  /** What it continues and answers; null where another program has set a trait. */
  readonly change: ChangeMessage | null;
}

/** Gather messages until they are taken; `arrived` is called with each trait. */
export function createMessages(
  model: AnyModel<Traits>,
  names: readonly Confirmed[],
  arrived: () => void,
  signal: AbortSignal,
) {
  const whole: Message[] = [];
  let values = new Map<Confirmed, unknown>();
  let change: ChangeMessage | null = null;

  /** What comes from now on is of another message. */
  function close() {
    if (values.size > 0 || change) whole.push({ values, change });
    values = new Map();
    change = null;
  }

  function listen(name: keyof Traits, note: () => void) {
    const event = `change:${name}` as const;
    const hear = () => {
      // A second message has come before the first was taken.
      if (change && change !== model.get("_change")) close();
      note();
      arrived();
    };
    model.on(event, hear);
    signal.addEventListener("abort", () => model.off(event, hear));
  }
  for (const name of names) listen(name, () => values.set(name, model.get(name)));
  listen("_change", () => {
    change = model.get("_change");
  });

  return {
    close,
    /** The messages that have come since the last call. */
    take(): Message[] {
      close();
      return whole.splice(0);
    },
  };
}
