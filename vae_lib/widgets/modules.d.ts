// The joined text of a module, as _assets.py reads `import text from "./file.js?raw"`.
declare module "*?raw" {
  const text: string;
  export default text;
}

interface Window {
  bookDigits?: string; // in base64: see _digits.py
}
