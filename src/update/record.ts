import type { Bmc } from '../bmc/bmc.ts'
import type { Operation, PartReached } from '../bmc/operation.ts'
import type { Change } from '../bmc/state.ts'
import type { Ending, WorkHandle } from '../tasks/work.ts'

type OperationChange = Pick<Change, 'operations'>
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
export function recorded(bmc: Bmc, work: Work, news: Partial<Operation>): OperationChange {
  const operation = operationOf(bmc, work)
  return operation === undefined ? {} : { operations: [[operation.id, { ...operation, ...news }]] }
}

/** The operation is over. */
export function forgotten({ state }: Bmc, id: string): OperationChange {
  return state.operations.has(id) ? { operations: [[id, undefined]] } : {}
}

/** Where a part of an operation is; `undefined`: where it began, or over long ago. */
export function reachedBy({ bmc, component, work }: Part): PartReached | undefined {
  return operationOf(bmc, work)?.parts[component.id]
}

/** A part of an operation has come so far; `undefined`: it begins again. What is over stays so. */
export function reached({ bmc, component, work }: Part, part: PartReached | undefined): OperationChange {
  const operation = operationOf(bmc, work)
  if (operation === undefined || operation.parts[component.id]?.at === 'over') return {}
  const { [component.id]: _, ...others } = operation.parts
  return recorded(bmc, work, { parts: part === undefined ? others : { ...others, [component.id]: part } })
}

/** The end of a part. */
export function over({ state, status }: Ending): PartReached {
  return { at: 'over', state, status }
}
