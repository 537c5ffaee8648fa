import { Construct } from "constructs";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import {
  AgentSandbox,
  Command,
  Environment,
  EscapeHatch,
  Inference,
  LandlockProfile,
  Namespace,
  Preset,
  Secret,
  Target,
  type ClusterTarget,
  type HatchProps,
} from "../../lib/constructs/index.ts";
import { NacreError } from "../../lib/error.ts";
import { hatchLine } from "../../lib/synth/kubernetes/hatches.ts";
import { synthesizeKubernetes, type KubernetesObjects, type Manifest } from "../../lib/synth/kubernetes.ts";
import { catalogue } from "../blueprint/fixtures.ts";
import { bestEffort, cluster, clusters, full, image, minimal, sandboxes } from "./clusters.ts";

const synth = (app: Environment<ClusterTarget>): KubernetesObjects =>
  synthesizeKubernetes(app, { catalogue });
const manifests = (app: Environment<ClusterTarget>): readonly Manifest[] =>
  synth(app).objects.map(({ manifest }) => manifest);

describe("goldens", () => {
  test.for(Object.entries(clusters))("%s", async ([name, environment]) => {
    const objects = synth(environment());
    expect(objects.obstacles).toEqual([]);
    const text = objects.objects
      .map(({ manifest }) => `# ${nameOf(manifest)}\n${yaml(manifest)}`)
      .join("---\n");
    await expect(text).toMatchFileSnapshot(`../../snapshots/goldens/${name}.yaml`);
  });
});

const nameOf = ({ kind, metadata }: Manifest): string => `${kind}/${metadata.name}`;
const yaml = (object: unknown): string => stringify(object, { lineWidth: 110, aliasDuplicateObjects: false });

test("every object is named once, and comes after what it depends on", () => {
  const { objects } = synth(full());
  expect(new Set(objects.map(({ manifest }) => nameOf(manifest))).size).toBe(objects.length);
  const seen = new Set<string>();
  for (const { path, after } of objects) {
    for (const before of after) expect(seen, `${path} before ${before}`).toContain(before);
    seen.add(path);
  }
  const workload = objects.find(({ path }) => path === "sandbox-assistant/agent/workload");
  expect(workload?.after).toEqual(
    expect.arrayContaining(["admission-pods-binding", "closed", "sandbox-assistant/egress/workload"]),
  );
});

test("wrapping a sandbox in other constructs changes no object", () => {
  const wrapped = sandboxes(
    undefined,
    (app, name) => new Construct(new Construct(app, `team-${name}`), "inner"),
  );
  expect(synth(wrapped)).toEqual(synth(sandboxes()));
});

test("the same tree gives the same bytes, whatever the order it was made in", () => {
  const bytes = JSON.stringify(synth(sandboxes()));
  expect(JSON.stringify(synth(sandboxes(["writer", "coder", "reviewer"])))).toBe(bytes);
  expect(JSON.stringify(synth(sandboxes()))).toBe(bytes);
});

