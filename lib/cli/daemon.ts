import { connect as connectTo, type Client } from "../host/client.ts";
import { stateDirectory } from "../host/paths.ts";

/** The daemon of this user's state directory, started if none runs. Its progress goes to stderr. */
export const connect = (): Promise<Client> => connectTo(stateDirectory(), { start: true });
