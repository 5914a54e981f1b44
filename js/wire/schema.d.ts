/** The one table of names that cross the wire; a test compares it with the Python class. */

/** An array as Python sends it: C-contiguous, little-endian. */
export interface Packed {
  data: DataView | ArrayBuffer | Uint8Array;
  dtype: "float32" | "int32" | "uint8";
  shape: number[];
}

export interface LayerInfo {
  index: number;
  module: string;
  stack: string;
  n_heads: number;
  n_kv_heads: number;
  /** False where the weights are not what the model computed with; null where the output was not captured. */
  proved: boolean | null;
}

/** Cells of the mask as runs over flat indices: start, length, start, length, ... */
export type Runs = number[];

/** What a page asks of Python. A command that is done twice does what it does once. */
export type Command = Paint | SetNumber | SetInput | Travel | Reset | KnockOut | StopRun;

interface OnMap {
  /** The shape of the map that it was made on: on a map of another shape it changes nothing. */
  shape: [number, number];
}

/** Mask the cells `on` and free the cells `off`. */
export interface Paint extends OnMap {
  do: "paint";
  /** Commands of one stroke (a drag) undo together. */
  stroke: number;
  on: Runs;
  off: Runs;
  /** The presets in force after it, where it changes them. */
  presets?: Presets;
}

/** Set one number of one array by hand. */
export interface SetNumber extends OnMap {
  do: "number";
  stroke: number;
  name: Editable;
  at: number[];
  value: number;
  array_shape: number[];
  /** The head that it was made on: of a model, another head's numbers look the same. */
  shown: [number, number, string];
}

/** Set what Python computes with: a sentence as it was typed, a size, a factor. */
export interface SetInput {
  do: "set";
  name: Setting;
  value: string | number | null;
  /** Settings of one stroke, such as a drag of a slider, undo together. */
  stroke: number;
}

/** Move through Python's history; `on` and `off` are the cells that the page has painted already. */
export interface Travel extends OnMap {
  do: "undo" | "redo";
  on: Runs;
  off: Runs;
}

/** Take back every number that was set by hand. */
export interface Reset extends OnMap {
  do: "reset";
}

/** A part of a model's attention that is taken out; null stands for all. */
export interface KnockOutRecord {
  /** "self", "encoder", "decoder", "cross", "vision" or "audio". */
  stack: string | null;
  layer: number | null;
  head: number | null;
  query: number | null;
  key: number | null;
  kind: "remove" | "zero" | "mean" | "first";
}

/** Take more of the model's attention out, or less: first `remove`, then `add`. */
export interface KnockOut {
  do: "knock_out";
  /** Knock-outs of one stroke undo together. */
  stroke: number;
  add: KnockOutRecord[];
  remove: KnockOutRecord[];
  /** Where the effect is read from now on. */
  position?: number;
}

/** Stop the run of the model. */
export interface StopRun {
  do: "stop_run";
}

/** Whether the model runs with knock-outs. */
export interface RunState {
  state: "idle" | "running" | "done" | "stopped" | "failed" | "unable";
  /** What ran, or why there is no result. */
  words: string;
  seconds: number | null;
  /** Whether the layers before the first edit were not computed again. */
  partial: boolean;
}

/** The maps that knock-outs can change: those of `layer` and later layers, in rows from `query` on. */
export interface Reach {
  stack: string;
  layer: number;
  /** null for every row. */
  query: number | null;
}

/** A token or a class: its logit and its probability before and after. */
export interface EffectRow {
  token: string;
  id: number;
  logit: [number | null, number | null];
  p: [number | null, number | null];
}

interface AnyEffect {
  /** What is read: "next token", "masked token", "class", ... */
  what: string;
  /** The effect in one number. */
  number: number | null;
  unit: string;
  reach: Reach[];
}

