// Formulas in, HTML out, a line of JSON each: the other end of Renderer in mathematics.py.
// It ends when its input does, so it cannot outlive the build that started it.
const katex = require(process.argv[2]);

const lines = require("node:readline").createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const { formula, options } = JSON.parse(line);
  let answer;
  try {
    answer = { html: katex.renderToString(formula, options) };
  } catch (error) {
    answer = { error: error instanceof Error ? error.message : String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
});
