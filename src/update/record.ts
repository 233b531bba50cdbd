import type { Bmc } from '../bmc/bmc.ts'
import { commit } from '../bmc/commit.ts'
import type { Operation, PartReached } from '../bmc/operation.ts'
import type { Change } from '../bmc/state.ts'
import type { Memo } from '../devices/flasher.ts'
import type { Ending, WorkHandle } from '../tasks/work.ts'

type PartOnDevice = Exclude<PartReached, { readonly at: 'opened' | 'over' }>
type Work = Pick<WorkHandle, 'cause'>

/** A component's part of an operation. */
interface Part {
  readonly bmc: Bmc
  readonly component: { readonly id: string }
  readonly work: Work
}

/** The record of the operation that work belongs to; `undefined` where that was over long ago. */
export function operationOf(bmc: Bmc, { cause }: Work): Operation | undefined {
  return bmc.state.operations.get(String(cause.group))
}

/** More is known of the operation that work belongs to. */
export function recorded(bmc: Bmc, work: Work, news: Partial<Operation>): Pick<Change, 'operations'> {
  const operation = operationOf(bmc, work)
  return operation === undefined ? {} : { operations: [[operation.id, { ...operation, ...news }]] }
}

/** Where a part of an operation is; `undefined`: where it began, or over long ago. */
export function reachedBy({ bmc, component, work }: Part): PartReached | undefined {
  return bmc.state.reached.get(keyOf(work, component.id))
}

/** Where the parts of an operation are that an earlier run of the service began, by the Ids of their components. */
export function allReached({ state }: Bmc, id: string): ReadonlyMap<string, PartReached> {
  const start = `${id}/`
  return new Map(
    [...state.reached].flatMap(([key, part]) =>
      key.startsWith(start) ? [[key.slice(start.length), part] as const] : [],
    ),
  )
}

/** A part of an operation has come so far; `undefined`: it begins again. What is over stays so. */
export function reached(part: Part, now: PartReached | undefined): Pick<Change, 'reached'> {
  const { bmc, component, work } = part
  const before = reachedBy(part)
  if (operationOf(bmc, work) === undefined || before?.at === 'over') return {}
  const memo = memoIn(before)
  const known = memo !== undefined && isOnDevice(now) ? { memo, ...now } : now
  return { reached: [[keyOf(work, component.id), known]] }
}

/** The memo of whoever reaches the part's device. */
export function memoOf(part: Part): Memo {
  return {
    read: () => memoIn(reachedBy(part)),
    write: (memo) => {
      const now = reachedBy(part)
      if (isOnDevice(now) && now.memo !== memo) commit(part.bmc, reached(part, { ...now, memo }))
    },
  }
}

function memoIn(part: PartReached | undefined): string | undefined {
  return isOnDevice(part) ? part.memo : undefined
}

function isOnDevice(part: PartReached | undefined): part is PartOnDevice {
  return part !== undefined && part.at !== 'opened' && part.at !== 'over'
}

function keyOf({ cause }: Work, component: string): string {
  return `${cause.group}/${component}`
}

/** The end of a part. */
export function over({ state, status }: Ending): PartReached {
  return { at: 'over', state, status }
}
