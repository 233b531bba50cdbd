import { findAccount } from '../bmc/accounts.ts'
import { type Bmc, type Row, typeOfResource } from '../bmc/bmc.ts'
import { principalOf } from '../bmc/roles.ts'
import type { Directory } from '../events/directory.ts'
import { allows } from '../redfish/resource-table.ts'
import { requirementOfRow } from './access.ts'
import type { FindRow, Found } from './path-index.ts'

/** What resources are outside of any request. */
export function createDirectory(findRow: FindRow): Directory {
  const find: FindRow = (uri) => findRow(uri.replace(/\/$/, ''))
  return {
    typeOf: (bmc, uri) => typeOfResource(bmc, uri, find(uri)?.value),
    show: (bmc, uri, username) => {
      const found = find(uri)
      return found && maySee(bmc, uri, found, username) ? found.value.view(bmc, found.params) : undefined
    },
  }
}

function maySee(bmc: Bmc, uri: string, found: Found<Row>, username: string | undefined): boolean {
  const { value: row, params } = found
  const account = username === undefined ? undefined : findAccount(bmc.state.accounts, username)
  const isOwn = row.owner === undefined || row.owner(bmc, params) === username
  return allows(requirementOfRow(row, bmc, uri, 'GET'), account && principalOf(bmc.state, account), isOwn)
}
