import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { buildImage, type BuiltImage } from "./image.ts";

/** The control plane's own programs, static, by path. */
export interface K3sBinaries {
  readonly etcd: string;
  readonly apiserver: string;
  /** Without it nothing is collected, no namespace ends and no ServiceAccount is made. */
  readonly controllerManager?: string | undefined;
}

/**
 * An image that keeps K3s' contract (entry point `/bin/k3s`, its flags, its files, its volumes), as no registry gives the
 * real one here. Two versions differ in a label and in what `k3s --version` says, as an upgrade would.
 */
export function buildK3sImage(binaries: K3sBinaries, version = "v1.34.2+k3s1"): Promise<BuiltImage> {
  const { etcd, apiserver, controllerManager } = binaries;
  const script = { text: readFileSync(new URL("k3s/k3s.sh", import.meta.url), "utf8") };
  return buildImage({
    tag: `rancher/k3s:${version.replace("+", "-")}`,
    entrypoint: ["/bin/k3s"],
    command: ["agent"],
    volumes: ["/var/lib/kubelet", "/var/lib/rancher/k3s", "/var/lib/cni", "/var/log"],
    labels: { "org.opencontainers.image.version": version },
    files: {
      "/bin/k3s": script,
      "/bin/kubectl": script,
      "/bin/etcd": { from: etcd },
      "/bin/kube-apiserver": { from: apiserver },
      ...(controllerManager === undefined
        ? {}
        : { "/bin/kube-controller-manager": { from: controllerManager } }),
      "/etc/k3s-version": { text: version },
      "/usr/lib/ssl/openssl.cnf": { text: "[req]\ndistinguished_name = dn\n[dn]\n" },
      ...withLibraries("/usr/bin/openssl"),
    },
  });
}

/** Debian's program and the libraries that it loads, each where it looks for it. */
function withLibraries(program: string): Record<string, { readonly from: string }> {
  const libraries = execFileSync("ldd", [program])
    .toString()
    .matchAll(/(\/\S+) \(0x/g);
  const paths = [program, ...[...libraries].map(([, path]) => path ?? "")];
  return Object.fromEntries(paths.map((path) => [path, { from: path }]));
}
