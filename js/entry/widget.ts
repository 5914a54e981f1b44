/** The anywidget module: a store for each model, a card for each view of it. */
import type { AnyModel } from "@anywidget/types";
import { createBadge } from "../card/badge";
import { createEffect } from "../card/effect/panel";
import { createExperiments } from "../card/experiments";
import { createFooter } from "../card/footer";
import { createGenerated } from "../card/generated";
import { createMistakes } from "../card/mistakes";
import { createModelText } from "../card/model-text";
import { lacking } from "../card/needs";
import { createNotice } from "../card/notice";
import { createReport } from "../card/report";
import { createBar } from "../card/status";
import { createToolbar } from "../card/toolbar";
import { listenToUndo } from "../card/undo";
import { currentView, type Env, type ViewName } from "../card/view";
import type { Theme } from "../draw/theme";
import { type ComparisonTraits, createComparisonStore } from "../state/comparison";
import { createStore, type Store } from "../state/store";
import { createAlert } from "../ui/alert";
import { h, text } from "../ui/dom";
import { createFocus } from "../ui/focus";
import { createScope, type Scope } from "../ui/scope";
import { createComparison } from "../views/compare";
import { VIEWS } from "../views/registry";
import type { Traits } from "../wire/schema";
import { createTheme } from "./host";

interface Host {
  model: AnyModel<Traits>;
  el: HTMLElement;
  /** Ends with the view; hosts before anywidget 0.10 do not give one, and call what render returns. */
  signal?: AbortSignal;
}

export default () => {
  // A host may evaluate the module once for all widgets: nothing is kept outside this closure.
  let store: Store | undefined;
  const life = ({ signal }: Pick<Host, "signal">) => {
    const controller = new AbortController();
    if (signal?.aborted) controller.abort();
    signal?.addEventListener("abort", () => controller.abort());
    return controller;
  };
  return {
    initialize(host: Pick<Host, "model" | "signal">) {
      const controller = life(host);
      if (!comparison(host)) store = createStore(host.model, controller.signal);
      return () => controller.abort();
    },
    render(host: Host) {
      const controller = life(host);
      const { signal } = controller;
      const compared = comparison(host);
      if (compared) {
        const mirror = createComparisonStore(compared, signal);
        createCard(host.el, signal, (root, alert, theme, scope) =>
          createComparison(root, alert, mirror, theme, scope),
        );
        return () => controller.abort();
      }
      store ??= createStore(host.model, signal);
      const shown = store;
      createCard(host.el, signal, (root, alert, theme, scope) =>
        fill(root, alert, guarded(shown, scope), theme, scope),
      );
      return () => controller.abort();
    },
  };
};

/** The model, where it is that of two widgets compared. */
function comparison({ model }: Pick<Host, "model">): AnyModel<ComparisonTraits> | null {
  const other = model as unknown as AnyModel<ComparisonTraits>;
  return other.get("comparison") ? other : null;
}

function createCard(
  el: HTMLElement,
  signal: AbortSignal,
  draw: (root: HTMLElement, alert: HTMLElement, theme: Theme, scope: Scope) => void,
): void {
  const alert = h("div", { class: "aw-alert", role: "alert", hidden: true });
  const scope = createScope(signal, (error) => {
    alert.hidden = false;
    alert.dataset.failed = `This view failed: ${error instanceof Error ? error.message : error}`;
    text(alert, alert.dataset.failed);
    console.error(error);
  });
  const root = h("div", { class: "aw-root", "data-lm-suppress-shortcuts": "true" });
  el.append(root);
  el.style.minWidth = "0"; // beside other widgets it takes what there is
  // The notebook's own letters cut, move and turn cells: what is typed in the card stays in it, but
  // for its commands (Ctrl+S), running the cell (Shift+Enter) and leaving (Escape).
  const keep = (event: KeyboardEvent) => {
    const run = event.key === "Enter" && event.shiftKey;
    if (!event.ctrlKey && !event.metaKey && !run && event.key !== "Escape") event.stopPropagation();
  };
  scope.listen(root, "keydown", keep);
  signal.addEventListener("abort", () => root.remove());
  const theme = createTheme(root, scope);
  const dress = () => {
    root.dataset.theme = theme.dark ? "dark" : "light";
  };
  dress();
  theme.subscribe(dress, signal);
  scope.guard(() => draw(root, alert, theme, scope));
  // Over the body, where it moves nothing; at the top of a card that could not be drawn.
  (root.querySelector(".aw-stage") ?? root).prepend(alert);
}

