import type { Bmc } from '../bmc/bmc.ts'
import { commit } from '../bmc/commit.ts'
import type { LocalImage } from '../bmc/state.ts'
import { fail, type Result, succeed } from '../lib/result.ts'
import { uris } from '../redfish/uris.ts'
import type { ReceivedImage } from './receive.ts'

/** An image that entries of BMCs speak of. */
interface Kept {
  readonly image: ReceivedImage
  entries: number
}

/**
 * The images that BMCs keep (UpdateService v1_17, LocalImageStore). Each BMC's state says which; the bytes are here,
 * once for all that keep the same.
 */
export class ImageStore {
  readonly capacityBytes: number
  /** By SHA-256. */
  readonly #kept = new Map<string, Kept>()
  /** The last number that each BMC gave away: an image that is gone takes its Id with it. */
  readonly #numbers = new WeakMap<Bmc, number>()

  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes
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
    const kept = this.#kept.get(sha256) ?? { image: { ...image, spooled: image.spooled.share() }, entries: 0 }
    kept.entries++
    this.#kept.set(sha256, kept)
    const { version, fits, releaseDate } = (contents.ok ? contents.value.components[0] : undefined) ?? {}
    const softwareId = fits?.kind === 'software' ? fits.softwareId : undefined
    const id = this.#nextId(bmc)
    const entry = { id, name: fileName, sizeBytes, sha256, version, softwareId, releaseDate }
    commit(bmc, { localImages: [[id, entry]] })
    return succeed(entry)
  }

  /** The image of an entry; whoever asked for it discards it as if it had just arrived. */
  open(bmc: Bmc, id: string): ReceivedImage | undefined {
    const entry = bmc.state.localImages.get(id)
    const image = entry && this.#kept.get(entry.sha256)?.image
    return image && { ...image, fileName: entry.name, spooled: image.spooled.share() }
  }

  /** The Id of the entry behind a path of this service, be it that of its bytes or of the entry. */
  idOf({ state }: Bmc, path: string): string | undefined {
    const ids = [...state.localImages.keys()]
    return ids.find((one) => path === uris.localImageData(one) || path === uris.localImage(one))
  }

  /** The image behind such a path; as `open`. */
  find(bmc: Bmc, path: string): ReceivedImage | undefined {
    const id = this.idOf(bmc, path)
    return id === undefined ? undefined : this.open(bmc, id)
  }

  /** Removes an entry; its bytes stay for as long as somebody else needs them. */
  async remove(bmc: Bmc, id: string): Promise<void> {
    const { sha256 = '' } = bmc.state.localImages.get(id) ?? {}
    const kept = this.#kept.get(sha256)
    if (kept === undefined) return
    commit(bmc, { localImages: [[id, undefined]] })
    kept.entries--
    if (kept.entries > 0) return
    this.#kept.delete(sha256)
    await kept.image.spooled.discard()
  }

  #nextId(bmc: Bmc): string {
    const last = Math.max(this.#numbers.get(bmc) ?? 0, Number([...bmc.state.localImages.keys()].at(-1) ?? 0))
    this.#numbers.set(bmc, last + 1)
    return String(last + 1)
  }
}
