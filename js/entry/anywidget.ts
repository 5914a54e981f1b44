/** What anywidget calls: a widget whose card is drawn in a task of its own. */
import createWidget from "./widget";

export default () => {
  const widget = createWidget();
  return {
    ...widget,
    /**
     * anywidget gives a model two seconds from its creation to its initialisation, and no message of Python
     * reaches a model that takes longer. Cards that are drawn without a pause would hold the models back.
     */
    async render(host: Parameters<typeof widget.render>[0]) {
      await nextTask();
      return host.signal?.aborted ? undefined : widget.render(host);
    },
  };
};

interface Scheduler {
  postTask(task: () => void, options: { priority: "background" }): Promise<void>;
}

/** A task that waits for tasks of the page that load models; a plain task where there is no scheduler. */
function nextTask(): Promise<void> {
  const { scheduler } = globalThis as { scheduler?: Scheduler };
  if (scheduler) return scheduler.postTask(() => {}, { priority: "background" });
  return new Promise((resolve) => setTimeout(resolve));
}
