import type { LiveRollout } from './live.ts'
import type { Tally } from './tally.ts'
import type { RolloutState, TargetState, WaveState } from './state.ts'

export interface Progress {
  readonly state: RolloutState
  /** Of the devices that are not skipped, those of which nothing more is to come. */
  readonly percent: number
  readonly counts: Readonly<Record<TargetState, number>>
  readonly waves: readonly WaveProgress[]
}

interface WaveProgress {
  readonly index: number
  readonly name: string
  readonly state: WaveState
  readonly percent: number
  readonly counts: Readonly<Record<TargetState, number>>
}

/** How far a roll-out has come. */
export function progressOf(live: LiveRollout): Progress {
  return {
    state: live.head.state,
    percent: percentOf(live.all),
    counts: { ...live.all.counts },
    waves: live.waves.map(({ index, name, state }) => {
      const tally = live.tallyOf(index)
      return { index, name, state, percent: percentOf(tally), counts: { ...tally.counts } }
    }),
  }
}

/** Rounded down: 100 is all of them. */
export function percentOf({ total, counts, open }: Tally): number {
  const size = total - counts.Skipped
  return size === 0 ? 100 : Math.floor(((size - open) * 100) / size)
}
