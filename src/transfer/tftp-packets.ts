/** What is larger than one Ethernet frame, with some room for tunnels, would be cut into fragments (RFC 2348). */
export const WANTED_BLOCK_BYTES = 1_428
/** Blocks sent before one acknowledgement (RFC 7440). */
export const WANTED_WINDOW = 16
/** What holds where the server answers no options (RFC 1350). */
export const PLAIN_BLOCK_BYTES = 512

/** Block numbers are 16 bits; images of more blocks count on from 0. */
export const BLOCK_NUMBERS = 65_536

const opcodes = { readRequest: 1, data: 3, acknowledgement: 4, error: 5, optionAcknowledgement: 6 } as const

export const errorCodes = {
  undefined: 0,
  fileNotFound: 1,
  accessViolation: 2,
  illegalOperation: 4,
  unknownTransfer: 5,
  optionsRefused: 8,
} as const

export type TftpPacket =
  | { readonly kind: 'data'; readonly block: number; readonly bytes: Uint8Array }
  | { readonly kind: 'error'; readonly code: number; readonly words: string }
  | { readonly kind: 'options'; readonly options: ReadonlyMap<string, string> }

/** Asks for a file, as bytes; sizes of the file, of blocks and of windows are asked for as options. */
export function readRequest(path: string, withOptions: boolean): Buffer {
  const options = withOptions
    ? ['tsize', '0', 'blksize', String(WANTED_BLOCK_BYTES), 'windowsize', String(WANTED_WINDOW)]
    : []
  return packet(opcodes.readRequest, text([path, 'octet', ...options]))
}

export function acknowledgement(block: number): Buffer {
  return packet(opcodes.acknowledgement, number(block % BLOCK_NUMBERS))
}

export function errorPacket(code: number): Buffer {
  return packet(opcodes.error, Buffer.concat([number(code), text([''])]))
}

/** What a server sent; `undefined` when it is nothing that a server may send. */
export function parsePacket(bytes: Buffer): TftpPacket | undefined {
  if (bytes.byteLength < 2) return undefined
  switch (bytes.readUInt16BE(0)) {
    case opcodes.data:
      return bytes.byteLength < 4
        ? undefined
        : { kind: 'data', block: bytes.readUInt16BE(2), bytes: bytes.subarray(4) }
    case opcodes.error:
      return bytes.byteLength < 4
        ? undefined
        : { kind: 'error', code: bytes.readUInt16BE(2), words: bytes.toString('latin1', 4) }
    case opcodes.optionAcknowledgement:
      return { kind: 'options', options: parseOptions(bytes.subarray(2)) }
    default:
      return undefined
  }
}

function parseOptions(bytes: Buffer): ReadonlyMap<string, string> {
  const words = bytes.toString('latin1').split('\0')
  const pairs = Array.from({ length: words.length >> 1 }, (_, index): [string, string] => [
    (words[2 * index] ?? '').toLowerCase(),
    words[2 * index + 1] ?? '',
  ])
  return new Map(pairs)
}

function packet(opcode: number, rest: Buffer): Buffer {
  return Buffer.concat([number(opcode), rest])
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

function text(words: readonly string[]): Buffer {
  return Buffer.from(words.map((word) => `${word}\0`).join(''))
}
