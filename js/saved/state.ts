/** What a saved page shows, as the traits that Python would send. */
import { toRuns } from "../wire/cell-runs";
import type { Editable, Traits } from "../wire/schema";
import { packed, type SavedFile } from "./file";
import type { Session } from "./session";

export const EDITABLE: readonly Editable[] = [
  "embeddings", "key_embeddings", "W_q", "W_k", "W_v", "Q", "K", "V",
]; // biome-ignore format: a table
type State = Partial<Traits>;

/** The runs of cells set by hand: those from before the page was saved, and those since. */
function runsOf(runs: readonly number[], since: ReadonlySet<number>): number[] {
  const all = new Set(since);
  for (let i = 0; i < runs.length; i += 2) {
    for (let at = runs[i]; at < runs[i] + runs[i + 1]; at++) all.add(at);
  }
  return toRuns([...all].sort((a, b) => a - b));
}

/** Everything that follows from the session, as traits. */
export function stateOf(session: Session, file: SavedFile): State {
  const { heads, place, edit } = session;
  const head = heads.at(place);
  const flow = session.flow();
  const { nQ, nK, saved, arrays, locked } = head;
  const lead = head.stacked > 1 ? [head.stacked] : [];
  const inputs = EDITABLE.map((name) => {
    const values = heads.input(head, edit, name);
    return [name, values && packed(values.slice(), heads.shapeOf(name, head))];
  });
  const before = edit.isReset
    ? {}
    : ((file.traits.overridden ?? {}) as NonNullable<Traits["overridden"]>);
  const marked = EDITABLE.map((name) => [
    name,
    runsOf(before[name] ?? [], edit.hand.get(name) ?? new Set()),
  ]).filter(([, runs]) => runs.length);
  const isEdited = edit.inputs.size > 0 || session.mask.own.some((own, at) => own && !locked?.[at]);
  const array = (name: "bias" | "row_mass" | "output_norms") =>
    arrays[name] ? packed(arrays[name].slice(), saved.arrays[name]?.shape ?? []) : null;
  return {
    ...(heads.stacks.get(place.stack)?.traits as State),
    ...(Object.fromEntries(inputs) as State),
    ...{ bias: array("bias"), row_mass: array("row_mass"), softcap: saved.softcap },
    // The norms follow from V and W_O, of which the page does not have W_O.
    output_norms: edit.inputs.has("V") ? null : array("output_norms"),
    locked: locked && packed(locked.slice(), [nQ, nK]),
    scores: packed(flow.scores.slice(), [...lead, nQ, nK]),
    ...mapsOf(flow, lead),
    ...{ scale: flow.scale, temperature: flow.temperature },
    ...{ overridden: file.traits.overridden === null ? null : Object.fromEntries(marked) },
    ...{ presets: session.mask.presets, history: session.depth, revision: session.revision },
    ...{ ...place, shown: [place.layer, place.head, place.stack] as Traits["shown"] },
    ...{ mistake: session.mistake, report: session.report() },
    notice: file.notices[saved.notices[Number(isEdited)]] ?? "",
  };
}

function mapsOf(
  { n, nK, d, mask, attention, output }: ReturnType<Session["flow"]>,
  lead: number[],
) {
  return {
    mask: packed(mask.slice(), [n, nK]),
    attention: packed(attention.slice(), [...lead, n, nK]),
    output: output && packed(output.slice(), [...lead, n, d]),
  };
}

/** The rows of the maps that differ, as a message has them. */
export function rowsOf(flow: ReturnType<Session["flow"]>, rows: readonly number[], lead: number[]) {
  const { n, nK, d, heads, mask, attention, output } = flow;
  const pick = <T extends Float32Array | Uint8Array>(all: T, count: number, width: number): T => {
    const part = new (all.constructor as new (length: number) => T)(count * rows.length * width);
    for (let h = 0; h < count; h++) {
      rows.forEach((row, r) => {
        const from = (h * n + row) * width;
        part.set(all.subarray(from, from + width), (h * rows.length + r) * width);
      });
    }
    return part;
  };
  return {
    rows: packed(Int32Array.from(rows), [rows.length]),
    mask: packed(pick(mask, 1, nK), [rows.length, nK]),
    attention: packed(pick(attention, heads, nK), [...lead, rows.length, nK]),
    output: output && packed(pick(output, heads, d), [...lead, rows.length, d]),
  };
}

/** Choices that the map on screen does not have, as Python's `without_what_is_gone`. */
export function fitting(before: Record<string, unknown>, state: State): State {
  const { Q, V, row_mass, output_norms, mask } = state;
  const now = { ...before, ...state } as unknown as Traits;
  const isLacking =
    (now.quantity === "output-norm" && !output_norms) ||
    (now.quantity === "scores" && row_mass) ||
    (["value-norm", "output-shift"].includes(now.quantity) && !V);
  const [nQ, nK] = mask?.shape ?? [0, 0];
  const isGone = now.selection && (now.selection[0] >= nQ || now.selection[1] >= nK);
  return {
    ...(["steps", "neuron"].includes(now.view) && !(Q && V) && { view: "heatmap" }),
    ...(isLacking && { quantity: "attention" as const }),
    ...(isGone && { selection: null }),
  };
}
