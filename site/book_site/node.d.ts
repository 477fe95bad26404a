// As much of Node.js as katex_pipe.js uses: the whole of its types would be another package.
declare const process: { argv: string[]; stdin: unknown; stdout: { write(text: string): void } };

declare module "node:readline" {
  export function createInterface(options: { input: unknown }): {
    on(event: "line", heard: (line: string) => void): void;
  };
}
