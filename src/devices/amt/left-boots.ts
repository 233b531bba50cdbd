import type { DeviceStageName } from '../../bmc/device-faults.ts'
import { type Activation, isUpdated, settleBoot, type StagesOptions } from './boot-update.ts'
import type { SharedBoots } from './shared-boots.ts'

/** The memo of a device that was asked to boot the image, or is at once. */
export const ASKED = 'asked'

/** The boots that devices may have been asked for before a restart of ours. */
export class LeftBoots {
  readonly #options: StagesOptions
  readonly #boots: SharedBoots
  /** Devices with one that was taken back, and that were asked for no other since. */
  readonly #takenBack = new Set<string>()

  constructor(options: StagesOptions, boots: SharedBoots) {
    this.#options = options
    this.#boots = boots
  }

  /** A device was asked for another. */
  begun(device: string): void {
    this.#takenBack.delete(device)
  }

  /** What a device was not asked for it has not begun; what it was, its boot tells. */
  async find(job: Activation, at: DeviceStageName): Promise<DeviceStageName | 'nothing'> {
    if (at === 'activate') return at
    if (at !== 'install') return 'nothing'
    if (job.memo.read() === undefined) return (await isUpdated(this.#options, job)) ? 'activate' : 'nothing'
    const { hostName: device } = job.device
    const { id: component } = job.component
    let isOver = false
    // Meanwhile it boots from nothing else.
    const wanted = { device, component, sha256: `of ${component}`, signal: job.signal, asked: () => {} }
    await this.#boots.run(wanted, async () => {
      const boot = await settleBoot(this.#options, job)
      if (boot === 'taken-back') this.#takenBack.add(device)
      // Where the image could not be fetched any more, nobody else is to blame.
      isOver = boot === 'over' && !this.#takenBack.has(device)
    })
    return isOver ? 'activate' : 'nothing'
  }
}
