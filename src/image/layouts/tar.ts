import { type ImageBytes, type Step, Unreadable } from '../reading.ts'

export const BLOCK_BYTES = 512
/** What an extended header may hold: names, times and owners fit many times over. */
const MAX_EXTENDED_BYTES = 2 ** 16
const MAX_NAME_BYTES = 4_096
/** Far from where sums of sizes are no exact numbers any more. */
const MAX_FILE_BYTES = 2 ** 50
/** What extended headers say that decides anything. */
const decisive: readonly string[] = ['path', 'linkpath', 'size']

/** A file within a tar: its bytes begin where the reading is when its header was read. */
export interface TarFile {
  readonly name: string
  readonly start: number
  readonly sizeBytes: number
}

interface Header extends TarFile {
  readonly type: string
}

/** What headers before that of a file say of it. */
interface Extension {
  readonly path?: string | undefined
  readonly sizeBytes?: number | undefined
}

/** Whether bytes begin with a tar's header (POSIX.1-1988 ustar, or GNU's). */
export function isTar(head: Uint8Array): boolean {
  return textAt(head, 257, 5) === 'ustar'
}

/** The name in the first header of a tar. */
export function firstName(head: Uint8Array): string {
  return withoutDot(textAt(head, 0, 100))
}

/**
 * Reads up to the bytes of the next file; `undefined` at the end, when nothing is left but padding. What tools for
 * tars read differently, or what is no plain file, is refused: links, devices, folders, files with holes.
 */
export function* nextFile(image: ImageBytes): Step<TarFile | undefined> {
  let extension: Extension | undefined
  for (;;) {
    const header = yield* readHeader(image)
    if (header === undefined) {
      if (extension !== undefined) throw new Unreadable('an extended header is of no file')
      yield* restIsZero(image)
      return undefined
    }
    if (isRoot(header)) continue
    const { type, name, start, sizeBytes } = header
    if (type === '0' || type === '\0') {
      const { path = name, sizeBytes: size = sizeBytes } = extension ?? {}
      return plain({ name: path, start, sizeBytes: size })
    }
    if (type !== 'x' && type !== 'g' && type !== 'L') throw new Unreadable(`${name} is not a plain file`)
    const bytes = yield* extensionBytes(image, header)
    if (type === 'g') refuseGlobal(recordsOf(bytes))
    else if (extension !== undefined) throw new Unreadable('a file has two extended headers')
    else extension = type === 'L' ? { path: longName(bytes) } : extensionOf(recordsOf(bytes))
  }
}

/** A file's bytes, and the padding behind them. */
export function* fileBytes(image: ImageBytes, { sizeBytes }: TarFile): Step<Uint8Array> {
  const bytes = yield* image.take(sizeBytes)
  yield* image.skip(paddingOf(sizeBytes))
  return bytes
}

/** Lets a file pass, and the padding behind it. */
export function* skipFile(image: ImageBytes, { sizeBytes }: TarFile): Step<void> {
  yield* image.skip(sizeBytes + paddingOf(sizeBytes))
}

function* readHeader(image: ImageBytes): Step<Header | undefined> {
  const block = yield* image.take(BLOCK_BYTES)
  if (isZero(block)) return undefined
  if (!isTar(block)) throw new Unreadable('it is not a tar throughout')
  const name = textAt(block, 0, 100)
  if (!isWhole(block)) throw new Unreadable(`the header of ${name} is damaged`)
  const sizeBytes = numberAt(block, 124, 12)
  if (sizeBytes === undefined) throw new Unreadable(`${name} has no size`)
  const isPosix = textAt(block, 257, 6) === 'ustar'
  const prefix = isPosix ? textAt(block, 345, 155) : ''
  const type = String.fromCodePoint(block[156] ?? 0)
  return { name: prefix === '' ? name : `${prefix}/${name}`, type, start: image.position, sizeBytes }
}

/** A tar ends with two blocks of zeros, and with as many more as its writer likes. */
function* restIsZero(image: ImageBytes): Step<void> {
  let block = yield* image.take(BLOCK_BYTES)
  while (block.byteLength > 0) {
    if (!isZero(block)) throw new Unreadable('something follows its end')
    block = yield* image.takeUpTo(BLOCK_BYTES)
  }
}

/** The folder that all else is in, as `tar -C folder .` writes it: it says nothing. */
function isRoot({ type, name, sizeBytes }: Header): boolean {
  return type === '5' && sizeBytes === 0 && /^\.\/?$/.test(name)
}

function* extensionBytes(image: ImageBytes, header: Header): Step<Uint8Array> {
  if (header.sizeBytes > MAX_EXTENDED_BYTES) throw new Unreadable('an extended header is too large')
  return yield* fileBytes(image, header)
}

