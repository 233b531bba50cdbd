import type { Bmc } from './bmc.ts'
import type { Change } from './state.ts'

/** An operation is over, and how far its parts had come is of no account any more. */
export function forgotten({ state }: Bmc, id: string): Pick<Change, 'operations' | 'reached'> {
  if (!state.operations.has(id)) return {}
  const parts = [...state.reached.keys()].filter((key) => key.startsWith(`${id}/`))
  return { operations: [[id, undefined]], reached: parts.map((key) => [key, undefined]) }
}
