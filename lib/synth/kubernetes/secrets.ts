import type { ClusterSettings } from "../../blueprint/index.ts";
import type { k8s } from "./k8s.ts";

/** Where a pod finds its credentials: one folder each, with the value and the hosts that it may go to. */
export const SECRETS = "/etc/nacre/secrets";
/** The key in which the owner of a Secret says where it may go. The repository has no word in that. */
export const HOSTS_KEY = "nacre-for";

export interface SecretMounts {
  readonly volumes: k8s.Volume[];
  readonly mounts: k8s.VolumeMount[];
}

/** Existing Secrets by the names that the blueprint uses; those that nothing is mapped to are left out. */
export function secretMounts(names: readonly string[], { secrets }: ClusterSettings): SecretMounts {
  const mapped = names.flatMap((name) => {
    const entry = Object.hasOwn(secrets, name) ? secrets[name] : undefined;
    return entry === undefined ? [] : [{ name, ...entry }];
  });
  return {
    volumes: mapped.map(({ name, secret, key }) => ({
      name: `secret-${name}`,
      secret: {
        secretName: secret,
        optional: false,
        defaultMode: 0o440,
        items: [
          { key, path: "value" },
          { key: HOSTS_KEY, path: "for" },
        ],
      },
    })),
    mounts: mapped.map(({ name }) => ({
      name: `secret-${name}`,
      mountPath: `${SECRETS}/${name}`,
      readOnly: true,
    })),
  };
}
