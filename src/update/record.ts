import type { Bmc } from '../bmc/bmc.ts'
import type { Operation, PartReached } from '../bmc/operation.ts'
import type { Change } from '../bmc/state.ts'
import type { Ending, WorkHandle } from '../tasks/work.ts'

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
  if (operationOf(bmc, work) === undefined || reachedBy(part)?.at === 'over') return {}
  return { reached: [[keyOf(work, component.id), now]] }
}

function keyOf({ cause }: Work, component: string): string {
  return `${cause.group}/${component}`
}

/** The end of a part. */
export function over({ state, status }: Ending): PartReached {
  return { at: 'over', state, status }
}
