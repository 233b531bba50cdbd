import * as fc from 'fast-check'
import { hash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { buildBundle } from '../../src/image/build/bundle.ts'
import { createDigests } from '../../src/image/digests/stream-digests.ts'
import type { ImageComponent, ImageContents, ImageProblem } from '../../src/image/image-format.ts'
import { inspectImage, type InspectOptions } from '../../src/image/inspect.ts'
import type { ImageReader } from '../../src/image/reading.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { Result } from '../../src/lib/result.ts'
import { startEmulator, type TestEmulator } from './emulator.ts'
import { CASES_MS, inPieces, runs } from './fuzz.ts'
import { push } from './multipart.ts'

/** Longer than tasks are remembered. */
const LONG_MS = 24 * 3_600_000

export function imageReader(options: InspectOptions = {}): ImageReader {
  return inspectImage(createDigests(systemClock), options)
}

/** What a reader finds in an image that comes in pieces of these lengths. */
export async function readInPieces(
  image: Buffer,
  lengths: readonly number[] = [65_536],
  reader: ImageReader = imageReader(),
): Promise<Result<ImageContents, ImageProblem>> {
  for (const piece of inPieces(image, lengths)) await reader.write(piece)
  return reader.end()
}

/** Tells how an image is judged: what is wrong with it, or whether what was read is so. */
export function judgeBy(isTrue: (image: Buffer, contents: ImageContents) => boolean) {
  return async (image: Buffer, lengths?: readonly number[], reader?: ImageReader): Promise<string> => {
    const contents = await readInPieces(image, lengths, reader)
    if (!contents.ok) return contents.problem.kind
    return isTrue(image, contents.value) ? 'true image' : 'false image'
  }
}

/** All that an image may be judged to be. */
export const verdicts = /^(true image|unknown-format|unreadable|digest-mismatch)$/

/** Whether a component's bytes are where they are said to be. */
export function isThere(image: Buffer, { start, sizeBytes, sha256 }: ImageComponent): boolean {
  const bytes = image.subarray(start, start + sizeBytes)
  return bytes.length === sizeBytes && hash('sha256', bytes) === sha256
}

/** The property of every format: whatever is pushed, nothing stays of it, in the spool or as a hold on a component. */
export function pushProperty(what: string, images: fc.Arbitrary<Buffer>): void {
  test(
    `whatever ${what} is pushed, its task ends and nothing stays`,
    async () => {
      const emulator = await startEmulator({ speed: 'max' })
      await fc.assert(
        fc.asyncProperty(images, (image) => expectEnd(emulator, image)),
        runs(100),
      )
      const { status } = await push(emulator, await bundleForAll(emulator), { ForceUpdate: true })
      expect(status).toBe(202)
    },
    CASES_MS,
  )
}

async function expectEnd(emulator: TestEmulator, image: Buffer): Promise<void> {
  const { status } = await push(emulator, image, { ForceUpdate: true })
  // When all of it was cut away there is no image to make a task of.
  expect(status).toBe(image.length === 0 ? 400 : 202)
  await emulator.clock.advance(60_000)
  const tasks = [...emulator.bmc.state.tasks.values()].filter(({ parent }) => parent === undefined)
  expect(tasks).toHaveLength(image.length === 0 ? 0 : 1)
  for (const { state } of tasks) expect(['Completed', 'Exception']).toContain(state)
  expect(emulator.spool.entries.size).toBe(0)
  await emulator.clock.advance(LONG_MS)
}

/** An image that every component of the machine takes, unless somebody works on one of them. */
function bundleForAll({ bmc }: TestEmulator): Promise<Buffer> {
  const softwareIds = [...new Set([...bmc.machine.components.values()].map(({ softwareId }) => softwareId))]
  const orders = softwareIds.map((softwareId) => ({
    name: softwareId,
    softwareId,
    version: '99',
    sizeBytes: 64,
  }))
  return buffer(buildBundle(orders))
}
