import type { KitAgent, KitSandbox } from "../kit.ts";
import { inside } from "../inside.ts";

/** Where Nacre's part of the configuration is, inside: read-only, and anew at each start. */
export const configFolder = "/etc/nacre/openclaw";

/**
 * OpenClaw's configuration in two parts. `gateway`, `models` and the model are Nacre's: read-only files that come from
 * outside at each start, so that they follow the blueprint and nothing inside can change them in place. The rest is the
 * agent's own `openclaw.json`, made in the workspace at the first start and never touched again: OpenClaw's own
 * commands (`openclaw config set`, channels, agents) write there and leave the includes alone.
 *
 * Nothing outside reads or writes the workspace for it: the first file is copied there by a script that runs inside.
 * Field names: https://docs.openclaw.ai/gateway/configuration-reference, as of 2026.9.6.
 */
export function openclawFiles(sandbox: KitSandbox, port: number): KitAgent["files"] {
  const json = (name: string, value: object, mode = "0444") => ({
    at: `${configFolder}/${name}`,
    content: `${JSON.stringify(value, undefined, 2)}\n`,
    mode,
  });
  return [
    json("gateway.json", gateway(sandbox.token, port), "0400"),
    json("models.json", models(sandbox.model)),
    json("model.json", sandbox.model === null ? {} : { primary: `${provider}/${sandbox.model}` }),
    json("first.json", first()),
    { at: `${configFolder}/start.sh`, content: startScript, mode: "0444" },
  ];
}

/** One provider, whatever stands behind the router. */
const provider = "inference";

const gateway = (token: string, port: number) => ({
  mode: "local",
  port,
  // The sandbox' own loopback; the egress publishes it on the host's.
  bind: "loopback",
  auth: { mode: "token", token },
  // What `nacre ask` speaks to. It wants the token like everything else on this port.
  http: { endpoints: { chatCompletions: { enabled: true } } },
  controlUi: {
    // Named, or OpenClaw copies 54 MB of its pages into the workspace.
    root: `${inside.kit}/node_modules/openclaw/dist/control-ui`,
    communityInvite: false,
  },
});

const models = (model: string | null) => ({
  // No built-in provider: none of them can be reached, and none has a key.
  mode: "replace",
  catalogRefresh: { enabled: false },
  providers:
    model === null
      ? {}
      : {
          [provider]: {
            baseUrl: "https://inference.local/v1",
            // OpenClaw wants one; the router drops it and puts the provider's in its place.
            apiKey: "none-inside-the-sandbox",
            api: "openai-completions",
            models: [{ id: model, name: model, contextWindow: 128_000, maxTokens: 8192 }],
          },
        },
});

const first = () => ({
  gateway: { $include: `${configFolder}/gateway.json` },
  models: { $include: `${configFolder}/models.json` },
  agents: {
    defaults: { model: { $include: `${configFolder}/model.json` }, workspace: inside.workspace },
  },
  // The walls are around all of it, so commands run without asking: nobody is there to answer.
  tools: { exec: { host: "gateway", mode: "full", pathPrepend: ["/opt/nacre/node/bin"] } },
  update: { checkOnStart: false },
  discovery: { mdns: { mode: "off" } },
  // In the workspace and small: the default is /tmp, which is memory here, up to 600 MB.
  logging: { file: `${inside.workspace}/.openclaw/logs/gateway.log`, maxFileBytes: 4 * 1024 * 1024 },
});

/** The first configuration appears whole or not at all. */
const startScript = `set -eu
umask 077
mkdir -p "$HOME/.openclaw"
if [ ! -e "$HOME/.openclaw/openclaw.json" ]; then
  cat ${configFolder}/first.json > "$HOME/.openclaw/openclaw.json.first"
  mv "$HOME/.openclaw/openclaw.json.first" "$HOME/.openclaw/openclaw.json"
fi
umask 022
exec "$@"
`;