/** A distribution over tokens or classes, before and after. */
export interface DistributionEffect extends AnyEffect {
  kind: "tokens" | "classes";
  /** KL(before‖after) in nats. */
  kl: number | null;
  rows: EffectRow[];
  /** Where the distribution is read; null where there is one for the whole text. */
  position: number | null;
  token: string;
  positions: number;
  /** -log p of each token in nats; null for a token that is not predicted. */
  loss: { before: (number | null)[]; after: (number | null)[] } | null;
}

/** The vectors of an encoder: 1 - cosine, and the size of the change by the size before. */
export interface VectorsEffect extends AnyEffect {
  kind: "vectors";
  tokens: { cosine: (number | null)[]; norm: (number | null)[] };
  pooled: { cosine: number | null; norm: number | null; over: string };
}

/** The largest change of each output. */
export interface OutputsEffect extends AnyEffect {
  kind: "outputs";
  rows: { name: string; change: number | null }[];
}

export type Effect = DistributionEffect | VectorsEffect | OutputsEffect;

/** A run that was done. */
export interface RunRecord {
  name: string;
  knockouts: KnockOutRecord[];
  number: number | null;
  unit: string;
  seconds: number;
  partial: boolean;
}

export type Setting =
  | "tokens"
  | "key_tokens"
  | "d_model"
  | "d_k"
  | "d_v"
  | "n_heads"
  | "seed"
  | "init"
  | "positional"
  | "scale"
  | "temperature"
  | "mistake";

export type Editable = "embeddings" | "key_embeddings" | "W_q" | "W_k" | "W_v" | "Q" | "K" | "V";

/** Masks that have names, by name: their parameter, or true. */
export interface Presets {
  causal?: true;
  padding?: true | number[];
  window?: number;
  prefix?: number;
  block?: true;
}

/** Weights beside the right ones: of a checked function, or of a mistake switched on. */
export interface Report {
  kind: "check" | "mistake";
  /** The mistake's name; empty where all is right. */
  name: string;
  message: string;
  /** The inputs that the maps belong to: "given" for the widget's own. */
  case: string;
  revision: number;
  mask: Packed;
  expected: Packed;
  got: Packed | null;
  /** Of a mistake: the step of the arithmetic with the mistake. */
  step: "scores" | "mask" | "attention" | "";
  /** Of a mistake: the line of code with the mistake, and the line without. */
  wrong: string;
  right: string;
  /** Of a mistake: the maps of every head, as the mistaken code computes them; null if the code fails. */
  scores: Packed | null;
  weights: Packed | null;
}

/** Every command that Python has not answered; sent whole, so a lost message costs nothing. */
export interface CommandsMessage {
  /** The page. */
  client: string;
  commands: (Command & { seq: number })[];
}

/** A change of the state: the commands that it answers, and the rows that changed. */
export interface ChangeMessage {
  /** The revision that it continues; null where the whole state comes with it. */
  from: number | null;
  /** The revision that it leads to. */
  revision: number;
  /** The last command that is answered, by page: done, refused or void. */
  acks: Record<string, number>;
  /** Why a command was refused, by page and number. */
  refused: Record<string, Record<string, string>>;
  /** The page that made the change, or "python". */
  by: string;
  rows: Packed;
  mask: Packed;
  attention: Packed;
  output: Packed | null;
}

/** A text that a model generates, or has generated. */
export interface Generation {
  prompt: string;
  /** The text of each generated token; joined after the prompt they are the whole text. */
  tokens: string[];
  /** The probability of each token in the model's own softmax; null where it is not known. */
  probabilities: (number | null)[];
  state: "running" | "done" | "stopped" | "full" | "failed";
  /** The first row and the first column of a generated token; null where there is none. */
  first: [number | null, number | null];
  /** The name by which a page stops the generation. */
  key: string;
}

export type Quantity = "attention" | "scores" | "value-norm" | "output-norm" | "output-shift";

/** "auto" is "unit" for few tokens, "sqrt" for many. */
export type ColorScale = "auto" | "unit" | "row" | "map" | "sqrt";

