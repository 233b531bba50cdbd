const BLOCK_BYTES = 512

/** What a tar's header says, field by field, right or wrong. */
export interface TarBlock {
  readonly name?: string
  /** As it is written, or a number for octal. */
  readonly size?: number | Buffer | string
  readonly type?: string
  readonly magic?: string
  readonly prefix?: string
  /** As it is written; computed where absent, over bytes that are signed where asked for. */
  readonly checksum?: string
  readonly isSigned?: boolean
  readonly linkName?: string
}

/** A header of a tar, as wrong as it is asked to be. */
export function tarBlock(fields: TarBlock): Buffer {
  const { name = 'file', size = 0, type = '0', magic = 'ustar\x0000', prefix = '', linkName = '' } = fields
  const block = Buffer.alloc(BLOCK_BYTES)
  block.write(name, 0, 100)
  block.write('0000644\x000000000\x000000000\0', 100, 'latin1')
  const sizeField = typeof size === 'number' ? `${size.toString(8).padStart(11, '0')}\0` : size
  block.set(Buffer.from(sizeField).subarray(0, 12), 124)
  block.write('00000000000\0        ', 136, 'latin1')
  block.write(type, 156, 1, 'latin1')
  block.write(linkName, 157, 100)
  block.write(magic, 257, 8, 'latin1')
  block.write(prefix, 345, 155)
  const bytes = fields.isSigned === true ? [...new Int8Array(block)] : [...block]
  const sum = bytes.reduce((total, byte) => total + byte, 0)
  block.write(fields.checksum ?? `${sum.toString(8).padStart(6, '0')}\0 `, 148, 8, 'latin1')
  return block
}

/** A file in a tar: its header, its bytes and what fills the last block. */
export function tarFile(name: string, body: Buffer, fields: TarBlock = {}): Buffer {
  return Buffer.concat([tarBlock({ name, size: body.length, ...fields }), padded(body)])
}

/** An extended header of files that follow. */
export function paxHeader(records: Readonly<Record<string, string>> | Buffer, type = 'x'): Buffer {
  const body = Buffer.isBuffer(records)
    ? records
    : Buffer.concat(Object.entries(records).map(([key, value]) => paxRecord(key, value)))
  return tarFile('PaxHeader', body, { type })
}

export function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.from(` ${key}=${value}\n`)
  const digits = [1, 2, 3, 4, 5, 6].find((one) => String(rest.length + one).length === one) ?? 0
  return Buffer.concat([Buffer.from(String(rest.length + digits)), rest])
}

/** How a tar ends. */
export const tarEnd = Buffer.alloc(2 * BLOCK_BYTES)

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & (BLOCK_BYTES - 1))])
}
