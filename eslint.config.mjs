// What ESLint asks beyond its recommended rules, which tests/unit/lint.mjs adds.
export default [
  {
    files: ["**/*.js", "**/*.mjs"],
    rules: {
      "no-undef": "off", // the type checker knows which names there are
      "no-unused-vars": ["error", { args: "all", argsIgnorePattern: "^_$" }],
      "no-var": "error",
      "prefer-const": "error",
      "prefer-template": "error",
      "object-shorthand": "error",
      eqeqeq: ["error", "always", { null: "ignore" }],
      "no-unused-expressions": ["error", { allowShortCircuit: true }],
      "max-len": ["error", { code: 120 }],
      "max-lines-per-function": ["error", { max: 45, skipBlankLines: true, skipComments: true }],
      "no-restricted-syntax": [
        "error",
        {
          selector: "TemplateElement[value.raw=/\\n/]",
          message: "A string of several lines could hide a statement from vae_lib/widgets/_assets.py.",
        },
      ],
    },
  },
];
