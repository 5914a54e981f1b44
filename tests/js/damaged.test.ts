/** A saved page whose state was changed by hand says so, and allocates nothing for what it does not have. */
import { expect, it } from "vitest";
import { openSaved } from "../../js/entry/page";
import { readChunks, type SavedFile } from "../../js/saved/file";
import { type Element_, openPage } from "./page";
import { fileOf } from "./saved-file";

const firstQ = (file: SavedFile) => {
  const { Q } = file.stacks[0].heads[0].arrays;
  if (!Q) throw new Error("the head has no Q");
  return Q;
};
const CHANGES: Record<string, [(file: SavedFile) => void, RegExp]> = {
  "a shape of gigabytes": [(file) => firstQ(file).shape.push(2 ** 40), /not whole/],
  "a shape of gigabytes of rounded numbers": [
    (file) => Object.assign(firstQ(file), { dtype: "uint16", shape: [2 ** 40, 1] }),
    /not whole/,
  ],
  "a place before the bytes": [(file) => Object.assign(firstQ(file), { at: -4 }), /not whole/],
  "another type": [(file) => Object.assign(firstQ(file), { dtype: "constructor" }), /not whole/],
  "a chunk that is missing": [(file) => Object.assign(firstQ(file), { chunk: 7 }), /not whole/],
  "bytes that are no base64": [(file) => Object.assign(file.chunks[0], { data: "<b>" }), /./],
  "bytes that are not packed": [(file) => Object.assign(file.chunks[0], { isPacked: true }), /./],
};

it.each(Object.entries(CHANGES))("%s", async (_name, [change, words]) => {
  const page = openPage();
  const file = fileOf();
  change(file);
  const end = await openSaved({ el: page.body as unknown as HTMLElement }, file);
  const alert = page.root.children[0] as Element_;
  expect(alert.textContent).toMatch(/^This page is damaged: /);
  expect(alert.textContent).toMatch(words);
  end();
  expect(page.root.children).toHaveLength(0);
});

it("a chunk that unpacks to more than a page may have", async () => {
  const file = fileOf();
  const zeros = new Blob([new Uint8Array(100_000)]).stream();
  const gzip = await new Response(zeros.pipeThrough(new CompressionStream("gzip"))).arrayBuffer();
  const data = btoa(String.fromCharCode(...new Uint8Array(gzip)));
  file.chunks[0] = { isPacked: true, data };
  expect(data.length).toBeLessThan(1000);
  await expect(readChunks(file, 99_999)).rejects.toThrow("an array of this page is too large");
  await expect(readChunks(file, 100_000)).resolves.toBeInstanceOf(Function);
});
