import type { RawRule } from '../bmc/machine.ts'
import { type Clock, systemClock } from '../lib/clock.ts'
import { fail } from '../lib/result.ts'
import type { Digests } from './digests/digests.ts'
import { bundle } from './formats/bundle.ts'
import { capsule } from './formats/capsule.ts'
import { openbmc } from './formats/openbmc.ts'
import { pldm } from './formats/pldm.ts'
import { readRaw } from './formats/raw.ts'
import { gunzipReader } from './gunzip.ts'
import {
  HEAD_BYTES,
  type ImageBytes,
  type ImageFormat,
  type ImageReader,
  type Reading,
  readWith,
} from './reading.ts'

/** Every format that this service reads: what SupportedUpdateImageFormats announces. Asked in this order. */
export const formats: readonly ImageFormat[] = [bundle, pldm, capsule, openbmc]

const GZIP = '\x1f\x8b\x08'
/** How compressed bytes begin that are not read here. */
const otherCompressions: ReadonlyMap<string, RegExp> = new Map([
  ['xz', /^\xfd7zXZ\0/],
  ['zstd', /^\x28\xb5\x2f\xfd/],
  ['bzip2', /^BZh[1-9]1AY&SY/],
])

export interface InspectOptions {
  readonly clock?: Clock
  /** How many bytes a compressed image may have in truth. */
  readonly maxBytes?: number
  /** How versions are found in bytes of no format. */
  readonly rawRules?: readonly RawRule[]
}

/** A reader that tells the format from the first bytes and then reads as that format does. */
export function inspectImage(digests: Digests, options: InspectOptions = {}): ImageReader {
  const { clock = systemClock, maxBytes = Infinity, rawRules = [] } = options
  const inside = formats.filter(({ mayBeCompressed }) => mayBeCompressed)
  return whenKnown((head) => {
    if (latin1(head).startsWith(GZIP)) {
      const open = (inner: Digests): ImageReader =>
        whenKnown((innerHead) => readWith(formatOf(innerHead, inside) ?? readUnknown, inner))
      return gunzipReader(digests, { clock, maxBytes, open })
    }
    const readOther = rawRules.length > 0 ? (image: ImageBytes) => readRaw(image, rawRules) : readUnknown
    return readWith(formatOf(head, formats) ?? readOther, digests)
  })
}

/** How an image that begins so is read; `undefined` where nobody knows. */
function formatOf(head: Uint8Array, all: readonly ImageFormat[]): ImageFormat['read'] | undefined {
  const compression = [...otherCompressions].find(([, magic]) => magic.test(latin1(head)))?.[0]
  if (compression !== undefined) return (image) => refuseCompression(image, compression)
  return all.find((one) => one.recognises(head))?.read
}

function latin1(head: Uint8Array): string {
  return Buffer.from(head).toString('latin1')
}

/** A reader that is chosen when the first bytes are here. */
function whenKnown(choose: (head: Uint8Array) => ImageReader): ImageReader {
  let head: Uint8Array = new Uint8Array()
  let chosen: ImageReader | undefined
  const begin = (): ImageReader => (chosen = choose(head.subarray(0, HEAD_BYTES)))
  return {
    write: (chunk) => {
      if (chosen !== undefined) return chosen.write(chunk)
      head = head.byteLength === 0 ? chunk : Buffer.concat([head, chunk])
      return head.byteLength >= HEAD_BYTES ? begin().write(head) : undefined
    },
    end: async () => {
      const isShort = chosen === undefined
      const reader = chosen ?? begin()
      if (isShort) await reader.write(head)
      return reader.end()
    },
    abandon: () => chosen?.abandon(),
  }
}

function* refuseCompression(image: ImageBytes, name: string): Reading {
  yield* image.end()
  return fail({ kind: 'unreadable', detail: `it is compressed by ${name}: only gzip is read here` })
}

/** Reads what is of no format. */
function* readUnknown(image: ImageBytes): Reading {
  yield* image.end()
  return fail({ kind: 'unknown-format' })
}
