import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { sandboxEnvironment, inside } from "../../lib/host/inside.ts";
import { type Ran, type RunningEgress, World } from "./world/world.ts";

/** Real clients, unmodified, told nothing but what every sandbox tells its programs. */
let world: World;
let egress: RunningEgress;
const port = 9443;
const at = (host: string): string => `https://${host}.example.com:${port}`;
const endpoint = (host: string, ...rules: [string, string, object?][]): object => ({
  endpoints: [
    {
      host: `${host}.example.com`,
      port,
      protocol: "rest",
      allow_encoded_slash: true,
      rules: rules.map(([method, at, query]) => ({ allow: { method, path: at, ...(query && { query }) } })),
    },
  ],
});
const policy = {
  api: endpoint("api", ["GET", "/ok/**"]),
  git: endpoint(
    "git",
    ["GET", "/git/*/info/refs", { service: "git-upload-pack" }],
    ["POST", "/git/*/git-upload-pack"],
  ),
  registry: endpoint("registry", ["GET", "/files/npm/**"]),
  index: endpoint("index", ["GET", "/files/simple/**"], ["GET", "/files/packages/**"]),
};

let work: string;
beforeAll(async () => {
  world = await World.make();
  work = path.join(world.folder, "work");
  fs.mkdirSync(work);
  makeRepository();
  makePackages();
  egress = await world.egress({ base: policy as never });
}, 300_000);
afterAll(async () => {
  await egress.stop();
  await world.stop();
});
beforeEach(() => world.forget());

/** Runs a program as the agent would, with a sandbox' own environment. */
async function run(script: string): Promise<Ran> {
  const env = Object.fromEntries(
    Object.entries(sandboxEnvironment({})).map(([name, value]) => [
      name,
      value === inside.bundle ? path.join(world.folder, "agent-ca.crt") : value,
    ]),
  );
  return await world.run(`cd ${work} && ${script}`, {
    ...env,
    PATH: `${path.dirname(process.execPath)}:/usr/local/go/bin:${process.env["PATH"] ?? ""}`,
    HOME: work,
  });
}

const seen = (): string[] => world.seen().map(({ method, url }) => `${method} ${url}`);

