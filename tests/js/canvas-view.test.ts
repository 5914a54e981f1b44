/** The frame that views on canvas share. */
import { expect, test } from "vitest";
import { createCanvasView, type Painter, resizeCanvas } from "../../js/draw/canvas-view";
import { createScope } from "../../js/ui/scope";
import { Element_, openPage } from "./page";

function open(more: Partial<Painter> = {}) {
  const page = openPage();
  const host = new Element_("div");
  const [life, done, errors] = [new AbortController(), [] as string[], [] as unknown[]];
  let changeTheme = () => {};
  const theme = {
    dark: false,
    subscribe(listener: () => void) {
      changeTheme = listener;
    },
  };
  const painter: Painter = {
    arrange(width) {
      done.push(`arrange ${width}`);
      return true;
    },
    paint: ({ font }) => done.push(`paint in ${font}`),
    themed: () => done.push("themed"),
    ...more,
  };
  const scope = createScope(life.signal, (error) => errors.push(error));
  const view = createCanvasView(host as unknown as HTMLElement, painter, { ...scope, theme });
  return { page, host, view, done, errors, life, changeTheme: () => changeTheme() };
}

test("nothing is painted before its frame, and all requests of a frame are one picture", () => {
  const { page, view, done } = open();
  view.request();
  view.relayout();
  view.request();
  expect(done).toEqual([]);
  page.frame();
  expect(done).toEqual(["arrange 800", "paint in sans"]);
  view.request();
  page.frame();
  expect(done.slice(2)).toEqual(["paint in sans"]);
});

test("another width is laid out, the same width is not", () => {
  const { page, host, view, done } = open();
  view.open();
  page.resize();
  page.frame();
  expect(done.length).toBe(2);
  host.clientWidth = 300;
  page.resize();
  page.frame();
  expect(done.slice(2)).toEqual(["arrange 300", "paint in sans"]);
});

test("a view out of sight keeps its picture, and is laid out when it has room", () => {
  const { page, host, view, done } = open();
  host.clientWidth = 0;
  view.open();
  expect(done).toEqual([]);
  host.clientWidth = 500;
  page.resize();
  page.frame();
  expect(done).toEqual(["arrange 500", "paint in sans"]);
});

test("nothing is painted while there is nothing to lay out", () => {
  let isHere = false;
  const { page, view, done } = open({ arrange: () => isHere });
  view.open();
  expect(done).toEqual([]);
  isHere = true;
  view.request();
  page.frame();
  expect(done).toEqual(["paint in sans"]);
});

test("another theme renews the tables of colours, then the picture", () => {
  const { page, view, done, changeTheme } = open();
  view.open();
  changeTheme();
  page.frame();
  expect(done.slice(2)).toEqual(["themed", "paint in sans"]);
});

test("what a picture throws is told to the scope, and the view goes on", () => {
  let isBroken = true;
  const painted: string[] = [];
  const { page, view, errors } = open({
    paint() {
      if (isBroken) throw new Error("it broke");
      painted.push("again");
    },
  });
  view.request();
  page.frame();
  expect(String(errors)).toBe("Error: it broke");
  isBroken = false;
  view.request();
  page.frame();
  expect([painted, errors.length]).toEqual([["again"], 1]);
});

test("a view that has ended paints no more", () => {
  const { page, view, done, life } = open();
  view.request();
  life.abort();
  page.frame();
  expect(done).toEqual([]);
});

test("a canvas has as many pixels as the screen has in its size", () => {
  openPage();
  globalThis.devicePixelRatio = 1.5;
  const canvas = new Element_("canvas");
  resizeCanvas(canvas as unknown as HTMLCanvasElement, 101, 40);
  expect([canvas.width, canvas.height]).toEqual([152, 60]);
  expect(canvas.style).toMatchObject({ width: "101px", height: "40px" });
});
