// Builds what the wheel carries: the bundle, its stylesheet, and BertViz's libraries for its documents.
import { readFile, writeFile } from "node:fs/promises";
import { build } from "esbuild";

const out = "src/attnwidget/static";
const result = await build({
  entryPoints: { widget: "js/entry/widget.ts" },
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  charset: "utf8",
  metafile: true,
});
await build({ entryPoints: { widget: "js/style.css" }, outdir: out, bundle: true, minify: true });

// Not in the bundle: read by Python when a BertViz document is made. BertViz wants d3 version 5.
const libraries = ["node_modules/jquery/dist/jquery.min.js", "node_modules/d3/dist/d3.min.js"];
const sources = await Promise.all(libraries.map((path) => readFile(path, "utf8")));
await writeFile(`${out}/bertviz_libs.js`, sources.join("\n;\n"));

for (const [file, { bytes }] of Object.entries(result.metafile.outputs)) {
  console.log(`${file}  ${(bytes / 1000).toFixed(1)} kB`);
}
