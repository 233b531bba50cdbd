import type { Principal, Privilege } from '../redfish/resource-table.ts'
import { uris } from '../redfish/uris.ts'
import type { Account, BmcState, Role } from './state.ts'

/** Every standard privilege (DSP0266, privilege model), in the order in which they are listed. */
export const standardPrivileges: readonly Privilege[] = [
  'Login',
  'ConfigureManager',
  'ConfigureUsers',
  'ConfigureSelf',
  'ConfigureComponents',
]

/** The roles that every service has, and that nobody may change (DSP0266, roles). */
export const predefinedRoles: ReadonlyMap<string, Role> = new Map(
  [
    predefined('Administrator', standardPrivileges),
    predefined('Operator', ['Login', 'ConfigureSelf', 'ConfigureComponents']),
    predefined('ReadOnly', ['Login', 'ConfigureSelf']),
  ].map((role) => [role.id, role]),
)

const principals = new WeakMap<Account, { readonly role: Role | undefined; readonly principal: Principal }>()

/** What an account may do: the privileges of its role as they are now. */
export function principalOf({ roles }: Pick<BmcState, 'roles'>, account: Account): Principal {
  const role = roles.get(account.roleId)
  const known = principals.get(account)
  if (known !== undefined && known.role === role) return known.principal
  const principal = {
    username: account.username,
    privileges: new Set(role?.privileges ?? []),
    account: uris.account(account.id),
    mustChangePassword: account.mustChangePassword,
  }
  principals.set(account, { role, principal })
  return principal
}

type Users = Pick<BmcState, 'accounts' | 'roles'>

/** Whether an account can manage users, now and for good. */
export function isAdministrator({ roles }: Pick<BmcState, 'roles'>, account: Account): boolean {
  const { privileges = [] } = roles.get(account.roleId) ?? {}
  const isLasting = account.enabled && !account.isLocked && account.expiresAt === undefined
  return isLasting && privileges.includes('Login') && privileges.includes('ConfigureUsers')
}

/** Whether, of all accounts but this one, one could still manage users: without it nobody could ever again. */
export function hasOtherAdministrator({ accounts, roles }: Users, accountId?: string): boolean {
  return [...accounts.values()].some(
    (account) => account.id !== accountId && isAdministrator({ roles }, account),
  )
}

function predefined(id: string, privileges: readonly Privilege[]): Role {
  return { id, privileges, oemPrivileges: [], isPredefined: true }
}
