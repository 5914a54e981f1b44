/** Questions that Python answers with a message, for what is too large for a trait. */
import type { AnyModel } from "@anywidget/types";
import type { Traits } from "../wire/schema";
import { NotSaved, type Waiting } from "./waiting";

export interface Answer {
  content: unknown;
  buffers: DataView[];
}

/** An answer, or how far the answer of a long question is. */
interface Reply {
  id?: string;
  error?: string;
  type?: string;
  of?: string;
  done?: number;
  total?: number;
}

export function createQuestions(
  model: AnyModel<Traits>,
  waiting: () => Waiting,
  /** An id that no other question has, of this page or of another. */
  name: () => string,
) {
  const open = new Set<(error: Error) => void>();

  /** Wait for the reply with this id; the question is sent when all is ready to hear it. */
  function wait(
    id: string,
    content: object,
    until: AbortSignal,
    progress?: (done: number, total: number) => void,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const hear = (reply: Reply, buffers: DataView[]) => {
        if (reply?.type === "progress" && reply.of === id) {
          waiting().answered();
          progress?.(reply.done as number, reply.total as number);
        }
        if (reply?.id !== id) return;
        end(reply.error ? new Error(reply.error) : undefined);
        waiting().answered();
        resolve({ content: reply, buffers });
      };
      const end = (error?: Error) => {
        model.off("msg:custom", hear);
        until.removeEventListener("abort", abort);
        open.delete(end);
        waiting().rest();
        if (error) reject(error);
      };
      const abort = () => end(until.reason);
      model.on("msg:custom", hear);
      until.addEventListener("abort", abort);
      open.add(end);
      try {
        model.send({ ...content, id });
        waiting().asked();
      } catch (error) {
        end(new NotSaved("This", error));
      }
    });
  }

  return {
    /** How many have no answer yet. */
    get size() {
      return open.size;
    },
    /** There is nobody who will answer. */
    end() {
      for (const end of [...open]) end(new NotSaved());
    },
    /** Tell Python to stop a long question; the question itself is answered. */
    stop(kind: "run" | "scan") {
      if (waiting().live) model.send({ type: "stop", of: kind });
    },
    /** Ask for the whole state. Where nobody hears the page, its state is the only state. */
    resync() {
      if (!waiting().live) return;
      try {
        model.send({ type: "resync" });
      } catch {
        // A host without Python may throw.
      }
    },
    /**
     * Ask. What a view asks as soon as it is there may have come with the state. A question ends with
     * its answer, with an AbortError when `until` does, or with `NotSaved` where there is no Python.
     */
    async ask(
      content: object,
      until: AbortSignal,
      progress?: (done: number, total: number) => void,
    ): Promise<Answer> {
      const early = model.get("_early_answer");
      if (early && Object.entries(content).every(([key, value]) => early.asked[key] === value)) {
        return { content: early.answer, buffers: early.buffers };
      }
      if (until.aborted) throw until.reason;
      if (!waiting().live) throw new NotSaved();
      return wait(name(), content, until, progress);
    },
  };
}
