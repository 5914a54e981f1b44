/** The colour bar: the values of the colours on the chosen scale. */
import { cssColor, type Lut, ticks } from "../../draw/color";
import type { Palette } from "../../draw/palette";
import type { QuantityWords } from "../../state/quantity";
import { shareOf } from "../../state/scale";
import type { Cells } from "./cells";
import type { Geometry } from "./geometry";

export function paintBar(
  ctx: CanvasRenderingContext2D,
  g: Geometry,
  table: Lut,
  colors: Palette,
  ceiling: number,
  cells: Pick<Cells, "scale" | "signed" | "isDifference">,
  quantity: QuantityWords,
): void {
  const { scale, signed } = cells;
  const { x, y, width, height } = g.bar;
  const gradient = ctx.createLinearGradient(0, y + height, 0, y);
  for (let i = 0; i <= 32; i++) gradient.addColorStop(i / 32, cssColor(table, i / 32));
  ctx.fillStyle = gradient;
  ctx.fillRect(x, y, width, height);
  ctx.strokeStyle = colors.line;
  ctx.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1);
  ctx.fillStyle = colors.muted;
  ctx.font = `11px ${colors.font}`;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  // The square root spreads the small values, which get a tick more.
  // A bar with both signs has half of the height for each.
  const [none, ...steps] = ticks(signed ? 2 * ceiling : ceiling).filter(
    ({ value }) => value <= ceiling * 1.0001,
  );
  const small = scale === "sqrt" && steps.length ? [ticks(steps[0].value)[1]] : [];
  const all = [none, ...small, ...steps];
  const positive = height < 100 ? [all[0], all[all.length - 1]] : all;
  const negatives = signed ? positive.slice(1).map((tick) => tick && negated(tick)) : [];
  for (const tick of [...positive, ...negatives]) {
    if (!tick) continue;
    const at = y + height * (1 - shareOf(tick.value, ceiling, scale, signed));
    ctx.fillRect(x + width, at - 0.5, 3, 1);
    ctx.fillText(tick.text, x + width + 6, Math.min(Math.max(at, y + 4), y + height - 4));
  }
  const [name, short] = barNames(quantity, cells);
  ctx.save();
  ctx.translate(x + width + 46, y + height / 2);
  ctx.rotate(Math.PI / 2);
  ctx.textAlign = "center";
  if (ctx.measureText(name).width <= height) ctx.fillText(name, 0, 0);
  else if (height >= 56) ctx.fillText(short, 0, 0);
  ctx.restore();
}

/** The name of the bar, and a short name where the bar is short. */
function barNames(
  { value, name, bar, text }: QuantityWords,
  { scale, isDifference }: Pick<Cells, "scale" | "isDifference">,
): [string, string] {
  if (isDifference) return [`Δ ${name}: now − before the edit`, `Δ ${text}`];
  if (scale === "row") return ["share of the row's maximum", text];
  if (scale === "sqrt") return [`√ of ${name}, up to the map's maximum`, `√ ${text}`];
  const isUpToMaximum = value === "attention" && scale === "map";
  return [isUpToMaximum ? "attention, up to the map's maximum" : bar, text];
}

function negated({ value, text }: { value: number; text: string }) {
  return { value: -value, text: `−${text}` };
}