/** The same store, with listeners whose failure shows in the card instead of stopping the others. */
function guarded(store: Store, { guard }: Scope): Store {
  return new Proxy(store, {
    get(target, name, receiver) {
      if (name !== "subscribe") return Reflect.get(target, name, receiver);
      const subscribe: Store["subscribe"] = (listener, until) =>
        target.subscribe((change) => guard(() => listener(change)), until);
      return subscribe;
    },
  });
}

function fill(
  root: HTMLElement,
  alert: HTMLElement,
  store: Store,
  theme: Theme,
  scope: Scope,
): void {
  const { signal } = scope;
  const focus = createFocus(scope);
  const env: Env = { ...scope, focus, theme };
  const head = h("header", { class: "aw-head" });
  const notices = h("div", { class: "aw-notices" });
  const lab = h("div", { class: "aw-lab" });
  const body = h("div", { class: "aw-body" });
  const stage = h("div", { class: "aw-stage" }, body);
  const below = h("div", { class: "aw-below" });
  const foot = h("footer", { class: "aw-foot" });
  const run = h("div", { class: "aw-runs" });
  root.append(head, notices, lab, stage, run, below, foot);
  createToolbar(head, store, VIEWS, env);
  createNotice(notices, store, env);
  if (store.get("generation")) createGenerated(notices, store, env);
  createBar(root, stage, store, env);
  listenToUndo(root, store, env);
  createExperiments(lab, store, env);
  createMistakes(lab, store, VIEWS, env);
  createModelText(lab, store, env);
  const hasRuns = Boolean(store.get("run_state"));
  root.dataset.runs = String(hasRuns);
  if (hasRuns) createEffect(run, store, env);
  createReport(below, store, env);
  createFooter(foot, store, VIEWS, env);

  const badge = createBadge(store, VIEWS, env);
  let open = "";
  let name: ViewName = "heatmap";
  let previous: ViewName = name;
  let ending = new AbortController();
  const showView = () => {
    const view = currentView(VIEWS, store);
    const why = view ? lacking(store, view) : `There is no view “${store.get("view")}”`;
    if (store.get("view") + why === open) return;
    open = store.get("view") + why;
    ending.abort();
    ending = new AbortController();
    body.replaceChildren(badge);
    foot.hidden = !view?.parts.includes("foot");
    if (view && view.name !== name) [previous, name] = [name, view.name];
    const until = scope.until(ending.signal);
    if (!view || why) body.append(h("p", { class: "aw-where" }, `${why}.`));
    else view.mount(body, { ...env, ...until, store, previous: () => previous });
  };

  const tell = createAlert(alert, () => store.set("error", ""), scope);
  let wordsOfField = "";
  const update = () => {
    showView();
    // Why the value of a field was refused stands under the field.
    wordsOfField = store.refused?.words ?? wordsOfField;
    const error = store.get("error");
    tell(error === wordsOfField ? "" : error);
    const { shown } = store;
    const proved = store.layers.find((layer) => layer.index === shown.layer)?.proved;
    const hooks = {
      proved: proved ?? "unknown",
      view: store.get("view"),
      ...shown,
      revision: store.get("revision"),
      pending: store.pending,
    };
    for (const [name, value] of Object.entries(hooks)) {
      if (root.dataset[name] !== String(value)) root.dataset[name] = String(value);
    }
  };
  store.subscribe(update, signal);
  update();
  root.dataset.ready = "true";
}
