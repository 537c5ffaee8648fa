import { runPlugin } from "../../../lib/provider/plugin.ts";
import { FolderMachine } from "../folder-machine.ts";

await runPlugin(new FolderMachine(process.env["NACRE_STATE_DIR"] ?? ""), process.argv.slice(2));
