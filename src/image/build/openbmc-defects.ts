import { gzipSync } from 'node:zlib'
import { FULL_SIGNATURE_NAME, MANIFEST_NAME, PUBLIC_KEY_NAME, SIGNATURE_SUFFIX } from '../formats/openbmc.ts'
import type { Defect } from './builder.ts'
import { type TarEntry, tarOf, textEntry } from './tar-file.ts'

type Bytes = AsyncIterable<Uint8Array>

/** What is wrong with a tarball on purpose, and where that is done. */
export interface TarballDefect extends Defect {
  readonly manifest?: (right: string) => string
  readonly files?: (right: readonly TarEntry[]) => readonly TarEntry[]
  /** What becomes of the whole, compressed or not. */
  readonly whole?: (right: Bytes) => Bytes
  readonly isCompressed?: true
}

type Line = 'purpose' | 'version' | 'MachineName'
const without =
  (line: Line) =>
  (manifest: string): string =>
    manifest.replace(new RegExp(`^${line}=.*\n`, 'm'), '')

const malformed = ['Update.VerificationFailed', 'Redflash.ImageMalformed'] as const
const MiB = 2 ** 20
const BOMB_BYTES = 2 ** 33

export const defects = {
  manifest: { what: 'it has no MANIFEST', messages: malformed, files: changed(MANIFEST_NAME, () => []) },
  purpose: { what: 'the MANIFEST has no purpose', messages: malformed, manifest: without('purpose') },
  version: { what: 'the MANIFEST has no version', messages: malformed, manifest: without('version') },
  machine: {
    what: 'it is for another machine',
    messages: ['Update.NoTargetsDetermined'],
    manifest: (right) => right.replace(/^MachineName=/m, 'MachineName=not-'),
  },
  'missing-file': {
    what: 'a part of the flash is missing',
    messages: malformed,
    files: changed('image-kernel', () => []),
  },
  duplicate: {
    what: 'the MANIFEST is there twice',
    messages: malformed,
    files: changed(MANIFEST_NAME, (right) => [right, right]),
  },
  path: {
    what: 'the name of a file leads elsewhere',
    messages: malformed,
    files: changed('image-rofs', (right) => [{ ...right, name: `/${right.name}` }]),
  },
  link: {
    what: 'a file is a link',
    messages: malformed,
    files: changed('image-rofs', ({ name }) => [
      { ...textEntry(name, Buffer.alloc(0)), linksTo: '/etc/passwd' },
    ]),
  },
  signature: {
    what: 'the signature of a file is not of its bytes',
    messages: ['Update.VerificationFailed', 'Redflash.ImageDigestMismatch'],
    needsSignature: true,
    files: changed(`image-rofs${SIGNATURE_SUFFIX}`, flipped),
  },
  'missing-signature': {
    what: 'a file is not signed, while others are',
    messages: malformed,
    needsSignature: true,
    files: changed(`image-rofs${SIGNATURE_SUFFIX}`, () => []),
  },
  'manifest-signature': {
    what: 'the signature of the MANIFEST is not of its bytes',
    messages: ['Update.VerificationFailed', 'Redflash.SignatureInvalid'],
    needsSignature: true,
    files: (right) =>
      changed(FULL_SIGNATURE_NAME, () => [])(changed(`${MANIFEST_NAME}${SIGNATURE_SUFFIX}`, flipped)(right)),
  },
  key: {
    what: 'its key is none',
    messages: malformed,
    needsSignature: true,
    files: changed(PUBLIC_KEY_NAME, ({ name }) => [textEntry(name, Buffer.from('a key'))]),
  },
  truncate: { what: 'the end is missing', messages: malformed, whole: cut },
  trailing: { what: 'something follows its end', messages: malformed, whole: followed },
  gzip: {
    what: 'it is compressed, and a bit of that is flipped',
    messages: malformed,
    isCompressed: true,
    whole: damaged,
  },
  'gzip-truncate': {
    what: 'it is compressed, and the end is missing',
    messages: malformed,
    isCompressed: true,
    whole: cut,
  },
  xz: { what: 'it is compressed by xz, or seems to be', messages: malformed, whole: likeXz },
  bomb: {
    what: 'it is compressed, and far larger than it looks',
    messages: malformed,
    whole: bomb,
  },
} as const satisfies Readonly<Record<string, TarballDefect>>

/** What becomes of the file of this name. */
function changed(
  name: string,
  change: (right: TarEntry) => readonly TarEntry[],
): (right: readonly TarEntry[]) => readonly TarEntry[] {
  return (right) => right.flatMap((entry) => (entry.name === name ? change(entry) : [entry]))
}

function flipped(right: TarEntry): readonly TarEntry[] {
  const [first = new Uint8Array()] = right.bytes() as Iterable<Uint8Array> // signatures are small files
  return [
    textEntry(
      right.name,
      first.map((byte, at) => (at === 9 ? byte ^ 1 : byte)),
    ),
  ]
}

/** Half of the first chunk that is large. */
async function* cut(right: Bytes): Bytes {
  for await (const chunk of right) {
    if (chunk.byteLength > 1_024) return yield chunk.subarray(0, chunk.byteLength / 2)
    yield chunk
  }
}

async function* followed(right: Bytes): Bytes {
  yield* right
  yield Buffer.from('something else')
}

async function* damaged(right: Bytes): Bytes {
  let position = 0
  for await (const chunk of right) {
    // Behind the head of a gzip, before its end.
    const place = 60 - position
    position += chunk.byteLength
    yield chunk.map((byte, at) => (at === place ? byte ^ 1 : byte))
  }
}

async function* likeXz(right: Bytes): Bytes {
  yield Buffer.from('fd377a585a00', 'hex')
  yield* right
}

/** A tar of one file of zeros, in parts that are compressed each by itself: gzip may come so. */
async function* bomb(): Bytes {
  const none = { name: 'image-rofs', sizeBytes: BOMB_BYTES, bytes: () => [] }
  for await (const header of tarOf([none])) {
    yield gzipSync(header)
    break
  }
  const part = gzipSync(Buffer.alloc(16 * MiB))
  for (let left = BOMB_BYTES; left > 0; left -= 16 * MiB) yield part
}
