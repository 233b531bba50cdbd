import { findAccount } from '../bmc/accounts.ts'
import { type Bmc, type Row, typeOfResource } from '../bmc/bmc.ts'
import { principalOf } from '../bmc/roles.ts'
import type { Directory } from '../events/directory.ts'
import { allows } from '../redfish/resource-table.ts'
import { requirementOfRow } from './access.ts'
import { type FoundRow, indexRows } from './row-index.ts'

/** What resources are outside of any request; the rows are asked for when they are all there. */
export function createDirectory(rows: () => readonly Row[]): Directory {
  let index: ((path: string) => FoundRow | undefined) | undefined
  const find = (uri: string): FoundRow | undefined => (index ??= indexRows(rows()))(uri.replace(/\/$/, ''))
  return {
    typeOf: (bmc, uri) => typeOfResource(bmc, uri, find(uri)?.row),
    show: (bmc, uri, username) => {
      const found = find(uri)
      return found && maySee(bmc, uri, found, username) ? found.row.view(bmc, found.params) : undefined
    },
  }
}

function maySee(bmc: Bmc, uri: string, { row, params }: FoundRow, username: string | undefined): boolean {
  const account = username === undefined ? undefined : findAccount(bmc.state.accounts, username)
  const isOwn = row.owner === undefined || row.owner(bmc, params) === username
  return allows(requirementOfRow(row, bmc, uri, 'GET'), account && principalOf(bmc.state, account), isOwn)
}
