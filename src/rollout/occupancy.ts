import type { TargetRecord } from './state.ts'

const ALL = 'all'
export const GROUP = 'group '
export const SOURCE = 'source '

/** How many devices are worked on at once: of all, of a group, of a source; by whichever roll-out that shares it. */
export class Occupancy {
  readonly #used = new Map<string, number>()

  get all(): number {
    return this.of(ALL)
  }

  of(lane: string): number {
    return this.#used.get(lane) ?? 0
  }

  /** One more is worked on, or one less. */
  count({ group, source }: TargetRecord, by: 1 | -1): void {
    const lanes = [
      ALL,
      ...(group === undefined ? [] : [GROUP + group]),
      ...(source === undefined ? [] : [SOURCE + source]),
    ]
    for (const lane of lanes) this.#used.set(lane, this.of(lane) + by)
  }
}
