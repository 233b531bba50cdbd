import type { Account } from '../../bmc/state.ts'
import { timestamp } from '../../lib/clock.ts'
import { type Message, message } from '../../redfish/messages/message.ts'
import { link, type Resource, resource } from '../../redfish/resource.ts'
import { uris } from '../../redfish/uris.ts'

export const CHANGE_PASSWORD = 'ManagerAccount.ChangePassword'

export function accountView(account: Account): Resource {
  const { id, username, roleId, enabled, isLocked, accountTypes, mustChangePassword, expiresAt } = account
  const uri = uris.account(id)
  return {
    ...resource('ManagerAccount', uri, `Account ${username}`),
    UserName: username,
    Password: null,
    RoleId: roleId,
    Enabled: enabled,
    Locked: isLocked,
    AccountTypes: accountTypes,
    PasswordChangeRequired: mustChangePassword,
    AccountExpiration: expiresAt === undefined ? null : timestamp(expiresAt),
    Links: { Role: link(uris.role(roleId)) },
    Actions: { [`#${CHANGE_PASSWORD}`]: { target: uris.action(uri, CHANGE_PASSWORD) } },
  }
}

/** What a change of an account was, in the words of AccountSecurity. */
export function whatChanged(before: Account, after: Account): Message[] {
  const name = after.username
  const news = [
    ...(before.hash === after.hash ? [] : [message('AccountSecurity.PasswordModified', name)]),
    ...(before.roleId === after.roleId
      ? []
      : [message('AccountSecurity.ManagerAccountRoleChanged', name, before.roleId, after.roleId)]),
    ...(before.enabled === after.enabled
      ? []
      : [
          message(after.enabled ? 'AccountSecurity.AccountEnabled' : 'AccountSecurity.AccountDisabled', name),
        ]),
    ...(before.isLocked && !after.isLocked ? [message('AccountSecurity.AccountUnlocked', name)] : []),
  ]
  return news.length === 0 ? [message('ResourceEvent.ResourceChanged')] : news
}
