import { differences, type Difference } from "../../../lib/provider/difference.ts";
import { replacing } from "./replacement.ts";
import { isOtherCluster, settingsOf, type Settings } from "./settings.ts";
import { at, isUnknown, plain, type Properties } from "./values.ts";

/** What a change of the inputs comes to. */
export interface Outcome {
  readonly changes: readonly Difference[];
  /** Paths of changes that need another object. */
  readonly replaces: ReadonlySet<string>;
  readonly deleteBeforeReplace: boolean;
}

export function difference(
  olds: Properties,
  news: Properties,
  ignored: readonly string[],
  settings: Settings,
): Outcome {
  const all = differences(plain(olds) as Properties, plain(news) as Properties);
  const changes = all.filter(({ path, root }) => !ignored.includes(path) && !ignored.includes(root));
  const replaces = replacing(changes, news, settings);
  // One name in one namespace is one place: the old object has to leave it first.
  const samePlace = ["metadata.name", "metadata.namespace"].every(
    (path) => at(olds, path) === at(news, path),
  );
  return { changes, replaces, deleteBeforeReplace: replaces.size > 0 && samePlace };
}

/** Another cluster makes everything under the provider another thing; another way to the same one does not. */
export function configDifference(olds: Properties, news: Properties): Outcome {
  const changes = differences(plain(olds) as Properties, plain(news) as Properties);
  if (holdsUnknown(news)) return { changes, replaces: new Set(), deleteBeforeReplace: false };
  const other = isOtherCluster(settingsOf(olds), settingsOf(news));
  const decisive = changes
    .map(({ path }) => path)
    .filter((path) => /^(kubeconfig|context|clusterIdentifier)$/.test(path));
  return { changes, replaces: new Set(other ? decisive : []), deleteBeforeReplace: false };
}

const holdsUnknown = (properties: Properties): boolean =>
  Object.values(plain(properties) as Properties).some(isUnknown);

/** Says what it cannot do, before anything is done. */
export function checkProblems(type: string, inputs: Properties): string[] {
  const problems: string[] = [];
  if (/Patch$|^kubernetes:(helm|yaml|kustomize)/.test(type)) problems.push(`the stand-in makes no ${type}`);
  if (at(inputs, "metadata.name") === undefined)
    problems.push("the stand-in names nothing: set metadata.name");
  return problems;
}
