import type { Bmc } from '../bmc/bmc.ts'
import type { RawRule } from '../bmc/machine.ts'
import { commit } from '../bmc/commit.ts'
import { nextNumber } from '../bmc/numbers.ts'
import type { LocalImage } from '../bmc/local-image.ts'
import { fail, type Result, succeed } from '../lib/result.ts'
import type { Clock } from '../lib/clock.ts'
import { uris } from '../redfish/uris.ts'
import { readKept } from './kept.ts'
import type { ReceivedImage } from './receive.ts'
import type { Spool, SpoolEntry } from './spool/spool.ts'

export interface ImageStoreOptions {
  readonly clock: Clock
  readonly spool: Spool
  readonly maxImageBytes: number
  /** How much each BMC can keep; 8 GiB unless given. */
  readonly imageStoreBytes?: number
}

/** Bytes that entries of BMCs speak of. */
interface Kept {
  readonly spooled: SpoolEntry
  entries: number
  /** What they are, by rules that not every machine has; unknown until somebody looks. */
  contents: ReceivedImage['contents'] | undefined
  rawRules: readonly RawRule[] | undefined
}

/** What is known of an image without a look at its bytes. */
export type KeptImage = Omit<ReceivedImage, 'contents'>

const CAPACITY_BYTES = 8 * 2 ** 30

/**
 * The images that BMCs keep (UpdateService v1_17, LocalImageStore). Each BMC's state says which; the bytes are here,
 * once for all that keep the same.
 */
export class ImageStore {
  readonly capacityBytes: number
  readonly #options: ImageStoreOptions
  /** By SHA-256. */
  readonly #kept = new Map<string, Kept>()

  constructor(options: ImageStoreOptions) {
    this.capacityBytes = options.imageStoreBytes ?? CAPACITY_BYTES
    this.#options = options
  }

  /** Holds what a BMC kept in another life, as far as its bytes are still here. */
  takeUp({ state }: Bmc): void {
    for (const { sha256 } of state.localImages.values()) {
      const spooled = this.#options.spool.find(sha256)
      if (spooled === undefined) continue
      this.#hold(sha256, spooled)
      void spooled.discard()
    }
  }

  /** How much more a BMC can keep. */
  availableBytes({ state }: Bmc): number {
    return [...state.localImages.values()].reduce(
      (left, { sizeBytes }) => left - sizeBytes,
      this.capacityBytes,
    )
  }

  /** Keeps an image that has arrived, which stays its receiver's to discard; one that is kept already is the same. */
  keep(bmc: Bmc, image: ReceivedImage): Result<LocalImage, 'no-room'> {
    const { fileName, sizeBytes, sha256, contents } = image
    const known = [...bmc.state.localImages.values()].find((one) => one.sha256 === sha256)
    if (known !== undefined) return succeed(known)
    if (sizeBytes > this.availableBytes(bmc)) return fail('no-room')
    const kept = this.#hold(sha256, image.spooled)
    kept.contents = contents
    kept.rawRules = bmc.machine.rawRules
    const { version, fits, releaseDate } = (contents.ok ? contents.value.components[0] : undefined) ?? {}
    const softwareId = fits?.kind === 'software' ? fits.softwareId : undefined
    const id = String(nextNumber(bmc, 'localImages'))
    const entry = { id, name: fileName, sizeBytes, sha256, version, softwareId, releaseDate }
    commit(bmc, { localImages: [[id, entry]] })
    return succeed(entry)
  }

  /** The bytes of an entry; whoever asked for them discards them as if they had just arrived. */
  open(bmc: Bmc, id: string): KeptImage | undefined {
    const entry = bmc.state.localImages.get(id)
    const spooled = entry && this.#kept.get(entry.sha256)?.spooled.share()
    return spooled && { fileName: entry.name, sizeBytes: entry.sizeBytes, sha256: entry.sha256, spooled }
  }

  /** The Id of the entry behind a path of this service, be it that of its bytes or of the entry. */
  idOf({ state }: Bmc, path: string): string | undefined {
    const ids = [...state.localImages.keys()]
    return ids.find((one) => path === uris.localImageData(one) || path === uris.localImage(one))
  }

  /** The image behind such a path, or `undefined` where its bytes are not what they were; as `open`. */
  async find(bmc: Bmc, path: string): Promise<ReceivedImage | undefined> {
    const id = this.idOf(bmc, path)
    const stored = id === undefined ? undefined : this.open(bmc, id)
    const kept = stored && this.#kept.get(stored.sha256)
    if (stored === undefined || kept === undefined) return undefined
    const { rawRules } = bmc.machine
    const { contents } = kept
    if (contents !== undefined && kept.rawRules === rawRules) return { ...stored, contents }
    await stored.spooled.discard()
    const image = await readKept(this.#options.spool, stored, { ...this.#options, rawRules })
    Object.assign(kept, image && { contents: image.contents, rawRules })
    return image
  }

  /** Removes an entry; its bytes stay for as long as somebody else needs them. */
  async remove(bmc: Bmc, id: string): Promise<void> {
    const entry = bmc.state.localImages.get(id)
    if (entry === undefined) return
    commit(bmc, { localImages: [[id, undefined]] })
    await this.#release(entry.sha256)
  }

  /** Lets go of all that a BMC keeps. */
  async forget({ state }: Bmc): Promise<void> {
    await Promise.all([...state.localImages.values()].map(({ sha256 }) => this.#release(sha256)))
  }

  async #release(sha256: string): Promise<void> {
    const kept = this.#kept.get(sha256)
    if (kept === undefined || --kept.entries > 0) return
    this.#kept.delete(sha256)
    await kept.spooled.discard()
  }

  #hold(sha256: string, spooled: SpoolEntry): Kept {
    const kept = this.#kept.get(sha256) ?? {
      spooled: spooled.share(),
      entries: 0,
      contents: undefined,
      rawRules: undefined,
    }
    kept.entries++
    this.#kept.set(sha256, kept)
    return kept
  }
}
