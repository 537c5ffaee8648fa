import { placeholderOf } from "../policy/placeholder.ts";
import type { HostSandbox } from "../synth/host-objects.ts";

/** Where things are inside every sandbox, and who is who there. */
export const inside = {
  workspace: "/sandbox",
  node: "/opt/nacre/node/bin/node",
  kit: "/opt/nacre/kit",
  bundle: "/etc/nacre/ca-bundle.crt",
  ids: { uid: 1000, gid: 1000 },
} as const;

/**
 * Synthetic addresses: public to the eye of any client's own guard (a private or a reserved block is not), and never
 * dialled. The first address of the pool is the DNS server's and the sandbox' own.
 */
export const pool = { prefix: "25.255.0.0/16", own: "25.255.0.1" } as const;

/**
 * What every process inside is given, agent and exec'd alike. An allow-list: nothing comes from the daemon's own. Of a
 * credential it has the placeholder, which means nothing anywhere but to this sandbox' egress.
 */
export function sandboxEnvironment(credentials: HostSandbox["credentials"]): Record<string, string> {
  const { bundle, workspace } = inside;
  return {
    PATH: "/opt/nacre/node/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    HOME: workspace,
    USER: "sandbox",
    LANG: "C.UTF-8",
    TERM: "dumb",
    NODE_EXTRA_CA_CERTS: bundle,
    SSL_CERT_FILE: bundle,
    REQUESTS_CA_BUNDLE: bundle,
    CURL_CA_BUNDLE: bundle,
    GIT_SSL_CAINFO: bundle,
    ...Object.fromEntries(
      Object.values(credentials).flatMap(({ as }) => (as === undefined ? [] : [[as, placeholderOf(as)]])),
    ),
  };
}

/** The files of /etc that are made, not shown: none of them says anything about the host. */
export function etcFiles(hostname: string): { readonly at: string; readonly content: string }[] {
  const { uid, gid } = inside.ids;
  const nobody = 65_534;
  const files: Record<string, string> = {
    passwd:
      `root:x:0:0:root:/:/usr/sbin/nologin\nsandbox:x:${uid}:${gid}:sandbox:${inside.workspace}:/bin/bash\n` +
      `nobody:x:${nobody}:${nobody}:nobody:/:/usr/sbin/nologin\n`,
    group: `root:x:0:\nsandbox:x:${gid}:\nnogroup:x:${nobody}:\n`,
    hosts: `127.0.0.1 localhost ${hostname}\n::1 localhost ${hostname}\n`,
    hostname: `${hostname}\n`,
    "resolv.conf": `nameserver ${pool.own}\noptions timeout:5 attempts:2\n`,
    "nsswitch.conf":
      "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n",
  };
  return Object.entries(files).map(([name, content]) => ({ at: `/etc/${name}`, content }));
}
