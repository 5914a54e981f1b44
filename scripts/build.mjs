// Builds what the wheel carries: the bundle, its stylesheet, and BertViz's libraries for its documents.
import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const out = "src/attnwidget/static";
// For a debugger: `npm run build -- --plain` writes code that a person can read.
const isPlain = process.argv.includes("--plain");

// widget.js has the code compressed, because a notebook stores widget.js once for each widget, and
// the compressed code has about half of the bytes. The first widget of a page unpacks the code. The
// others use the same module, found by the digest of the code.
//
// page.js is the same for a page without Python: widget.js and the page's own authority. Python puts
// the state after the code, so page.js gives its function under the name "openSaved".
function packed(code, name) {
  const local = name === "default" ? "widget" : name;
  const digest = createHash("sha256").update(code).digest("hex").slice(0, 16);
  return `// attnwidget, compressed. The source: js/ in the project's repository.
const key = Symbol.for("attnwidget ${digest}");
const unpack = async () => {
  const letters = atob(packed);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = letters.charCodeAt(i);
  const code = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const blob = new Blob([await new Response(code).text()], { type: "text/javascript" });
  const url = URL.createObjectURL(blob);
  try {
    return (await import(url)).${name};
  } finally {
    URL.revokeObjectURL(url);
  }
};
const packed = "${gzipSync(code, { level: 9 }).toString("base64")}";
globalThis[key] ??= unpack();
let ${local};
try {
  ${local} = await globalThis[key];
} catch (error) {
  delete globalThis[key];
  throw error;
}
${name === "default" ? "export default widget;\n" : ""}`;
}

const { outputFiles } = await build({
  entryPoints: { widget: "js/entry/anywidget.ts", page: "js/entry/page.ts" },
  outdir: out,
  bundle: true,
  minify: !isPlain,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  // Signs such as √ and − as they are: their escapes take twice the bytes.
  charset: "utf8",
  write: false,
});
await mkdir(out, { recursive: true });
const kB = (text) => `${(Buffer.byteLength(text) / 1000).toFixed(1)} kB`;
for (const { path, text } of outputFiles) {
  const isPage = path.endsWith("page.js");
  // The code of a page is not imported: what it exports is not a module's.
  const plain = isPage ? text.replace(/export \{\s*openSaved\s*\};?\s*$/, "") : text;
  const bundle = isPlain ? plain : packed(text, isPage ? "openSaved" : "default");
  const file = `${out}/${isPage ? "page" : "widget"}.js`;
  await writeFile(file, bundle);
  console.log(`${file}  ${kB(bundle)}, unpacked ${kB(text)}`);
}
await build({ entryPoints: { widget: "js/style.css" }, outdir: out, bundle: true, minify: true });

// Not in the bundle: read by Python when a BertViz document is made. BertViz wants d3 version 5.
const libraries = ["node_modules/jquery/dist/jquery.min.js", "node_modules/d3/dist/d3.min.js"];
const sources = await Promise.all(libraries.map((path) => readFile(path, "utf8")));
await writeFile(`${out}/bertviz_libs.js`, sources.join("\n;\n"));