describe("by method and path", () => {
  test("curl", async () => {
    expect((await run(`curl -fsS ${at("api")}/ok/curl`)).code).toBe(0);
    expect((await run(`curl -fsS ${at("api")}/no`)).code).toBe(22);
    expect((await run(`curl -fsS -X DELETE ${at("api")}/ok/curl`)).code).toBe(22);
    expect(seen()).toEqual(["GET /ok/curl"]);
  });

  test("git: a clone, and no push", async () => {
    const cloned = await run(
      `git clone -q ${at("git")}/git/project.git && git -C project log --oneline | wc -l`,
    );
    expect(cloned).toMatchObject({ code: 0, out: "3\n" });
    const pushed = await run(
      `cd project && git config user.email a@b.c && git config user.name a && git commit -q --allow-empty -m x && git push origin HEAD`,
    );
    expect(pushed.code).not.toBe(0);
    expect(pushed.error).toContain("403");
    expect(seen().some((line) => line.includes("receive-pack"))).toBe(false);
    expect(
      execFileSync("git", [
        "-C",
        path.join(world.folder, "git/project.git"),
        "rev-list",
        "--count",
        "main",
      ]).toString(),
    ).toBe("3\n");
  });

  test("npm: an install, and no publish", async () => {
    const npm = `npm --registry=${at("registry")}/files/npm/ --no-audit --no-fund --cache=${work}/npm-cache`;
    const installed = await run(
      `mkdir -p app && cd app && echo '{}' > package.json && ${npm} install @scope/thing && node -p 'require("@scope/thing")'`,
    );
    expect(installed).toMatchObject({ code: 0, out: expect.stringContaining("a thing\n") as string });
    const published = await run(
      `cd ${world.folder}/thing && sed -i s/1.0.0/2.0.0/ package.json && ${npm} publish --access public --//registry.example.com:${port}/files/npm/:_authToken=mine`,
    );
    expect(published.code).not.toBe(0);
    expect(published.error).toContain("403");
    expect(seen().every((line) => line.startsWith("GET "))).toBe(true);
  });

  test("pip: an install, and nothing elsewhere on that host", async () => {
    const pip = `${python()} -m pip --disable-pip-version-check`;
    const options = `--index-url ${at("index")}/files/simple/ --no-cache-dir`;
    const installed = await run(
      `PIP_FIND_LINKS= PIP_CERT= ${pip} install ${options} --target site thing && PYTHONPATH=site ${python()} -c 'import thing; print(thing.said)'`,
    );
    expect(installed).toMatchObject({
      code: 0,
      out: expect.stringContaining("a thing of python\n") as string,
    });
    expect((await run(`curl -fsS ${at("index")}/files/thing-1.0.0-py3-none-any.whl`)).code).toBe(22);
  });

  test("Node's fetch", async () => {
    const ask = (target: string, method = "GET"): string =>
      `node -e 'fetch("${at("api")}${target}", { method: "${method}" }).then((r) => console.log(r.status))'`;
    expect(await run(ask("/ok/fetch"))).toMatchObject({ code: 0, out: "200\n" });
    expect(await run(ask("/no"))).toMatchObject({ code: 0, out: "403\n" });
    expect(await run(ask("/ok/fetch", "POST"))).toMatchObject({ code: 0, out: "403\n" });
    expect(seen()).toEqual(["GET /ok/fetch"]);
  });

  test.each(["requests", "httpx"])("Python's %s", async (library) => {
    const script = `import ${library} as c; print(c.get("${at("api")}/ok/py").status_code, c.get("${at("api")}/no").status_code, c.post("${at("api")}/ok/py").status_code)`;
    expect(await run(`${python()} -c '${script}'`)).toMatchObject({ code: 0, out: "200 403 403\n" });
    expect(seen()).toEqual(["GET /ok/py"]);
  });

  test("Python's urllib, with its own defaults", async () => {
    const script = `import urllib.request as u; print(u.urlopen("${at("api")}/ok/urllib").status)`;
    expect(await run(`${python()} -c '${script}'`)).toMatchObject({ code: 0, out: "200\n" });
  });

  test("Go's net/http", async () => {
    const source = `package main
import ("fmt"; "net/http"; "os"; "strings")
func main() {
	for _, one := range os.Args[1:] {
		parts := strings.SplitN(one, " ", 2)
		request, _ := http.NewRequest(parts[0], parts[1], nil)
		answer, err := http.DefaultClient.Do(request)
		if err != nil { fmt.Println(err); os.Exit(1) }
		fmt.Println(answer.StatusCode, answer.Proto)
	}
}
`;
    fs.writeFileSync(path.join(work, "client.go"), source);
    const built = spawnSync("go", ["build", "-o", "client", "client.go"], {
      cwd: work,
      env: { ...process.env, PATH: `/usr/local/go/bin:${process.env["PATH"] ?? ""}`, GO111MODULE: "off" },
    });
    expect(built.stderr.toString()).toBe("");
    const ran = await run(`./client 'GET ${at("api")}/ok/go' 'GET ${at("api")}/no' 'PUT ${at("api")}/ok/go'`);
    expect(ran).toMatchObject({ code: 0, out: "200 HTTP/1.1\n403 HTTP/1.1\n403 HTTP/1.1\n" });
    expect(seen()).toEqual(["GET /ok/go"]);
  });

  test("Java's HttpClient", async () => {
    const source = `import java.net.URI; import java.net.http.*;
class Client { public static void main(String[] asked) throws Exception {
  var client = HttpClient.newHttpClient();
  for (var one : asked) { var parts = one.split(" ");
    var request = HttpRequest.newBuilder(URI.create(parts[1])).method(parts[0], HttpRequest.BodyPublishers.noBody()).build();
    var answer = client.send(request, HttpResponse.BodyHandlers.ofString());
    System.out.println(answer.statusCode() + " " + answer.version()); } } }
`;
    fs.writeFileSync(path.join(work, "Client.java"), source);
    const ran = await run(
      `java Client.java 'GET ${at("api")}/ok/java' 'GET ${at("api")}/no' 'DELETE ${at("api")}/ok/java'`,
    );
    expect(ran.error).toBe("");
    expect(ran).toMatchObject({ code: 0, out: "200 HTTP_1_1\n403 HTTP_1_1\n403 HTTP_1_1\n" });
    expect(seen()).toEqual(["GET /ok/java"]);
  });
});

