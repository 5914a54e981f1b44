/**
 * Stops a generation while its cell runs. A message of the model waits for the end of the cell, because the
 * kernel hands it to the thread that has last sent to this model. A comm that the page opens is handled
 * beside the cell (in a subshell), if the kernel and the notebook have subshells.
 */
import type { AnyModel } from "@anywidget/types";

interface Comm {
  subshellStarted: Promise<void>;
  /** `done` is resolved when the kernel has handled the message. */
  open(data: object): { done: Promise<unknown> };
  close(): unknown;
  dispose(): void;
}
interface Kernel {
  supportsSubshells?: boolean;
  createComm(target: string): Comm;
}

export function createStop(model: AnyModel<never>, signal: AbortSignal) {
  const { kernel } = (model.widget_manager ?? {}) as { kernel?: Kernel | null };
  let comm: Comm | null = null;
  const end = () => {
    comm?.dispose();
    comm = null;
  };
  signal.addEventListener("abort", end);
  return {
    /** Whether a running cell hears the page. */
    get isHeard() {
      return kernel?.supportsSubshells === true;
    },
    /** Start the subshell: the answer to a later request would come after every step that is on its way. */
    prepare() {
      if (comm || !kernel?.supportsSubshells) return;
      comm = kernel.createComm("attnwidget.stop");
      comm.subshellStarted.catch(() => {}); // `send` says why
    },
    /** Stop the generation with this key. */
    async send(key: string) {
      const used = comm;
      comm = null;
      await used?.subshellStarted;
      // Closing ends the subshell. Where the kernel has ended, nothing is left to stop or to close.
      await used?.open({ key }).done.then(
        () => used.close(),
        () => {},
      );
    },
    /** Give the subshell back if nobody has stopped the generation. */
    end,
  };
}
