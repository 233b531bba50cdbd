import type { DeviceAddress, OnDevice } from '../device.ts'
import type { FlashJob } from '../flasher.ts'

/** An image that devices can fetch. */
interface Published {
  readonly uri: string
  /** It is not needed any more. */
  readonly done: () => void
}

export type Publish = (image: FlashJob['package'], device: DeviceAddress) => Promise<Published>

/** An image that a device is to fetch, and how much of it has gone. */
export interface Offered extends Published {
  readonly fetched: () => number
}

type Owner = Pick<FlashJob, 'bmcId' | 'component'>

/** Images that wait for their devices, one a component. */
export class Offers {
  readonly #publish: Publish
  readonly #all = new Map<string, Offered>()
  #isClosed = false

  constructor(publish: Publish) {
    this.#publish = publish
  }

  of(owner: Owner): Offered | undefined {
    return this.#all.get(keyOf(owner))
  }

  /** Rejects with the signal's reason when that is aborted meanwhile; `false` where nothing is offered any more. */
  async add(job: Owner & Pick<FlashJob & OnDevice, 'package' | 'signal' | 'device'>): Promise<boolean> {
    this.remove(job)
    let fetched = 0
    const read = async function* (): AsyncIterable<Uint8Array> {
      fetched = 0
      for await (const chunk of job.package.read()) {
        yield chunk
        fetched += chunk.byteLength
      }
    }
    const published = await this.#publish({ ...job.package, read }, job.device)
    if (this.#isClosed || job.signal.aborted) {
      published.done()
      job.signal.throwIfAborted()
      return false
    }
    this.#all.set(keyOf(job), { ...published, fetched: () => fetched })
    return true
  }

  remove(owner: Owner): void {
    this.of(owner)?.done()
    this.#all.delete(keyOf(owner))
  }

  close(): void {
    this.#isClosed = true
    for (const { done } of this.#all.values()) done()
    this.#all.clear()
  }
}

function keyOf({ bmcId, component }: Owner): string {
  return `${bmcId}\0${component.id}`
}
