import { findAccount } from '../../bmc/accounts.ts'
import type { Bmc } from '../../bmc/bmc.ts'
import { hasOtherAdministrator, isAdministrator } from '../../bmc/roles.ts'
import type { Account, BmcState } from '../../bmc/state.ts'
import { millisecondsOf, timestamp } from '../../lib/clock.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { about, type Message, message } from '../../redfish/messages/message.ts'
import type { Call } from '../../redfish/resource-table.ts'
import { uris } from '../../redfish/uris.ts'

/** Own passwords are everybody's to change; nothing else is, and until a required change not even an administrator's. */
export function requireMoreThanOwnPassword({ principal }: Call<Bmc>): void {
  if (principal?.mustChangePassword === true) {
    throw new RedfishError(403, message('Base.PasswordChangeRequired', principal.account))
  }
  if (principal?.privileges.has('ConfigureUsers') !== true) {
    throw new RedfishError(403, message('Base.InsufficientPrivilege'))
  }
}

/** Refuses a change after which nobody could manage users. Throws a RedfishError. */
export function keepAnAdministrator(state: BmcState, before: Account, after: Account): void {
  if (!isAdministrator(state, before) || isAdministrator(state, after)) return
  if (hasOtherAdministrator(state, before.id)) return
  const changed = [
    ...(before.enabled === after.enabled ? [] : [['Enabled', String(after.enabled)] as const]),
    ...(before.roleId === after.roleId ? [] : [['RoleId', after.roleId] as const]),
    ...(after.expiresAt === undefined ? [] : [['AccountExpiration', timestamp(after.expiresAt)] as const]),
  ]
  throw new RedfishError(
    400,
    changed.map(([name, value]) =>
      about(message('Base.PropertyValueResourceConflict', name, value, uris.accounts), `/${name}`),
    ),
  )
}

export function nameMistakes({ accounts }: BmcState, username: string): Message[] {
  if (findAccount(accounts, username) === undefined) return []
  return [about(message('Base.ResourceAlreadyExists', 'ManagerAccount', 'UserName', username), '/UserName')]
}

export function roleMistakes({ roles }: BmcState, roleId: string): Message[] {
  return roles.has(roleId) ? [] : [about(message('Base.PropertyValueNotInList', roleId, 'RoleId'), '/RoleId')]
}

/** The format lets a leap second through, which no clock here knows. */
export function expiryMistakes(dateTime: string | null | undefined): Message[] {
  if (!Number.isNaN(expiry(dateTime))) return []
  const wrong = message('Base.PropertyValueFormatError', String(dateTime), 'AccountExpiration')
  return [about(wrong, '/AccountExpiration')]
}

export function expiry(dateTime: string | null | undefined): number | undefined {
  return dateTime === null || dateTime === undefined ? undefined : millisecondsOf(dateTime)
}
