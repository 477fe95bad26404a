// ESLint over some files: node lint.mjs LINTER RECOMMENDED FILE…, where the first two are modules.
// It prints what it finds, a line each, and ends with 1 if there is anything.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

import own from "../../eslint.config.mjs";

const [linterPath, recommendedPath, ...files] = process.argv.slice(2);
const { Linter } = await import(pathToFileURL(linterPath));
const { default: recommended } = await import(pathToFileURL(recommendedPath));

const config = [recommended.configs.recommended, ...own];
for (const file of files) {
  for (const found of new Linter().verify(readFileSync(file, "utf8"), config, { filename: file })) {
    console.log(`${file}:${found.line}: ${found.message} (${found.ruleId})`);
    process.exitCode = 1;
  }
}
