import type { Ending, Waiting } from './work.ts'

/** What work is doing that has not ended: the same for tasks and jobs, which have states of their own for it. */
export type Phase = Waiting['for'] | 'running' | 'continuing' | 'held' | 'queued' | 'cancelling'

/** The busiest first: what one part does, the others may wait for. */
const byActivity: readonly Phase[] = ['running', 'continuing', 'held', 'queued', 'user', 'condition']

/** What a whole does whose parts go on side by side. A part that is being cancelled still runs. */
export function phaseOfWhole(parts: readonly Phase[]): Phase {
  const phases = new Set<Phase>(parts.map((phase) => (phase === 'cancelling' ? 'running' : phase)))
  return byActivity.find((phase) => phases.has(phase)) ?? 'running'
}

/** How a whole ended, by how its parts did. */
export function endOfWhole(parts: readonly Ending['state'][]): Ending['state'] {
  if (parts.includes('Exception')) return 'Exception'
  return parts.length > 0 && parts.every((state) => state === 'Cancelled') ? 'Cancelled' : 'Completed'
}
