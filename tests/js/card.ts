/** A card on a page, as a host shows it. */
import type { AnyModel } from "@anywidget/types";
import card from "../../js/entry/widget";
import type { Traits } from "../../js/wire/schema";
import { type FakeOptions, fakeModel } from "./model";
import { type Element_, openPage } from "./page";

export function openCard(more: Partial<Traits> = {}, options: FakeOptions = {}) {
  const page = openPage();
  const fake = fakeModel(more, options);
  const life = new AbortController();
  const { initialize, render } = card();
  const host = { model: fake.model as AnyModel<Traits>, signal: life.signal };
  initialize(host);
  render({ ...host, el: page.body });
  const root = page.root.children[0] as Element_;
  const alert = () =>
    root.querySelector(".aw-alert").hidden ? "" : root.querySelector(".aw-alert").textContent;
  return { page, fake, root, alert, life, $: (selector: string) => root.querySelector(selector) };
}
