import imports from "eslint-plugin-import-x";
import tseslint from "typescript-eslint";

/**
 * Imports go one way (the layering of the layout). A folder may import what stands in its row, and itself;
 * `error.ts` at the root of `lib` is everyone's.
 */
const layers = {
  policy: [],
  blueprint: ["policy"],
  constructs: ["blueprint", "policy"],
  synth: ["constructs", "blueprint", "policy"],
  docker: [],
  router: ["policy"],
  egress: ["router", "policy"],
  host: ["egress", "router", "policy", "blueprint", "synth/host-objects.ts"],
  gateway: ["docker", "host"],
  provider: ["gateway", "docker", "host", "synth/host-objects.ts", "policy"],
  pulumi: ["synth", "constructs", "blueprint", "policy"],
  cli: [
    "pulumi",
    "provider",
    "gateway",
    "host",
    "docker",
    "egress",
    "router",
    "synth",
    "constructs",
    "blueprint",
    "policy",
  ],
};
const folders = Object.keys(layers);
const pure = ["policy", "blueprint", "constructs", "synth"];

const zones = folders.map((target) => ({
  target: `./lib/${target}`,
  from: "./lib",
  except: [
    `./${target}`,
    "./error.ts",
    "./needs-node.ts",
    "./version.ts",
    ...layers[target].map((name) => `./${name}`),
  ],
  message: `lib/${target} may import ${layers[target].map((name) => `lib/${name}`).join(", ") || "no other folder"}`,
}));

/** The two synthesisers share nothing but the tree: neither may come to depend on the other's objects. */
const synthesisers = [
  ["kubernetes", ["host.ts", "host-objects.ts", "host-refusals.ts", "host-render.ts"]],
  ["kubernetes.ts", ["host.ts", "host-objects.ts", "host-refusals.ts", "host-render.ts"]],
  ["host.ts", ["kubernetes", "kubernetes.ts"]],
  ["host-render.ts", ["kubernetes", "kubernetes.ts"]],
  ["host-refusals.ts", ["kubernetes", "kubernetes.ts"]],
  ["host-objects.ts", ["kubernetes", "kubernetes.ts"]],
].flatMap(([target, others]) =>
  others.map((other) => ({
    target: `./lib/synth/${target}`,
    from: `./lib/synth/${other}`,
    message: "the synthesisers share nothing but the tree",
  })),
);

export default tseslint.config(
  { ignores: ["node_modules/**", "dist/**", "lib/launcher/target/**"] },
  {
    files: ["**/*.ts"],
    extends: [...tseslint.configs.strictTypeChecked],
    plugins: { "import-x": imports },
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: `${import.meta.dirname}/..` },
    },
    rules: {
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true },
      ],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "@typescript-eslint/consistent-type-imports": "error",
      "no-restricted-exports": [
        "error",
        { restrictDefaultExports: { direct: true, named: true, defaultFrom: true } },
      ],
      "import-x/no-restricted-paths": [
        "error",
        { basePath: `${import.meta.dirname}/..`, zones: [...zones, ...synthesisers] },
      ],
    },
  },
  {
    files: pure.map((folder) => `lib/${folder}/**/*.ts`),
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            {
              group: [
                "node:fs",
                "node:fs/*",
                "node:net",
                "node:child_process",
                "node:http",
                "node:https",
                "node:dns",
                "node:os",
              ],
              message: "policy, blueprint, constructs and synth do no input or output",
            },
          ],
        },
      ],
    },
  },
  {
    // The protocol edge: the SDK's gRPC stubs are untyped CommonJS.
    files: ["lib/provider/wire.ts", "lib/provider/service.ts", "test/**/*.ts"],
    rules: {
      "@typescript-eslint/no-explicit-any": "off",
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-call": "off",
      "@typescript-eslint/no-unsafe-member-access": "off",
      "@typescript-eslint/no-unsafe-argument": "off",
      "@typescript-eslint/no-unsafe-return": "off",
      "@typescript-eslint/no-non-null-assertion": "off",
    },
  },
  {
    // The Kubernetes client's models are classes of fields alone, and are written as literals.
    files: ["test/cluster/**/*.ts"],
    rules: { "@typescript-eslint/no-unsafe-class-instance-assignment": "off" },
  },
  {
    files: [".config/*.ts"],
    rules: { "no-restricted-exports": "off" },
  },
);
