/** The difference of the map between the runs with and without the knock-outs; Python has both maps. */
import type { Matrix } from "../wire/codec";
import type { Marks } from "./marks";
import type { Mirror } from "./mirror";
import type { Answer } from "./questions";

interface Parts {
  mirror: Mirror;
  marks: Marks;
  shown(): { layer: number; head: number; stack: string };
  /** Tell the views now. */
  flush(): void;
  ask(content: object, until: AbortSignal): Promise<Answer>;
  signal: AbortSignal;
}

interface Map {
  content: { shown: [number, number, string]; shape: [number, number] };
  values: Float32Array;
}

/** What makes another question necessary. */
const TRAITS = ["run_state", "shown", "head", "tokens", "key_tokens", "hide_special", "merge"];

export function createRunDifference({ mirror, marks, shown, flush, ask, signal }: Parts) {
  let wants = false;
  let difference: Matrix | null = null;
  let asking = new AbortController();
  signal.addEventListener("abort", () => asking.abort());

  async function map(run: "before" | "after", until: AbortSignal): Promise<Map> {
    const { content, buffers } = await ask({ type: "map", run }, until);
    const { buffer, byteOffset, byteLength } = buffers[0];
    const bytes = buffer.slice(byteOffset, byteOffset + byteLength);
    return { content: content as Map["content"], values: new Float32Array(bytes as ArrayBuffer) };
  }

  async function load() {
    asking.abort();
    asking = new AbortController();
    const until = asking.signal;
    try {
      const [before, after] = await Promise.all([map("before", until), map("after", until)]);
      const [rows, cols] = after.content.shape;
      const { layer, head, stack } = shown();
      // Python shows another head by now: its arrays are on their way, and ask anew.
      if (String(after.content.shown) !== String([layer, head, stack])) return;
      if (rows !== mirror.nQ() || cols !== mirror.nK()) return;
      const data = after.values.map((value, i) => value - before.values[i]);
      difference = { data, rows, cols };
    } catch (error) {
      if (until.aborted) return;
      wants = false;
      console.error(error);
    }
    marks.named("run-difference");
    flush();
  }

  return {
    /** Whether views are to show the difference between the runs. */
    get wantsRunDifference() {
      return wants;
    },
    /** After minus before; null where nobody wants it, or while it is on its way. */
    get runDifference(): Matrix | null {
      const isOfMap = difference?.rows === mirror.nQ() && difference.cols === mirror.nK();
      return wants && isOfMap ? difference : null;
    },
    showRunDifference(on: boolean) {
      if (wants === on) return;
      wants = on;
      difference = null;
      asking.abort();
      marks.named("run-difference");
      if (on) void load();
      flush();
    },
    /** Ask again where another map is on screen, or another run has ended. */
    look(names: ReadonlySet<string>) {
      if (!wants || !TRAITS.some((name) => names.has(name))) return;
      const state = mirror.get("run_state")?.state;
      if (state === "running") return; // the difference of the last run stands until the run has ended
      if (state === "done") void load();
      else {
        wants = false;
        difference = null;
        marks.named("run-difference");
      }
    },
  };
}
