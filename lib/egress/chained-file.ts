import { hash as hashOf } from "node:crypto";
import fs from "node:fs";
import { limits } from "./limits.ts";

/** JSON lines of which each names the hash of the one before, through all files that rotation made. */
export class ChainedFile {
  readonly #file: string;
  readonly #bytes: number;
  #fd: number;
  #size: number;
  /** Of the last line that is in the file, and of the last one that is to be. */
  #written: string;
  #prev: string;
  #lines: string[] = [];

  /**
   * Opens or makes the file (0600), and goes on with its chain. Throws where it cannot.
   * @param bytes of one file; a longer one is rotated before the next line
   */
  constructor(file: string, bytes: number) {
    this.#file = file;
    this.#bytes = bytes;
    this.#fd = open(file);
    const end = lastLine(this.#fd);
    this.#size = end.size;
    this.#written = this.#prev = end.hash;
    if (end.torn) this.#size += fs.writeSync(this.#fd, "\n");
  }

  /** `record`, which has a field, with `prev` is the next line, from the next `flush` on. */
  append(record: object): void {
    const line = `${JSON.stringify(record).slice(0, -1)},"prev":"${this.#prev}"}`;
    this.#lines.push(`${line}\n`);
    this.#prev = hashOf("sha256", line, "hex");
  }

  /** Writes what was appended. Throws where it cannot: those lines are gone, and the chain goes on without them. */
  flush(): void {
    const text = this.#lines.join("");
    this.#lines = [];
    try {
      if (this.#size > this.#bytes) this.#rotate();
      this.#size += this.#write(text);
      this.#written = this.#prev;
    } catch (error) {
      this.#prev = this.#written;
      throw error;
    }
  }

  close(): void {
    fs.closeSync(this.#fd);
  }

  /** The whole of it, or nothing: a disk that is nearly full takes a part of what it is given. */
  #write(text: string): number {
    const bytes = Buffer.from(text);
    const written = fs.writeSync(this.#fd, bytes);
    if (written === bytes.length) return written;
    fs.ftruncateSync(this.#fd, fs.fstatSync(this.#fd).size - written);
    throw new Error(`only ${written} of ${bytes.length} bytes could be written`);
  }

  /** `audit.jsonl` becomes `audit.jsonl.1`, and so on; the chain goes on in the new file. */
  #rotate(): void {
    for (let index = limits.auditFiles - 1; index >= 1; index--) {
      const from = `${this.#file}.${index}`;
      if (fs.existsSync(from)) fs.renameSync(from, `${this.#file}.${index + 1}`);
    }
    fs.renameSync(this.#file, `${this.#file}.1`);
    const before = this.#fd;
    this.#fd = open(this.#file);
    this.#size = 0;
    fs.closeSync(before);
  }
}

function open(file: string): number {
  const { O_APPEND, O_CREAT, O_RDWR, O_NOFOLLOW } = fs.constants;
  return fs.openSync(file, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
}

/** The end of the chain so far; `torn` where a kill left a line without its line feed. */
function lastLine(fd: number): { size: number; hash: string; torn: boolean } {
  const { size } = fs.fstatSync(fd);
  if (size === 0) return { size, hash: "0".repeat(64), torn: false };
  const tail = Buffer.alloc(Math.min(size, 256 * 1024));
  fs.readSync(fd, tail, 0, tail.length, size - tail.length);
  const torn = tail[tail.length - 1] !== 0x0a;
  const text = torn ? tail : tail.subarray(0, -1);
  const line = text.subarray(text.lastIndexOf(0x0a) + 1);
  return { size, hash: hashOf("sha256", line, "hex"), torn };
}
