/** The one host of the requests, where origin and policy agree on it. */
export const host = "api.example.com";
/** Of the origin: HTTP in the clear, and TLS. */
export const ports = { http: 18_080, https: 18_443 } as const;
/** The server that speaks first. */
export const first = { name: "allowed.example.com", address: "93.184.216.34", port: 7000 } as const;

/** The paths that may be read. The load asks for the last one, so that whoever looks one after the other looks at all. */
const paths = [
  ...["accounts", "builds", "charts", "events", "files", "jobs", "keys", "labels", "users"].map(
    (noun) => `/v1/${noun}/**`,
  ),
  "/v1/items/**",
];
/** What requests ask for: this, and a number that is not repeated. */
export const asked = "/v1/items/";

/** As a policy of Nacre. */
export const policy = {
  api: {
    endpoints: [
      {
        host,
        ports: Object.values(ports),
        protocol: "rest",
        rules: paths.map((path) => ({ allow: { method: "GET", path } })),
        deny_rules: [{ method: "GET", path: "/v1/items/secret/**" }],
      },
    ],
  },
  first: { endpoints: [first.name, first.address].map((each) => ({ host: each, port: first.port })) },
};

/** The same as regular expressions of a path, as the other proxies take them. */
export const expressions = paths.map((path) => `^${path.replace("/**", "/")}`);
export const denied = "^/v1/items/secret/";
