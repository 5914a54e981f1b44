/// <reference types="vite/types/importMeta.d.ts" />
/** Imports point one way, from a folder to the folders before it; and no function is long. */
import { expect, test } from "vitest";

const ORDER = [
  "wire",
  "maths",
  "state",
  "saved",
  "explain",
  "ui",
  "draw",
  "card",
  "views",
  "entry",
];
/** How numbers are written is needed where an invariant is said in words. */
const EXCEPTIONS = ["maths/invariants -> explain/numbers"];
const ROOT = "../../js/";

const sources = import.meta.glob<string>("../../js/**/*.ts", {
  query: "?raw",
  import: "default",
  eager: true,
});

/** The module that `path` means in the module `from`; a folder is its index. */
function resolve(from: string, path: string, modules: ReadonlySet<string>): string {
  const parts = from.split("/").slice(0, -1);
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  const name = parts.join("/");
  return modules.has(name) ? name : `${name}/index`;
}

function readImports(): Map<string, string[]> {
  const nameOf = (file: string) => file.slice(ROOT.length).replace(/(\.d)?\.ts$/, "");
  const modules = new Set(Object.keys(sources).map(nameOf));
  const importsOf = (name: string, source: string) =>
    Array.from(source.matchAll(/(?:from |import |import\()"(\.[^"]+)"/g), ([, path]) =>
      resolve(name, path as string, modules),
    );
  return new Map(
    Object.entries(sources).map(([file, source]) => [
      nameOf(file),
      importsOf(nameOf(file), source),
    ]),
  );
}

const imports = readImports();
const arrows = Array.from(imports, ([from, all]) => all.map((to) => ({ from, to }))).flat();
const say = ({ from, to }: { from: string; to: string }) => `${from} -> ${to}`;
const folder = (module: string) => module.split("/")[0];

test("every import is of a module, and every module is in a folder of the order", () => {
  expect(arrows.filter(({ to }) => !imports.has(to)).map(say)).toEqual([]);
  expect(new Set(Array.from(imports.keys(), folder))).toEqual(new Set(ORDER));
});

test("a folder imports only the folders before it", () => {
  const rank = (module: string) => ORDER.indexOf(folder(module));
  const wrong = arrows.filter(({ from, to }) => rank(to) > rank(from)).map(say);
  expect(wrong).toEqual(EXCEPTIONS);
});

test("no view imports another view", () => {
  const viewOf = (module: string) => /^views\/(\w+)\//.exec(module)?.[1];
  const wrong = arrows.filter(
    ({ from, to }) => viewOf(from) && folder(to) === "views" && viewOf(from) !== viewOf(to),
  );
  expect(wrong.map(say)).toEqual([]);
});

test("no modules import each other in a circle", () => {
  const done = new Set<string>();
  const visit = (module: string, path: readonly string[]) => {
    expect(path).not.toContain(module);
    if (done.has(module)) return;
    for (const to of imports.get(module) ?? []) visit(to, [...path, module]);
    done.add(module);
  };
  for (const module of imports.keys()) visit(module, []);
});

/** Functions as the formatter writes them: the last brace is below the first letter. */
function functionLengths(source: string): { first: string; length: number }[] {
  const lines = source.split("\n");
  return lines.flatMap((first, i) => {
    const start = /^( *)(?:.*\bfunction\b.*|.*=> \{|\w.*\) \{)$/.exec(first);
    if (!start) return [];
    const isEnd = (line: string) => line.startsWith(`${start[1]}}`) && !line.endsWith("{");
    const end = lines.findIndex((line, j) => j > i && isEnd(line));
    return [{ first, length: end - i + 1 }];
  });
}

test("no function has more than 120 lines", () => {
  const all = Object.entries(sources).flatMap(([file, source]) =>
    functionLengths(source).map(({ first, length }) => ({ file, first, length })),
  );
  expect(all.length).toBeGreaterThan(500);
  expect(Math.max(...all.map(({ length }) => length))).toBeGreaterThan(50);
  expect(all.filter(({ length }) => length > 120)).toEqual([]);
});
