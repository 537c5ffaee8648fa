import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type RunningEgress, World } from "./world/world.ts";

let world: World;
let egress: RunningEgress | undefined;
beforeAll(async () => {
  world = await World.make();
});
afterEach(async () => {
  await egress?.stop();
  egress = undefined;
});
afterAll(() => world.stop());

test("a blocked provider is neither looked up nor dialled", async () => {
  const host = "allowed.example.com";
  egress = await world.egress(
    { blocks: [{ host }] },
    {
      inference: {
        route: { try: ["main"], timeoutSeconds: 5 },
        providers: { main: { kind: "openai", model: "m", endpoint: `https://${host}/v1`, trusted: false } },
      },
    },
  );
  const packets = await world.packets(async () => {
    const asked = await world.run(
      `curl -sSk --max-time 10 -H 'content-type: application/json' -d '{"model":"x","messages":[{"role":"user","content":"hi"}]}' https://inference.local/v1/chat/completions`,
    );
    expect(asked.out).toContain('"layer":"block"');
  });
  expect(packets).toEqual([]);
});
