import { z } from "zod";
import { nameLike } from "../policy/name.ts";

/** Names of environments, agents, routes, providers and credentials. */
export const nameSchema = nameLike("my-agent");

/** An absolute path inside the sandbox, already in its shortest form: no `..`, no `//`, no slash at the end. */
export const insidePathSchema = z
  .string()
  .max(4096, "at most 4096 characters")
  .regex(/^\/(?!\/)[^\0]*$/, "an absolute path inside the sandbox: /sandbox/data")
  .refine(
    (path) =>
      path === "/" ||
      path
        .slice(1)
        .split("/")
        .every((part) => part !== "" && part !== "." && part !== ".."),
    "a path in its shortest form, without `.`, `..`, double slashes or a slash at the end: /sandbox/data",
  );

/** A TCP port. */
export const portSchema = z.int().min(1, "a port, 1 to 65535: 8080").max(65535, "a port, 1 to 65535: 8080");
