import type { Bmc, Row } from '../bmc/bmc.ts'
import { offersAction } from './mount.ts'
import { allowOf } from './rendering.ts'
import { type FoundRow, indexRows } from './row-index.ts'

/** What a request could ask of a path: the methods of its resource, POST where it is an action; none: nothing is there. */
export type Targets = (bmc: Bmc, path: string) => readonly string[]

/** Targets outside of any request; the rows are asked for when they are all there. */
export function createTargets(rows: () => readonly Row[]): Targets {
  let index: ((path: string) => FoundRow | undefined) | undefined
  return (bmc, path) => {
    index ??= indexRows(rows())
    const [owner = '', action] = path.split('/Actions/')
    const found = index(owner)
    const resource = found?.row.view(bmc, found.params)
    if (found === undefined || resource === undefined) return []
    if (action === undefined) return allowOf(found.row, resource).split(', ')
    return Object.hasOwn(found.row.actions ?? {}, action) && offersAction(resource, action) ? ['POST'] : []
  }
}
