import type { ImagePart, ReadImage } from '../devices/amt/simulated/update.ts'
import { createDigests } from '../image/digests/stream-digests.ts'
import { describeImageProblem, type Fits } from '../image/image-format.ts'
import { inspectImage } from '../image/inspect.ts'
import type { Clock } from '../lib/clock.ts'
import { fail, succeed } from '../lib/result.ts'

/** Larger than any that a computer is booted from. */
const MAX_IMAGE_BYTES = 2 ** 31 - 1

/** Has simulated machines read images of every format that is known here. */
export function imageReader(clock: Clock): ReadImage {
  return async (chunks) => {
    const digests = createDigests(clock)
    const reader = inspectImage(digests, { clock, maxBytes: MAX_IMAGE_BYTES })
    try {
      for await (const chunk of chunks) await reader.write(chunk)
    } catch (error) {
      reader.abandon()
      digests.abandon()
      throw error
    }
    const contents = await reader.end()
    await digests.finish()
    if (!contents.ok) return fail(describeImageProblem(contents.problem))
    return succeed(
      contents.value.components.map(({ fits, version, releaseDate }): ImagePart => ({
        ids: idsOf(fits),
        version,
        releaseDate,
      })),
    )
  }
}

/** What a part of an image is known by. */
function idsOf(fits: Fits): readonly string[] {
  switch (fits.kind) {
    case 'software':
      return [fits.softwareId]
    case 'capsule':
      return [fits.imageTypeId]
    case 'pldm':
      return [`${fits.classification}.${fits.identifier}`]
    case 'openbmc':
    case 'named':
      return []
  }
}
