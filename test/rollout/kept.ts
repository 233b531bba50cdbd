import type { Changes } from '../../src/rollout/live.ts'
import type { RolloutRecord } from '../../src/rollout/state.ts'

/** What outlives a driver: plain data, as JSON would bring it back. */
export class Kept {
  #record: RolloutRecord
  readonly #waves: Map<number, RolloutRecord['waves'][number]>
  readonly #targets: Map<string, RolloutRecord['targets'][number]>

  constructor(record: RolloutRecord) {
    this.#record = copyOf(record)
    this.#waves = new Map(this.#record.waves.map((wave) => [wave.index, wave]))
    this.#targets = new Map(this.#record.targets.map((target) => [target.id, target]))
  }

  store(changes: Changes): void {
    const { head = this.#record.head, waves, targets } = copyOf(changes)
    this.#record = { ...this.#record, head }
    for (const wave of waves) this.#waves.set(wave.index, wave)
    for (const target of targets) this.#targets.set(target.id, target)
  }

  get head(): RolloutRecord['head'] {
    return this.#record.head
  }

  get waves(): ReadonlyMap<number, RolloutRecord['waves'][number]> {
    return this.#waves
  }

  get targets(): ReadonlyMap<string, RolloutRecord['targets'][number]> {
    return this.#targets
  }

  read(): RolloutRecord {
    return copyOf({ ...this.#record, waves: [...this.#waves.values()], targets: [...this.#targets.values()] })
  }
}

function copyOf<T>(data: T): T {
  return JSON.parse(JSON.stringify(data)) as T // as it was
}
