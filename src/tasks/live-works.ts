import type { Bmc } from '../bmc/bmc.ts'
import { Background } from '../lib/background.ts'
import type { Clock } from '../lib/clock.ts'
import type { Setting } from './kind.ts'
import { LiveWork } from './live-work.ts'
import type { WorkRecord } from './progress.ts'
import type { Ending, WorkHandle } from './work.ts'
import { ofEach } from '../lib/of-each.ts'

/** The work of all BMCs that goes on: of the tasks of one engine, or of its jobs. */
export class LiveWorks<R extends WorkRecord> {
  readonly #clock: Clock
  readonly #failed: (error: unknown) => void
  readonly #background: Background
  readonly #works = ofEach<Bmc, Map<string, LiveWork<R>>>(() => new Map())
  readonly #numbers = new WeakMap<Bmc, number>()

  constructor(clock: Clock, failed: (error: unknown) => void) {
    this.#clock = clock
    this.#failed = failed
    this.#background = new Background(failed)
  }

  /** Never given again, not even when what had it is gone. */
  nextId(bmc: Bmc): string {
    const number = (this.#numbers.get(bmc) ?? 0) + 1
    this.#numbers.set(bmc, number)
    return String(number)
  }

  /** Starts the work of the task or job with this Id, which exists already. */
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
      } finally {
        works.delete(id)
      }
    })
  }

  /** Work that goes on, or the part of it that the key names. */
  find(bmc: Bmc, key: string): LiveWork<R> | undefined {
    const [id = '', part] = key.split('/')
    const work = this.#works(bmc).get(id)
    return part === undefined ? work : work?.find(part)
  }

  close(): Promise<void> {
    return this.#background.close()
  }
}
