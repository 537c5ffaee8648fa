import fs from "node:fs";
import path from "node:path";
import { z } from "zod";
import { NacreError } from "../error.ts";
import {
  addressOf,
  type Cidr,
  contains,
  type IpAddress,
  parseAddress,
  parseCidr,
} from "../policy/address.ts";
import { limits } from "./limits.ts";

const lineSchema = z.strictObject({ name: z.string().min(1), address: z.string().min(1) });

/**
 * Synthetic addresses that stand for names. A name keeps its address over restarts, since clients keep addresses:
 * the line is in the file before the answer is. An address goes to another name only when its own was not used for
 * an hour, and only when all the others are taken.
 */
export class AddressPool {
  readonly cidr: Cidr;
  readonly #file: string;
  readonly #complain: (message: string) => void;
  readonly #names = new Map<string, { readonly address: IpAddress; used: number }>();
  readonly #addresses = new Map<bigint, string>();
  readonly #capacity: number;
  #next: bigint;

  constructor(prefix: string, file: string, complain: (message: string) => void = () => undefined) {
    const cidr = parseCidr(prefix);
    if (cidr?.family !== 4 || cidr.bits > 24) {
      throw new NacreError({
        code: "pool_invalid",
        subject: `pool ${prefix}`,
        message: "not an IPv4 block of 256 addresses or more",
        hint: "write one that looks public to clients: 25.255.0.0/16",
      });
    }
    this.cidr = cidr;
    this.#file = file;
    this.#complain = complain;
    this.#capacity = Math.min(limits.names, 2 ** (32 - cidr.bits) - 4);
    this.#next = cidr.value + 2n;
    this.#load();
  }

  /** The first usable address: the sandbox's own, and where its DNS is. */
  get dnsAddress(): IpAddress {
    return addressOf(4, this.cidr.value + 1n);
  }

  covers(address: IpAddress): boolean {
    return contains(this.cidr, address);
  }

  /** The name that an address stands for. */
  nameOf(address: IpAddress): string | undefined {
    const name = address.family === 4 ? this.#addresses.get(address.value) : undefined;
    if (name !== undefined) this.#touch(name);
    return name;
  }

  /** The address for a name; `undefined` when all are taken by names in use, or when it could not be kept. */
  addressFor(name: string): IpAddress | undefined {
    const known = this.#names.get(name);
    if (known !== undefined) {
      this.#touch(name);
      return known.address;
    }
    const address = this.#names.size < this.#capacity ? this.#fresh() : this.#reclaim();
    if (address === undefined) return undefined;
    try {
      fs.appendFileSync(this.#file, `${JSON.stringify({ name, address: address.text })}\n`, { mode: 0o600 });
    } catch (error) {
      this.#complain(`pool: ${String(error)}`);
      return undefined;
    }
    this.#set(name, address);
    return address;
  }

  #touch(name: string): void {
    const entry = this.#names.get(name);
    if (entry === undefined) return;
    entry.used = Date.now();
    // A map keeps the order of insertion, so its first entry is the one that was used least recently.
    this.#names.delete(name);
    this.#names.set(name, entry);
  }

  #fresh(): IpAddress | undefined {
    while (this.#addresses.has(this.#next)) this.#next++;
    const address = addressOf(4, this.#next);
    return this.covers(address) ? address : undefined;
  }

  #reclaim(): IpAddress | undefined {
    const [oldest] = this.#names;
    if (oldest === undefined || Date.now() - oldest[1].used < limits.nameMs) return undefined;
    this.#names.delete(oldest[0]);
    this.#addresses.delete(oldest[1].address.value);
    return oldest[1].address;
  }

  #set(name: string, address: IpAddress): void {
    const before = this.#addresses.get(address.value);
    if (before !== undefined) this.#names.delete(before);
    this.#names.set(name, { address, used: Date.now() });
    this.#addresses.set(address.value, name);
  }

  /** Reads the file and writes it anew without the lines that later ones replaced. */
  #load(): void {
    let text: string;
    try {
      text = fs.readFileSync(this.#file, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      throw error;
    }
    const lines = text.split("\n");
    // What follows the last line feed was cut short by a kill, so it was never answered with.
    lines.pop();
    for (const [index, line] of lines.entries()) this.#read(line, index + 1);
    const kept = [...this.#names].map(([name, { address }]) =>
      JSON.stringify({ name, address: address.text }),
    );
    const temporary = path.join(path.dirname(this.#file), `.${path.basename(this.#file)}.new`);
    const fd = fs.openSync(temporary, "w", 0o600);
    fs.writeSync(fd, kept.map((line) => `${line}\n`).join(""));
    fs.fsyncSync(fd);
    fs.closeSync(fd);
    fs.renameSync(temporary, this.#file);
  }

  #read(line: string, number: number): void {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      throw corrupt(this.#file, number);
    }
    const entry = lineSchema.safeParse(value);
    const address = entry.success ? parseAddress(entry.data.address) : undefined;
    if (!entry.success || address === undefined) throw corrupt(this.#file, number);
    // Another prefix since: its names are looked up anew.
    if (this.covers(address)) this.#set(entry.data.name, address);
  }
}

function corrupt(file: string, line: number): NacreError {
  return new NacreError({
    code: "pool_corrupt",
    subject: `${file}:${line}`,
    message: "is no line of a name and its address",
    hint: "remove the file while the sandbox is stopped: its programs then look their names up anew",
  });
}
