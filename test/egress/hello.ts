/** Builds ClientHello records by hand, for what no well-behaved client sends. */
export interface HelloParts {
  readonly serverNames?: readonly string[];
  readonly extensions?: readonly (readonly [number, Buffer])[];
  /** Bytes of handshake per record. */
  readonly split?: number;
}

export function clientHello({ serverNames = [], extensions = [], split = 16384 }: HelloParts): Buffer {
  const names = serverNames.map((name) =>
    Buffer.concat([Buffer.from([0]), sized(2, Buffer.from(name, "latin1"))]),
  );
  const all = [...(names.length > 0 ? [[0, sized(2, Buffer.concat(names))] as const] : []), ...extensions];
  const encoded = all.map(([type, body]) => Buffer.concat([number(2, type), sized(2, body)]));
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32, 7),
    sized(1, Buffer.alloc(32, 1)),
    sized(2, Buffer.from([0x13, 0x01])),
    sized(1, Buffer.from([0])),
    sized(2, Buffer.concat(encoded)),
  ]);
  const message = Buffer.concat([Buffer.from([1]), sized(3, body)]);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += split) {
    records.push(Buffer.from([22, 3, 1]), sized(2, message.subarray(at, at + split)));
  }
  return Buffer.concat(records);
}

export function sized(bytes: number, content: Buffer): Buffer {
  return Buffer.concat([number(bytes, content.length), content]);
}

function number(bytes: number, value: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntBE(value, 0, bytes);
  return buffer;
}
