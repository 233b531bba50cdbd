import { type Static, Type } from '../../lib/schema.ts'
import type { Logins } from '../../bmc/logins.ts'
import { findAccount } from '../../bmc/accounts.ts'
import type { Bmc, Row } from '../../bmc/bmc.ts'
import { commit } from '../../bmc/commit.ts'
import { expirationOf, type Sessions } from '../../bmc/sessions.ts'
import type { Session } from '../../bmc/session.ts'
import { unauthenticated } from '../../http/auth.ts'
import { timestamp } from '../../lib/clock.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { message } from '../../redfish/messages/message.ts'
import { collection, isObject, link, type Resource, resource } from '../../redfish/resource.ts'
import { type Answer, type Call } from '../../redfish/resource-table.ts'
import { uris } from '../../redfish/uris.ts'
import { judge, propertyMessages } from '../../redfish/validation.ts'

const Credentials = Type.Object(
  {
    UserName: Type.String(),
    Password: Type.String(),
    Context: Type.Optional(Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 256 })),
  },
  { additionalProperties: false },
)

const judgeCredentials = judge(Credentials)

// SessionService v1_2: from half a minute to a day.
const Timeout = Type.Optional(Type.Integer({ minimum: 30, maximum: 86_400 }))

const ServicePatch = Type.Object(
  {
    ServiceEnabled: Type.Optional(Type.Boolean()),
    SessionTimeout: Timeout,
    AbsoluteSessionTimeout: Timeout,
    AbsoluteSessionTimeoutEnabled: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
)

/** SessionService: log in for a token, log out by deleting. */
export function sessionRows(sessions: Sessions, logins: Logins): Row[] {
  return [
    {
      path: uris.sessionService,
      type: 'SessionService',
      view: ({ state: { settings } }) => ({
        ...resource('SessionService', uris.sessionService, 'Session service'),
        ServiceEnabled: settings.sessionServiceEnabled,
        SessionTimeout: settings.sessionTimeoutS,
        AbsoluteSessionTimeout: settings.absoluteSessionTimeoutS,
        AbsoluteSessionTimeoutEnabled: settings.absoluteSessionTimeoutEnabled,
        Status: { State: settings.sessionServiceEnabled ? 'Enabled' : 'Disabled', Health: 'OK' },
        Sessions: link(uris.sessions),
      }),
      patch: {
        schema: ServicePatch,
        apply: (call) => {
          patchService(call)
          sessions.reschedule(call.bmc)
        },
      },
    },
    {
      path: uris.sessions,
      type: 'SessionCollection',
      view: sessionsView,
      post: (call) => logIn(sessions, logins, call),
    },
    {
      path: uris.session(':id'),
      type: 'Session',
      owner: ({ state }, { id = '' }) => state.sessions.get(id)?.username,
      view: (bmc, { id = '' }) => {
        const session = bmc.state.sessions.get(id)
        return session && sessionView(bmc, session)
      },
      delete: ({ bmc, params: { id = '' } }) => {
        requireService(bmc)
        sessions.end(bmc, id)
        return { status: 204 }
      },
    },
  ]
}

async function logIn(sessions: Sessions, logins: Logins, call: Call<Bmc>): Promise<Answer> {
  const { bmc, origin } = call
  const { UserName, Password, Context: context = null } = credentialsOf(call)
  requireService(bmc)
  // AccountService v1_18: while it is disabled, new sessions cannot be started.
  if (!bmc.state.settings.accountServiceEnabled) {
    throw new RedfishError(503, message('Base.ServiceDisabled', uris.accountService))
  }
  const account = await logins.checkFrom(bmc, origin, { username: UserName, password: Password })
  if (account === undefined) throw unauthenticated(bmc, message('Base.AccessUnauthorized'))
  const opened = sessions.open(bmc, account, { origin, context })
  if (!opened.ok) throw new RedfishError(503, message('Base.SessionLimitExceeded'))
  const { session, token } = opened.value
  const headers = { Location: uris.session(session.id), 'X-Auth-Token': token }
  // Nothing else will be allowed: the client is told at once (DSP0266, password change required).
  const must = message('Base.PasswordChangeRequired', uris.account(account.id))
  const told = account.mustChangePassword ? { '@Message.ExtendedInfo': [{ ...must }] } : {}
  return { status: 201, headers, body: { ...sessionView(bmc, session), ...told } }
}

function credentialsOf({ body }: Call<Bmc>): Static<typeof Credentials> {
  if (!isObject(body)) throw new RedfishError(400, message('Base.UnrecognizedRequestBody'))
  const judged = judgeCredentials(body)
  if (!judged.ok) throw new RedfishError(400, propertyMessages(judged.problem))
  return judged.value
}

function sessionsView({ state }: Bmc): Resource {
  return collection(
    'SessionCollection',
    uris.sessions,
    'Sessions',
    [...state.sessions.keys()].map(uris.session),
  )
}

function patchService({ bmc, body }: Call<Bmc>): void {
  const asked = body as Static<typeof ServicePatch>
  const { settings } = bmc.state
  commit(bmc, {
    settings: {
      sessionServiceEnabled: asked.ServiceEnabled ?? settings.sessionServiceEnabled,
      sessionTimeoutS: asked.SessionTimeout ?? settings.sessionTimeoutS,
      absoluteSessionTimeoutS: asked.AbsoluteSessionTimeout ?? settings.absoluteSessionTimeoutS,
      absoluteSessionTimeoutEnabled:
        asked.AbsoluteSessionTimeoutEnabled ?? settings.absoluteSessionTimeoutEnabled,
    },
  })
}

/** SessionService v1_2: while it is disabled, sessions are neither created nor deleted. */
function requireService({ state }: Bmc): void {
  if (state.settings.sessionServiceEnabled) return
  throw new RedfishError(503, message('Base.ServiceDisabled', uris.sessionService))
}

function sessionView({ state }: Bmc, session: Session): Resource {
  const { id, username, createdAt, origin, context } = session
  const expiration = expirationOf(session, state.settings)
  const roleId = findAccount(state.accounts, username)?.roleId
  return {
    ...resource('Session', uris.session(id), `Session of ${username}`),
    UserName: username,
    Password: null,
    SessionType: 'Redfish',
    CreatedTime: timestamp(createdAt),
    ...(expiration !== undefined && { ExpirationTime: timestamp(expiration) }),
    ClientOriginIPAddress: origin,
    Context: context,
    Roles: roleId === undefined ? [] : [roleId],
  }
}
