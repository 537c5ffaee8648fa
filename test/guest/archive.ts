/** A file, folder or link of an initramfs, owned by root. */
export interface Entry {
  readonly path: string;
  readonly mode: number;
  /** A file's bytes, a link's target. */
  readonly content?: Buffer | string;
}

export const folder = (path: string): Entry => ({ path, mode: 0o040755 });
export const file = (path: string, content: Buffer | string, mode = 0o644): Entry => ({
  path,
  mode: 0o100000 | mode,
  content,
});
export const link = (path: string, target: string): Entry => ({ path, mode: 0o120777, content: target });

/** A cpio archive as the kernel unpacks it (Documentation/driver-api/early-userspace/buffer-format.rst, "newc"). */
export function archive(entries: readonly Entry[]): Buffer {
  const parents = new Set(entries.flatMap(({ path }) => ancestors(path)));
  for (const { path } of entries) parents.delete(path);
  const all = [...[...parents].sort().map(folder), ...entries, { path: "TRAILER!!!", mode: 0 }];
  return Buffer.concat(all.flatMap((entry, index) => member(entry, index + 1)));
}

/** `a/b/c` has `a` and `a/b`. */
const ancestors = (path: string): string[] => {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
};

function member({ path, mode, content = "" }: Entry, inode: number): Buffer[] {
  const data = Buffer.from(content);
  const name = Buffer.from(`${path}\0`);
  const links = 1;
  const fields = [inode, mode, 0, 0, links, 0, data.length, 0, 0, 0, 0, name.length, 0];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
  return [padded(Buffer.concat([Buffer.from(header), name])), padded(data)];
}

const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
