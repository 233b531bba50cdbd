import { hashPassword, newAccountId } from '../../bmc/accounts.ts'
import type { Bmc, Row } from '../../bmc/bmc.ts'
import { commit } from '../../bmc/commit.ts'
import { audited } from '../../bmc/log.ts'
import type { Logins } from '../../bmc/logins.ts'
import { hasOtherAdministrator, isAdministrator } from '../../bmc/roles.ts'
import { endedSessions } from '../../bmc/sessions.ts'
import type { Account } from '../../bmc/state.ts'
import { notFound } from '../../http/errors.ts'
import type { Clock } from '../../lib/clock.ts'
import { type Static, Type } from '../../lib/schema.ts'
import { bodyAs } from '../../redfish/body.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { about, message } from '../../redfish/messages/message.ts'
import { collection } from '../../redfish/resource.ts'
import type { Answer, Call } from '../../redfish/resource-table.ts'
import { uris } from '../../redfish/uris.ts'
import {
  expiry,
  expiryMistakes,
  keepAnAdministrator,
  nameMistakes,
  requireMoreThanOwnPassword,
  roleMistakes,
} from './account-rules.ts'
import { accountView, CHANGE_PASSWORD, whatChanged } from './account-view.ts'
import { requireService } from './body.ts'
import { checkNewPassword } from './password-rules.ts'

const MAX_ACCOUNTS = 100
const closed = { additionalProperties: false }

const members = {
  Enabled: Type.Optional(Type.Boolean()),
  AccountTypes: Type.Optional(
    Type.Array(Type.Unsafe<string>({ type: 'string', enum: ['Redfish'] }), {
      minItems: 1,
      uniqueItems: true,
    }),
  ),
  AccountExpiration: Type.Optional(
    Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time' }),
  ),
  PasswordChangeRequired: Type.Optional(Type.Boolean()),
}
const UserName = Type.String({ minLength: 1, maxLength: 64, pattern: '^[^:\\x00-\\x1f]+$' })

const NewAccount = Type.Object(
  { UserName, Password: Type.String(), RoleId: Type.String(), ...members },
  closed,
)

const AccountPatch = Type.Object(
  {
    UserName: Type.Optional(UserName),
    Password: Type.Optional(Type.String()),
    RoleId: Type.Optional(Type.String()),
    // Only failures lock an account; a client may end that (ManagerAccount v1_14, Locked).
    Locked: Type.Optional(Type.Unsafe<boolean>({ type: 'boolean', enum: [false] })),
    ...members,
  },
  closed,
)

const ChangePassword = Type.Object(
  { NewPassword: Type.String(), SessionAccountPassword: Type.String() },
  closed,
)

/** Accounts: made, changed and removed by who manages users; their own password is everybody's to change. */
export function accountRows(clock: Clock, logins: Logins): Row[] {
  const owner = ({ state }: Bmc, { id = '' }: { readonly id?: string }): string | undefined =>
    state.accounts.get(id)?.username
  return [
    {
      path: uris.accounts,
      type: 'ManagerAccountCollection',
      view: ({ state }) =>
        collection(
          'ManagerAccountCollection',
          uris.accounts,
          'Accounts',
          [...state.accounts.keys()].map(uris.account),
        ),
      post: (call) => createOne(clock, logins, call),
    },
    {
      path: uris.account(':id'),
      type: 'ManagerAccount',
      // The registry's PropertyOverrides let an account change its own password; `patchOne` sees to the rest.
      privileges: { PATCH: [['ConfigureUsers'], ['ConfigureSelf']] },
      owner,
      view: ({ state }, { id = '' }) => {
        const account = state.accounts.get(id)
        return account && accountView(account)
      },
      patch: { schema: AccountPatch, apply: (call) => patchOne(clock, logins, call) },
      delete: (call) => removeOne(clock, logins, call),
      actions: {
        [CHANGE_PASSWORD]: {
          parameters: ChangePassword,
          run: (call) => changePassword(clock, logins, call),
        },
      },
    },
  ]
}

async function createOne(clock: Clock, logins: Logins, call: Call<Bmc>): Promise<Answer> {
  const { bmc, body, actor } = call
  requireService(bmc)
  const asked = bodyAs(NewAccount, body)
  checkNewPassword(asked.Password, bmc.state.settings, '/Password')
  const hashed = await hashPassword(asked.Password)
  // Only now: meanwhile somebody else may have taken the name.
  const { accounts } = bmc.state
  const mistakes = [
    ...nameMistakes(bmc.state, asked.UserName),
    ...roleMistakes(bmc.state, asked.RoleId),
    ...expiryMistakes(asked.AccountExpiration),
  ]
  if (mistakes.length > 0) throw new RedfishError(400, mistakes)
  if (accounts.size >= MAX_ACCOUNTS)
    throw new RedfishError(503, message('Base.CreateLimitReachedForResource'))
  const account: Account = {
    id: newAccountId(accounts, asked.UserName),
    username: asked.UserName,
    ...hashed,
    roleId: asked.RoleId,
    enabled: asked.Enabled ?? true,
    isLocked: false,
    accountTypes: asked.AccountTypes ?? ['Redfish'],
    mustChangePassword: asked.PasswordChangeRequired ?? false,
    expiresAt: expiry(asked.AccountExpiration),
  }
  const uri = uris.account(account.id)
  commit(bmc, {
    accounts: [[account.id, account]],
    ...audited(bmc, clock.now(), { origin: uri, actor }, [
      message('AccountSecurity.AccountCreated', account.username),
    ]),
  })
  logins.changed(bmc, account.id)
  return { status: 201, headers: { Location: uri }, body: accountView(accountOf(bmc, account.id)) }
}

