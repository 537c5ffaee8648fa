import type { Readable } from "node:stream";
import { Parser } from "tar/parse";
import { NacreError } from "../error.ts";

/**
 * The one regular file of an archive that the engine made of one path.
 * @param largest bytes of its content
 * @throws NacreError `not_a_file` for a folder, a link, a device; `file_too_large`; `docker_answer_invalid` for a broken archive
 */
export async function onlyFile(archive: Readable, largest: number, subject: string): Promise<Buffer> {
  const found: Buffer[] = [];
  let size = 0;
  let entries = 0;
  const fault = (code: string, message: string): NacreError => new NacreError({ code, subject, message });
  const parser = new Parser({
    strict: true,
    onReadEntry(entry) {
      entries += 1;
      if (entries > 1 || (entry.type !== "File" && entry.type !== "OldFile")) {
        parser.abort(fault("not_a_file", `is a ${entries > 1 ? "folder" : kindOf(entry.type)}, not a file`));
        return;
      }
      if (entry.size > largest) {
        parser.abort(
          fault("file_too_large", `has ${entry.size} bytes, and ${largest} are the most that is read`),
        );
        return;
      }
      entry.on("data", (piece: Buffer) => {
        size += piece.length;
        found.push(piece);
      });
    },
  });
  try {
    await new Promise<void>((done, fail) => {
      parser.on("error", fail);
      parser.on("end", done);
      archive.on("error", fail);
      // An engine that ends in the middle closes without an end.
      archive.on("close", () => {
        if (!archive.readableEnded) fail(fault("docker_answer_invalid", "its archive ends early"));
      });
      archive.on("data", (piece: Buffer) => parser.write(piece));
      archive.on("end", () => parser.end());
    });
  } catch (error) {
    archive.destroy();
    if (error instanceof NacreError) throw error;
    throw fault("docker_answer_invalid", `its archive is broken: ${(error as Error).message}`);
  }
  if (entries === 0) throw fault("docker_answer_invalid", "its archive holds nothing");
  return Buffer.concat(found, size);
}

const kindOf = (type: string): string =>
  ({ Directory: "folder", SymbolicLink: "symbolic link", Link: "hard link" })[type] ?? type;
