import { createCipheriv, createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { pack } from 'tar-stream'
import { MANIFEST_NAME, type Manifest } from './formats/bundle.ts'
import type { Requirement } from './image-format.ts'

const CHUNK_BYTES = 2 ** 18

/** What to put into a bundle for one component; its firmware is made up, reproducibly. */
export interface BundleComponent {
  readonly name: string
  readonly softwareId: string
  readonly version: string
  readonly sizeBytes: number
  readonly releaseDate?: string
  readonly requires?: readonly Requirement[]
}

/** An update bundle as a stream: the same components give the same bytes, whatever their size never held in memory. */
export function buildBundle(components: readonly BundleComponent[]): Readable {
  const tar = pack()
  const entries = components.map((component, index) => ({
    ...component,
    file: `${index + 1}-${component.name}.bin`,
  }))
  const write = async (): Promise<void> => {
    const manifest: Manifest = {
      bundle: 1,
      components: entries.map(({ name, softwareId, version, releaseDate, requires, file, sizeBytes }) => ({
        name,
        softwareId,
        version,
        ...(releaseDate !== undefined && { releaseDate }),
        ...(requires !== undefined && { requires: [...requires] }),
        file,
        sha256: digestOf(firmware(softwareId, version, sizeBytes)),
        size: sizeBytes,
      })),
    }
    // Fixed times: a bundle's bytes depend on what is in it only.
    const header = { mtime: new Date(0), mode: 0o644 }
    tar.entry({ ...header, name: MANIFEST_NAME }, JSON.stringify(manifest, null, 2))
    for (const { file, softwareId, version, sizeBytes } of entries) {
      await pipeline(
        Readable.from(firmware(softwareId, version, sizeBytes)),
        tar.entry({ ...header, name: file, size: sizeBytes }) as unknown as NodeJS.WritableStream,
      )
    }
    tar.finalize()
  }
  write().catch((error: unknown) => tar.destroy(error instanceof Error ? error : new Error(String(error))))
  return Readable.from(tar as AsyncIterable<Uint8Array>)
}

/** Bytes that look like firmware (do not compress, differ by version) and are the same every time. */
function* firmware(softwareId: string, version: string, sizeBytes: number): Iterable<Buffer> {
  const key = createHash('sha256').update(`${softwareId}\0${version}`).digest()
  const cipher = createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16))
  const zeros = Buffer.alloc(Math.min(CHUNK_BYTES, sizeBytes))
  for (let left = sizeBytes; left > 0; left -= zeros.length) {
    yield cipher.update(left < zeros.length ? zeros.subarray(0, left) : zeros)
  }
}

function digestOf(chunks: Iterable<Buffer>): string {
  const hash = createHash('sha256')
  for (const chunk of chunks) hash.update(chunk)
  return hash.digest('hex')
}