test.each(["/", "/nacre", "/etc", "/etc/nacre/walls", "/proc/self", "/var", "/run/x", "/usr/local", "/x:y"])(
  "no volume lies at %s: it would replace what the walls are made of",
  (path) => {
    for (const props of [{ persist: [path] }, { landlock: LandlockProfile.of({ readWrite: [path] }) }]) {
      const app = new Environment("dev", { target: Target.cluster() });
      new AgentSandbox(app, "agent", { agent: Command.of("sleep", "infinity"), ...props });
      expect(() => synth(app)).toThrow(/cannot be (writable in a pod|a volume's place)|filesystem_policy/);
    }
  },
);

test.each(["default", "kube-system"])("the namespace %s is the cluster's own", (namespace) => {
  const app = new Environment("dev", { target: Target.cluster({ namespace }) });
  new AgentSandbox(app, "agent", { agent: Command.of("sleep", "infinity") });
  expect(() => synth(app)).toThrow(/is the cluster's own/);
});

test("what a sandbox was moved from has to be a name", () => {
  const app = new Environment("dev", { target: Target.cluster() });
  new AgentSandbox(app, "agent", { agent: Command.of("sleep", "infinity") }).moved("Not A Name");
  expect(() => synth(app)).toThrow(/dev\/agent: moved from no name: Not A Name/);
});

test("a sandbox that was moved keeps its objects' names, selectors and claim", () => {
  const app = new Environment("dev", { target: cluster() });
  const moved = { agent: Command.of("sleep", "infinity"), walls: bestEffort };
  new AgentSandbox(app, "helper", moved).moved("agent");
  const [before, now] = [minimal(), app].map((one) => synth(one).objects);
  expect(now!.map(({ path, manifest }) => [path, nameOf(manifest)])).toEqual(
    before!.map(({ path, manifest }) => [path, nameOf(manifest)]),
  );
  const selector = (objects: typeof now): unknown =>
    objects!
      .flatMap(({ manifest }) => (manifest.kind === "Deployment" ? [manifest["spec"]] : []))
      .map(selectorOf);
  expect(selector(now)).toEqual(selector(before));
});
const selectorOf = (spec: unknown): unknown => (spec as { selector: unknown }).selector;

test("no object holds a secret's value, nor an agent's pod a Secret", () => {
  const objects = manifests(full());
  expect(objects.filter(({ kind }) => kind === "Secret")).toEqual([]);
  const text = JSON.stringify(objects.filter(({ kind }) => !kind.startsWith("ValidatingAdmission")));
  expect(text).not.toMatch(/valueFrom|secretKeyRef|secretRef|stringData/);
  const agents = objects.filter(
    ({ kind, metadata }) => kind === "Deployment" && metadata.name.startsWith("agent-"),
  );
  expect(agents).toHaveLength(2);
  for (const agent of agents) expect(JSON.stringify(agent)).not.toContain('"secret"');
  expect(JSON.stringify(agents)).toContain("openshell:resolve:env:GITHUB_TOKEN");
});

test("the project and the environment name the namespace, unless something else does", () => {
  const namespace = (app: Environment<ClusterTarget>, project?: string): string =>
    synthesizeKubernetes(app, { catalogue, ...(project && { project }) }).namespace;
  expect(namespace(sandboxes(), "caller")).toBe("team-prod");
  expect(namespace(minimal(), "caller")).toBe("caller-dev");
  expect(namespace(minimal())).toBe("nacre-dev");
  expect(namespace(full())).toBe("team-agents");
  const named = new Environment("dev", { target: cluster({ namespace: "mine" }) });
  new AgentSandbox(named, "agent", { agent: Command.of("true"), walls: bestEffort });
  expect(namespace(named)).toBe("mine");
  expect(thrown(() => namespace(minimal(), "p".repeat(70)))).toMatchObject({
    code: "invalid_environment",
    hint: expect.stringContaining("new Namespace(…, { name })") as string,
  });
});

test("the target's settings change the environment's digest, and not the blueprint's", () => {
  const of = (settings: Parameters<typeof cluster>[0]): KubernetesObjects["digests"] => {
    const app = new Environment("dev", { target: cluster(settings) });
    new AgentSandbox(app, "agent", { agent: Command.of("sleep", "infinity"), walls: bestEffort });
    return synth(app).digests;
  };
  const [one, other] = [of({}), of({ ranges: ["203.0.113.0/24"] })];
  expect(other.blueprint).toBe(one.blueprint);
  expect(other.environment).not.toBe(one.environment);
});

describe("obstacles of up", () => {
  const bare = (
    props: Partial<ConstructorParameters<typeof AgentSandbox>[2]>,
    settings = {},
  ): KubernetesObjects => {
    const app = new Environment("dev", { target: Target.cluster(settings) });
    new AgentSandbox(new Construct(app, "team"), "agent", { agent: Command.of("true"), ...props });
    return synth(app);
  };

  test("a wall that is required and does not stand", () => {
    expect(bare({}).obstacles).toContainEqual({
      subject: "dev/team/agent",
      reason: expect.stringMatching(/^the wall files is required and not enforced: Landlock/) as string,
      fix: expect.stringContaining("walls: { files: best_effort }") as string,
    });
    const { obstacles } = bare({}, { seccomp: "localhost" });
    expect(obstacles.filter(({ reason }) => reason.includes("syscalls"))).toEqual([]);
  });

  test("images that nothing configures; they are names that no registry has", () => {
    const { obstacles, objects } = bare({ inference: Inference.demo() });
    expect(obstacles.filter(({ reason }) => reason.includes("image"))).toEqual([
      {
        subject: "dev/team/agent",
        reason: "no image is configured for it",
        fix: "set images.agents.agent in the target's settings, by digest",
      },
      ...["egress", "router"].map((service) => ({
        subject: "dev",
        reason: `no image is configured for the ${service}`,
        fix: `set images.${service} in the target's settings, by digest`,
      })),
    ]);
    expect(JSON.stringify(objects)).toContain("unconfigured.invalid/agent/agent");
  });

  test("a credential that is mapped to no Secret, which no pod then mounts", () => {
    const inference = Inference.nvidia({ credential: Secret.named("nvidia") });
    const { obstacles, objects } = bare({ egress: [Preset.telegram()], inference });
    expect(obstacles.filter(({ reason }) => reason.includes("credential"))).toEqual(
      ["telegram", "nvidia"].map((name) => ({
        subject: "dev/team/agent",
        reason: `the credential ${name} is mapped to no Secret`,
        fix: `set secrets.${name}: { secret: NAME } in the target's settings`,
      })),
    );
    expect(JSON.stringify(objects)).not.toContain('"secretName"');
  });
});

describe("warnings of the target's settings", () => {
  const warned = (settings: Parameters<typeof cluster>[0]): readonly string[] => {
    const app = new Environment("dev", { target: cluster({ secrets: {}, ...settings }) });
    new AgentSandbox(app, "agent", { agent: Command.of("true"), walls: bestEffort });
    return synth(app).warnings;
  };

  test("each grant in force, and which is wide", () => {
    const grant = (cidr: string) => ({ host: "models.corp.example", cidr, port: 443 });
    const warnings = warned({ grants: [grant("10.0.0.5/32"), grant("10.0.0.0/23")] });
    expect(warnings).toContain("egresses may reach 10.0.0.5/32 port 443 (grant for models.corp.example)");
    expect(warnings).toContainEqual(expect.stringMatching(/10\.0\.0\.0\/23 port 443 .*: more than 256/));
  });

  test("ranges that leave no public address of IPv4", () => {
    const taken = expect.stringContaining("ranges take all public addresses of IPv4 away");
    for (const ranges of [["0.0.0.0/0"], ["0.0.0.0/1", "128.0.0.0/1"]])
      expect(warned({ ranges })).toContainEqual(taken);
    for (const ranges of [[], ["0.0.0.0/1", "::/0"]]) expect(warned({ ranges })).not.toContainEqual(taken);
  });

  test("names that no sandbox uses, with the one that was meant", () => {
    const agents = { agent: image("agent"), agnet: image("agent") };
    const warnings = warned({ images: { agents }, secrets: { nvidia: { secret: "nvidia-key" } } });
    expect(warnings).toContain(
      "images.agents.agnet has no effect: no sandbox is called that (did you mean agent?)",
    );
    expect(warnings).toContain("secrets.nvidia has no effect: no sandbox uses that credential");
    expect(warnings.join()).not.toContain("images.agents.agent ");
  });
});

describe("refusals", () => {
  type Props = Partial<ConstructorParameters<typeof AgentSandbox>[2]>;
  const refused: readonly [string, Props, string, string][] = [
    [
      "a user that no pod can have",
      { policy: { version: 1, process: { run_as_user: "2147483648" } } },
      "run_as_user 2147483648: a pod has no number above 2147483647",
      "write sandbox, or a number up to 2147483647",
    ],
    [
      "read-only in writable",
      { landlock: LandlockProfile.of({ readOnly: ["/sandbox/docs"], readWrite: ["/sandbox"] }) },
      "/sandbox/docs cannot be read-only",
      "beside /sandbox/docs",
    ],
    ["a run to completion", { restart: "never" }, "restart never: a Deployment starts", "restart: always"],
    ["a restart after failures", { restart: "on-failure" }, "restart on-failure", "restart: always"],
  ];
  test.for(refused)("%s, with the reason and the way out", ([, props, reason, fix]) => {
    const app = new Environment("dev", { target: cluster() });
    new AgentSandbox(new Construct(app, "team"), "a", {
      agent: Command.of("true"),
      walls: bestEffort,
      ...props,
    });
    const error = thrown(() => synth(app));
    expect(error).toMatchObject({ code: "unenforceable", subject: "dev/team/a" });
    expect(error.message).toContain(reason);
    expect(error.hint).toContain(fix);
  });

  test("everything at once, each with its construct", () => {
    const app = new Environment("dev", { target: cluster() });
    for (const name of ["a", "b"]) {
      new AgentSandbox(app, name, { agent: Command.of("true"), restart: "never", walls: bestEffort });
    }
    const error = thrown(() => synth(app));
    expect(error.subject).toBe("dev/a");
    expect(error.message).toMatch(
      /\n {2}fix: .*\ndev\/b: restart never: .*\n {2}fix: write restart: always$/,
    );
  });

  test("two sandboxes that would have the same objects", () => {
    const app = new Environment("dev", { target: cluster() });
    const props = { agent: Command.of("true"), walls: bestEffort };
    new AgentSandbox(app, "old", props);
    new AgentSandbox(new Construct(app, "team"), "young", props).moved("old");
    expect(thrown(() => synth(app))).toMatchObject({
      code: "unenforceable",
      subject: "dev/team/young",
      message: "it was moved from old, which dev/old is called",
      hint: "remove one .moved(…), or give one another name",
    });
  });

  test("a user that no user namespace of a pod has", () => {
    const app = new Environment("dev", { target: cluster({ userNamespaces: true }) });
    const policy = { version: 1, process: { run_as_group: "70000" } } as const;
    new AgentSandbox(app, "a", { agent: Command.of("true"), walls: bestEffort, policy });
    expect(thrown(() => synth(app)).message).toBe(
      "run_as_group 70000: a pod with a user namespace has no number above 65535",
    );
  });

  test("replicas of the router without a common ledger", () => {
    const app = new Environment("dev", { target: cluster({ router: { replicas: { min: 1, max: 3 } } }) });
    new AgentSandbox(app, "a", {
      agent: Command.of("true"),
      walls: bestEffort,
      inference: Inference.demo(),
    });
    expect(thrown(() => synth(app))).toMatchObject({
      code: "unenforceable",
      subject: "dev",
      message: "up to 3 replicas of the router have no common ledger of budgets",
      hint: expect.stringContaining("router.budgets") as string,
    });
  });

  test("two namespaces, or labels that are not the team's to set", () => {
    const two = minimal();
    new Namespace(two, "one");
    new Namespace(two, "other");
    expect(thrown(() => synth(two)).message).toContain(
      "dev/one and dev/other: an environment has one of them",
    );
    for (const label of [
      "pod-security.kubernetes.io/enforce",
      "argocd.argoproj.io/managed-by",
      "istio-injection",
    ]) {
      const labelled = minimal();
      new Namespace(labelled, "namespace", { labels: { [label]: "privileged" } });
      expect(thrown(() => synth(labelled)).message).toContain(`${label} is not yours to set (remove it)`);
    }
  });
});

describe("escape hatches", () => {
  const hatched = (hatch: Partial<HatchProps>): Environment<ClusterTarget> => {
    const app = minimal();
    EscapeHatch.of(new Construct(app, "team")).patch({
      object: "Deployment/agent-agent",
      patch: [{ op: "add", path: "/spec/template/spec/nodeSelector", value: { pool: "gpu" } }],
      reason: "a pool of its own",
      ...hatch,
    });
    return app;
  };

  test("are listed with who asks and why, and are in the environment's digest", () => {
    const { hatches, digests, objects } = synth(hatched({}));
    expect(hatches).toMatchObject([
      { by: "dev/team", object: "Deployment/agent-agent", reason: "a pool of its own" },
    ]);
    const plain = synth(minimal());
    expect(digests.blueprint).toBe(plain.digests.blueprint);
    expect(digests.environment).not.toBe(plain.digests.environment);
    const changed = objects.filter(
      ({ manifest }, index) => JSON.stringify(manifest) !== JSON.stringify(plain.objects[index]?.manifest),
    );
    expect(changed.map(({ manifest }) => nameOf(manifest))).toEqual([
      "ConfigMap/environment",
      "Deployment/agent-agent",
    ]);
  });

  test("of a construct that is wrapped, or made in another order, are the same to the digest", () => {
    const digestOf = (names: readonly string[], inside: boolean): string => {
      const app = sandboxes();
      const scope = inside ? new Construct(app, "inside") : app;
      for (const name of names)
        EscapeHatch.of(new Construct(scope, `bills-${name}`)).patch({
          object: `Deployment/agent-${name}`,
          patch: [{ op: "add", path: "/metadata/labels/team", value: name }],
          reason: "its bills",
        });
      return synth(app).digests.environment;
    };
    const before = digestOf(["coder", "writer"], false);
    expect(digestOf(["coder", "writer"], true)).toBe(before);
    expect(digestOf(["writer", "coder"], false)).toBe(before);
    expect(digestOf(["writer"], false)).not.toBe(before);
  });

  const pod = "/spec/template/spec";
  const closed: readonly [string, string][] = [
    ["Deployment/agent-agent", `${pod}/hostNetwork`],
    ["Deployment/agent-agent", `${pod}/containers/0/securityContext/privileged`],
    ["Deployment/agent-agent", `${pod}/containers/-`],
    ["Deployment/agent-agent", `${pod}/volumes/-`],
    ["Deployment/agent-agent", `${pod}/containers/0/image`],
    ["Deployment/egress-agent", `${pod}/containers/0/readinessProbe/exec`],
    ["Deployment/agent-agent", "/spec/template/metadata/annotations/k8s.v1.cni.cncf.io~1networks"],
    ["Deployment/agent-agent", "/metadata/annotations/argocd.argoproj.io~1hook"],
    ["Deployment/agent-agent", "/metadata/labels/policy.sigstore.dev~1include"],
    ["Deployment/agent-agent", "/metadata/labels/istio-injection"],
    ["NetworkPolicy/agent-agent", "/metadata/annotations/team"],
    ["Namespace/nacre-dev", "/metadata/labels/team"],
    ["Deployment/agent-agent", "/spec/template/metadata/labels/nacre.dev~1role"],
    ["Deployment/egress-agent", `${pod}/serviceAccountName`],
    ["NetworkPolicy/agent-agent", "/spec/egress/-"],
    ["NetworkPolicy/default-deny", "/spec/podSelector"],
    ["Role/egress-agent", "/rules/-"],
    ["Namespace/nacre-dev", "/metadata/labels/pod-security.kubernetes.io~1enforce"],
    ["Service/egress-agent", "/spec/type"],
    ["ServiceAccount/agent-agent", "/automountServiceAccountToken"],
    ["ValidatingAdmissionPolicy/nacre-dev-pods", "/spec/failurePolicy"],
    ["ResourceQuota/environment", "/spec/hard/services.nodeports"],
  ];
  test.for(closed)("of a wall are refused: %s %s", ([object, path]) => {
    for (const operation of [{ op: "add", path, value: "x" } as const, { op: "remove", path } as const]) {
      const error = thrown(() => synth(hatched({ object, patch: [operation] })));
      expect(error).toMatchObject({ code: "unenforceable", subject: "dev/team" });
      expect(error.message).toContain(`escape hatch on ${object}: ${operation.op} ${path}`);
      expect(error.message).toMatch(operation.op === "add" ? /would change/ : /would change|no such path/);
    }
  });

  test.for([
    [{ operator: "Exists" }, "every taint"],
    [{ key: "node-role.kubernetes.io/control-plane", operator: "Exists" }, "control-plane"],
  ] as const)("that lead to the nodes of the control plane are refused: %j", ([toleration, named]) => {
    const patch = (value: object): HatchProps["patch"] => [
      { op: "add", path: `${pod}/tolerations/-`, value },
    ];
    const error = thrown(() => synth(hatched({ patch: patch(toleration) })));
    expect(error).toMatchObject({ code: "unenforceable", subject: "dev/team" });
    expect(error.message).toMatch(
      new RegExp(`toleration of .*${named} leads to the nodes of the control plane`),
    );
    expect(synth(hatched({ patch: patch({ key: "gpu", operator: "Exists" }) })).hatches).toHaveLength(1);
  });

  test("may be of any object, also of one without a spec", () => {
    const patch: HatchProps["patch"] = [{ op: "add", path: "/metadata/labels/team", value: "bills" }];
    expect(synth(hatched({ object: "ServiceAccount/agent-agent", patch })).hatches).toHaveLength(1);
  });

  test("that cannot be applied say why", () => {
    const error = thrown(() =>
      synth(hatched({ patch: [{ op: "remove", path: `${pod}/affinity/nodeAffinity` }] })),
    );
    expect(error).toMatchObject({ code: "unenforceable", subject: "dev/team" });
    expect(error.message).toContain("escape hatch on Deployment/agent-agent: it cannot be applied: ");
  });

  test.for([
    [{ path: "", value: "x" }, /path must start with \//, "write one such as /metadata/labels/team"],
    [
      { path: "/spec/tempalte/spec/nodeSelector", value: {} },
      /: add \/spec\/tempalte\/spec\/nodeSelector: there is no such path$/,
      "look it up in what nacre synth writes",
    ],
    [
      { op: "remove", path: "/metadata/annotations/team" },
      /: remove \/metadata\/annotations\/team: there is no such path$/,
      "look the paths up in what nacre synth writes",
    ],
    [
      { path: "/metadata/annotations", value: {} },
      /all of them at once/,
      "add one key: /metadata/annotations/KEY",
    ],
    [{ path: "/metadata/labels/team" }, /value is missing/, "add value"],
  ] as const)("whose operation is %j are refused with the fix", ([operation, reason, hint]) => {
    const patch = [{ op: "add", ...operation }] as unknown as HatchProps["patch"];
    const error = thrown(() => synth(hatched({ patch })));
    expect(error).toMatchObject({ code: "unenforceable", hint });
    expect(error.message).toMatch(reason);
  });

  test.for([
    ["Deployment/agentagent", "there is no such object", "write Deployment/agent-agent"],
    [
      "Pod/agent-agent",
      "there is no such object",
      "write ServiceAccount/agent-agent, NetworkPolicy/agent-agent, Deployment/agent-agent",
    ],
    [
      "Container/nacre-dev",
      "a gateway's Docker objects take none",
      "nacre:gateway of the stack's file says what they are like",
    ],
  ] as const)("on %s: the fix names what there is", ([object, reason, hint]) => {
    const error = thrown(() => synth(hatched({ object })));
    expect(error).toMatchObject({ hint, message: `escape hatch on ${object}: ${reason}` });
  });

  test("are told on one line, with each operation and its value", () => {
    const [hatch] = synth(
      hatched({
        patch: [
          { op: "add", path: "/metadata/labels/team", value: "a\nb" },
          { op: "add", path: `${pod}/nodeSelector`, value: { pool: "x".repeat(80) } },
          { op: "remove", path: "/metadata/labels/team" },
        ],
      }),
    ).hatches;
    expect(hatchLine(hatch!)).toBe(
      "escape hatch of dev/team on Deployment/agent-agent: a pool of its own " +
        `(add /metadata/labels/team "a\\nb"; add ${pod}/nodeSelector {"pool":"${"x".repeat(50)}…; remove /metadata/labels/team)`,
    );
  });

  test("need a reason and an object", () => {
    expect(thrown(() => synth(hatched({ reason: " " }))).message).toContain("it has no reason");
    expect(thrown(() => synth(hatched({ object: "Pod/none" }))).message).toContain("there is no such object");
  });
});

test("the quota is twice what the pods may take, and the claims", () => {
  const quota = manifests(sandboxes(["coder", "writer"])).find(({ kind }) => kind === "ResourceQuota");
  // Two agents with 2 cores and 2 GiB, two egresses with 1 core and 256 MiB, one router with 1 core and 512 MiB.
  expect(quota?.["spec"]).toEqual({
    hard: {
      pods: "10",
      "limits.cpu": "14000m",
      "limits.memory": "10Gi",
      "limits.ephemeral-storage": "9728Mi",
      persistentvolumeclaims: "2",
      "requests.storage": "2Gi",
      "services.loadbalancers": "0",
      "services.nodeports": "0",
    },
  });
});

test("nothing runs before its NetworkPolicies and what judges it are there", () => {
  for (const { path, manifest, after } of synth(sandboxes()).objects) {
    if (manifest.kind !== "Deployment") continue;
    const own = path.replace(/workload$/, "");
    expect([path, after]).toEqual([path, expect.arrayContaining([`${own}network`, "closed"])]);
    expect(after.filter((one) => /^admission-.*-binding$/.test(one))).toHaveLength(9);
  }
});

test("a command and a variable are what is written, whatever Kubernetes reads in a dollar", () => {
  const app = new Environment("dev", { target: Target.cluster() });
  new AgentSandbox(app, "agent", { agent: Command.of("echo", "$(HOME) $$").withEnv({ PRICE: "5$" }) });
  const deployment = manifests(app).find((one) => nameOf(one) === "Deployment/agent-agent");
  expect(podOf(deployment!)["containers"]).toMatchObject([
    { command: ["echo", "$$(HOME) $$$$"], env: [{ name: "PRICE", value: "5$$" }] },
  ]);
});

test("the namespace says whose it is", () => {
  const app = minimal();
  expect(synth(app).owner).toBe("nacre/dev");
  const namespace = manifests(app).find(({ kind }) => kind === "Namespace");
  expect(namespace?.metadata.annotations).toEqual({ "nacre.dev/environment": "nacre/dev" });
});

test("the admission policies are the same for one sandbox and for many", () => {
  const policies = (app: Environment<ClusterTarget>): readonly Manifest[] =>
    manifests(app).filter(({ kind }) => kind.startsWith("ValidatingAdmission"));
  expect(policies(sandboxes(["coder"]))).toHaveLength(18);
  expect(policies(sandboxes(["coder"]))).toEqual(policies(sandboxes()));
});

test("gVisor and Kata are the RuntimeClasses that the settings name, on the agent's pod alone", () => {
  const classes = (name: string): unknown[] =>
    manifests(clusters[name]!()).flatMap((object) =>
      object.kind === "Deployment" ? [[object.metadata.name, podOf(object)["runtimeClassName"]]] : [],
    );
  expect(classes("cluster-gvisor")).toEqual([
    ["egress-agent", undefined],
    ["agent-agent", "gvisor"],
  ]);
  expect(classes("cluster-kata")).toContainEqual(["agent-agent", "kata-qemu"]);
  expect(classes("cluster-minimal")).toContainEqual(["agent-agent", undefined]);
});
const podOf = (object: Manifest): Readonly<Record<string, unknown>> =>
  (object["spec"] as { template: { spec: Readonly<Record<string, unknown>> } }).template.spec;

function thrown(action: () => unknown): NacreError {
  try {
    action();
  } catch (error) {
    if (error instanceof NacreError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
