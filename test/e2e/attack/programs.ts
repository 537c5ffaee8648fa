import { shell } from "../../host/programs.ts";

/** One try with one program; what it prints says whether it was done. */
export interface Attempt {
  readonly program: string;
  readonly argv: readonly string[];
}

const node = (script: string): string[] => ["node", "-e", script];
const python = (script: string): string[] => ["/usr/bin/python3", "-c", script];
const quoted = JSON.stringify;

/** Gets a page, and a repository, from `http://HOST:PORT`; over TLS where `scheme` says so. */
export function gets(host: string, port: number, scheme = "http"): Attempt[] {
  const url = `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
  const plain = `exec 3<>/dev/tcp/${host}/${port} && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3`;
  return [
    {
      program: "node",
      argv: node(`fetch(${quoted(url)}).then((answer) => answer.text()).then(console.log)`),
    },
    { program: "curl", argv: ["curl", "-sS", "--max-time", "20", url] },
    { program: "curl --noproxy", argv: ["curl", "-sS", "--max-time", "20", "--noproxy", "*", url] },
    {
      program: "git",
      argv: shell(
        `d=$(mktemp -d) && git clone -q ${url}/repository $d/clone && cat $d/clone/file; rm -rf $d`,
      ),
    },
    {
      program: "python",
      argv: python(
        `import urllib.request as u; print(u.urlopen(${quoted(url)}, timeout=20).read().decode())`,
      ),
    },
    ...(scheme === "http" ? [{ program: "bash", argv: shell(plain) }] : []),
  ];
}

/** Sends a datagram and prints what comes back. */
export function sends(host: string, port: number): Attempt[] {
  const [family, type] = host.includes(":") ? ["AF_INET6", "udp6"] : ["AF_INET", "udp4"];
  return [
    {
      program: "node",
      argv: node(`const s = require("dgram").createSocket(${quoted(type)});
        s.on("message", (said) => { console.log(String(said)); process.exit(0); });
        s.on("error", (error) => { console.error(error); process.exit(1); });
        s.send("a datagram", ${port}, ${quoted(host)});
        setTimeout(() => process.exit(1), 3000);`),
    },
    {
      program: "python",
      argv: python(`import socket; s = socket.socket(socket.${family}, socket.SOCK_DGRAM); s.settimeout(3)
s.connect((${quoted(host)}, ${port})); s.send(b"a datagram"); print(s.recv(99).decode())`),
    },
    {
      program: "bash",
      argv: shell(`exec 3<>/dev/udp/${host}/${port} && printf 'a datagram' >&3 && timeout 3 head -c 14 <&3`),
    },
  ];
}

/** Asks a name server for an address, and prints it. */
export function looksUp(server: string, name: string): Attempt[] {
  return [
    {
      program: "node",
      argv: node(`const { Resolver } = require("dns").promises; const r = new Resolver({ timeout: 2000, tries: 1 });
        r.setServers([${quoted(server)}]); r.resolve4(${quoted(name)}).then(console.log);`),
    },
    {
      program: "python",
      argv: python(`import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(3)
labels = b"".join(bytes([len(each)]) + each.encode() for each in ${quoted(name)}.split("."))
s.sendto(b"\\0\\1\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0" + labels + b"\\0\\0\\1\\0\\1", (${quoted(server)}, 53))
print(list(s.recv(512)[-4:]))`),
    },
  ];
}

export function reads(path: string): Attempt[] {
  return [
    { program: "cat", argv: ["cat", path] },
    { program: "bash", argv: shell(`echo "$(< ${path})"`) },
    { program: "node", argv: node(`console.log(require("fs").readFileSync(${quoted(path)}, "utf8"))`) },
    { program: "python", argv: python(`print(open(${quoted(path)}).read())`) },
    { program: "curl", argv: ["curl", "-sS", `file://${path}`] },
    { program: "git", argv: ["git", "--no-pager", "diff", "--text", "--no-index", "/dev/null", path] },
  ];
}

/** Each makes a file of its own in `folder`, and then says so. */
export function writes(folder: string): Attempt[] {
  const at = (name: string): string => `${folder}/attack-${name}`;
  return [
    { program: "bash", argv: shell(`echo x > ${at("bash")} && echo written`) },
    {
      program: "node",
      argv: node(`require("fs").writeFileSync(${quoted(at("node"))}, "x"); console.log("written")`),
    },
    { program: "python", argv: python(`open(${quoted(at("python"))}, "w").write("x"); print("written")`) },
    { program: "curl", argv: shell(`curl -sS -o ${at("curl")} file:///etc/hosts && echo written`) },
    { program: "git", argv: shell(`git -C ${folder} init -q attack-git && echo written`) },
  ];
}

/** Connects to a unix socket: a path, or a name of the abstract namespace. */
export function connects(address: { readonly path: string } | { readonly abstract: string }): Attempt[] {
  const name = "path" in address ? address.path : `\0${address.abstract}`;
  return [
    {
      program: "node",
      argv: node(`require("net").connect({ path: ${quoted(name)} }, () => { console.log("connected"); process.exit(0); })
        .on("error", (error) => { console.error(error); process.exit(1); })`),
    },
    {
      program: "python",
      argv: python(
        `import socket; socket.socket(socket.AF_UNIX).connect(${quoted(name)}); print("connected")`,
      ),
    },
  ];
}

/** Speaks HTTP over a unix socket. */
export const speaks = (option: "--unix-socket" | "--abstract-unix-socket", name: string): Attempt => ({
  program: "curl",
  argv: shell(`curl -sS --max-time 20 -o /dev/null ${option} ${name} http://host/ && echo connected`),
});

/** Python that ends with "done", or with the error of what was refused. */
export const calls = (script: string): Attempt => ({
  program: "python",
  argv: python(`import ctypes, os, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
def must(result):
    if result < 0: raise OSError(ctypes.get_errno(), "refused")
    return result
${script}
print("done")`),
});

export const runs = (program: string, ...words: readonly string[]): Attempt => ({
  program,
  argv: [program, ...words],
});

/** A line of bash, named by the program that it is about; says "done" when that succeeds. */
export const line = (program: string, script: string): Attempt => ({
  program,
  argv: shell(`${script} && echo done`),
});
