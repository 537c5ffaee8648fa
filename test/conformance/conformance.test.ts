import { join } from "node:path";
import { expect, test } from "vitest";
import { libraryIn } from "./library.ts";
import { resultsOf } from "./suite.ts";

const results = resultsOf(await libraryIn(join(import.meta.dirname, "../../lib")));

test.each([...new Set(results.map(({ file }) => file))])("every case of %s holds", (file) => {
  const wrong = results.filter((one) => one.file === file && one.wrong !== undefined);
  expect(wrong).toEqual([]);
});

test("there are hundreds of cases, each with its reason, and none stands there twice", () => {
  expect(results.length).toBeGreaterThan(900);
  expect(results.filter(({ name }) => !/: \S/.test(name))).toEqual([]);
  const names = results.map(({ file, name }) => `${file} ${name}`);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});