async function patchOne(clock: Clock, logins: Logins, call: Call<Bmc>): Promise<void> {
  const {
    bmc,
    body,
    params: { id = '' },
    actor,
  } = call
  requireService(bmc)
  const asked = body as Static<typeof AccountPatch>
  const { Password: password, ...others } = asked
  if (Object.keys(others).length > 0) requireMoreThanOwnPassword(call)
  if (password !== undefined) checkNewPassword(password, bmc.state.settings, '/Password')
  const hashed =
    password === undefined ? {} : { ...(await hashPassword(password)), mustChangePassword: false }
  // Only now: meanwhile somebody else may have changed or removed it.
  const account = accountOf(bmc, id)
  call.stillFits?.()
  const mistakes = [
    ...(asked.UserName === undefined || asked.UserName === account.username
      ? []
      : nameMistakes(bmc.state, asked.UserName)),
    ...roleMistakes(bmc.state, asked.RoleId ?? account.roleId),
    ...expiryMistakes(asked.AccountExpiration),
  ]
  if (mistakes.length > 0) throw new RedfishError(400, mistakes)
  const changed: Account = {
    ...account,
    username: asked.UserName ?? account.username,
    ...hashed,
    roleId: asked.RoleId ?? account.roleId,
    enabled: asked.Enabled ?? account.enabled,
    isLocked: asked.Locked ?? account.isLocked,
    accountTypes: asked.AccountTypes ?? account.accountTypes,
    ...(asked.PasswordChangeRequired !== undefined && { mustChangePassword: asked.PasswordChangeRequired }),
    ...(asked.AccountExpiration !== undefined && { expiresAt: expiry(asked.AccountExpiration) }),
  }
  if (asked.Enabled === true && (changed.expiresAt ?? Infinity) <= clock.now()) {
    const conflict = message('Base.PropertyValueConflict', 'Enabled', 'AccountExpiration')
    throw new RedfishError(400, about(conflict, '/Enabled'))
  }
  keepAnAdministrator(bmc.state, account, changed)
  const isOut = !changed.enabled || changed.username !== account.username
  commit(bmc, {
    accounts: [[id, changed]],
    ...(isOut && endedSessions(bmc.state, account.username)),
    ...audited(bmc, clock.now(), { origin: uris.account(id), actor }, whatChanged(account, changed)),
  })
  logins.changed(bmc, id)
}

function removeOne(clock: Clock, logins: Logins, call: Call<Bmc>): Answer {
  const {
    bmc,
    params: { id = '' },
    actor,
  } = call
  requireService(bmc)
  const account = accountOf(bmc, id)
  if (isAdministrator(bmc.state, account) && !hasOtherAdministrator(bmc.state, id)) {
    throw new RedfishError(409, message('Base.ResourceCannotBeDeleted'))
  }
  const { username } = account
  commit(bmc, {
    accounts: [[id, undefined]],
    ...endedSessions(bmc.state, username),
    ...audited(bmc, clock.now(), { origin: uris.accounts, actor }, [
      message('AccountSecurity.AccountRemoved', username),
    ]),
  })
  logins.changed(bmc, id)
  return { status: 204 }
}

/** ManagerAccount v1_14: whoever asks proves by their own password that they are who their session says. */
async function changePassword(clock: Clock, logins: Logins, call: Call<Bmc>): Promise<Answer> {
  const {
    bmc,
    body,
    params: { id = '' },
    principal,
    actor,
  } = call
  requireService(bmc)
  const { NewPassword, SessionAccountPassword } = body as Static<typeof ChangePassword>
  // As a login: whoever holds a stolen session has no more tries than anybody else.
  if ((await logins.check(bmc, principal?.username ?? '', SessionAccountPassword)) === undefined) {
    const wrong = message('Base.ActionParameterValueError', 'SessionAccountPassword', CHANGE_PASSWORD)
    throw new RedfishError(400, about(wrong, '/SessionAccountPassword'))
  }
  checkNewPassword(NewPassword, bmc.state.settings, '/NewPassword')
  const hashed = await hashPassword(NewPassword)
  const changed = { ...accountOf(bmc, id), ...hashed, mustChangePassword: false }
  commit(bmc, {
    accounts: [[id, changed]],
    ...audited(bmc, clock.now(), { origin: uris.account(id), actor }, [
      message('AccountSecurity.PasswordModified', changed.username),
    ]),
  })
  logins.changed(bmc, id)
  return { status: 204 }
}

function accountOf({ state }: Bmc, id: string): Account {
  const account = state.accounts.get(id)
  if (account === undefined) throw notFound(uris.account(id))
  return account
}
