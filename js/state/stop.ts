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
}
interface Kernel {
  supportsSubshells?: boolean;
  createComm(target: string): Comm;
}

export function createStop(model: AnyModel<never>) {
  const { kernel } = (model.widget_manager ?? {}) as { kernel?: Kernel | null };
  return {
    /** Whether a running cell hears the page. */
    get isHeard() {
      return kernel?.supportsSubshells === true;
    },
    /** Stop the generation with this key. */
    async send(key: string) {
      if (!kernel) return;
      const comm = kernel.createComm("attnwidget.stop");
      await comm.subshellStarted;
      // Closing ends the subshell. Where the kernel has ended, nothing is left to stop or to close.
      await comm.open({ key }).done.then(
        () => comm.close(),
        () => {},
      );
    },
  };
}
