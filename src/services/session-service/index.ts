import { type Static, Type } from 'typebox'
import type { PasswordChecker } from '../../bmc/accounts.ts'
import type { Bmc, Row } from '../../bmc/bmc.ts'
import { commit } from '../../bmc/commit.ts'
import type { Sessions } from '../../bmc/sessions.ts'
import type { Session } from '../../bmc/state.ts'
import { unauthenticated } from '../../http/auth.ts'
import { timestamp } from '../../lib/clock.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { message } from '../../redfish/messages/message.ts'
import { collection, link, type Resource, resource } from '../../redfish/resource.ts'
import { type Answer, type Call, open, type Privileges, writableBy } from '../../redfish/resource-table.ts'
import { uris } from '../../redfish/uris.ts'
import { judge, propertyMessages } from '../../redfish/validation.ts'

const Credentials = Type.Object(
  { UserName: Type.String(), Password: Type.String(), Context: Type.Optional(Type.String()) },
  { additionalProperties: false },
)

const ServicePatch = Type.Object(
  {
    ServiceEnabled: Type.Optional(Type.Boolean()),
    // SessionService v1_2: from half a minute to a day.
    SessionTimeout: Type.Optional(Type.Integer({ minimum: 30, maximum: 86_400 })),
  },
  { additionalProperties: false },
)

/** A session is opened by whoever knows a password, and read or ended by its owner or who manages sessions. */
const sessionPrivileges: Privileges = {
  GET: [['Login']],
  POST: open.GET,
  DELETE: [['ConfigureManager'], ['ConfigureSelf']],
}

/** SessionService: log in for a token, log out by deleting. */
export function sessionRows(sessions: Sessions, passwords: PasswordChecker): Row[] {
  const judgeCredentials = judge(Credentials)
  const login = async ({ bmc, body, origin }: Call<Bmc>): Promise<Answer> => {
    const judged = judgeCredentials(body)
    if (!judged.ok) throw new RedfishError(400, propertyMessages(judged.problem))
    if (!bmc.state.settings.sessionServiceEnabled) {
      throw new RedfishError(503, message('Base.ServiceDisabled', uris.sessionService))
    }
    const account = await passwords.check(bmc.accounts, judged.value.UserName, judged.value.Password)
    if (account === undefined) throw unauthenticated(message('Base.AccessUnauthorized'))
    const { session, token } = sessions.open(bmc, account, origin)
    const headers = { Location: uris.session(session.id), 'X-Auth-Token': token }
    return { status: 201, headers, body: sessionView(session) }
  }
  return [
    {
      path: uris.sessionService,
      type: 'SessionService',
      privileges: writableBy('ConfigureManager'),
      view: ({ state: { settings } }) => ({
        ...resource('SessionService', uris.sessionService, 'Session service'),
        ServiceEnabled: settings.sessionServiceEnabled,
        SessionTimeout: settings.sessionTimeoutS,
        Status: { State: settings.sessionServiceEnabled ? 'Enabled' : 'Disabled', Health: 'OK' },
        Sessions: link(uris.sessions),
      }),
      patch: { schema: ServicePatch, apply: patchService },
    },
    {
      path: uris.sessions,
      type: 'SessionCollection',
      privileges: sessionPrivileges,
      view: sessionsView,
      post: login,
    },
    {
      path: uris.session(':id'),
      type: 'Session',
      privileges: sessionPrivileges,
      view: ({ state }, { id = '' }) => {
        const session = state.sessions.get(id)
        return session && sessionView(session)
      },
      delete: (call) => logout(sessions, call),
    },
  ]
}

/** Whoever owns a session may end it; the sessions of others need ConfigureManager. */
function logout(sessions: Sessions, { bmc, params: { id = '' }, principal }: Call<Bmc>): Answer {
  const isOwn = bmc.state.sessions.get(id)?.username === principal?.username
  if (!isOwn && principal?.privileges.has('ConfigureManager') !== true) {
    throw new RedfishError(403, message('Base.InsufficientPrivilege'))
  }
  sessions.end(bmc, id)
  return { status: 204 }
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
  const { ServiceEnabled, SessionTimeout } = body as Static<typeof ServicePatch>
  commit(bmc, {
    settings: {
      ...(ServiceEnabled !== undefined && { sessionServiceEnabled: ServiceEnabled }),
      ...(SessionTimeout !== undefined && { sessionTimeoutS: SessionTimeout }),
    },
  })
}

function sessionView({ id, username, createdAt, origin }: Session): Resource {
  return {
    ...resource('Session', uris.session(id), `Session of ${username}`),
    UserName: username,
    Password: null,
    SessionType: 'Redfish',
    CreatedTime: timestamp(createdAt),
    ClientOriginIPAddress: origin,
  }
}
