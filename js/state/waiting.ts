/** Whether there is a Python that answers this page, and whether it has been silent for long. */
import type { AnyModel } from "@anywidget/types";

/** A busy kernel is no failure: after so long the card says that there is no answer yet, and waits. */
const PATIENCE = 3000;
export const NO_ANSWER = "Python has not answered yet";
const ENDED = ["dead", "terminating"];

/** There is no Python to ask. */
export class NotSaved extends Error {
  override name = "NotSaved";
  constructor(what = "This", cause?: unknown) {
    super(`${what} is not saved here: it needs a running kernel`, { cause });
  }
}

/** What a view says of a question that was not answered; `what` is the beginning of a sentence. */
export function problem(what: string, error: unknown): string {
  if (error instanceof NotSaved) return error.message;
  return `${what} failed: ${error instanceof Error ? error.message : error}`;
}

/**
 * Whether the model is connected to a kernel. A host that says nothing of it is believed to be.
 *
 * ipywidgets' models have `comm_live`, false in a saved notebook and after a restart. The model that
 * anywidget hands out lacks it; the layout of the widget is a model of the same manager, and has it. A
 * kernel that ended leaves `comm_live` as it was: JupyterLab's manager knows the kernel.
 */
export function isLive(model: AnyModel<never>): boolean {
  const { comm_live, widget_manager } = model as unknown as {
    comm_live?: unknown;
    widget_manager?: { kernel?: { status?: string } | null };
  };
  const layout = (model.get as (name: string) => unknown)("layout");
  const live = comm_live ?? (layout as { comm_live?: unknown } | null | undefined)?.comm_live;
  if (live === false) return false;
  const kernel = widget_manager?.kernel;
  return kernel !== null && !ENDED.includes(kernel?.status ?? "");
}

/** Whether the model is a page that was saved and answers itself, without Python. */
const isSaved = (model: AnyModel<never>): boolean => (model as { saved?: unknown }).saved === true;

/** Why a control of a saved page is disabled. */
export const needsPython = (what: string) => `Needs Python: ${what}`;

export type Waiting = ReturnType<typeof createWaiting>;

export function createWaiting(
  model: AnyModel<never>,
  /** Whether something is asked and not answered. */
  waits: () => boolean,
  /** The kernel came or went, or Python has become late or is no longer. */
  changed: () => void,
  signal: AbortSignal,
) {
  let live = isLive(model);
  let late = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function look() {
    const now = isLive(model);
    if (now === live) return;
    live = now;
    late &&= live;
    changed();
  }
  function silent() {
    timer = undefined;
    if (!waits()) return;
    look();
    if (live && !late) {
      late = true;
      changed();
    }
    // The kernel may end meanwhile, and says nothing then.
    if (live) start();
  }
  function start() {
    timer ??= setTimeout(silent, PATIENCE);
  }
  function stop() {
    clearTimeout(timer);
    timer = undefined;
  }
  // All models of a manager are told one after the other: the layout may be the last.
  const heard = () => queueMicrotask(look);
  const on = model.on as (event: string, handler: () => void) => void;
  const off = model.off as (event: string, handler: () => void) => void;
  on("comm_live_update", heard);
  signal.addEventListener("abort", () => {
    off("comm_live_update", heard);
    stop();
  });

  return {
    saved: isSaved(model),
    get live() {
      look();
      return live;
    },
    get late() {
      return late;
    },
    /** Something was asked: the time begins, unless it runs already. */
    asked() {
      look();
      if (live && waits()) start();
    },
    /** Something is given up: nobody is late where nothing is asked any more. */
    rest() {
      if (!waits()) this.answered();
    },
    /** Python answered: the time begins anew, and ends where nothing is asked any more. */
    answered() {
      stop();
      if (late) {
        late = false;
        changed();
      }
      if (live && waits()) start();
    },
  };
}