/** Three commits, for whoever may read them. */
function makeRepository(): void {
  const bare = path.join(world.folder, "git/project.git");
  const script = `set -e; git init -q --bare -b main ${bare}; git -C ${bare} config http.receivepack true
    git clone -q ${bare} src 2>/dev/null; cd src; git config user.email a@b.c; git config user.name a
    for n in 1 2 3; do echo $n > file; git add file; git commit -qm $n; done; git push -q origin HEAD:main`;
  execFileSync("bash", ["-c", script], {
    cwd: world.folder,
    env: { ...process.env, HOME: world.folder, GIT_CONFIG_NOSYSTEM: "1" },
  });
}

/** A package of each of npm and pip, in an index as their clients read it. */
function makePackages(): void {
  const files = path.join(world.folder, "files");
  const thing = path.join(world.folder, "thing");
  for (const folder of [thing, `${files}/npm/@scope`, `${files}/packages`, `${files}/simple/thing`])
    fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(
    `${thing}/package.json`,
    JSON.stringify({ name: "@scope/thing", version: "1.0.0", main: "index.js" }),
  );
  fs.writeFileSync(`${thing}/index.js`, `module.exports = "a thing";\n`);
  execFileSync("npm", ["pack", "--silent", "--pack-destination", `${files}/npm`], { cwd: thing });
  const tarball = fs.readFileSync(`${files}/npm/scope-thing-1.0.0.tgz`);
  const integrity = `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
  const dist = { tarball: `${at("registry")}/files/npm/scope-thing-1.0.0.tgz`, integrity };
  const versions = { "1.0.0": { name: "@scope/thing", version: "1.0.0", main: "index.js", dist } };
  // npm writes the slash of a scoped name as %2f, so the file has no slash in its name.
  fs.writeFileSync(
    `${files}/npm/@scope/thing`,
    JSON.stringify({ name: "@scope/thing", "dist-tags": { latest: "1.0.0" }, versions }),
  );
  const wheel = `import zipfile
with zipfile.ZipFile("thing-1.0.0-py3-none-any.whl", "w") as z:
    z.writestr("thing/__init__.py", "said = 'a thing of python'\\n")
    z.writestr("thing-1.0.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: thing\\nVersion: 1.0.0\\n")
    z.writestr("thing-1.0.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    z.writestr("thing-1.0.0.dist-info/RECORD", "")
`;
  execFileSync("python3", ["-c", wheel], { cwd: `${files}/packages` });
  fs.copyFileSync(`${files}/packages/thing-1.0.0-py3-none-any.whl`, `${files}/thing-1.0.0-py3-none-any.whl`);
  fs.writeFileSync(
    `${files}/simple/thing/index.html`,
    `<a href="../../packages/thing-1.0.0-py3-none-any.whl">thing-1.0.0-py3-none-any.whl</a>\n`,
  );
}

/** A Python of its own with the clients at pinned versions; made once a machine. */
function python(): string {
  const pins = ["requests==2.34.2", "httpx==0.28.1"];
  const folder = path.join(
    homedir(),
    ".cache/nacre/test",
    `python-${createHash("sha256").update(pins.join()).digest("hex").slice(0, 8)}`,
  );
  const program = path.join(folder, "bin/python");
  if (!fs.existsSync(path.join(folder, "made"))) {
    fs.rmSync(folder, { recursive: true, force: true });
    fs.mkdirSync(path.dirname(folder), { recursive: true });
    execFileSync("python3", ["-m", "venv", folder]);
    execFileSync(program, ["-m", "pip", "install", "-q", ...pins], { stdio: "pipe" });
    fs.writeFileSync(path.join(folder, "made"), "");
  }
  return program;
}
