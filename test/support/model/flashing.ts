import type { ActivationJob, Flasher, FlashResult } from '../../../src/devices/flasher.ts'

/** What is done to devices at this moment. */
export interface Flashing {
  readonly flasher: Flasher
  /** The components that something is done to. */
  readonly busy: () => readonly string[]
}

/** Devices that are watched: nobody works on one twice at once, nor on more of them than the machine can write. */
export function watchFlashing(
  flasher: Flasher,
  maxParallel: number,
  violate: (what: string) => void,
): Flashing {
  const now = new Map<string, string>()

  const watched =
    <J extends ActivationJob>(stage: string, run: (job: J) => Promise<FlashResult>) =>
    async (job: J): Promise<FlashResult> => {
      const { id } = job.component
      const other = now.get(id)
      if (other !== undefined) violate(`${id}: ${stage} while ${other} goes on`)
      now.set(id, stage)
      const writing = [...now.values()].filter((one) => one !== 'activate').length
      if (writing > maxParallel) violate(`${writing} devices are written at once`)
      try {
        return await run(job)
      } finally {
        now.delete(id)
      }
    }

  return {
    busy: () => [...now.keys()],
    flasher: {
      transfer: watched('transfer', (job) => flasher.transfer(job)),
      verify: watched('verify', (job) => flasher.verify(job)),
      install: watched('install', (job) => flasher.install(job)),
      activate: watched('activate', (job) => flasher.activate(job)),
      release: (job) => flasher.release(job),
    },
  }
}
