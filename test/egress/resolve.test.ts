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

const base = {
  a: { endpoints: ["allowed", "private"].map((name) => ({ host: `${name}.example.com`, port: 443 })) },
} as never;
const get = (name: string): string => `curl -sSk https://${name}.example.com/ > /dev/null`;
const lookups = async (script: string): Promise<number> => {
  const packets = await world.packets(async () => expect(await world.run(script)).toMatchObject({ code: 0 }));
  // One question for each family of addresses.
  return packets.filter((line) => line.includes("> 93.184.216.53 53 ")).length / 2;
};

test("connections to one name within two seconds share one lookup, and later ones are looked up anew", async () => {
  egress = await world.egress({ base });
  expect(await lookups(`${get("allowed")} && ${get("allowed")} && ${get("allowed")}`)).toBe(1);
  expect(await lookups(`sleep 2.1 && ${get("allowed")}`)).toBe(1);
});

test("addresses that are kept are checked like others: a grant that comes or goes counts at once", async () => {
  const grants = [{ host: "private.example.com", cidr: "10.77.0.1/32", port: 443 }];
  egress = await world.egress({ base }, { grants });
  expect((await world.run(get("private"))).code).toBe(0);
  egress.send({ type: "grants", grants: [] });
  await expect.poll(async () => (await world.run(get("private"))).code).not.toBe(0);
  expect(egress.records().find(({ verdict }) => verdict === "deny")).toMatchObject({ layer: "address" });
});