export interface Traits {
  tokens: string[];
  key_tokens: string[] | null;
  embeddings: Packed | null;
  key_embeddings: Packed | null;
  W_q: Packed | null;
  W_k: Packed | null;
  W_v: Packed | null;
  Q: Packed | null;
  K: Packed | null;
  V: Packed | null;
  /** Added to the scores: ALiBi's penalty, a relative position's, a sink's column. */
  bias: Packed | null;
  /** Bounds the scores before the bias: c · tanh(x / c). */
  softcap: number | null;
  scale: number | null;
  temperature: number;
  scores: Packed;
  mask: Packed;
  locked: Packed | null;
  attention: Packed;
  output: Packed | null;
  /** What each row of given weights sums to. */
  row_mass: Packed | null;
  /** ‖v W_O‖ of each key; null where W_O isn't known. */
  output_norms: Packed | null;
  d_model: number | null;
  d_k: number | null;
  d_v: number | null;
  n_heads: number | null;
  seed: number | null;
  init: string | null;
  positional: string | null;
  /** Arrays that the widget was made with and still has, and those that were replaced since. */
  given: string[];
  replaced: string[];
  /** Cells set by hand, by array, as runs over flat indices. */
  overridden: Partial<Record<Editable, Runs>> | null;
  presets: Presets;
  layers: LayerInfo[];
  /** Means over heads or layers, and rollout: stacks that can be picked like the others. */
  derived_layers: LayerInfo[];
  /** Which tokens are special: [CLS], padding, ... */
  special: boolean[];
  /** Where the second sentence of a pair starts. */
  sentence_b_start: number | null;
  /** "tokens" or "words"; null where there are no words. */
  merge: string | null;
  hide_special: boolean | null;
  /** The stack shown: "self", "encoder", "decoder", "cross", "vision", ... */
  stack: string;
  layer: number;
  head: number;
  view: string;
  cmap: string;
  color_scale: ColorScale;
  quantity: Quantity;
  mistake: string | null;
  report: Report | null;
  selection: [number, number] | null;
  /** The heads that the lines show; null for all. */
  heads_on: number[] | null;
  /** The order of the grid, "layer" or "statistic", and the statistic. */
  grid_order: string;
  grid_statistic: string;
  /** BertViz's views of what is shown. */
  bertviz_views: string[];
  title: string;
  subtitle: string;
  notice: string;
  error: string;
  /** The layer, head and stack that the arrays belong to. */
  shown: [number, number, string];
  revision: number;
  /** How many steps Python can undo and redo. */
  history: [number, number];
  /** The generated text; null where no text was generated. */
  generation: Generation | null;
  /** What is taken out of the model. */
  knockouts: KnockOutRecord[];
  /** What the knock-outs change in the model's output; null without a finished run. */
  effect: Effect | null;
  /** Whether the model runs; null where there is no model that can run again. */
  run_state: RunState | null;
  /** Which run the maps are of. */
  shown_run: "before" | "after";
  /** Where the effect is read; null for the default. */
  effect_position: number | null;
  runs: RunRecord[];
  /** The text, or the pair of texts, that the model has read; "" for other inputs; null without a model of text. */
  input_text: string | [string, string] | null;
  /** The step of a training that is on screen, null outside of a training. */
  checkpoint: number | null;
  /** The steps of a training whose runs are kept, in their order. */
  checkpoints: number[];
  _commands: CommandsMessage;
  _change: ChangeMessage | null;
  /** The answer to a question that the page asks at once, sent before it is asked. */
  _early_answer: { asked: Record<string, unknown>; answer: object; buffers: DataView[] } | null;
}

/** What a scan has measured. Values are row by row, null where nothing was measured. */
export interface ScanMessage {
  over: string;
  kind: KnockOutRecord["kind"];
  /** The target in words. */
  target: string;
  baseline: number | null;
  shape: number[];
  values: (number | null)[];
  axes: string[];
  labels: (number | string)[][];
  /** What a click on each value knocks out. */
  knockouts: (KnockOutRecord | null)[];
  /** The numbers of the cells that the model itself masks. */
  masked: number[];
  ended: "" | "stopped" | "interrupted" | "out of memory";
  notice: string;
  seconds: number;
}
