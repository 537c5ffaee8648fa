import type { Denied } from "../policy/decision.ts";
import type { ChatRequest } from "./provider.ts";

/**
 * What a provider would fetch or run by itself for this request, if anything: an image by its address, its own web
 * search, tools that are not the agent's functions. All of it would pass by the egress and its policy.
 */
export function reachesOutside(request: ChatRequest): Denied | undefined {
  if (request["web_search_options"] !== undefined)
    return refuse("its provider's own web search", "web_search_options");
  const tool = request.tools?.find(({ type }) => !["function", "custom"].includes(type));
  if (tool !== undefined) return refuse(`a tool that its provider runs (${tool.type})`, "that tool");
  for (const { content } of request.messages) {
    for (const part of Array.isArray(content) ? (content as readonly Record<string, unknown>[]) : []) {
      const image = part["image_url"];
      const url =
        typeof image === "object" && image !== null ? (image as Record<string, unknown>)["url"] : image;
      if (typeof url === "string" && !/^data:/i.test(url)) {
        return refuse(
          "an image that its provider would fetch",
          "the address: send the image itself as a data: URL",
        );
      }
    }
  }
  return undefined;
}

function refuse(what: string, remove: string): Denied {
  return {
    verdict: "deny",
    layer: "inference",
    reason: `the request asks for ${what}, which would pass by the egress`,
    fix: { text: `remove ${remove}` },
  };
}
