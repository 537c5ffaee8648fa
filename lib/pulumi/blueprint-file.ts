import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import {
  gatewaySchema,
  parseBlueprint,
  readOverlay,
  readText,
  type Blueprint,
  type Catalogue,
  type GatewayDocument,
  type Overlay,
} from "../blueprint/index.ts";
import { NacreError } from "../error.ts";

/** No file that a person describes an environment with is larger. */
const LARGEST = 1024 * 1024;

/**
 * Reads a blueprint from a file. What it names is read only within its repository (the nearest folder above with
 * `.git` or `Pulumi.yaml`; without one, its own folder), symbolic links followed, so that it shows nothing else of
 * the machine.
 */
export function loadBlueprint(file: string, catalogue: Catalogue): Blueprint {
  const folder = dirname(resolve(file));
  const text = readNamed(file, "--blueprint FILE, or nacre:blueprint, relative to Pulumi.yaml");
  const read = (path: string): string => readWithin(join(folder, path), repositoryOf(folder), path);
  return parseBlueprint(text, { file, read, catalogue });
}

/** Reads what an environment sets for itself, from a file of the same repository. */
export function loadOverlay(file: string): Overlay {
  return readOverlay(readNamed(file, "--overlay FILE, or nacre:overlay, relative to Pulumi.yaml"), file);
}

/** Reads what a gateway is made of, from a file of the same repository. */
export function loadGateway(file: string): GatewayDocument {
  return readText(gatewaySchema, readNamed(file, "--gateway FILE"), file);
}

/** The text of a file that a person names, in the way that `how` says. */
const readNamed = (file: string, how: string): string =>
  readWithin(resolve(file), repositoryOf(dirname(resolve(file))), file, `name one that is there: ${how}`);

function repositoryOf(folder: string): string {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, ".git")) || existsSync(join(at, "Pulumi.yaml"))) return at;
    if (dirname(at) === at) return folder;
  }
}

/** @param fix where there is no such file */
function readWithin(
  path: string,
  root: string,
  shown: string,
  fix = "check the path; it is relative to the blueprint",
): string {
  const fail = (message: string, hint: string): NacreError =>
    new NacreError({ code: "file_unreadable", subject: shown, message, hint });
  if (!existsSync(path)) throw fail("there is no such file", fix);
  const real = realpathSync(path);
  const way = relative(realpathSync(root), real);
  if (way === ".." || way.startsWith(`..${sep}`)) {
    throw fail("it lies outside the repository", "move it into the repository");
  }
  const found = statSync(real);
  if (!found.isFile()) throw fail("it is no file", "name a file");
  if (found.size > LARGEST) throw fail("it is larger than 1 MiB", "split it up");
  return readFileSync(real, "utf8");
}
