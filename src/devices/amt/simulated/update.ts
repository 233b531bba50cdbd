import { createHash } from 'node:crypto'
import type { Clock } from '../../../lib/clock.ts'
import { fail, type Result, succeed } from '../../../lib/result.ts'
import type { NetworkBoot } from './boot-options.ts'

/** Fetches what a machine boots from. */
export interface BootFetcher {
  /** The image's bytes as they come; rejects, or ends with an error, where they do not. */
  fetch(url: string, signal: AbortSignal): AsyncIterable<Uint8Array>
  close(): Promise<void>
}

/** A piece of firmware in an image. */
export interface ImagePart {
  /** What it is known by, as the image says. */
  readonly ids: readonly string[]
  readonly version: string
  readonly releaseDate: string | undefined
}

/** Tells from an image's bytes what is in it; or why it cannot be used, in words. */
export type ReadImage = (chunks: AsyncIterable<Uint8Array>) => Promise<Result<readonly ImagePart[], string>>

/** What of a machine can be updated. */
export type Target = 'bios' | 'csme'

/** What goes wrong with an update, on purpose. */
export const faults = {
  fetch: 'the image is never fetched',
  verify: 'every image is refused',
  bios: 'the BIOS comes back as it was',
  csme: 'the CSME comes back with its recovery firmware',
  hang: 'an installation never ends',
} as const
export type Fault = keyof typeof faults

export function isFault(name: string): name is Fault {
  return Object.hasOwn(faults, name)
}

export interface InstallTimes {
  readonly verifyMs: number
  readonly installMs: number
}

export interface InstallOptions {
  readonly clock: Clock
  readonly times: InstallTimes
  readonly fetcher: BootFetcher
  readonly readImage: ReadImage
  /** What images name each target by. */
  readonly softwareIds: Readonly<Record<Target, readonly string[]>>
  readonly faults: ReadonlySet<Fault>
}

/** What was found for a machine in the image that it booted. */
export interface Installable extends Pick<ImagePart, 'version' | 'releaseDate'> {
  readonly target: Target
}

/** Fetches the image and finds in it what is for this machine; or why there is nothing to install, in words. */
export async function fetchFirmware(
  { url, sha256 }: NetworkBoot,
  options: InstallOptions,
  signal: AbortSignal,
): Promise<Result<readonly Installable[], string>> {
  const { clock, fetcher, readImage, times, softwareIds, faults: planned } = options
  if (planned.has('fetch')) return fail('the server did not answer')
  const digest = createHash('sha256')
  const read = await clock
    .io(readImage(digested(fetcher.fetch(url, signal), digest)))
    .catch((error: unknown) => {
      signal.throwIfAborted()
      return fail(error instanceof Error ? error.message : String(error))
    })
  signal.throwIfAborted()
  await clock.sleep(times.verifyMs, signal)
  if (!read.ok) return read
  if (planned.has('verify')) return fail('it is not signed for this machine')
  if (sha256 !== undefined && digest.digest('hex') !== sha256)
    return fail('it is not the image that was announced')
  const found = (['csme', 'bios'] as const).flatMap((target) => {
    const part = read.value.find(({ ids }) => ids.some((id) => isOneOf(id, softwareIds[target])))
    return part === undefined ? [] : [{ target, version: part.version, releaseDate: part.releaseDate }]
  })
  return found.length > 0 ? succeed(found) : fail('nothing in it is for this machine')
}

function isOneOf(id: string, known: readonly string[]): boolean {
  return known.some((one) => one.toLowerCase() === id.toLowerCase())
}

async function* digested(
  chunks: AsyncIterable<Uint8Array>,
  digest: { update(chunk: Uint8Array): unknown },
): AsyncIterable<Uint8Array> {
  for await (const chunk of chunks) {
    digest.update(chunk)
    yield chunk
  }
}
