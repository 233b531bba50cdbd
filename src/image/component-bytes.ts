import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import type { Clock } from '../lib/clock.ts'
import type { ImageComponent } from './image-format.ts'
import type { ReceivedImage } from './receive.ts'
import { slice } from './slice.ts'

const CHUNK_BYTES = 2 ** 18

/** The bytes of one component of an image, as its device gets them. */
export function componentBytes(
  { spooled, sizeBytes, contents }: Pick<ReceivedImage, 'spooled' | 'sizeBytes' | 'contents'>,
  component: Pick<ImageComponent, 'start' | 'sizeBytes'>,
  clock: Clock,
): AsyncIterable<Uint8Array> {
  const { start } = component
  const end = start + component.sizeBytes
  const isCompressed = contents.ok && contents.value.encoding === 'gzip'
  return isCompressed
    ? slice(gunzipped(spooled.read(0, sizeBytes), clock), start, end)
    : spooled.read(start, end)
}

async function* gunzipped(source: AsyncIterable<Uint8Array>, clock: Clock): AsyncIterable<Uint8Array> {
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES })
  // What fails is told to the one who reads, too.
  const fed = pipeline(source, gunzip).catch(() => {})
  const chunks = gunzip[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
  try {
    for (;;) {
      const next = await clock.io(chunks.next())
      if (next.done === true) return
      yield next.value
    }
  } finally {
    gunzip.destroy()
    await fed
  }
}
