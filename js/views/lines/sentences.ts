/** Which lines of a pair of sentences are drawn: all, or those from a sentence to a sentence. */
import type { Store } from "../../state/store";
import type { Scope } from "../../ui/scope";
import { segmented } from "../../ui/segmented";
import { between, type LineData } from "./data";

const CHOICES = ["all", "A → A", "A → B", "B → A", "B → B"] as const;
const KEPT = "lines sentences";

export function createSentences(store: Store, changed: () => void, scope: Scope) {
  const pick = (value: string) => {
    store.kept.set(KEPT, value);
    choice.set(value);
    changed();
  };
  const choices = CHOICES.map((value) => ({ value, text: value }));
  const choice = segmented("sentences", choices, pick, scope);
  const chosen = () => (store.kept.get(KEPT) as string | undefined) ?? CHOICES[0];
  choice.set(chosen());
  return {
    element: choice.element,
    /** The lines that are chosen. */
    of(data: LineData | null): LineData | null {
      const start = store.get("sentence_b_start");
      choice.element.hidden = start === null;
      const [from, to] = chosen().split(" → ");
      return data && start !== null && to ? between(data, from, to, start) : data;
    },
  };
}
