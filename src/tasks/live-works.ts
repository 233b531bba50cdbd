import type { Bmc } from '../bmc/bmc.ts'
import { Background } from '../lib/background.ts'
import type { Clock } from '../lib/clock.ts'
import type { Setting } from './kind.ts'
import { LiveWork } from './live-work.ts'
import type { WorkRecord } from './progress.ts'
import type { Ending, WorkHandle } from './work.ts'
import { message } from '../redfish/messages/message.ts'
import { ofEach } from '../lib/of-each.ts'

/** The work of all BMCs that goes on: of the tasks of one engine, or of its jobs. */
export class LiveWorks<R extends WorkRecord> {
  readonly #clock: Clock
  readonly #failed: (error: unknown) => void
  readonly #background: Background
  readonly #works = ofEach<Bmc, Map<string, LiveWork<R>>>(() => new Map())

  constructor(clock: Clock, failed: (error: unknown) => void) {
    this.#clock = clock
    this.#failed = failed
    this.#background = new Background(failed)
  }

  /** Starts the work of the task or job with this Id, which exists already, or goes on with that of an earlier run. */
  start(
    id: string,
    setting: Omit<Setting<R>, 'clock' | 'closing' | 'failed'>,
    run: (handle: WorkHandle) => Promise<Ending>,
  ): void {
    const { bmc } = setting
    const works = this.#works(bmc)
    this.#background.start(async (closing) => {
      const work = new LiveWork(id, { ...setting, clock: this.#clock, failed: this.#failed, closing })
      works.set(id, work)
      try {
        // A turn later: the answer that announces it is made from work that has not begun.
        await this.#clock.sleep(0, closing)
        await work.run(run)
        setting.onOver?.()
      } finally {
        works.delete(id)
      }
    }, bmc)
  }

  /** Work that goes on, or the part of it that the key names. */
  find(bmc: Bmc, key: string): LiveWork<R> | undefined {
    const [id = '', part] = key.split('/')
    const work = this.#works(bmc).get(id)
    return part === undefined ? work : work?.find(part)
  }

  /** Ends the work of a BMC that is gone. */
  stop(bmc: Bmc): Promise<void> {
    return this.#background.stop(bmc)
  }

  close(): Promise<void> {
    return this.#background.close()
  }
}

/** The work of what an earlier run of the service left behind, and of which nobody knows any more. */
export function failLost(handle: WorkHandle): Promise<Ending> {
  handle.report({ messages: [message('Base.OperationFailed')] })
  return Promise.resolve({ state: 'Exception', status: 500 })
}
