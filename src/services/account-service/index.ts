import type { Bmc, Row } from '../../bmc/bmc.ts'
import { commit } from '../../bmc/commit.ts'
import type { Logins } from '../../bmc/logins.ts'
import { standardPrivileges } from '../../bmc/roles.ts'
import type { Settings } from '../../bmc/state.ts'
import type { Clock } from '../../lib/clock.ts'
import { type Static, Type } from '../../lib/schema.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { about, message } from '../../redfish/messages/message.ts'
import { privilegeRegistry } from '../../redfish/privileges.ts'
import { link, odataType, type Resource, resource } from '../../redfish/resource.ts'
import type { Call } from '../../redfish/resource-table.ts'
import { uris } from '../../redfish/uris.ts'
import { accountRows } from './accounts.ts'
import { MAX_PASSWORD_LENGTH } from './password-rules.ts'
import { roleRows } from './roles.ts'

const Count = Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000 }))

const ServicePatch = Type.Object(
  {
    ServiceEnabled: Type.Optional(Type.Boolean()),
    MinPasswordLength: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_PASSWORD_LENGTH })),
    HTTPBasicAuth: Type.Optional(
      Type.Unsafe<Settings['httpBasicAuth']>({
        type: 'string',
        enum: ['Enabled', 'Unadvertised', 'Disabled'],
      }),
    ),
    AccountLockoutThreshold: Count,
    AccountLockoutDuration: Count,
    AccountLockoutCounterResetAfter: Count,
    AccountLockoutCounterResetEnabled: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
)

/** AccountService: who there is, in which roles, and what becomes of wrong passwords. */
export function accountServiceRows(clock: Clock, logins: Logins): Row[] {
  return [
    {
      path: uris.accountService,
      type: 'AccountService',
      view: serviceView,
      patch: { schema: ServicePatch, apply: patchService },
    },
    ...accountRows(clock, logins),
    ...roleRows(clock),
    {
      path: uris.privilegeMap,
      type: 'PrivilegeRegistry',
      view: () => ({
        '@odata.id': uris.privilegeMap,
        '@odata.type': odataType('PrivilegeRegistry'),
        ...privilegeRegistry(standardPrivileges),
      }),
    },
  ]
}

function serviceView({ state: { settings } }: Bmc): Resource {
  return {
    ...resource('AccountService', uris.accountService, 'Account service'),
    ServiceEnabled: settings.accountServiceEnabled,
    Status: { State: settings.accountServiceEnabled ? 'Enabled' : 'Disabled', Health: 'OK' },
    MinPasswordLength: settings.minPasswordLength,
    MaxPasswordLength: MAX_PASSWORD_LENGTH,
    HTTPBasicAuth: settings.httpBasicAuth,
    AccountLockoutThreshold: settings.lockoutThreshold,
    AccountLockoutDuration: settings.lockoutDurationS,
    AccountLockoutCounterResetAfter: settings.lockoutResetAfterS,
    AccountLockoutCounterResetEnabled: settings.lockoutResetEnabled,
    LocalAccountAuth: 'Enabled',
    SupportedAccountTypes: ['Redfish'],
    PrivilegeMap: link(uris.privilegeMap),
    Accounts: link(uris.accounts),
    Roles: link(uris.roles),
  }
}

function patchService({ bmc, body }: Call<Bmc>): void {
  const asked = body as Static<typeof ServicePatch>
  const { settings } = bmc.state
  const lockoutDurationS = asked.AccountLockoutDuration ?? settings.lockoutDurationS
  const lockoutResetAfterS = asked.AccountLockoutCounterResetAfter ?? settings.lockoutResetAfterS
  // AccountService v1_18: a lock lasts at least as long as its failures count; at 0 there is none.
  if (lockoutDurationS > 0 && lockoutResetAfterS > lockoutDurationS) {
    const names = ['AccountLockoutCounterResetAfter', 'AccountLockoutDuration'] as const
    throw new RedfishError(400, about(message('Base.PropertyValueConflict', ...names), `/${names[0]}`))
  }
  commit(bmc, {
    settings: {
      accountServiceEnabled: asked.ServiceEnabled ?? settings.accountServiceEnabled,
      minPasswordLength: asked.MinPasswordLength ?? settings.minPasswordLength,
      httpBasicAuth: asked.HTTPBasicAuth ?? settings.httpBasicAuth,
      lockoutThreshold: asked.AccountLockoutThreshold ?? settings.lockoutThreshold,
      lockoutDurationS,
      lockoutResetAfterS,
      lockoutResetEnabled: asked.AccountLockoutCounterResetEnabled ?? settings.lockoutResetEnabled,
    },
  })
}
