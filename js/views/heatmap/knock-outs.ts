/** The marks of knock-outs on the map: what is taken out of the model, and what a click would take out. */
import { hatch, SMALLEST_HATCHED } from "../../draw/hatch";
import type { Palette } from "../../draw/palette";
import { reachOf, touches } from "../../state/knockouts";
import type { Store } from "../../state/store";
import type { KnockOutRecord } from "../../wire/schema";
import type { Geometry } from "./geometry";
import type { Marks } from "./marks";

/** A letter for each kind that leaves a weight; a removed cell is hatched like a masked cell. */
const SIGNS = { remove: "", zero: "0", mean: "μ", first: "1" } as const;

export interface KnockOutMarks {
  out: readonly KnockOutRecord[];
  /** What a click on the marked cell or label changes. */
  preview: readonly KnockOutRecord[];
  /** Whether the preview takes out, or puts back. */
  takesOut: boolean;
  /** Whether the weights on screen are to be those without the removed cells. */
  isAfter: boolean;
  /** The first row of the map that the knock-outs can change; null where the map shows no change. */
  reach: number | null;
}

/** The first row that the knock-outs can change, of a map that shows the run with the knock-outs. */
function reachOfMap(store: Store): number | null {
  const effect = store.get("effect");
  if (!effect || (store.get("shown_run") !== "after" && store.runDifference === null)) return null;
  const from = reachOf(effect, store.shown.stack, store.shown.layer);
  if (from === "nowhere") return store.nQ;
  return from === "all" ? 0 : from;
}

/** What is to be marked on the map of the shown head. */
export function knockOutMarks(store: Store, marks: Marks): KnockOutMarks {
  const { shown } = store;
  const ofMap = (records: readonly KnockOutRecord[]) =>
    records.filter((record) => touches(record, shown));
  const at =
    marks.row !== null || marks.column !== null ? ([marks.row, marks.column] as const) : marks.cell;
  const hasPreview = store.knocks && (marks.pointed || marks.keyboard) && at && !marks.range;
  const { add, remove } = hasPreview ? store.knockOutAt(at) : { add: [], remove: [] };
  return {
    out: store.whyNoKnockOut === "" ? ofMap(store.get("knockouts")) : [],
    preview: ofMap(add.length ? add : remove),
    takesOut: add.length > 0,
    isAfter: store.get("shown_run") === "after" && store.runDifference === null,
    reach: reachOfMap(store),
  };
}

interface Area {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** The cells of a record on the map; null for a position that the map does not have. */
function areaOf(g: Geometry, { query, key }: KnockOutRecord): Area | null {
  if ((query ?? 0) >= g.nQ || (key ?? 0) >= g.nK) return null;
  return {
    left: g.left + (key ?? 0) * g.cell,
    top: g.top + (query ?? 0) * g.cell,
    width: (key === null ? g.nK : 1) * g.cell,
    height: (query === null ? g.nQ : 1) * g.cell,
  };
}

/** A bar beside the rows that the knock-outs can change. It leaves the colours of the cells as they are. */
export function paintReach(
  ctx: CanvasRenderingContext2D,
  g: Geometry,
  colors: Palette,
  reach: number | null,
): void {
  if (reach === null || reach >= g.nQ) return;
  ctx.fillStyle = colors.warning;
  ctx.fillRect(g.left - 6, g.top + reach * g.cell, 3, (g.nQ - reach) * g.cell);
}

export function paintKnockOuts(
  ctx: CanvasRenderingContext2D,
  g: Geometry,
  colors: Palette,
  { out, preview, takesOut, isAfter }: KnockOutMarks,
): void {
  for (const record of out) {
    const area = areaOf(g, record);
    if (area) paintRecord(ctx, g, colors, record, area, isAfter);
  }
  for (const record of preview) {
    const area = areaOf(g, record);
    if (area) frame(ctx, g, area, takesOut ? colors.warning : colors.fg, colors.bg, true);
  }
}

function paintRecord(
  ctx: CanvasRenderingContext2D,
  g: Geometry,
  colors: Palette,
  { kind }: KnockOutRecord,
  area: Area,
  isAfter: boolean,
): void {
  const { left, top, width, height } = area;
  if (kind === "remove" && isAfter) {
    // Python's answer paints the same: a click shows at once.
    ctx.fillStyle = colors.masked;
    ctx.fillRect(left, top, width, height);
    const path = new Path2D();
    path.rect(left, top, width, height);
    const whole = { left: g.left, top: g.top, width: g.nK * g.cell, height: g.nQ * g.cell };
    if (g.cell >= SMALLEST_HATCHED) hatch(ctx, path, whole, g.cell, colors.hatch, [1, -1]);
  }
  frame(ctx, g, area, colors.warning, colors.bg, false);
  const sign = SIGNS[kind];
  if (!sign || g.cell < 18) return;
  const side = Math.min(15, g.cell * 0.45);
  ctx.fillStyle = colors.warning;
  ctx.fillRect(left + 1, top + 1, side, side);
  ctx.fillStyle = colors.bg;
  ctx.font = `700 ${side - 3}px ${colors.font}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.fillText(sign, left + 1 + side / 2, top + 1.5 + side / 2);
}

/** A frame inside of the area, on every colour. */
function frame(
  ctx: CanvasRenderingContext2D,
  g: Geometry,
  { left, top, width, height }: Area,
  color: string,
  ground: string,
  isDashed: boolean,
): void {
  const line = g.cell < 12 ? 1 : 2;
  const inset = line / 2 + (g.cell < 12 ? 0 : 0.5);
  const box = [left + inset, top + inset, width - 2 * inset, height - 2 * inset] as const;
  ctx.save();
  ctx.lineWidth = line + 1.5;
  ctx.strokeStyle = ground;
  ctx.strokeRect(...box);
  if (isDashed) ctx.setLineDash([5, 3]);
  ctx.lineWidth = line;
  ctx.strokeStyle = color;
  ctx.strokeRect(...box);
  ctx.restore();
}
