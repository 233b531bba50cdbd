import type { Bmc } from '../bmc/bmc.ts'
import { offersAction } from './mount.ts'
import { allowOf } from './rendering.ts'
import type { FindRow } from './path-index.ts'

/** What a request could ask of a path: the methods of its resource, POST where it is an action; none: nothing is there. */
export type Targets = (bmc: Bmc, path: string) => readonly string[]

/** Targets outside of any request. */
export function createTargets(findRow: FindRow): Targets {
  return (bmc, path) => {
    const [owner = '', action] = path.split('/Actions/')
    const { value: row, params = {} } = findRow(owner) ?? {}
    const resource = row?.view(bmc, params)
    if (row === undefined || resource === undefined) return []
    if (action === undefined) return allowOf(row, resource).split(', ')
    return Object.hasOwn(row.actions ?? {}, action) && offersAction(resource, action) ? ['POST'] : []
  }
}
