/** One step of getting the engine; `done` and `total` count `unit`s, `total` is absent while it is not known. */
export interface EngineProgress {
  readonly step: "search" | "download" | "verify" | "modules" | "compile" | "install";
  readonly message: string;
  readonly done?: number;
  readonly total?: number;
  readonly unit?: "bytes" | "packages";
}

export type OnEngineProgress = (progress: EngineProgress) => void;
