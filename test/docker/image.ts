import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  createReadStream,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";

export interface ImageParts {
  /** `name:version` */
  readonly tag: string;
  /** Where it goes in the image → the file that it is, or its text. */
  readonly files: Readonly<Record<string, { readonly from: string } | { readonly text: string }>>;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly environment?: readonly string[];
  /** Folders for which each container gets a volume, unless it brings one. */
  readonly volumes?: readonly string[];
}

export interface BuiltImage {
  /** A `docker save` archive, in a folder of its own. */
  readonly tar: string;
  /** The image's id, `sha256:…`: what names it without a registry. */
  readonly digest: string;
  readonly bytes: number;
  remove(): void;
}

/** Busybox' programs that the tests' images use; each is a link to the one static program. */
const applets =
  "sh awk base64 cat chmod cp cut date dd echo env find grep head hostname httpd id kill ln ls mkdir mount mv nc od printf ps pwd rm sed seq sleep sort stat sync tail tee test touch tr true umount uname wc wget xargs";

/** An image of static programs over busybox, made without a registry or a daemon. */
export async function buildImage(parts: ImageParts): Promise<BuiltImage> {
  const folder = mkdtempSync(join(tmpdir(), "nacre-image-"));
  const root = join(folder, "root");
  for (const name of ["bin", "dev", "etc", "proc", "root", "sys", "tmp", "usr/bin", "var/run"])
    mkdirSync(join(root, name), { recursive: true });
  chmodSync(join(root, "tmp"), 0o1777);
  put(join(root, "bin/busybox"), { from: "/bin/busybox" });
  for (const applet of applets.split(" ")) symlinkSync("busybox", join(root, "bin", applet));
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  writeFileSync(join(root, "etc/group"), "root:x:0:\n");
  for (const [path, file] of Object.entries(parts.files)) put(join(root, path), file);

  const same = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"];
  execFileSync("tar", [...same, "-C", root, "-cf", join(folder, "layer.tar"), "."]);
  rmSync(root, { recursive: true });
  const hash = createHash("sha256");
  await pipeline(createReadStream(join(folder, "layer.tar")), hash);
  const config = JSON.stringify({
    architecture: "amd64",
    os: "linux",
    created: "2026-01-01T00:00:00Z",
    config: {
      Entrypoint: parts.entrypoint ?? null,
      Cmd: parts.command ?? null,
      Env: ["PATH=/bin:/usr/bin", ...(parts.environment ?? [])],
      Labels: parts.labels ?? {},
      Volumes: Object.fromEntries((parts.volumes ?? []).map((path) => [path, {}])),
    },
    rootfs: { type: "layers", diff_ids: [`sha256:${hash.digest("hex")}`] },
  });
  const id = createHash("sha256").update(config).digest("hex");
  writeFileSync(join(folder, `${id}.json`), config);
  const manifest = [{ Config: `${id}.json`, RepoTags: [parts.tag], Layers: ["layer.tar"] }];
  writeFileSync(join(folder, "manifest.json"), JSON.stringify(manifest));
  const tar = join(folder, "image.tar");
  const contents = readdirSync(folder);
  execFileSync("tar", [...same, "-C", folder, "-cf", tar, ...contents]);
  for (const name of contents) rmSync(join(folder, name));
  const bytes = Number(execFileSync("stat", ["-c", "%s", tar]).toString());
  const remove = () => rmSync(folder, { recursive: true, force: true });
  return { tar, digest: `sha256:${id}`, bytes, remove };
}

function put(path: string, file: ImageParts["files"][string]): void {
  mkdirSync(dirname(path), { recursive: true });
  if ("text" in file) writeFileSync(path, file.text, { mode: 0o755 });
  else linkOrCopy(realpathSync(file.from), path);
}

/** Binaries of a hundred megabytes: linked where they can be. */
function linkOrCopy(from: string, to: string): void {
  if (!existsSync(from)) throw new Error(`${from} is not there`);
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
    chmodSync(to, 0o755);
  }
}
