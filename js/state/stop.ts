/**
 * Stops a generation while its cell runs. A message of the model waits for the end of the cell, because the
 * kernel hands it to the thread that has last sent to this model. A comm that the page opens is handled
 * beside the cell (in a subshell), if the kernel and the notebook have subshells.
 */
import type { AnyModel } from "@anywidget/types";

interface Comm {
  subshellStarted: Promise<void>;
  open(data: object): unknown;
  close(): unknown;
  dispose(): void;
}
interface Kernel {
  supportsSubshells?: boolean;
  createComm(target: string): Comm;
}

/** `changed` is called when the page can stop the generation. */
export function createStop(model: AnyModel<never>, changed: () => void) {
  let comm: Comm | null = null;
  /** "" where a running cell hears no message, or while the subshell starts. */
  let state: "" | "ready" | "sent" = "";
  return {
    prepare() {
      const { kernel } = (model.widget_manager ?? {}) as { kernel?: Kernel | null };
      if (comm || !kernel?.supportsSubshells) return;
      comm = kernel.createComm("attnwidget.stop");
      const ready = () => {
        if (comm) state = "ready";
        changed();
      };
      comm.subshellStarted.then(ready, () => {});
    },
    get state() {
      return state;
    },
    send(key: string) {
      state = "sent";
      comm?.open({ key });
    },
    /** Give the subshell back. */
    end() {
      if (state === "sent") comm?.close();
      else comm?.dispose();
      comm = null;
      state = "";
    },
  };
}
