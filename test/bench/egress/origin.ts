import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { missing, pathOf } from "./programs.ts";
import { ports } from "./rules.ts";
import type { Stage } from "./stage.ts";

/** Starts the server that requests end at, in the clear and over TLS. The result says which it is. */
export async function origin(stage: Stage): Promise<string> {
  const nginx = pathOf("nginx");
  if (nginx === undefined) {
    const file = new URL("plain-origin.ts", import.meta.url).pathname;
    await stage.launch("servers", [process.execPath, file, stage.folder], ports.https, "self");
    return `Node origin (${missing("nginx")})`;
  }
  const { folder } = stage;
  const settings = `
    daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log stderr crit;
    events { worker_connections 4096; }
    http {
      access_log off; keepalive_requests 1000000000; keepalive_timeout 60s; default_type text/plain;
      ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((what) => `${what}_temp_path ${folder}/${what};`).join(" ")}
      server {
        listen ${ports.http}; listen ${ports.https} ssl;
        ssl_certificate ${folder}/server.crt; ssl_certificate_key ${folder}/server.key;
        location / { return 200 "${body}"; }
      }
    }`;
  writeFileSync(join(folder, "nginx.conf"), settings);
  await stage.launch("servers", [nginx, "-e", "stderr", "-c", join(folder, "nginx.conf")], ports.https);
  return "nginx origin";
}

/** As much as an answer of an API that says little. */
export const body =
  "a small answer that does not change, of one hundred bytes and no more; the rest is here to fill".padEnd(
    100,
    ".",
  );
