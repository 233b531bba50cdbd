import { describe, expect, test } from 'vitest'
import { type ImageComponent } from '../../src/image/image-format.ts'
import { type ImageReader, readWith, HEAD_BYTES, type ImageFormat } from '../../src/image/reading.ts'
import { createDigests } from '../../src/image/digests/stream-digests.ts'
import { systemClock } from '../../src/lib/clock.ts'

export interface ComponentInImage {
  readonly name: string
  readonly version: string
  readonly firmware: Buffer
}

/** An image that cannot be used, and what its reader must call it. */
export interface Defect {
  readonly what: string
  readonly image: () => Buffer | Promise<Buffer>
  readonly problem: 'unreadable' | 'digest-mismatch'
}

export interface FormatMaking {
  readonly format: ImageFormat
  readonly build: (components: readonly ComponentInImage[]) => Promise<Buffer>
  /** What the reader must say of a component beside where it lies. */
  readonly expected: (component: ComponentInImage) => Partial<ImageComponent>
  /** How many components an image of the format can hold. */
  readonly maxComponents?: number
  /** Whether a component's bytes are all those of the image. */
  readonly isWhole?: true
  readonly defects: readonly Defect[]
}

const components: readonly ComponentInImage[] = [
  { name: 'NIC-1', version: '1.2.3', firmware: pattern(100_000, 1) },
  { name: 'BIOS', version: 'P79 v1.45', firmware: pattern(513, 2) },
  { name: 'CPLD', version: '7', firmware: pattern(1, 3) },
  { name: 'PSU-1', version: '0.9', firmware: pattern(1_024, 4) },
]

const cuts: readonly (readonly [string, number])[] = [
  ['a byte at a time', 1],
  ['in chunks of 513 bytes', 513],
  ['in chunks of 64 KiB', 2 ** 16],
  ['all at once', Infinity],
]

/** What every ImageFormat must do; each implementation applies it once. */
export function imageFormatContract(name: string, making: FormatMaking): void {
  const { format, build, expected, defects, maxComponents = Infinity, isWhole } = making
  const given = components.slice(0, maxComponents)
  describe(`${name}: an image format`, () => {
    test('recognises its images by their head', async () => {
      const image = await build(given)
      expect(format.recognises(image.subarray(0, HEAD_BYTES))).toBe(true)
      expect(format.recognises(image)).toBe(true)
    })

    test.each([
      ['no bytes', Buffer.alloc(0)],
      ['one byte', Buffer.alloc(1)],
      ['zeros', Buffer.alloc(HEAD_BYTES)],
      ['a gzip', Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0]), pattern(HEAD_BYTES, 9)])],
      ['a PLDM package', Buffer.concat([Buffer.from('f018878ca97d7c4d', 'hex'), pattern(HEAD_BYTES, 9)])],
      ['text', Buffer.from('manifest.json is what this text speaks of. '.repeat(20))],
    ])('does not take for its own: %s', (_what, head) => {
      expect(format.recognises(head.subarray(0, HEAD_BYTES))).toBe(false)
    })

    test.each(cuts)('tells what an image holds, and where, when it comes %s', async (_how, size) => {
      const image = await build(given)
      const read = await readAll(open(format), image, size)
      if (!read.ok) throw new Error(JSON.stringify(read.problem))
      expect(format.names).toContain(read.value.format)
      expect(read.value.components).toMatchObject(given.map(expected))
      const lying = read.value.components.map(({ start, sizeBytes }) =>
        image.subarray(start, start + sizeBytes),
      )
      expect(
        lying.map((bytes, index) =>
          bytes.equals(isWhole ? image : (given[index]?.firmware ?? Buffer.alloc(0))),
        ),
      ).toEqual(given.map(() => true))
    })

    test('gives the digests of the bytes', async () => {
      const image = await build(given.slice(0, 1))
      const read = await readAll(open(format), image)
      expect(read).toMatchObject({
        ok: true,
        value: {
          components: [{ sha256: await digest(isWhole ? image : (given[0]?.firmware ?? Buffer.alloc(0))) }],
        },
      })
    })

    describe.each(defects)('finds the defect when $what', ({ image, problem }) => {
      test.each(cuts)('and it comes %s', async (_how, size) => {
        const read = await readAll(open(format), await image(), size)
        expect(read).toMatchObject({ ok: false, problem: { kind: problem } })
      })
    })

    test('finds an image unreadable of which nothing came', async () => {
      expect(await open(format).end()).toMatchObject({ ok: false, problem: { kind: 'unreadable' } })
    })

    test('finds an image unreadable that ends anywhere before its last component does', async () => {
      const image = await build(components.slice(1, Math.min(3, maxComponents + 1)))
      const full = await readAll(open(format), image)
      const last = full.ok ? full.value.components.at(-1) : undefined
      const end = (last?.start ?? 0) + (last?.sizeBytes ?? 0)
      const kinds = new Set<string>()
      for (let length = 0; length < end; length += 37) {
        const read = await readAll(open(format), image.subarray(0, length))
        kinds.add(read.ok ? `readable at ${length}` : read.problem.kind)
      }
      expect([...kinds]).toEqual(['unreadable'])
      expect(await readAll(open(format), image.subarray(0, end - 1))).toMatchObject({ ok: false })
    })

    test('can be abandoned at any time, and lets nobody wait', async () => {
      const image = await build(given)
      for (const length of [0, 1, 600, image.length - 2_000, image.length]) {
        const reader = open(format)
        await reader.write(image.subarray(0, length))
        reader.abandon()
        reader.abandon()
        // What is still on its way when the client vanishes must not block the one who writes.
        expect(await reader.write(image.subarray(length))).toBeUndefined()
      }
    })
  })
}

/** A reader of an image of this format. */
export function open(format: ImageFormat): ImageReader {
  return readWith(format.read, createDigests(systemClock))
}

/** Feeds a reader in chunks of `size` bytes. */
export async function readAll(
  reader: ImageReader,
  image: Buffer,
  size = Infinity,
): ReturnType<ImageReader['end']> {
  for (let at = 0; at < image.length; at += size) await reader.write(image.subarray(at, at + size))
  return reader.end()
}

/** Bytes that differ from place to place, so that a wrong offset shows. */
export function pattern(sizeBytes: number, seed: number): Buffer {
  return Buffer.from(
    Uint8Array.from({ length: sizeBytes }, (_, i) => (i * 31 + (i >> 8) * 7 + seed * 97) & 0xff),
  )
}

async function digest(bytes: Buffer): Promise<string> {
  return Buffer.from(await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes))).toString('hex')
}
