import type { JsonObject } from '../../src/redfish/resource.ts'
import { AUDIT_LOG, uris } from '../../src/redfish/uris.ts'
import { PASSWORD, type TestEmulator } from './emulator.ts'

/** Makes an account as an administrator does: its URI. */
export async function addAccount(
  { send }: Pick<TestEmulator, 'send'>,
  UserName: string,
  members: JsonObject = {},
): Promise<string> {
  const body = { UserName, Password: PASSWORD, RoleId: 'ReadOnly', ...members }
  const { status, headers, text } = await send(uris.accounts, { method: 'POST', body })
  if (status !== 201) throw new Error(`no account: ${text}`)
  return String(headers['location'])
}

/** Logs in: the answer, and a request's headers and user for whoever holds the token. */
export async function logIn(
  { send }: Pick<TestEmulator, 'send'>,
  UserName = 'admin',
  members: JsonObject = {},
) {
  const body = { UserName, Password: PASSWORD, ...members }
  const answer = await send(uris.sessions, { method: 'POST', user: null, body })
  const token = String(answer.headers['x-auth-token'])
  return { ...answer, token, uri: String(answer.headers['location']), as: withToken(token) }
}

export function withToken(token: string) {
  return { user: null, headers: { 'x-auth-token': token } } as const
}

/** What the audit log says: registry, key and arguments of each message, and who caused it. */
export async function audit({ get }: Pick<TestEmulator, 'get'>): Promise<string[]> {
  const { Members } = await get(uris.logEntries(uris.manager('1'), AUDIT_LOG))
  return (Members as unknown as readonly Entry[]).map(({ MessageId, MessageArgs, Username = '-' }) =>
    [MessageId.replace(/\.\d+\.\d+\./, '.'), ...MessageArgs, Username].join(' '),
  )
}

interface Entry {
  readonly MessageId: string
  readonly MessageArgs: readonly string[]
  readonly Username?: string
}
