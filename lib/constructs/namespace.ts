import { Construct } from "constructs";
import { brand, branded } from "./brand.ts";
import { isSteering } from "./steering.ts";

export interface NamespaceProps {
  /**
   * Its name.
   * @default what the target's settings say, else `PROJECT-ENVIRONMENT`
   */
  readonly name?: string;

  /**
   * Labels beside those that enforce Pod Security, which cannot be given here.
   * @default none
   */
  readonly labels?: Readonly<Record<string, string>>;

  /**
   * How many pods there may be at once, which protects the cluster from a loop.
   * @default twice what the environment has
   */
  readonly pods?: number;
}

/** Where an environment's objects live in Kubernetes, alone. Pod Security `restricted` is enforced there. */
export class Namespace extends Construct {
  readonly props: NamespaceProps;

  constructor(scope: Construct, id: string, props: NamespaceProps = {}) {
    super(scope, id);
    brand(this, "Namespace");
    this.props = props;
    this.node.addValidation({ validate: () => problemsOf(props) });
  }

  static isInstance(value: unknown): value is Namespace {
    return branded(value, "Namespace");
  }
}

function problemsOf({ name, labels = {}, pods }: NamespaceProps): string[] {
  const named =
    name === undefined || /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)
      ? []
      : [`name: ${JSON.stringify(name)} is no namespace (lower-case letters, digits and dashes, at most 63)`];
  const own = Object.keys(labels)
    .filter(isSteering)
    .map((key) => `labels: ${key} is not yours to set (remove it)`);
  const few = pods === undefined || (Number.isInteger(pods) && pods > 0) ? [] : ["pods: a number above 0"];
  return [...named, ...own, ...few];
}
