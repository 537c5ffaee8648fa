import { rename, rm, stat, writeFile } from "node:fs/promises";

/**
 * Puts a text in the place of a file that a person keeps: whole or not at all, in its mode.
 * @param check reads the draft before it takes the place; what it throws leaves the file as it was
 */
export async function replaceFile(
  file: string,
  text: string,
  check: (draft: string) => void = () => undefined,
): Promise<void> {
  const draft = `${file}.nacre-new.yaml`;
  try {
    await writeFile(draft, text, { mode: (await stat(file)).mode & 0o777 });
    check(draft);
    await rename(draft, file);
  } finally {
    await rm(draft, { force: true });
  }
}