/** `./` before a name means nothing. */
function withoutDot(name: string): string {
  return name.replace(/^(\.\/)+/, '')
}

/** Refuses names that lead elsewhere, or nowhere. */
function plain(file: TarFile): TarFile {
  const name = withoutDot(file.name)
  const isElsewhere = name.startsWith('/') || name.split(/[/\\]/).includes('..')
  if (
    isElsewhere ||
    name === '' ||
    name.endsWith('/') ||
    name.length > MAX_NAME_BYTES ||
    /\p{Cc}/u.test(name)
  )
    throw new Unreadable(`${file.name.slice(0, 100)} is no name of a file in it`)
  return { ...file, name }
}

/** GNU: the name that has no room in the header, which ends with a zero. */
function longName(bytes: Uint8Array): string {
  if (bytes.indexOf(0) !== bytes.byteLength - 1) throw new Unreadable('a long name is damaged')
  return textAt(bytes, 0, bytes.byteLength)
}

/** What holds for all files that follow may be a comment, or times; readers disagree on more. */
function refuseGlobal(records: ReadonlyMap<string, string>): void {
  const shared = decisive.find((key) => records.has(key))
  if (shared !== undefined) throw new Unreadable(`it gives all its files the same ${shared}`)
}

function extensionOf(records: ReadonlyMap<string, string>): Extension {
  const size = records.get('size')
  const sizeBytes = size === undefined ? undefined : decimal(size)
  return { path: records.get('path'), sizeBytes }
}

/** The records of a pax header: `<length> <key>=<value>\n`. */
function recordsOf(bytes: Uint8Array): ReadonlyMap<string, string> {
  const records = new Map<string, string>()
  for (let at = 0; at < bytes.byteLength;) {
    const [text = ''] = /^\d{1,6} /.exec(latin1(bytes.subarray(at, at + 7))) ?? []
    const end = at + Number(text)
    const record = bytes.subarray(at + text.length, end - 1)
    const equals = record.indexOf(0x3d)
    if (end > bytes.byteLength || bytes[end - 1] !== 0x0a || equals < 1) {
      throw new Unreadable('an extended header is damaged')
    }
    const key = latin1(record.subarray(0, equals))
    if (key.startsWith('GNU.sparse')) throw new Unreadable('a file in it has holes')
    if (records.has(key)) throw new Unreadable(`an extended header says ${key} twice`)
    records.set(key, decisive.includes(key) ? utf8(record.subarray(equals + 1)) : '')
    at = end
  }
  return records
}

function decimal(text: string): number {
  const size = /^\d{1,16}$/.test(text) ? Number(text) : Infinity
  if (size > MAX_FILE_BYTES) throw new Unreadable('a file in it has no size')
  return size
}

/** How many bytes fill the last block of a file. */
export function paddingOf(sizeBytes: number): number {
  return (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES
}

/** Whether the checksum is that of the header, its own bytes counted as spaces; old writers took bytes for signed. */
function isWhole(block: Uint8Array): boolean {
  const said = octal(latin1(block.subarray(148, 156)))
  const bytes = block.map((byte, at) => (at >= 148 && at < 156 ? 0x20 : byte))
  const sum = bytes.reduce((total, byte) => total + byte, 0)
  const signedSum = new Int8Array(bytes).reduce((total, byte) => total + byte, 0)
  return said !== undefined && (said === sum || said === signedSum)
}

/** A number in octal or, where it is too large for that, GNU's way: in binary, behind a bit that says so. */
function numberAt(block: Uint8Array, start: number, length: number): number | undefined {
  const field = block.subarray(start, start + length)
  // The next bit would make it negative.
  const isBinary = field[0] === 0x80
  const number = isBinary ? Number(`0x${bufferOf(field.subarray(1)).toString('hex')}`) : octal(latin1(field))
  return number === undefined || number > MAX_FILE_BYTES ? undefined : number
}

function octal(text: string): number | undefined {
  const [, digits] = /^ *([0-7]{1,12})[ \0]*$/.exec(text) ?? []
  return digits === undefined ? undefined : Number.parseInt(digits, 8)
}

function isZero(block: Uint8Array): boolean {
  return block.every((byte) => byte === 0)
}

/** Text up to the first zero. */
function textAt(block: Uint8Array, start: number, length: number): string {
  const field = block.subarray(start, start + length)
  const end = field.indexOf(0)
  return bufferOf(end === -1 ? field : field.subarray(0, end)).toString('utf8')
}

function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new Unreadable('an extended header is not in UTF-8')
  }
}

function latin1(bytes: Uint8Array): string {
  return bufferOf(bytes).toString('latin1')
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
