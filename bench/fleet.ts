import { benchGrowth } from './fleet-growth.ts'
import { benchUpdates } from './fleet-updates.ts'
import type { Row } from './row.ts'

/** What a fleet costs: its start, its memory, its answers, its updates; and how each grows. */
export async function benchFleet(): Promise<Row[]> {
  return [...(await benchGrowth()), ...(await benchUpdates())]
}
